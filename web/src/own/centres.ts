/** The kinds of picture that the model makes, as a contact sheet. */

import { LitElement, css, html, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import { Follows, address } from "../link.ts";
import { theme } from "../theme.ts";

/** <ks-centres .seconds .easing>: a press plays one, which is kept then. */
@customElement("ks-centres")
export class Centres extends LitElement {
  @property({ type: Number }) seconds = 2;
  @property() easing = "smoothstep";
  #stage = new Follows(this, ["own", "model"]);

  static override styles = [
    theme,
    css`
      :host {
        display: grid;
        gap: 12px;
      }
      .grid {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(72px, 1fr));
        gap: 8px;
      }
      .grid button {
        padding: 0;
        min-height: 0;
        aspect-ratio: 1;
        overflow: hidden;
        border-color: transparent;
      }
      .grid button:hover {
        box-shadow: 0 0 0 2px var(--edge);
      }
      img {
        display: block;
        width: 100%;
        height: 100%;
      }
      .seek {
        min-height: 44px;
      }
    `,
  ];

  protected override render() {
    const { own, model } = this.#stage.link.state;
    const { seeking, count } = own.centres;
    return html`${count
        ? html`<div class="grid">
            ${Array.from(
              { length: count },
              (_, i) => html`<button aria-label="Play centre ${i + 1}" title="Play it; it is kept then" @click=${() => this.#play(i)}>
                <img src=${address(`/api/centres/${i}.jpg?of=${encodeURIComponent(model.name)}`)} alt="" />
              </button>`,
            )}
          </div>`
        : nothing}
      ${count && !seeking
        ? nothing
        : html`<button class="seek" ?disabled=${seeking} @click=${() => this.#stage.link.ask("centres")}>
            ${seeking ? "Looking for them…" : "Show its kinds of picture"}
          </button>`}`;
  }

  #play(centre: number): void {
    void this.#stage.link.ask("play_centre", { centre, seconds: this.seconds, easing: this.easing });
  }
}
