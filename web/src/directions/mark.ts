/** A box that a hand draws on the picture that plays. */

import { LitElement, css, html } from "lit";
import { customElement, property } from "lit/decorators.js";
import "../player/box.ts";
import { type Region, drawn } from "../player/box.ts";
import { hint, theme } from "../theme.ts";
import { type Marked, type Place, placeIn } from "./marked.ts";

const FIRST: Region = [0.35, 0.35, 0.65, 0.65]; // for who draws by keys

/** <ks-mark .region>: null before there is one. Event "marked" (detail: the region), which bubbles. Put it into a ks-picture. */
@customElement("ks-mark")
export class Mark extends LitElement {
  @property({ attribute: false }) region: Region | null = null;
  #from: Place | null = null;
  #byKey = false; // the box that comes is moved by keys

  static override styles = [
    theme,
    hint,
    css`
      :host,
      .field {
        position: absolute;
        inset: 0;
      }
      .field {
        cursor: crosshair;
        touch-action: none;
      }
      .field:focus-visible {
        outline-offset: -4px;
      }
    `,
  ];

  protected override render() {
    return html`<div
        class="field"
        role="group"
        tabindex="0"
        aria-label="The picture: draw a box on it, or press Enter for one"
        @pointerdown=${this.#down}
        @pointermove=${this.#move}
        @pointerup=${this.#up}
        @pointercancel=${this.#up}
        @keydown=${this.#key}
      ></div>
      ${this.region
        ? html`<ks-box
            .region=${this.region}
            label="This part of the picture"
            editing
            chosen
            @move=${(event: CustomEvent<Region>) => this.#tell(event.detail)}
          ></ks-box>`
        : html`<p><span>Draw a box on the picture</span></p>`}`;
  }

  protected override async updated(): Promise<void> {
    const box = this.renderRoot.querySelector("ks-box");
    if (!this.#byKey || !box) return;
    this.#byKey = false;
    await box.updateComplete;
    box.focus();
  }

  #place(event: PointerEvent): Place {
    return placeIn(this.getBoundingClientRect(), event);
  }

  #down(event: PointerEvent): void {
    if (event.button !== 0) return;
    this.#from = this.#place(event);
    (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
  }

  #move(event: PointerEvent): void {
    if (this.#from) this.#tell(drawn(this.#from, this.#place(event)));
  }

  #up(): void {
    this.#from = null;
  }

  #key(event: KeyboardEvent): void {
    if (event.key !== "Enter") return;
    event.preventDefault();
    if (this.region) return this.renderRoot.querySelector("ks-box")?.focus();
    this.#byKey = true;
    this.#tell(FIRST);
  }

  #tell(region: Region): void {
    this.dispatchEvent(new CustomEvent<Partial<Marked>>("marked", { detail: { region }, bubbles: true, composed: true }));
  }
}

declare global {
  interface HTMLElementTagNameMap {
    "ks-mark": Mark;
  }
}
