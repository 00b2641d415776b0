/** A route's curve, drawn: the feature moves along it, and its four ends can be taken hold of. */

import { LitElement, css, html, nothing, svg } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import type { Meters } from "../protocol.ts";
import { type Route, motion, normal, shape } from "./curve.ts";
import { Live, hue, legible, seen, short, trace } from "./trace.ts";

type End = "in_low" | "in_high" | "low" | "high";
type Span = [number, number];

const HEIGHT = 208;
const LEFT = 52; // room for the parameter's handles
const RIGHT = 58; // room for the number that comes out
const TOP = 14;
const BOTTOM = 46; // room for the feature's handles
const ROUND = 12; // room round the curve for the moving point

/**
 * <ks-graph .route .place .bounds>. Events: "end" (detail: {name, value}) while an end of a range is moved, "settled" after.
 */
@customElement("ks-graph")
export class Graph extends LitElement {
  @property({ attribute: false }) route!: Route;
  @property() place = "";
  @property() label = "";
  /** What the parameter can be at all; null where it has no end. */
  @property({ attribute: false }) bounds: [number | null, number | null] = [null, null];
  /** Smallest and largest since a calibration began; null: there is none. */
  @property({ attribute: false }) shown: Span | null = null;

  @state() private width = 320;
  @query("svg") private picture!: SVGSVGElement;
  @query(".dot") private dot!: HTMLElement | null;
  @query(".out") private out!: HTMLElement | null;

  #x: Span = [0, 1]; // what the picture spans of the feature
  #y: Span = [0, 1]; // and of the parameter
  #held: End | null = null;
  #watch = new ResizeObserver(() => (this.width = Math.max(this.clientWidth, 220)));

