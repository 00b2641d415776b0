/** This browser's camera, sent to a source of the stage: thirty pictures a second at most, one under way, the newest. */

import { patience, socketAddress } from "./link.ts";
import { pictureUp } from "./protocol.ts";

const PACE_MS = 1000 / 30;
const LARGEST = 640; // pixels of the longer side; features look at less
const LOST_MS = 2000; // a picture that nobody acknowledged for so long is not waited for

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

/** Whether a page may ask for the camera here; where not, why. */
export function cameraProblem(): string {
  if (navigator.mediaDevices as MediaDevices | undefined) return "";
  return "A browser shows its camera to secure pages only: open this page as https, or on the machine that plays.";
}

/** The cameras of this browser; their names are told only once one was allowed. */
export async function devices(): Promise<Device[]> {
  if (cameraProblem()) return [];
  const all = await navigator.mediaDevices.enumerateDevices();
  return all
    .filter((device) => device.kind === "videoinput")
    .map((device, i) => ({ id: device.deviceId, label: device.label || `Camera ${i + 1}` }));
}

/** Events: "change" (started, stopped, another rate or trouble). */
export class BrowserCamera extends EventTarget {
  trouble = "";
  on = false;
  device = "";
  rate = 0; // pictures a second that arrive at the stage
  stream: MediaStream | null = null;

  #kept: string; // under which name the device is kept over a reload
  #socket: WebSocket | null = null;
  #again: ReturnType<typeof setTimeout> | undefined;
  #attempt = 0;
  #video = document.createElement("video");
  #canvas = new OffscreenCanvas(1, 1);
  #sent = 0; // when the picture under way left, in ms; 0: none is
  #last = 0;
  #times: number[] = [];
  #clock: ReturnType<typeof setTimeout> | undefined;
  #run = 0;

  constructor(readonly source: string) {
    super();
    this.#kept = `kinesphere.camera.${source}`;
    this.#video.muted = true;
    this.#video.playsInline = true;
  }

  /** Ask for the camera and begin to send. `wish`: a device's id, or "user" / "environment" for a phone's sides. */
  async start(wish = ""): Promise<void> {
    this.stop();
    const run = ++this.#run;
    this.trouble = cameraProblem();
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
      this.trouble = refusal(error as Error);
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
    this.#connect();
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
    clearTimeout(this.#again);
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.#video.srcObject = null;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.#sent = 0;
    this.rate = 0;
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

  #connect(): void {
    const socket = new WebSocket(socketAddress(`/ws/source/${encodeURIComponent(this.source)}`));
    this.#socket = socket;
    socket.onopen = () => {
      this.#attempt = 0;
      this.#sent = 0;
    };
    socket.onmessage = () => {
      this.#sent = 0;
      const time = performance.now();
      this.#times.push(time);
      while (this.#times.length > 40 || time - this.#times[0]! > 2000) this.#times.shift();
      const span = time - this.#times[0]!;
      const rate = span > 300 ? Math.round(((this.#times.length - 1) * 1000) / span) : 0;
      if (rate !== this.rate) {
        this.rate = rate;
        this.#changed();
      }
    };
    socket.onclose = () => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      this.rate = 0;
      this.#changed();
      if (this.on) this.#again = setTimeout(() => this.#connect(), patience(this.#attempt++));
    };
  }

  #next(run: number): void {
    if (run !== this.#run) return;
    const wait = Math.max(0, PACE_MS - (performance.now() - this.#last) - 1);
    this.#clock = setTimeout(() => {
      void this.#send().finally(() => this.#next(run));
    }, wait || 1);
  }

  async #send(): Promise<void> {
    const socket = this.#socket;
    const now = performance.now();
    const { videoWidth: w, videoHeight: h } = this.#video;
    if (socket?.readyState !== WebSocket.OPEN || !w || (this.#sent && now - this.#sent < LOST_MS)) {
      await new Promise((done) => setTimeout(done, 4));
      return;
    }
    this.#last = now;
    this.#sent = now;
    const scale = Math.min(1, LARGEST / Math.max(w, h));
    const [width, height] = [Math.round(w * scale), Math.round(h * scale)];
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      this.#canvas.width = width;
      this.#canvas.height = height;
    }
    this.#canvas.getContext("2d", { alpha: false })!.drawImage(this.#video, 0, 0, width, height);
    const picture = await this.#canvas.convertToBlob({ type: "image/jpeg", quality: 0.8 });
    const message = pictureUp(now, await picture.arrayBuffer());
    if (socket.readyState === WebSocket.OPEN) socket.send(message);
  }

  #changed(): void {
    this.dispatchEvent(new CustomEvent("change"));
  }
}

function refusal(error: Error): string {
  switch (error.name) {
    case "NotAllowedError":
      return "The browser was told not to show the camera: allow it beside the address, then try again.";
    case "NotFoundError":
      return "No camera was found: plug one in, then try again.";
    case "NotReadableError":
      return "Another program holds the camera: close it, then try again.";
    case "OverconstrainedError":
      return "That camera is gone: choose another.";
    default:
      return `The camera does not start: ${error.message}`;
  }
}

const cameras = new Map<string, BrowserCamera>();

/** The page's one camera for a source. */
export function cameraFor(source: string): BrowserCamera {
  let camera = cameras.get(source);
  if (!camera) cameras.set(source, (camera = new BrowserCamera(source)));
  return camera;
}
