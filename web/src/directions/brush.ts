/** A brush for the picture that plays: what it paints is what sliders are sought for. */

import { LitElement, css, html, nothing, svg } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { hint, theme } from "../theme.ts";
import { type Marked, type Place, type Stroke, UNMARKED, begun, further, placeIn } from "./marked.ts";

/** <ks-brush .marked>: draws its strokes. Event "marked" (detail: the strokes), which bubbles. Put it into a ks-picture. */
@customElement("ks-brush")
export class Brush extends LitElement {
  @property({ attribute: false }) marked: Marked = UNMARKED;
  @state() private tip: Place | null = null; // where the brush is held
  #hand: number | null = null; // the pointer that paints
  #strokes: Stroke[] = []; // with what has not come back as `marked` yet

  static override styles = [
    theme,
    hint,
    css`
      :host,
      svg {
        position: absolute;
        inset: 0;
      }
      svg {
        width: 100%;
        height: 100%;
        cursor: none;
        touch-action: none;
      }
      .paint {
        fill: none;
        stroke: var(--here);
        stroke-linecap: round;
        stroke-linejoin: round;
        opacity: 0.5;
      }
      .tip {
        fill: none;
        stroke: var(--ink);
        stroke-width: 1.5px;
        vector-effect: non-scaling-stroke;
      }
    `,
  ];

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (changed.has("marked")) this.#strokes = this.marked.strokes;
  }

  protected override render() {
    const { strokes, width } = this.marked;
    return html`<svg
        viewBox="0 0 1 1"
        preserveAspectRatio="none"
        role="img"
        aria-label="The picture: paint on it with a finger or the mouse; by keys, draw a box instead"
        @pointerdown=${this.#down}
        @pointermove=${this.#move}
        @pointerup=${this.#up}
        @pointercancel=${this.#up}
        @pointerleave=${() => (this.tip = null)}
      >
        ${svg`<g class="paint" stroke-width=${width}>${strokes.map((stroke) => svg`<path d=${path(stroke)}></path>`)}</g>`}
        ${this.tip ? svg`<circle class="tip" cx=${this.tip[0]} cy=${this.tip[1]} r=${width / 2}></circle>` : nothing}
      </svg>
      ${strokes.length ? nothing : html`<p><span>Paint on the picture</span></p>`}`;
  }

  #down(event: PointerEvent): void {
    if (event.button !== 0 || this.#hand !== null) return;
    this.#hand = event.pointerId;
    (event.currentTarget as Element).setPointerCapture(event.pointerId);
    this.#tell(begun(this.#strokes, this.#place(event)));
  }

  #move(event: PointerEvent): void {
    this.tip = this.#place(event);
    if (this.#hand !== event.pointerId) return;
    this.#tell(event.getCoalescedEvents().reduce((strokes, part) => further(strokes, this.#place(part)), this.#strokes));
  }

  #up(event: PointerEvent): void {
    if (this.#hand !== event.pointerId) return;
    this.#hand = null;
    if (event.pointerType !== "mouse") this.tip = null;
  }

  #place(event: PointerEvent): Place {
    return placeIn(this.getBoundingClientRect(), event);
  }

  #tell(strokes: Stroke[]): void {
    this.#strokes = strokes;
    this.dispatchEvent(new CustomEvent<Partial<Marked>>("marked", { detail: { strokes }, bubbles: true, composed: true }));
  }
}

/** A line through all places of a stroke; a dot is a line to itself. */
function path(stroke: Stroke): string {
  return `M${[...stroke, stroke.at(-1)!].map((place) => place.join(" ")).join("L")}`;
}

declare global {
  interface HTMLElementTagNameMap {
    "ks-brush": Brush;
  }
}
