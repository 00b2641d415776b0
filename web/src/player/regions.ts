/** What features look at, drawn over the input; in hand, its corners are dragged. */

import { LitElement, css, html } from "lit";
import { customElement, property } from "lit/decorators.js";
import { sourceOf } from "../kinds.ts";
import { Follows } from "../link.ts";
import { clamp, written } from "../ranges.ts";
import { hue } from "../routes/trace.ts";
import { theme } from "../theme.ts";

export type Region = [number, number, number, number]; // left, top, right, bottom, as fractions

const LEAST = 0.03; // of a side

type Grip = { x: -1 | 0 | 1; y: -1 | 0 | 1 };

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
  return [left, top, right, bottom].map((edge) => Math.round(edge * 1000) / 1000) as Region;
}

function area([left, top, right, bottom]: Region): number {
  return (right - left) * (bottom - top);
}

/** Where a corner's grip stands: at the corner, or within it where the corner is the picture's own. */
function corner(grip: Grip, [left, top, right, bottom]: Region): string {
  const x = grip.x < 0 ? `${left < 0.02 ? 14 : 0}px` : `calc(100% - ${right > 0.98 ? 14 : 0}px)`;
  const y = grip.y < 0 ? `${top < 0.02 ? 14 : 0}px` : `calc(100% - ${bottom > 0.98 ? 14 : 0}px)`;
  return `left:${x};top:${y}`;
}

/** Whether two regions begin at about the same corner. */
function near(a: Region, b: Region): boolean {
  return Math.abs(a[0] - b[0]) < 0.12 && Math.abs(a[1] - b[1]) < 0.08;
}

@customElement("ks-regions")
export class Regions extends LitElement {
  @property() source = "";
  @property({ type: Boolean, reflect: true }) editing = false;
  @property() chosen = ""; // the feature in hand
  #stage = new Follows(this, ["patch", "meters"]);
  #drag: { id: number; feature: string; grip: Grip; from: Region; x: number; y: number } | null = null;

  static override styles = [
    theme,
    css`
      :host {
        position: absolute;
        inset: 0;
        pointer-events: none;
      }
      :host([editing]) {
        touch-action: none;
      }
      .region {
        position: absolute;
        border: 1.5px solid var(--tint);
        border-radius: 3px;
        box-shadow: 0 0 0 1px #0008;
      }
      .whole {
        border-style: dashed;
        opacity: 0.8;
      }
      .name {
        position: absolute;
        left: 0;
        top: var(--down);
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
      :host([editing]) .region {
        pointer-events: auto;
        cursor: move;
        touch-action: none;
      }
      .chosen {
        background: color-mix(in srgb, var(--tint) 12%, transparent);
        border-width: 2.5px;
        z-index: 2;
      }
      .chosen .name {
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
    const { link } = this.#stage;
    const { features } = link.state.patch;
    const mine = Object.keys(features)
      .map((name) => ({ name, region: link.value(`features.${name}.region`) as Region | undefined }))
      .filter(({ name, region }) => Array.isArray(region) && sourceOf(link.state, name) === this.source)
      .sort((a, b) => area(b.region!) - area(a.region!)); // the smaller lies above, so that every one can be taken
    const inHand = mine.some(({ name }) => name === this.chosen) ? this.chosen : mine.at(-1)?.name;
    // names that would lie on one another stand in a column
    const under = (i: number) => mine.slice(0, i).filter((other) => near(other.region!, mine[i]!.region!)).length;
    return mine.map(({ name, region }, i) => {
      const [left, top, right, bottom] = region!;
      const whole = left === 0 && top === 0 && right === 1 && bottom === 1;
      const chosen = this.editing && inHand === name;
      const now = link.meters.features[name];
      const box = [left, top, right - left, bottom - top].map((part) => `${part * 100}%`);
      return html`<div
        class="region ${whole ? "whole" : ""} ${chosen ? "chosen" : ""}"
        role=${this.editing ? "group" : "img"}
        tabindex=${this.editing ? 0 : -1}
        aria-label=${`${name} looks here${this.editing ? ": arrows move it, with Shift they stretch it" : ""}`}
        .style=${`left:${box[0]};top:${box[1]};width:${box[2]};height:${box[3]};--tint:${hue(name)};--down:${20 * under(i)}px`}
        @focus=${() => (this.chosen = name)}
        @pointerdown=${(event: PointerEvent) => this.#down(event, name, region!, { x: 0, y: 0 })}
        @pointermove=${this.#move}
        @pointerup=${this.#up}
        @pointercancel=${this.#up}
        @keydown=${(event: KeyboardEvent) => this.#key(event, name, region!)}
      >
        <span class="name">${name}${typeof now === "number" ? ` ${written(now)}` : ""}</span>
        ${chosen
          ? GRIPS.map(
              (grip) =>
                html`<button
                  class="grip"
                  tabindex="-1"
                  aria-label="corner"
                  .style=${`${corner(grip, region!)};cursor:${grip.x === grip.y ? "nwse" : "nesw"}-resize`}
                  @pointerdown=${(event: PointerEvent) => this.#down(event, name, region!, grip)}
                ></button>`,
            )
          : ""}
      </div>`;
    });
  }

  #down(event: PointerEvent, feature: string, from: Region, grip: Grip): void {
    if (!this.editing || event.button !== 0) return;
    event.stopPropagation();
    event.preventDefault();
    this.chosen = feature;
    this.#drag = { id: event.pointerId, feature, grip, from, x: event.clientX, y: event.clientY };
    const region = (event.currentTarget as HTMLElement).closest<HTMLElement>(".region")!;
    region.setPointerCapture(event.pointerId);
    region.focus({ preventScroll: true });
  }

  #move(event: PointerEvent): void {
    const drag = this.#drag;
    if (!drag || drag.id !== event.pointerId) return;
    const box = this.getBoundingClientRect();
    const [dx, dy] = [(event.clientX - drag.x) / box.width, (event.clientY - drag.y) / box.height];
    this.#set(drag.feature, moved(drag.from, drag.grip, dx, dy));
  }

  #up(event: PointerEvent): void {
    if (this.#drag?.id === event.pointerId) this.#drag = null;
  }

  #key(event: KeyboardEvent, feature: string, region: Region): void {
    const step = 0.01;
    const way = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
    if (!this.editing || !way) return;
    event.preventDefault();
    event.stopPropagation();
    this.#set(feature, moved(region, event.shiftKey ? { x: 1, y: 1 } : { x: 0, y: 0 }, way[0]!, way[1]!));
  }

  #set(feature: string, region: Region): void {
    this.#stage.link.change({ [`features.${feature}.region`]: region });
  }
}
