/** The panel of looks: keeping them, going back, going between them, and their order for the evening. */

import { LitElement, css, html } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import { Follows } from "../link.ts";
import type { Snapshot } from "../protocol.ts";
import "../routes/choose.ts";
import type { Choose, Option } from "../routes/choose.ts";
import { sign } from "../signs.ts";
import { empty, panel, theme } from "../theme.ts";
import "./cues.ts";
import type { Cues } from "./cues.ts";
import "./pace.ts";
import "./pad.ts";
import type { MorphPad } from "./pad.ts";
import "./ring.ts";
import "./showing.ts";
import "./snapshot.ts";
import type { Look } from "./snapshot.ts";

const GRACE = 6000; // ms in which a forgotten look can be kept after all

/** Looks that are about to be forgotten; they are, even where the panel closes before. */
const leaving = new Map<string, ReturnType<typeof setTimeout>>();

@customElement("ks-looks")
export class Looks extends LitElement {
  @state() private seconds = 2;
  @state() private easing = "smoothstep";
  @state() private menu: Snapshot | null = null;
  @query("ks-choose") private choose!: Choose;
  @query("ks-cues") private cues!: Cues;
  @query("ks-morph-pad") private pad!: MorphPad;
  #stage = new Follows(this, ["looks", "history"]);
  #way: { to: string; whole: number } | null = null; // the morph under way, and how long it is in all

  static override styles = [
    theme,
    panel,
    empty,
    css`
      .bar {
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto auto;
        gap: 8px;
      }
      .bar button {
        min-height: 48px;
      }
      .keep {
        border-color: var(--here);
        background: var(--here-dim);
        font-weight: 600;
      }
      .count {
        color: var(--quiet);
        font-variant-numeric: tabular-nums;
        font-size: 13px;
      }
      .grid {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(104px, 1fr));
        gap: 14px 12px;
      }
      @container panel (max-width: 420px) {
        .grid {
          grid-template-columns: repeat(auto-fill, minmax(92px, 1fr));
        }
        .bar .words {
          display: none;
        }
      }
    `,
  ];

  protected override willUpdate(): void {
    const { morph } = this.#stage.link.state.looks;
    if (!morph) this.#way = null;
    else if (this.#way?.to !== morph.to || morph.left > this.#way.whole) this.#way = { to: morph.to, whole: morph.left };
  }

  protected override render() {
    const { link } = this.#stage;
    const { snapshots } = link.state.looks;
    const { undo, redo } = link.state.history;
    return html`
      <section aria-label="Keep and undo">
        <div class="bar">
          <button class="keep" @click=${() => link.ask("snapshot")}>${sign("snapshot")} Keep this look</button>
          <button ?disabled=${!undo} aria-label="Undo: ${undo} steps" title="Undo" @click=${() => link.ask("undo")}>
            ${sign("undo")}<span class="words">Undo</span> <span class="count">${undo || ""}</span>
          </button>
          <button ?disabled=${!redo} aria-label="Redo: ${redo} steps" title="Redo" @click=${() => link.ask("redo")}>
            ${sign("redo")}<span class="words">Redo</span> <span class="count">${redo || ""}</span>
          </button>
        </div>
      </section>
      <section aria-labelledby="ago">
        <header>
          <h2 id="ago">That one, go back</h2>
          <p>The last minute</p>
        </header>
        <ks-ring></ks-ring>
      </section>
      <section aria-labelledby="kept">
        <header>
          <h2 id="kept">Kept looks</h2>
          <p>${snapshots.length ? "Tap to go there, hold for more." : ""}</p>
        </header>
        ${snapshots.length
          ? html`<ks-pace
                .seconds=${this.seconds}
                .easing=${this.easing}
                @seconds=${(event: CustomEvent<number>) => (this.seconds = event.detail)}
                @easing=${(event: CustomEvent<string>) => (this.easing = event.detail)}
              ></ks-pace>
              <div class="grid">
                ${repeat(
                  snapshots,
                  (look) => look.id,
                  (look) => html`<ks-look
                    data-look=${look.id}
                    .look=${look}
                    .left=${this.#left(look)}
                    ?leaving=${leaving.has(look.id)}
                    @recall=${() => link.ask("recall", { look: look.id, seconds: this.seconds, easing: this.easing })}
                    @menu=${() => this.#open(look)}
                    @rename=${(event: CustomEvent<string>) => link.ask("rename", { look: look.id, name: event.detail })}
                    @forget=${() => this.#forget(look)}
                    @keep=${() => this.#keep(look)}
                  ></ks-look>`,
                )}
              </div>`
          : html`<p class="empty">Nothing is kept yet: when the picture is as you like it, press “Keep this look”.</p>`}
      </section>
      <section aria-labelledby="between">
        <header><h2 id="between">Between looks</h2></header>
        <ks-morph-pad></ks-morph-pad>
      </section>
      <section aria-labelledby="showing">
        <header>
          <h2 id="showing">Poses and their looks</h2>
          <p>Show it, then move</p>
        </header>
        <ks-showing></ks-showing>
      </section>
      <section aria-labelledby="cues">
        <header>
          <h2 id="cues">For the evening</h2>
          <p>Cues, in their order</p>
        </header>
        <ks-cues .seconds=${this.seconds} .easing=${this.easing}></ks-cues>
      </section>
      <ks-choose
        .heading=${this.menu?.name ?? ""}
        .options=${this.menu ? this.#options(this.menu) : []}
        @chosen=${this.#chosen}
      ></ks-choose>
    `;
  }

  #left(look: Snapshot): number | null {
    const { morph } = this.#stage.link.state.looks;
    return morph?.to === look.id && this.#way?.whole ? morph.left / this.#way.whole : null;
  }

  // --- what can be done with a look -------------------------------------------------------------------------------------

  #open(look: Snapshot): void {
    this.menu = look;
    void this.updateComplete.then(async () => {
      await this.choose.updateComplete;
      this.choose.open();
    });
  }

  #options(look: Snapshot): Option[] {
    const options: Option[] = [{ value: "rename", label: "Give it another name" }];
    if (!this.pad?.has(look.id)) options.push({ value: "pad", label: "Lay it on the pad" });
    options.push({ value: "cue", label: "Add it to the cues" });
    if (!look.safe) options.push({ value: "safe", label: "Make it the safe look", note: "where the safe key goes" });
    return [...options, { value: "forget", label: "Forget it" }];
  }

  #chosen = (event: CustomEvent<string>) => {
    const look = this.menu;
    const { link } = this.#stage;
    if (!look) return;
    switch (event.detail) {
      case "rename":
        this.renderRoot.querySelector<Look>(`[data-look="${CSS.escape(look.id)}"]`)?.rename();
        break;
      case "pad":
        this.pad.place(look.id);
        break;
      case "cue":
        this.cues.add(look.id);
        break;
      case "safe":
        void link.ask("set_safe", { look: look.id });
        break;
      case "forget":
        this.#forget(look);
        break;
    }
  };

  #forget(look: Snapshot): void {
    const { link } = this.#stage;
    leaving.set(
      look.id,
      setTimeout(async () => {
        await link.ask("forget", { look: look.id });
        leaving.delete(look.id);
        this.requestUpdate();
      }, GRACE),
    );
    this.requestUpdate();
  }

  #keep(look: Snapshot): void {
    clearTimeout(leaving.get(look.id));
    leaving.delete(look.id);
    this.requestUpdate();
  }
}
