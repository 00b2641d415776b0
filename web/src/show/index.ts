/** The show: only the picture, on any screen, in any shape. F, or the address (?fit=fill), chooses fit, fill or tile; Enter full screen. */

import { LitElement, css, html } from "lit";
import { customElement, state } from "lit/decorators.js";
import { type Fit, decodesVideo } from "../picture.ts";

const FITS: Fit[] = ["fit", "fill", "tile"];
const CURSOR_MS = 1500;

@customElement("ks-show")
export class Show extends LitElement {
  @state() private fit: Fit = asked();
  @state() private format: "jpeg" | "h264" = "jpeg";
  @state() private still = false; // the cursor rests, and is hidden
  #rest: ReturnType<typeof setTimeout> | undefined;
  #awake: WakeLockSentinel | null = null;

  static override styles = css`
    :host {
      position: fixed;
      inset: 0;
      background: #000;
      overflow: hidden;
    }
    .still {
      cursor: none;
    }
    div,
    ks-picture {
      position: absolute;
      inset: 0;
    }
  `;

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener("keydown", this.#key);
    addEventListener("pointermove", this.#moved);
    document.addEventListener("visibilitychange", this.#stayAwake);
    this.#moved();
    void this.#stayAwake();
    if (new URLSearchParams(location.search).get("format") === "h264") {
      void decodesVideo().then((able) => (this.format = able ? "h264" : "jpeg"));
    }
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    removeEventListener("keydown", this.#key);
    removeEventListener("pointermove", this.#moved);
    document.removeEventListener("visibilitychange", this.#stayAwake);
  }

  override render() {
    return html`<div class=${this.still ? "still" : ""} @dblclick=${this.#whole}>
      <ks-picture fit=${this.fit} format=${this.format} quality="0.95" label="What is played" quiet></ks-picture>
    </div>`;
  }

  #key = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.toLowerCase();
    if (key === "f") this.#choose(FITS[(FITS.indexOf(this.fit) + 1) % FITS.length]!);
    else if ("123".includes(key)) this.#choose(FITS[Number(key) - 1]!);
    else if (key === "enter") this.#whole();
    else return;
    event.preventDefault();
  };

  /** Kept in the address, so that a reload shows the same. */
  #choose(fit: Fit): void {
    this.fit = fit;
    const here = new URL(location.href);
    here.searchParams.set("fit", fit);
    history.replaceState(null, "", here);
  }

  #whole = () => {
    if (document.fullscreenElement) void document.exitFullscreen();
    else void document.documentElement.requestFullscreen().catch(() => undefined);
  };

  #moved = () => {
    this.still = false;
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => (this.still = true), CURSOR_MS);
  };

  #stayAwake = async () => {
    if (document.hidden || !("wakeLock" in navigator)) return;
    try {
      if (!this.#awake || this.#awake.released) this.#awake = await navigator.wakeLock.request("screen");
    } catch {
      // a screen that falls asleep is the system's own will
    }
  };
}

function asked(): Fit {
  const fit = new URLSearchParams(location.search).get("fit") as Fit | null;
  return fit && FITS.includes(fit) ? fit : "fit";
}
