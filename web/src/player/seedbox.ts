/** The seed in hand: thrown, typed, kept, found again. */

import { LitElement, css, html } from "lit";
import { customElement } from "lit/decorators.js";
import "../controls.ts";
import { Follows } from "../link.ts";
import { sign } from "../signs.ts";
import { theme } from "../theme.ts";
import { panic } from "./panic.ts";

const LISTED = 8;

@customElement("ks-seedbox")
export class Seedbox extends LitElement {
  #stage = new Follows(this, ["patch", "seeds"]);

  static override styles = [
    theme,
    css`
      :host {
        display: block;
      }
      .row {
        display: flex;
        align-items: center;
        gap: 8px;
      }
      .name {
        flex: 1;
      }
      .chips {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 6px;
        margin-top: 8px;
        font-size: 12.5px;
        color: var(--quiet);
      }
      .chips button {
        min-height: 28px;
        padding: 0 0.7em;
        border-radius: 99px;
        font-size: 12.5px;
        font-variant-numeric: tabular-nums;
      }
      .chips .label {
        min-width: 4.6em;
      }
      @media (pointer: coarse) {
        .chips button {
          min-height: 40px;
        }
      }
      .starred {
        color: var(--live);
      }
      .mixed {
        color: var(--quiet);
        font-size: 12.5px;
      }
    `,
  ];

  override render() {
    const { link } = this.#stage;
    const seed = Number(link.value("latent.seed") ?? 0);
    const { history, favourites } = link.state.seeds;
    const starred = favourites.includes(seed);
    const mix = link.value("latent.mix");
    const chip = (other: number) =>
      html`<button aria-pressed=${other === seed} @click=${() => link.change({ "latent.seed": other })}>${other}</button>`;
    const recent = [...new Set(history)].filter((other) => !favourites.includes(other)).slice(0, LISTED);
    return html`
      <div class="row">
        <span class="name" title="Every number is one picture, always the same one">Seed</span>
        <ks-number
          aria-label="Seed"
          whole
          .low=${0}
          .high=${2 ** 32 - 1}
          .rest=${0}
          .value=${seed}
          @edit=${(event: CustomEvent<number>) => link.change({ "latent.seed": event.detail })}
        ></ks-number>
        <button
          class="icon ${starred ? "starred" : ""}"
          aria-pressed=${starred}
          aria-label="Favourite"
          title=${starred ? "No longer a favourite" : "Make it a favourite"}
          @click=${() => link.ask("favourite", { seed, on: !starred })}
        >
          ${sign(starred ? "starred" : "star")}
        </button>
        <button title="Another seed (D)" @click=${() => panic.dice()}>${sign("dice")} Dice</button>
      </div>
      ${Array.isArray(mix) && mix.length > 1
        ? html`<p class="mixed">Between the seeds ${mix.map((part) => (part as number[])[0]).join(" and ")} now.</p>`
        : ""}
      ${favourites.length ? html`<div class="chips"><span class="label">Favourites</span>${favourites.map(chip)}</div>` : ""}
      ${recent.length > 1 ? html`<div class="chips"><span class="label">Before</span>${recent.map(chip)}</div>` : ""}
    `;
  }
}
