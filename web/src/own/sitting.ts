/** A picture on its way into the model: how near it is, how it goes, and what may be done with what is found. */

import { LitElement, css, html, nothing, svg } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { Follows, address } from "../link.ts";
import type { SittingState } from "../protocol.ts";
import { sign } from "../signs.ts";
import { theme } from "../theme.ts";
import { lowest, path } from "./curve.ts";
import { plain } from "./names.ts";

const STAGES: Record<string, string> = {
  preparing: "Getting the model ready…",
  search: "Looking around…",
  w: "Coming nearer…",
  rows: "Each row goes its own way…",
  noise: "The grain…",
  tune: "The model gives way a little…",
  found: "Found",
  stopped: "Stopped; this is what was found so far",
  failed: "It was not found",
};
const ENDED = ["found", "stopped", "failed"];
const METERS = [
  ["likeness", "Likeness", "How much of the picture is explained"],
  ["on_map", "On the map", "Whether it is where the model's own pictures are"],
  ["editable", "Editable", "Whether it moves as the model's own pictures do"],
] as const;

export function atWork(sitting: SittingState | null): boolean {
  return sitting !== null && !ENDED.includes(sitting.stage);
}

/** <ks-sitting .seconds .easing>: how what was found comes to be played. */
@customElement("ks-sitting")
export class Sitting extends LitElement {
  @property({ type: Number }) seconds = 2;
  @property() easing = "smoothstep";
  @state() private name = "";
  #stage = new Follows(this, ["own"]);
  #named = 0; // the sitting that the name is for

  static override styles = [
    theme,
    css`
      :host {
        display: grid;
        gap: 12px;
      }
      .views {
        display: grid;
        grid-template-columns: repeat(3, minmax(0, 1fr));
        gap: 8px;
      }
      figure {
        margin: 0;
        display: grid;
        gap: 5px;
      }
      .view {
        position: relative;
        aspect-ratio: 1;
        border-radius: 12px;
        overflow: hidden;
        background: var(--raised);
        box-shadow: inset 0 0 0 1px var(--line);
      }
      img {
        position: absolute;
        inset: 0;
        width: 100%;
        height: 100%;
      }
      figcaption {
        font-size: 12.5px;
        color: var(--quiet);
        text-align: center;
      }
      .state {
        display: flex;
        align-items: baseline;
        justify-content: space-between;
        gap: 12px;
      }
      .state b {
        font-weight: 600;
      }
      .bar {
        height: 6px;
        border-radius: 4px;
        background: var(--ground);
        overflow: hidden;
      }
      .bar i {
        display: block;
        height: 100%;
        background: var(--here);
        transform-origin: left;
        transition: transform 0.15s linear;
      }
      .how {
        display: grid;
        grid-template-columns: minmax(0, 1fr) minmax(0, 1fr);
        gap: 14px;
        align-items: center;
      }
      .curve {
        display: grid;
        grid-template: minmax(0, 1fr) auto / auto minmax(0, 1fr);
        gap: 4px 6px;
        font-size: 11.5px;
        color: var(--quiet);
      }
      .curve .ends {
        display: flex;
        flex-direction: column;
        justify-content: space-between;
        text-align: right;
      }
      .curve p {
        grid-column: 2;
      }
      .curve svg {
        width: 100%;
        height: 96px;
        border-radius: 8px;
        background: var(--ground);
      }
      .curve path {
        fill: none;
        stroke: var(--live);
        stroke-width: 2;
        vector-effect: non-scaling-stroke;
        stroke-linejoin: round;
      }
      .meters {
        display: grid;
        gap: 10px;
        align-content: center;
        font-size: 13px;
      }
      .meters .bar i {
        background: var(--good);
      }
      .meters div > span {
        display: flex;
        justify-content: space-between;
        margin-bottom: 3px;
      }
      .strange {
        padding: 10px 12px;
        border: 1px solid var(--live);
        border-radius: 12px;
        background: var(--live-dim);
      }
      .bad {
        color: var(--bad);
      }
      form {
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto auto;
        gap: 8px;
      }
      @container panel (max-width: 420px) {
        form {
          grid-template-columns: minmax(0, 1fr) minmax(0, 1fr);
        }
        form input {
          grid-column: 1 / -1;
        }
      }
      form button,
      form input,
      .stop {
        min-height: 44px;
      }
      form button {
        white-space: nowrap;
        padding: 0 0.7em;
      }
      .keep {
        border-color: var(--here);
        background: var(--here-dim);
        font-weight: 600;
      }
    `,
  ];

