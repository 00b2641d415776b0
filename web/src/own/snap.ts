/** A picture from this browser's camera, taken when the player is ready. */

import { LitElement, css, html } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import { sign } from "../signs.ts";
import { theme } from "../theme.ts";
import { refusal, secureProblem } from "../uplink.ts";

const QUALITY = 0.95;

/** <ks-snap>. Events: "taken" (detail: a Blob), "close". */
@customElement("ks-snap")
export class Snap extends LitElement {
  @state() private trouble = "";
  @state() private ready = false;
  @query("video") private video!: HTMLVideoElement;
  #stream: MediaStream | null = null;

  static override styles = [
    theme,
    css`
      :host {
        display: grid;
        gap: 10px;
      }
      video {
        display: block;
        width: 100%;
        max-height: min(44vh, 420px);
        border-radius: 14px;
        background: #000;
        object-fit: contain;
      }
      .row {
        display: flex;
        gap: 8px;
      }
      .take {
        flex: 1;
        min-height: 48px;
        border-color: var(--here);
        background: var(--here-dim);
        font-weight: 600;
      }
      .close {
        min-height: 48px;
      }
      p {
        color: var(--bad);
      }
    `,
  ];

  override connectedCallback(): void {
    super.connectedCallback();
    void this.#open();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
  }

  protected override render() {
    return html`${this.trouble
        ? html`<p role="status">${this.trouble}</p>`
        : html`<video muted playsinline aria-label="What the camera sees" @playing=${() => (this.ready = true)}></video>`}
      <div class="row">
        <button class="take" ?disabled=${!this.ready} @click=${this.#take}>${sign("snapshot")} Take it</button>
        <button class="close" @click=${() => this.dispatchEvent(new CustomEvent("close"))}>Cancel</button>
      </div>`;
  }

  async #open(): Promise<void> {
    this.trouble = secureProblem("camera");
    if (this.trouble) return;
    try {
      const size = { width: { ideal: 1920 }, height: { ideal: 1080 } };
      const stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: size });
      if (!this.isConnected) return stream.getTracks().forEach((track) => track.stop());
      this.#stream = stream;
      this.video.srcObject = stream;
      await this.video.play();
    } catch (error) {
      this.trouble = refusal(error as Error, "camera");
    }
  }

  #take = () => {
    const canvas = document.createElement("canvas");
    canvas.width = this.video.videoWidth;
    canvas.height = this.video.videoHeight;
    canvas.getContext("2d")!.drawImage(this.video, 0, 0);
    canvas.toBlob((picture) => this.dispatchEvent(new CustomEvent("taken", { detail: picture })), "image/jpeg", QUALITY);
  };
}
