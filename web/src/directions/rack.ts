/** The rack: the directions of the patch, each a slider, and what moves them all. */

import { LitElement, css, html } from "lit";
import { customElement } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import { Follows } from "../link.ts";
import { sign } from "../signs.ts";
import { empty, theme } from "../theme.ts";
import "./way.ts";

@customElement("ks-rack")
export class Rack extends LitElement {
  #stage = new Follows(this, ["patch"]);

  static override styles = [
    theme,
    empty,
    css`
      :host {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 10px;
      }
      .bar {
        display: grid;
        grid-template-columns: repeat(3, minmax(0, 1fr));
        gap: 8px;
      }
      .bar button {
        min-height: 44px;
        padding: 0 4px;
        font-size: 14px;
        white-space: nowrap;
      }
    `,
  ];

  protected override render() {
    const { link } = this.#stage;
    const names = Object.keys(link.state.patch.latent.directions);
    return html`
      <div class="bar">
        <button title="A way through the model that nobody has named: a new slider, and kept" @click=${() => link.ask("surprise")}>
          ${sign("dice")} Surprise me
        </button>
        <button
          ?disabled=${!names.length}
          title="Each slider somewhere else; locked ones, and those that something moves, stay"
          @click=${() => link.ask("scatter")}
        >
          Scatter
        </button>
        <button ?disabled=${!names.length} title="Each slider back to 0; locked ones stay" @click=${() => link.ask("rest")}>
          All to rest
        </button>
      </div>
      ${names.length
        ? repeat(names, (name) => name, (name) => html`<ks-way name=${name} data-way=${name}></ks-way>`)
        : html`<p class="empty">No slider yet: press one that the model offers below, teach it a word, or let it surprise you.</p>`}
    `;
  }
}
