/** One route: its curve, what moves it, and everything that can be set about it. */

import { LitElement, css, html, nothing, svg } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import "../controls.ts";
import { Follows } from "../link.ts";
import type { Control, Meters, Plain, RouteTable } from "../protocol.ts";
import { typed } from "../ranges.ts";
import { sign } from "../signs.ts";
import { theme } from "../theme.ts";
import { CALM, CURVES, HUNG, type Route, complete, shape, table, words } from "./curve.ts";
import "./graph.ts";
import "./response.ts";
import type { Filter } from "./response.ts";
import { Live, hue, legible, short, trace } from "./trace.ts";

type Section = Filter["kind"];

const ROUND = 360; // a full turn, until the player says otherwise

/** <ks-route .place .label .control open>. Events: "toggle", "remove", "other" (another feature is wanted). */
@customElement("ks-route")
export class RouteCard extends LitElement {
  @property() place = "";
  @property() label = "";
  @property({ attribute: false }) control: Control | null = null;
  @property({ type: Boolean, reflect: true }) open = false;

  @state() private section: Section | null = null;
  @state() private shown: [number, number] | null = null; // since the calibration began
  #stage = new Follows(this, ["patch", "performance"]);

  constructor() {
    super();
    new Live(this, (meters) => this.#live(meters));
  }

  static override styles = [
    theme,
    css`
      :host {
        display: block;
        --live-dim: color-mix(in srgb, var(--live) 25%, transparent);
        background: var(--raised);
        border: 1px solid var(--line);
        border-radius: 14px;
      }
      .head {
        display: grid;
        grid-template-columns: minmax(0, 1fr) 92px 3.4em 20px;
        gap: 12px;
        width: 100%;
        min-height: 56px;
        padding: 6px 14px;
        border: 0;
        border-radius: 14px;
        background: none;
        text-align: left;
      }
      .names {
        display: grid;
        gap: 1px;
        min-width: 0;
      }
      .names b {
        font-weight: 600;
        line-height: 1.25;
        overflow-wrap: anywhere;
      }
      .names span {
        display: flex;
        align-items: center;
        gap: 7px;
        font-size: 12.5px;
        color: var(--quiet);
      }
      i {
        width: 8px;
        height: 8px;
        border-radius: 50%;
        background: var(--live);
        flex: none;
      }
      .bar {
        position: relative;
        height: 6px;
        border-radius: 3px;
        background: var(--higher);
        overflow: hidden;
      }
      .bar div {
        position: absolute;
        inset: 0;
        transform-origin: left;
        transform: scaleX(0);
        border-radius: 3px;
        background: var(--live);
        transition: transform 75ms linear;
      }
      .out {
        contain: content;
        font-variant-numeric: tabular-nums;
        text-align: right;
      }
      .chevron {
        transition: transform 0.15s;
        color: var(--quiet);
        display: grid;
      }
      :host([open]) .chevron {
        transform: rotate(90deg);
      }
      .body {
        display: grid;
        gap: 14px;
        padding: 2px 14px 14px;
      }
      .ends,
      .ends div {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        justify-content: space-between;
        gap: 6px;
      }
      .ends {
        gap: 8px;
        font-size: 13px;
        color: var(--quiet);
      }
      .ends input {
        width: 4.6em;
        min-height: 36px;
        padding: 0 8px;
        font-size: 13px;
        color: var(--ink);
        text-align: right;
        font-variant-numeric: tabular-nums;
        border-color: var(--line);
      }
      .ends input:hover {
        border-color: var(--edge);
      }
      .show {
        min-height: 44px;
        border-color: var(--edge);
      }
      footer {
        display: flex;
        justify-content: space-between;
        margin: 0 -6px -6px;
      }
      .calibrating {
        display: grid;
        gap: 8px;
        padding: 10px 12px;
        border: 1px solid var(--live);
        border-radius: 12px;
        background: color-mix(in srgb, var(--live) 9%, transparent);
      }
      .calibrating div {
        display: flex;
        flex-wrap: wrap;
        gap: 8px;
        align-items: center;
        justify-content: space-between;
      }
      .curves {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(44px, 1fr));
        gap: 6px;
      }
      .curves button {
        min-height: 44px;
        padding: 6px;
      }
      .curves svg {
        width: 100%;
        max-width: 34px;
        height: 26px;
        overflow: visible;
      }
      .curves path {
        fill: none;
        stroke: var(--quiet);
        stroke-width: 2;
        vector-effect: non-scaling-stroke;
        stroke-linejoin: round;
      }
      .curves [aria-checked="true"] {
        border-color: var(--here);
        background: var(--here-dim);
      }
      .curves [aria-checked="true"] path {
        stroke: var(--ink);
      }
      h4 {
        display: flex;
        justify-content: space-between;
        gap: 8px;
        margin: 0 0 6px;
        font-size: 13px;
        font-weight: 600;
        color: var(--quiet);
      }
      h4 span {
        font-weight: 400;
      }
      .two {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(190px, 1fr));
        gap: 4px 20px;
      }
      .filters {
        display: grid;
        grid-template-columns: repeat(auto-fit, minmax(96px, 1fr));
        gap: 8px;
      }
      .filters > button {
        display: grid;
        gap: 4px;
        min-width: 0;
        padding: 8px 8px 7px;
        font-size: 12.5px;
        line-height: 1.2;
        border-radius: 12px;
      }
      .filters ks-response {
        width: 100%;
        min-width: 0;
      }
      .filters [aria-expanded="true"] {
        border-color: var(--here);
      }
      .filters small {
        color: var(--quiet);
        font-size: 11.5px;
      }
      .filters .on small {
        color: var(--live);
      }
      .filters .on {
        background: var(--higher);
        border-color: var(--line);
      }
      .filters .on[aria-expanded="true"] {
        border-color: var(--here);
      }
      .editor {
        display: grid;
        gap: 6px;
        padding: 10px 12px 12px;
        border-radius: 12px;
        background: var(--panel);
      }
      .editor p {
        font-size: 12.5px;
        color: var(--quiet);
      }
      @media (pointer: coarse) {
        .ends input {
          min-height: 44px;
          font-size: 16px;
        }
      }
      @container panel (max-width: 420px) {
        .head {
          grid-template-columns: minmax(0, 1fr) 56px 3em 18px;
          gap: 8px;
        }
        .filters {
          grid-template-columns: 1fr 1fr;
        }
      }
    `,
  ];

  /** The route as it stands, with what was just wished. */
  get route(): Route | null {
    const value = this.#stage.link.value(this.place);
    return value && typeof value === "object" && !Array.isArray(value) ? complete(value as unknown as RouteTable) : null;
  }

  protected override willUpdate(): void {
    if (this.#calibrating) this.shown ??= [Infinity, -Infinity];
    else this.shown = null;
  }

  protected override render() {
    const route = this.route;
    if (!route) return nothing;
    const colour = hue(route.feature);
    this.style.setProperty("--live", colour);
    return html`<button class="head" aria-expanded=${this.open} @click=${() => this.#tell("toggle")}>
        <span class="names">
          <b>${this.label}</b>
          <span><i></i>moved by ${route.feature}</span>
        </span>
        <span class="bar"><div></div></span>
        <span class="out"></span>
        <span class="chevron">${sign("next")}</span>
      </button>
      ${this.open ? this.#body(route) : nothing}`;
  }

  #body(route: Route) {
    const set = (fields: Partial<Route>) => this.#set(fields);
    return html`<div class="body">
      <ks-graph
        .route=${route}
        .place=${this.place}
        .label=${this.label}
        .bounds=${[this.control?.low ?? null, this.control?.high ?? null]}
        .shown=${this.shown && this.shown[0] <= this.shown[1] ? this.shown : null}
        @end=${(event: CustomEvent<{ name: string; value: number }>) => set({ [event.detail.name]: event.detail.value })}
      ></ks-graph>
      ${this.#ends(route)} ${this.#calibrating ? this.#calibration(route) : this.#tools()}
      <div>
        <h4 id="curve">The way between <span>${words(route.curve)}</span></h4>
        <div class="curves" role="radiogroup" aria-labelledby="curve" @keydown=${this.#curveKey}>
          ${Object.keys(CURVES).map(
            (name) => html`<button
              role="radio"
              aria-checked=${route.curve === name}
              tabindex=${route.curve === name ? 0 : -1}
              aria-label=${words(name)}
              title="${words(name)} (${name})"
              data-curve=${name}
              @click=${() => set({ curve: name })}
            >
              <svg viewBox="0 0 34 26" aria-hidden="true">${svg`<path d=${small(name)}></path>`}</svg>
            </button>`,
          )}
        </div>
      </div>
      <div class="two">
        <ks-switch
          label="Upside down"
          help="The smallest input plays the largest value (invert)."
          .value=${route.invert}
          @edit=${(event: CustomEvent<boolean>) => set({ invert: event.detail })}
        ></ks-switch>
        <ks-switch
          label="Stop at the ends"
          help="Off: what goes beyond the range goes on beyond the ends (clamp)."
          .value=${route.clamp}
          @edit=${(event: CustomEvent<boolean>) => set({ clamp: event.detail })}
        ></ks-switch>
      </div>
      <ks-slider
        label="Rest zone"
        help="So much of the range, from its beginning, counts as rest: small trembling does nothing (dead zone)."
        .low=${0}
        .high=${0.9}
        .step=${0.01}
        .rest=${0}
        .value=${route.dead_zone}
        @edit=${(event: CustomEvent<number>) => set({ dead_zone: event.detail })}
      ></ks-slider>
      <div>
        <h4>How it moves <span>grey: the hand, colour: what follows</span></h4>
        <div class="filters">${SECTIONS.map((section) => this.#filter(section, route))}</div>
      </div>
      ${this.section ? this.#editor(this.section, route) : nothing}
      <footer>
        <button class="bare" @click=${() => this.#tell("other")}>Another feature</button>
        <button class="bare" @click=${() => this.#tell("remove")}>Remove this route</button>
      </footer>
    </div>`;
  }

  #ends(route: Route) {
    const field = (name: "in_low" | "in_high" | "low" | "high", label: string) => html`<input
      type="text"
      inputmode="decimal"
      autocomplete="off"
      aria-label=${label}
      .value=${String(Number(route[name].toPrecision(4)))}
      @keydown=${(event: KeyboardEvent) => event.key !== "Escape" && event.stopPropagation()}
      @focus=${(event: Event) => (event.target as HTMLInputElement).select()}
      @change=${(event: Event) => {
        const input = event.target as HTMLInputElement;
        const value = typed(input.value);
        if (value === null || !this.#set({ [name]: value })) input.value = String(route[name]);
      }}
    />`;
    return html`<div class="ends">
      <div>
        <span>${route.feature}</span> ${field("in_low", `${route.feature} from`)}<span>to</span>
        ${field("in_high", `${route.feature} to`)}
      </div>
      <div>
        <span>plays</span> ${field("low", `${this.label} from`)}<span>to</span>${field("high", `${this.label} to`)}
        ${this.control?.unit ? html`<span>${this.control.unit}</span>` : nothing}
      </div>
    </div>`;
  }

