/** What a hand can hold: sliders, switches, choices. Each says "edit" (detail: the new value) and, at the end of a drag, "settle". */

import { LitElement, type TemplateResult, css, html, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { Follows } from "./link.ts";
import type { Control, Plain, RouteTable } from "./protocol.ts";
import { clamp, position, settled, typed, valueAt, written } from "./ranges.ts";
import { sign } from "./signs.ts";
import { theme } from "./theme.ts";

const row = css`
  :host {
    display: block;
    position: relative;
    min-width: 0;
  }
  :host([hidden]) {
    display: none;
  }
  .row {
    display: flex;
    align-items: center;
    gap: 0.6rem;
    min-height: 36px;
  }
  .name {
    display: inline-flex;
    align-items: center;
    flex: 1;
    min-width: 0;
    min-height: 24px;
    padding: 0;
    border: 0;
    background: none;
    color: var(--ink);
    justify-content: flex-start;
    text-align: left;
    line-height: 1.25;
    cursor: help;
    overflow-wrap: anywhere;
  }
  .name:hover:not(:disabled) {
    background: none;
  }
  .help {
    color: var(--quiet);
    font-size: 12.5px;
    padding: 0 0 0.4rem;
  }
  .unit {
    color: var(--quiet);
    font-size: 12px;
  }
  @media (pointer: coarse) {
    .row {
      min-height: var(--touch);
    }
  }
`;

/** A label that tells its help when it is touched. */
abstract class Labelled extends LitElement {
  @property() label = "";
  @property() help = "";
  @property({ type: Boolean, reflect: true }) disabled = false;
  @state() protected told = false;

  protected name(): TemplateResult {
    if (!this.help) return html`<span class="name" id="name">${this.label}</span>`;
    return html`<button
      class="name"
      id="name"
      tabindex="-1"
      title=${this.help}
      aria-expanded=${this.told}
      @click=${() => (this.told = !this.told)}
    >
      ${this.label}
    </button>`;
  }

  protected told_(): TemplateResult | typeof nothing {
    if (!this.help) return nothing;
    return html`<div id="help" class=${this.told ? "help" : "unseen"}>${this.help}</div>`;
  }

  protected edit(value: Plain, settles = true): void {
    this.dispatchEvent(new CustomEvent("edit", { detail: value }));
    if (settles) this.dispatchEvent(new CustomEvent("settle", { detail: value }));
  }
}

/**
 * A number between two ends. Drag, or touch and drag; with Shift ten times finer; arrows, Page, Home and End; double-click,
 * or Delete, brings back `rest`; Enter, or a click on the number, types it. Where a route drives it (`driven`), the range of
 * the route and what it plays (`now`) are drawn in the live colour, and "route" asks for the route to be shown.
 */
@customElement("ks-slider")
export class Slider extends Labelled {
  @property({ type: Number }) low = 0;
  @property({ type: Number }) high = 1;
  @property({ attribute: false }) step: number | null = null;
  @property({ attribute: false }) value: number | null = 0;
  @property({ attribute: false }) rest: number | null = null;
  @property() unit = "";
  @property() scale = "linear";
  @property({ attribute: false }) driven: Pick<RouteTable, "feature" | "low" | "high"> | null = null;
  @property({ attribute: false }) now: number | null = null;
  /** Said instead of a number where the value is null. */
  @property() empty = "automatic";

  @state() private held: number | null = null; // what the hand says while it drags
  @query(".track") private track!: HTMLElement;
  @query(".value") private field!: HTMLInputElement;
  #from: { x: number; u: number } | null = null;
  #last: { at: number; x: number } | null = null;

  static override styles = [
    theme,
    row,
    css`
      .row {
        min-height: 26px;
      }
      input.value {
        min-height: 26px;
        padding: 0 0.35em;
        border-color: transparent;
        background: none;
        text-align: right;
        font-variant-numeric: tabular-nums;
        cursor: text;
        flex: none;
      }
      input.value:hover {
        border-color: var(--line);
      }
      input.value:focus {
        border-color: var(--here);
        background: var(--ground);
      }
      .driver {
        min-height: 24px;
        padding: 0 0.5em;
        border-color: transparent;
        background: var(--live-dim);
        color: var(--live);
        font-size: 12px;
        border-radius: 99px;
      }
      .track {
        position: relative;
        height: 22px;
        cursor: ew-resize;
        touch-action: pan-y;
        border-radius: 6px;
      }
      .line,
      .fill,
      .span {
        position: absolute;
        top: 50%;
        height: 4px;
        margin-top: -2px;
        border-radius: 2px;
      }
      .line {
        left: 0;
        right: 0;
        background: var(--higher);
        box-shadow: inset 0 0 0 1px #ffffff12;
      }
      .fill {
        background: #b9b8b4;
      }
      .span {
        background: var(--live-dim);
        height: 8px;
        margin-top: -4px;
      }
      .notch {
        position: absolute;
        top: 50%;
        width: 2px;
        height: 10px;
        margin: -5px 0 0 -1px;
        background: var(--edge);
        border-radius: 1px;
      }
      .thumb {
        position: absolute;
        top: 50%;
        width: 16px;
        height: 16px;
        margin: -8px 0 0 -8px;
        border-radius: 50%;
        background: var(--ink);
        box-shadow: 0 0 0 3px var(--panel);
      }
      .driven .thumb {
        background: var(--live);
      }
      .driven .fill {
        background: none;
      }
      .held .thumb {
        box-shadow: 0 0 0 6px var(--here-dim);
      }
      :host([disabled]) .track {
        opacity: 0.45;
        pointer-events: none;
      }
      @media (pointer: coarse) {
        .row {
          min-height: 30px;
        }
        input.value {
          min-height: 32px;
        }
        .track {
          height: 34px;
        }
        .thumb {
          width: 24px;
          height: 24px;
          margin: -12px 0 0 -12px;
        }
      }
    `,
  ];

  private get range() {
    return { low: this.low, high: this.high, step: this.step, scale: this.scale };
  }

  private get shown(): number | null {
    if (this.held !== null) return this.held;
    return this.driven ? this.now : this.value;
  }

  override render() {
    const value = this.shown;
    const u = value === null ? null : position(value, this.range);
    const origin = this.low < 0 && this.high > 0 && this.scale !== "log" ? position(0, this.range) : 0;
    const percent = (v: number) => `${(v * 100).toFixed(2)}%`;
    const text = value === null ? (this.driven ? "–" : this.empty) : written(value, this.range);
    const span = this.driven && [this.driven.low, this.driven.high].map((end) => position(end, this.range)).sort(upwards);
    return html`
      <div class="row">
        ${this.name()}
        ${this.driven
          ? html`<button class="driver" title="Show the route" @click=${() => this.dispatchEvent(new CustomEvent("route"))}>
              ${sign("wave")} ${this.driven.feature}
            </button>`
          : ""}
        <input
          class="value"
          type="text"
          inputmode="decimal"
          tabindex="-1"
          autocomplete="off"
          .style=${`width:${Math.max(6, text.length + this.unit.length + 2)}ch`}
          aria-label="${this.label}, typed"
          ?readonly=${!!this.driven || this.disabled}
          .value=${`${text}${value !== null && this.unit ? ` ${this.unit}` : ""}`}
          @focus=${this.#typing}
          @blur=${this.#typedIn}
          @keydown=${this.#typingKey}
        />
      </div>
      <div
        class="track ${this.driven ? "driven" : ""} ${this.held !== null ? "held" : ""}"
        role="slider"
        tabindex=${this.disabled ? -1 : 0}
        aria-labelledby="name"
        aria-describedby=${this.help ? "help" : nothing}
        aria-valuemin=${this.low}
        aria-valuemax=${this.high}
        aria-valuenow=${value ?? nothing}
        aria-valuetext=${`${text} ${this.unit}${this.driven ? `, moved by ${this.driven.feature}` : ""}`}
        aria-readonly=${this.driven ? "true" : "false"}
        aria-disabled=${this.disabled ? "true" : "false"}
        @pointerdown=${this.#down}
        @pointermove=${this.#move}
        @pointerup=${this.#up}
        @pointercancel=${this.#up}
        @keydown=${this.#key}
      >
        <div class="line"></div>
        ${span
          ? html`<div class="span" .style=${`left:${percent(span[0]!)};width:${percent(span[1]! - span[0]!)}`}></div>`
          : ""}
        ${this.rest === null
          ? ""
          : html`<div class="notch" .style=${`left:${percent(position(this.rest, this.range))}`}></div>`}
        ${u === null
          ? ""
          : html`
              <div
                class="fill"
                .style=${`left:${percent(Math.min(u, origin))};width:${percent(Math.abs(u - origin))}`}
              ></div>
              <div class="thumb" .style=${`left:${percent(u)}`}></div>
            `}
      </div>
      ${this.told_()}
    `;
  }

  #set(value: number, settles: boolean): void {
    const next = settled(value, this.range);
    if (!settles) this.held = next;
    if (next !== this.value) {
      this.value = next;
      this.edit(next, settles);
    } else if (settles) this.dispatchEvent(new CustomEvent("settle", { detail: next }));
  }

  #reset(): void {
    this.held = null;
    this.value = this.rest;
    this.edit(this.rest);
  }

  #down(event: PointerEvent): void {
    if (event.button !== 0 || this.driven || this.disabled) return;
    const double = this.#last && event.timeStamp - this.#last.at < 350 && Math.abs(event.clientX - this.#last.x) < 8;
    this.#last = double ? null : { at: event.timeStamp, x: event.clientX };
    if (double) {
      this.#reset();
      return;
    }
    this.track.setPointerCapture(event.pointerId);
    const box = this.track.getBoundingClientRect();
    const there = clamp((event.clientX - box.left) / box.width, 0, 1);
    const here = this.value === null ? there : position(this.value, this.range);
    const near = Math.abs(there - here) * box.width < 18;
    // a finger drags from where the value stands, so that a touch makes no jump on stage; a mouse may jump
    const u = near || event.pointerType === "touch" || event.shiftKey ? here : there;
    this.#from = { x: event.clientX, u };
    if (u !== here || this.value === null) this.#set(valueAt(u, this.range), false);
    this.track.focus({ preventScroll: true });
  }

  #move(event: PointerEvent): void {
    if (!this.#from) return;
    const width = this.track.getBoundingClientRect().width;
    const u = this.#from.u + ((event.clientX - this.#from.x) / width) * (event.shiftKey ? 0.1 : 1);
    this.#from = { x: event.clientX, u: this.scale === "angle" ? ((u % 1) + 1) % 1 : clamp(u, 0, 1) };
    this.#set(valueAt(this.#from.u, this.range), false);
  }

  #up(): void {
    if (!this.#from) return;
    this.#from = null;
    const value = this.held;
    this.held = null;
    if (value !== null) this.dispatchEvent(new CustomEvent("settle", { detail: value }));
  }

  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || this.disabled) return;
    if (this.driven) {
      if (event.key === "Enter") this.dispatchEvent(new CustomEvent("route"));
      return;
    }
    const { low, high, step } = this.range;
    const value = this.value ?? this.rest ?? low;
    const u = position(value, this.range);
    const by = (part: number) => {
      const moved = valueAt(clamp(u + part * (event.shiftKey ? 0.1 : 1), 0, 1), this.range);
      return step && Math.abs(moved - value) < step ? value + Math.sign(part) * step : moved;
    };
    const moves: Record<string, () => number> = {
      ArrowRight: () => by(0.01),
      ArrowUp: () => by(0.01),
      ArrowLeft: () => by(-0.01),
      ArrowDown: () => by(-0.01),
      PageUp: () => by(0.1),
      PageDown: () => by(-0.1),
      Home: () => low,
      End: () => high,
    };
    if (moves[event.key]) {
      this.#set(moves[event.key]!(), true);
    } else if (event.key === "Enter") {
      this.field.focus();
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.#reset();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #typing(): void {
    if (!this.driven) this.field.select();
  }

  #typedIn(): void {
    const value = typed(this.field.value);
    if (!this.driven && value !== null && written(value, this.range) !== written(this.value ?? Number.NaN, this.range)) {
      this.#set(value, true);
    }
    this.requestUpdate();
  }

  #typingKey(event: KeyboardEvent): void {
    event.stopPropagation();
    if (event.key === "Escape") this.field.value = "";
    if (event.key === "Enter" || event.key === "Escape") this.track.focus();
  }

  protected override updated(): void {
    // the field keeps what is being typed; afterwards it shows the value again
    if (this.shadowRoot!.activeElement !== this.field && this.field) {
      const value = this.shown;
      const text = value === null ? (this.driven ? "–" : this.empty) : written(value, this.range);
      this.field.value = `${text}${value !== null && this.unit ? ` ${this.unit}` : ""}`;
    }
  }
}

