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
  #cards = new Map<string, number>(); // of every name, its card
  #renaming: { from: string; to: string } | null = null; // asked for, and not come yet

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

  /** The card of a direction that is renamed stays the same one, so that it stays open and in hand. */
  protected override willUpdate(): void {
    const { directions } = this.#stage.link.state.patch.latent;
    const { from = "", to = "" } = this.#renaming ?? {};
    if (!(to in directions) || from in directions) return;
    this.#cards.set(to, this.#card(from));
    this.#cards.delete(from);
    this.#renaming = null;
  }

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
        ? repeat(names, this.#card, (name) => html`<ks-way name=${name} data-way=${name} @renamed=${this.#renamed}></ks-way>`)
        : html`<p class="empty">No slider yet: press one that the model offers below, teach it a word, or let it surprise you.</p>`}
    `;
  }

  #card = (name: string): number => {
    const card = this.#cards.get(name) ?? 1 + Math.max(0, ...this.#cards.values());
    this.#cards.set(name, card);
    return card;
  };

  #renamed = (event: CustomEvent<{ from: string; to: string }>) => (this.#renaming = event.detail);
}
