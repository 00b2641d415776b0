/** The signs on buttons, drawn on a field of 18 by 18. */

import { html, svg } from "lit";

const SIGNS = {
  freeze: svg`<path d="M6 4v10M12 4v10"/>`,
  play: svg`<path d="M5.5 3.5v11l9-5.5z"/>`,
  black: svg`<circle cx="9" cy="9" r="6"/><path d="M9 3a6 6 0 0 1 0 12z" fill="currentColor"/>`,
  safe: svg`<path d="M9 2.5 14.5 5v4c0 3-2.3 5.4-5.5 6.5C5.8 14.4 3.5 12 3.5 9V5z"/>`,
  undo: svg`<path d="M6.5 3.5 3.5 6.5l3 3M3.5 6.5h7a4 4 0 0 1 0 8H8"/>`,
  redo: svg`<path d="m11.5 3.5 3 3-3 3M14.5 6.5h-7a4 4 0 0 0 0 8H10"/>`,
  dice: svg`<rect x="3" y="3" width="12" height="12" rx="2.5"/><g fill="currentColor" stroke="none"><circle cx="6.4" cy="6.4" r="1.2"/><circle cx="11.6" cy="11.6" r="1.2"/><circle cx="9" cy="9" r="1.2"/></g>`,
  snapshot: svg`<path d="M3 6h2.5l1.3-2h4.4l1.3 2H15v8.5H3z"/><circle cx="9" cy="10" r="2.5"/>`,
  record: svg`<circle cx="9" cy="9" r="4.5" fill="currentColor"/>`,
  stop: svg`<rect x="5" y="5" width="8" height="8" rx="1" fill="currentColor"/>`,
  help: svg`<circle cx="9" cy="9" r="6.5"/><path d="M7 7.2a2 2 0 1 1 2.9 1.8c-.6.3-.9.7-.9 1.4M9 12.7v.1"/>`,
  star: svg`<path d="m9 3 1.8 3.9 4.2.5-3.1 2.9.8 4.2L9 12.4l-3.7 2.1.8-4.2L3 7.4l4.2-.5z"/>`,
  starred: svg`<path fill="currentColor" d="m9 3 1.8 3.9 4.2.5-3.1 2.9.8 4.2L9 12.4l-3.7 2.1.8-4.2L3 7.4l4.2-.5z"/>`,
  camera: svg`<rect x="2.5" y="5" width="9" height="8" rx="1.5"/><path d="m11.5 8 4-2v6l-4-2z"/>`,
  microphone: svg`<rect x="6.5" y="2" width="5" height="9" rx="2.5"/><path d="M4 9a5 5 0 0 0 10 0M9 14v2M6.5 16h5"/>`,
  bin: svg`<path d="M3.5 5h11M7 5V3h4v2M5 5l.7 10h6.6L13 5M7.5 8v4.5M10.5 8v4.5"/>`,
  close: svg`<path d="m5 5 8 8M13 5l-8 8"/>`,
  more: svg`<path d="M4 6h10M4 9h10M4 12h10"/>`,
  brush: svg`<path d="M15 3 8.5 10M7 9.5l1.8 1.8c-.2 2.7-2.8 3.7-5.8 3.7 1.5-1.3.6-4.7 4-5.5z"/>`,
  large: svg`<path d="M7 3H3v4M11 3h4v4M7 15H3v-4M11 15h4v-4"/>`,
  small: svg`<path d="M3 7h4V3M15 7h-4V3M3 11h4v4M15 11h-4v4"/>`,
  pad: svg`<rect x="5" y="2" width="8" height="14" rx="2"/><path d="M8.5 13.5h1"/>`,
  show: svg`<rect x="2.5" y="3.5" width="13" height="9" rx="1.5"/><path d="M6 15.5h6"/>`,
  tilt: svg`<path d="M3 11a6 6 0 0 1 12 0M9 11l3-4"/><path d="M3 14h12"/>`,
  back: svg`<path d="M11 4 6 9l5 5"/>`,
  next: svg`<path d="m7 4 5 5-5 5"/>`,
  plus: svg`<path d="M9 4v10M4 9h10"/>`,
  lock: svg`<rect x="4" y="8" width="10" height="7" rx="1.5"/><path d="M6 8V6a3 3 0 0 1 6 0v2"/>`,
  beyond: svg`<path d="M6 5v8M12 5v8M6 9H1.5m2-2-2 2 2 2M12 9h4.5m-2-2 2 2-2 2"/>`,
  opposite: svg`<path d="M3 6.5h11m-3-3 3 3-3 3M15 11.5H4m3-3-3 3 3 3"/>`,
  wave: svg`<path d="M2 9c2-7 4-7 7 0s5 7 7 0"/>`,
} as const;

export type Sign = keyof typeof SIGNS;

export function sign(name: Sign) {
  return html`<svg class="sign" viewBox="0 0 18 18" aria-hidden="true">${SIGNS[name]}</svg>`;
}
