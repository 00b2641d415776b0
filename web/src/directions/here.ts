/** Sliders for the picture that plays now: for all of it, or for a box that is drawn on it. */

import { LitElement, css, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import "../controls.ts";
import { Follows } from "../link.ts";
import type { Region } from "../player/box.ts";
import { sign } from "../signs.ts";
import { theme } from "../theme.ts";
import "./tile.ts";
import { tiles } from "./tile.ts";

/** <ks-here ?drawing .region>: event "drawing" (detail: whether a box is to be drawn), which bubbles. */
@customElement("ks-here")
export class Here extends LitElement {
  /** Whether a box is being drawn on the picture, and the box. */
  @property({ type: Boolean }) drawing = false;
  @property({ attribute: false }) region: Region | null = null;
  @state() private outside = true;
  #stage = new Follows(this, ["rack"]);

  static override styles = [
    theme,
    tiles,
    css`
      :host {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 12px;
      }
      .row {
        display: flex;
        flex-wrap: wrap;
        gap: 8px;
      }
      .row button {
        flex: 1;
        min-height: 44px;
        white-space: nowrap;
      }
      .find {
        border-color: var(--here);
        background: var(--here-dim);
        font-weight: 600;
      }
      .bad {
        color: var(--bad);
      }
    `,
  ];

  protected override render() {
    const { rack } = this.#stage.link.state;
    const { seeking, trouble } = rack.here;
    const found = rack.offered.filter(({ group }) => group === "here");
    return html`
      ${this.drawing
        ? html`
            <p class="quiet">
              ${this.region ? "Drag the box, or pull it at its corners." : "Draw a box on the picture: on the mouth, or on the hair."}
            </p>
            <ks-switch
              label="Leave the rest alone"
              help="Outside of the box as little changes as can be."
              .value=${this.outside}
              @edit=${(event: CustomEvent<boolean>) => (this.outside = event.detail)}
            ></ks-switch>
            <div class="row">
              <button class="find" ?disabled=${!this.region || seeking} @click=${() => this.#seek(this.region)}>
                ${seeking ? "Looking…" : "Find sliders for the box"}
              </button>
              <button @click=${() => this.#draw(false)}>Done</button>
            </div>
          `
        : html`<div class="row">
            <button @click=${() => this.#draw(true)}>${sign("large")} Draw a box on it</button>
            <button ?disabled=${seeking} @click=${() => this.#seek(null)}>${seeking ? "Looking…" : "All of the picture"}</button>
          </div>`}
      ${trouble ? html`<p class="bad" role="status">${trouble}</p>` : nothing}
      ${found.length
        ? html`<div class="tiles">${repeat(found, ({ of }) => of, (offer) => html`<ks-tile .offer=${offer}></ks-tile>`)}</div>`
        : nothing}
    `;
  }

  #draw(detail: boolean): void {
    this.dispatchEvent(new CustomEvent("drawing", { detail, bubbles: true, composed: true }));
  }

  #seek(region: Region | null): void {
    void this.#stage.link.ask("here", { region, outside: region !== null && this.outside });
  }
}
