/** The player's page: the picture, everything that plays it, and the keys. */

import { LitElement, css, html } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import "../directions/index.ts";
import "../looks/index.ts";
import "../own/index.ts";
import { type Marked, UNMARKED } from "../directions/marked.ts";
import "../routes/index.ts";
import { Follows, stage } from "../link.ts";
import { sign } from "../signs.ts";
import { theme } from "../theme.ts";
import "./catch.ts";
import "./front.ts";
import type { Front } from "./front.ts";
import "./help.ts";
import type { Help } from "./help.ts";
import "./library.ts";
import type { RecorderButton } from "./library.ts";
import "./measured.ts";
import { type Part, news } from "./news.ts";
import "./panic.ts";
import { panic } from "./panic.ts";
import "./play.ts";
import "./tour.ts";
import type { Tour } from "./tour.ts";

type Tab = "play" | "routes" | "looks" | "directions" | "yours";

const TABS: [Tab, string, string][] = [
  ["play", "Play", "every control"],
  ["routes", "Routes", "what moves"],
  ["looks", "Looks", "keep, return"],
  ["directions", "Directions", "sliders"],
  ["yours", "Yours", "your pictures"],
];

const REWIND_SECONDS = 5;
const SLOWLY = 3; // seconds of a recall with Shift
const SAID_MS = 7000;

interface Said {
  id: number;
  text: string;
  bad: boolean;
}

@customElement("ks-player")
export class Player extends LitElement {
  @state() private tab: Tab = "play";
  @state() private said: Said[] = [];
  @state() private region = "";
  @state() private place = "";
  @state() private marked = UNMARKED; // on the picture that plays
  @query(".panel") private panel!: HTMLElement;
  @query("ks-front") private front!: Front;
  @query("ks-help") private help!: Help;
  @query("ks-tour") private tour!: Tour | null;
  @query("ks-recorder") private recorder!: RecorderButton | null;
  #stage = new Follows(this, ["patch", "connection", "looks"]);
  #next = 1;
  #heard: Part | null = null; // what the news are told against

