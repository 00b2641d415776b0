/** The morph pad: looks lie on a square, and a light among them mixes what is near. */

import { LitElement, css, html, nothing, svg } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import { ref } from "lit/directives/ref.js";
import { repeat } from "lit/directives/repeat.js";
import { Follows, pictureOf } from "../link.ts";
import type { Snapshot } from "../protocol.ts";
import { type Load, receives } from "../routes/drag.ts";
import { sign } from "../signs.ts";
import { theme } from "../theme.ts";
import { type Point, ring, weights } from "./weights.ts";

const MOST = 12; // looks on the pad
const STEP = 0.02; // of an arrow key
const KEPT = "kinesphere.pad"; // what the stage has not been told yet, this browser keeps
const MINE = 600; // ms in which this hand's last move counts more than what the stage tells of it
const AROUND = 2 * Math.PI * 26; // length of a look's ring

interface Board {
  points: Point[];
  at: [number, number];
}

@customElement("ks-morph-pad")
export class MorphPad extends LitElement {
  @state() private board: Board = remembered();
  @state() private over = false;
  @state() private held: string | null = null; // the look under the hand; "" is the light
  @query(".field") private field!: HTMLElement;
  #stage = new Follows(this, ["looks"]);
  #told: Board | null = null; // by the stage, last
  #moved = -MINE; // when this hand moved something last, ms

  static override styles = [
    theme,
    css`
      :host {
        display: block;
      }
      .field {
        position: relative;
        width: 100%;
        max-width: 460px;
        margin: 0 auto;
        aspect-ratio: 1;
        border-radius: 18px;
        border: 1px solid var(--line);
        background: radial-gradient(circle at 50% 50%, #1a1d23, var(--ground) 75%);
        touch-action: none;
        user-select: none;
        -webkit-user-select: none;
        cursor: crosshair;
      }
      .field:has(.empty) {
        touch-action: pan-y;
      }
      .field.over {
        border-color: var(--live);
        box-shadow: 0 0 0 2px var(--live-dim);
      }
      svg.threads {
        position: absolute;
        inset: 0;
        width: 100%;
        height: 100%;
        pointer-events: none;
      }
      .threads line {
        stroke: var(--live);
        stroke-width: 1.5;
        vector-effect: non-scaling-stroke;
      }
      .point {
        position: absolute;
        width: 60px;
        height: 60px;
        min-height: 0;
        margin: -30px 0 0 -30px;
        padding: 0;
        border: 0;
        border-radius: 50%;
        background: none;
        cursor: grab;
        touch-action: none;
      }
      .point:hover:not(:disabled),
      .point:active:not(:disabled) {
        background: none;
      }
      .point img,
      .point .none {
        width: 46px;
        height: 46px;
        border-radius: 50%;
        object-fit: cover;
        pointer-events: none;
        background: var(--higher);
        box-shadow: 0 4px 14px #000a;
      }
      .point svg {
        position: absolute;
        inset: 0;
        width: 60px;
        height: 60px;
        transform: rotate(-90deg);
        overflow: visible;
        pointer-events: none;
      }
      .point circle {
        fill: none;
        stroke: var(--line);
        stroke-width: 3;
      }
      .point .share {
        stroke: var(--live);
        stroke-linecap: round;
      }
      .point b {
        position: absolute;
        top: 62px;
        max-width: 96px;
        padding: 0 5px;
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
        font-size: 12px;
        font-weight: 500;
        line-height: 1.2;
        color: var(--quiet);
        text-shadow: 0 1px 3px #000;
        pointer-events: none;
      }
      @container panel (max-width: 420px) {
        .field {
          width: calc(100% - 56px); /* a finger beside it scrolls */
        }
      }
      .point:focus-visible {
        outline-offset: -2px;
      }
      .light {
        position: absolute;
        width: 44px;
        height: 44px;
        margin: -22px 0 0 -22px;
        border-radius: 50%;
        cursor: grab;
        touch-action: none;
        background: radial-gradient(circle, #fff 0 7px, #ffffff50 8px, #ffffff18 14px, transparent 70%);
      }
      .light::after {
        content: "";
        position: absolute;
        inset: 9px;
        border-radius: 50%;
        border: 1.5px solid #ffffffa0;
      }
      .empty {
        position: absolute;
        inset: 0;
        display: grid;
        place-content: center;
        justify-items: center;
        gap: 14px;
        padding: 24px;
        text-align: center;
        color: var(--quiet);
        cursor: default;
      }
      .below {
        display: flex;
        justify-content: space-between;
        align-items: center;
        gap: 8px;
        max-width: 460px;
        margin: 6px auto 0;
        min-height: 40px;
        font-size: 13px;
        color: var(--quiet);
      }
    `,
  ];

