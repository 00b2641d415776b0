/** The panel of directions: the rack of sliders, teaching a word, sliders for this picture, and all that the model offers. */

import { LitElement, html } from "lit";
import { customElement, property } from "lit/decorators.js";
import { Follows } from "../link.ts";
import { panel, theme } from "../theme.ts";
import "./here.ts";
import { type Marked, UNMARKED } from "./marked.ts";
import "./rack.ts";
import "./teach.ts";
import "./wall.ts";

/** <ks-directions .marked>: what is marked on the picture. */
@customElement("ks-directions")
export class Directions extends LitElement {
  @property({ attribute: false }) marked: Marked = UNMARKED;
  #stage = new Follows(this, ["rack", "model", "connection"]);
  #looked = ""; // the model that was looked through

  static override styles = [theme, panel];

  protected override updated(): void {
    const { link } = this.#stage;
    const model = link.connected ? link.state.rack.model : ""; // a stage that comes back may be another one
    if (model && model !== this.#looked) void link.ask("offer");
    this.#looked = model;
  }

  protected override render() {
    return html`
      <section aria-labelledby="rack">
        <header>
          <h2 id="rack">The rack</h2>
          <p>In σ: most pictures lie within ±2</p>
        </header>
        <ks-rack></ks-rack>
      </section>
      <section aria-labelledby="teach">
        <header>
          <h2 id="teach">Teach a word</h2>
          <p>A slider of your own, from your answers</p>
        </header>
        <ks-teach></ks-teach>
      </section>
      <section aria-labelledby="here">
        <header>
          <h2 id="here">For this picture</h2>
          <p>What it can do just now, just there</p>
        </header>
        <ks-here .marked=${this.marked}></ks-here>
      </section>
      <section aria-labelledby="wall">
        <header>
          <h2 id="wall">What this model offers</h2>
          <p>Press one: it becomes a slider</p>
        </header>
        <ks-wall></ks-wall>
      </section>
    `;
  }
}