function upwards(a: number, b: number): number {
  return a - b;
}

@customElement("ks-switch")
export class Switch extends Labelled {
  @property({ type: Boolean, reflect: true }) value = false;

  static override styles = [
    theme,
    row,
    css`
      .switch {
        width: 44px;
        min-height: 26px;
        height: 26px;
        padding: 0;
        border: 1px solid var(--edge);
        border-radius: 13px;
        background: var(--ground);
        position: relative;
        flex: none;
      }
      .switch::after {
        content: "";
        position: absolute;
        left: 4px;
        top: 4px;
        width: 16px;
        height: 16px;
        border-radius: 50%;
        background: var(--quiet);
        transition: transform 0.12s;
      }
      .switch[aria-checked="true"] {
        background: var(--here-dim);
        border-color: var(--here);
      }
      .switch[aria-checked="true"]::after {
        transform: translateX(18px);
        background: var(--ink);
      }
    `,
  ];

  override render() {
    return html`<div class="row">
        ${this.name()}
        <button
          class="switch"
          role="switch"
          aria-checked=${this.value}
          aria-labelledby="name"
          aria-describedby=${this.help ? "help" : nothing}
          ?disabled=${this.disabled}
          @click=${() => {
            this.value = !this.value;
            this.edit(this.value);
          }}
        ></button>
      </div>
      ${this.told_()}`;
  }
}

