/** The panel of routes: what is felt, what it plays, and what else could be played. */

import { LitElement, type PropertyValues, css, html, nothing } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { ref } from "lit/directives/ref.js";
import { repeat } from "lit/directives/repeat.js";
import { first, groups, station, within } from "../felt.ts";
import { Follows } from "../link.ts";
import type { Control, Plain, RouteTable } from "../protocol.ts";
import { empty, panel, theme } from "../theme.ts";
import "./card.ts";
import "./choose.ts";
import type { Choose, Option } from "./choose.ts";
import { complete, table } from "./curve.ts";
import { type Load, type Target, carried, receives } from "./drag.ts";
import "./feature.ts";
import "./parameter.ts";
import { gather, hue, seen } from "./trace.ts";

/** What the open list is for. */
type Wish = { feature: string } | { place: string };

@customElement("ks-routes")
export class Routes extends LitElement {
  /** The route that is to be shown: its place in the patch. */
  @property() place = "";

  @state() private opened = "";
  @state() private load: Load | null = null;
  @state() private wish: Wish | null = null;
  @state() private over = "";
  @query("ks-choose") private choose!: Choose;
  #stage = new Follows(this, ["patch", "controls", "routes", "felt", "performance"]);
  #learning: string | null = null;
  #carry = () => {
    this.load = carried?.what === "feature" || carried?.what === "latent" ? carried : null;
    this.over = "";
  };

  static override styles = [
    theme,
    panel,
    empty,
    css`
      section {
        gap: 10px;
      }
      .features {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(150px, 1fr));
        gap: 10px;
      }
      .several {
        grid-column: 1 / -1;
        display: grid;
        gap: 6px;
      }
      .several h3 {
        display: flex;
        align-items: center;
        gap: 8px;
        font-weight: 600;
      }
      .several h3 i {
        width: 8px;
        height: 8px;
        border-radius: 50%;
      }
      .several div {
        display: grid;
        grid-template-columns: repeat(auto-fill, minmax(132px, 1fr));
        gap: 8px;
      }
      .list {
        display: grid;
        gap: 8px;
      }
      .list > * {
        transition:
          opacity 0.15s,
          box-shadow 0.15s;
        scroll-margin: 12px;
      }
      .takes {
        box-shadow: 0 0 0 1px var(--edge);
      }
      .over {
        box-shadow: 0 0 0 2px var(--live);
      }
      .not {
        opacity: 0.35;
      }
      h3 {
        margin-top: 4px;
        font-weight: 500;
      }
      summary {
        min-height: 40px;
        line-height: 40px;
        font-size: 13px;
        font-weight: 500;
        color: var(--quiet);
        cursor: pointer;
      }
    `,
  ];

  override connectedCallback(): void {
    super.connectedCallback();
    gather();
    addEventListener("ks-carry", this.#carry);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    removeEventListener("ks-carry", this.#carry);
  }

  protected override willUpdate(changed: PropertyValues): void {
    const { performance, routes } = this.#stage.link.state;
    if (changed.has("place") && this.place) this.opened = this.place;
    // What has just learned is shown: its feature and its range are the next things to see.
    if (this.#learning && !performance.learning && routes.some((route) => route.place === this.#learning)) {
      this.opened = this.#learning;
    }
    this.#learning = performance.learning;
  }

  protected override updated(changed: PropertyValues): void {
    if (changed.has("place") && this.place) this.#show(this.place);
  }

  #show(place: string): void {
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.renderRoot
      .querySelector(`[data-place="${CSS.escape(place)}"]`)
      ?.scrollIntoView({ block: "nearest", behavior: calm ? "auto" : "smooth" });
  }

  protected override render() {
    const { link } = this.#stage;
    const controls = this.#targets();
    const driven = controls.filter((control) => this.#driver(control));
    const free = controls.filter((control) => !this.#driver(control));
    const features = groups(Object.keys(link.state.patch.features), link.state.felt);
    const sections = [...new Set(free.map((control) => control.group))];
    const list = (group: string) =>
      html`<div class="list">
        ${repeat(
          free.filter((control) => control.group === group),
          (control) => control.place,
          (control) => this.#row(control),
        )}
      </div>`;
    return html`
      <section aria-labelledby="felt">
        <header>
          <h2 id="felt">What is felt</h2>
          <p>Drag one onto what it should play.</p>
        </header>
        ${features.length
          ? html`<div class="features">
              ${repeat(
                features,
                ({ name }) => name,
                ({ name, numbers }) =>
                  numbers.some(within)
                    ? html`<div class="several" role="group" aria-label=${name}>
                        <h3><i .style=${`background:${hue(name)}`}></i>${name}</h3>
                        <div>${numbers.map((number) => this.#meter(number, driven))}</div>
                      </div>`
                    : this.#meter(name, driven),
              )}
            </div>`
          : html`<p class="empty">
              This patch feels nothing yet: add a feature in the Play tab, such as how light it is or how much moves.
            </p>`}
      </section>
      <section aria-labelledby="plays">
        <header><h2 id="plays">What it plays</h2></header>
        <div class="list">
          ${driven.length
            ? repeat(
                driven,
                (control) => control.place,
                (control) => this.#row(control),
              )
            : html`<p class="empty">
                Nothing is moved yet: drag a feature onto something below, or press Learn there and move.
              </p>`}
        </div>
      </section>
      ${free.length
        ? html`<section aria-labelledby="free">
            <header>
              <h2 id="free">Could be played</h2>
              <p>Press Learn, then move.</p>
            </header>
            ${sections.map((group) =>
              group === SINGLE
                ? html`<details ?open=${this.load?.what === "latent"}>
                    <summary>${GROUPS[group]}</summary>
                    ${list(group)}
                  </details>`
                : html`${sections.length > 1 ? html`<h3>${title(group)}</h3>` : nothing}${list(group)}`,
            )}
          </section>`
        : nothing}
      <ks-choose
        .heading=${this.#heading()}
        .options=${this.wish ? this.#options(this.wish) : []}
        empty="Nothing here goes with it: add a feature in the Play tab first."
        @chosen=${this.#chosen}
      ></ks-choose>
    `;
  }

  #meter(name: string, driven: Control[]) {
    const plays = driven.filter((control) => this.#driver(control) === name).map((c) => this.#label(c).split(": ")[0]!);
    return html`<ks-feature
      .name=${name}
      .kind=${this.#stage.link.state.patch.features[station(name)]!.kind}
      ?vector=${this.#vector(name)}
      .plays=${[...new Set(plays)]}
      @pick=${() => this.#pick({ feature: name })}
    ></ks-feature>`;
  }

  #row(control: Control) {
    const { place } = control;
    const refused = this.load ? this.#refuses(control, this.load) : "";
    const classes = !this.load ? "" : refused ? "not" : this.over === place ? "over takes" : "takes";
    const target = ref((element) => receives(element, this.#target(control)));
    if (control.kind !== "rows" && this.#driver(control)) {
      return html`<ks-route
        ${target}
        class=${classes}
        data-place=${place}
        .place=${place}
        .label=${this.#label(control)}
        .control=${control}
        ?open=${this.opened === place && !this.load}
        @toggle=${() => (this.opened = this.opened === place ? "" : place)}
        @remove=${() => this.#free(control)}
        @other=${() => this.#pick({ place })}
        @otherwise=${() => this.#pick({ place: `${place}.otherwise` })}
        @show=${(event: CustomEvent<string>) => this.#open(event.detail)}
      ></ks-route>`;
    }
    return html`<ks-parameter
      ${target}
      class=${classes}
      data-place=${place}
      .control=${control}
      .label=${this.#label(control)}
      @pick=${() => this.#pick({ place })}
      @free=${() => this.#free(control)}
    ></ks-parameter>`;
  }

  // --- what there is --------------------------------------------------------------------------------------------------

  /** What a feature can play: the bands of the latent, and every number that may be a route. */
  #targets(): Control[] {
    const { controls, routes } = this.#stage.link.state;
    const known = controls.filter((control) => control.routable || control.kind === "rows");
    const unknown = routes.filter((route) => !known.some((control) => control.place === route.place));
    return [...known, ...unknown.map(({ place }) => this.#instead(place) ?? { ...NAMELESS, place, label: place })];
  }

  /** What is played while the feature of a route is lost: the same parameter once more. */
  #instead(place: string): Control | null {
    const of = place.endsWith(OTHERWISE) ? place.slice(0, -OTHERWISE.length) : "";
    const control = this.#stage.link.state.controls.find((c) => c.place === of) ?? (of ? this.#instead(of) : null);
    return control && { ...control, place, label: `${control.label}, when lost` };
  }

  #control(place: string): Control | undefined {
    return this.#targets().find((control) => control.place === place) ?? this.#instead(place) ?? undefined;
  }

  #open(place: string): void {
    this.opened = place;
    void this.updateComplete.then(() => this.#show(place));
  }

  #label(control: Control): string {
    const [section, name] = control.place.split(".");
    return section === "sources" || section === "features" || section === "bends" ? `${name}, ${control.label}` : control.label;
  }

  /** The feature that moves it; "" where none does. */
  #driver(control: Control): string {
    const value = this.#stage.link.value(control.place);
    if (!value || typeof value !== "object" || Array.isArray(value)) return "";
    return typeof value["feature"] === "string" ? value["feature"] : "";
  }

  #vector(feature: string): boolean {
    return !(feature in this.#stage.link.state.felt);
  }

  #refuses(control: Control, load: Load): string {
    if (load.what === "latent") {
      return control.kind === "rows" ? "" : `${load.name} is many numbers at once: it plays rows, not one number.`;
    }
    return control.kind === "rows" ? `${load.name} is one number: rows are moved by many at once.` : "";
  }

  // --- connecting -----------------------------------------------------------------------------------------------------

  #target(control: Control): Target {
    return {
      refuses: (load) =>
        load.what === "feature" || load.what === "latent" ? this.#refuses(control, load) : "This is for features.",
      over: (load) => (this.over = load ? control.place : ""),
      drop: (load) => this.#connect(load.name, control),
    };
  }

  #connect(feature: string, control: Control): void {
    const { link } = this.#stage;
    const { place } = control;
    const value = link.value(place);
    if (control.kind === "rows") {
      const drive = value && typeof value === "object" && !Array.isArray(value) ? value : {};
      link.change({ [place]: { amount: 1, ...drive, feature } });
      return;
    }
    const old = this.#driver(control) ? complete(value as unknown as RouteTable) : null;
    link.change({ [place]: table(first(feature, link.state.felt[feature], seen(feature), control, old)) as Plain });
    this.#open(place);
  }

  /** Let go: a band goes back to the seed, a number stays where it is played now. */
  #free(control: Control): void {
    const { link } = this.#stage;
    const feature = this.#driver(control);
    const played = link.played(control.place) ?? control.default;
    const value = typeof played === "number" ? Number(played.toPrecision(4)) : played;
    link.change({ [control.place]: control.kind === "rows" ? null : value });
    this.#say(`${feature} no longer moves ${this.#label(control)}. Undo brings it back.`);
  }

  #say(text: string): void {
    this.dispatchEvent(new CustomEvent("say", { detail: text, bubbles: true, composed: true }));
  }

  // --- by key ---------------------------------------------------------------------------------------------------------

  #pick(wish: Wish): void {
    this.wish = wish;
    void this.updateComplete.then(async () => {
      await this.choose.updateComplete;
      this.choose.open();
    });
  }

  #heading(): string {
    if (!this.wish) return "";
    if ("feature" in this.wish) return `What should ${this.wish.feature} play?`;
    const { place } = this.wish;
    const control = this.#control(place);
    return `What should move ${control ? this.#label(control) : place}?`;
  }

  #options(wish: Wish): Option[] {
    if ("feature" in wish) {
      const load = this.#load(wish.feature);
      return this.#targets()
        .filter((control) => !this.#refuses(control, load))
        .map((control) => ({
          value: control.place,
          label: this.#label(control),
          group: title(control.group),
          note: this.#driver(control) && `moved by ${this.#driver(control)}`,
        }));
    }
    const control = this.#control(wish.place);
    const { patch, felt } = this.#stage.link.state;
    return groups(Object.keys(patch.features), felt)
      .flatMap(({ name, numbers }) => (numbers.length ? numbers : [name]))
      .filter((name) => control && !this.#refuses(control, this.#load(name)))
      .map((name) => ({ value: name, label: name, note: patch.features[station(name)]!.kind }));
  }

  #load(feature: string): Load {
    return { what: this.#vector(feature) ? "latent" : "feature", name: feature, label: feature };
  }

  #chosen = (event: CustomEvent<string>) => {
    const { wish } = this;
    if (!wish) return;
    const place = "feature" in wish ? event.detail : wish.place;
    const control = this.#control(place);
    if (control) this.#connect("feature" in wish ? wish.feature : event.detail, control);
  };
}

const SINGLE = "latent.rows.single";
const OTHERWISE = ".otherwise";

/** What the groups of controls are called here. */
const GROUPS: Record<string, string> = {
  latent: "The picture as a whole",
  "latent.classes": "Classes of the model",
  "latent.directions": "Directions",
  "latent.rows": "Bands of the picture",
  [SINGLE]: "Single layers",
  picture: "How it is drawn",
};

function title(group: string): string {
  const [section, name] = group.split(".");
  return GROUPS[group] ?? (name ? `${name} (${section!.replace(/s$/, "")})` : group);
}

const NAMELESS: Control = {
  place: "",
  kind: "number",
  label: "",
  help: "",
  group: "more",
  default: 0,
  low: null,
  high: null,
  step: null,
  unit: "",
  scale: "linear",
  choices: null,
  routable: true,
};
