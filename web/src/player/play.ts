/** Every control of the instrument, in the order of the flow: what moves, what is seen, where the picture stands, how it is drawn. */

import { LitElement, type TemplateResult, css, html } from "lit";
import { customElement, state } from "lit/decorators.js";
import "../controls.ts";
import { groups, within } from "../felt.ts";
import { Follows } from "../link.ts";
import type { Control, Drive } from "../protocol.ts";
import { clamp, written } from "../ranges.ts";
import { hue } from "../routes/trace.ts";
import { sign } from "../signs.ts";
import { theme } from "../theme.ts";
import "./seedbox.ts";
import "./sources.ts";
import "./stations.ts";

/** The sections that the page knows, in the order of the flow, in the player's words. A new one is shown after them. */
const SECTIONS: Record<string, { title: string; about: string }> = {
  sources: { title: "Sources", about: "what moves" },
  features: { title: "Features", about: "what is felt in it" },
  latent: { title: "Latent", about: "where the picture stands" },
  bends: { title: "Bends", about: "what is done inside the model" },
  picture: { title: "Picture", about: "how it is drawn" },
  sinks: { title: "Sinks", about: "where it goes" },
};

const BANDS: Record<string, string> = {
  coarse: "pose and shape",
  middle: "the features of it",
  fine: "colour and texture",
};

/** These have a place of their own on the page. */
const ELSEWHERE = /^(name|about|model|patch|latent\.(seed|mix|places\..+\.file|directions\..+))$/;

interface Section {
  key: string;
  title: string;
  about: string;
  loose: Control[]; // controls of the section itself
  parts: [string, Control[]][]; // and of each station or band in it
}

const KEPT = "places."; // of the latent: one that was kept, with its name

/** Controls by section and, in it, by station: "features.light.smoothing" belongs to light; "latent.rows.fine" to its band. */
export function sections(controls: Control[]): Section[] {
  const found = new Map<string, { loose: Control[]; parts: Map<string, Control[]> }>();
  for (const key of ["sources", "features", "latent", "bends"]) found.set(key, { loose: [], parts: new Map() });
  for (const control of controls) {
    const path = control.place.split(".");
    const key = path[0]!;
    if (ELSEWHERE.test(control.place)) continue;
    if (!found.has(key)) found.set(key, { loose: [], parts: new Map() });
    const { loose, parts } = found.get(key)!;
    const part = path[0] === "latent" ? ofLatent(path) : path.length > 2 ? path[1] : undefined;
    if (part === undefined) loose.push(control);
    else parts.set(part, [...(parts.get(part) ?? []), control]);
  }
  const known = Object.keys(SECTIONS);
  const order = (key: string) => (known.includes(key) ? known.indexOf(key) : known.length);
  return [...found]
    .sort(([a], [b]) => order(a) - order(b))
    .map(([key, { loose, parts }]) => ({
      key,
      title: SECTIONS[key]?.title ?? key.charAt(0).toUpperCase() + key.slice(1),
      about: SECTIONS[key]?.about ?? "",
      loose,
      parts: [...parts],
    }));
}

/** The part of the latent that a place belongs to: a band of rows, or a latent that was kept. */
function ofLatent([, what, name]: string[]): string | undefined {
  if (what === "rows") return name;
  return what === "places" ? `${KEPT}${name}` : undefined;
}

@customElement("ks-play")
export class Play extends LitElement {
  #stage = new Follows(this, ["patch", "controls", "model", "meters", "connection"]);
  #of: Control[] = []; // the controls that the sections were made of
  #sections: Section[] = [];
  @state() private open = new Set<string>(); // features whose settings are shown
  @state() private shut = new Set<string>(JSON.parse(localStorage.getItem("kinesphere.shut") ?? '["sinks"]') as string[]);

