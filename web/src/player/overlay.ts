/** What the features see, drawn over the input: hands, faces and bodies, discs, the box round who is there. */

import { LitElement, css, html, svg } from "lit";
import { customElement, property } from "lit/decorators.js";
import { sourceOf } from "../kinds.ts";
import { Follows } from "../link.ts";
import type { Overlay } from "../protocol.ts";
import { hue } from "../routes/trace.ts";

type Line = [number, number, number, number];

/** Lines as one path in a square of 1000. */
export function path(lines: Line[]): string {
  return lines.map((line) => line.map((at) => Math.round(at * 1000))).map(([a, b, c, d]) => `M${a} ${b}L${c} ${d}`).join("");
}

@customElement("ks-overlay")
export class OverlayView extends LitElement {
  @property() source = "";
  #stage = new Follows(this, ["patch", "meters"]);

  static override styles = css`
    :host {
      position: absolute;
      inset: 0;
      pointer-events: none;
    }
    svg {
      position: absolute;
      inset: 0;
      width: 100%;
      height: 100%;
    }
    path,
    ellipse {
      fill: none;
      stroke: var(--tint);
      stroke-width: 2px;
      stroke-linecap: round;
      vector-effect: non-scaling-stroke;
      filter: drop-shadow(0 0 1.5px #000);
    }
    .faint {
      stroke: #bbb;
      opacity: 0.5;
    }
  `;

  override render() {
    const { link } = this.#stage;
    const seen = Object.entries(link.meters.overlays).filter(([name]) => sourceOf(link.state, name) === this.source);
    return html`<svg viewBox="0 0 1000 1000" preserveAspectRatio="none" aria-hidden="true">
      ${seen.map(([name, overlay]) => this.#drawn(name, overlay))}
    </svg>`;
  }

  #drawn(name: string, { lines, faint, circles }: Overlay) {
    const wide = this.offsetWidth ? this.offsetHeight / this.offsetWidth : 1; // a circle stays one in a picture of any shape
    return svg`<g style=${`--tint:${hue(name)}`} data-feature=${name}>
      ${faint.length ? svg`<path class="faint" d=${path(faint)}></path>` : ""}
      ${lines.length ? svg`<path d=${path(lines)}></path>` : ""}
      ${circles.map(([x, y, r]) => svg`<ellipse cx=${x * 1000} cy=${y * 1000} rx=${r * 1000 * wide} ry=${r * 1000}></ellipse>`)}
    </g>`;
  }
}
