/** A button that deletes a file of the library, once it was asked twice. */

import { LitElement, css, html } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { asked } from "../link.ts";
import { sign } from "../signs.ts";
import { theme } from "../theme.ts";

@customElement("ks-bin")
export class Bin extends LitElement {
  @property() shelf: "patches" | "models" | "takes" = "takes";
  @property() name = "";
  @state() private asked = false;

  static override styles = [
    theme,
    css`
      :host {
        display: block;
        flex: none;
      }
      .bare {
        color: var(--quiet);
      }
    `,
  ];

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (changed.has("name")) this.asked = false; // another line of the list has come to stand here
  }

  protected override updated(changed: Map<string, unknown>): void {
    if (changed.has("asked") && this.asked) this.renderRoot.querySelector("button")?.focus();
  }

  override render() {
    if (!this.asked) {
      return html`<button
        class="bare icon"
        title="Delete ${this.name}"
        aria-label="Delete ${this.name}"
        @click=${() => (this.asked = true)}
      >
        ${sign("bin")}
      </button>`;
    }
    return html`<button
      class="bad"
      aria-label="Yes, delete ${this.name} for good"
      @click=${this.#forget}
      @blur=${() => (this.asked = false)}
      @keydown=${this.#key}
    >
      Delete for good?
    </button>`;
  }

  #key = (event: KeyboardEvent) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    this.asked = false;
  };

  async #forget(): Promise<void> {
    const { problem } = await asked(`/api/${this.shelf}/${encodeURIComponent(this.name)}`, { method: "DELETE" });
    this.asked = false;
    if (problem) this.dispatchEvent(new CustomEvent("say", { detail: problem, bubbles: true, composed: true }));
  }
}