  #tools() {
    return html`<button class="show" @click=${() => this.#stage.link.ask("calibrate", { place: this.place })}>
      Show me your smallest and largest
    </button>`;
  }

  #calibration(route: Route) {
    const range = this.shown && this.shown[0] <= this.shown[1] ? this.shown : null;
    return html`<div class="calibrating" role="status">
      <b>Now move: as little as you ever will, then as much as you ever will.</b>
      <div>
        <span class="number">
          ${range ? `${route.feature} went from ${short(range[0])} to ${short(range[1])}` : "Waiting for a first value…"}
        </span>
        <button class="live" @click=${() => this.#stage.link.ask("calibrate_stop", { place: this.place })}>
          That was it
        </button>
      </div>
    </div>`;
  }

  #filter(section: Section, route: Route) {
    const on = acts(section, route);
    const open = this.section === section;
    return html`<button
      class=${on ? "on" : ""}
      aria-expanded=${open}
      @click=${() => (this.section = open ? null : section)}
    >
      <ks-response ?on=${on} .filter=${filter(section, route)}></ks-response>
      <span>${NAMES[section]}</span>
      <small>${on ? said(section, route) : section === "otherwise" ? "held" : "off"}</small>
    </button>`;
  }

  #editor(section: Section, route: Route) {
    const on = acts(section, route);
    const one = route.one_euro ?? CALM;
    const hung = route.spring ?? HUNG;
    const slider = (
      label: string,
      help: string,
      value: number,
      [low, high]: [number, number],
      unit: string,
      rest: number,
      edit: (value: number) => void,
      scale = "log",
    ) => html`<ks-slider
      .label=${label}
      .help=${help}
      .low=${low}
      .high=${high}
      .value=${value}
      .rest=${rest}
      .unit=${unit}
      .scale=${scale}
      @edit=${(event: CustomEvent<number>) => edit(event.detail)}
    ></ks-slider>`;
    const off = (fields: Partial<Route>, start: Partial<Route>) => html`<ks-switch
      .label=${NAMES[section]}
      .value=${on}
      @edit=${(event: CustomEvent<boolean>) => this.#set(event.detail ? start : fields)}
    ></ks-switch>`;
    switch (section) {
      case "envelope":
        return html`<div class="editor">
          ${off({ attack: 0, release: 0 }, { attack: 0.1, release: 0.5 })}
          <p>How long it takes to follow upwards, and to let go again (attack and release).</p>
          ${slider("Rise", "Seconds to rise by 63 % (attack).", route.attack, [0, 10], "s", 0, (attack) => this.#set({ attack }))}
          ${slider("Fall", "Seconds to fall by 63 % (release).", route.release, [0, 10], "s", 0, (release) => this.#set({ release }))}
        </div>`;
      case "one_euro":
        return html`<div class="editor">
          ${off({ one_euro: null }, { one_euro: { ...CALM, beta: 0.5 } })}
          <p>Calm while you rest, quick when you move (the One-Euro filter).</p>
          ${on
            ? html`${slider("Calm at rest", "Lower trembles less: the cutoff at rest.", one.min_cutoff, [0.05, 10], "Hz", 1, (min_cutoff) => this.#set({ one_euro: { ...one, min_cutoff } }))}
              ${slider("Quick when moved", "Higher lags less in fast moves (beta).", one.beta, [0, 20], "", 0, (beta) => this.#set({ one_euro: { ...one, beta } }))}`
            : nothing}
        </div>`;
      case "spring":
        return html`<div class="editor">
          ${off({ spring: null }, { spring: { frequency: 1.5, damping: 0.35 } })}
          <p>It hangs on your hand by a spring, and may swing beyond.</p>
          ${on
            ? html`${slider("Speed", "How often it would swing in a second.", hung.frequency, [0.1, 10], "Hz", 1, (frequency) => this.#set({ spring: { ...hung, frequency } }))}
              ${slider("Damping", "0 swings for ever, 1 arrives without swinging, above that it creeps.", hung.damping, [0, 2], "", 1, (damping) => this.#set({ spring: { ...hung, damping } }), "linear")}`
            : nothing}
        </div>`;
      case "circular":
        return html`<div class="editor">
          ${off({ circular: null }, { circular: turn(route) })}
          <p>For an angle or a hue: from the end of a turn it goes the short way on to its beginning.</p>
          ${on
            ? html`<ks-number
                label="A full turn is"
                .value=${route.circular}
                .low=${0.000001}
                .rest=${ROUND}
                @edit=${(event: CustomEvent<number | null>) => event.detail && this.#set({ circular: event.detail })}
              ></ks-number>`
            : nothing}
        </div>`;
      case "otherwise": {
        const { otherwise, fade } = route;
        const [low, high] = [this.control?.low ?? Math.min(route.low, route.high), this.control?.high ?? Math.max(route.low, route.high)];
        const rest = typeof this.control?.default === "number" ? this.control.default : route.low;
        return html`<div class="editor">
          ${off({ otherwise: null }, { otherwise: rest })}
          <p>While ${route.feature} is not seen, as a hand out of the picture (otherwise). Off: the last value is held.</p>
          ${typeof otherwise === "number"
            ? html`${slider("Goes to", "Where it goes meanwhile.", otherwise, [low, high], this.control?.unit ?? "", rest, (value) => this.#set({ otherwise: value }), this.control?.scale ?? "linear")}
                <button class="bare" @click=${() => this.#tell("otherwise")}>Let another feature play it then</button>`
            : on
              ? html`<button @click=${() => this.dispatchEvent(new CustomEvent("show", { detail: `${this.place}.otherwise` }))}>
                  ${otherwise!.feature} plays it then: show how
                </button>`
              : nothing}
          ${on ? slider("Fade", "Seconds until 63 % of the way there, and of the way back.", fade, [0, 10], "s", 0.5, (seconds) => this.#set({ fade: seconds })) : nothing}
        </div>`;
      }
    }
  }

  // --- live -----------------------------------------------------------------------------------------------------------

  get #calibrating(): boolean {
    return this.#stage.link.state.performance.calibrating.includes(this.place);
  }

  #live(meters: Meters): void {
    const route = this.route;
    const bar = this.renderRoot.querySelector<HTMLElement>(".bar div");
    if (!route || !bar) return;
    const played = meters.numbers[this.place];
    const [low, high] = [this.control?.low ?? Math.min(route.low, route.high), this.control?.high ?? Math.max(route.low, route.high)];
    const part = played === undefined ? 0 : Math.min(Math.max((played - low) / (high - low || 1), 0), 1);
    bar.style.transform = `scaleX(${part.toFixed(3)})`;
    if (legible()) this.renderRoot.querySelector(".out")!.textContent = played === undefined ? "" : short(played);
    const value = trace(route.feature).now;
    if (this.#calibrating && this.shown && Number.isFinite(value)) {
      const [from, to] = this.shown;
      if (value < from || value > to) this.shown = [Math.min(from, value), Math.max(to, value)];
    }
  }

  /** False where the route would be no route: the reason is told. */
  #set(fields: Partial<Route>): boolean {
    const route = this.route;
    if (!route) return false;
    const next = { ...route, ...fields };
    if (next.in_low === next.in_high) return false;
    this.#stage.link.change({ [this.place]: table(next) as Plain });
    this.requestUpdate();
    return true;
  }

  #tell(what: string): void {
    this.dispatchEvent(new CustomEvent(what));
  }

  #curveKey = (event: KeyboardEvent) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const route = this.route;
    if (!by || !route) return;
    event.preventDefault();
    event.stopPropagation();
    const names = Object.keys(CURVES);
    const name = names[(names.indexOf(route.curve) + by + names.length) % names.length]!;
    this.#set({ curve: name });
    this.renderRoot.querySelector<HTMLElement>(`[data-curve=${name}]`)?.focus();
  };
}

const SECTIONS: Section[] = ["envelope", "one_euro", "spring", "circular", "otherwise"];

const NAMES: Record<Section, string> = {
  envelope: "Rise and fall",
  one_euro: "Steady hand",
  spring: "Spring",
  circular: "Goes round",
  otherwise: "When lost",
};

function acts(section: Section, route: Route): boolean {
  if (section === "envelope") return route.attack > 0 || route.release > 0;
  return route[section] !== null;
}

/** What a tile draws: the filter as it is, or as it would begin. */
function filter(section: Section, route: Route): Filter {
  switch (section) {
    case "envelope":
      return { kind: "envelope", attack: route.attack, release: route.release };
    case "one_euro":
      return { kind: "one_euro", ...(route.one_euro ?? { min_cutoff: 1000, beta: 0, d_cutoff: 1 }) };
    case "spring":
      return { kind: "spring", ...(route.spring ?? { frequency: 60, damping: 1 }) };
    case "circular":
      return { kind: "circular", turn: route.circular };
    case "otherwise":
      return { kind: "otherwise", fade: route.otherwise === null ? null : route.fade };
  }
}

function said(section: Section, route: Route): string {
  switch (section) {
    case "envelope":
      return `${short(route.attack)} s, ${short(route.release)} s`;
    case "one_euro":
      return `${short(route.one_euro!.min_cutoff)} Hz`;
    case "spring":
      return `${short(route.spring!.frequency)} Hz`;
    case "circular":
      return `turn ${short(route.circular!)}`;
    case "otherwise":
      return typeof route.otherwise === "number" ? `goes to ${short(route.otherwise)}` : `${route.otherwise!.feature} plays`;
  }
}

/** A full turn that fits the route's range. */
function turn(route: Route): number {
  const span = Math.abs(route.in_high - route.in_low);
  return [1, 2 * Math.PI, 360].find((whole) => span <= whole + 1e-9) ?? span;
}

/** A curve on a button. */
function small(name: string): string {
  const route = complete({ feature: "-", curve: name });
  const points = Array.from({ length: 25 }, (_, i) => `${(2 + (30 * i) / 24).toFixed(1)} ${(24 - 22 * shape(route, i / 24)).toFixed(1)}`);
  return `M${points.join("L")}`;
}