  static override styles = [
    theme,
    css`
      :host {
        display: block;
      }
      section {
        padding: 2px 0 14px;
        border-bottom: 1px solid var(--line);
        margin-bottom: 8px;
      }
      section:last-child {
        border: 0;
      }
      h2 {
        display: flex;
        margin: 0;
      }
      h2 button {
        flex: 1;
        justify-content: flex-start;
        gap: 8px;
        padding: 0 8px;
        margin: 0 -8px 4px;
        font-weight: 600;
        font-size: 15px;
      }
      h2 .quiet {
        font-weight: 400;
        font-size: 13px;
      }
      h2 .turn {
        margin-left: auto;
        width: 14px;
        height: 14px;
        transition: transform 0.12s;
        color: var(--quiet);
      }
      h2 [aria-expanded="true"] .turn {
        transform: rotate(90deg);
      }
      .card {
        padding: 10px 12px;
        margin: 6px 0;
        border-radius: 12px;
        background: var(--raised);
      }
      .card.list {
        padding: 4px 4px 4px 12px;
      }
      .card.list > * + * {
        border-top: 1px solid var(--line);
      }
      .settings {
        padding: 0 8px 8px 17px;
      }
      .feature {
        display: flex;
        align-items: center;
        gap: 4px;
        min-height: 46px;
      }
      .feature .name {
        flex: none;
        min-width: 5.5em;
        display: flex;
        align-items: center;
        gap: 8px;
        overflow-wrap: anywhere;
      }
      .tint {
        width: 9px;
        height: 9px;
        border-radius: 3px;
        flex: none;
      }
      .gauge {
        position: relative;
        flex: 1;
        height: 22px;
        border-radius: 6px;
        background: var(--ground);
        overflow: hidden;
        display: flex;
        align-items: center;
      }
      .gauge i {
        position: absolute;
        left: 0;
        top: 0;
        bottom: 0;
        background: var(--live);
        opacity: 0.75;
      }
      .gauge .bars {
        display: flex;
        align-items: center;
        gap: 1px;
        width: 100%;
        height: 100%;
        padding: 0 2px;
      }
      .gauge .bars.low {
        align-items: flex-end;
      }
      .gauge .bars b {
        flex: 1;
        background: var(--live);
        opacity: 0.8;
        border-radius: 1px;
        min-height: 1px;
      }
      .feature .number {
        width: 3.2em;
        text-align: right;
        color: var(--quiet);
      }
      .more {
        color: var(--quiet);
        font-size: 13px;
      }
      .band.driven {
        box-shadow: inset 3px 0 var(--live);
      }
      .band ks-control + ks-control {
        margin-top: 2px;
      }
      .empty {
        color: var(--quiet);
        padding: 24px 0;
        text-align: center;
      }
    `,
  ];

