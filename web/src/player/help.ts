/** The help overlay: every key, and what the words mean. */

import { LitElement, css, html } from "lit";
import { customElement, query } from "lit/decorators.js";
import { sign } from "../signs.ts";
import { theme } from "../theme.ts";

const KEYS: [string, string][] = [
  ["F", "Freeze: the picture stands still, and moves again"],
  ["B", "Fade to black, and back"],
  ["S", "Back to the safe look"],
  ["Ctrl Z", "Undo; with Shift, redo"],
  ["D", "Dice: another seed"],
  ["N", "Keep this look"],
  ["1 – 9", "Go to a look that was kept; with Shift, slowly"],
  ["Space", "The next cue"],
  ["[", "Back to how it looked five seconds ago"],
  ["R", "Record a take, and stop"],
  ["Tab", "From control to control; arrows move it, Shift makes it fine, Delete brings its default"],
  ["G", "Draw what the features look at"],
  ["?", "This page"],
];

const WORDS: [string, string][] = [
  ["source", "what moves: a camera, a film, a hand"],
  ["feature", "a number, or many, drawn from a source"],
  ["route", "from a feature to a control: its range, its curve, its calm"],
  ["latent", "where in the model's space of pictures you are"],
  ["boldness", "how far from the average picture (psi); 0 is the average"],
  ["rows", "coarse is pose and shape, middle the features, fine colour and texture"],
  ["drift", "the part that no feature moves wanders by itself, and comes round"],
  ["direction", "a way through the model that changes one thing; its slider is in σ: most pictures lie within 2"],
  ["look", "how everything stands at one moment"],
  ["morph", "the way from one look to another, in a time of your choice"],
  ["cue", "a look and the time it takes to get there, in the order of the evening"],
  ["patch", "a saved instrument"],
  ["take", "a recorded performance that plays again"],
];

@customElement("ks-help")
export class Help extends LitElement {
  @query("dialog") private dialog!: HTMLDialogElement;

  static override styles = [
    theme,
    css`
      dialog {
        width: min(860px, calc(100vw - 24px));
        max-height: calc(100dvh - 24px);
        padding: 22px 26px 26px;
        border: 1px solid var(--line);
        border-radius: 18px;
        background: var(--panel);
        color: var(--ink);
        overflow: auto;
      }
      dialog::backdrop {
        background: #000a;
      }
      header {
        display: flex;
        align-items: center;
        margin-bottom: 12px;
      }
      header h2 {
        flex: 1;
        font-size: 18px;
      }
      .two {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(min(320px, 100%), 1fr));
        gap: 12px 36px;
      }
      dl {
        display: grid;
        grid-template-columns: auto 1fr;
        gap: 8px 14px;
        margin: 10px 0 0;
        align-items: baseline;
      }
      dt {
        color: var(--ink);
      }
      dd {
        margin: 0;
        color: var(--quiet);
      }
      footer {
        margin-top: 18px;
      }
    `,
  ];

  override render() {
    return html`<dialog aria-label="Help" @click=${(event: Event) => event.target === this.dialog && this.dialog.close()}>
      <header>
        <h2>Keys and words</h2>
        <button class="bare icon" aria-label="Close" @click=${() => this.dialog.close()}>${sign("close")}</button>
      </header>
      <div class="two">
        <div>
          <h3>Keys</h3>
          <dl>
            ${KEYS.map(([key, what]) => html`<dt><kbd>${key}</kbd></dt><dd>${what}</dd>`)}
          </dl>
        </div>
        <div>
          <h3>Words</h3>
          <dl>
            ${WORDS.map(([word, what]) => html`<dt>${word}</dt><dd>${what}</dd>`)}
          </dl>
        </div>
      </div>
      <footer>
        <button
          @click=${() => {
            this.dialog.close();
            this.dispatchEvent(new CustomEvent("tour", { bubbles: true, composed: true }));
          }}
        >
          Show me round
        </button>
      </footer>
    </dialog>`;
  }

  get open(): boolean {
    return this.dialog?.open ?? false;
  }

  toggle(): void {
    if (this.dialog.open) this.dialog.close();
    else this.dialog.showModal();
  }
}