export interface Choosable {
  value: Plain;
  label: string;
}

/** One of several: side by side where they are few and short, a menu where they are many. `choices`: values, or {value, label}. */
@customElement("ks-choice")
export class Choice extends Labelled {
  @property({ attribute: false }) choices: (Plain | Choosable)[] = [];
  @property({ attribute: false }) value: Plain = null;
  /** "menu" or "side by side"; by itself where left out. */
  @property() form = "";

  static override styles = [
    theme,
    row,
    css`
      .choices {
        display: flex;
        flex: none;
        border: 1px solid var(--line);
        border-radius: var(--round);
        overflow: hidden;
      }
      .choices button {
        border: 0;
        border-radius: 0;
        min-height: 32px;
        padding: 0 0.75em;
        background: var(--raised);
        color: var(--quiet);
      }
      .choices button[aria-checked="true"] {
        background: var(--here-dim);
        color: var(--ink);
        box-shadow: inset 0 -2px var(--here);
      }
      .choices button:focus-visible {
        outline-offset: -2px;
      }
      select {
        flex: none;
        max-width: 60%;
      }
      @media (pointer: coarse) {
        .choices button {
          min-height: 42px;
        }
      }
    `,
  ];

  private get list(): Choosable[] {
    return this.choices.map((choice) =>
      choice !== null && typeof choice === "object" && "value" in choice
        ? (choice as unknown as Choosable)
        : { value: choice as Plain, label: choice === null ? "none" : String(choice) },
    );
  }

