/** The theme for shadow roots: `static styles = [theme, css`...`]`. */

import { unsafeCSS } from "lit";
import text from "./theme.css?inline";

export const theme = unsafeCSS(text.replace(/:root\s*\{[^}]*\}/, "").replace(/html,\s*body\s*\{[^}]*\}/, ""));
