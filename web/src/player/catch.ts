/** Files that are dropped anywhere on the page: it says where they go while they are held over it. */

import { LitElement, css, html } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { bringDirections, isDirections } from "../directions/bring.ts";
import { bringPicture, isPicture } from "../own/bring.ts";
import { theme } from "../theme.ts";
import { arrived, bring } from "./bring.ts";

@customElement("ks-catch")
export class Catch extends LitElement {
  /** Whether directions are what is on the page: a file that may be of some is taken for that. */
  @property({ type: Boolean }) directions = false;
  @state() private over = false;

  static override styles = [
    theme,
    css`
      div {
        position: fixed;
        inset: 12px;
        z-index: 90;
        display: grid;
        place-items: center;
        border: 2px dashed var(--here);
        border-radius: 18px;
        background: #0a0b0de0;
        font-size: 18px;
        pointer-events: none;
      }
    `,
  ];

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener("dragover", this.#hold);
    addEventListener("dragleave", this.#leave);
    addEventListener("drop", this.#drop);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    removeEventListener("dragover", this.#hold);
    removeEventListener("dragleave", this.#leave);
    removeEventListener("drop", this.#drop);
  }

  override render() {
    if (!this.over) return html``;
    return html`<div role="status">
      Let go: a picture comes under Yours, ${this.directions ? "directions" : "a model or a patch"} into the library
    </div>`;
  }

  #hold = (event: DragEvent) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "copy";
    this.over = true;
  };

  #leave = (event: DragEvent) => {
    if (event.relatedTarget === null) this.over = false; // out of the window
  };

  #drop = (event: DragEvent) => {
    const files = [...(event.dataTransfer?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    this.over = false;
    void this.#take(files);
  };

  async #take(files: File[]): Promise<void> {
    for (const file of files) {
      this.#say(`Reading ${file.name}…`);
      if (isPicture(file)) await this.#picture(file);
      else if (isDirections(file, this.directions)) this.#say(await bringDirections(file));
      else this.#say((await bring(file)) || arrived(file));
    }
  }

  async #picture(file: File): Promise<void> {
    const problem = await bringPicture(file, file.name);
    if (problem) this.#say(problem);
    else this.dispatchEvent(new CustomEvent("open", { detail: "yours", bubbles: true, composed: true }));
  }

  #say(detail: string): void {
    this.dispatchEvent(new CustomEvent("say", { detail, bubbles: true, composed: true }));
  }
}
