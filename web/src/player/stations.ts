/** Sources and features come and go. */

import { LitElement, css, html } from "lit";
import { customElement, property } from "lit/decorators.js";
import { Follows } from "../link.ts";
import type { Kind } from "../protocol.ts";
import { theme } from "../theme.ts";

const SAID: Record<string, string> = {
  camera: "a camera of this machine",
  page: "a browser's or a phone's camera",
  activations: "activations: all that a network sees, for the latent",
  brightness: "brightness: how light it is there",
  motion: "motion: how much moves there",
};

/** A name for a new station that nobody has: "motion", "motion2", ... */
export function free(kind: string, taken: string[]): string {
  let name = kind;
  for (let i = 2; taken.includes(name); i++) name = `${kind}${i}`;
  return name;
}

/** Kinds that need nothing said before they can be. */
function ready(kind: Kind): boolean {
  const fields = Array.isArray(kind.fields) ? (kind.fields as { needed?: boolean }[]) : [];
  return !fields.some((field) => field.needed);
}

@customElement("ks-add")
export class Add extends LitElement {
  @property() section: "sources" | "features" = "features";
  #stage = new Follows(this, ["kinds", "patch"]);

  static override styles = [
    theme,
    css`
      :host {
        display: block;
      }
      select {
        width: 100%;
        appearance: none;
        cursor: pointer;
        padding: 0;
        min-height: 38px;
        border-color: transparent;
        background: none;
        color: var(--quiet);
        max-width: 100%;
      }
    `,
  ];

  override render() {
    const kinds = (this.#stage.link.state.kinds[this.section] ?? []).filter(ready);
    if (!kinds.length) return html``;
    const one = this.section === "sources" ? "a source" : "a feature";
    return html`<select aria-label="Add ${one}" @change=${this.#add}>
      <option value="" selected>+ Add ${one}</option>
      ${kinds.map(({ kind }) => html`<option value=${kind}>${SAID[kind] ?? kind}</option>`)}
    </select>`;
  }

  #add(event: Event): void {
    const menu = event.target as HTMLSelectElement;
    const kind = menu.value;
    menu.value = "";
    const { link } = this.#stage;
    const name = free(kind === "page" ? "phone" : kind, Object.keys(link.state.patch[this.section]));
    void link.ask("change", { edits: { [`${this.section}.${name}`]: { kind } } });
  }
}

@customElement("ks-remove")
export class Remove extends LitElement {
  @property() place = "";
  #stage = new Follows(this, []);

  static override styles = [
    theme,
    css`
      button {
        min-height: 32px;
        margin: 4px 0 0 -0.85em;
        color: var(--quiet);
        font-size: 12.5px;
      }
    `,
  ];

  override render() {
    const name = this.place.split(".").slice(1).join(".");
    return html`<button
      class="bare"
      title="Undo brings it back"
      @click=${() => void this.#stage.link.ask("change", { edits: { [this.place]: null } })}
    >
      Remove ${name}
    </button>`;
  }
}
