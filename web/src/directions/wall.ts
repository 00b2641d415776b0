/** The wall: every direction that this model has, on offer. */

import { LitElement, css, html, nothing } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import "../controls.ts";
import { Follows } from "../link.ts";
import type { Offered } from "../protocol.ts";
import { sign } from "../signs.ts";
import { empty, theme } from "../theme.ts";
import { KINDS, bringDirections } from "./bring.ts";
import "./tile.ts";
import { tiles } from "./tile.ts";

const GROUPS: [Offered["group"], string, string][] = [
  ["come", "Come with this model", "named by those who made it"],
  ["pca", "Components", "where its pictures differ most"],
  ["sefa", "Factors", "what its own weights turn most"],
  ["kept", "Kept", "yours, and files"],
];

@customElement("ks-wall")
export class Wall extends LitElement {
  @state() private band = ""; // all rows
  @state() private reading = false;
  @query("input[type=file]") private files!: HTMLInputElement;
  #stage = new Follows(this, ["rack"]);

  static override styles = [
    theme,
    empty,
    tiles,
    css`
      :host {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 20px;
      }
      .group {
        display: grid;
        gap: 10px;
      }
      .heading {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        justify-content: space-between;
        gap: 0 12px;
        min-height: 34px;
      }
      h3 {
        color: var(--ink);
      }
      h3 small {
        margin-left: 6px;
        font-weight: 400;
        color: var(--quiet);
      }
      ks-choice {
        flex: none;
      }
      .bring {
        min-height: 44px;
      }
    `,
  ];

  protected override render() {
    const { rack } = this.#stage.link.state;
    return html`
      ${GROUPS.map(([group, title, about]) => this.#group(rack.offered.filter((one) => one.group === group), group, title, about))}
      ${rack.looking ? html`<p class="quiet" role="status">Looking the model through…</p>` : nothing}
      <button class="bring" ?disabled=${this.reading} @click=${() => this.files.click()}>
        ${sign("plus")} ${this.reading ? "Reading it…" : "Choose a file of directions, or drop one here"}
      </button>
      <input
        class="unseen"
        type="file"
        accept=${KINDS.join(",")}
        tabindex="-1"
        aria-label="A file of directions"
        @change=${() => this.files.files?.[0] && this.#bring(this.files.files[0])}
      />
    `;
  }

  #group(offered: Offered[], group: Offered["group"], title: string, about: string) {
    const bands = [...new Set(offered.map(({ rows }) => rows))];
    const banded = group !== "kept" && bands.length > 1;
    const shown = banded ? offered.filter(({ rows }) => rows === this.band) : offered;
    if (!offered.length && group !== "kept") return nothing;
    return html`<div class="group" role="group" aria-label=${title}>
      <div class="heading">
        <h3>${title}<small>${about}</small></h3>
        ${banded
          ? html`<ks-choice
              aria-label="${title} of these rows"
              form="side by side"
              .choices=${bands.map((rows) => ({ value: rows, label: rows || "all" }))}
              .value=${this.band}
              @edit=${(event: CustomEvent<string>) => (this.band = event.detail)}
            ></ks-choice>`
          : nothing}
      </div>
      ${shown.length
        ? html`<div class="tiles">${repeat(shown, ({ of, rows }) => `${of} ${rows}`, (offer) => html`<ks-tile .offer=${offer}></ks-tile>`)}</div>`
        : html`<p class="empty">Nothing yet: what you teach, star or bring as a file is kept here.</p>`}
    </div>`;
  }

  async #bring(file: File): Promise<void> {
    this.reading = true;
    const detail = await bringDirections(file);
    this.reading = false;
    this.files.value = "";
    this.dispatchEvent(new CustomEvent("say", { detail, bubbles: true, composed: true }));
  }
}
