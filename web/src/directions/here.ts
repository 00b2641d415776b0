/** Sliders for the picture that plays now: for all of it, for a box that is drawn on it, or for what is painted on it. */

import { LitElement, css, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import "../controls.ts";
import { Follows } from "../link.ts";
import { sign } from "../signs.ts";
import { theme } from "../theme.ts";
import { type Marked, UNMARKED, full } from "./marked.ts";
import "./tile.ts";
import { tiles } from "./tile.ts";

/** <ks-here .marked>: event "marked" (detail: the tool to draw with, what is drawn, the brush's width), which bubbles. */
@customElement("ks-here")
export class Here extends LitElement {
  @property({ attribute: false }) marked: Marked = UNMARKED;
  @state() private outside = true;
  #stage = new Follows(this, ["rack"]);

  static override styles = [
    theme,
    tiles,
    css`
      :host {
        display: grid;
        grid-template-columns: minmax(0, 1fr);
        gap: 12px;
      }
      .row {
        display: flex;
        flex-wrap: wrap;
        gap: 8px;
      }
      .row button {
        flex: 1;
        min-height: 44px;
        white-space: nowrap;
      }
      .find {
        border-color: var(--here);
        background: var(--here-dim);
        font-weight: 600;
      }
      .bad {
        color: var(--bad);
      }
    `,
  ];

  protected override render() {
    const { rack } = this.#stage.link.state;
    const { seeking, trouble } = rack.here;
    const found = rack.offered.filter(({ group }) => group === "here");
    return html`
      ${this.marked.tool
        ? this.#drawing(seeking)
        : html`<div class="row">
            <button @click=${() => this.#tell({ tool: "box" })}>${sign("large")} Draw a box on it</button>
            <button @click=${() => this.#tell({ tool: "brush" })}>${sign("brush")} Paint on it</button>
            <button ?disabled=${seeking} @click=${() => this.#seek({ outside: false })}>
              ${seeking ? "Looking…" : "All of the picture"}
            </button>
          </div>`}
      ${trouble ? html`<p class="bad" role="status">${trouble}</p>` : nothing}
      ${found.length
        ? html`<div class="tiles">${repeat(found, ({ of }) => of, (offer) => html`<ks-tile .offer=${offer}></ks-tile>`)}</div>`
        : nothing}
    `;
  }

  /** What helps to mark a part of the picture, and the way out. */
  #drawing(seeking: boolean) {
    const { tool, region, strokes, width } = this.marked;
    const part = tool === "box" ? region && { region } : strokes.length ? { strokes, width } : null;
    return html`
      <p class="quiet">${this.#hint()}</p>
      ${tool === "brush"
        ? html`<ks-slider
            label="Width of the brush"
            unit="%"
            .low=${2}
            .high=${40}
            .step=${1}
            .rest=${100 * UNMARKED.width}
            .value=${Math.round(100 * width)}
            @edit=${(event: CustomEvent<number>) => this.#tell({ width: event.detail / 100 })}
          ></ks-slider>`
        : nothing}
      <ks-switch
        label="Leave the rest alone"
        help="Elsewhere as little changes as can be."
        .value=${this.outside}
        @edit=${(event: CustomEvent<boolean>) => (this.outside = event.detail)}
      ></ks-switch>
      <div class="row">
        <button class="find" ?disabled=${!part || seeking} @click=${() => this.#seek({ ...part, outside: this.outside })}>
          ${seeking ? "Looking…" : tool === "box" ? "Find sliders for the box" : "Find sliders for the paint"}
        </button>
        ${tool === "brush"
          ? html`<button ?disabled=${!strokes.length} @click=${() => this.#tell({ strokes: [] })}>Clear</button>`
          : nothing}
        <button @click=${() => this.#tell({ tool: "" })}>Done</button>
      </div>
    `;
  }

  #hint(): string {
    const { tool, region, strokes } = this.marked;
    if (tool === "box") return region ? "Drag the box, or pull it at its corners." : "Draw a box on the picture: on the mouth, or on the hair.";
    return full(strokes) ? "That is all the paint there is: find sliders for it, or clear it." : "Paint over what is to change: the mouth, or the hair.";
  }

  #tell(detail: Partial<Marked>): void {
    this.dispatchEvent(new CustomEvent("marked", { detail, bubbles: true, composed: true }));
  }

  #seek(where: Record<string, unknown>): void {
    void this.#stage.link.ask("here", where);
  }
}
