/** Teaching the model a word: beginning, and going on with what was begun. */

import { LitElement, css, html, nothing } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import "../controls.ts";
import { Follows } from "../link.ts";
import type { LessonKind } from "../protocol.ts";
import { sign } from "../signs.ts";
import { theme } from "../theme.ts";
import "./lesson.ts";
import type { LessonPage } from "./lesson.ts";

const KINDS: Record<LessonKind, { label: string; about: string }> = {
  "yes-no": { label: "yes or no", about: "Swipe: to the right for yes, to the left for no." },
  pairs: { label: "two", about: "Two pictures at a time: which of them has more?" },
  graded: { label: "1 to 5", about: "Each picture gets a grade." },
};

@customElement("ks-teach")
export class Teach extends LitElement {
  @state() private word = "";
  @state() private kind: LessonKind = "yes-no";
  @state() private leaving = ""; // the word whose answers are asked about before they are deleted
  @query("ks-lesson") private lesson!: LessonPage;
  #stage = new Follows(this, ["teaching"]);

  static override styles = [
    theme,
    css`
      :host {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 12px;
      }
      form {
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto;
        gap: 8px;
      }
      form > * {
        min-height: 44px;
      }
      .begin {
        border-color: var(--here);
        background: var(--here-dim);
        font-weight: 600;
      }
      .hint {
        font-size: 12.5px;
        color: var(--quiet);
      }
      .kept {
        display: grid;
        gap: 6px;
      }
      .one {
        display: flex;
        gap: 4px;
      }
      .one .go {
        flex: 1;
        min-width: 0;
        min-height: 44px;
        justify-content: space-between;
        overflow-wrap: anywhere;
        text-align: left;
      }
      .one small {
        color: var(--quiet);
        white-space: nowrap;
      }
      .one .icon {
        min-height: 44px;
        color: var(--quiet);
      }
    `,
  ];

  protected override render() {
    const { teaching } = this.#stage.link.state;
    return html`
      <form @submit=${this.#begin}>
        <input
          type="text"
          aria-label="The word"
          placeholder="smiling, gloomy, too much red…"
          maxlength="64"
          autocomplete="off"
          .value=${this.word}
          @input=${(event: Event) => (this.word = (event.target as HTMLInputElement).value)}
        />
        <button class="begin" ?disabled=${!this.word.trim()}>${sign("play")} Teach it</button>
      </form>
      <div>
        <ks-choice
          label="Answers"
          form="side by side"
          .choices=${Object.entries(KINDS).map(([value, { label }]) => ({ value, label }))}
          .value=${this.kind}
          @edit=${(event: CustomEvent<LessonKind>) => (this.kind = event.detail)}
        ></ks-choice>
        <p class="hint">${KINDS[this.kind].about}</p>
      </div>
      ${teaching.kept.length
        ? html`<div class="kept" role="group" aria-label="Words that were begun">${teaching.kept.map((one) => this.#one(one))}</div>`
        : nothing}
      <ks-lesson></ks-lesson>
    `;
  }

  #one({ word, kind, count, fits }: { word: string; kind: LessonKind; count: number; fits: boolean }) {
    if (this.leaving === word) {
      return html`<div class="one">
        <button class="bad go" @click=${() => this.#forget(word)}>Delete all ${count} answers to “${word}”</button>
        <button @click=${() => (this.leaving = "")}>Keep them</button>
      </div>`;
    }
    return html`<div class="one">
      <button
        class="go"
        ?disabled=${!fits}
        title=${fits ? `Go on with ${word}` : `${word} was taught to another model`}
        aria-label="Go on with ${word}"
        @click=${() => this.#open(word, kind)}
      >
        ${word} <small class="number">${fits ? `${count} answered` : "another model’s"}</small>
      </button>
      <button class="bare icon" aria-label="Delete the answers to ${word}" title="Delete its answers" @click=${() => (this.leaving = word)}>
        ${sign("bin")}
      </button>
    </div>`;
  }

  #begin = (event: Event) => {
    event.preventDefault();
    void this.#open(this.word.trim(), this.kind);
  };

  async #open(word: string, kind: LessonKind): Promise<void> {
    const { link } = this.#stage;
    if (!(await link.ask("teach_begin", { word, kind }))) return;
    this.word = "";
    await until(link, () => link.state.teaching.lesson !== null);
    await this.lesson.open();
  }

  async #forget(word: string): Promise<void> {
    this.leaving = "";
    await this.#stage.link.ask("teach_forget", { word });
  }
}

/** Until the state says so: an answer may come before what it has changed. */
async function until(link: EventTarget, said: () => boolean): Promise<void> {
  while (!said()) await new Promise((done) => link.addEventListener("state", done, { once: true }));
}
