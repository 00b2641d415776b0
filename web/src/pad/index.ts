/** The pad: a phone in the hand plays; its camera looks, its fingers and its tilt move. */

import { LitElement, css, html } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import { type BrowserCamera, cameraFor } from "../camera.ts";
import "../controls.ts";
import { heard, seen } from "../kinds.ts";
import { Follows, stage } from "../link.ts";
import { type BrowserMicrophone, microphoneFor } from "../microphone.ts";
import "../picture.ts";
import "../player/panic.ts";
import { free } from "../player/stations.ts";
import { sign } from "../signs.ts";
import { theme } from "../theme.ts";
import { secureProblem } from "../uplink.ts";
import "./field.ts";
import type { Field, Way } from "./field.ts";
import { Tilt } from "./tilt.ts";

const NEW = "phone"; // the sources that are made where none fits
const VOICE = "voice";
const SAID_MS = 6000;

@customElement("ks-pad")
export class Pad extends LitElement {
  @state() private way: Way = "looks";
  @state() private seeds = fourSeeds([]);
  @state() private said = "";
  @state() private side: "environment" | "user" = "user";
  @state() private as = ""; // the source that this phone's camera is
  @query("ks-field") private field!: Field;
  #stage = new Follows(this, ["patch", "kinds", "seeds", "looks", "performance", "connection"]);
  #camera: BrowserCamera | null = null;
  #microphone: BrowserMicrophone | null = null;
  #begun = false;
  #quiet: ReturnType<typeof setTimeout> | undefined;
  #tilt = new Tilt(
    (x, y) => this.field.play(x, y),
    (text) => this.#say(text),
  );

  static override styles = [
    theme,
    css`
      :host {
        display: grid;
        grid-template-rows: auto minmax(0, 1fr) auto;
        gap: 8px;
        height: 100dvh;
        padding: 8px 10px calc(10px + env(safe-area-inset-bottom));
        background: var(--ground);
        overflow: hidden;
      }
      .top {
        display: grid;
        grid-template-columns: 147px minmax(0, 1fr);
        gap: 10px;
      }
      .top ks-picture {
        width: 147px;
        height: 147px;
        border-radius: 12px;
      }
      .acts {
        display: grid;
        grid-template-columns: 1fr 1fr;
        gap: 6px;
        align-content: space-between;
      }
      .acts button,
      .acts select {
        min-height: 45px;
        min-width: 0;
        width: 100%;
        padding: 0 8px;
      }
      .ways {
        grid-column: 1 / -1;
        display: flex;
        border: 1px solid var(--line);
        border-radius: var(--round);
        overflow: hidden;
        min-width: 0;
      }
      .ways button {
        flex: 1;
        border: 0;
        border-radius: 0;
        min-height: 43px;
        padding: 0;
        font-size: 14px;
      }
      .says {
        position: fixed;
        left: 10px;
        right: 10px;
        top: 164px;
        z-index: 5;
        padding: 12px 16px;
        border-radius: 12px;
        border: 1px solid var(--line);
        background: var(--raised);
        box-shadow: 0 10px 40px #000b;
      }
      .says span {
        white-space: pre-wrap;
      }
      @media (min-width: 721px) {
        :host {
          max-width: 760px;
          margin: 0 auto;
        }
      }
      @media (max-height: 480px) {
        .top {
          grid-template-columns: 56px minmax(0, 1fr);
        }
        .top ks-picture {
          width: 56px;
          height: 46px;
        }
        .acts {
          grid-template-columns: repeat(5, 1fr);
        }
        .ways {
          grid-column: auto;
        }
      }
    `,
  ];

  override connectedCallback(): void {
    super.connectedCallback();
    stage().addEventListener("refused", this.#refused);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    stage().removeEventListener("refused", this.#refused);
    this.#camera?.stop();
    this.#microphone?.stop();
    this.#tilt.stop();
  }

  override willUpdate(): void {
    const { link } = this.#stage;
    if (this.#begun || !link.ready) return;
    this.#begun = true;
    this.#corners();
    if (link.state.looks.snapshots.length < 2) this.way = "seeds";
  }

  override render() {
    const { link } = this.#stage;
    const { patch } = link.state;
    const names = seen(link.state);
    const camera = this.#camera;
    const on = !!camera?.on;
    const as = this.as || names.find((name) => patch.sources[name]!.kind === "page") || names[0] || NEW;
    const way = (name: Way, label: string) =>
      html`<button aria-pressed=${this.way === name} @click=${() => (this.way = name)}>${label}</button>`;
    return html`
      <div class="top">
        <ks-picture label="What is played" most="320" fit="fill" credit="1"></ks-picture>
        <div class="acts">
          <button class=${on ? "live" : ""} aria-pressed=${on} @click=${() => void this.#look(as)}>
            ${sign(on ? "stop" : "camera")} ${on ? `${camera?.rate ?? 0}/s` : "Camera"}
          </button>
          ${on
            ? html`<button @click=${() => void this.#turn()}>${this.side === "user" ? "Other side" : "This side"}</button>`
            : html`<select
                aria-label="The source that this camera is"
                @change=${(event: Event) => (this.as = (event.target as HTMLSelectElement).value)}
              >
                ${[...new Set([...names, NEW])].map(
                  (name) =>
                    html`<option value=${name} .selected=${name === as}>
                      ${names.includes(name) ? `is ${name}` : `a new source`}
                    </option>`,
                )}
              </select>`}
          <button
            class=${this.#microphone?.on ? "live" : ""}
            aria-pressed=${!!this.#microphone?.on}
            title="This phone's microphone becomes a source"
            @click=${() => void this.#hear()}
          >
            ${sign(this.#microphone?.on ? "stop" : "microphone")} Mic
          </button>
          <button class=${this.#tilt.on ? "live" : ""} aria-pressed=${this.#tilt.on} @click=${() => void this.#lean()}>
            ${sign("tilt")} Tilt
          </button>
          <div class="ways" role="group" aria-label="What the field plays">${way("looks", "Looks")}${way("seeds", "Seeds")}</div>
        </div>
      </div>
      <ks-field .way=${this.way} .seeds=${this.seeds}></ks-field>
      <ks-panic></ks-panic>
      ${this.said || !link.connected
        ? html`<div class="says" role="status" @click=${() => (this.said = "")}>
            <span>${link.connected ? this.said : link.gone || "Looking for the stage…"}</span>
          </div>`
        : ""}
    `;
  }

  #corners(): void {
    const { favourites, history } = this.#stage.link.state.seeds;
    this.seeds = fourSeeds([...favourites, ...history]);
  }

  async #look(as: string): Promise<void> {
    if (this.#camera?.on) {
      this.#camera.stop();
      return;
    }
    const problem = secureProblem("camera");
    if (problem) {
      this.#say(problem);
      return;
    }
    const { link } = this.#stage;
    if (link.state.patch.sources[as]?.kind !== "page") {
      if (!(await link.ask("change", { edits: { [`sources.${as}`]: { kind: "page" } } }))) return;
    }
    this.#camera?.removeEventListener("change", this.#draw);
    this.#camera = cameraFor(as);
    this.#camera.addEventListener("change", this.#draw);
    await this.#camera.start(this.side);
  }

  /** The microphone is the patch's first source of sound, or a new one. */
  async #hear(): Promise<void> {
    if (this.#microphone?.on) {
      this.#microphone.stop();
      return;
    }
    const problem = secureProblem("microphone");
    if (problem) {
      this.#say(problem);
      return;
    }
    const { link } = this.#stage;
    const { sources } = link.state.patch;
    const as = Object.keys(sources).find((name) => heard(link.state, "sources", name)) ?? free(VOICE, Object.keys(sources));
    if (sources[as]?.kind !== "page_sound") {
      if (!(await link.ask("change", { edits: { [`sources.${as}`]: { kind: "page_sound" } } }))) return;
    }
    this.#microphone?.removeEventListener("change", this.#draw);
    this.#microphone = microphoneFor(as);
    this.#microphone.addEventListener("change", this.#draw);
    await this.#microphone.start();
  }

  async #turn(): Promise<void> {
    this.side = this.side === "user" ? "environment" : "user";
    await this.#camera?.start(this.side);
  }

  async #lean(): Promise<void> {
    if (this.#tilt.on) this.#tilt.stop();
    else await this.#tilt.start();
    this.requestUpdate();
  }

  #draw = () => {
    const trouble = this.#camera?.trouble || this.#microphone?.trouble;
    if (trouble) this.#say(trouble);
    this.requestUpdate();
  };

  #refused = (event: Event) => {
    this.#say((event as CustomEvent<{ problems: string[] }>).detail.problems.join("\n"));
  };

  #say(text: string): void {
    this.said = text;
    clearTimeout(this.#quiet);
    this.#quiet = setTimeout(() => (this.said = ""), SAID_MS);
    this.requestUpdate();
  }
}

/** Four different seeds: those that are known, then others. */
function fourSeeds(known: number[]): number[] {
  const seeds = [...new Set(known)].slice(0, 4);
  for (let seed = 1; seeds.length < 4; seed++) if (!seeds.includes(seed)) seeds.push(seed);
  return seeds;
}
