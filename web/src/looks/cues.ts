/** The cue list: looks in the order of the evening, each with its time and a note. */

import { LitElement, css, html, nothing } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import { ref } from "lit/directives/ref.js";
import { Follows, pictureOf } from "../link.ts";
import type { CueState, Snapshot } from "../protocol.ts";
import { typed } from "../ranges.ts";
import "../routes/choose.ts";
import type { Choose } from "../routes/choose.ts";
import { type Load, type Target, lift, receives } from "../routes/drag.ts";
import { sign } from "../signs.ts";
import { theme } from "../theme.ts";
import { paces } from "./pace.ts";
import { token } from "./snapshot.ts";

const MOST = 256;
const HELD_MS = 700; // an answered list is shown this long where no state confirms it

@customElement("ks-cues")
export class Cues extends LitElement {
  /** Given to a cue when it is added. */
  seconds = 2;
  easing = "smoothstep";

  @state() private over: number | null = null; // a thing is held over this line; the list's length: over its end
  @state() private wished: CueState[] | null = null; // shown until the stage has it
  @query("ks-choose") private choose!: Choose;
  #stage = new Follows(this, ["looks"]);

  static override styles = [
    theme,
    css`
      :host {
        display: grid;
        gap: 10px;
      }
      ol {
        display: grid;
        gap: 6px;
        margin: 0;
        padding: 0;
        list-style: none;
        border-radius: 12px;
        outline-offset: 4px;
      }
      li {
        position: relative;
        display: grid;
        grid-template: "grip picture name seconds remove" auto "grip picture note pace pace" auto / 40px 62px minmax(0, 1fr) auto 40px;
        gap: 6px 8px;
        align-items: center;
        padding: 8px 6px 8px 0;
        border: 1px solid var(--line);
        border-radius: 12px;
        background: var(--raised);
      }
      li.now {
        border-color: var(--here);
        background: color-mix(in srgb, var(--here) 9%, var(--raised));
      }
      li.over::before {
        content: "";
        position: absolute;
        left: 0;
        right: 0;
        top: -5px;
        height: 3px;
        border-radius: 2px;
        background: var(--live);
      }
      .grip {
        grid-area: grip;
        align-self: stretch;
        width: 40px;
        min-height: 40px;
        height: auto;
        color: var(--quiet);
        cursor: grab;
        touch-action: none;
        flex-direction: column;
        gap: 2px;
        font-variant-numeric: tabular-nums;
      }
      .picture {
        grid-area: picture;
        padding: 0;
        width: 62px;
        height: 62px;
        min-height: 0;
        overflow: hidden;
        border-radius: 9px;
        border-color: transparent;
        background: var(--higher);
      }
      img {
        width: 100%;
        height: 100%;
        object-fit: cover;
        pointer-events: none;
      }
      .name {
        grid-area: name;
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
        font-weight: 600;
      }
      .name small {
        font-weight: 400;
        color: var(--here);
        margin-left: 6px;
      }
      .seconds {
        grid-area: seconds;
        display: flex;
        align-items: center;
        gap: 5px;
        color: var(--quiet);
        font-size: 13px;
      }
      .seconds input {
        width: 4em;
        text-align: right;
        font-variant-numeric: tabular-nums;
        color: var(--ink);
      }
      li input[type="text"],
      li select {
        min-height: 34px;
        border-color: var(--line);
      }
      li input[type="text"]:hover,
      li select:hover {
        border-color: var(--edge);
      }
      .note {
        grid-area: note;
        width: 100%;
      }
      li select {
        grid-area: pace;
        width: 142px;
      }
      .remove {
        grid-area: remove;
        width: 40px;
        min-height: 40px;
        color: var(--quiet);
      }
      .go {
        display: grid;
        grid-template-columns: auto minmax(0, 1fr);
        gap: 8px;
      }
      .go button {
        min-height: 52px;
      }
      .go .next {
        overflow: hidden;
      }
      .go .next span {
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .keys {
        font-size: 12.5px;
        color: var(--quiet);
      }
      .empty {
        padding: 18px;
        border: 1px dashed var(--line);
        border-radius: 14px;
        text-align: center;
        color: var(--quiet);
      }
      .empty.over,
      .end.over {
        border-color: var(--live);
        color: var(--ink);
      }
      .end {
        min-height: 44px;
        border-style: dashed;
      }
      @media (pointer: coarse) {
        .keys {
          display: none;
        }
        li input[type="text"],
        li select {
          min-height: 40px;
        }
      }
      @container panel (max-width: 420px) {
        li {
          grid-template:
            "grip picture name remove" auto "grip picture pace pace" auto "grip seconds note note" auto / 40px 72px minmax(0, 1fr) 40px;
        }
        .picture {
          width: 72px;
          height: 72px;
        }
        .seconds span:first-child {
          display: none;
        }
        li .seconds input[type="text"] {
          width: 56px;
        }
        li select {
          width: 100%;
        }
      }
    `,
  ];

