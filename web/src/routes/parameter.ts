/** Something that can be played: a number or a band of the latent on which a feature can be put down, or which learns. */

import { LitElement, css, html, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import { sign } from "../signs.ts";
import { written } from "../ranges.ts";
import { Follows } from "../link.ts";
import type { Control, Drive } from "../protocol.ts";
import { theme } from "../theme.ts";
import { hue } from "./trace.ts";

/** <ks-parameter .control .label>. Events: "pick" (a feature is to be chosen), "free" (what moves it is to let go). */
@customElement("ks-parameter")
export class Parameter extends LitElement {
  @property({ attribute: false }) control!: Control;
  @property() label = "";
  #stage = new Follows(this, ["patch", "performance"]);

  static override styles = [
    theme,
    css`
      :host {
        display: block;
        border: 1px solid var(--line);
        border-radius: 12px;
        background: var(--panel);
      }
      .row {
        display: flex;
        align-items: center;
        gap: 8px;
        min-height: 52px;
        padding: 4px 8px 4px 14px;
      }
      .names {
        flex: 1;
        min-width: 0;
        display: grid;
        gap: 1px;
        line-height: 1.25;
        overflow-wrap: anywhere;
      }
      small {
        display: flex;
        align-items: center;
        gap: 7px;
        color: var(--quiet);
        font-size: 12.5px;
      }
      i {
        width: 8px;
        height: 8px;
        border-radius: 50%;
        flex: none;
      }
      button {
        min-height: 40px;
      }
      .value {
        color: var(--quiet);
        font-variant-numeric: tabular-nums;
        font-size: 13px;
      }
      .learning {
        border-radius: 12px;
        background: var(--live-dim);
        animation: breathe 1.6s ease-in-out infinite alternate;
      }
      @keyframes breathe {
        from {
          box-shadow: 0 0 0 1px var(--live);
          background: color-mix(in srgb, var(--live) 7%, transparent);
        }
        to {
          box-shadow: 0 0 0 3px var(--live-dim);
          background: color-mix(in srgb, var(--live) 20%, transparent);
        }
      }
      @media (prefers-reduced-motion: reduce) {
        .learning {
          box-shadow: 0 0 0 2px var(--live);
        }
      }
      @container panel (max-width: 420px) {
        .choose span,
        .means {
          display: none;
        }
      }
    `,
  ];

  protected override render() {
    const { control } = this;
    const { link } = this.#stage;
    const learning = link.state.performance.learning === control.place;
    if (learning) {
      return html`<div class="row learning" role="status">
        <span class="names">${this.label}<small>Move the thing that should play this…</small></span>
        <button class="live" @click=${() => link.ask("learn_stop")}>That was it</button>
      </div>`;
    }
    const value = link.value(control.place);
    const means = control.help.split(":")[0]!; // of rows: what they are good for
    const driver = control.kind === "rows" ? ((value as Drive | null | undefined)?.feature ?? null) : null;
    return html`<div class="row">
      <span class="names" title=${control.help}>
        ${this.label}
        ${control.kind === "rows"
          ? html`<small>
              ${driver ? html`<i .style=${`background:${hue(driver)}`}></i>moved by ${driver}` : ""}
              ${driver ? html`<span class="means">· ${means.toLowerCase()}</span>` : means}
            </small>`
          : nothing}
      </span>
      ${typeof value === "number"
        ? html`<span class="value">
            ${written(value, { low: control.low ?? 0, high: control.high ?? 1 })} ${control.unit}
          </span>`
        : nothing}
      ${driver
        ? html`<button class="bare" @click=${() => this.#tell("free")} aria-label="Remove ${driver} from ${this.label}">
            Remove
          </button>`
        : html`<button class="bare choose" @click=${() => this.#tell("pick")} aria-label="Choose a feature for ${this.label}">
            ${sign("plus")}<span>Choose</span>
          </button>`}
      ${control.kind === "rows"
        ? nothing
        : html`<button
            aria-label="Learn: ${this.label} listens for what you move"
            title="Press, then move the thing that should play this"
            @click=${() => link.ask("learn", { place: control.place })}
          >
            Learn
          </button>`}
    </div>`;
  }

  #tell(what: string): void {
    this.dispatchEvent(new CustomEvent(what));
  }
}
