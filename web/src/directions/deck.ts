/** Pictures that are asked about, one upon the other: the uppermost is carried to a side, and that is an answer. */

import { LitElement, css, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import { address } from "../link.ts";
import type { Question } from "../protocol.ts";
import { theme } from "../theme.ts";
import { verdict } from "./swipe.ts";

const LOADED = 3; // pictures in the page: the next ones are there when they are wanted
const TAP = 6; // px that a finger trembles

/**
 * <ks-deck .questions left right ?swiped>: the first question is uppermost; what its two sides mean. Of two pictures one is
 * tapped, too. Event "answer" (detail: -1 for the left, 1 for the right).
 */
@customElement("ks-deck")
export class Deck extends LitElement {
  @property({ attribute: false }) questions: Question[] = [];
  @property() left = "";
  @property() right = "";
  /** Whether a side is an answer. */
  @property({ type: Boolean }) swiped = false;
  @state() private dx = 0;
  @state() private leaving: { question: Question; to: number } | null = null;
  #hand: { id: number; x: number; at: number; speed: number; far: number } | null = null;

  static override styles = [
    theme,
    css`
      :host {
        display: block;
        position: relative;
        aspect-ratio: 1;
        border-radius: 16px;
        overflow: hidden;
        background: #000;
        user-select: none;
        -webkit-user-select: none;
      }
      .card {
        position: absolute;
        inset: 0;
        display: flex;
        align-items: center;
        gap: 2%;
        background: #000;
      }
      .card img {
        display: block;
        flex: 1;
        min-width: 0;
        width: 100%;
        max-height: 100%;
        aspect-ratio: 1;
        object-fit: contain;
        pointer-events: none;
      }
      .card.top {
        touch-action: pan-y;
      }
      .swiped .card.top {
        cursor: grab;
      }
      .card.leaving {
        pointer-events: none;
        animation: leave 0.22s ease-in forwards;
      }
      @keyframes leave {
        to {
          transform: translateX(calc(var(--to) * 130%)) rotate(calc(var(--to) * 14deg));
        }
      }
      @media (prefers-reduced-motion: reduce) {
        .card.leaving {
          display: none;
        }
      }
      .says {
        position: absolute;
        top: 14px;
        padding: 4px 16px;
        border-radius: 99px;
        background: #000c;
        font-size: 20px;
        font-weight: 600;
        pointer-events: none;
      }
      .says.left {
        right: 14px;
        color: var(--live);
      }
      .says.right {
        left: 14px;
        color: var(--here);
      }
    `,
  ];

  protected override render() {
    const shown = this.questions.slice(0, LOADED).reverse(); // the first lies uppermost
    const top = this.questions[0];
    return html`<div class=${this.swiped ? "swiped" : ""}>
      ${repeat(shown, ({ picture }) => picture, (question) => this.#card(question, question === top))}
      ${this.leaving
        ? html`<div class="card leaving" .style=${`--to:${this.leaving.to}`} @animationend=${() => (this.leaving = null)}>
            ${pictures(this.leaving.question)}
          </div>`
        : nothing}
      ${this.dx
        ? html`<span class="says ${this.dx < 0 ? "left" : "right"}" .style=${`opacity:${Math.min(1, Math.abs(this.dx) / 90)}`}>
            ${this.dx < 0 ? this.left : this.right}
          </span>`
        : nothing}
    </div>`;
  }

  #card(question: Question, top: boolean) {
    const dx = top ? this.dx : 0;
    return html`<div
      class="card ${top ? "top" : ""}"
      data-picture=${question.picture}
      .style=${dx ? `transform:translateX(${dx}px) rotate(${(dx / 24).toFixed(2)}deg)` : ""}
      @pointerdown=${this.#down}
      @pointermove=${this.#move}
      @pointerup=${(event: PointerEvent) => this.#up(event, question)}
      @pointercancel=${this.#rest}
    >
      ${pictures(question)}
    </div>`;
  }

  /** Let the uppermost picture go to a side: -1, 1, or 0 where it goes to none. */
  leave(to: number): void {
    const question = this.questions[0];
    this.leaving = question && to ? { question, to } : null;
  }

  #down(event: PointerEvent): void {
    if (event.button !== 0 || !this.swiped) return;
    (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
    this.#hand = { id: event.pointerId, x: event.clientX, at: event.timeStamp, speed: 0, far: 0 };
  }

  #move(event: PointerEvent): void {
    const hand = this.#hand;
    if (hand?.id !== event.pointerId) return;
    const dx = event.clientX - hand.x;
    if (event.timeStamp > hand.at) hand.speed = (dx - this.dx) / (event.timeStamp - hand.at);
    hand.at = event.timeStamp;
    hand.far = Math.max(hand.far, Math.abs(dx));
    this.dx = dx;
  }

  #up(event: PointerEvent, question: Question): void {
    const hand = this.#hand;
    if (hand?.id !== event.pointerId) return;
    const box = this.getBoundingClientRect();
    const tapped = question.seeds.length > 1 && hand.far < TAP;
    const side = event.clientX < box.left + box.width / 2 ? -1 : 1;
    const to = tapped ? side : verdict(this.dx, hand.speed, box.width);
    this.#rest();
    if (to) this.dispatchEvent(new CustomEvent("answer", { detail: to }));
  }

  #rest(): void {
    this.#hand = null;
    this.dx = 0;
  }
}

function pictures({ urls }: Question) {
  return urls.map((url) => html`<img src=${address(url)} alt="" draggable="false" />`);
}

declare global {
  interface HTMLElementTagNameMap {
    "ks-deck": Deck;
  }
}
