/** A lesson: pictures come one by one, the player says what they show, and an arrow through the model is learnt from it. */

import { LitElement, css, html, nothing, svg } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import "../controls.ts";
import { Follows, address, asked, download } from "../link.ts";
import type { Lesson, Question } from "../protocol.ts";
import "../routes/choose.ts";
import type { Choose, Option } from "../routes/choose.ts";
import { sign } from "../signs.ts";
import { theme } from "../theme.ts";
import "./deck.ts";
import type { Deck } from "./deck.ts";
import { drawn } from "./score.ts";

const GRADES = [1, 2, 3, 4, 5];
const REST = 0.25; // between what separates, 0, and what belongs, 1
const AUTO = 64; // pictures that a measure answers at once
const ASKS: Record<Lesson["kind"], (word: string) => string> = {
  "yes-no": (word) => `Is this “${word}”?`,
  pairs: (word) => `Which is more “${word}”?`,
  graded: (word) => `How much “${word}”, 1 to 5?`,
};
/** What the sides of a question are called, and the answers that they are. */
const SIDES: Partial<Record<Lesson["kind"], { left: string; right: string; values: [number, number] }>> = {
  "yes-no": { left: "No", right: "Yes", values: [0, 1] },
  pairs: { left: "This one", right: "This one", values: [0, 1] },
};

/** <ks-lesson>: `open()` shows it over the page. Event "closed". */
@customElement("ks-lesson")
export class LessonPage extends LitElement {
  @state() private said = "";
  @state() private name = "";
  @state() private measure = "";
  @query("dialog") private dialog!: HTMLDialogElement;
  @query("ks-deck") private deck!: Deck | null;
  @query("ks-choose") private others!: Choose;
  @query("input[type=file]") private table!: HTMLInputElement;
  @query(".ask") private place!: HTMLElement | null;
  #stage = new Follows(this, ["teaching", "rack"]);
  #questions: Question[] = []; // the first is the one that is shown
  #answered = new Set<string>(); // pictures whose answer the stage has not taken yet
  #answers = 0; // that the stage has taken

