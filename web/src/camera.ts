/** This browser's camera, sent to a source of the stage: thirty pictures a second at most, one under way, the newest. */

import { pictureUp } from "./protocol.ts";
import { Uplink, refusal, secureProblem } from "./uplink.ts";

const PACE_MS = 1000 / 30;
const LARGEST = 640; // pixels of the longer side; features look at less

export interface Device {
  id: string;
  label: string;
}

/** A lock that this camera offers, such as exposure or focus. */
export interface Lock {
  name: "exposure" | "focus" | "white balance";
  on: boolean;
}

const MODES = { exposure: "exposureMode", focus: "focusMode", "white balance": "whiteBalanceMode" } as const;

/** The cameras or the microphones of this browser; their names are told only once one was allowed. */
export async function devices(what: "camera" | "microphone" = "camera"): Promise<Device[]> {
  if (secureProblem(what)) return [];
  const all = await navigator.mediaDevices.enumerateDevices();
  const [kind, one] = what === "camera" ? ["videoinput", "Camera"] : ["audioinput", "Microphone"];
  return all
    .filter((device) => device.kind === kind)
    .map((device, i) => ({ id: device.deviceId, label: device.label || `${one} ${i + 1}` }));
}

/** Events: "change" (started, stopped, another rate or trouble). */
export class BrowserCamera extends EventTarget {
  trouble = "";
  on = false;
  device = "";
  stream: MediaStream | null = null;

  #kept: string; // under which name the device is kept over a reload
  #line: Uplink;
  #video = document.createElement("video");
  #canvas = new OffscreenCanvas(1, 1);
  #last = 0;
  #clock: ReturnType<typeof setTimeout> | undefined;
  #run = 0;

  constructor(readonly source: string) {
    super();
    this.#kept = `kinesphere.camera.${source}`;
    this.#line = new Uplink(source, () => this.#changed());
    this.#video.muted = true;
    this.#video.playsInline = true;
  }

  /** Pictures a second that arrive at the stage. */
  get rate(): number {
    return this.#line.rate;
  }

  /** Ask for the camera and begin to send. `wish`: a device's id, or "user" / "environment" for a phone's sides. */
  async start(wish = ""): Promise<void> {
    this.stop();
    const run = ++this.#run;
    this.trouble = secureProblem("camera");
    if (this.trouble) {
      this.#changed();
      return;
    }
    const side = wish === "user" || wish === "environment";
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        audio: false,
        video: {
          width: { ideal: 640 },
          height: { ideal: 480 },
          frameRate: { ideal: 30 },
          ...(side ? { facingMode: wish } : wish ? { deviceId: { exact: wish } } : {}),
        },
      });
      if (run !== this.#run) {
        for (const track of stream.getTracks()) track.stop();
        return;
      }
      this.stream = stream;
    } catch (error) {
      this.trouble = refusal(error as Error, "camera");
      this.#changed();
      return;
    }
    const track = this.stream.getVideoTracks()[0]!;
    this.device = track.getSettings().deviceId ?? wish;
    track.onended = () => {
      this.stop();
      this.trouble = "The camera was unplugged, or another program took it.";
      this.#changed();
    };
    this.#video.srcObject = this.stream;
    await this.#video.play().catch(() => undefined);
    if (run !== this.#run) return;
    this.on = true;
    sessionStorage.setItem(this.#kept, this.device);
    this.#line.open();
    this.#next(run);
    this.#changed();
  }

  /** After a reload: begin again where the player had begun. */
  resume(): void {
    const kept = sessionStorage.getItem(this.#kept);
    if (kept !== null && !this.on) void this.start(kept);
  }

  stop(): void {
    this.#run++;
    sessionStorage.removeItem(this.#kept);
    clearTimeout(this.#clock);
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.#video.srcObject = null;
    this.#line.close();
    if (this.on) {
      this.on = false;
      this.#changed();
    }
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
    this.#changed();
  }

  #next(run: number): void {
    if (run !== this.#run) return;
    const wait = Math.max(0, PACE_MS - (performance.now() - this.#last) - 1);
    this.#clock = setTimeout(() => {
      void this.#send().finally(() => this.#next(run));
    }, wait || 1);
  }

  async #send(): Promise<void> {
    const now = performance.now();
    const { videoWidth: w, videoHeight: h } = this.#video;
    if (!this.#line.free || !w) {
      await new Promise((done) => setTimeout(done, 4));
      return;
    }
    this.#last = now;
    this.#line.hold();
    const scale = Math.min(1, LARGEST / Math.max(w, h));
    const [width, height] = [Math.round(w * scale), Math.round(h * scale)];
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
    }
    this.#canvas.getContext("2d", { alpha: false })!.drawImage(this.#video, 0, 0, width, height);
    const picture = await this.#canvas.convertToBlob({ type: "image/jpeg", quality: 0.8 });
    this.#line.send(pictureUp(now, await picture.arrayBuffer()));
  }

  #changed(): void {
    this.dispatchEvent(new CustomEvent("change"));
  }
}

const cameras = new Map<string, BrowserCamera>();

/** The page's one camera for a source. */
export function cameraFor(source: string): BrowserCamera {
  let camera = cameras.get(source);
  if (!camera) cameras.set(source, (camera = new BrowserCamera(source)));
  return camera;
}
