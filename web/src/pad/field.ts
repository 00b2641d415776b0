/** A field for fingers: where the first one is says what is played; a second one, by its distance, how far (psi). */

import { LitElement, css, html } from "lit";
import { customElement, property } from "lit/decorators.js";
import { Follows, pictureOf } from "../link.ts";
import { clamp } from "../ranges.ts";
import { theme } from "../theme.ts";

export type Way = "looks" | "seeds";

export interface Point {
  id: string;
  x: number;
  y: number;
}

const MOST = 8; // looks on the field
const PSI = { low: 0, high: 1.5 };

/** So many points on an oval round the middle, the first at the top. */
export function round(ids: string[]): Point[] {
  return ids.map((id, i) => {
    const turn = (i / ids.length) * 2 * Math.PI - Math.PI / 2;
    const far = ids.length === 2 ? 0.32 : 0.37;
    return { id, x: 0.5 + far * Math.cos(turn), y: 0.5 + far * Math.sin(turn) };
  });
}

/** Seeds in the four corners, each as strong as it is near: [[seed, weight], ...], the weights make 1. */
export function corners(seeds: number[], x: number, y: number): [number, number][] {
  const weights = [(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y];
  return seeds.slice(0, 4).map((seed, i) => [seed, Math.round(weights[i]! * 1e4) / 1e4]);
}

@customElement("ks-field")
export class Field extends LitElement {
  @property() way: Way = "looks";
  @property({ attribute: false }) seeds: number[] = [];
  #stage = new Follows(this, ["looks", "patch", "connection"]);
  #fingers = new Map<number, { x: number; y: number }>();
  #pinch: { apart: number; psi: number } | null = null;
  at: { x: number; y: number } = { x: 0.5, y: 0.5 };

  static override styles = [
    theme,
    css`
      :host {
        display: block;
        position: relative;
        overflow: hidden;
        border-radius: 18px;
        background: radial-gradient(circle at 50% 45%, #1b1f26, #101216 75%);
        box-shadow: inset 0 0 0 1px var(--line);
        touch-action: none;
        user-select: none;
        -webkit-user-select: none;
        -webkit-touch-callout: none;
        cursor: crosshair;
      }
      .point {
        position: absolute;
        width: 76px;
        margin: -38px 0 0 -38px;
        text-align: center;
        pointer-events: none;
        font-size: 12px;
        line-height: 1.2;
        color: var(--quiet);
      }
      .point img {
        display: block;
        width: 56px;
        height: 56px;
        margin: 0 auto 3px;
        border-radius: 50%;
        object-fit: cover;
        background: var(--higher);
        box-shadow: 0 0 0 2px var(--line);
      }
      .corner {
        position: absolute;
        padding: 14px 16px;
        pointer-events: none;
        color: var(--quiet);
        font-variant-numeric: tabular-nums;
      }
      .here {
        position: absolute;
        width: 54px;
        height: 54px;
        margin: -27px;
        border-radius: 50%;
        border: 2px solid var(--live);
        background: radial-gradient(circle, #f4b26666, #f4b26611);
        pointer-events: none;
      }
      .finger {
        position: absolute;
        width: 90px;
        height: 90px;
        margin: -45px;
        border-radius: 50%;
        border: 1.5px solid #ffffff59;
        pointer-events: none;
      }
      p {
        position: absolute;
        left: 0;
        right: 0;
        top: 50%;
        transform: translateY(-50%);
        padding: 0 32px;
        text-align: center;
        color: var(--quiet);
        pointer-events: none;
      }
      .hint {
        top: auto;
        bottom: 8px;
        transform: none;
        font-size: 12px;
      }
    `,
  ];

  private get points(): Point[] {
    return round(this.#stage.link.state.looks.snapshots.slice(0, MOST).map((snapshot) => snapshot.id));
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.addEventListener("pointerdown", this.#down);
    this.addEventListener("pointermove", this.#move);
    for (const end of ["pointerup", "pointercancel"] as const) this.addEventListener(end, this.#up);
    this.addEventListener("keydown", this.#key);
    this.tabIndex = 0;
    this.setAttribute("role", "application");
  }

  override render() {
    const { snapshots } = this.#stage.link.state.looks;
    const looks = this.way === "looks";
    const points = looks ? this.points : [];
    const place = (x: number, y: number) => `left:${x * 100}%;top:${y * 100}%`;
    this.ariaLabel = looks ? "Field of looks: arrows move" : "Field of seeds: arrows move";
    const CORNERS = ["left:0;top:0", "right:0;top:0", "left:0;bottom:0", "right:0;bottom:0"];
    return html`
      ${looks && points.length < 2
        ? html`<p>Keep two looks or more (the button Keep), and your finger plays between them.</p>`
        : html`
            ${points.map(({ id, x, y }) => {
              const snapshot = snapshots.find((one) => one.id === id)!;
              return html`<div class="point" .style=${place(x, y)}>
                <img src=${pictureOf(snapshot)} alt="" />${snapshot.name}
              </div>`;
            })}
            ${looks
              ? ""
              : this.seeds.slice(0, 4).map((seed, i) => html`<span class="corner" .style=${CORNERS[i]!}>${seed}</span>`)}
            <div class="here" .style=${place(this.at.x, this.at.y)}></div>
            <p class="hint">one finger plays, a second makes it bolder</p>
          `}
      ${[...this.#fingers.values()].map(({ x, y }) => html`<div class="finger" .style=${place(x, y)}></div>`)}
    `;
  }

  /** Play at a place of the field, 0 to 1 each way. */
  play(x: number, y: number): void {
    this.at = { x: clamp(x, 0, 1), y: clamp(y, 0, 1) };
    const { link } = this.#stage;
    if (this.way === "seeds") {
      const mix = corners(this.seeds, this.at.x, this.at.y);
      if (mix.length === 4) link.change({ "latent.mix": mix });
    } else if (this.points.length > 1) {
      link.steady("pad", { points: this.points, at: [this.at.x, this.at.y] });
    }
    this.requestUpdate();
  }

  #where(event: PointerEvent): { x: number; y: number } {
    const box = this.getBoundingClientRect();
    return {
      x: clamp((event.clientX - box.left) / box.width, 0, 1),
      y: clamp((event.clientY - box.top) / box.height, 0, 1),
    };
  }

  #apart(): number {
    const [a, b] = [...this.#fingers.values()];
    return a && b ? Math.hypot(a.x - b.x, a.y - b.y) : 0;
  }

  #down = (event: PointerEvent) => {
    this.setPointerCapture(event.pointerId);
    this.#fingers.set(event.pointerId, this.#where(event));
    if (this.#fingers.size === 1) {
      const { x, y } = this.#where(event);
      this.play(x, y);
    } else if (this.#fingers.size === 2) {
      this.#pinch = { apart: this.#apart(), psi: this.#stage.link.played("latent.psi") ?? 0.7 };
    }
    this.requestUpdate();
  };

  #move = (event: PointerEvent) => {
    if (!this.#fingers.has(event.pointerId)) return;
    this.#fingers.set(event.pointerId, this.#where(event));
    const first = this.#fingers.keys().next().value;
    if (event.pointerId === first) {
      const { x, y } = this.#where(event);
      this.play(x, y);
    }
    // what a route drives stays the route's
    if (this.#pinch && this.#fingers.size === 2 && typeof this.#stage.link.value("latent.psi") === "number") {
      const psi = clamp(this.#pinch.psi + (this.#apart() - this.#pinch.apart) * 1.5, PSI.low, PSI.high);
      this.#stage.link.change({ "latent.psi": Math.round(psi * 1000) / 1000 });
    }
    this.requestUpdate();
  };

  #up = (event: PointerEvent) => {
    this.#fingers.delete(event.pointerId);
    this.#pinch = null;
    this.requestUpdate();
  };

  #key = (event: KeyboardEvent) => {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!way) return;
    event.preventDefault();
    this.play(this.at.x + way[0]! * 0.02, this.at.y + way[1]! * 0.02);
  };
}
