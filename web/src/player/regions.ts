/** What features look at: boxes over the picture of their source. */

import { LitElement, css, html } from "lit";
import { customElement, property } from "lit/decorators.js";
import { sourceOf } from "../kinds.ts";
import { Follows } from "../link.ts";
import { written } from "../ranges.ts";
import { hue } from "../routes/trace.ts";
import { theme } from "../theme.ts";
import "./box.ts";
import type { Region } from "./box.ts";

function area([left, top, right, bottom]: Region): number {
  return (right - left) * (bottom - top);
}

/** Whether two regions begin at about the same corner. */
function near(a: Region, b: Region): boolean {
  return Math.abs(a[0] - b[0]) < 0.12 && Math.abs(a[1] - b[1]) < 0.08;
}

@customElement("ks-regions")
export class Regions extends LitElement {
  @property() source = "";
  @property({ type: Boolean, reflect: true }) editing = false;
  @property() chosen = ""; // the feature in hand
  #stage = new Follows(this, ["patch", "meters"]);

  static override styles = [
    theme,
    css`
      :host {
        position: absolute;
        inset: 0;
        pointer-events: none;
      }
      :host([editing]) {
        touch-action: none;
      }
    `,
  ];

  override render() {
    const { link } = this.#stage;
    const { features } = link.state.patch;
    const mine = Object.keys(features)
      .map((name) => ({ name, region: link.value(`features.${name}.region`) as Region | undefined }))
      .filter(({ name, region }) => Array.isArray(region) && sourceOf(link.state, name) === this.source)
      .sort((a, b) => area(b.region!) - area(a.region!)); // the smaller lies above, so that every one can be taken
    const inHand = mine.some(({ name }) => name === this.chosen) ? this.chosen : mine.at(-1)?.name;
    // names that would lie on one another stand in a column
    const under = (i: number) => mine.slice(0, i).filter((other) => near(other.region!, mine[i]!.region!)).length;
    return mine.map(({ name, region }, i) => {
      const now = link.meters.features[name];
      return html`<ks-box
        .region=${region!}
        label="${name} looks here"
        caption=${`${name}${typeof now === "number" ? ` ${written(now)}` : ""}`}
        ?editing=${this.editing}
        ?chosen=${this.editing && inHand === name}
        .style=${`--tint:${hue(name)};--down:${20 * under(i)}px`}
        @taken=${() => (this.chosen = name)}
        @move=${(event: CustomEvent<Region>) => link.change({ [`features.${name}.region`]: event.detail })}
      ></ks-box>`;
    });
  }
}
