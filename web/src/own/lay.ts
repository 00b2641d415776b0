/** Where to look in a picture: a square that is dragged, pulled at its corners and pinched, or the four points of a face. */

import { LitElement, css, html, nothing, svg } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { address, stage } from "../link.ts";
import type { OwnPicture } from "../protocol.ts";
import { theme } from "../theme.ts";
import { squareOf } from "./bring.ts";
import { type Place, type Square, corners, grown, held, moved, outside, pinched, pulled } from "./square.ts";

const MARGIN = 0.06; // of the longer side, around the picture: what lies beyond it can be seen, too
const FACE: [string, Place][] = [
  ["Left eye", [0.38, 0.48]],
  ["Right eye", [0.62, 0.48]],
  ["Left corner of the mouth", [0.41, 0.7]],
  ["Right corner of the mouth", [0.59, 0.7]],
]; // where they are in the square, to begin with
const KEY = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] } as Record<string, Place>;
const STEP = 0.01; // of the side, for an arrow key
const PREVIEW = 96; // pixels

/**
 * <ks-lay .picture .square ?ghost ?face>: what is inside stands by the small picture of what the model is shown, with slot="ways"
 * where there is room.
 * Events: "lay" (detail: the square), "say" (detail: words).
 */
@customElement("ks-lay")
export class Lay extends LitElement {
  @property({ attribute: false }) picture!: OwnPicture;
  @property({ attribute: false }) square!: Square;
  /** Whether the model's average picture is laid over, to lay the square by. */
  @property({ type: Boolean }) ghost = false;
  /** Whether the points of a face are laid instead. */
  @property({ type: Boolean }) face = false;
  @state() private points: Place[] = [];
  @query("svg") private field!: SVGSVGElement;
  @query("canvas") private preview!: HTMLCanvasElement;
  #fingers = new Map<number, Place>(); // on the field, where they are in the picture
  #image: HTMLImageElement | null = null;

