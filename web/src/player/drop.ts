/** A button that opens a small panel beneath it. */

import { LitElement, css, html } from "lit";
import { customElement, property, query } from "lit/decorators.js";
import { theme } from "../theme.ts";

@customElement("ks-drop")
export class Drop extends LitElement {
  @property() label = "";
  @property({ type: Boolean, reflect: true }) open = false;
  /** Which edge the panel keeps to: "left" or "right". */
  @property({ reflect: true }) edge: "left" | "right" = "left";
  @query("button") private button!: HTMLButtonElement;

  static override styles = [
    theme,
    css`
      :host {
        position: relative;
        display: block;
        min-width: 0;
      }
      button {
        max-width: 100%;
        min-width: 0;
      }
      .panel {
        position: absolute;
        z-index: 30;
        top: calc(100% + 6px);
        width: min(340px, calc(100vw - 24px));
        max-height: min(70vh, 640px);
        overflow: auto;
        padding: 14px;
        border: 1px solid var(--line);
        border-radius: 14px;
        background: var(--panel);
        box-shadow: 0 18px 50px #000b;
      }
      :host([edge="left"]) .panel {
        left: 0;
      }
      :host([edge="right"]) .panel {
        right: 0;
      }
      @media (max-width: 860px) {
        button {
          padding: 0 8px;
        }
        .panel {
          position: fixed;
          top: 56px;
          left: 12px !important;
          right: 12px !important;
          width: auto;
        }
      }
    `,
  ];

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener("pointerdown", this.#elsewhere, true);
    this.addEventListener("keydown", this.#key);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    removeEventListener("pointerdown", this.#elsewhere, true);
    this.removeEventListener("keydown", this.#key);
  }

  override render() {
    return html`<button
        class="bare"
        part="button"
        aria-haspopup="true"
        aria-expanded=${this.open}
        aria-label=${this.label}
        title=${this.label}
        @click=${() => (this.open = !this.open)}
      >
        <slot name="button"></slot>
      </button>
      ${this.open
        ? html`<div class="panel" role="group" aria-label=${this.label}><slot></slot></div>`
        : ""}`;
  }

  protected override updated(changed: Map<string, unknown>): void {
    if (changed.has("open")) this.dispatchEvent(new CustomEvent("turn", { detail: this.open }));
  }

  close(): void {
    this.open = false;
    this.button.focus();
  }

  #elsewhere = (event: Event) => {
    if (this.open && !event.composedPath().includes(this)) this.open = false;
  };

  #key = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !this.open) return;
    event.stopPropagation();
    this.close();
  };
}
