/** A source in hand: which device it is, this browser's camera, what of it is held still. */

import { LitElement, css, html } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import "../controls.ts";
import { type BrowserCamera, type Device, cameraFor, cameraProblem, devices } from "../camera.ts";
import { Follows } from "../link.ts";
import type { Control } from "../protocol.ts";
import { sign } from "../signs.ts";
import { theme } from "../theme.ts";
import "./stations.ts";

@customElement("ks-source")
export class SourceCard extends LitElement {
  @property() name = "";
  @property({ attribute: false }) controls: Control[] = [];
  @state() private open = false; // its settings are shown
  @state() private devices: Device[] = [];
  #stage = new Follows(this, ["patch", "meters"]);
  #camera: BrowserCamera | null = null;

  static override styles = [
    theme,
    css`
      :host {
        display: block;
      }
      .top {
        display: flex;
        align-items: center;
        gap: 4px;
        min-height: 46px;
        padding: 4px 0;
      }
      .name {
        flex: 1;
        min-width: 0;
        line-height: 1.3;
      }
      .my {
        display: inline-block;
      }
      @container (max-width: 420px) {
        .name .quiet {
          display: block;
          font-size: 12.5px;
          padding-left: 15px;
        }
        .name .dash,
        .long {
          display: none;
        }
        .my::first-letter {
          text-transform: uppercase;
        }
      }
      .dot {
        display: inline-block;
        width: 8px;
        height: 8px;
        margin-right: 7px;
        border-radius: 50%;
        background: var(--edge);
      }
      .dot.good {
        background: var(--good);
      }
      .dot.bad {
        background: var(--bad);
      }
      .trouble {
        color: var(--bad);
        font-size: 12.5px;
        padding: 6px 0;
        overflow-wrap: anywhere;
      }
      .row {
        display: flex;
        align-items: center;
        gap: 8px;
        margin: 0 8px 8px 0;
        flex-wrap: wrap;
      }
      select {
        flex: 1;
        min-width: 8em;
      }
      .settings {
        padding: 0 8px 8px 15px;
      }
    `,
  ];

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#camera?.removeEventListener("change", this.#draw);
    this.#camera = null;
  }

  override willUpdate(): void {
    const camera = cameraFor(this.name);
    if (camera !== this.#camera) {
      this.#camera?.removeEventListener("change", this.#draw);
      this.#camera = camera;
      camera.addEventListener("change", this.#draw);
      void this.#look();
      const station = this.#stage.link.state.patch.sources[this.name];
      if (station?.kind === "page") camera.resume();
    }
  }

  override render() {
    const { link } = this.#stage;
    const station = link.state.patch.sources[this.name];
    const camera = this.#camera;
    if (!station || !camera) return html``;
    const meter = link.meters.stations[`sources.${this.name}`] ?? link.meters.stations[this.name];
    const page = station.kind === "page";
    const trouble = (camera.trouble || meter?.error) ?? "";
    const state = trouble ? "bad" : (meter?.rate ?? 0) > 0 ? "good" : "";
    const rate = page && camera.on ? camera.rate : (meter?.rate ?? 0);
    return html`
      <div class="top">
        <span class="name"
          ><span class="dot ${state}"></span>${this.name}
          <span class="quiet"><span class="dash">·</span> ${said(station.kind)}${rate > 0 ? `, ${Math.round(rate)} a second` : ""}</span></span
        >
        ${camera.on
          ? html`<button class="live" @click=${() => camera.stop()}>${sign("stop")} Stop</button>`
          : html`<button
              ?disabled=${!!cameraProblem()}
              title=${cameraProblem() || "This browser's camera becomes this source"}
              @click=${this.#start}
            >
              ${sign("camera")} <span><span class="long">Use my</span> <span class="my">camera</span></span>
            </button>`}
        ${this.name
          ? html`<button
              class="bare icon"
              aria-expanded=${this.open}
              title="Settings of ${this.name}"
              aria-label="Settings of ${this.name}"
              @click=${() => (this.open = !this.open)}
            >
              ${sign("more")}
            </button>`
          : ""}
      </div>
      ${trouble ? html`<p class="trouble" role="status">${trouble}</p>` : ""}
      ${camera.on
        ? html`<div class="row">
            ${this.devices.length > 1
              ? html`<select
                  aria-label="Which camera"
                  @change=${(event: Event) => void camera.start((event.target as HTMLSelectElement).value)}
                >
                  ${this.devices.map(
                    (device) =>
                      html`<option value=${device.id} .selected=${device.id === camera.device}>${device.label}</option>`,
                  )}
                </select>`
              : html`<span class="quiet">${this.devices[0]?.label ?? ""}</span>`}
            ${camera.locks().map(
              (lock) =>
                html`<button
                  aria-pressed=${lock.on}
                  title="Hold the camera's ${lock.name} as it is now"
                  @click=${() => camera.lock(lock.name, !lock.on)}
                >
                  ${sign("lock")} ${lock.name}
                </button>`,
            )}
          </div>`
        : ""}
      ${this.open
        ? html`<div class="settings">
            ${this.controls.map((control) => html`<ks-control .control=${control} data-place=${control.place}></ks-control>`)}
            <ks-remove .place=${`sources.${this.name}`}></ks-remove>
          </div>`
        : ""}
    `;
  }

  #draw = () => {
    this.requestUpdate();
    void this.#look();
  };

  async #look(): Promise<void> {
    const found = await devices();
    if (JSON.stringify(found) !== JSON.stringify(this.devices)) this.devices = found;
  }

  async #start(): Promise<void> {
    const { link } = this.#stage;
    const station = link.state.patch.sources[this.name];
    if (station && station.kind !== "page") {
      const done = await link.ask("change", { edits: { [`sources.${this.name}`]: { kind: "page" } } });
      if (!done) return;
    }
    await this.#camera?.start();
  }
}

function said(kind: string): string {
  return { page: "a browser's camera", camera: "a camera of this machine", video: "a film", pictures: "pictures" }[kind] ?? kind;
}
