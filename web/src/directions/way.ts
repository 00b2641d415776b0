/** One direction on the rack: its slider between its two ends, and what can be done with it. */

import { LitElement, css, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { live } from "lit/directives/live.js";
import "../controls.ts";
import { Follows } from "../link.ts";
import type { Control, Offered, Plain } from "../protocol.ts";
import { sign } from "../signs.ts";
import { theme } from "../theme.ts";
import { AT, ending, endings } from "./ends.ts";
import { judged, known, offerOf, renamed, whatIs } from "./ways.ts";

/** <ks-way name="smile">: the direction of this name in the patch. Event "renamed" (detail: {from, to}). */
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
        padding: 10px 10px 4px;
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
        padding: 0 12px;
        color: var(--quiet);
        font-size: 12.5px;
        line-height: 1.35;
        overflow-wrap: anywhere;
      }
      .bar .push {
        flex: 1;
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
      ${offer?.words ? html`<p class="words" title=${known(offer)}>${offer.words}</p>` : nothing}
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
        <span class="push"></span>
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
      ${this.open ? this.#settings(offer) : nothing}
    `;
  }

  #settings(offer: Offered | undefined) {
    const { link } = this.#stage;
    const rows = this.#control("rows");
    const worth = offer ? judged(offer) : "";
    return html`<div class="settings">
      ${worth ? html`<p class="quiet">${worth}</p>` : nothing}
      <ks-text label="Name" .value=${live(this.name)} @edit=${(event: CustomEvent<string>) => this.#rename(event.detail)}></ks-text>
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

  #rename(to: string): void {
    const { link } = this.#stage;
    const { patch } = link.state;
    to = to.trim();
    this.requestUpdate(); // what cannot be its name is in the field no longer
    if (!to || to === this.name) return;
    if (to in patch.latent.directions) return this.#tell("say", `${to} is on the rack already: give it another name.`);
    this.#tell("renamed", { from: this.name, to });
    link.change(renamed(patch, this.name, to));
  }

  #tell(what: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(what, { detail, bubbles: true, composed: true }));
  }

  #take = () => this.#stage.link.change({ [`latent.directions.${this.name}`]: null as Plain });
}