  override render() {
    const list = this.list;
    const short = list.length <= 4 && list.reduce((sum, choice) => sum + choice.label.length + 3, 0) <= 30;
    const side = this.form ? this.form === "side by side" : short;
    const chosen = list.findIndex((choice) => choice.value === this.value);
    return html`<div class="row">
        ${this.label ? this.name() : ""}
        ${side
          ? html`<div
              class="choices"
              role="radiogroup"
              aria-labelledby=${this.label ? "name" : nothing}
              aria-label=${this.label ? nothing : this.ariaLabel}
              @keydown=${this.#key}
            >
              ${list.map(
                (choice, i) =>
                  html`<button
                    role="radio"
                    aria-checked=${i === chosen}
                    tabindex=${i === Math.max(chosen, 0) ? 0 : -1}
                    ?disabled=${this.disabled}
                    @click=${() => this.#take(choice.value)}
                  >
                    ${choice.label}
                  </button>`,
              )}
            </div>`
          : html`<select
              aria-label=${this.label || this.ariaLabel || "choice"}
              ?disabled=${this.disabled}
              @change=${(event: Event) => this.#take(list[Number((event.target as HTMLSelectElement).value)]!.value)}
            >
              ${chosen < 0 ? html`<option value="-1" selected disabled>${String(this.value ?? "choose")}</option>` : ""}
              ${list.map((choice, i) => html`<option value=${i} .selected=${i === chosen}>${choice.label}</option>`)}
            </select>`}
      </div>
      ${this.told_()}`;
  }

  #take(value: Plain): void {
    if (value === this.value) return;
    this.value = value;
    this.edit(value);
  }

  #key(event: KeyboardEvent): void {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    const list = this.list;
    const here = list.findIndex((choice) => choice.value === this.value);
    const next = (here + by + list.length) % list.length;
    this.#take(list[next]!.value);
    void this.updateComplete.then(() => this.renderRoot.querySelectorAll<HTMLElement>("[role=radio]")[next]?.focus());
  }
}

