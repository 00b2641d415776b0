/** The shelf: patches, models, takes, and the ways to other screens. */

import { LitElement, css, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import "../controls.ts";
import { Follows, address, stage } from "../link.ts";
import { sign } from "../signs.ts";
import { theme } from "../theme.ts";
import "./bin.ts";
import { arrived, bring } from "./bring.ts";
import "./drop.ts";
import type { Drop } from "./drop.ts";

const FADE_SECONDS = 0.5;

/** Play something from the shelf, and put the shelf away. */
function choose(event: Event, what: Record<string, unknown>): void {
  (event.currentTarget as HTMLElement).closest<Drop>("ks-drop")?.close();
  void stage().ask("play", what);
}

const shelf = css`
  :host {
    display: block;
    min-width: 0;
  }
  .said {
    display: flex;
    align-items: baseline;
    gap: 7px;
    min-width: 0;
    max-width: 190px;
  }
  .said b {
    overflow: hidden;
    text-overflow: ellipsis;
    white-space: nowrap;
    font-weight: 600;
  }
  .list {
    display: grid;
    gap: 4px;
  }
  .list button.item {
    display: block;
    text-align: left;
    padding: 8px 12px;
    border-color: transparent;
    min-width: 0;
  }
  .list button.item[aria-pressed="true"] {
    border-color: var(--here);
  }
  .item small {
    display: block;
    color: var(--quiet);
    font-size: 12.5px;
    line-height: 1.35;
  }
  form {
    display: flex;
    gap: 6px;
    margin-top: 10px;
  }
  form input {
    flex: 1;
    width: 0;
  }
  .row {
    display: flex;
    gap: 6px;
    align-items: center;
  }
  .row .item {
    flex: 1;
  }
  img {
    display: block;
    width: 100%;
    max-width: 230px;
    margin: 10px auto 0;
    background: #fff;
    border-radius: 10px;
    padding: 8px;
  }
  .file {
    position: relative;
    overflow: clip;
    margin-top: 10px;
    border: 1px dashed var(--edge);
    border-radius: var(--round);
    width: 100%;
  }
  .file:focus-within {
    outline: 2px solid var(--here);
    outline-offset: 2px;
  }
  .bad {
    color: var(--bad);
    white-space: pre-wrap;
    overflow-wrap: anywhere;
  }
  a.button {
    border: 1px solid var(--line);
    text-decoration: none;
    color: var(--ink);
    width: 100%;
  }
  h3 {
    margin: 14px 0 6px;
  }
  p {
    margin-top: 8px;
  }
  @media (max-width: 860px) {
    .said .quiet {
      display: none;
    }
    .said {
      max-width: 78px;
      font-size: 14px;
    }
  }
`;

/** A file of the player's own, chosen by hand. */
@customElement("ks-file")
export class FileButton extends LitElement {
  @property() label = "";
  @property() accept = "";
  @state() private coming = ""; // the file that is being handed over
  @state() private said = "";
  @state() private bad = false;

  static override styles = [theme, shelf];

  override render() {
    return html`<label class="button file"
        >${sign("plus")} ${this.coming ? `Reading ${this.coming}…` : this.label}
        <input class="unseen" type="file" accept=${this.accept || nothing} ?disabled=${!!this.coming} @change=${this.#bring}
      /></label>
      ${this.said ? html`<p class=${this.bad ? "bad" : "quiet"} role="status">${this.said}</p>` : ""}`;
  }

  async #bring(event: Event): Promise<void> {
    const field = event.target as HTMLInputElement;
    const file = field.files?.[0];
    if (!file) return;
    this.coming = file.name;
    this.said = "";
    const problem = await bring(file);
    this.bad = problem !== "";
    this.said = problem || arrived(file);
    this.coming = "";
    field.value = "";
  }
}

@customElement("ks-patches")
export class Patches extends LitElement {
  @state() private name = "";
  #stage = new Follows(this, ["patch", "library", "performance"]);

  static override styles = [theme, shelf];

  override render() {
    const { link } = this.#stage;
    const { patch, library } = link.state;
    return html`<ks-drop label="Patch: ${patch.name || "unnamed"}. A patch is a saved instrument.">
      <span slot="button" class="said"><span class="quiet">Patch</span><b>${patch.name || "unnamed"}</b></span>
      <div class="list">
        ${library.patches.map(
          ({ name, about, builtin }) =>
            html`<div class="row">
              <button
                class="item"
                aria-pressed=${name === patch.name}
                @click=${(event: Event) => choose(event, { patch: name, fade: FADE_SECONDS })}
              >
                ${name} ${builtin ? "" : html`<span class="quiet">· yours</span>`}<small>${about}</small>
              </button>
              ${builtin ? "" : html`<ks-bin shelf="patches" .name=${name}></ks-bin>`}
            </div>`,
        )}
      </div>
      <form
        @submit=${async (event: Event) => {
          event.preventDefault();
          if (this.name && (await link.ask("save_patch", { name: this.name }))) this.name = "";
        }}
      >
        <input
          type="text"
          aria-label="Save the instrument as it is now under this name"
          placeholder="Save it as it is now…"
          .value=${this.name}
          @input=${(event: Event) => (this.name = (event.target as HTMLInputElement).value)}
        />
        <button type="submit" ?disabled=${!this.name.trim()}>Save</button>
      </form>
      <ks-file label="Add a patch file" accept=".toml"></ks-file>
    </ks-drop>`;
  }
}

