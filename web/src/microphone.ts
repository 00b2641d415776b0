/** This browser's microphone, sent to a source of the stage: one message under way, with all that was heard since the last. */

import { soundUp } from "./protocol.ts";
import { Uplink, refusal, secureProblem } from "./uplink.ts";
import { Waiting } from "./waiting.ts";
import worklet from "./worklet.ts?worker&url";

const MOST_SECONDS = 0.2; // of sound that may wait for the line; what is older is dropped

/** Events: "change" (started, stopped, another rate or trouble), "level" (fifteen times a second at most). */
export class BrowserMicrophone extends EventTarget {
  trouble = "";
  on = false;
  device = "";
  /** The largest sample lately, 0 to 1. */
  level = 0;

  #kept: string; // under which name the device is kept over a reload
  #stream: MediaStream | null = null;
  #context: AudioContext | null = null;
  #waiting = new Waiting(0);
  #line: Uplink;
  #told = 0;
  #run = 0;

  constructor(readonly source: string) {
    super();
    this.#kept = `kinesphere.microphone.${source}`;
    this.#line = new Uplink(source, () => this.#changed(), () => this.#send());
  }

  /** Messages a second that arrive at the stage. */
  get rate(): number {
    return this.#line.rate;
  }

  /** Ask for the microphone and begin to send. `device`: its id; "" is the browser's choice. */
  async start(device = ""): Promise<void> {
    this.stop();
    const run = ++this.#run;
    this.trouble = secureProblem("microphone");
    if (this.trouble) {
      this.#changed();
      return;
    }
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        video: false,
        audio: {
          // as it is: what a browser does for a call would hear music as noise
          echoCancellation: false,
          noiseSuppression: false,
          autoGainControl: false,
          ...(device ? { deviceId: { exact: device } } : {}),
        },
      });
      if (run !== this.#run) {
        for (const track of stream.getTracks()) track.stop();
        return;
      }
      this.#stream = stream;
      await this.#listen(stream, run);
    } catch (error) {
      if (run !== this.#run) return;
      this.stop();
      this.trouble = refusal(error as Error, "microphone");
      this.#changed();
      return;
    }
    if (run !== this.#run) return;
    const track = this.#stream.getAudioTracks()[0]!;
    this.device = track.getSettings().deviceId ?? device;
    track.onended = () => {
      this.stop();
      this.trouble = "The microphone was unplugged, or another program took it.";
      this.#changed();
    };
    this.on = true;
    sessionStorage.setItem(this.#kept, this.device);
    this.#line.open();
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
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
    void this.#context?.close();
    this.#context = null;
    this.#line.close();
    this.level = 0;
    if (this.on) {
      this.on = false;
      this.#changed();
    }
  }

  async #listen(stream: MediaStream, run: number): Promise<void> {
    const context = new AudioContext({ latencyHint: "interactive" });
    this.#context = context;
    this.#waiting = new Waiting(Math.round(context.sampleRate * MOST_SECONDS));
    await context.audioWorklet.addModule(worklet);
    if (run !== this.#run) return;
    const ear = new AudioWorkletNode(context, "listening", { numberOfOutputs: 0 });
    ear.port.onmessage = (event: MessageEvent<{ samples: Float32Array; count: number }>) => {
      if (run === this.#run) this.#hear(event.data.samples, event.data.count);
    };
    context.createMediaStreamSource(stream).connect(ear);
    context.onstatechange = () => this.#wake(context, run);
    this.#wake(context, run);
  }

  /** A browser lets a page listen once it has been touched. */
  #wake(context: AudioContext, run: number): void {
    if (run !== this.#run) return;
    const words = "The browser waits for a touch or a key on this page before it listens.";
    if (context.state === "running") {
      if (this.trouble === words) this.trouble = "";
    } else if (context.state === "suspended") {
      this.trouble = words;
      for (const touch of ["pointerdown", "keydown"]) {
        addEventListener(touch, () => run === this.#run && void context.resume(), { once: true, capture: true });
      }
      void context.resume();
    }
    this.#changed();
  }

  #hear(samples: Float32Array, count: number): void {
    for (const sample of samples) this.level = Math.max(this.level, Math.min(Math.abs(sample), 1));
    this.#waiting.add(samples, count);
    this.#send();
    const time = performance.now();
    if (time - this.#told < 66) return;
    this.#told = time;
    this.dispatchEvent(new CustomEvent("level", { detail: this.level }));
    this.level *= 0.6;
  }

  #send(): void {
    if (!this.on || !this.#context || !this.#line.free) return;
    const samples = this.#waiting.take();
    if (samples.length) this.#line.send(soundUp(performance.now(), this.#waiting.count, this.#context.sampleRate, samples));
  }

  #changed(): void {
    this.dispatchEvent(new CustomEvent("change"));
  }
}

const microphones = new Map<string, BrowserMicrophone>();

/** The page's one microphone for a source. */
export function microphoneFor(source: string): BrowserMicrophone {
  let microphone = microphones.get(source);
  if (!microphone) microphones.set(source, (microphone = new BrowserMicrophone(source)));
  return microphone;
}