  static override styles = [
    theme,
    css`
      dialog {
        width: min(1120px, calc(100vw - 32px));
        height: min(860px, calc(100dvh - 32px));
        max-width: none;
        max-height: none;
        padding: 0;
        border: 1px solid var(--line);
        border-radius: 18px;
        background: var(--panel);
        color: var(--ink);
        box-shadow: 0 24px 80px #000c;
        overflow: hidden;
      }
      dialog[open] {
        display: grid;
        grid-template: auto minmax(0, 1fr) / minmax(0, 1.35fr) minmax(300px, 1fr);
        grid-template-areas: "head head" "ask told";
      }
      dialog::backdrop {
        background: #000a;
      }
      header {
        grid-area: head;
        display: flex;
        align-items: center;
        gap: 4px 12px;
        padding: 8px 8px 8px 20px;
        border-bottom: 1px solid var(--line);
      }
      h2 {
        flex: 1;
        min-width: 0;
        font-size: 17px;
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .ask {
        grid-area: ask;
        display: grid;
        grid-template-rows: minmax(0, 1fr) auto;
        gap: 14px;
        padding: 18px 20px 20px;
        min-height: 0;
        outline: none;
      }
      .deck {
        display: grid;
        place-items: center;
        min-height: 0;
        container: deck / size;
      }
      ks-deck {
        width: min(100cqw, 100cqh);
      }
      .pairs ks-deck {
        width: min(100cqw, 200cqh);
        aspect-ratio: 2.04;
      }
      .answers {
        display: grid;
        grid-auto-flow: column;
        grid-auto-columns: minmax(0, 1fr);
        gap: 8px;
      }
      .answers button {
        min-height: 54px;
        padding: 0 6px;
        font-weight: 600;
      }
      .answers .skip {
        font-weight: 400;
        color: var(--quiet);
      }
      .answers .no {
        border-color: var(--live);
        background: var(--live-dim);
      }
      .answers .yes {
        border-color: var(--here);
        background: var(--here-dim);
      }
      kbd {
        margin-left: 2px;
      }
      .told {
        grid-area: told;
        display: grid;
        align-content: start;
        gap: 18px;
        padding: 18px 20px 24px;
        border-left: 1px solid var(--line);
        overflow: auto;
        scrollbar-color: var(--line) transparent;
        scrollbar-width: thin;
      }
      .part {
        display: grid;
        gap: 8px;
      }
      .balance {
        display: flex;
        height: 12px;
        border-radius: 6px;
        overflow: hidden;
        background: var(--ground);
      }
      .balance i {
        background: var(--here);
        transition: flex-grow 0.15s;
      }
      .balance .no {
        background: var(--live);
      }
      .balance.graded {
        height: 34px;
        gap: 3px;
        border-radius: 0;
        align-items: flex-end;
        background: none;
      }
      .balance.graded i {
        flex: 1;
        border-radius: 3px 3px 0 0;
        min-height: 2px;
      }
      .ends {
        display: flex;
        justify-content: space-between;
        gap: 12px;
        font-size: 13px;
        color: var(--quiet);
      }
      .score {
        display: flex;
        align-items: baseline;
        flex-wrap: wrap;
        gap: 2px 8px;
      }
      .score b {
        font-size: 22px;
        font-weight: 600;
      }
      .curve {
        display: grid;
        grid-template: minmax(0, 1fr) auto / auto minmax(0, 1fr);
        gap: 3px 6px;
        font-size: 11.5px;
        color: var(--quiet);
      }
      .curve .scale {
        display: flex;
        flex-direction: column;
        justify-content: space-between;
        text-align: right;
      }
      .curve .ends {
        grid-column: 2;
        font-size: 11.5px;
      }
      .curve svg {
        width: 100%;
        height: 84px;
        border-radius: 8px;
        background: var(--ground);
      }
      .curve path {
        fill: none;
        stroke: var(--here);
        stroke-width: 2;
        vector-effect: non-scaling-stroke;
        stroke-linejoin: round;
        stroke-linecap: round;
      }
      .curve path.band {
        fill: var(--here-dim);
        stroke: none;
      }
      .curve path.chance {
        stroke: var(--quiet);
        stroke-width: 1;
        stroke-dasharray: 4 4;
      }
      .arrow {
        display: grid;
        grid-template-columns: minmax(0, 1fr) minmax(0, 1fr);
        gap: 8px;
      }
      figure {
        margin: 0;
        display: grid;
        gap: 4px;
        font-size: 12.5px;
        color: var(--quiet);
        text-align: center;
      }
      figure img {
        display: block;
        width: 100%;
        aspect-ratio: 1;
        border-radius: 12px;
        background: var(--raised);
        object-fit: cover;
      }
      .chips {
        display: flex;
        flex-wrap: wrap;
        gap: 6px;
      }
      .chips button {
        min-height: 36px;
        border-radius: 99px;
        font-size: 13px;
      }
      .row {
        display: flex;
        flex-wrap: wrap;
        gap: 8px;
      }
      .row button,
      .row select {
        flex: 1;
        min-height: 44px;
        white-space: nowrap;
      }
      .play {
        min-height: 50px;
        border-color: var(--here);
        background: var(--here-dim);
        font-weight: 600;
      }
      form {
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto;
        gap: 8px;
      }
      form > * {
        min-height: 44px;
      }
      summary {
        cursor: pointer;
        color: var(--quiet);
        min-height: 36px;
        align-content: center;
      }
      @media (max-width: 720px) {
        dialog {
          width: 100vw;
          height: 100dvh;
          border: 0;
          border-radius: 0;
        }
        dialog[open] {
          display: block;
          overflow: auto;
        }
        header {
          position: sticky;
          top: 0;
          z-index: 2;
          padding: 4px 4px 4px 14px;
          background: var(--panel);
        }
        .ask {
          display: block;
          padding: 10px 12px 6px;
        }
        .deck {
          display: block;
          container: none;
        }
        ks-deck,
        .pairs ks-deck {
          width: 100%;
        }
        .answers {
          margin-top: 10px;
        }
        .told {
          border: 0;
          padding: 10px 12px 40px;
          overflow: visible;
        }
        header .words {
          display: none;
        }
        .chips button {
          min-height: 44px;
        }
      }
      @media (pointer: coarse) {
        kbd {
          display: none;
        }
      }
    `,
  ];

  async open(): Promise<void> {
    await this.updateComplete;
    this.said = "";
    this.name = this.#stage.link.state.teaching.lesson?.word ?? "";
    this.dialog.showModal();
    this.place?.focus();
  }