  get #list(): CueState[] {
    return this.wished ?? this.#stage.link.state.looks.cues;
  }

  /** Put a look into the list, at its end where no line is said. */
  add(id: string, line = this.#list.length): void {
    const cue: CueState = { id, seconds: this.seconds, easing: this.easing, note: "" };
    void this.#set([...this.#list.slice(0, line), cue, ...this.#list.slice(line)]);
  }

  protected override render() {
    const { looks } = this.#stage.link.state;
    const list = this.#list;
    const known = new Map(looks.snapshots.map((look) => [look.id, look]));
    const next = list[(looks.cue ?? -1) + 1];
    return html`
      ${list.length
        ? html`<ol @keydown=${this.#key} tabindex="0" aria-label="Cue list: Space goes on, Shift and Space goes back">
              ${list.map((cue, i) => this.#line(cue, i, known.get(cue.id)))}
            </ol>
            <button
              class="end ${this.over === list.length ? "over" : ""}"
              ${ref((element) => receives(element, this.#target(list.length)))}
              ?disabled=${!looks.snapshots.length || list.length >= MOST}
              @click=${() => this.choose.open()}
            >
              ${sign("plus")} Add a look
            </button>
            <div class="go">
              <button ?disabled=${(looks.cue ?? 0) < 1} @click=${() => this.#go("previous")} aria-label="Previous cue">
                ${sign("back")} Back
              </button>
              <button class="next" ?disabled=${!next} @click=${() => this.#go("next")}>
                <span>${next ? `Next: ${known.get(next.id)?.name ?? "a look"}${next.note ? `, ${next.note}` : ""}` : "The end"}</span>
                ${sign("next")}
              </button>
            </div>
            <p class="keys"><kbd>Space</kbd> next, <kbd>Shift</kbd> <kbd>Space</kbd> back, while the list has the focus.</p>`
        : html`<button
            class="empty ${this.over === 0 ? "over" : ""}"
            ${ref((element) => receives(element, this.#target(0)))}
            ?disabled=${!looks.snapshots.length}
            @click=${() => this.choose.open()}
          >
            ${looks.snapshots.length
              ? "Drag looks here, or press to choose one, in the order in which you will need them."
              : "Keep a look first; then put looks here in the order in which you will need them."}
          </button>`}
      <ks-choose
        heading="Which look comes next?"
        .options=${looks.snapshots.map((look) => ({ value: look.id, label: look.name }))}
        @chosen=${(event: CustomEvent<string>) => this.add(event.detail)}
      ></ks-choose>
    `;
  }

  #line(cue: CueState, i: number, look: Snapshot | undefined) {
    const now = this.#stage.link.state.looks.cue === i && !this.wished;
    const name = look?.name ?? "a look that is gone";
    return html`<li
      class="${now ? "now" : ""} ${this.over === i ? "over" : ""}"
      aria-current=${now ? "step" : "false"}
      ${ref((element) => receives(element, this.#target(i)))}
    >
      <button
        class="bare grip"
        data-line=${i}
        aria-label="${i + 1}: ${name}. Arrow up and down move it."
        title="Drag, or press the arrow keys, to move it"
        @pointerdown=${(event: PointerEvent) => this.#lift(event, i, look)}
        @keydown=${(event: KeyboardEvent) => this.#gripKey(event, i)}
      >
        ${sign("more")}${i + 1}
      </button>
      <button class="picture" aria-label="Go to cue ${i + 1}, ${name}" title="Go there now" @click=${() => this.#go(i)}>
        ${look ? html`<img src=${pictureOf(look)} alt="" draggable="false" />` : nothing}
      </button>
      <span class="name">${name}${now ? html`<small>now</small>` : nothing}</span>
      <label class="seconds">
        <span>in</span>
        <input
          type="text"
          inputmode="decimal"
          autocomplete="off"
          aria-label="Seconds to get to ${name}"
          .value=${String(cue.seconds)}
          @keydown=${quiet}
          @change=${(event: Event) => {
            const field = event.target as HTMLInputElement;
            const seconds = Math.min(Math.max(typed(field.value) ?? cue.seconds, 0), 3600);
            field.value = String(seconds);
            this.#edit(i, { seconds });
          }}
        />
        <span>s</span>
      </label>
      <button class="bare icon remove" aria-label="Take cue ${i + 1}, ${name}, off the list" @click=${() => this.#remove(i)}>
        ${sign("close")}
      </button>
      <input
        class="note"
        type="text"
        maxlength="300"
        autocomplete="off"
        placeholder="When? (a note)"
        aria-label="Note for cue ${i + 1}"
        .value=${cue.note}
        @keydown=${quiet}
        @change=${(event: Event) => this.#edit(i, { note: (event.target as HTMLInputElement).value.trim() })}
      />
      ${paces(cue.easing, (easing) => this.#edit(i, { easing }), `Pace to ${name}`)}
    </li>`;
  }

  // --- changing the list ------------------------------------------------------------------------------------------------

  async #set(list: CueState[]): Promise<void> {
    const release = () => {
      if (this.wished === list) this.wished = null;
    };
    this.wished = list;
    if (await this.#stage.link.ask("cues", { list })) setTimeout(release, HELD_MS);
    else release();
  }

  /** The next change stands on this list, so it is held until the stage tells the same. */
  protected override willUpdate(): void {
    if (this.wished && JSON.stringify(this.#stage.link.state.looks.cues) === JSON.stringify(this.wished)) this.wished = null;
  }

  #edit(i: number, fields: Partial<CueState>): void {
    void this.#set(this.#list.map((cue, j) => (j === i ? { ...cue, ...fields } : cue)));
  }

  #remove(i: number): void {
    void this.#set(this.#list.filter((_, j) => j !== i));
  }

  #move(from: number, to: number): void {
    const list = [...this.#list];
    const [cue] = list.splice(from, 1);
    list.splice(to, 0, cue!);
    void this.#set(list);
  }

  #target(line: number): Target {
    return {
      refuses: (load: Load) => (load.what === "look" || load.what === "cue" ? "" : "The list is for looks."),
      over: (load) => (this.over = load ? line : this.over === line ? null : this.over),
      drop: (load) => {
        if (load.what === "look") return this.add(load.name, line);
        const from = Number(load.name);
        if (from !== line && from !== line - 1) this.#move(from, from < line ? line - 1 : line);
      },
    };
  }

  #lift(event: PointerEvent, i: number, look: Snapshot | undefined): void {
    lift(event, { what: "cue", name: String(i), label: look?.name ?? "" }, {
      ghost: () => (look ? token(look) : document.createElement("div")),
    });
  }

  // --- keys -------------------------------------------------------------------------------------------------------------

  #go(to: "next" | "previous" | number): void {
    void this.#stage.link.ask("cue", { to });
  }

  #key = (event: KeyboardEvent) => {
    if (event.key !== " " || event.target !== event.currentTarget) return;
    event.preventDefault();
    event.stopPropagation();
    if (!event.repeat) this.#go(event.shiftKey ? "previous" : "next");
  };

  #gripKey(event: KeyboardEvent, i: number): void {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const to = i + (by ?? 0);
    if (!by || to < 0 || to >= this.#list.length) return;
    event.preventDefault();
    event.stopPropagation();
    this.#move(i, to);
    void this.updateComplete.then(() => this.renderRoot.querySelector<HTMLElement>(`[data-line="${to}"]`)?.focus());
  }
}

const quiet = (event: KeyboardEvent): void => {
  event.stopPropagation();
  if (event.key === "Enter") (event.target as HTMLElement).blur();
};