@customElement("ks-models")
export class Models extends LitElement {
  #stage = new Follows(this, ["model", "library", "performance"]);

  static override styles = [theme, shelf];

  override render() {
    const { link } = this.#stage;
    const { model, library, performance } = link.state;
    return html`<ks-drop label="Model: ${model.name}. A model makes the pictures.">
      <span slot="button" class="said"
        ><span class="quiet">Model</span><b>${performance.loading ? `${performance.loading}…` : model.name || "–"}</b></span
      >
      <div class="list">
        ${library.models.map(
          ({ name, own }) =>
            html`<div class="row">
              <button
                class="item"
                aria-pressed=${name === model.name}
                ?disabled=${!!performance.loading}
                @click=${(event: Event) => choose(event, { model: name, fade: FADE_SECONDS })}
              >
                ${name}
              </button>
              ${own ? html`<ks-bin shelf="models" .name=${name}></ks-bin>` : ""}
            </div>`,
        )}
      </div>
      <ks-file label="Add a model file"></ks-file>
      <p class="quiet">
        Now: ${model.family || "–"}, ${model.resolution} × ${model.resolution} pixels, ${model.num_ws} rows. The old one plays until
        the new one is ready.
      </p>
    </ks-drop>`;
  }
}

@customElement("ks-recorder")
export class RecorderButton extends LitElement {
  @state() private video = false;
  @state() private input = false;
  #stage = new Follows(this, ["performance", "library"]);

  static override styles = [
    theme,
    shelf,
    css`
      .both {
        display: flex;
      }
      .red {
        display: inline-flex;
        color: var(--bad);
      }
      .short {
        display: none;
      }
      @media (max-width: 860px) {
        .long {
          display: none;
        }
        .short {
          display: inline-flex;
          vertical-align: middle;
        }
      }
    `,
  ];

  override render() {
    const { link } = this.#stage;
    const { performance, library } = link.state;
    const on = !!performance.recording;
    return html`<div class="both">
      <button
        class=${on ? "bad" : "bare"}
        aria-pressed=${on}
        aria-label=${on ? "Stop recording" : "Record a take"}
        title=${on ? "Stop recording (R)" : "Record what you play, as data that plays again (R)"}
        @click=${() => this.toggle()}
      >
        <span class="red">${sign(on ? "stop" : "record")}</span><span class="long">${on ? "Stop" : "Record"}</span>
      </button>
      <ks-drop edge="right" label="Takes">
        <span slot="button"><span class="long">Takes</span><span class="short">${sign("more")}</span></span>
        <h3>When you record</h3>
        <ks-switch
          label="Film the picture as well"
          .value=${this.video}
          @edit=${(event: CustomEvent<boolean>) => (this.video = event.detail)}
        ></ks-switch>
        <ks-switch
          label="Film the input as well"
          help="So that features can be changed after the show."
          .value=${this.input}
          @edit=${(event: CustomEvent<boolean>) => (this.input = event.detail)}
        ></ks-switch>
        <h3>Takes</h3>
        <div class="list">
          ${library.takes.length ? "" : html`<p class="quiet">None yet. A take is a recorded performance: it plays again, live.</p>`}
          ${library.takes.map(
            ({ name, seconds }) =>
              html`<div class="row">
                <button
                  class="item"
                  aria-pressed=${performance.replaying === name}
                  @click=${() =>
                    void (performance.replaying === name ? link.ask("replay_stop") : link.ask("replay", { take: name }))}
                >
                  ${name} <span class="quiet number">· ${Math.round(seconds)} s</span>
                  <small>${performance.replaying === name ? "plays now; touch to stop" : "touch to play it again"}</small>
                </button>
                <ks-bin shelf="takes" .name=${name}></ks-bin>
              </div>`,
          )}
        </div>
      </ks-drop>
    </div>`;
  }

  toggle(): void {
    const { link } = this.#stage;
    const on = !link.state.performance.recording;
    void link.ask("record", on ? { on, video: this.video, source: this.input } : { on });
  }
}

@customElement("ks-screens")
export class Screens extends LitElement {
  static override styles = [theme, shelf];

  override render() {
    return html`<ks-drop edge="right" label="Other screens: the picture full screen, and a phone as a pad">
      <span slot="button">Screens</span>
      <h3>Show</h3>
      <a class="button" href=${address("/show")} target="_blank" rel="noopener">${sign("show")} Only the picture, full screen</a>
      <p class="quiet">There: <kbd>F</kbd> fit, fill or tile; <kbd>Enter</kbd> full screen. Open it as often as you have screens.</p>
      <h3>Pad</h3>
      <a class="button" href=${address("/pad")} target="_blank" rel="noopener">${sign("pad")} Fields for fingers, a camera, tilt</a>
      <img src=${address("/api/qr.svg")} alt="A code that opens the pad on a phone" />
      <p class="quiet">Point a phone's camera here. It must reach this machine: start with <kbd>--host 0.0.0.0</kbd> for that.</p>
    </ks-drop>`;
  }
}