  /** What is shown stays until it is answered, whatever the stage would rather ask by now: nothing changes under the hand. */
  protected override willUpdate(): void {
    const { lesson } = this.#stage.link.state.teaching;
    const next = lesson?.next ?? [];
    for (const picture of this.#answered) if (!next.some((one) => one.picture === picture)) this.#answered.delete(picture);
    const answers = lesson ? lesson.count + lesson.skipped : 0;
    const shown = answers < this.#answers ? undefined : this.#questions[0]; // one was taken back: it is asked again
    this.#answers = answers;
    const open = [...(shown ? [shown] : []), ...next.filter(({ picture }) => picture !== shown?.picture)];
    this.#questions = lesson ? open.filter(({ picture }) => !this.#answered.has(picture)) : [];
  }

  protected override updated(): void {
    if (!this.#stage.link.state.teaching.lesson && this.dialog.open) this.dialog.close(); // it was ended elsewhere
  }

  protected override render() {
    const { lesson } = this.#stage.link.state.teaching;
    return html`<dialog aria-labelledby="word" @keydown=${this.#key} @close=${this.#closed}>
      ${lesson ? this.#inside(lesson) : nothing}
    </dialog>`;
  }

  #inside(lesson: Lesson) {
    const questions = this.#questions;
    const asks = ASKS[lesson.kind](lesson.word);
    const sides = SIDES[lesson.kind];
    return html`
      <header>
        <h2 id="word">${asks}</h2>
        <span class="quiet number">${lesson.count}<span class="words"> answered</span></span>
        <button
          class="bare"
          ?disabled=${!lesson.count && !lesson.skipped}
          aria-label="Undo the last answer"
          title="Take the last answer back (Backspace)"
          @click=${this.#undo}
        >
          ${sign("undo")}<span class="words">Undo</span>
        </button>
        <button class="bare icon" aria-label="Close; all answers stay" title="Close; all answers stay" @click=${() => this.dialog.close()}>
          ${sign("close")}
        </button>
      </header>
      <div class="ask ${lesson.kind}" role="group" tabindex="-1" aria-label="${asks} ${HINTS[lesson.kind]}">
        <div class="deck">
          <ks-deck
            .questions=${questions}
            left=${sides?.left ?? ""}
            right=${sides?.right ?? ""}
            ?swiped=${!!sides}
            @answer=${(event: CustomEvent<-1 | 1>) => this.#side(event.detail)}
          ></ks-deck>
        </div>
        ${this.#buttons(lesson, !questions.length)}
      </div>
      <div class="told">${this.#told(lesson)}</div>
      <ks-choose
        heading="Leave alone"
        .options=${this.#alone(lesson)}
        empty="There is nothing else to leave alone."
        @chosen=${(event: CustomEvent<string>) => this.#do("teach_against", { against: [...lesson.against, event.detail] })}
      ></ks-choose>
    `;
  }

  #buttons({ kind }: Lesson, none: boolean) {
    const skip = html`<button class="skip" ?disabled=${none} @click=${() => this.#answer(null)}>Skip <kbd>↓</kbd></button>`;
    const sides = SIDES[kind];
    if (!sides) {
      return html`<div class="answers">
        ${GRADES.map(
          (grade) => html`<button ?disabled=${none} aria-label="${grade} of 5" @click=${() => this.#answer(grade)}>${grade}</button>`,
        )}
        ${skip}
      </div>`;
    }
    const [left, right] = kind === "pairs" ? ["Left", "Right"] : [sides.left, sides.right];
    return html`<div class="answers">
      <button class="no" ?disabled=${none} @click=${() => this.#side(-1)}><kbd>←</kbd> ${left}</button>
      ${skip}
      <button class="yes" ?disabled=${none} @click=${() => this.#side(1)}>${right} <kbd>→</kbd></button>
    </div>`;
  }

  // --- what is known so far -----------------------------------------------------------------------------------------------

  #told(lesson: Lesson) {
    return html`
      <div class="part">${this.#balance(lesson)}</div>
      <p role="status">${this.said || lesson.advice}</p>
      ${lesson.score ? this.#score(lesson) : nothing} ${lesson.arrow ? this.#arrow(lesson) : nothing} ${this.#otherwise()}
    `;
  }

  #balance({ kind, balance, count }: Lesson) {
    if (kind === "pairs") return html`<p class="quiet number">${count} pairs answered</p>`;
    const of = (answer: string) => balance[answer] ?? 0;
    if (kind === "graded") {
      const most = Math.max(1, ...GRADES.map((grade) => of(String(grade))));
      return html`<div class="balance graded" role="img" aria-label=${GRADES.map((grade) => `${grade}: ${of(String(grade))}`).join(", ")}>
          ${GRADES.map((grade) => html`<i .style=${`height:${(100 * of(String(grade))) / most}%`}></i>`)}
        </div>
        <p class="ends"><span>1: ${of("1")}</span><span>5: ${of("5")}</span></p>`;
    }
    return html`<div class="balance" role="img" aria-label="${of("no")} no, ${of("yes")} yes">
        <i class="no" .style=${`flex-grow:${of("no")}`}></i><i .style=${`flex-grow:${of("yes")}`}></i>
      </div>
      <p class="ends number"><span>${of("no")} no</span><span>${of("yes")} yes</span></p>`;
  }

  #score({ score, curve, confidence, count }: Lesson) {
    const { value, error, chance, what } = score!;
    const field = drawn(curve, chance, count);
    return html`<div class="part">
      <p class="score number" data-score=${value}>
        <b>${value.toFixed(2)}</b><span>± ${error.toFixed(2)}</span>
        <span class="quiet">${what}; chance is ${chance.toFixed(2)}</span>
      </p>
      <div class="curve">
        <span class="scale" aria-hidden="true"><span>1</span><span>${field.low.toFixed(1)}</span></span>
        <svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img" aria-label="The score from answer to answer, with its error">
          ${svg`<path class="band" d=${field.band}></path><path class="chance" d=${`M0 ${field.chance}H100`}></path><path d=${field.line}></path>`}
        </svg>
        <p class="ends"><span>0</span><span>${count} answers</span></p>
      </div>
      ${confidence === null
        ? nothing
        : html`<p class="quiet" title="How alike the arrows are that other samples of your answers give">
            The arrow is sure of itself: <span class="number">${Math.round(100 * confidence)} %</span>
          </p>`}
    </div>`;
  }

  #arrow({ word, version, between, against, learning }: Lesson) {
    const end = (which: "low" | "high", caption: string) => html`<figure>
      <img src=${address(`/api/teaching/end.jpg?end=${which}&v=${version}`)} alt="" />
      <figcaption>${caption}</figcaption>
    </figure>`;
    return html`
      <div class="part" aria-busy=${learning}>
        <h3>The arrow so far</h3>
        <div class="arrow">${end("low", `less “${word}”`)}${end("high", `more “${word}”`)}</div>
        <ks-slider
          label="Only that, or all that goes with it"
          help="At the left, only what tells your answers apart; at the right also what goes along with it in the model’s own pictures."
          .low=${0}
          .high=${1}
          .rest=${REST}
          .value=${between}
          @edit=${(event: CustomEvent<number>) => this.#stage.link.steady("teach_between", { between: event.detail })}
        ></ks-slider>
      </div>
      <div class="part">
        <h3>Leave alone</h3>
        <div class="chips">
          ${against.map(
            (of) => html`<button
              aria-label="Do not leave ${this.#called(of)} alone any more"
              @click=${() => this.#do("teach_against", { against: against.filter((other) => other !== of) })}
            >
              ${this.#called(of)} ${sign("close")}
            </button>`,
          )}
          <button @click=${() => this.others.open()}>${sign("plus")} Something else</button>
        </div>
      </div>
      <div class="part">
        <button class="play" @click=${this.#play}>${sign("play")} Put on the rack</button>
        <form @submit=${this.#keep}>
          <input
            type="text"
            aria-label="Its name"
            maxlength="64"
            autocomplete="off"
            .value=${this.name}
            @input=${(event: Event) => (this.name = (event.target as HTMLInputElement).value)}
          />
          <button ?disabled=${!this.name.trim()}>${sign("star")} Keep</button>
        </form>
      </div>
    `;
  }

  /** Answers that nobody gives one by one. */
  #otherwise() {
    const { measures } = this.#stage.link.state.rack;
    return html`<details>
      <summary>Without looking at each picture</summary>
      <div class="part">
        <div class="row">
          <select aria-label="What is measured" @change=${(event: Event) => (this.measure = (event.target as HTMLSelectElement).value)}>
            ${measures.map((measure) => html`<option value=${measure} .selected=${measure === this.measure}>${measure}</option>`)}
          </select>
          <button @click=${() => this.#do("teach_auto", { measure: this.measure || measures[0]!, count: AUTO })}>
            Measure ${AUTO} pictures
          </button>
        </div>
        <div class="row">
          <button @click=${() => download("/api/teaching/labels.csv", `${this.#stage.link.state.teaching.lesson!.word}.csv`)}>
            Take the answers along
          </button>
          <button @click=${() => this.table.click()}>Bring a table</button>
        </div>
        <input
          class="unseen"
          type="file"
          accept=".csv"
          tabindex="-1"
          aria-label="A table of answers, with the columns seed and value"
          @change=${() => this.table.files?.[0] && this.#bring(this.table.files[0])}
        />
      </div>
    </details>`;
  }

  #called(of: string): string {
    return this.#stage.link.state.rack.offered.find((one) => one.of === of)?.name ?? of;
  }

  #alone({ against }: Lesson): Option[] {
    const found = new Map<string, Option>();
    for (const { of, name, words, fits } of this.#stage.link.state.rack.offered) {
      if (fits && !against.includes(of) && !found.has(of)) found.set(of, { value: of, label: name, note: words });
    }
    return [...found.values()];
  }

  // --- what is asked of the stage -------------------------------------------------------------------------------------------

  /** Ask for something; what was refused is said here, since this lies over all else. */
  async #do(what: string, args: Record<string, unknown> = {}): Promise<unknown> {
    this.said = "";
    try {
      return (await this.#stage.link.send(what, args)) ?? true;
    } catch (error) {
      this.said = (error as Error).message;
      return null;
    }
  }

  #side(to: -1 | 1): void {
    const { kind } = this.#stage.link.state.teaching.lesson!;
    this.#answer(SIDES[kind]!.values[to < 0 ? 0 : 1], to);
  }

  /** The picture that is asked about is answered, and goes to a side. */
  async #answer(value: number | null, to = 0): Promise<void> {
    const picture = this.#questions[0]?.picture;
    if (!picture) return;
    this.deck?.leave(to);
    this.#answered.add(picture);
    this.#questions = this.#questions.slice(1);
    this.requestUpdate();
    if (await this.#do("teach_answer", { picture, value })) return;
    this.#answered.delete(picture);
    this.requestUpdate();
  }

  #undo = async () => {
    await this.#do("teach_undo");
    this.#answered.clear(); // its picture is asked about again
    this.requestUpdate();
  };

  #play = async () => {
    const put = (await this.#do("teach_play")) as { name: string } | null;
    if (put) this.said = `“${put.name}” is on the rack.`;
  };

  #keep = async (event: Event) => {
    event.preventDefault();
    const name = this.name.trim();
    if (await this.#do("teach_keep", { name })) this.said = `Kept as “${name}”.`;
  };

  async #bring(file: File): Promise<void> {
    const { problem } = await asked(`/api/teaching/labels?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file });
    this.table.value = "";
    this.said = problem || `The answers of ${file.name} are taken.`;
  }

  #closed = () => {
    if (this.#stage.link.state.teaching.lesson) void this.#stage.link.ask("teach_end");
    this.dispatchEvent(new CustomEvent("closed"));
  };

  #key = (event: KeyboardEvent) => {
    const { lesson } = this.#stage.link.state.teaching;
    const target = event.composedPath()[0] as HTMLElement;
    if (!lesson || event.ctrlKey || event.metaKey || event.altKey || target.matches("input, select, summary")) return;
    const grade = lesson.kind === "graded" && /^[1-5]$/.test(event.key) ? Number(event.key) : 0;
    const acts: Record<string, () => unknown> = { ArrowDown: () => this.#answer(null), Backspace: this.#undo };
    if (SIDES[lesson.kind]) Object.assign(acts, { ArrowLeft: () => this.#side(-1), ArrowRight: () => this.#side(1) });
    const act = grade ? () => this.#answer(grade) : acts[event.key];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat) void act();
  };
}

const HINTS: Record<Lesson["kind"], string> = {
  "yes-no": "Left arrow: no, right arrow: yes, down: skip, Backspace: undo.",
  pairs: "Left arrow: the left one, right arrow: the right one, down: skip, Backspace: undo.",
  graded: "Keys 1 to 5, down: skip, Backspace: undo.",
};