  /** Lay a look on the pad; by itself it finds a free place. */
  place(id: string, x?: number, y?: number): void {
    const others = this.#points().filter((point) => point.id !== id);
    if (others.length >= MOST) return;
    const [px, py] = x === undefined || y === undefined ? free(others) : [inside(x), inside(y)];
    this.#lay({ ...this.board, points: [...others, { id, x: px, y: py }] });
  }

  has(id: string): boolean {
    return this.#points().some((point) => point.id === id);
  }

  /** Where the stage says that everything lies: another page may have moved it, or this one was reloaded. */
  protected override willUpdate(): void {
    const kept = this.#stage.link.state.looks.pad;
    if (!kept || kept === this.#told || this.held !== null || performance.now() - this.#moved < MINE) return;
    this.#told = kept;
    this.board = { points: kept.points, at: kept.at };
  }

  /** Those of the points whose look is still kept. */
  #points(): Point[] {
    const known = new Set(this.#stage.link.state.looks.snapshots.map((look) => look.id));
    return this.board.points.filter((point) => known.has(point.id));
  }

  protected override render() {
    const points = this.#points();
    const [x, y] = this.board.at;
    const shares = weights(points, this.board.at);
    const looks = new Map(this.#stage.link.state.looks.snapshots.map((look) => [look.id, look]));
    const target = {
      refuses: (load: Load) => (load.what === "look" ? "" : "The pad is for looks."),
      over: (load: Load | null) => (this.over = !!load),
      drop: (load: Load, px: number, py: number) => this.place(load.name, ...this.#at(px, py)),
    };
    const most = shares.indexOf(Math.max(...shares));
    return html`<div
        class="field ${this.over ? "over" : ""}"
        ${ref((element) => receives(element, target))}
        @pointerdown=${(event: PointerEvent) => points.length > 1 && this.#take("", event)}
      >
        <svg class="threads" viewBox="0 0 1 1" preserveAspectRatio="none" aria-hidden="true">
          ${points.length > 1
            ? points.map((p, i) => svg`<line x1=${x} y1=${y} x2=${p.x} y2=${p.y} opacity=${(0.08 + 0.8 * shares[i]!).toFixed(2)}></line>`)
            : nothing}
        </svg>
        ${points.length < 2 ? this.#empty(points) : nothing}
        ${repeat(
          points,
          (point) => point.id,
          (point, i) => this.#look(point, looks.get(point.id)!, points.length > 1 ? shares[i]! : 0),
        )}
        ${points.length > 1
          ? html`<div
              class="light"
              role="slider"
              tabindex="0"
              aria-label="The light between the looks"
              aria-valuenow=${Math.round(100 * (shares[most] ?? 0))}
              aria-valuetext=${points.map((p, i) => `${looks.get(p.id)!.name} ${Math.round(100 * shares[i]!)} %`).join(", ")}
              .style=${`left:${100 * x}%;top:${100 * y}%`}
              @pointerdown=${(event: PointerEvent) => this.#take("", event)}
              @keydown=${this.#lightKey}
            ></div>`
          : nothing}
      </div>
      ${points.length > 1
        ? html`<div class="below">
            <span>Move the light. Drag a look off the pad to take it away.</span>
            <button class="bare" @click=${() => this.#lay({ ...this.board, points: [] }, false)}>Clear</button>
          </div>`
        : nothing}`;
  }

  #empty(points: Point[]) {
    const kept = this.#stage.link.state.looks.snapshots;
    return html`<div class="empty" @pointerdown=${(event: Event) => event.stopPropagation()}>
      ${kept.length < 2
        ? html`<p>Keep two looks or more; then drag them here and wander between them.</p>`
        : html`<p>${points.length ? "One more look: drag it here too." : "Drag looks here and wander between them."}</p>
            <button @click=${() => this.#lay({ points: ring(kept.slice(-6).map((look) => look.id)), at: [0.5, 0.5] }, false)}>
              ${sign("plus")} Lay them out for me
            </button>`}
    </div>`;
  }

  #look(point: Point, look: Snapshot, share: number) {
    const off = this.held === point.id && !within(point);
    return html`<button
      class="point"
      aria-label="${look.name}, ${Math.round(100 * share)} percent. Arrows move it, Delete takes it off the pad."
      .style=${`left:${100 * point.x}%;top:${100 * point.y}%;opacity:${off ? 0.4 : 1}`}
      @pointerdown=${(event: PointerEvent) => this.#take(point.id, event)}
      @keydown=${(event: KeyboardEvent) => this.#pointKey(point, event)}
    >
      <img src=${pictureOf(look)} alt="" draggable="false" />
      <svg viewBox="0 0 60 60" aria-hidden="true">
        ${svg`<circle cx="30" cy="30" r="26"></circle>
          <circle class="share" cx="30" cy="30" r="26" stroke-dasharray="${(share * AROUND).toFixed(1)} 200"
            opacity=${share > 0.004 ? 1 : 0}></circle>`}
      </svg>
      <b>${look.name}</b>
    </button>`;
  }

  // --- by hand --------------------------------------------------------------------------------------------------------

  #at(px: number, py: number): [number, number] {
    const box = this.field.getBoundingClientRect();
    return [(px - box.left) / box.width, (py - box.top) / box.height];
  }

  /** Hold a look, or ("") the light, until it is let go. */
  #take(what: string, event: PointerEvent): void {
    if (event.button !== 0 || this.held !== null) return;
    event.stopPropagation();
    const target = event.currentTarget as HTMLElement;
    this.held = what;
    target.setPointerCapture(event.pointerId);
    const follow = (moved: PointerEvent) => {
      const [x, y] = this.#at(moved.clientX, moved.clientY);
      if (what) this.#move(what, x, y);
      else this.#lay({ ...this.board, at: [inside(x), inside(y)] });
    };
    const ended = new AbortController();
    const release = () => {
      ended.abort();
      this.held = null;
      const point = this.board.points.find((p) => p.id === what);
      if (point && !within(point)) this.#remove(what);
    };
    target.addEventListener("pointermove", follow, { signal: ended.signal });
    target.addEventListener("pointerup", release, { signal: ended.signal });
    target.addEventListener("pointercancel", release, { signal: ended.signal });
    if (!what) follow(event);
  }

  #move(id: string, x: number, y: number): void {
    const points = this.board.points.map((point) => (point.id === id ? { id, x, y } : point));
    this.#lay({ ...this.board, points });
  }

  #remove(id: string): void {
    this.#lay({ ...this.board, points: this.board.points.filter((point) => point.id !== id) });
  }

  #pointKey(point: Point, event: KeyboardEvent): void {
    if (event.key === "Delete" || event.key === "Backspace") this.#remove(point.id);
    else {
      const by = arrow(event);
      if (!by) return;
      this.#move(point.id, inside(point.x + by[0]), inside(point.y + by[1]));
    }
    event.preventDefault();
    event.stopPropagation();
  }

