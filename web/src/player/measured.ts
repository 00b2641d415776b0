/** How it goes: pictures a second, how long each takes, how old what is seen is; and what is in trouble, in words. */

import { LitElement, css, html } from "lit";
import { customElement } from "lit/decorators.js";
import { Follows } from "../link.ts";
import { theme } from "../theme.ts";
import "./drop.ts";

const BACK_ENDS: Record<string, string> = { exact: "the model itself", torch: "torch", openvino: "OpenVINO", inductor: "inductor" };
const STILL_MS = 5000; // what was seen so long ago is no delay: nothing comes

@customElement("ks-measured")
export class Measured extends LitElement {
  #stage = new Follows(this, ["meters", "connection", "patch"]);
  #calm = { fps: 0, p50: 0, age: 0 as number | null, at: 0 };

  static override styles = [
    theme,
    css`
      :host {
        display: block;
      }
      .brief {
        display: inline-flex;
        align-items: center;
        gap: 12px;
        font-variant-numeric: tabular-nums;
        white-space: nowrap;
      }
      .dot {
        width: 9px;
        height: 9px;
        border-radius: 50%;
        background: var(--good);
      }
      .dot.bad {
        background: var(--bad);
      }
      .dot.away {
        background: var(--edge);
      }
      dl {
        display: grid;
        grid-template-columns: 1fr auto;
        gap: 5px 16px;
        margin: 0;
      }
      dt {
        color: var(--quiet);
      }
      dd {
        margin: 0;
        text-align: right;
        font-variant-numeric: tabular-nums;
      }
      h3 {
        margin: 14px 0 6px;
      }
      .trouble {
        grid-column: 1 / -1;
        color: var(--bad);
        font-size: 12.5px;
        overflow-wrap: anywhere;
      }
      .why {
        grid-column: 1 / -1;
        color: var(--quiet);
        font-size: 12.5px;
        overflow-wrap: anywhere;
      }
      @media (max-width: 1180px) {
        .more {
          display: none;
        }
      }
      @media (max-width: 860px) {
        .word {
          display: none;
        }
      }
    `,
  ];

  override render() {
    const { link } = this.#stage;
    const meters = link.meters;
    // numbers that are read are turned over four times a second, not fifteen
    const now = performance.now();
    if (now - this.#calm.at > 250) this.#calm = { fps: meters.fps, p50: meters.step_p50 || meters.p50, age: meters.age, at: now };
    const troubles = Object.entries(meters.stations).filter(([, station]) => station.error);
    const state = !link.connected ? "away" : troubles.length ? "bad" : "";
    const drawn = meters.drawn_by;
    const ms = (value: number | null) => (value === null ? "–" : `${value.toFixed(value < 10 ? 1 : 0)} ms`);
    const said = !link.connected ? "The stage is away" : troubles.length ? "Something is in trouble" : "All is well";
    return html`<ks-drop edge="right" label="Meters. ${said}">
      <span slot="button" class="brief">
        <span class="dot ${state}"></span>
        ${link.connected
          ? html`<span><b class="word">${this.#calm.fps.toFixed(this.#calm.fps < 10 ? 1 : 0)}</b> <span class="quiet word">pictures/s</span></span>
              <span class="more">${ms(this.#calm.p50)} <span class="quiet">each</span></span>`
          : html`<span class="quiet">away</span>`}
      </span>
      <dl>
        <dt>Pictures a second</dt>
        <dd>${meters.fps.toFixed(1)}</dd>
        <dt>To make one, usually (p50)</dt>
        <dd>${ms(meters.step_p50 || meters.p50)}</dd>
        <dt>From one to the next, usually (p50)</dt>
        <dd>${ms(meters.p50)}</dd>
        <dt>one in a hundred is later than (p99)</dt>
        <dd>${ms(meters.p99)}</dd>
        <dt>From camera to picture</dt>
        <dd>${meters.age !== null && meters.age > STILL_MS ? "nothing new is seen" : ms(meters.age)}</dd>
        <dt>Pictures left out</dt>
        <dd>${meters.dropped}</dd>
        <dt>Drawn by</dt>
        <dd>${BACK_ENDS[drawn.back_end] ?? drawn.back_end}, ${drawn.precision}</dd>
        ${[drawn.why, ...drawn.detours].map((words) => (words ? html`<dd class="why">${words}</dd>` : ""))}
        <dt>Memory</dt>
        <dd>${Math.round(meters.memory)} MB</dd>
        <dt>Looking on</dt>
        <dd>${meters.viewers}</dd>
      </dl>
      <h3>Stations</h3>
      <dl>
        ${Object.entries(meters.stations).map(
          ([name, station]) =>
            html`<dt>${name}</dt>
              <dd>${station.rate === null ? "–" : `${station.rate.toFixed(0)}/s`} · ${ms(station.p50)}</dd>
              ${station.error ? html`<dd class="trouble">${station.error}</dd>` : ""}`,
        )}
      </dl>
    </ks-drop>`;
  }
}
