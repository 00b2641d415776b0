/** What a filter does, as a small picture: a hand that moves and comes back, and what the parameter makes of it. */

import { LitElement, css, html, svg } from "lit";
import { customElement, property } from "lit/decorators.js";
import { type OneEuro, type Spring, envelope, oneEuro, spring } from "./curve.ts";

const WIDE = 120;
const HIGH = 48;
const POINTS = 160;

type Way = (x: number) => number; // time over the picture's span to the hand's place

const upAndDown: Way = (x) => (x > 0.08 && x < 0.55 ? 1 : 0);
/** At rest but trembling, then a quick move, then at rest again; the same tremble each time. */
const trembling: Way = (x) =>
  (x < 0.45 ? 0.25 : x > 0.55 ? 0.8 : 0.25 + 5.5 * (x - 0.45)) + 0.09 * Math.sin(x * 187) * Math.cos(x * 331 + 1);

export type Filter =
  | { kind: "envelope"; attack: number; release: number }
  | ({ kind: "one_euro" } & OneEuro)
  | ({ kind: "spring" } & Spring)
  | { kind: "circular"; turn: number | null }
  | { kind: "otherwise"; fade: number | null };

/** <ks-response .filter .on>: grey is the hand, the colour what follows it. */
@customElement("ks-response")
export class Response extends LitElement {
  @property({ attribute: false }) filter!: Filter;
  @property({ type: Boolean, reflect: true }) on = false;

  static override styles = css`
    :host {
      display: block;
    }
    svg {
      display: block;
      width: 100%;
      height: ${HIGH}px;
    }
    path,
    circle {
      fill: none;
      vector-effect: non-scaling-stroke;
      stroke-linejoin: round;
      stroke-linecap: round;
    }
    .hand {
      stroke: var(--quiet);
      stroke-width: 1;
      opacity: 0.5;
    }
    .made {
      stroke: var(--quiet);
      stroke-width: 1.75;
    }
    :host([on]) .made {
      stroke: var(--live);
    }
    text {
      font: 10px system-ui, sans-serif;
      fill: var(--quiet);
    }
  `;

  protected override render() {
    const { filter } = this;
    if (filter.kind === "circular") return this.#circle();
    if (filter.kind === "otherwise") return this.#lost(filter.fade);
    const way = filter.kind === "one_euro" ? trembling : upAndDown;
    const seconds = span(filter);
    const step =
      filter.kind === "envelope"
        ? envelope(filter.attack, filter.release)
        : filter.kind === "spring"
          ? spring(filter)
          : oneEuro(filter);
    const hand: number[] = [];
    const made: number[] = [];
    for (let i = 0; i < POINTS; i++) {
      const u = way(i / POINTS);
      hand.push(u);
      made.push(step(u, seconds / POINTS));
    }
    const low = Math.min(0, ...made);
    const high = Math.max(1, ...made);
    return html`<svg viewBox="0 0 ${WIDE} ${HIGH}" preserveAspectRatio="none" aria-hidden="true">
      ${svg`<path class="hand" d=${line(hand, low, high)}></path><path class="made" d=${line(made, low, high)}></path>`}
    </svg>`;
  }

  /** A hand that goes and comes back: what follows it waits, or fades to the bottom. */
  #lost(fade: number | null) {
    const [gone, back] = [0.3, 0.7]; // of the span, which is 6 fades long
    const way = (x: number) =>
      fade === null || x < gone ? 1 : x < back ? Math.exp(-6 * (x - gone)) : 1 - (1 - Math.exp(-6 * (back - gone))) * Math.exp(-6 * (x - back));
    const made = Array.from({ length: POINTS }, (_, i) => way(i / (POINTS - 1)));
    const hand = [0, gone, back, 1].map((x) => x * WIDE);
    return html`<svg viewBox="0 0 ${WIDE} ${HIGH}" preserveAspectRatio="none" aria-hidden="true">
      ${svg`<path class="hand" d="M${hand[0]} 8 H${hand[1]} M${hand[2]} 8 H${hand[3]}"></path>
        <path class="made" d=${line(made, -0.1, 1.1)}></path>`}
    </svg>`;
  }

  #circle() {
    return html`<svg viewBox="0 0 ${WIDE} ${HIGH}" aria-hidden="true">
      ${svg`<circle class="hand" cx="60" cy="24" r="18"></circle>
        <path class="made" d="M60 6 A18 18 0 1 1 42.6 19.3"></path>
        <path class="made" d="M38.4 23.6 L42.4 18.6 L47.2 22.8"></path>`}
    </svg>`;
  }
}

/** Seconds that the picture spans: long enough to see the filter settle. */
export function span(filter: Filter): number {
  switch (filter.kind) {
    case "envelope":
      return Math.max(0.5, 6 * Math.max(filter.attack, filter.release));
    case "spring":
      return Math.max(0.4, Math.min(5, 5 / filter.frequency));
    default:
      return 3;
  }
}

function line(values: number[], low: number, high: number): string {
  const y = (value: number) => (HIGH - 4 - ((HIGH - 8) * (value - low)) / (high - low)).toFixed(2);
  return values.map((value, i) => `${i ? "L" : "M"}${((WIDE * i) / (values.length - 1)).toFixed(2)} ${y(value)}`).join("");
}
