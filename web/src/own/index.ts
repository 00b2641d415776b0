/** The panel of the player's own pictures: bring one, lay a square, find it in the model, keep it, and play it. */

import { LitElement, css, html, nothing } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import "../controls.ts";
import { Follows } from "../link.ts";
import type { OwnPicture } from "../protocol.ts";
import { sign } from "../signs.ts";
import { panel, theme } from "../theme.ts";
import { bringPicture, placeOf, squareOf } from "./bring.ts";
import "./centres.ts";
import "./kept.ts";
import "./lay.ts";
import "./sitting.ts";
import { atWork } from "./sitting.ts";
import "./snap.ts";
import type { Square } from "./square.ts";

const EFFORTS: Record<string, string> = {
  quick: "In seconds, the nearest of the model’s own pictures.",
  careful: "A minute or so: each row finds its own place.",
  exact: "Longer still: with its own grain, and the model itself gives way a little.",
};

@customElement("ks-yours")
export class Yours extends LitElement {
  @state() private square: Square | null = null;
  @state() private ghost = false;
  @state() private face = false;
  @state() private snapping = false;
  @state() private seeking: "" | "face" | "place" = "";
  @state() private effort = "quick";
  @state() private faithful = 0.5;
  @state() private seconds = 2; // of a way to what is kept
  @state() private easing = "smoothstep";
  @query("input[type=file]") private files!: HTMLInputElement;
  #stage = new Follows(this, ["own", "model"]);
  #number = 0; // the picture that the square is on
  #turns = false; // whether the panel is to turn to how it goes

  static override styles = [
    theme,
    panel,
    css`
      .none {
        display: grid;
        gap: 14px;
        justify-items: center;
        padding: 26px 18px;
        border: 1.5px dashed var(--edge);
        border-radius: 16px;
        color: var(--quiet);
        text-align: center;
      }
      .row {
        display: flex;
        flex-wrap: wrap;
        gap: 8px;
      }
      .row button {
        min-height: 40px;
      }
      .ways {
        gap: 6px;
      }
      .ways button {
        min-height: 34px;
        padding: 0 0.7em;
        font-size: 13px;
      }
      @media (pointer: coarse) {
        .row button {
          min-height: 44px;
        }
      }
      .hint {
        font-size: 12.5px;
        color: var(--quiet);
      }
      .find {
        min-height: 50px;
        border-color: var(--here);
        background: var(--here-dim);
        font-weight: 600;
      }
      .effort {
        display: grid;
        gap: 2px;
      }
    `,
  ];

