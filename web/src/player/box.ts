/** A box over a picture, moved and stretched by hand. */

import { LitElement, css, html, nothing } from "lit";
import { customElement, property, query } from "lit/decorators.js";
import { clamp } from "../ranges.ts";
import { theme } from "../theme.ts";

export type Region = [number, number, number, number]; // left, top, right, bottom, as fractions

const LEAST = 0.03; // of a side

export type Grip = { x: -1 | 0 | 1; y: -1 | 0 | 1 };

const GRIPS: Grip[] = [
  { x: -1, y: -1 },
  { x: 1, y: -1 },
  { x: -1, y: 1 },
  { x: 1, y: 1 },
];

/** A region moved by (dx, dy) at a grip: a corner, or all of it. It never leaves the picture nor turns inside out. */
export function moved(region: Region, grip: Grip, dx: number, dy: number): Region {
  let [left, top, right, bottom] = region;
  if (!grip.x && !grip.y) {
    dx = clamp(dx, -left, 1 - right);
    dy = clamp(dy, -top, 1 - bottom);
    [left, top, right, bottom] = [left + dx, top + dy, right + dx, bottom + dy];
  }
  if (grip.x < 0) left = clamp(left + dx, 0, right - LEAST);
  if (grip.x > 0) right = clamp(right + dx, left + LEAST, 1);
  if (grip.y < 0) top = clamp(top + dy, 0, bottom - LEAST);
  if (grip.y > 0) bottom = clamp(bottom + dy, top + LEAST, 1);
  return [left, top, right, bottom].map(fine) as Region;
}

/** The region that a hand draws from one corner (x, y) to the other, within the picture and never smaller than can be taken. */
export function drawn([ax, ay]: [number, number], [bx, by]: [number, number]): Region {
  const side = (a: number, b: number): [number, number] => {
    const low = clamp(Math.min(a, b), 0, 1 - LEAST);
    return [low, clamp(Math.max(a, b), low + LEAST, 1)];
  };
  const [[left, right], [top, bottom]] = [side(ax, bx), side(ay, by)];
  return [left, top, right, bottom].map(fine) as Region;
}

function fine(edge: number): number {
  return Math.round(edge * 1000) / 1000;
}

/** Where a corner's grip stands: at the corner, or within it where the corner is the picture's own. */
function corner(grip: Grip, [left, top, right, bottom]: Region): string {
  const x = grip.x < 0 ? `${left < 0.02 ? 14 : 0}px` : `calc(100% - ${right > 0.98 ? 14 : 0}px)`;
  const y = grip.y < 0 ? `${top < 0.02 ? 14 : 0}px` : `calc(100% - ${bottom > 0.98 ? 14 : 0}px)`;
  return `left:${x};top:${y}`;
}

/**
 * <ks-box .region label caption ?editing ?chosen>: lies where its region is in what it is put into, drawn in --tint.
 * With `editing` it is dragged; `chosen` shows its corners. The arrow keys move it, with Shift they stretch it.
 * Events: "move" (detail: the region), "taken" (it is in the hand, or under the keys).
 */
@customElement("ks-box")
export class Box extends LitElement {
  @property({ attribute: false }) region!: Region;
  /** What a screen reader says, and what is read in its corner. */
  @property() label = "";
  @property() caption = "";
  @property({ type: Boolean, reflect: true }) editing = false;
  @property({ type: Boolean, reflect: true }) chosen = false;
  @query(".box") private box!: HTMLElement;
  #drag: { id: number; grip: Grip; from: Region; x: number; y: number } | null = null;

