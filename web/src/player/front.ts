/** What is in front of the player: the picture, and beside it what moves it. */

import { LitElement, css, html } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { seen, sourceOf } from "../kinds.ts";
import { Follows } from "../link.ts";
import "../directions/brush.ts";
import "../directions/mark.ts";
import { type Marked, UNMARKED } from "../directions/marked.ts";
import { film } from "../looks/film.ts";
import "../picture.ts";
import type { Picture } from "../picture.ts";
import type { Header, Plain } from "../protocol.ts";
import { sign } from "../signs.ts";
import { theme } from "../theme.ts";
import "./overlay.ts";
import "./regions.ts";

const FLAT = 0.02; // boldness that no eye tells from none

/** Whether every row is drawn to the average picture, so that nothing that moves can show. A route may pass there. */
function flat(psi: Plain | undefined, cutoff: Plain | undefined): boolean {
  return typeof psi === "number" && Math.abs(psi) < FLAT && cutoff == null;
}

@customElement("ks-front")
export class Front extends LitElement {
  /** The source that the input view shows; the first where empty. */
  @property() source = "";
  /** The feature whose region is being drawn; "" while none is. */
  @property() region = "";
  /** What is marked on the picture that plays. */
  @property({ attribute: false }) marked: Marked = UNMARKED;
  @state() private shown = localStorage.getItem("kinesphere.input") !== "hidden";
  #stage = new Follows(this, ["patch", "kinds", "performance", "connection"]);

  static override styles = [
    theme,
    css`
      :host {
        display: block;
        position: relative;
        min-width: 0;
        min-height: 0;
        background: #000;
        overflow: hidden;
      }
      .picture {
        position: absolute;
        inset: 0;
      }
      .input {
        position: absolute;
        left: 16px;
        bottom: 16px;
        width: clamp(150px, 24%, 300px);
        border-radius: 12px;
        overflow: hidden;
        background: var(--panel);
        box-shadow: 0 0 0 1px var(--line), 0 10px 40px #000a;
        transition: width 0.2s;
      }
      .input.large {
        width: min(calc(100% - 32px), 860px);
        left: 50%;
        bottom: 50%;
        transform: translate(-50%, 50%);
        z-index: 3;
      }
      .input ks-picture {
        aspect-ratio: 4 / 3;
        width: 100%;
        max-height: 70vh;
      }
      .bar {
        display: flex;
        align-items: center;
        gap: 2px;
        padding: 3px 3px 3px 10px;
        font-size: 12.5px;
        min-height: 36px;
      }
      .bar span {
        flex: 1;
        min-width: 0;
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .bar select {
        flex: 1;
        min-height: 30px;
        border-color: transparent;
        background: none;
        padding-left: 0;
      }
      .bar button.icon {
        min-height: 30px;
        width: 32px;
      }
      .large .bar button {
        min-height: 36px;
      }
      .show {
        position: absolute;
        left: 16px;
        bottom: 16px;
      }
      .signs {
        position: absolute;
        top: 14px;
        left: 16px;
        display: flex;
        gap: 8px;
        flex-wrap: wrap;
      }
      .signs span {
        display: inline-flex;
        align-items: center;
        gap: 7px;
        padding: 5px 12px 5px 9px;
        border-radius: 99px;
        background: #000c;
        color: var(--ink);
        box-shadow: inset 0 0 0 1px #fff3;
      }
      .signs .recording {
        color: var(--bad);
      }
      @media (max-width: 720px) {
        .input:not(.large) {
          left: 8px;
          bottom: 8px;
          width: 112px;
        }
        .input:not(.large) .bar {
          display: none;
        }
        .input.large {
          width: calc(100% - 16px);
        }
        .input.large ks-picture {
          max-height: calc(36dvh - 68px);
        }
        .signs {
          left: 8px;
          top: 8px;
        }
        .show {
          left: 8px;
          bottom: 8px;
        }
      }
    `,
  ];

