/** One kept look: its picture, its name, and a way to it. */

import { LitElement, css, html, nothing, svg } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { pictureOf } from "../link.ts";
import type { Snapshot } from "../protocol.ts";
import { lift } from "../routes/drag.ts";
import { sign } from "../signs.ts";
import { theme } from "../theme.ts";

/**
 * <ks-look .look .left .current>. Events: "recall", "menu", "rename" (detail: the name), "keep" (not to be forgotten after all).
 */
@customElement("ks-look")
export class Look extends LitElement {
  @property({ attribute: false }) look!: Snapshot;
  /** How much of the way to this look is still to go, 1 to 0; null: nobody is under way to it. */
  @property({ attribute: false }) left: number | null = null;
  @property({ type: Boolean }) leaving = false;
  @state() private naming = false;

  static override styles = [
    theme,
    css`
      :host {
        display: block;
        position: relative;
        min-width: 0;
      }
      .tile {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        justify-content: stretch;
        align-content: start;
        gap: 6px;
        width: 100%;
        padding: 0;
        border: 0;
        background: none;
        text-align: left;
        font-size: 13px;
        touch-action: pan-y;
        -webkit-touch-callout: none;
      }
      .tile:hover:not(:disabled),
      .tile:active:not(:disabled) {
        background: none;
      }
      .picture {
        position: relative;
        width: 100%;
        aspect-ratio: 1;
        border-radius: 12px;
        overflow: hidden;
        background: var(--raised);
        box-shadow: inset 0 0 0 1px var(--line);
      }
      .tile:hover .picture {
        box-shadow: 0 0 0 2px var(--edge);
      }
      .tile:focus-visible {
        outline: none;
      }
      .tile:focus-visible .picture {
        box-shadow: 0 0 0 3px var(--here);
      }
      img {
        position: absolute;
        inset: 0;
        width: 100%;
        height: 100%;
        object-fit: cover;
        pointer-events: none;
      }
      .name {
        padding-right: 34px;
        min-height: 1.45em;
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .safe {
        position: absolute;
        left: 6px;
        top: 6px;
        display: flex;
        gap: 4px;
        align-items: center;
        padding: 2px 7px 2px 4px;
        border-radius: 99px;
        background: #0b1410d9;
        color: var(--good);
        font-size: 11px;
      }
      .safe .sign {
        width: 14px;
        height: 14px;
      }
      .way {
        position: absolute;
        left: 0;
        right: 0;
        bottom: 0;
        height: 5px;
        background: #000a;
      }
      .way div {
        height: 100%;
        background: var(--here);
        transform-origin: left;
        transition: transform 0.12s linear;
      }
      .menu {
        position: absolute;
        right: -6px;
        bottom: -9px;
        width: 40px;
        min-height: 40px;
        color: var(--quiet);
      }
      input {
        width: 100%;
        min-height: 40px;
        margin-top: -4px;
      }
      .leaving {
        display: grid;
        gap: 8px;
        place-content: center;
        justify-items: center;
        text-align: center;
        width: 100%;
        aspect-ratio: 1;
        border: 1px dashed var(--edge);
        border-radius: 12px;
        font-size: 13px;
        color: var(--quiet);
      }
    `,
  ];

  protected override render() {
    const { look } = this;
    if (this.leaving) {
      return html`<div class="leaving" role="status">
        Forgotten
        <button @click=${() => this.#tell("keep")} aria-label="Keep ${look.name} after all">Keep it</button>
      </div>`;
    }
    return html`<button
        class="tile"
        aria-label="Go to ${look.name}${look.safe ? ", the safe look" : ""}"
        title="Go to ${look.name}; hold it for more"
        @pointerdown=${this.#press}
        @click=${(event: MouseEvent) => event.detail === 0 && this.#tell("recall")}
        @contextmenu=${(event: Event) => (event.preventDefault(), this.#tell("menu"))}
        @keydown=${this.#key}
      >
        <span class="picture">
          <img src=${pictureOf(look)} alt="" draggable="false" @error=${(event: Event) => ((event.target as HTMLElement).hidden = true)} />
          ${look.safe ? html`<span class="safe">${sign("safe")}safe</span>` : nothing}
          ${this.left === null
            ? nothing
            : html`<span class="way"><div .style=${`transform:scaleX(${(1 - this.left).toFixed(3)})`}></div></span>`}
        </span>
        ${this.naming ? nothing : html`<span class="name">${look.name}</span>`}
      </button>
      ${this.naming
        ? html`<input
            type="text"
            aria-label="New name"
            maxlength="80"
            .value=${look.name}
            @keydown=${this.#nameKey}
            @blur=${(event: Event) => this.#named((event.target as HTMLInputElement).value)}
          />`
        : html`<button class="bare icon menu" aria-label="More for ${look.name}" aria-haspopup="dialog" @click=${() => this.#tell("menu")}>
            <svg class="sign" viewBox="0 0 18 18" aria-hidden="true">
              ${[4, 9, 14].map((x) => svg`<circle cx=${x} cy="9" r="1.1" fill="currentColor"></circle>`)}
            </svg>
          </button>`}`;
  }

  /** Let the player type another name. */
  rename(): void {
    this.naming = true;
    void this.updateComplete.then(() => this.renderRoot.querySelector("input")?.select());
  }

  #press = (event: PointerEvent) => {
    const { look } = this;
    lift(event, { what: "look", name: look.id, label: look.name }, {
      ghost: () => token(look),
      tap: () => this.#tell("recall"),
      held: () => this.#tell("menu"),
    });
  };

  #key = (event: KeyboardEvent) => {
    if (event.key === "F2") this.rename();
    else if (event.key === "Delete") this.#tell("forget");
    else if (event.key === " ") event.stopPropagation(); // a press of this button, not the next cue
  };

  #nameKey = (event: KeyboardEvent) => {
    event.stopPropagation();
    if (event.key === "Enter") (event.target as HTMLElement).blur();
    if (event.key === "Escape") this.naming = false;
  };

  #named(name: string): void {
    if (!this.naming) return;
    this.naming = false;
    name = name.trim();
    if (name && name !== this.look.name) this.dispatchEvent(new CustomEvent("rename", { detail: name }));
  }

  #tell(what: string): void {
    this.dispatchEvent(new CustomEvent(what));
  }
}

/** What hangs on the hand while a look is carried. */
export function token(look: Snapshot): HTMLElement {
  const element = document.createElement("img");
  element.src = pictureOf(look);
  element.alt = "";
  const style: Record<string, string> = {
    width: "64px",
    height: "64px",
    "object-fit": "cover",
    background: "#22262d",
    "border-radius": "50%",
    "box-shadow": "0 10px 34px rgb(0 0 0 / 60%), 0 0 0 2px #ece9e3",
  };
  for (const [name, value] of Object.entries(style)) element.style.setProperty(name, value);
  return element;
}