/** A number without ends: typed, or stepped with the arrows. null is said as `empty`. */
@customElement("ks-number")
export class NumberField extends Labelled {
  @property({ attribute: false }) value: number | null = 0;
  @property({ attribute: false }) low: number | null = null;
  @property({ attribute: false }) high: number | null = null;
  @property({ attribute: false }) step: number | null = null;
  @property({ attribute: false }) rest: number | null = null;
  @property({ type: Boolean }) whole = false;
  @property({ type: Boolean }) nullable = false;
  @property() unit = "";
  @property() empty = "automatic";

  static override styles = [
    theme,
    row,
    css`
      input {
        width: 8em;
        text-align: right;
        font-variant-numeric: tabular-nums;
        flex: none;
      }
    `,
  ];

  override render() {
    return html`<div class="row">
        ${this.label ? this.name() : ""}
        <input
          type="text"
          inputmode=${this.whole ? "numeric" : "decimal"}
          autocomplete="off"
          aria-label=${this.label || this.ariaLabel || "number"}
          aria-describedby=${this.help ? "help" : nothing}
          placeholder=${this.empty}
          ?disabled=${this.disabled}
          .value=${this.value === null ? "" : String(this.value)}
          @focus=${(event: FocusEvent) => (event.target as HTMLInputElement).select()}
          @change=${this.#typed}
          @keydown=${this.#key}
        />
        ${this.unit ? html`<span class="unit">${this.unit}</span>` : ""}
      </div>
      ${this.told_()}`;
  }

  #take(value: number | null): void {
    if (value !== null) {
      if (this.whole) value = Math.round(value);
      value = Number(clamp(value, this.low ?? -Infinity, this.high ?? Infinity).toPrecision(12));
    }
    if (value === this.value) return;
    this.value = value;
    this.edit(value);
  }

  #typed(event: Event): void {
    const field = event.target as HTMLInputElement;
    const value = typed(field.value);
    if (value !== null) this.#take(value);
    else if (!field.value.trim() && (this.nullable || this.rest === null)) this.#take(null);
    field.value = this.value === null ? "" : String(this.value);
  }

  #key(event: KeyboardEvent): void {
    event.stopPropagation();
    const by = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const size = Math.abs(this.value ?? 1);
    const unit = this.step ?? (this.whole ? 1 : 10 ** (Math.floor(Math.log10(size || 1)) - 1));
    this.#take((this.value ?? this.rest ?? this.low ?? 0) + by * unit * (event.shiftKey ? 10 : 1));
  }
}

@customElement("ks-text")
export class TextField extends Labelled {
  @property() value = "";
  @property() placeholder = "";

  static override styles = [
    theme,
    row,
    css`
      input {
        flex: 1.4;
        width: 0;
      }
    `,
  ];

  override render() {
    return html`<div class="row">
        ${this.label ? this.name() : ""}
        <input
          type="text"
          autocomplete="off"
          spellcheck="false"
          aria-label=${this.label || this.ariaLabel || "text"}
          aria-describedby=${this.help ? "help" : nothing}
          placeholder=${this.placeholder}
          ?disabled=${this.disabled}
          .value=${this.value}
          @keydown=${(event: KeyboardEvent) => event.stopPropagation()}
          @change=${(event: Event) => {
            this.value = (event.target as HTMLInputElement).value;
            this.edit(this.value);
          }}
        />
      </div>
      ${this.told_()}`;
  }
}

/** A pair of numbers, such as a size: null is said as automatic. */
@customElement("ks-pair")
export class Pair extends Labelled {
  @property({ attribute: false }) value: [number, number] | null = null;
  @property({ type: Boolean }) whole = false;
  @property() unit = "";

  static override styles = [
    theme,
    row,
    css`
      input {
        width: 5em;
        text-align: right;
        flex: none;
      }
    `,
  ];

