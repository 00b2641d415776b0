/** The bar that saves a show: freeze, black, the safe look, and the way back. */

import { LitElement, css, html, nothing } from "lit";
import { customElement } from "lit/decorators.js";
import { Follows, stage } from "../link.ts";
import { type Sign, sign } from "../signs.ts";
import { theme } from "../theme.ts";

export const BLACK_SECONDS = 0.8;

@customElement("ks-panic")
export class Panic extends LitElement {
  #stage = new Follows(this, ["performance", "history", "connection"]);

  static override styles = [
    theme,
    css`
      :host {
        display: block;
        container-type: inline-size;
      }
      .bar {
        display: flex;
        gap: 6px;
        justify-content: center;
      }
      .gap {
        width: 14px;
        flex: none;
      }
      button {
        min-height: 44px;
        padding: 0 0.9em;
      }
      button.go {
        background: var(--here-dim);
        border-color: var(--here);
      }
      button[aria-pressed="true"] {
        background: var(--ink);
        border-color: var(--ink);
        color: #111;
      }
      button[aria-pressed="true"] kbd {
        color: #444;
        border-color: #999;
      }
      @container (max-width: 820px) {
        kbd {
          display: none;
        }
      }
      @container (max-width: 620px) {
        .bar {
          gap: 4px;
          justify-content: stretch;
        }
        .gap {
          display: none;
        }
        button {
          flex: 1;
          flex-direction: column;
          gap: 2px;
          min-width: 0;
          min-height: 54px;
          padding: 4px 0;
          font-size: 11.5px;
          line-height: 1.2;
        }
      }
    `,
  ];

  override render() {
    const { link } = this.#stage;
    const { performance, history } = link.state;
    const away = !link.connected || link.role === "viewer";
    const button = (
      what: Sign,
      label: string,
      key: string,
      act: () => void,
      { pressed, off, help }: { pressed?: boolean; off?: boolean; help: string },
    ) =>
      html`<button
        title=${`${help} (${key})`}
        aria-pressed=${pressed ?? nothing}
        aria-keyshortcuts=${key.replace("Ctrl ", "Control+")}
        ?disabled=${away || off}
        @click=${act}
      >
        ${sign(what)}<span>${label}</span><kbd>${key}</kbd>
      </button>`;
    return html`<div class="bar" role="toolbar" aria-label="Panic and history">
      ${button("freeze", performance.frozen ? "Frozen" : "Freeze", "F", () => panic.freeze(), {
        pressed: performance.frozen,
        help: "The picture stands still",
      })}
      ${button("black", "Black", "B", () => panic.black(), {
        pressed: performance.black,
        help: "Fade to black, and back",
      })}
      ${button("safe", "Safe", "S", () => panic.safe(), { help: "Back to the safe look" })}
      <span class="gap"></span>
      ${button("undo", "Undo", "Ctrl Z", () => panic.undo(), { off: !history.undo, help: "Take the last change back" })}
      ${button("dice", "Dice", "D", () => panic.dice(), { help: "Another seed" })}
      ${button("snapshot", "Keep", "N", () => panic.snapshot(), { help: "Keep this look, to go back to" })}
    </div>`;
  }
}

/** What the bar and the keys do. */
export const panic = {
  freeze: () => stage().ask("freeze", { on: !stage().state.performance.frozen }),
  black: () => stage().ask("black", { on: !stage().state.performance.black, seconds: BLACK_SECONDS }),
  safe: () => stage().ask("safe"),
  undo: () => stage().ask("undo"),
  redo: () => stage().ask("redo"),
  dice: () => stage().ask("seed_dice"),
  snapshot: () => stage().ask("snapshot"),
};
