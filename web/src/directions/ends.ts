/** Both ends of a direction as pictures, side by side. */

import { css, html } from "lit";
import type { RackState } from "../protocol.ts";
import { type End, drawable, endOf } from "./ways.ts";

export const AT = 3; // standard deviations from the mean picture, where a slider ends

export const endings = css`
  .end {
    display: block;
    position: relative;
    aspect-ratio: 1;
    overflow: hidden;
    background: var(--raised);
  }
  .end img {
    position: absolute;
    inset: 0;
    width: 100%;
    height: 100%;
    object-fit: cover;
  }
`;

/** The picture of one end, as soon as it is in sight; nothing where none can be drawn. Styled by `endings`. */
export function ending(rack: RackState, which: { of: string; rows: string }, end: End, amount = AT) {
  return html`<span class="end ${end}">
    ${drawable(rack, which)
      ? html`<img src=${endOf(rack, which, end, amount)} alt="" loading="lazy" draggable="false" />`
      : ""}
  </span>`;
}
