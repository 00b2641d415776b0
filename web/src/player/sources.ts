/** A source in hand: which device it is, this browser's camera or microphone, what of it is held still. */

import { LitElement, css, html } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import "../controls.ts";
import { BrowserCamera, cameraFor } from "../camera.ts";
import { heard } from "../kinds.ts";
import { Follows } from "../link.ts";
import { type BrowserMicrophone, microphoneFor } from "../microphone.ts";
import type { Control } from "../protocol.ts";
import { type Device, devices } from "../sender.ts";
import { sign } from "../signs.ts";
import { theme } from "../theme.ts";
import { secureProblem } from "../uplink.ts";
import "./stations.ts";

@customElement("ks-source")
export class SourceCard extends LitElement {
  @property() name = "";
  @property({ attribute: false }) controls: Control[] = [];
  @state() private open = false; // its settings are shown
  @state() private devices: Device[] = [];
  #stage = new Follows(this, ["patch", "kinds", "meters"]);
  #sender: BrowserCamera | BrowserMicrophone | null = null;
  #said = 0; // pictures a second, as they were said last

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
      .level {
        flex: 1;
        min-width: 6em;
        height: 8px;
        border-radius: 4px;
        background: var(--ground);
        overflow: hidden;
      }
      .level i {
        display: block;
        height: 100%;
        background: var(--live);
        transform-origin: left;
      }
    `,
  ];

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#leave();
  }

  private get listens(): boolean {
    return heard(this.#stage.link.state, "sources", this.name);
  }

  override willUpdate(): void {
    const sender = this.listens ? microphoneFor(this.name) : cameraFor(this.name);
    if (sender === this.#sender) return;
    if (this.#sender?.source === this.name) this.#sender.stop(); // it has become a source of the other kind
    this.#leave();
    this.#sender = sender;
    sender.addEventListener("change", this.#draw);
    sender.addEventListener("level", this.#rise);
    void this.#look();
    if (this.#stage.link.state.patch.sources[this.name]?.kind === this.#kind) sender.resume();
  }

  /** The kind of source that this browser can be. */
  get #kind(): string {
    return this.listens ? "page_sound" : "page";
  }

  #leave(): void {
    this.#sender?.removeEventListener("change", this.#draw);
    this.#sender?.removeEventListener("level", this.#rise);
    this.#sender = null;
  }

  override render() {
    const { link } = this.#stage;
    const station = link.state.patch.sources[this.name];
    const sender = this.#sender;
    if (!station || !sender) return html``;
    const what = this.listens ? "microphone" : "camera";
    const problem = secureProblem(what);
    const meter = link.meters.stations[`sources.${this.name}`] ?? link.meters.stations[this.name];
    const trouble = (sender.trouble || meter?.error) ?? "";
    const state = trouble ? "bad" : (meter?.rate ?? 0) > 0 ? "good" : "";
    const own = station.kind === this.#kind && sender.on;
    const rate = this.listens ? 0 : own ? sender.rate : (meter?.rate ?? 0);
    if (Math.abs(rate - this.#said) > 0.1 * this.#said) this.#said = rate; // a number that is read stands still
    return html`
      <div class="top">
        <span class="name"
          ><span class="dot ${state}"></span>${this.name}
          <span class="quiet"><span class="dash">·</span> ${said(station.kind)}${rate > 0 ? `, ${Math.round(this.#said)} a second` : ""}</span></span
        >
        ${sender.on
          ? html`<button class="live" @click=${() => sender.stop()}>${sign("stop")} Stop</button>`
          : html`<button
              ?disabled=${!!problem}
              title=${problem || `This browser's ${what} becomes this source`}
              @click=${this.#start}
            >
              ${sign(what)} <span><span class="long">Use my</span> <span class="my">${what}</span></span>
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
      ${sender.on
        ? html`<div class="row">
            ${this.devices.length > 1
              ? html`<select
                  aria-label="Which ${what}"
                  @change=${(event: Event) => void sender.start((event.target as HTMLSelectElement).value)}
                >
                  ${this.devices.map(
                    (device) =>
                      html`<option value=${device.id} .selected=${device.id === sender.device}>${device.label}</option>`,
                  )}
                </select>`
              : html`<span class="quiet">${this.devices[0]?.label ?? ""}</span>`}
            ${this.listens ? html`<div class="level" role="img" aria-label="How loud it is"><i></i></div>` : ""}
            ${(sender instanceof BrowserCamera ? sender.locks() : []).map(
              (lock) =>
                html`<button
                  aria-pressed=${lock.on}
                  title="Hold the camera's ${lock.name} as it is now"
                  @click=${() => (sender as BrowserCamera).lock(lock.name, !lock.on)}
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

  /** The bar of the microphone; drawn by itself, because it moves all the time. */
  #rise = (event: Event) => {
    const bar = this.renderRoot.querySelector<HTMLElement>(".level i");
    if (bar) bar.style.transform = `scaleX(${Math.sqrt((event as CustomEvent<number>).detail)})`;
  };

  async #look(): Promise<void> {
    const found = await devices(this.listens ? "microphone" : "camera");
    if (JSON.stringify(found) !== JSON.stringify(this.devices)) this.devices = found;
  }

  async #start(): Promise<void> {
    const { link } = this.#stage;
    const station = link.state.patch.sources[this.name];
    if (station && station.kind !== this.#kind) {
      const done = await link.ask("change", { edits: { [`sources.${this.name}`]: { kind: this.#kind } } });
      if (!done) return;
    }
    await this.#sender?.start();
  }
}

function said(kind: string): string {
  const words: Record<string, string> = {
    page: "a browser's camera",
    page_sound: "a browser's microphone",
    camera: "a camera of this machine",
    video: "a film",
    pictures: "pictures",
  };
  return words[kind] ?? kind;
}