  #lightKey = (event: KeyboardEvent) => {
    const by = arrow(event);
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    const [x, y] = this.board.at;
    this.#lay({ ...this.board, at: [inside(x + by[0]), inside(y + by[1])] });
  };

  // --- to the stage -----------------------------------------------------------------------------------------------------

  #lay(board: Board, plays = true): void {
    this.board = board;
    this.#moved = performance.now();
    localStorage.setItem(KEPT, JSON.stringify(board));
    if (plays) this.#send();
  }

  #send(): void {
    const points = this.#points().filter(within);
    if (points.length > 1) this.#stage.link.steady("pad", { points, at: this.board.at });
  }
}

const inside = (v: number): number => Math.round(1e4 * Math.min(Math.max(v, 0), 1)) / 1e4;
const within = (p: Point): boolean => p.x >= 0 && p.x <= 1 && p.y >= 0 && p.y <= 1;

function arrow(event: KeyboardEvent): [number, number] | null {
  const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  return by ? [by[0]! * STEP * (event.shiftKey ? 5 : 1), by[1]! * STEP * (event.shiftKey ? 5 : 1)] : null;
}

/** The place that is farthest from all that lie there. */
function free(points: Point[]): [number, number] {
  let best: [number, number] = [0.5, 0.2];
  let most = -1;
  for (let i = 0; i < 49; i++) {
    const [x, y] = [0.14 + 0.12 * (i % 7), 0.14 + 0.12 * Math.floor(i / 7)];
    const near = Math.min(...points.map((p) => Math.hypot(p.x - x, p.y - y)), Math.hypot(0.5 - x, 0.5 - y) + 0.1);
    if (near > most) [most, best] = [near, [x, y]];
  }
  return best;
}

function remembered(): Board {
  try {
    const board = JSON.parse(localStorage.getItem(KEPT) ?? "") as Board;
    const sound = Array.isArray(board.points) && board.points.every((p) => typeof p.id === "string" && within(p));
    if (sound && board.at.length === 2 && board.at.every((v) => v >= 0 && v <= 1)) return board;
  } catch {
    // nothing was kept, or it is from another time
  }
  return { points: [], at: [0.5, 0.5] };
}