  protected override willUpdate(): void {
    const { sitting } = this.#stage.link.state.own;
    if (!sitting || sitting.number === this.#named) return;
    this.#named = sitting.number;
    this.name = plain(sitting.picture);
  }

  protected override render() {
    const { sitting } = this.#stage.link.state.own;
    if (!sitting) return nothing;
    const ended = !atWork(sitting);
    const share = sitting.of ? sitting.done / sitting.of : 0;
    return html`
      <div class="views">
        ${this.#view("goal", "Yours", sitting.stage !== "preparing" || sitting.looks > 0, sitting)}
        ${this.#view("found", "Found", sitting.looks > 0, sitting)}
        ${this.#view("difference", "Difference × 3", sitting.looks > 0, sitting)}
      </div>
      <div class="state" role="status">
        <b class=${sitting.stage === "failed" ? "bad" : ""}>${STAGES[sitting.stage] ?? sitting.stage}</b>
        <span class="quiet number">${sitting.of ? `${sitting.done} of ${sitting.of} steps` : ""}</span>
      </div>
      ${ended ? nothing : html`<div class="bar"><i .style=${`transform:scaleX(${share.toFixed(3)})`}></i></div>`}
      ${sitting.trouble ? html`<p class="bad">${sitting.trouble}</p>` : nothing}
      ${sitting.curve.length ? html`<div class="how">${this.#curve(sitting)}${this.#meters(sitting)}</div>` : nothing}
      ${sitting.meters?.strange
        ? html`<p class="strange">
            This picture is not of this model’s world. What was found may look near, but it will not move like the model’s own.
          </p>`
        : nothing}
      ${ended
        ? sitting.looks
          ? this.#keep()
          : nothing
        : html`<button class="stop" @click=${() => this.#stage.link.ask("project_stop")}>
            ${sign("stop")} Stop, and keep what is found so far
          </button>`}
    `;
  }

  #view(which: string, words: string, there: boolean, sitting: SittingState) {
    return html`<figure>
      <div class="view">
        ${there ? html`<img alt="" src=${address(`/api/own/${which}.jpg?n=${sitting.number}.${sitting.looks}`)} />` : nothing}
      </div>
      <figcaption>${words}</figcaption>
    </figure>`;
  }

  #curve({ curve, done, of }: SittingState) {
    const low = lowest(curve);
    return html`<div class="curve">
      <span class="ends" aria-hidden="true"><span>1</span><span>${low.toPrecision(1)}</span></span>
      <svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label="What is left of the difference, step by step">
        ${svg`<path d=${path(curve, done, of, low)}></path>`}
      </svg>
      <p>what is left: ${percent(curve.at(-1)!)}</p>
    </div>`;
  }

  #meters({ meters }: SittingState) {
    return html`<div class="meters">
      ${METERS.map(([key, name, about]) => {
        const value = meters?.[key] ?? 0;
        return html`<div title=${about}>
          <span><span>${name}</span><span class="quiet number">${meters ? value.toFixed(2) : ""}</span></span>
          <div class="bar" role="meter" aria-label=${name} aria-valuemin="0" aria-valuemax="1" aria-valuenow=${value.toFixed(2)}>
            <i .style=${`transform:scaleX(${value.toFixed(3)})`}></i>
          </div>
        </div>`;
      })}
    </div>`;
  }

  #keep() {
    return html`<form @submit=${this.#kept}>
      <input
        type="text"
        aria-label="Its name"
        maxlength="80"
        autocomplete="off"
        .value=${this.name}
        @input=${(event: Event) => (this.name = (event.target as HTMLInputElement).value)}
        @keydown=${(event: KeyboardEvent) => event.stopPropagation()}
      />
      <button ?disabled=${!this.name.trim()} value="keep">${sign("star")} Keep it</button>
      <button class="keep" ?disabled=${!this.name.trim()} value="play">${sign("play")} Keep and play</button>
    </form>`;
  }

  #kept = async (event: SubmitEvent) => {
    event.preventDefault();
    const { link } = this.#stage;
    const latent = this.name.trim();
    const plays = (event.submitter as HTMLButtonElement | null)?.value === "play";
    if ((await link.ask("keep_found", { name: latent })) && plays) {
      await link.ask("play_latent", { latent: latent.replace(/\s+/g, " "), seconds: this.seconds, easing: this.easing });
    }
  };
}

function percent(left: number): string {
  return `${Number((100 * left).toPrecision(2))} %`;
}