  override render() {
    const part = (i: 0 | 1) =>
      html`<input
        type="text"
        inputmode="decimal"
        autocomplete="off"
        placeholder="auto"
        aria-label="${this.label}, ${i ? "second" : "first"}"
        ?disabled=${this.disabled}
        .value=${this.value ? String(this.value[i]) : ""}
        @keydown=${(event: KeyboardEvent) => event.stopPropagation()}
        @change=${this.#typed}
      />`;
    return html`<div class="row">
        ${this.name()} ${part(0)}<span class="unit">×</span>${part(1)}
        ${this.unit ? html`<span class="unit">${this.unit}</span>` : ""}
      </div>
      ${this.told_()}`;
  }

  #typed(): void {
    const [a, b] = [...this.renderRoot.querySelectorAll("input")].map((field) => typed(field.value));
    if (a == null && b == null) {
      this.value = null;
    } else if (a != null && b != null) {
      this.value = this.whole ? [Math.round(a), Math.round(b)] : [a, b];
    } else return; // half a pair: the other half is still to come
    this.edit(this.value);
  }
}

/** A seed: typed, thrown, kept. "edit" sets it; the dice asks the stage. */
@customElement("ks-seed")
export class Seed extends Labelled {
  @property({ type: Number }) value = 0;

  static override styles = [
    theme,
    row,
    css`
      ks-number {
        flex: none;
      }
    `,
  ];

  override render() {
    return html`<div class="row">
        ${this.name()}
        <ks-number
          aria-label=${this.label}
          whole
          .low=${0}
          .high=${2 ** 32 - 1}
          .rest=${0}
          .value=${this.value}
          @edit=${(event: CustomEvent<number>) => this.edit(event.detail)}
        ></ks-number>
        <button class="icon" title="Another one" aria-label="${this.label}: another one" @click=${this.#dice}>
          ${sign("dice")}
        </button>
      </div>
      ${this.told_()}`;
  }

  #dice(): void {
    this.edit(Math.floor(Math.random() * 100000));
  }
}

/**
 * <ks-control .control=${control}>: whatever the engine's schema says can be held, wired to the patch. Events that bubble:
 * "route" (detail: place; its route is to be shown) and "region" (detail: place; it is to be drawn on the input view).
 */
@customElement("ks-control")
export class AnyControl extends LitElement {
  @property({ attribute: false }) control!: Control;
  #stage = new Follows(this, ["patch", "routes"]);
  #driven = false;
  // what a route plays changes with every meter; what a hand holds does not
  #beat = () => this.#driven && this.requestUpdate();

  static override styles = [theme, row];

  override connectedCallback(): void {
    super.connectedCallback();
    this.#stage.link.addEventListener("meters", this.#beat);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#stage.link.removeEventListener("meters", this.#beat);
  }

