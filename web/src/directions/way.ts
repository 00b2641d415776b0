/** One direction on the rack: its slider between its two ends, and what can be done with it. */

import { LitElement, css, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import "../controls.ts";
import { Follows } from "../link.ts";
import type { Along, Control, Offered, Plain } from "../protocol.ts";
import { sign } from "../signs.ts";
import { theme } from "../theme.ts";
import { AT, ending, endings } from "./ends.ts";
import { offerOf, renamed, scored, whatIs } from "./ways.ts";

/** <ks-way name="smile">: the direction of this name in the patch. */
@customElement("ks-way")
export class Way extends LitElement {
  @property() name = "";
  @state() private open = false;
  #stage = new Follows(this, ["patch", "controls", "rack"]);

  static override styles = [
    theme,
    endings,
    css`
      :host {
        display: block;
        border: 1px solid var(--line);
        border-radius: 14px;
        background: var(--panel);
      }
      .between {
        display: grid;
        grid-template-columns: 60px minmax(0, 1fr) 60px;
        gap: 12px;
        align-items: center;
        padding: 10px 10px 2px;
      }
      .end {
        border-radius: 10px;
      }
      .bar {
        display: flex;
        align-items: center;
        padding: 0 4px 4px;
      }
      .bar button {
        color: var(--quiet);
      }
      .bar button[aria-pressed="true"] {
        color: var(--ink);
        border-color: transparent;
      }
      .bar .free[aria-pressed="true"] {
        color: var(--live);
        background: var(--live-dim);
      }
      .words {
        flex: 1;
        min-width: 0;
        padding: 0 6px;
        color: var(--quiet);
        font-size: 12px;
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .settings {
        display: grid;
        gap: 2px;
        padding: 4px 12px 12px;
        border-top: 1px solid var(--line);
      }
      .settings .take {
        justify-self: end;
        margin-top: 6px;
      }
    `,
  ];

  protected override render() {
    const { link } = this.#stage;
    const along = link.state.patch.latent.directions[this.name];
    const amount = this.#control("amount");
    if (!along || !amount) return nothing;
    const { rack } = link.state;
    const which = whatIs(this.name, along);
    const offer = offerOf(rack, this.name, along);
    const furthest = amount.high ?? AT;
    return html`
      <div class="between">
        ${ending(rack, which, "low", furthest)}
        <ks-control .control=${{ ...amount, label: this.name, unit: "σ" }}></ks-control>
        ${ending(rack, which, "high", furthest)}
      </div>
      <div class="bar">
        ${offer ? this.#star(offer) : nothing}
        ${this.#toggle("locked", "lock", `Lock ${this.name}`, "Locked, it stays where it is when the others are scattered")}
        ${this.#toggle("free", "beyond", `Let ${this.name} leave the map`, "Far beyond what the model has learnt: it may fall apart there")}
        <button
          class="bare icon"
          aria-label="Turn ${this.name} round"
          title="Turn it round: left becomes right"
          @click=${() => link.ask("opposite", { direction: this.name })}
        >
          ${sign("opposite")}
        </button>
        <span class="words" title=${offer?.words ?? ""}>${offer ? scored(offer) || offer.words : ""}</span>
        <button
          class="bare icon"
          aria-expanded=${this.open}
          aria-label="Settings of ${this.name}"
          title="Settings"
          @click=${() => (this.open = !this.open)}
        >
          ${sign("more")}
        </button>
        <button class="bare icon" aria-label="Take ${this.name} off the rack" title="Take it off the rack" @click=${this.#take}>
          ${sign("close")}
        </button>
      </div>
      ${this.open ? this.#settings(along) : nothing}
    `;
  }

  #settings(along: Along) {
    const { link } = this.#stage;
    const rows = this.#control("rows");
    return html`<div class="settings">
      <ks-text label="Name" .value=${this.name} @edit=${(event: CustomEvent<string>) => this.#rename(along, event.detail)}></ks-text>
      ${rows ? html`<ks-control .control=${{ ...rows, label: "What moves" }}></ks-control>` : nothing}
      <ks-choice
        label="The amount is"
        help=${this.#control("set")?.help ?? ""}
        .choices=${[
          { value: false, label: "added" },
          { value: true, label: "set" },
        ]}
        .value=${link.value(this.#place("set")) ?? false}
        @edit=${(event: CustomEvent<boolean>) => link.change({ [this.#place("set")]: event.detail })}
      ></ks-choice>
    </div>`;
  }

  #star({ of, rows, name, starred }: Offered) {
    return html`<button
      class="bare icon"
      aria-pressed=${starred}
      aria-label="Star ${name}"
      title=${starred ? "One of your favourites" : "Among your favourites, it comes first"}
      @click=${() => this.#stage.link.ask("star_direction", { of, rows, on: !starred })}
    >
      ${sign(starred ? "starred" : "star")}
    </button>`;
  }

  #toggle(field: "locked" | "free", mark: "lock" | "beyond", label: string, title: string) {
    const { link } = this.#stage;
    const on = link.value(this.#place(field)) === true;
    return html`<button
      class="bare icon ${field}"
      aria-pressed=${on}
      aria-label=${label}
      title=${title}
      @click=${() => link.change({ [this.#place(field)]: !on })}
    >
      ${sign(mark)}
    </button>`;
  }

  #place(field: string): string {
    return `latent.directions.${this.name}.${field}`;
  }

  #control(field: string): Control | undefined {
    return this.#stage.link.state.controls.find(({ place }) => place === this.#place(field));
  }

  #rename(along: Along, to: string): void {
    to = to.trim();
    if (to && to !== this.name) this.#stage.link.change(renamed(this.name, along, to));
  }

  #take = () => this.#stage.link.change({ [`latent.directions.${this.name}`]: null as Plain });
}
