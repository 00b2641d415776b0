/** How a morph goes: in what time, and at what pace. */

import { LitElement, css, html, svg } from "lit";
import { customElement, property } from "lit/decorators.js";
import "../controls.ts";
import { theme } from "../theme.ts";
import { EASINGS, PACES } from "./easing.ts";

/** <ks-pace .seconds .easing>. Events: "seconds", "easing" (detail: the value). */
@customElement("ks-pace")
export class Pace extends LitElement {
  @property({ type: Number }) seconds = 0;
  @property() easing = "smoothstep";

  static override styles = [
    theme,
    css`
      :host {
        display: grid;
        grid-template-columns: minmax(0, 1fr) auto;
        gap: 4px 16px;
        align-items: end;
      }
      label {
        display: flex;
        align-items: center;
        gap: 8px;
        color: var(--quiet);
        font-size: 13px;
      }
      select {
        max-width: 150px;
        min-height: 40px;
      }
      svg {
        width: 40px;
        height: 30px;
        flex: none;
        overflow: visible;
      }
      path {
        fill: none;
        stroke: var(--here);
        stroke-width: 2;
        stroke-linecap: round;
        stroke-linejoin: round;
      }
      @container panel (max-width: 420px) {
        :host {
          grid-template-columns: 1fr;
        }
        select {
          flex: 1;
          max-width: none;
        }
      }
    `,
  ];

  protected override render() {
    return html`<ks-slider
        label="Time to get there"
        help="How long it takes to become the look you choose; 0 cuts at once."
        .low=${0}
        .high=${60}
        .rest=${2}
        .unit=${"s"}
        .scale=${"log"}
        .value=${this.seconds}
        @edit=${(event: CustomEvent<number>) => this.#tell("seconds", event.detail)}
      ></ks-slider>
      <label title="The pace of the way there (easing)">
        <svg viewBox="0 0 40 30" aria-hidden="true">${svg`<path d=${drawn(this.easing)}></path>`}</svg>
        <span class="unseen">Pace</span>${paces(this.easing, (easing) => this.#tell("easing", easing))}
      </label>`;
  }

  #tell(what: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(what, { detail }));
  }
}

/** A menu of every pace. */
export function paces(easing: string, chosen: (easing: string) => void, label = "Pace") {
  return html`<select
    aria-label=${label}
    @change=${(event: Event) => chosen((event.target as HTMLSelectElement).value)}
    @keydown=${(event: KeyboardEvent) => event.stopPropagation()}
  >
    ${PACES.map(([name, words]) => html`<option value=${name} ?selected=${name === easing}>${words}</option>`)}
  </select>`;
}

/** The pace as a line on a field of 40 by 30. */
export function drawn(easing: string): string {
  const pace = EASINGS[easing] ?? ((x: number) => x);
  const points = Array.from({ length: 33 }, (_, i) => {
    const x = i / 32;
    return `${(2 + 36 * x).toFixed(1)} ${(26 - 22 * pace(x)).toFixed(1)}`;
  });
  return `M${points.join("L")}`;
}