  override render() {
    const control = this.control;
    const link = this.#stage.link;
    const value = link.value(control.place) ?? null;
    const edit = (event: CustomEvent<Plain>) => link.change({ [control.place]: event.detail });
    const { label, help } = control;
    switch (control.kind) {
      case "number":
      case "integer": {
        const driven = value !== null && typeof value === "object" ? (value as unknown as RouteTable) : null;
        this.#driven = driven !== null;
        const number = typeof value === "number" ? value : null;
        const rest = typeof control.default === "number" ? control.default : null;
        const whole = control.kind === "integer";
        if (control.low === null || control.high === null) {
          return html`<ks-number
            .label=${label}
            .help=${help}
            .unit=${control.unit}
            .value=${driven ? link.played(control.place) : number}
            .low=${control.low}
            .high=${control.high}
            .step=${control.step}
            .rest=${rest}
            .empty=${control.none ?? "automatic"}
            ?whole=${whole}
            ?nullable=${control.default === null}
            ?disabled=${!!driven}
            @edit=${edit}
          ></ks-number>`;
        }
        return html`<ks-slider
          .label=${label}
          .help=${help}
          .unit=${control.unit}
          .low=${control.low}
          .high=${control.high}
          .step=${control.step ?? (whole ? 1 : null)}
          .scale=${control.scale || "linear"}
          .rest=${rest}
          .empty=${control.none ?? "automatic"}
          .value=${number}
          .driven=${driven}
          .now=${driven ? link.played(control.place) : null}
          @edit=${edit}
          @route=${() => this.#tell("route")}
        ></ks-slider>`;
      }
      case "switch":
        return html`<ks-switch .label=${label} .help=${help} .value=${value === true} @edit=${edit}></ks-switch>`;
      case "choice":
        return html`<ks-choice
          .label=${label}
          .help=${help}
          .choices=${this.choices}
          .value=${value}
          @edit=${edit}
        ></ks-choice>`;
      case "seed":
        return html`<ks-seed .label=${label} .help=${help} .value=${Number(value ?? 0)} @edit=${edit}></ks-seed>`;
      case "pair":
        return html`<ks-pair .label=${label} .help=${help} .unit=${control.unit} .value=${value} @edit=${edit}></ks-pair>`;
      case "region": {
        const [left, top, right, bottom] = (value as [number, number, number, number]) ?? [0, 0, 1, 1];
        const whole = left === 0 && top === 0 && right === 1 && bottom === 1;
        const size = `${Math.round((right - left) * 100)} × ${Math.round((bottom - top) * 100)} %`;
        return html`<div class="row">
          <span class="name" title=${help}>${label}</span>
          <button @click=${() => this.#tell("region")}>${whole ? "whole picture" : size}</button>
        </div>`;
      }
      case "rows": {
        const feature = value !== null && typeof value === "object" ? (value as { feature?: string }).feature : null;
        const choices = [{ value: null, label: "the seed" }, ...(control.choices ?? []).filter((name) => name !== null)];
        return html`<ks-choice
          .label=${label}
          .help=${help}
          form="menu"
          .choices=${choices}
          .value=${feature ?? null}
          @edit=${(event: CustomEvent<string | null>) => {
            const drive = value !== null && typeof value === "object" ? (value as Record<string, Plain>) : { amount: 1 };
            link.change({ [control.place]: event.detail === null ? null : { ...drive, feature: event.detail } });
          }}
        ></ks-choice>`;
      }
      case "text":
        return html`<ks-text
          .label=${label}
          .help=${help}
          placeholder=${control.default === null ? "automatic" : ""}
          .value=${value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value)}
          @edit=${(event: CustomEvent<string>) =>
            link.change({ [control.place]: event.detail === "" && control.default === null ? null : plain(event.detail) })}
        ></ks-text>`;
      case "colour":
        return html`<div class="row">
          <span class="name" title=${help}>${label}</span>
          <input
            type="color"
            aria-label=${label}
            .value=${hex(value)}
            @input=${(event: Event) => link.change({ [control.place]: rgb((event.target as HTMLInputElement).value) })}
          />
        </div>`;
      default:
        // a kind that this page has not met: as JSON, so that nothing is out of reach
        return html`<ks-text
          .label=${label}
          .help=${help}
          .value=${JSON.stringify(value)}
          @edit=${(event: CustomEvent<string>) => {
            try {
              link.change({ [control.place]: JSON.parse(event.detail) as Plain });
            } catch {
              this.requestUpdate();
            }
          }}
        ></ks-text>`;
    }
  }

  /** A choice that may be left out has that as its first; one that is no word is called as what it is then. */
  private get choices(): (Plain | Choosable)[] {
    const { choices, default: rest, none = "automatic" } = this.control;
    const list = (choices ?? []).map((choice) => (choice === "" ? { value: choice, label: none } : choice));
    return rest === null && !list.includes(null) ? [{ value: null, label: none }, ...list] : list;
  }

  #tell(what: "route" | "region"): void {
    this.dispatchEvent(new CustomEvent(what, { detail: this.control.place, bubbles: true, composed: true }));
  }
}

/** What was typed: a list or a table as what it is, anything else as text. */
function plain(text: string): Plain {
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    return JSON.parse(text) as Plain;
  } catch {
    return text; // the stage says what is wrong with it
  }
}

function hex(value: Plain): string {
  const parts = Array.isArray(value) ? value : [0, 0, 0];
  return `#${parts.map((part) => Number(part).toString(16).padStart(2, "0")).join("")}`;
}

function rgb(text: string): number[] {
  return [1, 3, 5].map((i) => Number.parseInt(text.slice(i, i + 2), 16));
}

declare global {
  interface HTMLElementTagNameMap {
    "ks-slider": Slider;
    "ks-switch": Switch;
    "ks-choice": Choice;
    "ks-number": NumberField;
    "ks-text": TextField;
    "ks-pair": Pair;
    "ks-seed": Seed;
    "ks-control": AnyControl;
  }
}