  constructor() {
    super();
    new Live(this, (meters) => this.#move(meters));
  }

  static override styles = css`
    :host {
      display: block;
      position: relative;
      contain: layout;
    }
    svg {
      display: block;
      width: 100%;
      height: ${HEIGHT}px;
      overflow: visible;
      touch-action: pan-y;
      user-select: none;
      -webkit-user-select: none;
    }
    text {
      font: 12px/1 var(--font);
      font-variant-numeric: tabular-nums;
      fill: var(--quiet);
    }
    .ground {
      fill: var(--ground);
    }
    .grid {
      stroke: var(--line);
      stroke-width: 1;
    }
    .outside {
      fill: #0006;
    }
    .rest {
      fill: var(--quiet);
      opacity: 0.13;
    }
    .curve {
      fill: none;
      stroke-width: 2.25;
      stroke-linejoin: round;
      opacity: 0.95;
    }
    .under {
      opacity: 0.1;
    }
    .flat {
      stroke-dasharray: 2 4;
    }
    .shown {
      fill: var(--live);
      opacity: 0.16;
    }
    .handle {
      cursor: grab;
      outline: none;
    }
    .handle .grip {
      fill: var(--raised);
      stroke: var(--quiet);
      stroke-width: 1.5;
    }
    .handle:hover .grip,
    .handle.held .grip {
      stroke: var(--ink);
      fill: var(--line);
    }
    .handle:focus-visible .grip {
      stroke: var(--live);
      stroke-width: 3;
    }
    .handle text {
      fill: var(--ink);
      pointer-events: none;
    }
    .hit {
      fill: transparent;
      cursor: grab;
      touch-action: none;
    }
    /* What moves is laid over the drawing, so that moving it draws nothing anew. */
    .plot,
    .reach {
      position: absolute;
      pointer-events: none;
    }
    .plot {
      overflow: hidden;
    }
    .reach {
      top: -8px;
      width: ${RIGHT}px;
      height: 16px;
    }
    .dot,
    .out {
      visibility: hidden;
      will-change: transform;
      transition: transform 75ms linear;
    }
    .dot {
      position: absolute;
      left: 0;
      top: 0;
      width: 12px;
      height: 12px;
      margin: -6px;
      border-radius: 50%;
      background: currentColor;
      box-shadow: 0 0 0 5px color-mix(in srgb, currentColor 22%, transparent);
    }
    .dot::after {
      content: "";
      position: absolute;
      left: 5.5px;
      top: 14px;
      height: ${HEIGHT}px;
      border-left: 1px dashed currentColor;
      opacity: 0.5;
    }
    .out {
      display: flex;
      align-items: center;
      gap: 5px;
      height: 16px;
      contain: layout;
    }
    .out::before {
      content: "";
      border: 5px solid transparent;
      border-left: 0;
      border-right: 8px solid currentColor;
    }
    .out b {
      font: 600 13px/16px var(--font);
      font-variant-numeric: tabular-nums;
      color: var(--ink);
    }
    @media (prefers-reduced-motion: reduce) {
      .dot,
      .out {
        transition: none;
      }
    }
  `;

  override connectedCallback(): void {
    super.connectedCallback();
    this.#watch.observe(this);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#watch.disconnect();
  }

  protected override willUpdate(): void {
    if (!this.#held) this.#fit();
  }

  protected override render() {
    const { route, width } = this;
    const colour = hue(route.feature);
    const path = this.#path();
    const [x0, x1, y0, y1] = [this.#px(this.#x[0]), this.#px(this.#x[1]), this.#py(this.#y[0]), this.#py(this.#y[1])];
    const [from, to] = [this.#px(route.in_low), this.#px(route.in_high)].sort((a, b) => a - b) as Span;
    return html`<svg
      viewBox="0 0 ${width} ${HEIGHT}"
      role="group"
      aria-label="${this.label}: how ${route.feature} becomes this"
      @pointerdown=${this.#press}
    >
      <rect class="ground" x=${x0} y=${y1} width=${x1 - x0} height=${y0 - y1} rx="8"></rect>
      ${[0.25, 0.5, 0.75].map((part) => {
        const y = y1 + (y0 - y1) * part;
        return svg`<line class="grid" x1=${x0} x2=${x1} y1=${y} y2=${y}></line>`;
      })}
      <rect class="outside" x=${x0} y=${y1} width=${Math.max(from - x0, 0)} height=${y0 - y1} rx="8"></rect>
      <rect class="outside" x=${to} y=${y1} width=${Math.max(x1 - to, 0)} height=${y0 - y1} rx="8"></rect>
      ${this.#rest(y0, y1)} ${this.shown ? this.#band(this.shown, y0, y1) : nothing}
      <path class="under" fill=${colour} d="${path} L${x1} ${y0} L${x0} ${y0} Z"></path>
      <path class="curve" stroke=${colour} d=${path}></path>
      <rect class="hit" data-side="x" x=${x0 - 14} y=${y0 - 4} width=${x1 - x0 + 28} height=${HEIGHT - y0 + 4}></rect>
      <rect class="hit" data-side="y" x="0" y=${y1 - 12} width=${LEFT - 4} height=${y0 - y1 + 24}></rect>
      ${this.#xHandle("in_low", y0)} ${this.#xHandle("in_high", y0)} ${this.#yHandle("low")} ${this.#yHandle("high")}
      </svg>
      <div
        class="plot"
        aria-hidden="true"
        .style=${`left:${x0 - ROUND}px;top:${y1 - ROUND}px;width:${x1 - x0 + 2 * ROUND}px;height:${y0 - y1 + ROUND}px;color:${colour}`}
      >
        <div class="dot"></div>
      </div>
      <div class="reach" aria-hidden="true" .style=${`left:${x1 + 3}px;color:${colour}`}>
        <div class="out"><b></b></div>
      </div>`;
  }

  #rest(y0: number, y1: number) {
    const { route } = this;
    if (!route.dead_zone) return nothing;
    const reach = route.dead_zone * (route.in_high - route.in_low);
    const ends = [route.clamp ? route.in_low : route.in_low - reach, route.in_low + reach].map((v) => this.#px(v));
    const [from, to] = ends.sort((a, b) => a - b) as Span;
    return svg`<rect class="rest" x=${from} y=${y1} width=${to - from} height=${y0 - y1}></rect>
      ${to - from > 34 ? svg`<text x=${(from + to) / 2} y=${y1 + 16} text-anchor="middle">rest</text>` : nothing}`;
  }

  #band([low, high]: Span, y0: number, y1: number) {
    const [from, to] = [this.#px(low), this.#px(high)];
    return svg`<rect class="shown" x=${from} y=${y1} width=${Math.max(to - from, 2)} height=${y0 - y1}></rect>`;
  }

  #xHandle(end: "in_low" | "in_high", y0: number) {
    const x = this.#inside(this.#px(this.route[end]), this.#px(this.#x[0]), this.#px(this.#x[1]));
    const both = Math.abs(this.#px(this.route.in_low) - this.#px(this.route.in_high)) < 46;
    const first = (this.route.in_low < this.route.in_high) === (end === "in_low");
    const anchor = both ? (first ? "end" : "start") : "middle";
    return svg`<g class="handle ${this.#held === end ? "held" : ""}" data-end=${end} tabindex="0" role="slider"
      aria-label=${end === "in_low" ? `${this.route.feature}: from` : `${this.route.feature}: to`}
      aria-valuenow=${this.route[end]} aria-valuetext=${short(this.route[end])} aria-orientation="horizontal"
      transform="translate(${x} ${y0})" @keydown=${this.#key}>
      <path class="grip" d="M0 2 l8 10 v7 a3 3 0 0 1 -3 3 h-10 a3 3 0 0 1 -3 -3 v-7 z"></path>
      <text y="38" x=${both ? (first ? 6 : -6) : 0} text-anchor=${anchor}>${short(this.route[end])}</text>
    </g>`;
  }

  #yHandle(end: "low" | "high") {
    const y = this.#inside(this.#py(this.route[end]), this.#py(this.#y[1]), this.#py(this.#y[0]));
    return svg`<g class="handle ${this.#held === end ? "held" : ""}" data-end=${end} tabindex="0" role="slider"
      aria-label=${end === "low" ? `${this.label}: at the feature's from` : `${this.label}: at the feature's to`}
      aria-valuenow=${this.route[end]} aria-valuetext=${short(this.route[end])} aria-orientation="vertical"
      transform="translate(${LEFT} ${y})" @keydown=${this.#key}>
      <path class="grip" d="M-2 0 l-10 -8 h-7 a3 3 0 0 0 -3 3 v10 a3 3 0 0 0 3 3 h7 z"></path>
      <text x="-27" y="4" text-anchor="end">${short(this.route[end])}</text>
    </g>`;
  }

  // --- where things are -----------------------------------------------------------------------------------------------

  #px(value: number): number {
    const span = this.width - LEFT - RIGHT;
    return LEFT + (span * (value - this.#x[0])) / (this.#x[1] - this.#x[0]);
  }

  #py(value: number): number {
    const span = HEIGHT - TOP - BOTTOM;
    return HEIGHT - BOTTOM - (span * (value - this.#y[0])) / (this.#y[1] - this.#y[0]);
  }

  #inside(at: number, from: number, to: number): number {
    return Math.min(Math.max(at, from), to);
  }

  /** Show the ranges and what the feature has just been, with a little room. */
  #fit(): void {
    const { route } = this;
    const ends: Span = [Math.min(route.in_low, route.in_high), Math.max(route.in_low, route.in_high)];
    const now = route.circular === null ? seen(route.feature) : null;
    const all = [...ends, ...(now ?? []), ...(this.shown ?? [])].filter(Number.isFinite);
    this.#x = roomy(all, (ends[1] - ends[0]) * 0.12, all.every((v) => v >= 0 && v <= 1) ? [0, 1] : null);
    const [low, high] = this.bounds;
    const both = [route.low, route.high];
    const least = ((high ?? 1) - (low ?? 0)) * 0.06; // what is flat still has some height
    const room = Math.max(Math.abs(route.high - route.low) * 0.3, least);
    const within: Span = [Math.min(low ?? -Infinity, ...both), Math.max(high ?? Infinity, ...both)];
    this.#y = roomy(both, room, within);
  }

  /** The curve over the whole picture, as it would be for a feature that holds still. */
  #path(): string {
    const points: string[] = [];
    const steps = Math.round((this.width - LEFT - RIGHT) / 2);
    for (let i = 0; i <= steps; i++) {
      const value = this.#x[0] + ((this.#x[1] - this.#x[0]) * i) / steps;
      const y = this.#inside(this.#py(this.#still(value)), TOP - 6, HEIGHT - BOTTOM + 6);
      points.push(`${i ? "L" : "M"}${this.#px(value).toFixed(1)} ${y.toFixed(1)}`);
    }
    return points.join(" ");
  }

  #still(value: number): number {
    return shape(this.route, motion({ ...this.route, one_euro: null, spring: null })(normal(this.route, value), 0));
  }

  // --- live -----------------------------------------------------------------------------------------------------------

  #move(meters: Meters): void {
    if (!this.dot || !this.route) return;
    const value = this.#turned(trace(this.route.feature).now);
    const known = Number.isFinite(value);
    if (known && !this.#held && (value < this.#x[0] || value > this.#x[1])) this.requestUpdate();
    const x = this.#inside(this.#px(value), this.#px(this.#x[0]), this.#px(this.#x[1]));
    const y = this.#inside(this.#py(this.#still(value)), TOP, HEIGHT - BOTTOM);
    this.dot.style.visibility = known ? "visible" : "hidden";
    const [left, top] = [this.#px(this.#x[0]) - ROUND, this.#py(this.#y[1]) - ROUND];
    if (known) this.dot.style.transform = `translate(${(x - left).toFixed(1)}px, ${(y - top).toFixed(1)}px)`;
    const played = meters.numbers[this.place];
    const out = this.out!;
    out.style.visibility = played === undefined ? "hidden" : "visible";
    if (played === undefined) return;
    const to = this.#inside(this.#py(played), TOP - 6, HEIGHT - BOTTOM + 6);
    out.style.transform = `translateY(${to.toFixed(1)}px)`;
    if (legible() || !out.textContent) out.firstElementChild!.textContent = short(played);
  }

  /** A circular feature, in the turn that has the route's range in its middle. */
  #turned(value: number): number {
    const { circular, in_low, in_high } = this.route;
    if (!circular) return value;
    const start = (in_low + in_high - circular) / 2;
    return start + (((value - start) % circular) + circular) % circular;
  }

  // --- by hand --------------------------------------------------------------------------------------------------------

  #press = (event: PointerEvent) => {
    const target = event.target as Element;
    const side = target.getAttribute("data-side");
    const end = target.closest("[data-end]")?.getAttribute("data-end") as End | null;
    const held = end ?? (side ? this.#nearest(side, event) : null);
    if (!held || event.button !== 0) return;
    event.preventDefault();
    this.#held = held;
    this.picture.setPointerCapture(event.pointerId);
    this.renderRoot.querySelector<SVGElement>(`[data-end=${held}]`)?.focus({ preventScroll: true });
    const follow = (moved: PointerEvent) => this.#pull(held, moved);
    const release = () => {
      this.picture.removeEventListener("pointermove", follow);
      this.picture.removeEventListener("pointerup", release);
      this.picture.removeEventListener("pointercancel", release);
      this.#held = null;
      this.requestUpdate();
      this.dispatchEvent(new CustomEvent("settled"));
    };
    this.picture.addEventListener("pointermove", follow);
    this.picture.addEventListener("pointerup", release);
    this.picture.addEventListener("pointercancel", release);
    if (!end) this.#pull(held, event);
  };

  #at(event: PointerEvent): [number, number] {
    const box = this.picture.getBoundingClientRect();
    return [((event.clientX - box.left) * this.width) / box.width, event.clientY - box.top];
  }

