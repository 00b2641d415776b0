/** The theme for shadow roots: `static styles = [theme, css`...`]`; and what several parts of the page look like. */

import { css, unsafeCSS } from "lit";
import text from "./theme.css?inline";

export const theme = unsafeCSS(text.replace(/:root\s*\{[^}]*\}/, "").replace(/html,\s*body\s*\{[^}]*\}/, ""));

/** One of the panels beside the picture: sections below each other, each with its title and a word at the right. */
export const panel = css`
  :host {
    display: grid;
    gap: 26px;
    padding-bottom: 24px;
  }
  section {
    display: grid;
    gap: 12px;
    min-width: 0;
  }
  header {
    display: flex;
    align-items: baseline;
    justify-content: space-between;
    flex-wrap: wrap;
    gap: 2px 12px;
  }
  header p {
    color: var(--quiet);
    font-size: 13px;
  }
`;

/** What stands where there is nothing yet. */
export const empty = css`
  .empty {
    padding: 18px;
    border: 1px dashed var(--line);
    border-radius: 14px;
    color: var(--quiet);
    text-align: center;
  }
`;

/** What a hand is told that is to do something on the picture. */
export const hint = css`
  p {
    position: absolute;
    inset: auto 0 12px;
    text-align: center;
    pointer-events: none;
  }
  p span {
    padding: 5px 14px;
    border-radius: 99px;
    background: #000c;
  }
`;

/** On the picture of a tile: that it plays now. */
export const badge = css`
  .now {
    position: absolute;
    left: 6px;
    top: 6px;
    padding: 1px 8px;
    border-radius: 99px;
    background: #0a1119d9;
    color: var(--here);
    font-size: 11px;
  }
`;
