/** A camera or a microphone of this browser, on its way to a source of the stage: asking, beginning, ending, coming back. */

import { Uplink, refusal, secureProblem } from "./uplink.ts";

export interface Device {
  id: string;
  label: string;
}

type What = "camera" | "microphone";

/** The cameras or the microphones of this browser; their names are told only once one was allowed. */
export async function devices(what: What): Promise<Device[]> {
  if (secureProblem(what)) return [];
  const all = await navigator.mediaDevices.enumerateDevices();
  const [kind, one] = what === "camera" ? ["videoinput", "Camera"] : ["audioinput", "Microphone"];
  return all
    .filter((device) => device.kind === kind)
    .map((device, i) => ({ id: device.deviceId, label: device.label || `${one} ${i + 1}` }));
}

/** Events: "change" (started, stopped, another rate or trouble). */
export abstract class Sender extends EventTarget {
  trouble = "";
  on = false;
  device = "";
  stream: MediaStream | null = null;

  protected run = 0; // one more with each beginning and end: what was begun before looks whether it is still wanted
  protected readonly line: Uplink;
  #kept: string; // under which name the device is kept over a reload

  constructor(
    readonly what: What,
    readonly source: string,
  ) {
    super();
    this.#kept = `kinesphere.${what}.${source}`;
    this.line = new Uplink(source, () => this.changed(), () => this.taken());
  }

  /** Messages a second that arrive at the stage. */
  get rate(): number {
    return this.line.rate;
  }

  /** Ask for the device and begin to send. `wish`: its id, of cameras also "user" or "environment"; "" is the browser's choice. */
  async start(wish = ""): Promise<void> {
    this.stop();
    const run = ++this.run;
    this.trouble = secureProblem(this.what);
    if (this.trouble) {
      this.changed();
      return;
    }
    try {
      const stream = await navigator.mediaDevices.getUserMedia(this.asked(wish));
      if (run !== this.run) {
        for (const track of stream.getTracks()) track.stop();
        return;
      }
      this.stream = stream;
      await this.begin(stream, run);
    } catch (error) {
      if (run !== this.run) return;
      this.stop();
      this.trouble = refusal(error as Error, this.what);
      this.changed();
      return;
    }
    if (run !== this.run) return;
    const track = this.stream.getTracks()[0]!;
    this.device = track.getSettings().deviceId ?? wish;
    track.onended = () => {
      this.stop();
      this.trouble = `The ${this.what} was unplugged, or another program took it.`;
      this.changed();
    };
    this.on = true;
    sessionStorage.setItem(this.#kept, this.device);
    this.line.open();
    this.begun(run);
    this.changed();
  }

  /** After a reload: begin again where the player had begun. */
  resume(): void {
    const kept = sessionStorage.getItem(this.#kept);
    if (kept !== null && !this.on) void this.start(kept);
  }

  stop(): void {
    this.run++;
    sessionStorage.removeItem(this.#kept);
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.ended();
    this.line.close();
    if (this.on) {
      this.on = false;
      this.changed();
    }
  }

  /** What the browser is asked for. */
  protected abstract asked(wish: string): MediaStreamConstraints;

  /** The device was given; what cannot begin throws. */
  protected abstract begin(stream: MediaStream, run: number): Promise<void>;

  /** It is on: send. */
  protected begun(_run: number): void {}

  /** It is off, or never came on: let go of what `begin` took. */
  protected ended(): void {}

  /** A message has arrived, and another may go. */
  protected taken(): void {}

  protected changed(): void {
    this.dispatchEvent(new CustomEvent("change"));
  }
}

/** The page's one sender of its kind for a source. */
export function oneFor<S extends Sender>(Kind: new (source: string) => S): (source: string) => S {
  const senders = new Map<string, S>();
  return (source) => {
    let sender = senders.get(source);
    if (!sender) senders.set(source, (sender = new Kind(source)));
    return sender;
  };
}
