/** Sources, features and bends come and go. */

import { LitElement, css, html } from "lit";
import { customElement, property } from "lit/decorators.js";
import { Follows } from "../link.ts";
import type { Kind } from "../protocol.ts";
import { theme } from "../theme.ts";

const SAID: Record<string, string> = {
  camera: "a camera of this machine",
  page: "a browser's or a phone's camera",
  page_sound: "a browser's or a phone's microphone",
  sound: "sound: how loud it is, how low, how high, and its beats",
  activations: "activations: all that a network sees, for the latent",
  brightness: "brightness: how light it is there",
  motion: "motion: how much moves there",
};

const ONE = { sources: "a source", features: "a feature", bends: "a bend" };

/** A name for a new station that nobody has: "motion", "motion2", ... */
export function free(kind: string, taken: string[]): string {
  let name = kind;
  for (let i = 2; taken.includes(name); i++) name = `${kind}${i}`;
  return name;
}

/** Kinds that show a file: what of the library they can be given, and what they are called. */
const SHELVES: Record<string, { shelf: "videos" | "pictures"; name: string; title: string; empty: string }> = {
  video: { shelf: "videos", name: "film", title: "A film of the library", empty: "none: put films into the library's folder videos" },
  pictures: {
    shelf: "pictures",
    name: "pictures",
    title: "Pictures of the library",
    empty: "none: put folders of pictures into the library's folder pictures",
  },
};

/** Kinds that need nothing said before they can be. */
function ready(kind: Kind): boolean {
  const fields = Array.isArray(kind.fields) ? (kind.fields as { needed?: boolean }[]) : [];
  return !fields.some((field) => field.needed);
}

@customElement("ks-add")
export class Add extends LitElement {
  @property() section: "sources" | "features" | "bends" = "features";
  #stage = new Follows(this, ["kinds", "patch", "library", "model"]);

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
    const { state } = this.#stage.link;
    const all = state.kinds[this.section] ?? [];
    const kinds = all.filter(ready);
    if (!kinds.length) return html``;
    const shelves = this.section === "sources" ? all.filter(({ kind }) => kind in SHELVES) : [];
    const one = ONE[this.section];
    const able = (kind: string) => this.section !== "bends" || state.model.bends.includes(kind);
    return html`<select aria-label="Add ${one}" @change=${this.#add}>
      <option value="" selected>+ Add ${one}</option>
      ${kinds.map(
        ({ kind, about }) =>
          html`<option value=${kind} ?disabled=${!able(kind)}>
            ${SAID[kind] ?? (about ? `${kind}: ${about}` : kind)}${able(kind) ? "" : " (not this model)"}
          </option>`,
      )}
      ${shelves.map(({ kind }) => {
        const { shelf, title, empty } = SHELVES[kind]!;
        const files = state.library[shelf];
        return html`<optgroup label=${title}>
          ${files.map((file) => html`<option value="${kind}/${file}">${file}</option>`)}
          ${files.length ? "" : html`<option disabled>${empty}</option>`}
        </optgroup>`;
      })}
    </select>`;
  }

  #add(event: Event): void {
    const menu = event.target as HTMLSelectElement;
    const [kind, path] = menu.value.split("/") as [string, string | undefined];
    menu.value = "";
    const { link } = this.#stage;
    const called = { page: "phone", page_sound: "voice" }[kind] ?? SHELVES[kind]?.name ?? kind;
    const name = free(called, Object.keys(link.state.patch[this.section]));
    void link.ask("change", { edits: { [`${this.section}.${name}`]: path === undefined ? { kind } : { kind, path } } });
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
    const name = this.place.split(".").at(-1);
    return html`<button
      class="bare"
      title="Undo brings it back"
      @click=${() => void this.#stage.link.ask("change", { edits: { [this.place]: null } })}
    >
      Remove ${name}
    </button>`;
  }
}