  protected override willUpdate(): void {
    const { picture } = this.#stage.link.state.own;
    if (!picture || picture.number === this.#number) return;
    this.#number = picture.number;
    this.square = picture.square;
    this.face = false;
  }

  protected override updated(): void {
    const sitting = this.renderRoot.querySelector("ks-sitting");
    if (!this.#turns || !sitting) return;
    this.#turns = false;
    sitting.scrollIntoView({ block: "center" });
  }

  protected override render() {
    const { picture, sitting } = this.#stage.link.state.own;
    return html`
      <section aria-labelledby="yours">
        <header>
          <h2 id="yours">A picture of yours</h2>
          <p>${picture && !this.snapping ? picture.name : "Found in the model, and played"}</p>
        </header>
        ${this.snapping
          ? html`<ks-snap
              @taken=${(event: CustomEvent<Blob>) => this.#bring(event.detail, "camera.jpg")}
              @close=${() => (this.snapping = false)}
            ></ks-snap>`
          : picture && this.square
            ? this.#laid(picture, this.square)
            : html`<div class="none">
                <p>Drop a picture here: a portrait for a model of portraits.</p>
                <div class="row">${this.#ways()}</div>
              </div>`}
        <input
          class="unseen"
          type="file"
          accept="image/*"
          tabindex="-1"
          aria-label="A picture of yours"
          @change=${() => this.files.files?.[0] && this.#bring(this.files.files[0], this.files.files[0].name)}
        />
      </section>
      ${sitting
        ? html`<section aria-labelledby="found">
            <header><h2 id="found">In the model</h2></header>
            <ks-sitting .seconds=${this.seconds} .easing=${this.easing}></ks-sitting>
          </section>`
        : nothing}
      <section aria-labelledby="kept">
        <header>
          <h2 id="kept">Kept</h2>
          <p>Press one to go there</p>
        </header>
        <ks-kept
          .seconds=${this.seconds}
          .easing=${this.easing}
          @seconds=${(event: CustomEvent<number>) => (this.seconds = event.detail)}
          @easing=${(event: CustomEvent<string>) => (this.easing = event.detail)}
        ></ks-kept>
      </section>
      <section aria-labelledby="centres">
        <header>
          <h2 id="centres">What this model makes</h2>
          <p>Its most frequent kinds of picture</p>
        </header>
        <ks-centres .seconds=${this.seconds} .easing=${this.easing}></ks-centres>
      </section>
    `;
  }

  #ways() {
    return html`<button @click=${() => this.files.click()}>${sign("plus")} Choose a picture</button>
      <button @click=${() => (this.snapping = true)}>${sign("camera")} Use the camera</button>`;
  }

  #laid(picture: OwnPicture, square: Square) {
    const { own } = this.#stage.link.state;
    return html`
      <ks-lay
        .picture=${picture}
        .square=${square}
        ?ghost=${this.ghost}
        ?face=${this.face}
        @lay=${(event: CustomEvent<Square>) => (this.square = event.detail)}
      >
        <p class="hint">
          ${this.face
            ? "Drag the four points onto both eyes and both corners of the mouth; the square follows."
            : "Drag the square; pull a corner to size and turn it. The arrow keys do the same."}
        </p>
        <div class="row ways" slot="ways">
          <button ?disabled=${!!this.seeking} @click=${() => this.#seek("face")}>
            ${this.seeking === "face" ? "Looking…" : "Find the face"}
          </button>
          <button
            ?disabled=${!!this.seeking}
            title="Where the model finds one of its own pictures in yours, be there a face or not; it takes some seconds"
            @click=${() => this.#seek("place")}
          >
            ${this.seeking === "place" ? "Looking…" : "Find the best place"}
          </button>
          <button aria-pressed=${this.face} @click=${() => (this.face = !this.face)}>Eyes and mouth</button>
          <button
            aria-pressed=${this.ghost}
            title="The model’s average picture, laid over yours: where they match, it is best found"
            @click=${() => (this.ghost = !this.ghost)}
          >
            Average over it
          </button>
          <button @click=${() => (this.square = picture.square)}>The middle</button>
        </div>
      </ks-lay>
      <div class="effort">
        <ks-choice
          label="How well"
          form="side by side"
          .choices=${own.efforts}
          .value=${this.effort}
          @edit=${(event: CustomEvent<string>) => (this.effort = event.detail)}
        ></ks-choice>
        <p class="hint">${EFFORTS[this.effort] ?? ""}</p>
      </div>
      ${this.effort === "quick"
        ? nothing
        : html`<ks-slider
            label="Editable to faithful"
            help="0 stays where the model’s own pictures are, and moves as they do; 1 follows your picture wherever it leads."
            .low=${0}
            .high=${1}
            .rest=${0.5}
            .value=${this.faithful}
            @edit=${(event: CustomEvent<number>) => (this.faithful = event.detail)}
          ></ks-slider>`}
      <button class="find" ?disabled=${atWork(own.sitting)} @click=${() => this.#find(square)}>
        ${sign("play")} Find it in the model
      </button>
      <div class="row">${this.#ways()}</div>
    `;
  }

  async #bring(picture: Blob, name: string): Promise<void> {
    this.snapping = false;
    this.files.value = "";
    this.#say(await bringPicture(picture, name));
  }

  async #seek(what: "face" | "place"): Promise<void> {
    this.seeking = what;
    const found = await (what === "face" ? squareOf(null) : placeOf());
    this.seeking = "";
    if (typeof found === "string") return this.#say(found);
    this.face = false;
    this.square = found;
  }

  async #find({ x, y, size, angle }: Square): Promise<void> {
    const { effort, faithful } = this;
    this.#turns = await this.#stage.link.ask("project", { square: { x, y, size, angle }, effort, faithful });
    this.requestUpdate();
  }

  #say(detail: string): void {
    if (detail) this.dispatchEvent(new CustomEvent("say", { detail, bubbles: true, composed: true }));
  }
}