  static override styles = [
    theme,
    css`
      :host {
        --side: clamp(380px, 36vw, 560px);
        display: grid;
        grid-template: auto minmax(0, 1fr) auto / minmax(0, 1fr) var(--side);
        grid-template-areas: "head head" "front side" "panic side";
        position: fixed;
        inset: 0;
        overflow: clip;
        background: var(--ground);
      }
      header {
        grid-area: head;
        display: flex;
        align-items: center;
        gap: 4px;
        padding: 6px 12px 6px 16px;
        border-bottom: 1px solid var(--line);
        min-width: 0;
      }
      h1 {
        display: flex;
        align-items: center;
        gap: 9px;
        font-size: 15px;
        font-weight: 600;
        letter-spacing: 0.01em;
        margin-right: 12px;
      }
      h1 svg {
        width: 22px;
        height: 22px;
      }
      .push {
        flex: 1;
      }
      ks-front {
        grid-area: front;
      }
      .panic {
        grid-area: panic;
        padding: 10px 12px calc(10px + env(safe-area-inset-bottom));
        border-top: 1px solid var(--line);
      }
      aside {
        grid-area: side;
        display: flex;
        flex-direction: column;
        min-height: 0;
        border-left: 1px solid var(--line);
        background: var(--panel);
      }
      .tabs {
        display: flex;
        padding: 8px 12px 0;
        gap: 2px;
        border-bottom: 1px solid var(--line);
      }
      .tabs button {
        flex: 1;
        flex-direction: column;
        gap: 0;
        min-height: 48px;
        padding: 0 2px;
        white-space: nowrap;
        border: 0;
        border-radius: 10px 10px 0 0;
        background: none;
        color: var(--quiet);
        line-height: 1.3;
        position: relative;
      }
      .tabs button small {
        font-size: 11.5px;
      }
      .tabs button b {
        font-weight: 600;
      }
      .tabs button[aria-selected="true"] {
        color: var(--ink);
      }
      .tabs button[aria-selected="true"] small {
        color: var(--quiet);
      }
      .tabs button[aria-selected="true"]::after {
        content: "";
        position: absolute;
        left: 14px;
        right: 14px;
        bottom: -1px;
        height: 2px;
        border-radius: 2px;
        background: var(--here);
      }
      .tabs button:focus-visible {
        outline-offset: -3px;
      }
      .panel {
        position: relative;
        flex: 1;
        min-height: 0;
        overflow: auto;
        padding: 14px 16px 32px;
        container: panel / inline-size;
        scrollbar-color: var(--line) transparent;
        scrollbar-width: thin;
        scrollbar-gutter: stable;
      }
      .says {
        position: fixed; /* over the picture's free corner: menus open from above, the input lies on the left */
        z-index: 80;
        right: calc(var(--side) + 16px);
        bottom: 82px;
        display: grid;
        gap: 8px;
        width: min(400px, calc(100vw - var(--side) - 32px));
        pointer-events: none;
      }
      .says div {
        display: flex;
        align-items: flex-start;
        gap: 10px;
        padding: 10px 8px 10px 14px;
        border: 1px solid var(--line);
        border-radius: 12px;
        background: var(--raised);
        box-shadow: 0 10px 40px #000b;
        pointer-events: auto;
        white-space: pre-wrap;
        overflow-wrap: anywhere;
      }
      .says div.bad {
        border-color: var(--bad);
      }
      .says span {
        flex: 1;
        padding-top: 4px;
      }
      .says button {
        min-height: 30px;
        width: 30px;
      }
      .away {
        position: fixed;
        z-index: 70;
        left: 50%;
        top: 58px;
        transform: translateX(-50%);
        padding: 7px 16px;
        border-radius: 99px;
        background: var(--raised);
        border: 1px solid var(--line);
        color: var(--ink);
        white-space: nowrap;
      }
      @media (max-width: 720px) {
        :host {
          grid-template: auto minmax(150px, 36dvh) auto auto minmax(0, 1fr) / minmax(0, 1fr);
          grid-template-areas: "head" "front" "panic" "tabs" "side";
        }
        header {
          padding: 4px 6px;
          gap: 0;
        }
        h1 {
          margin: 0 4px 0 6px;
        }
        h1 span {
          display: none;
        }
        .panic {
          padding: 6px 8px;
        }
        aside {
          border-left: 0;
          border-top: 1px solid var(--line);
        }
        .tabs {
          padding: 0 8px;
        }
        header ks-measured {
          flex: none;
        }
        header ks-patches,
        header ks-models {
          flex: 0 1 auto;
        }
        .panel {
          padding: 10px 12px 40px;
        }
        .says {
          right: 16px;
          bottom: calc(16px + env(safe-area-inset-bottom));
          width: calc(100vw - 32px);
        }
        .wide {
          display: none;
        }
      }
      @media (max-width: 860px) {
        h1 span {
          display: none;
        }
      }
      @media (max-height: 520px), (max-width: 1100px) {
        .tabs small {
          display: none;
        }
        .tabs button {
          min-height: 44px;
        }
      }
      @media (min-width: 721px) and (max-width: 1100px) {
        :host {
          --side: clamp(320px, 40vw, 380px);
        }
      }
      @media (max-width: 960px) and (max-height: 520px) {
        /* a phone on its side */
        :host {
          --side: min(380px, 48vw);
          grid-template: auto minmax(0, 1fr) auto / minmax(0, 1fr) var(--side);
          grid-template-areas: "head head" "front side" "panic side";
        }
      }
    `,
  ];

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener("keydown", this.#key);
    const link = stage();
    link.addEventListener("refused", this.#refused);
    link.addEventListener("trouble", this.#trouble);
    link.addEventListener("state", this.#hear);
    link.addEventListener("connection", this.#begin);
    this.addEventListener("say", (event) => this.#say(String((event as CustomEvent).detail), false));
    this.addEventListener("open", (event) => (this.tab = ((event as CustomEvent).detail as Tab) || this.tab));
    this.addEventListener("route", (event) => {
      this.tab = "routes";
      this.place = String((event as CustomEvent).detail);
    });
    this.addEventListener("region", (event) => {
      const [, feature] = String((event as CustomEvent).detail).split(".");
      this.region = feature ?? "*";
    });
    this.addEventListener("marked", (event) => {
      this.marked = { ...this.marked, ...(event as CustomEvent<Partial<Marked>>).detail };
    });
    this.addEventListener("tour", () => this.tour?.start());
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    removeEventListener("keydown", this.#key);
    stage().removeEventListener("refused", this.#refused);
    stage().removeEventListener("trouble", this.#trouble);
    stage().removeEventListener("state", this.#hear);
    stage().removeEventListener("connection", this.#begin);
  }

  protected override willUpdate(): void {
    if (this.tab !== "directions" && this.marked.tool) this.marked = { ...this.marked, tool: "" };
  }

  protected override updated(changed: Map<string, unknown>): void {
    if (changed.has("tab")) this.panel.scrollTop = 0;
  }

  override render() {
    const { link } = this.#stage;
    const plays = link.role === "player"; // who looks on is shown nothing that would be refused
    return html`
      <header>
        <h1>
          <svg viewBox="0 0 32 32" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="2">
            <circle cx="16" cy="16" r="13" />
            <ellipse cx="16" cy="16" rx="13" ry="5" transform="rotate(-24 16 16)" opacity=".6" />
            <circle cx="25" cy="9.5" r="3.5" fill="#f4b266" stroke="none" />
          </svg>
          <span>Kinesphere</span>
        </h1>
        ${plays ? html`<ks-patches></ks-patches><ks-models></ks-models>` : ""}
        <span class="push"></span>
        <ks-measured></ks-measured>
        ${plays ? html`<ks-recorder></ks-recorder><ks-screens class="wide"></ks-screens>` : ""}
        <button class="bare icon" title="Keys and words (?)" aria-label="Help" @click=${() => this.help.toggle()}>
          ${sign("help")}
        </button>
      </header>
      <ks-front
        .region=${this.region}
        .marked=${this.marked}
        @editing=${(event: CustomEvent<string>) => (this.region = event.detail)}
      ></ks-front>
      <div class="panic"><ks-panic></ks-panic></div>
      <aside>
        <div class="tabs" role="tablist" aria-label="Panels" @keydown=${this.#turn}>
          ${TABS.map(
            ([tab, name, about]) =>
              html`<button
                role="tab"
                id="tab-${tab}"
                aria-selected=${tab === this.tab}
                aria-controls="panel"
                tabindex=${tab === this.tab ? 0 : -1}
                @click=${() => (this.tab = tab)}
              >
                <b>${name}</b><small>${about}</small>
              </button>`,
          )}
        </div>
        <div class="panel" id="panel" role="tabpanel" aria-labelledby="tab-${this.tab}">
          ${link.role === "viewer"
            ? html`<p class="quiet">You are looking on. The player's address has the controls.</p>`
            : this.tab === "play"
              ? html`<ks-play></ks-play>`
              : this.tab === "routes"
                ? html`<ks-routes .place=${this.place}></ks-routes>`
                : this.tab === "looks"
                  ? html`<ks-looks></ks-looks>`
                  : this.tab === "directions"
                    ? html`<ks-directions .marked=${this.marked}></ks-directions>`
                    : html`<ks-yours></ks-yours>`}
        </div>
      </aside>
      ${link.connected
        ? ""
        : html`<div class="away" role="status">${link.gone || "Looking for the stage…"}</div>`}
      <div class="says" role="status" aria-live="polite">
        ${this.said.map(
          ({ id, text, bad }) =>
            html`<div class=${bad ? "bad" : ""}>
              <span>${text}</span>
              <button class="bare icon" aria-label="Close" @click=${() => this.#unsay(id)}>${sign("close")}</button>
            </div>`,
        )}
      </div>
      <ks-help></ks-help>
      ${plays ? html`<ks-catch ?directions=${this.tab === "directions"}></ks-catch>` : ""}
      ${plays ? html`<ks-tour .find=${(at: string) => this.#spot(at)}></ks-tour>` : ""}
    `;
  }

  /** Where a part of the page is, for the tour. */
  #spot(at: string): DOMRect | null {
    const inFront = this.front?.shadowRoot;
    const parts: Record<string, Element | null | undefined> = {
      picture: this.front,
      input: inFront?.querySelector(".input") ?? inFront?.querySelector(".show"),
      tabs: this.renderRoot.querySelector("aside"),
      panic: this.renderRoot.querySelector(".panic"),
    };
    return (parts[at] ?? this.front)?.getBoundingClientRect() ?? null;
  }

  #refused = (event: Event) => {
    const { problems } = (event as CustomEvent<{ problems: string[] }>).detail;
    this.#say(problems.join("\n"), true);
  };

  #trouble = (event: Event) => {
    const { station, text } = (event as CustomEvent<{ station: string; text: string }>).detail;
    this.#say(`${station}: ${text}`, true);
  };

  #hear = () => {
    const { looks, performance, own, latents } = this.#stage.link.state;
    const heard = this.#heard;
    this.#heard = { looks, performance, own, latents };
    if (heard) for (const text of news(heard, this.#heard)) this.#say(text, false);
  };

  /** What a stage tells first is not news. */
  #begin = () => {
    if (!this.#stage.link.connected) this.#heard = null;
  };

  #say(text: string, bad: boolean): void {
    const id = this.#next++;
    this.said = [...this.said.filter((said) => said.text !== text).slice(-2), { id, text, bad }];
    setTimeout(() => this.#unsay(id), SAID_MS + text.length * 40);
  }

  #unsay(id: number): void {
    this.said = this.said.filter((said) => said.id !== id);
  }

  #turn(event: KeyboardEvent): void {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    const here = TABS.findIndex(([tab]) => tab === this.tab);
    this.tab = TABS[(here + by + TABS.length) % TABS.length]![0];
    void this.updateComplete.then(() => this.renderRoot.querySelector<HTMLElement>(`#tab-${this.tab}`)?.focus());
  }

  #key = (event: KeyboardEvent) => {
    if (event.defaultPrevented || event.altKey) return;
    const target = event.composedPath()[0] as HTMLElement;
    if (target instanceof HTMLElement && target.matches("input, select, textarea, [contenteditable]")) return;
    if (event.ctrlKey || event.metaKey) {
      if (event.key.toLowerCase() === "z") {
        event.preventDefault();
        void (event.shiftKey ? panic.redo() : panic.undo());
      } else if (event.key.toLowerCase() === "y") {
        event.preventDefault();
        void panic.redo();
      }
      return;
    }
    const { link } = this.#stage;
    const digit = /^Digit([1-9])$/.exec(event.code)?.[1];
    const acts: Record<string, () => unknown> = {
      f: panic.freeze,
      b: panic.black,
      s: panic.safe,
      d: panic.dice,
      n: panic.snapshot,
      r: () => this.recorder?.toggle(),
      g: () => (this.region = this.region ? "" : "*"),
      "[": () => link.ask("rewind", { seconds: REWIND_SECONDS }),
      "?": () => this.help.toggle(),
      ...(this.region ? { Escape: () => (this.region = "") } : {}),
    };
    if (this.help.open && event.key !== "?") return;
    if (event.key === " " && !target.closest?.("button, a, summary, [role=slider], [role=switch], [role=radio]")) {
      acts[" "] = () => link.ask("cue", { to: "next" });
    }
    const act = digit
      ? () => {
          const snapshot = link.state.looks.snapshots[Number(digit) - 1];
          if (snapshot) return link.ask("recall", { look: snapshot.id, seconds: event.shiftKey ? SLOWLY : 0 });
          return this.#say(`There is no look ${digit} yet: N keeps one.`, false);
        }
      : acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!act || (event.repeat && event.key !== "d")) return;
    event.preventDefault();
    void act();
  };
}