  override render() {
    const { link } = this.#stage;
    if (!link.ready) return html`<p class="empty">Waiting for the stage…</p>`;
    if (this.#of !== link.state.controls) {
      this.#of = link.state.controls;
      this.#sections = sections(this.#of);
    }
    return this.#sections.map((section) => {
      const open = !this.shut.has(section.key);
      return html`<section aria-label=${section.title} data-section=${section.key}>
        <h2>
          <button class="bare" aria-expanded=${open} @click=${() => this.#turn(section.key)}>
            ${section.title} <span class="quiet">${section.about}</span>
            <svg class="turn sign" viewBox="0 0 18 18" aria-hidden="true"><path d="m7 4 5 5-5 5" /></svg>
          </button>
        </h2>
        ${open ? this.#inside(section) : ""}
      </section>`;
    });
  }

  #inside(section: Section): TemplateResult | TemplateResult[] {
    const parts = new Map(section.parts);
    const { patch } = this.#stage.link.state;
    switch (section.key) {
      case "sources":
        return html`<div class="card list">
          ${Object.keys(patch.sources).map(
            (name) => html`<ks-source .name=${name} .controls=${parts.get(name) ?? []}></ks-source>`,
          )}
          <ks-add section="sources"></ks-add>
        </div>`;
      case "features":
        return html`<div class="card list">
          ${Object.keys(patch.features).map((name) => this.#feature(name, parts.get(name) ?? []))}
          <ks-add section="features"></ks-add>
        </div>`;
      case "latent": {
        // the bands that every model has come first; single rows wait folded, unless something drives them
        const driven = (band: string) => patch.latent.rows[band] !== undefined;
        const bands = section.parts.filter(([band]) => !band.startsWith(KEPT));
        const kept = section.parts.filter(([part]) => part.startsWith(KEPT));
        const near = bands.filter(([band]) => band in BANDS || driven(band));
        const far = bands.filter(([band]) => !(band in BANDS || driven(band)));
        return html`
          <div class="card"><ks-seedbox></ks-seedbox></div>
          ${section.loose.length ? html`<div class="card">${section.loose.map(control)}</div>` : ""}
          ${kept.map(
            ([part, held]) => html`<div class="card">
              ${held.map(control)}
              <ks-remove .place=${`latent.places.${part.slice(KEPT.length)}`}></ks-remove>
            </div>`,
          )}
          ${near.map(([band, held]) => this.#band(band, held))}
          ${far.length
            ? html`<button class="bare more" aria-expanded=${this.open.has("rows")} @click=${() => this.#fold("rows")}>
                  ${sign("more")} ${this.open.has("rows") ? "Only the bands" : "Show row by row"}
                </button>
                ${this.open.has("rows") ? far.map(([band, held]) => this.#band(band, held)) : ""}`
            : ""}
        `;
      }
      case "bends":
        return html`
          ${Object.keys(patch.bends).map(
            (name) => html`<div class="card">
              <h3>${name}</h3>
              ${(parts.get(name) ?? []).map(control)}
              <ks-remove .place=${`bends.${name}`}></ks-remove>
            </div>`,
          )}
          <div class="card list"><ks-add section="bends"></ks-add></div>
        `;
      default:
        return html`
          ${section.loose.length ? html`<div class="card">${section.loose.map(control)}</div>` : ""}
          ${section.parts.map(
            ([name, held]) => html`<div class="card"><h3>${name}</h3>${held.map(control)}</div>`,
          )}
        `;
    }
  }

  #feature(name: string, held: Control[]): TemplateResult {
    const { link } = this.#stage;
    const now = link.meters.features[name];
    const region = held.find((control) => control.kind === "region");
    const open = this.open.has(name);
    return html`<div>
      <div class="feature">
        <span class="name"><span class="tint" .style=${`background:${hue(name)}`}></span>${name}</span>
        <div class="gauge" .style=${`--live:${hue(name)}`} role="img" aria-label=${typeof now === "number" ? `${name}: ${written(now)}` : name}>
          ${now !== null && typeof now === "object" && !Array.isArray(now)
            ? this.#several(name, now)
            : Array.isArray(now)
            ? html`<div class="bars">
                ${now.map((part) => html`<b .style=${`height:${Math.round(clamp(Math.abs(part) / 2, 0.05, 1) * 100)}%`}></b>`)}
              </div>`
            : typeof now === "number"
              ? html`<i .style=${`width:${clamp(now, 0, 1) * 100}%`}></i>`
              : html`<span class="quiet">&nbsp; nothing yet</span>`}
        </div>
        <span class="number">${typeof now === "number" ? written(now) : ""}</span>
        ${region
          ? html`<button
              class="bare icon"
              title="Draw what ${name} looks at"
              aria-label="Draw what ${name} looks at"
              @click=${() => this.#say("region", region.place)}
            >
              ${sign("large")}
            </button>`
          : ""}
        <button
          class="bare icon"
          aria-expanded=${open}
          title="Settings of ${name}"
          aria-label="Settings of ${name}"
          @click=${() => this.#fold(name)}
        >
          ${sign("more")}
        </button>
      </div>
      ${open ? html`<div class="settings">
            ${held.map(control)}
            <ks-remove .place=${`features.${name}`}></ks-remove>
          </div>` : ""}
    </div>`;
  }

  /** Each of several numbers as a bar, where it is in its range; one that is not known is not there. */
  #several(name: string, now: Record<string, number | null>): TemplateResult {
    const { felt } = this.#stage.link.state;
    return html`<div class="bars low">
      ${groups([name], felt)[0]!.numbers.map((number) => {
        const { low, high } = felt[number]!;
        const value = now[within(number)] ?? null;
        const part = value === null ? 0 : clamp((value - low) / (high - low), 0.04, 1);
        return html`<b title="${within(number)}${value === null ? "" : ` ${written(value)}`}" .style=${`height:${Math.round(part * 100)}%`}></b>`;
      })}
    </div>`;
  }

  /** A band: what drives it, and how much. The amount is shown where something does. */
  #band(band: string, held: Control[]): TemplateResult {
    const { link } = this.#stage;
    const drive = link.value(`latent.rows.${band}`) as unknown as Drive | undefined | null;
    const driven = drive !== undefined && drive !== null;
    const shown = held.filter((control) => control.kind === "rows" || driven);
    const named = (of: Control) => (of.place === `latent.rows.${band}` ? { ...of, label: this.#named(of.label, band) } : of);
    return html`<div class="card band ${driven ? "driven" : ""}">${shown.map((of) => control(named(of)))}</div>`;
  }

  /** "Coarse: pose and shape": no band is called by its name alone. */
  #named(label: string, band: string): string {
    return BANDS[band] && !label.includes(":") ? `${label}: ${BANDS[band]}` : label;
  }

  #fold(name: string): void {
    const open = new Set(this.open);
    if (!open.delete(name)) open.add(name);
    this.open = open;
  }

  #turn(key: string): void {
    const shut = new Set(this.shut);
    if (!shut.delete(key)) shut.add(key);
    this.shut = shut;
    localStorage.setItem("kinesphere.shut", JSON.stringify([...shut]));
  }

  #say(what: string, detail: string): void {
    this.dispatchEvent(new CustomEvent(what, { detail, bubbles: true, composed: true }));
  }
}

function control(of: Control): TemplateResult {
  return html`<ks-control .control=${of} data-place=${of.place}></ks-control>`;
}