  static override styles = [
    theme,
    css`
      :host {
        position: absolute;
        inset: 0;
        pointer-events: none;
        --tint: var(--here);
      }
      :host([chosen]) {
        z-index: 2;
      }
      .box {
        position: absolute;
        border: 1.5px solid var(--tint);
        border-radius: 3px;
        box-shadow: 0 0 0 1px #0008;
      }
      .whole {
        border-style: dashed;
        opacity: 0.8;
      }
      :host([editing]) .box {
        pointer-events: auto;
        cursor: move;
        touch-action: none;
      }
      :host([chosen]) .box {
        background: color-mix(in srgb, var(--tint) 12%, transparent);
        border-width: 2.5px;
      }
      .caption {
        position: absolute;
        left: 0;
        top: var(--down, 0);
        max-width: 100%;
        padding: 1px 7px 2px;
        background: #000b;
        color: var(--tint);
        font-size: 11.5px;
        line-height: 1.4;
        border-radius: 0 0 7px 0;
        white-space: nowrap;
        overflow: hidden;
        text-overflow: ellipsis;
      }
      :host([chosen]) .caption {
        left: 30px; /* the grip stays in sight */
        border-radius: 0 0 7px 7px;
      }
      .grip {
        position: absolute;
        width: 44px;
        height: 44px;
        min-height: 0;
        margin: -22px;
        padding: 0;
        border: 0;
        background: none;
        touch-action: none;
      }
      .grip:hover:not(:disabled),
      .grip:active:not(:disabled) {
        background: none;
      }
      .grip::after {
        content: "";
        position: absolute;
        inset: 14px;
        border-radius: 50%;
        background: var(--tint);
        box-shadow: 0 0 0 2px #000a;
      }
      .grip:focus-visible {
        outline-offset: -8px;
        border-radius: 50%;
      }
    `,
  ];

  override render() {
    const [left, top, right, bottom] = this.region;
    const whole = left === 0 && top === 0 && right === 1 && bottom === 1;
    const place = [left, top, right - left, bottom - top].map((part) => `${part * 100}%`);
    return html`<div
      class="box ${whole ? "whole" : ""}"
      role=${this.editing ? "group" : "img"}
      tabindex=${this.editing ? 0 : -1}
      aria-label=${`${this.label}${this.editing ? ": arrows move it, with Shift they stretch it" : ""}`}
      .style=${`left:${place[0]};top:${place[1]};width:${place[2]};height:${place[3]}`}
      @focus=${() => this.dispatchEvent(new CustomEvent("taken"))}
      @pointerdown=${(event: PointerEvent) => this.#take(event, { x: 0, y: 0 })}
      @pointermove=${this.#move}
      @pointerup=${this.#up}
      @pointercancel=${this.#up}
      @keydown=${this.#key}
    >
      ${this.caption ? html`<span class="caption">${this.caption}</span>` : nothing}
      ${this.editing && this.chosen
        ? GRIPS.map(
            (grip) =>
              html`<button
                class="grip"
                tabindex="-1"
                aria-label="corner"
                .style=${`${corner(grip, this.region)};cursor:${grip.x === grip.y ? "nwse" : "nesw"}-resize`}
                @pointerdown=${(event: PointerEvent) => this.#take(event, grip)}
              ></button>`,
          )
        : nothing}
    </div>`;
  }

  override focus(options?: FocusOptions): void {
    this.box.focus(options);
  }

  #take(event: PointerEvent, grip: Grip): void {
    if (!this.editing || event.button !== 0) return;
    event.stopPropagation();
    event.preventDefault();
    this.#drag = { id: event.pointerId, grip, from: this.region, x: event.clientX, y: event.clientY };
    this.box.setPointerCapture(event.pointerId);
    this.focus({ preventScroll: true });
  }

  #move(event: PointerEvent): void {
    const drag = this.#drag;
    if (!drag || drag.id !== event.pointerId) return;
    const { width, height } = this.getBoundingClientRect();
    this.#set(moved(drag.from, drag.grip, (event.clientX - drag.x) / width, (event.clientY - drag.y) / height));
  }

  #up(event: PointerEvent): void {
    if (this.#drag?.id === event.pointerId) this.#drag = null;
  }

  #key(event: KeyboardEvent): void {
    const step = 0.01;
    const way = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
    if (!this.editing || !way) return;
    event.preventDefault();
    event.stopPropagation();
    this.#set(moved(this.region, event.shiftKey ? { x: 1, y: 1 } : { x: 0, y: 0 }, way[0]!, way[1]!));
  }

  #set(region: Region): void {
    this.dispatchEvent(new CustomEvent("move", { detail: region }));
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "ks-box": Box;
  }
}