  override render() {
    const { link } = this.#stage;
    const { performance } = link.state;
    const names = seen(link.state);
    const source = names.includes(this.source) ? this.source : (names[0] ?? "");
    const editing = this.region !== "";
    const clock = (seconds: number) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
    return html`
      <ks-picture
        class="picture"
        label="What is played"
        waiting="The first picture is on its way…"
        @picture=${this.#keep}
        >${this.#tool()}</ks-picture
      >
      <div class="signs" role="status">
        ${performance.recording
          ? html`<span class="recording">${sign("record")}Recording ${clock(performance.recording.seconds)}</span>`
          : ""}
        ${performance.frozen ? html`<span>${sign("freeze")}Frozen</span>` : ""}
        ${performance.black ? html`<span>${sign("black")}Black</span>` : ""}
        ${performance.loading ? html`<span>Loading ${performance.loading}…</span>` : ""}
        ${performance.replaying ? html`<span>${sign("play")}Replaying ${performance.replaying}</span>` : ""}
        ${flat(link.value("latent.psi"), link.value("latent.cutoff"))
          ? html`<span>${sign("help")}Boldness 0: nothing leaves the average picture</span>`
          : ""}
      </div>
      ${!source || this.marked.tool
        ? ""
        : this.shown || editing
          ? html`<div class="input ${editing ? "large" : ""}" part="input">
              <ks-picture
                view="source:${source}"
                .most=${editing ? 960 : 480}
                label="What ${source} shows"
                waiting="${source} shows nothing yet"
                @picture=${this.#shape}
                @click=${() => matchMedia("(max-width: 720px)").matches && !editing && this.#edit("*")}
              >
                <ks-overlay .source=${source}></ks-overlay>
                <ks-regions .source=${source} ?editing=${editing} .chosen=${this.region}></ks-regions>
              </ks-picture>
              <div class="bar">
                ${names.length > 1
                  ? html`<select
                      aria-label="The source that is shown"
                      @change=${(event: Event) => (this.source = (event.target as HTMLSelectElement).value)}
                    >
                      ${names.map((name) => html`<option value=${name} .selected=${name === source}>${name}</option>`)}
                    </select>`
                  : html`<span>${editing ? "Drag what each feature looks at" : `Input: ${source}`}</span>`}
                ${editing
                  ? html`<button @click=${() => this.#edit("")}>Done</button>`
                  : html`<button
                        class="bare icon"
                        title="Draw what the features look at"
                        aria-label="Draw what the features look at"
                        @click=${() => this.#edit("*")}
                      >
                        ${sign("large")}
                      </button>
                      <button class="bare icon" title="Hide the input" aria-label="Hide the input" @click=${() => this.#show(false)}>
                        ${sign("close")}
                      </button>`}
              </div>
            </div>`
          : html`<button class="show" @click=${() => this.#show(true)}>${sign("camera")} Input</button>`}
    `;
  }

  override updated(changed: Map<string, unknown>): void {
    // a region that is asked for by its feature brings that feature's source
    if (!changed.has("region") || this.region === "" || this.region === "*") return;
    this.source = sourceOf(this.#stage.link.state, this.region);
  }

  /** For "that one, go back". */
  #keep(event: Event): void {
    const picture = event.currentTarget as Picture;
    void film.see((side) => picture.small(side));
  }

  #tool() {
    const { tool, region } = this.marked;
    if (tool === "brush") return html`<ks-brush .marked=${this.marked}></ks-brush>`;
    return tool === "box" ? html`<ks-mark .region=${region}></ks-mark>` : "";
  }

  /** The input view takes the shape of what it shows. */
  #shape(event: CustomEvent<Header>): void {
    const { width, height } = event.detail;
    const view = event.currentTarget as HTMLElement;
    if (width && height) view.style.aspectRatio = `${width} / ${height}`;
  }

  #show(shown: boolean): void {
    this.shown = shown;
    localStorage.setItem("kinesphere.input", shown ? "shown" : "hidden");
  }

  #edit(region: string): void {
    this.region = region;
    this.dispatchEvent(new CustomEvent("editing", { detail: region }));
  }
}
