/** A short list over the page: what a hand would do by dragging, done by key or by tap. */

import { LitElement, css, html, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { sign } from "../signs.ts";
import { theme } from "../theme.ts";

export interface Option {
  value: string;
  label: string;
  note?: string;
  group?: string;
}

/** <ks-choose .title .options>: `open()` shows it; event "chosen" (detail: the value). Escape and a tap beside it close it. */
@customElement("ks-choose")
export class Choose extends LitElement {
  @property() heading = "";
  @property({ attribute: false }) options: Option[] = [];
  /** Said where there is nothing to choose. */
  @property() empty = "There is nothing to choose.";

  @state() private sought = "";
  @query("dialog") private dialog!: HTMLDialogElement;

  static override styles = [
    theme,
    css`
      dialog {
        width: min(420px, calc(100vw - 24px));
        max-height: min(620px, calc(100dvh - 24px));
        padding: 0;
        border: 1px solid var(--line);
        border-radius: 16px;
        background: var(--panel);
        color: var(--ink);
        box-shadow: 0 24px 80px #000c;
        overflow: hidden;
      }
      dialog[open] {
        display: flex;
        flex-direction: column;
      }
      dialog::backdrop {
        background: #000a;
      }
      header {
        display: flex;
        align-items: center;
        gap: 12px;
        padding: 12px 12px 8px 18px;
      }
      h2 {
        flex: 1;
      }
      input {
        margin: 0 18px 8px;
      }
      .list {
        overflow: auto;
        padding: 0 10px 12px;
      }
      h3 {
        padding: 10px 8px 4px;
      }
      .list button {
        display: flex;
        width: 100%;
        min-height: 44px;
        justify-content: space-between;
        text-align: left;
        gap: 12px;
      }
      .list small {
        color: var(--quiet);
        font-size: 12px;
        text-align: right;
      }
      p {
        padding: 4px 8px 8px;
        color: var(--quiet);
      }
    `,
  ];

  open(): void {
    this.sought = "";
    this.dialog.showModal();
    this.renderRoot.querySelector<HTMLElement>(this.options.length > 9 ? "input" : ".list button")?.focus();
  }

  protected override render() {
    const wanted = this.options.filter((o) => o.label.toLowerCase().includes(this.sought.toLowerCase()));
    let group: string | undefined;
    return html`<dialog
      aria-labelledby="heading"
      @click=${(event: Event) => event.target === this.dialog && this.dialog.close()}
      @keydown=${this.#key}
    >
      <header>
        <h2 id="heading">${this.heading}</h2>
        <button class="bare icon" aria-label="Close" @click=${() => this.dialog.close()}>${sign("close")}</button>
      </header>
      ${this.options.length > 9
        ? html`<input
            type="search"
            placeholder="Type a few letters"
            aria-label="Seek in this list"
            .value=${this.sought}
            @input=${(event: Event) => (this.sought = (event.target as HTMLInputElement).value)}
          />`
        : nothing}
      <div class="list">
        ${this.options.length ? nothing : html`<p>${this.empty}</p>`}
        ${wanted.map((option) => {
          const heading = option.group !== group ? html`<h3>${option.group}</h3>` : nothing;
          group = option.group;
          return html`${heading}<button class="bare" @click=${() => this.#take(option.value)}>
              <span>${option.label}</span>${option.note ? html`<small>${option.note}</small>` : nothing}
            </button>`;
        })}
      </div>
    </dialog>`;
  }

  #take(value: string): void {
    this.dialog.close();
    this.dispatchEvent(new CustomEvent("chosen", { detail: value }));
  }

  #key = (event: KeyboardEvent) => {
    event.stopPropagation(); // the shell's keys rest while a list is open
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const buttons = [...this.renderRoot.querySelectorAll<HTMLElement>(".list button")];
    const here = buttons.indexOf((this.renderRoot as ShadowRoot).activeElement as HTMLElement);
    buttons[(here + by + buttons.length) % buttons.length]?.focus();
  };
}