  static override styles = [
    theme,
    css`
      :host {
        display: block;
      }
      .field {
        border: 1px solid var(--line);
        border-radius: 14px;
        overflow: hidden;
        background: #000;
      }
      svg {
        display: block;
        width: 100%;
        max-height: min(44vh, 420px);
        touch-action: none;
        cursor: grab;
        user-select: none;
        -webkit-user-select: none;
      }
      .dim {
        fill: #000a;
        pointer-events: none;
      }
      .edge {
        fill: none;
        stroke: var(--ink);
        pointer-events: none;
      }
      .up {
        fill: var(--ink);
        pointer-events: none;
      }
      .hand {
        fill: var(--ink);
        stroke: #000;
        pointer-events: none;
      }
      .reach {
        fill: transparent;
        cursor: nwse-resize;
      }
      .point {
        outline: none;
        cursor: grab;
      }
      .point circle:first-child {
        fill: #f4b26640;
        stroke: var(--live);
      }
      .point circle:nth-child(2) {
        fill: var(--live);
        stroke: none;
      }
      .point:focus-visible circle:first-child {
        stroke: var(--here);
        fill: var(--here-dim);
      }
      .ghost {
        pointer-events: none;
        opacity: 0.55;
      }
      .below {
        display: grid;
        grid-template: "preview hint" auto "preview ways" 1fr / auto minmax(0, 1fr);
        gap: 8px 12px;
        margin-top: 12px;
        align-items: start;
      }
      slot {
        display: block;
        grid-area: hint;
      }
      slot[name] {
        grid-area: ways;
      }
      @container panel (max-width: 420px) {
        .below {
          grid-template: "preview hint" auto "ways ways" auto / auto minmax(0, 1fr);
        }
      }
      canvas {
        grid-area: preview;
        width: ${PREVIEW}px;
        height: ${PREVIEW}px;
        border-radius: 10px;
        box-shadow: 0 0 0 1px var(--edge);
        background: #000;
      }
    `,
  ];

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (changed.has("picture") && (changed.get("picture") as OwnPicture | undefined)?.number !== this.picture.number) {
      this.points = [];
      const image = new Image();
      image.onload = () => this.#show();
      image.src = this.#shown;
      this.#image = image;
    }
    if (this.face && !this.points.length) this.points = FACE.map(([, place]) => outside(this.square, place));
    if (changed.has("face") && !this.face) this.points = [];
  }

  protected override updated(): void {
    this.#show();
  }

  get #shown(): string {
    return address(`/api/own/picture.jpg?n=${this.picture.number}`);
  }

  protected override render() {
    const { width, height } = this.picture;
    const far = Math.max(width, height);
    const margin = far * MARGIN;
    const thin = far / 100; // about four pixels of the screen
    const ends = corners(this.square);
    const shape = `M${ends.map((end) => end.join(" ")).join("L")}Z`;
    return html`<div
        class="field"
        tabindex="0"
        role="group"
        aria-label="The square over ${this.picture.name || "the picture"}: arrow keys move it, with Shift they size and turn it"
        @keydown=${this.#key}
      >
        <svg
          viewBox="${-margin} ${-margin} ${width + 2 * margin} ${height + 2 * margin}"
          style="aspect-ratio: ${width + 2 * margin} / ${height + 2 * margin}"
          @pointerdown=${this.#take}
          @wheel=${this.#wheel}
        >
          <image href=${this.#shown} width=${width} height=${height} />
          ${this.ghost ? this.#ghost() : nothing}
          ${svg`<path class="dim" fill-rule="evenodd" d="M${-far} ${-far}h${width + 2 * far}v${height + 2 * far}h${-width - 2 * far}z${shape}"></path>
            <path class="edge" stroke-width=${thin * 0.5} d=${shape}></path>
            <path class="up" d=${this.#upwards(thin)}></path>`}
          ${this.face ? this.points.map((point, i) => this.#point(point, i, thin)) : ends.map((end) => corner(end, thin))}
        </svg>
      </div>
      <div class="below">
        <canvas width=${2 * PREVIEW} height=${2 * PREVIEW} role="img" aria-label="What the model is shown"></canvas>
        <slot></slot>
        <slot name="ways"></slot>
      </div>`;
  }

  #ghost() {
    const [from, right, , down] = corners(this.square) as [Place, Place, Place, Place];
    const matrix = [right[0] - from[0], right[1] - from[1], down[0] - from[0], down[1] - from[1], ...from];
    return svg`<image class="ghost" href=${address(`/api/own/mean.jpg?of=${encodeURIComponent(stage().state.model.name)}`)} width="1" height="1" preserveAspectRatio="none"
      transform="matrix(${matrix.join(" ")})"></image>`;
  }

  /** A small mark on the side that is up. */
  #upwards(thin: number): string {
    const width = (3 * thin) / this.square.size;
    const places: Place[] = [[0.5 - width, 0], [0.5, -1.4 * width], [0.5 + width, 0]];
    return `M${places.map((place) => outside(this.square, place).join(" ")).join("L")}Z`;
  }

  #point([x, y]: Place, i: number, thin: number) {
    return svg`<g class="point" role="button" tabindex="0" aria-label="${FACE[i]![0]}: arrow keys move it" data-point=${i}
        @keydown=${(event: KeyboardEvent) => this.#pointKey(event, i)}>
      <circle cx=${x} cy=${y} r=${3.4 * thin} stroke-width=${thin * 0.5}></circle>
      <circle cx=${x} cy=${y} r=${0.8 * thin}></circle>
      <title>${FACE[i]![0]}</title>
    </g>`;
  }

  /** What the model is shown, drawn from what the page has. */
  #show(): void {
    const image = this.#image;
    const context = this.preview?.getContext("2d");
    if (!context || !image?.complete || !image.naturalWidth) return;
    const side = this.preview.width;
    const [[x, y], right, , down] = corners(this.square) as [Place, Place, Place, Place];
    const along: Place = [(right[0] - x) / side, (right[1] - y) / side];
    const below: Place = [(down[0] - x) / side, (down[1] - y) / side];
    const into = new DOMMatrix([...along, ...below, x, y]).inverse();
    context.resetTransform();
    context.clearRect(0, 0, side, side);
    context.setTransform(into);
    context.drawImage(image, 0, 0, this.picture.width, this.picture.height);
  }

  // --- by hand --------------------------------------------------------------------------------------------------------

  #lay(square: Square): void {
    this.square = held(square, this.picture.width, this.picture.height);
    this.dispatchEvent(new CustomEvent("lay", { detail: this.square }));
  }

  /** Where on the picture a pointer is. */
  #at(event: MouseEvent): Place {
    const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(this.field.getScreenCTM()!.inverse());
    return [place.x, place.y];
  }

  #take = (event: PointerEvent) => {
    if (event.button !== 0 || this.#fingers.size > 1) return;
    const target = event.target as Element;
    const point = target.closest<SVGGElement>("[data-point]")?.dataset["point"];
    const what = point !== undefined ? Number(point) : target.classList.contains("reach") ? "corner" : "square";
    const { pointerId } = event;
    this.#fingers.set(pointerId, this.#at(event));
    this.field.setPointerCapture(pointerId);
    const ended = new AbortController();
    const follow = (next: PointerEvent) => next.pointerId === pointerId && this.#follow(pointerId, this.#at(next), what);
    const release = (last: PointerEvent) => {
      if (last.pointerId !== pointerId) return;
      ended.abort();
      this.#fingers.delete(pointerId);
      if (typeof what === "number") void this.#faced();
    };
    this.field.addEventListener("pointermove", follow, { signal: ended.signal });
    this.field.addEventListener("pointerup", release, { signal: ended.signal });
    this.field.addEventListener("pointercancel", release, { signal: ended.signal });
  };

  #follow(finger: number, to: Place, what: number | "corner" | "square"): void {
    const from = this.#fingers.get(finger)!;
    const other = [...this.#fingers].find(([id]) => id !== finger)?.[1];
    this.#fingers.set(finger, to);
    if (typeof what === "number") this.points = this.points.map((place, i) => (i === what ? to : place));
    else if (this.face) return; // the points lay the square
    else if (other) this.#lay(pinched(this.square, [other, from], [other, to]));
    else if (what === "corner") this.#lay(pulled(this.square, from, to));
    else this.#lay(moved(this.square, to[0] - from[0], to[1] - from[1]));
  }

  #wheel = (event: WheelEvent) => {
    if (this.face) return;
    event.preventDefault();
    this.#lay(grown(this.square, Math.exp(event.deltaY / 600)));
  };

  #key = (event: KeyboardEvent) => {
    const by = KEY[event.key];
    if (!by || event.target !== event.currentTarget || this.face) return;
    event.preventDefault();
    event.stopPropagation();
    const far = STEP * this.square.size;
    if (event.shiftKey) this.#lay(grown(this.square, Math.exp(-2 * STEP * by[1]), 100 * STEP * by[0]));
    else this.#lay(moved(this.square, far * by[0], far * by[1]));
  };

  #pointKey(event: KeyboardEvent, which: number): void {
    const by = KEY[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    const far = STEP * this.square.size;
    this.points = this.points.map(([x, y], i) => (i === which ? [x + far * by[0], y + far * by[1]] : [x, y]));
    void this.#faced();
  }

  /** The square goes where the points say that the face is. */
  async #faced(): Promise<void> {
    const found = await squareOf(this.points);
    if (typeof found === "string") this.dispatchEvent(new CustomEvent("say", { detail: found, bubbles: true, composed: true }));
    else this.#lay(found);
  }
}

function corner([x, y]: Place, thin: number) {
  return svg`<circle class="hand" cx=${x} cy=${y} r=${1.7 * thin} stroke-width=${thin * 0.3}></circle>
    <circle class="reach" cx=${x} cy=${y} r=${4.5 * thin}></circle>`;
}
