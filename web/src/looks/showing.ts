/** Showing what a body is to do: hold a pose, choose its look, do that a few times; then poses play. */

import { LitElement, css, html, nothing, svg } from "lit";
import { customElement, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import { Follows, address, pictureOf } from "../link.ts";
import type { ShownExample, ShownState, Snapshot } from "../protocol.ts";
import { sign } from "../signs.ts";
import { theme } from "../theme.ts";
import { byFeature, confidence, missing, shares, short, sureness } from "./poses.ts";

const AROUND = 2 * Math.PI * 36; // length of the ring round a look
const WAITS = [0, 3, 5]; // seconds until a pose is held
const NOW = ""; // the look that is there now

@customElement("ks-showing")
export class ShowingPanel extends LitElement {
  @state() private chosen: Set<string> | null = null; // numbers that are to be a pose; null: all
  @state() private choosing = false;
  @state() private look = NOW;
  @state() private wait = 0;
  @state() private left = 0; // seconds until the pose is held; 0: nobody waits
  @state() private said = "";
  #stage = new Follows(this, ["shown", "patch", "looks", "meters"]);
  #clock: ReturnType<typeof setInterval> | undefined;

  static override styles = [
    theme,
    css`
      :host {
        display: grid;
        gap: 14px;
        min-width: 0;
      }
      .numbers {
        display: grid;
        gap: 10px;
      }
      fieldset {
        display: flex;
        flex-wrap: wrap;
        gap: 6px;
        margin: 0;
        padding: 0;
        border: 0;
        min-width: 0;
      }
      legend {
        padding: 0 0 4px;
        color: var(--quiet);
        font-size: 13px;
      }
      .chip {
        display: inline-flex;
        align-items: center;
        gap: 7px;
        min-height: 36px;
        padding: 0 12px 0 9px;
        border: 1px solid var(--line);
        border-radius: 99px;
        background: var(--raised);
        cursor: pointer;
        font-size: 13px;
      }
      .chip:has(input:checked) {
        border-color: var(--here);
        background: var(--here-dim);
      }
      .chip:has(input:focus-visible),
      .choice:has(input:focus-visible) .face {
        outline: 2px solid var(--here);
        outline-offset: 2px;
      }
      .chip input {
        accent-color: var(--here);
        width: 15px;
        height: 15px;
        margin: 0;
      }
      .pose {
        display: flex;
        flex-wrap: wrap;
        align-items: baseline;
        justify-content: space-between;
        gap: 2px 12px;
        color: var(--quiet);
        font-size: 13px;
      }
      .pose button {
        min-height: 32px;
        margin: 0 -0.85em 0 0;
        font-size: 13px;
      }
      .sure {
        display: grid;
        gap: 5px;
      }
      .sure p {
        display: flex;
        justify-content: space-between;
        gap: 12px;
        font-size: 13px;
      }
      .bar {
        position: relative;
        height: 10px;
        border-radius: 99px;
        background: var(--higher);
        overflow: hidden;
      }
      .bar div {
        height: 100%;
        background: var(--live);
        transform-origin: left;
      }
      .bar.lost div {
        background: var(--edge);
      }
      .poses {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(84px, 1fr));
        gap: 12px 8px;
        margin: 0;
        padding: 0;
        list-style: none;
      }
      .poses li {
        position: relative;
        display: grid;
        justify-items: center;
        gap: 4px;
        min-width: 0;
        font-size: 12px;
        text-align: center;
      }
      .ring {
        position: relative;
        width: 78px;
        height: 78px;
      }
      .ring svg {
        position: absolute;
        inset: 0;
        width: 78px;
        height: 78px;
        transform: rotate(-90deg);
      }
      .ring circle {
        fill: none;
        stroke: var(--line);
        stroke-width: 4;
      }
      .ring .share {
        stroke: var(--live);
        stroke-linecap: round;
      }
      .ring img,
      .ring .none {
        position: absolute;
        inset: 8px;
        width: 62px;
        height: 62px;
        border-radius: 50%;
        object-fit: cover;
        background: var(--higher);
      }
      .none {
        display: grid;
        place-content: center;
        color: var(--quiet);
        font-size: 18px;
      }
      .name {
        width: 100%;
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      button.away {
        position: absolute;
        top: -8px;
        left: calc(50% + 14px);
        width: 36px;
        min-height: 36px;
        border-radius: 50%;
        background: var(--panel);
        border-color: var(--line);
        color: var(--quiet);
      }
      .away .sign {
        width: 14px;
        height: 14px;
      }
      .choices {
        display: flex;
        gap: 8px;
        margin: 0 -4px;
        padding: 4px;
        overflow-x: auto;
        scrollbar-width: thin;
      }
      .choice {
        display: grid;
        gap: 4px;
        justify-items: center;
        flex: none;
        width: 68px;
        font-size: 12px;
        color: var(--quiet);
        cursor: pointer;
      }
      .choice .face {
        width: 60px;
        height: 60px;
        border-radius: 12px;
        object-fit: cover;
        background: var(--raised);
        box-shadow: inset 0 0 0 1px var(--line);
      }
      .choice:has(input:checked) {
        color: var(--ink);
      }
      .choice:has(input:checked) .face {
        box-shadow: 0 0 0 2px var(--here);
      }
      .choice .name {
        text-align: center;
      }
      .hold {
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto;
        gap: 8px;
      }
      .hold button {
        min-height: 52px;
        border-color: var(--here);
        background: var(--here-dim);
        font-weight: 600;
      }
      .hold select {
        min-height: 52px;
      }
      .counting {
        font-size: 26px;
        font-variant-numeric: tabular-nums;
      }
      .bottom {
        display: flex;
        flex-wrap: wrap;
        gap: 8px;
      }
      .bottom .play {
        flex: 1 1 160px;
        min-height: 44px;
      }
      .quiet {
        font-size: 13px;
      }
    `,
  ];

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#wake();
  }

  protected override willUpdate(): void {
    const { snapshots } = this.#stage.link.state.looks;
    if (this.look !== NOW && !snapshots.some((look) => look.id === this.look)) this.look = NOW; // it was forgotten
  }

  protected override render() {
    const { state } = this.#stage.link;
    const { offered } = state.shown;
    const { shown } = state.patch;
    if (!offered.length) {
      return html`<p class="quiet">
        A pose is made of numbers, and this patch has no feature that is one: add motion, brightness or another with
        “Add a feature” under Play.
      </p>`;
    }
    return this.choosing || !shown?.features.length ? this.#choose(offered, shown) : this.#panel(shown);
  }

  // --- what a pose is ---------------------------------------------------------------------------------------------------

  #choose(offered: string[], shown: ShownState | undefined) {
    const chosen = this.#chosen(offered, shown);
    const some = offered.filter((name) => chosen.has(name));
    return html`<p class="quiet">
        Take a pose, choose its look, and do that a few times: then your body finds the looks again, and all that lies between
        them. First: which of these is a pose made of?
      </p>
      <div class="numbers">
        ${byFeature(offered).map(
          ([feature, names]) => html`<fieldset>
            <legend class=${feature ? "" : "unseen"}>${feature || "What a pose is made of"}</legend>
            ${names.map(
              (name) => html`<label class="chip">
                <input type="checkbox" .checked=${chosen.has(name)} @change=${() => this.#toggle(chosen, name)} />${short(name)}
              </label>`,
            )}
          </fieldset>`,
        )}
      </div>
      ${shown?.examples.length ? html`<p class="quiet">What was shown with other numbers is forgotten; undo brings it back.</p>` : nothing}
      <div class="bottom">
        <button class="play" ?disabled=${!some.length} @click=${() => this.#begin(some)}>Begin showing</button>
        ${this.choosing ? html`<button @click=${() => (this.choosing = false)}>Leave it as it was</button>` : nothing}
      </div>`;
  }

  #chosen(offered: string[], shown: ShownState | undefined): Set<string> {
    return this.chosen ?? new Set(shown?.features.length ? shown.features : offered);
  }

  #toggle(chosen: Set<string>, name: string): void {
    const next = new Set(chosen);
    if (!next.delete(name)) next.add(name);
    this.chosen = next;
  }

  async #begin(features: string[]): Promise<void> {
    if (!(await this.#stage.link.ask("show_begin", { features }))) return;
    this.choosing = false;
    this.chosen = null;
  }

  // --- showing ------------------------------------------------------------------------------------------------------------

  #panel(shown: ShownState) {
    const { link } = this.#stage;
    const todo = missing(shown.examples);
    return html`<div class="pose">
        <span>A pose is: ${shown.features.map((name) => name.replaceAll("_", " ")).join(", ")}</span>
        <button class="bare" @click=${() => (this.choosing = true)}>Change</button>
      </div>
      ${shown.examples.length ? this.#sure() : nothing}
      ${shown.examples.length ? this.#poses(shown) : nothing}
      ${this.#looks()}
      <div class="hold">
        <button @click=${this.#press} aria-describedby="held">
          ${this.left
            ? html`<span class="counting">${this.left}</span> hold still`
            : html`${sign("snapshot")} Hold this pose for this look`}
        </button>
        <select aria-label="When the pose is held" @change=${(event: Event) => (this.wait = Number((event.target as HTMLSelectElement).value))}>
          ${WAITS.map((wait) => html`<option value=${wait} ?selected=${wait === this.wait}>${wait ? `in ${wait} s` : "at once"}</option>`)}
        </select>
      </div>
      <p class="quiet" id="held" role="status">${this.said || todo}</p>
      <div class="bottom">
        <button
          class="play ${shown.play && !todo ? "live" : ""}"
          aria-pressed=${shown.play && !todo}
          ?disabled=${!!todo && !shown.play}
          @click=${() => link.ask("show_play", { on: !shown.play })}
        >
          ${shown.play && !todo ? html`${sign("stop")} Poses play: stop` : html`${sign("play")} Let poses play`}
        </button>
        <button ?disabled=${!shown.examples.length} @click=${() => link.ask("show_undo")}>${sign("undo")} Last pose</button>
        <button class="bare" @click=${() => link.ask("show_clear")}>Forget all</button>
      </div>`;
  }

  /** How sure it is of the pose of now. */
  #sure() {
    const sure = confidence(this.#stage.link.meters.numbers) ?? 0;
    return html`<div class="sure">
      <p><span id="sure">How sure it is of this pose</span><span class="quiet">${sureness(sure)}</span></p>
      <div
        class="bar ${sure <= 0.1 ? "lost" : ""}"
        role="meter"
        aria-labelledby="sure"
        aria-valuemin="0"
        aria-valuemax="100"
        aria-valuenow=${Math.round(100 * sure)}
        aria-valuetext=${sureness(sure)}
      >
        <div .style=${`transform:scaleX(${sure.toFixed(3)})`}></div>
      </div>
    </div>`;
  }

  #poses(shown: ShownState) {
    const found = shares(this.#stage.link.meters.numbers);
    return html`<ol class="poses" aria-label="Poses that were shown">
      ${shown.examples.map((example, i) => this.#pose(example, i, found[example.look] ?? 0))}
      ${shown.safe && !shown.examples.some((example) => example.look === shown.safe)
        ? html`<li>
            ${this.#ring(shown.safe, found[shown.safe] ?? 0)}
            <span class="name" title=${shown.safe}>safe look</span>
          </li>`
        : nothing}
    </ol>`;
  }

  #pose(example: ShownExample, i: number, share: number) {
    return html`<li data-example=${i}>
      ${this.#ring(example.look, share)}
      <span class="name" title=${example.look}>${example.look}</span>
      <button
        class="icon away"
        aria-label="Forget pose ${i + 1}, ${example.look}"
        title="Forget this pose"
        @click=${() => this.#stage.link.ask("show_undo", { example: i })}
      >
        ${sign("close")}
      </button>
    </li>`;
  }

  #ring(look: string, share: number) {
    const picture = this.#stage.link.state.shown.pictures[look];
    return html`<div class="ring" role="img" aria-label="${look}, ${Math.round(100 * share)} percent">
      ${picture
        ? html`<img src=${address(picture)} alt="" draggable="false" />`
        : html`<span class="none" aria-hidden="true">${look.slice(0, 1)}</span>`}
      <svg viewBox="0 0 78 78" aria-hidden="true">
        ${svg`<circle cx="39" cy="39" r="36"></circle>
          <circle class="share" cx="39" cy="39" r="36" stroke-dasharray="${(share * AROUND).toFixed(1)} 300"
            opacity=${share > 0.004 ? 1 : 0}></circle>`}
      </svg>
    </div>`;
  }

  /** Which look is to belong to the pose: the one that is there, or one that was kept. */
  #looks() {
    const { snapshots } = this.#stage.link.state.looks;
    if (!snapshots.length) return nothing;
    return html`<fieldset class="choices">
      <legend class="unseen">The look of the pose</legend>
      <label class="choice">
        <input class="unseen" type="radio" name="look" .checked=${this.look === NOW} @change=${() => (this.look = NOW)} />
        <span class="face none">${sign("show")}</span>
        <span class="name">as it is</span>
      </label>
      ${repeat(
        [...snapshots].reverse(),
        (look) => look.id,
        (look) => html`<label class="choice" title=${look.name}>
          <input class="unseen" type="radio" name="look" .checked=${this.look === look.id} @change=${() => this.#take(look)} />
          <img class="face" src=${pictureOf(look)} alt="" draggable="false" />
          <span class="name">${look.name}</span>
        </label>`,
      )}
    </fieldset>`;
  }

  /** Choose a look, and see it, unless poses play. */
  #take(look: Snapshot): void {
    this.look = look.id;
    const { link } = this.#stage;
    if (!link.state.patch.shown?.play) void link.ask("recall", { look: look.id, seconds: 0.4 });
  }

  // --- holding ------------------------------------------------------------------------------------------------------------

  /** Hold the pose now or when the time has passed; pressed once more while it passes, not at all. */
  #press = () => {
    if (this.left) return this.#wake();
    if (!this.wait) return void this.#hold();
    this.said = "Take the pose, and hold still.";
    this.left = this.wait;
    this.#clock = setInterval(() => {
      this.left -= 1;
      if (this.left) return;
      this.#wake();
      void this.#hold();
    }, 1000);
  };

  #wake(): void {
    clearInterval(this.#clock);
    this.left = 0;
    this.said = "";
  }

  async #hold(): Promise<void> {
    const { link } = this.#stage;
    const before = link.state.patch.shown?.examples.length ?? 0;
    const done = await link.ask("show_hold", { look: this.look === NOW ? null : this.look });
    this.said = done ? `Pose ${before + 1} is held.` : "";
    setTimeout(() => (this.said = ""), 2500);
  }
}
