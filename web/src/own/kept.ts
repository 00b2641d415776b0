/** What was kept: latents as a contact sheet, each with where it came from; played, mixed, taken along, deleted. */

import { LitElement, css, html, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import "../controls.ts";
import { Follows, address, asked, download } from "../link.ts";
import "../looks/pace.ts";
import type { KeptLatent } from "../protocol.ts";
import "../routes/choose.ts";
import type { Choose, Option } from "../routes/choose.ts";
import { sign } from "../signs.ts";
import { badge, empty, theme } from "../theme.ts";

/** Where a kept latent's file is. */
function fileOf(name: string): string {
  return `/api/latents/${encodeURIComponent(name)}`;
}

function pictureOf(name: string): string {
  return address(`${fileOf(name)}/picture.jpg`);
}

/** <ks-kept .seconds .easing>: how a way to one of them goes. Events: "seconds", "easing" (detail: another value). */
@customElement("ks-kept")
export class Kept extends LitElement {
  @property({ type: Number }) seconds = 2;
  @property() easing = "smoothstep";
  @state() private menu: KeptLatent | null = null;
  @state() private leaving = ""; // the one that is asked about before it is deleted
  @state() private mixing: { a: string; b: string; t: number } | null = null;
  @query("#more") private more!: Choose;
  @query("#other") private other!: Choose;
  #stage = new Follows(this, ["latents", "looks", "patch", "controls"]);

  static override styles = [
    theme,
    badge,
    empty,
    css`
      :host {
        display: grid;
        gap: 14px;
      }
      .bar {
        display: grid;
        grid-template-columns: minmax(0, 1fr) minmax(0, 1fr);
        gap: 8px;
      }
      .bar button {
        min-height: 44px;
        padding: 0 4px;
      }
      .grid {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(112px, 1fr));
        gap: 16px 12px;
      }
      .tile {
        position: relative;
        min-width: 0;
      }
      .face {
        position: relative;
        display: block;
        width: 100%;
        padding: 0;
        min-height: 0;
        aspect-ratio: 1;
        border: 0;
        border-radius: 12px;
        overflow: hidden;
        background: var(--raised);
        box-shadow: inset 0 0 0 1px var(--line);
      }
      .face:hover:not(:disabled) {
        box-shadow: 0 0 0 2px var(--edge);
      }
      .face.on {
        box-shadow: 0 0 0 2px var(--here);
      }
      .face:focus-visible {
        outline-offset: 3px;
      }
      .face img {
        display: block;
        width: 100%;
        height: 100%;
        object-fit: cover;
      }
      .face .none {
        display: grid;
        place-content: center;
        height: 100%;
        color: var(--quiet);
      }
      .parents {
        position: absolute;
        right: 6px;
        bottom: 6px;
        display: flex;
      }
      .parents img {
        width: 26px;
        height: 26px;
        border-radius: 50%;
        box-shadow: 0 0 0 1.5px #000c;
      }
      .parents img + img {
        margin-left: -7px;
      }
      .words {
        display: grid;
        gap: 1px;
        padding: 6px 30px 0 0;
        font-size: 13px;
        line-height: 1.3;
      }
      .words b {
        font-weight: 500;
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .words small {
        color: var(--quiet);
        font-size: 11.5px;
        display: -webkit-box;
        -webkit-box-orient: vertical;
        -webkit-line-clamp: 2;
        overflow: hidden;
        overflow-wrap: anywhere;
      }
      .menu {
        position: absolute;
        right: -8px;
        bottom: -4px;
        width: 40px;
        min-height: 40px;
        color: var(--quiet);
      }
      .leaving {
        display: grid;
        gap: 8px;
        place-content: center;
        justify-items: stretch;
        text-align: center;
        aspect-ratio: 1;
        padding: 8px;
        border: 1px dashed var(--edge);
        border-radius: 12px;
        font-size: 13px;
      }
      .mix {
        display: grid;
        gap: 10px;
        padding: 12px 14px;
        border: 1px solid var(--line);
        border-radius: 14px;
        background: var(--raised);
      }
      .mix .row {
        display: flex;
        gap: 8px;
        justify-content: flex-end;
      }
      .make {
        border-color: var(--here);
        background: var(--here-dim);
      }
    `,
  ];

  protected override render() {
    const { link } = this.#stage;
    const { latents, controls } = link.state;
    const playing = latents.filter((one) => this.#amount(one) !== null);
    const amounts = controls.filter((control) => control.place.startsWith("latent.places.") && control.place.endsWith(".amount"));
    return html`
      <div class="bar">
        <button @click=${() => link.ask("keep_moment")}>${sign("star")} Keep this moment</button>
        <button ?disabled=${!playing.length} @click=${() => this.#play(null)} title="What the patch itself says, without any of these">
          ${sign("back")} Back to the patch
        </button>
      </div>
      ${latents.length
        ? html`<ks-pace
              .seconds=${this.seconds}
              .easing=${this.easing}
              @seconds=${(event: CustomEvent<number>) => this.#tell("seconds", event.detail)}
              @easing=${(event: CustomEvent<string>) => this.#tell("easing", event.detail)}
            ></ks-pace>
            ${amounts.map((control) => html`<ks-control .control=${control}></ks-control>`)}
            ${this.mixing ? this.#mix(this.mixing) : nothing}
            <div class="grid">${repeat(latents, (one) => one.name, (one) => this.#tile(one))}</div>`
        : html`<p class="empty">Nothing is kept yet: find a picture of yours, or keep a moment of what plays.</p>`}
      <ks-choose
        id="more"
        .heading=${this.menu?.name ?? ""}
        .options=${this.menu ? options(this.menu, latents.length) : []}
        @chosen=${this.#chosen}
      ></ks-choose>
      <ks-choose
        id="other"
        heading="Mix ${this.menu?.name ?? ""} with"
        .options=${latents
          .filter((one) => one.fits && one.name !== this.menu?.name)
          .map((one) => ({ value: one.name, label: one.name, note: one.words }))}
        empty="There is no other one of this model."
        @chosen=${(event: CustomEvent<string>) => (this.mixing = { a: this.menu!.name, b: event.detail, t: 0.5 })}
      ></ks-choose>
    `;
  }

  #tile(one: KeptLatent) {
    const { latents, looks } = this.#stage.link.state;
    const { name } = one;
    if (this.leaving === name) {
      return html`<div class="tile">
        <div class="leaving">
          <span>Delete ${name} for good?</span>
          <button class="bad" @click=${() => this.#forget(name)}>Delete</button>
          <button @click=${() => (this.leaving = "")}>Keep it</button>
        </div>
      </div>`;
    }
    const amount = this.#amount(one);
    const coming = looks.morph?.to === `latents/${name}`;
    const pictured = new Set(latents.filter((other) => other.pictured).map((other) => other.name));
    const parents = one.parents.filter((parent) => pictured.has(parent));
    return html`<div class="tile">
      <button
        class="face ${amount === null ? "" : "on"}"
        aria-label="Play ${name}"
        aria-pressed=${amount !== null}
        title=${one.fits ? `Play ${name}` : `${name} is of another model`}
        ?disabled=${!one.fits}
        @click=${() => this.#play(name)}
        @keydown=${(event: KeyboardEvent) => this.#tileKey(event, one)}
      >
        ${one.pictured ? html`<img src=${pictureOf(name)} alt="" draggable="false" />` : html`<span class="none">${sign("star")}</span>`}
        ${coming ? html`<span class="now">on its way</span>` : amount === null ? nothing : html`<span class="now">plays</span>`}
        ${parents.length
          ? html`<span class="parents">${parents.map((parent) => html`<img src=${pictureOf(parent)} alt="" title=${parent} />`)}</span>`
          : nothing}
      </button>
      <div class="words">
        <b title=${name}>${name}</b>
        <small title=${one.words}>${one.fits ? one.words : `of another model; ${one.words}`}</small>
      </div>
      <button class="bare icon menu" aria-label="More for ${name}" aria-haspopup="dialog" @click=${() => this.#open(one)}>
        ${sign("more")}
      </button>
    </div>`;
  }

  #mix({ a, b, t }: { a: string; b: string; t: number }) {
    return html`<section class="mix" aria-label="Mix ${a} with ${b}">
      <ks-slider
        label="From ${a} to ${b}"
        .low=${0}
        .high=${100}
        .step=${1}
        .rest=${50}
        unit="%"
        .value=${100 * t}
        @edit=${(event: CustomEvent<number>) => (this.mixing = { a, b, t: event.detail / 100 })}
      ></ks-slider>
      <div class="row">
        <button @click=${() => (this.mixing = null)}>Cancel</button>
        <button class="make" @click=${() => this.#make(a, b, t)}>${sign("star")} Keep what is between</button>
      </div>
    </section>`;
  }

  /** How much of a latent plays; null: it is not in the patch. */
  #amount(one: KeptLatent): number | null {
    const place = this.#stage.link.state.patch.latent.places?.[one.place];
    if (!place) return null;
    return typeof place.amount === "number" ? place.amount : 1;
  }

  #tell(what: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(what, { detail }));
  }

  #play(latent: string | null): void {
    void this.#stage.link.ask("play_latent", { latent, seconds: this.seconds, easing: this.easing });
  }

  async #make(a: string, b: string, t: number): Promise<void> {
    if (await this.#stage.link.ask("mix", { latents: [a, b], t })) this.mixing = null;
  }

  // --- what can be done with one --------------------------------------------------------------------------------------

  #open(one: KeptLatent): void {
    this.menu = one;
    void this.#choose(this.more);
  }

  async #choose(list: Choose): Promise<void> {
    await this.updateComplete;
    await list.updateComplete;
    list.open();
  }

  #chosen = (event: CustomEvent<string>) => {
    const { name } = this.menu!;
    if (event.detail === "play") this.#play(name);
    else if (event.detail === "mix") void this.#choose(this.other);
    else if (event.detail === "delete") this.leaving = name;
    else if (event.detail === "download") download(fileOf(name), `${name}.safetensors`);
  };

  #tileKey(event: KeyboardEvent, one: KeptLatent): void {
    if (event.key === "Delete") this.leaving = one.name;
    else if (event.key === " ") event.stopPropagation(); // a press of this button, not the next cue
  }

  async #forget(name: string): Promise<void> {
    this.leaving = "";
    const { problem: detail } = await asked(fileOf(name), { method: "DELETE" });
    if (!detail) return;
    this.dispatchEvent(new CustomEvent("say", { detail, bubbles: true, composed: true }));
  }
}

function options(one: KeptLatent, of: number): Option[] {
  const found: Option[] = [];
  if (one.fits) found.push({ value: "play", label: "Play it", note: one.exact ? "with its own grain or weights" : "" });
  if (one.fits && of > 1) found.push({ value: "mix", label: "Mix it with another", note: "a child of both" });
  found.push({ value: "download", label: "Take it along", note: ".safetensors" });
  return [...found, { value: "delete", label: "Delete it" }];
}