  #nearest(side: string, event: PointerEvent): End {
    const [x, y] = this.#at(event);
    const far = (end: End) =>
      side === "x" ? Math.abs(this.#px(this.route[end]) - x) : Math.abs(this.#py(this.route[end]) - y);
    const [a, b]: [End, End] = side === "x" ? ["in_low", "in_high"] : ["low", "high"];
    return far(a) <= far(b) ? a : b;
  }

  #pull(end: End, event: PointerEvent): void {
    const [x, y] = this.#at(event);
    const sideways = end === "in_low" || end === "in_high";
    const span = sideways ? this.#x : this.#y;
    const size = sideways ? this.width - LEFT - RIGHT : HEIGHT - TOP - BOTTOM;
    const part = sideways ? (x - LEFT) / size : (HEIGHT - BOTTOM - y) / size;
    const value = span[0] + (span[1] - span[0]) * Math.min(Math.max(part, -0.5), 1.5);
    this.#give(end, value);
  }

  #key = (event: KeyboardEvent) => {
    const end = (event.currentTarget as Element).getAttribute("data-end") as End;
    const span = end === "in_low" || end === "in_high" ? this.#x : this.#y;
    const by = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    this.#give(end, this.route[end] + by * (event.shiftKey ? 10 : 1) * ((span[1] - span[0]) / 100));
  };

  #give(end: End, value: number): void {
    const [low, high] = this.bounds;
    if (end === "low" || end === "high") value = Math.min(Math.max(value, low ?? -Infinity), high ?? Infinity);
    const other = { in_low: "in_high", in_high: "in_low" }[end as string] as End | undefined;
    const span = this.#x[1] - this.#x[0];
    if (other && Math.abs(value - this.route[other]) < span / 200) return; // a range needs two ends
    const digits = 10 ** Math.ceil(3 - Math.log10(end.startsWith("in") ? span : this.#y[1] - this.#y[0]));
    this.dispatchEvent(new CustomEvent("end", { detail: { name: end, value: Math.round(value * digits) / digits } }));
  }
}

/** From the smallest to the largest with room on both sides, but not beyond `within`. */
function roomy(values: number[], room: number, within: Span | null): Span {
  let [low, high] = [Math.min(...values) - room, Math.max(...values) + room];
  if (within) [low, high] = [Math.max(low, within[0]), Math.min(high, within[1])];
  return high - low > 1e-9 ? [low, high] : [low - 0.5, high + 0.5];
}
