/** The first minute: four steps, shown once. */

import { LitElement, css, html } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { theme } from "../theme.ts";

interface Step {
  at: string; // what of the page it speaks of: see `spot`
  tab: "play" | "routes" | "looks" | "";
  title: string;
  text: string;
}

const STEPS: Step[] = [
  {
    at: "picture",
    tab: "play",
    title: "This picture is played",
    text: "A model paints it anew for every moment. Throw the dice: each seed is another picture, and between any two lie all the others. Boldness says how far from the average picture they may go.",
  },
  {
    at: "input",
    tab: "play",
    title: "This is what moves it",
    text: "Your camera, or a film. Features watch parts of it, and what they see steers the picture. “Use my camera” puts you in it; the frames can be dragged.",
  },
  {
    at: "tabs",
    tab: "routes",
    title: "You say what moves what",
    text: "A route leads from a feature to a control: how far, how fast, how calm. What a route moves glows in this warm colour. Everything else is yours to drag.",
  },
  {
    at: "panic",
    tab: "looks",
    title: "Nothing is lost, and you can always stop",
    text: "Keep a look and go back to it at any time; Record keeps all that you play. Freeze, Black and Safe save a show at one key each. ? tells all the keys.",
  },
];

const SEEN = "kinesphere.tour";

/** Shown to those who have not seen it; asks "spot" (detail: {at, tab, found}) where its parts are. */
@customElement("ks-tour")
export class Tour extends LitElement {
  @property({ attribute: false }) find: (at: string) => DOMRect | null = () => null;
  @state() private step = -1;
  @state() private hole: DOMRect | null = null;

  static override styles = [
    theme,
    css`
      .shade {
        position: fixed;
        inset: 0;
        z-index: 60;
        pointer-events: none;
      }
      .hole {
        position: fixed;
        border-radius: 14px;
        box-shadow: 0 0 0 200vmax #050608b8, inset 0 0 0 2px var(--here);
        transition: all 0.25s;
      }
      .card {
        position: fixed;
        z-index: 61;
        width: min(360px, calc(100vw - 32px));
        padding: 18px 20px;
        border: 1px solid var(--line);
        border-radius: 16px;
        background: var(--raised);
        box-shadow: 0 20px 60px #000c;
      }
      h2 {
        font-size: 17px;
        margin-bottom: 6px;
      }
      footer {
        display: flex;
        align-items: center;
        gap: 8px;
        margin-top: 16px;
      }
      .dots {
        flex: 1;
        display: flex;
        gap: 6px;
      }
      .dots i {
        width: 7px;
        height: 7px;
        border-radius: 50%;
        background: var(--line);
      }
      .dots i.here {
        background: var(--here);
      }
      .next {
        background: var(--ink);
        color: #111;
        border-color: var(--ink);
      }
      .next:hover:not(:disabled) {
        background: #fff;
      }
    `,
  ];

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener("resize", this.#place);
    const asked = new URLSearchParams(location.search).get("tour");
    if (asked !== "no" && (asked === "yes" || localStorage.getItem(SEEN) === null)) setTimeout(() => this.start(), 700);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    removeEventListener("resize", this.#place);
  }

  start(): void {
    this.#go(0);
  }

  override render() {
    const step = STEPS[this.step];
    if (!step) return html``;
    const hole = this.hole;
    const at = hole ? beside(hole) : { left: 16, top: 80 };
    const last = this.step === STEPS.length - 1;
    return html`
      <div class="shade">
        <div
          class="hole"
          .style=${hole
            ? `left:${hole.left}px;top:${hole.top}px;width:${hole.width}px;height:${hole.height}px`
            : "left:50%;top:50%;width:0;height:0"}
        ></div>
      </div>
      <div
        class="card"
        role="dialog"
        aria-label="The tour, step ${this.step + 1} of ${STEPS.length}"
        aria-describedby="text"
        .style=${`left:${at.left}px;top:${at.top}px`}
        @keydown=${this.#key}
      >
        <h2>${step.title}</h2>
        <p id="text">${step.text}</p>
        <footer>
          <span class="dots" aria-hidden="true">${STEPS.map((_, i) => html`<i class=${i === this.step ? "here" : ""}></i>`)}</span>
          ${last ? "" : html`<button class="bare skip" @click=${() => this.#end()}>Skip</button>`}
          <button class="next" @click=${() => (last ? this.#end() : this.#go(this.step + 1))}>
            ${last ? "Play" : "Next"}
          </button>
        </footer>
      </div>
    `;
  }

  #go(step: number): void {
    this.step = step;
    this.dispatchEvent(new CustomEvent("open", { detail: STEPS[step]!.tab, bubbles: true, composed: true }));
    requestAnimationFrame(() => {
      this.#place();
      this.renderRoot.querySelector<HTMLElement>(".next")?.focus();
    });
  }

  #end(): void {
    this.step = -1;
    localStorage.setItem(SEEN, "seen");
    this.dispatchEvent(new CustomEvent("open", { detail: "play", bubbles: true, composed: true }));
  }

  #place = () => {
    const step = STEPS[this.step];
    if (step) this.hole = this.find(step.at);
  };

  #key(event: KeyboardEvent): void {
    if (event.key === "Escape") this.#end();
    else if (event.key === "ArrowRight" && this.step < STEPS.length - 1) this.#go(this.step + 1);
    else if (event.key === "ArrowLeft" && this.step > 0) this.#go(this.step - 1);
    else return;
    event.stopPropagation();
    event.preventDefault();
  }
}

/** Where a card has room beside a spot: right, left, below, above, or else inside it. */
function beside(hole: DOMRect): { left: number; top: number } {
  const [w, h, gap] = [Math.min(360, innerWidth - 32), 220, 14];
  const middle = Math.min(Math.max(hole.top + hole.height / 2 - h / 2, 16), innerHeight - h - 16);
  const along = Math.min(Math.max(hole.left, 16), innerWidth - w - 16);
  if (hole.right + gap + w < innerWidth) return { left: hole.right + gap, top: middle };
  if (hole.top - gap - h > 0) return { left: along, top: hole.top - gap - h };
  if (hole.bottom + gap + h < innerHeight) return { left: along, top: hole.bottom + gap };
  if (hole.left - gap - w > 0) return { left: hole.left - gap - w, top: middle };
  return { left: Math.max(16, (innerWidth - w) / 2), top: Math.max(16, innerHeight - h - 24) };
}
