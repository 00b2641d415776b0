/** "That one, go back": the last minute as a strip of small pictures, each of them a button. */

import { LitElement, css, html } from "lit";
import { customElement, state } from "lit/decorators.js";
import { stage } from "../link.ts";
import { theme } from "../theme.ts";
import { SECONDS, film } from "./film.ts";

const MOMENTS = [60, 50, 40, 30, 20, 15, 10, 5]; // seconds ago

@customElement("ks-ring")
export class Ring extends LitElement {
  /** While a hand or the focus is on the strip it stands still, or the one wanted would move away. ms, the page's clock. */
  @state() private held: number | null = null;
  #frame = () => this.#draw();

  static override styles = [
    theme,
    css`
      :host {
        display: block;
      }
      .strip {
        display: grid;
        grid-template-columns: repeat(${MOMENTS.length}, minmax(0, 1fr));
        gap: 3px;
      }
      button {
        display: grid;
        gap: 3px;
        padding: 0 0 3px;
        min-height: 62px;
        border: 1px solid transparent;
        border-radius: 8px;
        background: none;
        align-content: start;
        font-size: 12px;
        color: var(--quiet);
        font-variant-numeric: tabular-nums;
      }
      canvas {
        width: 100%;
        aspect-ratio: 1;
        border-radius: 7px;
        background: var(--raised);
        display: block;
        opacity: 0.85;
      }
      button:hover canvas,
      button:focus-visible canvas {
        opacity: 1;
        box-shadow: 0 0 0 2px var(--here);
      }
      button:hover:not(:disabled) {
        background: none;
        color: var(--ink);
      }
    `,
  ];

  override connectedCallback(): void {
    super.connectedCallback();
    film.addEventListener("frame", this.#frame);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    film.removeEventListener("frame", this.#frame);
  }

  protected override render() {
    const hold = () => (this.held ??= performance.now());
    const go = () => (this.held = null);
    return html`<div class="strip" role="group" aria-label="Back to a moment ago" @pointerenter=${hold} @focusin=${hold} @pointerleave=${go} @focusout=${go}>
      ${MOMENTS.map(
        (seconds) => html`<button aria-label="Back to ${seconds} seconds ago" @click=${() => this.#back(seconds)}>
          <canvas width="96" height="96"></canvas>${seconds} s
        </button>`,
      )}
    </div>`;
  }

  protected override updated(): void {
    this.#draw();
  }

  #draw(): void {
    const now = this.held ?? performance.now();
    this.renderRoot.querySelectorAll("canvas").forEach((canvas, i) => {
      const picture = film.at(now - MOMENTS[i]! * 1000);
      const context = canvas.getContext("2d")!;
      if (!picture) return context.clearRect(0, 0, canvas.width, canvas.height);
      const side = Math.min(picture.width, picture.height);
      const [x, y] = [(picture.width - side) / 2, (picture.height - side) / 2];
      context.drawImage(picture, x, y, side, side, 0, 0, canvas.width, canvas.height);
    });
  }

  /** What is seen is what comes back: the time that the strip has stood still counts as well. */
  #back(seconds: number): void {
    const stood = this.held === null ? 0 : (performance.now() - this.held) / 1000;
    void stage().ask("rewind", { seconds: Math.min(seconds + stood, SECONDS) });
    this.held = null;
  }
}
