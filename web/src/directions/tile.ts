/** A direction that is offered: both its ends, its name, and what is known of it. A press puts it on the rack. */

import { LitElement, css, html, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { Follows, asked, download } from "../link.ts";
import type { Offered } from "../protocol.ts";
import "../routes/choose.ts";
import type { Choose } from "../routes/choose.ts";
import { sign } from "../signs.ts";
import { badge, theme } from "../theme.ts";
import { ending, endings } from "./ends.ts";
import { known, nameOf } from "./ways.ts";

const FILE = ".safetensors";

/** <ks-tile .offer>. */
@customElement("ks-tile")
export class Tile extends LitElement {
  @property({ attribute: false }) offer!: Offered;
  @state() private asking: "" | "name" | "delete" = "";
  @query("ks-choose") private menu!: Choose;
  #stage = new Follows(this, ["rack", "patch"]);

  static override styles = [
    theme,
    badge,
    endings,
    css`
      :host {
        display: grid;
        gap: 4px;
        align-content: start;
        min-width: 0;
      }
      .strip {
        position: relative;
        display: grid;
        grid-template-columns: 1fr 1fr;
        gap: 0;
        width: 100%;
        min-height: 44px;
        padding: 0;
        border: 0;
        border-radius: 12px;
        overflow: hidden;
        background: var(--raised);
        box-shadow: inset 0 0 0 1px var(--line);
      }
      .strip:hover:not(:disabled) {
        box-shadow: 0 0 0 2px var(--edge);
      }
      .strip[aria-pressed="true"] {
        box-shadow: 0 0 0 2px var(--here);
      }
      .strip:focus-visible {
        outline-offset: 3px;
      }
      .below {
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto;
        align-items: center;
        font-size: 13px;
        line-height: 1.3;
      }
      .below b {
        font-weight: 500;
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .below small {
        grid-column: span 2;
        color: var(--quiet);
        font-size: 11.5px;
        display: -webkit-box;
        -webkit-box-orient: vertical;
        -webkit-line-clamp: 3;
        overflow: hidden;
        overflow-wrap: anywhere;
      }
      .below button {
        width: 32px;
        min-height: 32px;
        color: var(--quiet);
      }
      .below button[aria-pressed="true"] {
        color: var(--ink);
        background: none;
        border-color: transparent;
      }
      @media (pointer: coarse) {
        .below button {
          width: 36px;
          min-height: 44px;
        }
      }
      .asked {
        display: grid;
        gap: 6px;
      }
      .asked p {
        font-size: 13px;
      }
    `,
  ];

  protected override render() {
    const { offer } = this;
    const { rack, patch } = this.#stage.link.state;
    const on = nameOf(patch, rack, offer);
    return html`
      <button
        class="strip"
        aria-pressed=${on !== ""}
        aria-label=${on ? `Take ${on} off the rack` : `Put ${offer.name} on the rack`}
        title=${offer.fits ? known(offer) : `${offer.name} is of another model`}
        ?disabled=${!offer.fits}
        @click=${() => this.#turn(on)}
      >
        ${ending(rack, offer, "low")}${ending(rack, offer, "high")} ${on ? html`<span class="now">on the rack</span>` : nothing}
      </button>
      ${this.asking ? this.#asked() : this.#below()}
      ${offer.group === "kept"
        ? html`<ks-choose
            .heading=${offer.name}
            .options=${[
              { value: "star", label: offer.starred ? "No longer among your favourites" : "Among your favourites" },
              { value: "name", label: "Give it another name" },
              { value: "download", label: "Take it along", note: FILE },
              { value: "delete", label: "Delete it" },
            ]}
            @chosen=${this.#chosen}
          ></ks-choose>`
        : nothing}
    `;
  }

  #below() {
    const { name, words, fits, starred, group } = this.offer;
    return html`<div class="below">
      <b title=${name}>${group === "kept" && starred ? "★ " : ""}${name}</b>
      ${group === "kept"
        ? html`<button class="bare icon" aria-label="More for ${name}" aria-haspopup="dialog" @click=${() => this.menu.open()}>
            ${sign("more")}
          </button>`
        : html`<button
            class="bare icon"
            aria-pressed=${starred}
            aria-label="Star ${name}"
            title=${group === "here" ? "Keep it, among your favourites" : "Among your favourites, it comes first"}
            @click=${() => this.#star(!starred)}
          >
            ${sign(starred ? "starred" : "star")}
          </button>`}
      <small title=${known(this.offer)}>${fits ? words : `of another model; ${words}`}</small>
    </div>`;
  }

  #asked() {
    const { name } = this.offer;
    if (this.asking === "delete") {
      return html`<div class="asked">
        <p>Delete ${name} for good?</p>
        <button class="bad" @click=${this.#forget}>Delete</button>
        <button @click=${() => (this.asking = "")}>Keep it</button>
      </div>`;
    }
    return html`<input
      type="text"
      aria-label="New name"
      maxlength="64"
      .value=${name}
      @keydown=${this.#nameKey}
      @blur=${(event: Event) => this.#named((event.target as HTMLInputElement).value)}
    />`;
  }

  #turn(on: string): void {
    const { link } = this.#stage;
    const { of, rows } = this.offer;
    if (on) link.change({ [`latent.directions.${on}`]: null });
    else void link.ask("put_direction", { of, rows });
  }

  #star(on: boolean): void {
    const { of, rows } = this.offer;
    void this.#stage.link.ask("star_direction", { of, rows, on });
  }

  #chosen = (event: CustomEvent<string>) => {
    if (event.detail === "star") return this.#star(!this.offer.starred);
    if (event.detail === "download") return download(this.#file, `${this.offer.name}${FILE}`);
    this.asking = event.detail as "name" | "delete";
    void this.updateComplete.then(() => this.renderRoot.querySelector<HTMLElement>("input, .bad")?.focus());
  };

  get #file(): string {
    return `/api/directions/files/${encodeURIComponent(this.offer.of.split(FILE)[0]!)}`;
  }

  #forget = async () => {
    this.asking = "";
    const { problem: detail } = await asked(this.#file, { method: "DELETE" });
    if (detail) this.dispatchEvent(new CustomEvent("say", { detail, bubbles: true, composed: true }));
  };

  #nameKey = (event: KeyboardEvent) => {
    event.stopPropagation();
    if (event.key === "Enter") (event.target as HTMLElement).blur();
    if (event.key === "Escape") this.asking = "";
  };

  #named(name: string): void {
    if (!this.asking) return;
    this.asking = "";
    name = name.trim();
    if (name && name !== this.offer.name) void this.#stage.link.ask("rename_direction", { of: this.offer.of, name });
  }
}

/** Tiles beside each other. */
export const tiles = css`
  .tiles {
    display: grid;
    grid-template-columns: repeat(auto-fill, minmax(126px, 1fr));
    gap: 14px 12px;
  }
`;
