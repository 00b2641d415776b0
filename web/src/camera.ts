/** This browser's camera, sent to a source of the stage: thirty pictures a second at most, one under way, the newest. */

import { pictureUp } from "./protocol.ts";
import { Sender, oneFor } from "./sender.ts";

const PACE_MS = 1000 / 30;
const LARGEST = 640; // pixels of the longer side; features look at less

/** A lock that this camera offers, such as exposure or focus. */
export interface Lock {
  name: "exposure" | "focus" | "white balance";
  on: boolean;
}

const MODES = { exposure: "exposureMode", focus: "focusMode", "white balance": "whiteBalanceMode" } as const;

export class BrowserCamera extends Sender {
  #video = document.createElement("video");
  #canvas = new OffscreenCanvas(1, 1);
  #last = 0;
  #clock: ReturnType<typeof setTimeout> | undefined;

  constructor(source: string) {
    super("camera", source);
    this.#video.muted = true;
    this.#video.playsInline = true;
  }

  protected override asked(wish: string): MediaStreamConstraints {
    const side = wish === "user" || wish === "environment"; // of a phone
    return {
      audio: false,
      video: {
        width: { ideal: 640 },
        height: { ideal: 480 },
        frameRate: { ideal: 30 },
        ...(side ? { facingMode: wish } : wish ? { deviceId: { exact: wish } } : {}),
      },
    };
  }

  protected override async begin(stream: MediaStream): Promise<void> {
    this.#video.srcObject = stream;
    await this.#video.play().catch(() => undefined);
  }

  protected override begun(run: number): void {
    this.#next(run);
  }

  protected override ended(): void {
    clearTimeout(this.#clock);
    this.#video.srcObject = null;
  }

  /** What of this camera can be held still. */
  locks(): Lock[] {
    const track = this.stream?.getVideoTracks()[0];
    const able = track?.getCapabilities?.() as Record<string, string[] | undefined> | undefined;
    const set = track?.getSettings() as Record<string, string | undefined> | undefined;
    if (!able || !set) return [];
    return (Object.keys(MODES) as Lock["name"][])
      .filter((name) => able[MODES[name]]?.includes("manual"))
      .map((name) => ({ name, on: set[MODES[name]] === "manual" }));
  }

  /** Hold exposure, focus or white balance as they are now, or let the camera choose again. */
  async lock(name: Lock["name"], on: boolean): Promise<void> {
    const track = this.stream?.getVideoTracks()[0];
    const mode = { [MODES[name]]: on ? "manual" : "continuous" };
    try {
      await track?.applyConstraints({ advanced: [mode as MediaTrackConstraintSet] });
    } catch {
      this.trouble = `This camera does not let its ${name} be held.`;
    }
    this.changed();
  }

  #next(run: number): void {
    if (run !== this.run) return;
    const wait = Math.max(0, PACE_MS - (performance.now() - this.#last) - 1);
    this.#clock = setTimeout(() => {
      void this.#send().finally(() => this.#next(run));
    }, wait || 1);
  }

  async #send(): Promise<void> {
    const now = performance.now();
    const { videoWidth: w, videoHeight: h } = this.#video;
    if (!this.line.free || !w) {
      await new Promise((done) => setTimeout(done, 4));
      return;
    }
    this.#last = now;
    this.line.hold();
    const scale = Math.min(1, LARGEST / Math.max(w, h));
    const [width, height] = [Math.round(w * scale), Math.round(h * scale)];
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
    }
    this.#canvas.getContext("2d", { alpha: false })!.drawImage(this.#video, 0, 0, width, height);
    const picture = await this.#canvas.convertToBlob({ type: "image/jpeg", quality: 0.8 });
    this.line.send(pictureUp(now, await picture.arrayBuffer()));
  }
}

export const cameraFor = oneFor(BrowserCamera);
