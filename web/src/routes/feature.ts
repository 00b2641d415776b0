/** A feature as a live meter that can be picked up: a number with its last seconds, or the first numbers of a latent. */

import { LitElement, css, html } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { now, station, within } from "../felt.ts";
import { Follows } from "../link.ts";
import type { Meters } from "../protocol.ts";
import { theme } from "../theme.ts";
import { type Load, lift } from "./drag.ts";
import { Live, SECONDS, hue, legible, seen, short, trace } from "./trace.ts";

const MOST = 32; // numbers of a latent that are shown

/**
 * <ks-feature name="light" vector .plays=${["psi"]}>. Event "pick": it is to be connected from a list. One number of several,
 * "hand.angle", is a small one, with its own name only.
 */
@customElement("ks-feature")
export class FeatureMeter extends LitElement {
  @property() name = "";
  @property() kind = "";
  @property({ type: Boolean }) vector = false;
  /** What it plays already, in words. */
  @property({ attribute: false }) plays: string[] = [];

  @state() private error = "";
  @query("canvas") private canvas!: HTMLCanvasElement;
  @query(".now") private digits!: HTMLElement;
  #stage = new Follows(this, ["patch"]);
  #width = 0; // of the canvas, known without asking the layout 15 times a second
  #watch = new ResizeObserver(([entry]) => {
    this.#width = entry!.contentRect.width;
    this.#draw(this.#stage.link.meters);
  });

  constructor() {
    super();
    new Live(this, (meters) => this.#draw(meters));
  }

  static override styles = [
    theme,
    css`
      :host {
        display: block;
        min-width: 0;
        contain: layout;
      }
      .tile {
        display: grid;
        grid-template: auto 44px auto / 1fr auto;
        gap: 2px 8px;
        width: 100%;
        min-height: 96px;
        padding: 8px 12px 9px;
        text-align: left;
        align-items: baseline;
        background: var(--raised);
        border: 1px solid var(--line);
        border-radius: 12px;
        cursor: grab;
        touch-action: pan-y;
        -webkit-touch-callout: none;
      }
      .small {
        grid-template: auto 22px / 1fr auto;
        min-height: 56px;
        padding: 6px 10px 7px;
      }
      .small .name {
        font-weight: 400;
        font-size: 13px;
      }
      .small .name i {
        width: 6px;
        height: 6px;
        margin-right: 6px;
      }
      .small .name i:not(.plays) {
        display: none;
      }
      .small canvas {
        height: 22px;
      }
      .tile:hover {
        border-color: var(--edge);
      }
      .name {
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
        font-weight: 600;
      }
      .name i {
        display: inline-block;
        width: 8px;
        height: 8px;
        margin-right: 8px;
        border-radius: 50%;
      }
      .now {
        font-size: 13px;
        color: var(--ink);
        font-variant-numeric: tabular-nums;
      }
      canvas {
        grid-column: 1 / -1;
        width: 100%;
        height: 44px;
        display: block;
      }
      .note {
        grid-column: 1 / -1;
        font-size: 12px;
        color: var(--quiet);
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .note.bad {
        color: var(--bad);
      }
    `,
  ];

  protected override firstUpdated(): void {
    this.#watch.observe(this.canvas);
  }

  protected override render() {
    const colour = hue(this.name);
    const small = within(this.name);
    const what = this.vector ? "a whole picture's worth of numbers" : "one number";
    return html`<button
      class="tile ${small ? "small" : ""}"
      aria-label="${this.name}: ${what}. ${this.#note()} Press Enter to choose what it plays."
      title=${small ? `${this.#note()}: drag it onto what it should play` : "Drag it onto what it should play"}
      @pointerdown=${this.#press}
      @click=${(event: MouseEvent) => event.detail === 0 && this.#pick()}
    >
      <span class="name"
        ><i class=${this.plays.length ? "plays" : ""} .style=${`background:${colour}`}></i>${small || this.name}</span
      >
      <span class="now"></span>
      <canvas></canvas>
      ${small ? "" : html`<span class="note ${this.error ? "bad" : ""}">${this.error || this.#note()}</span>`}
    </button>`;
  }

  #note(): string {
    return this.plays.length ? `plays ${this.plays.join(", ")}` : "plays nothing yet";
  }

  #press = (event: PointerEvent) => {
    const load: Load = { what: this.vector ? "latent" : "feature", name: this.name, label: this.name };
    lift(event, load, {
      ghost: () => chip(this.name),
      tap: () => this.#pick(),
      held: () => this.#pick(),
    });
  };

  #pick(): void {
    this.dispatchEvent(new CustomEvent("pick"));
  }

  // --- the picture ----------------------------------------------------------------------------------------------------

  #draw(meters: Meters): void {
    if (!this.canvas) return;
    const scale = devicePixelRatio || 1;
    const [width, height] = [Math.round(this.#width * scale), Math.round((within(this.name) ? 22 : 44) * scale)];
    if (!width) return;
    if (this.canvas.width !== width) [this.canvas.width, this.canvas.height] = [width, height];
    const context = this.canvas.getContext("2d")!;
    context.clearRect(0, 0, width, height);
    const value = now(meters.features, this.name);
    const stations = this.#stage.link.meters.stations;
    const error = (stations[`features.${station(this.name)}`] ?? stations[this.name])?.error;
    this.error = error ?? "";
    if (Array.isArray(value)) this.#strip(context, value, width, height);
    else this.#line(context, width, height, scale);
    if (!legible() && this.digits.textContent) return;
    this.digits.textContent = Array.isArray(value) ? "" : typeof value === "number" ? short(value) : within(this.name) ? "–" : "no value yet";
    this.digits.classList.toggle("quiet", typeof value !== "number");
  }

  /** Each number as a bar, up or down from the middle. */
  #strip(context: CanvasRenderingContext2D, values: number[], width: number, height: number): void {
    const count = Math.min(values.length, MOST);
    const step = width / count;
    const middle = height / 2;
    context.fillStyle = hue(this.name);
    for (let i = 0; i < count; i++) {
      const size = Math.min(Math.abs(values[i]!) / 2.5, 1); // a latent's numbers are seldom beyond 2.5
      const bar = Math.max(size * (middle - 2), 1);
      context.globalAlpha = 0.35 + 0.6 * size;
      context.fillRect(i * step + step * 0.14, values[i]! < 0 ? middle : middle - bar, step * 0.72, bar);
    }
    context.globalAlpha = 1;
  }

  /** The last seconds as a line, and now as a point at its end. */
  #line(context: CanvasRenderingContext2D, width: number, height: number, scale: number): void {
    const { values, now: last } = trace(this.name);
    const span = seen(this.name);
    context.fillStyle = "#ffffff14";
    context.fillRect(0, height - scale, width, scale);
    if (!span) return;
    const inUnit = span[0] >= 0 && span[1] <= 1;
    const own = within(this.name) ? this.#stage.link.state.felt[this.name] : undefined;
    const [low, high] = own
      ? [Math.min(own.low, span[0]), Math.max(own.high, span[1])]
      : inUnit
        ? [0, 1]
        : [span[0], Math.max(span[1], span[0] + 1e-6)];
    const end = width - 6 * scale;
    const top = 5 * scale;
    const x = (i: number) => end - ((values.length - 1 - i) * end) / (15 * SECONDS - 1);
    const y = (value: number) => height - scale - ((height - top - scale) * (value - low)) / (high - low);
    const colour = hue(this.name);
    const runs = new Path2D();
    const area = new Path2D();
    let from = -1;
    for (let i = 0; i <= values.length; i++) {
      const known = i < values.length && Number.isFinite(values[i]);
      if (known && from < 0) {
        from = i;
        runs.moveTo(x(i), y(values[i]!));
        area.moveTo(x(i), height);
        area.lineTo(x(i), y(values[i]!));
      } else if (known) {
        runs.lineTo(x(i), y(values[i]!));
        area.lineTo(x(i), y(values[i]!));
      } else if (from >= 0) {
        area.lineTo(x(i - 1), height);
        from = -1;
      }
    }
    context.fillStyle = colour;
    context.globalAlpha = 0.14;
    context.fill(area);
    context.globalAlpha = 0.9;
    context.lineWidth = 1.5 * scale;
    context.lineJoin = "round";
    context.strokeStyle = colour;
    context.stroke(runs);
    context.globalAlpha = 1;
    if (Number.isFinite(values.at(-1))) {
      context.beginPath();
      context.arc(end, y(last), 3.2 * scale, 0, 7);
      context.fill();
    }
  }
}

/** What hangs on the hand while a feature is carried. */
export function chip(name: string): HTMLElement {
  const element = document.createElement("div");
  element.textContent = name;
  const look: Record<string, string> = {
    "margin-top": "-38px", // above the finger: what it is held over stays in sight
    padding: "10px 18px",
    font: "600 15px/1 system-ui, sans-serif",
    color: "#14110c",
    background: hue(name),
    "border-radius": "99px",
    "box-shadow": "0 10px 34px rgb(0 0 0 / 55%)",
  };
  for (const [key, value] of Object.entries(look)) element.style.setProperty(key, value);
  return element;
}
