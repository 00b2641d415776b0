/** This browser's microphone, sent to a source of the stage: one message under way, with all that was heard since the last. */

import { soundUp } from "./protocol.ts";
import { Sender, oneFor } from "./sender.ts";
import { Waiting } from "./waiting.ts";
import worklet from "./worklet.ts?worker&url";

const MOST_SECONDS = 0.2; // of sound that may wait for the line; what is older is dropped

/** Further events: "level" (fifteen times a second at most). */
export class BrowserMicrophone extends Sender {
  /** The largest sample lately, 0 to 1. */
  level = 0;

  #context: AudioContext | null = null;
  #waiting = new Waiting(0);
  #told = 0;

  constructor(source: string) {
    super("microphone", source);
  }

  protected override asked(wish: string): MediaStreamConstraints {
    return {
      video: false,
      audio: {
        // as it is: what a browser does for a call would hear music as noise
        echoCancellation: false,
        noiseSuppression: false,
        autoGainControl: false,
        ...(wish ? { deviceId: { exact: wish } } : {}),
      },
    };
  }

  protected override ended(): void {
    void this.#context?.close();
    this.#context = null;
    this.level = 0;
  }

  protected override taken(): void {
    this.#send();
  }

  protected override async begin(stream: MediaStream, run: number): Promise<void> {
    const context = new AudioContext({ latencyHint: "interactive" });
    this.#context = context;
    this.#waiting = new Waiting(Math.round(context.sampleRate * MOST_SECONDS));
    await context.audioWorklet.addModule(worklet);
    if (run !== this.run) return;
    const ear = new AudioWorkletNode(context, "listening", { numberOfOutputs: 0 });
    ear.port.onmessage = (event: MessageEvent<{ samples: Float32Array; count: number }>) => {
      if (run === this.run) this.#hear(event.data.samples, event.data.count);
    };
    context.createMediaStreamSource(stream).connect(ear);
    context.onstatechange = () => this.#wake(context, run);
    this.#wake(context, run);
  }

  /** A browser lets a page listen once it has been touched. */
  #wake(context: AudioContext, run: number): void {
    if (run !== this.run) return;
    const words = "The browser waits for a touch or a key on this page before it listens.";
    if (context.state === "running") {
      if (this.trouble === words) this.trouble = "";
    } else if (context.state === "suspended") {
      this.trouble = words;
      for (const touch of ["pointerdown", "keydown"]) {
        addEventListener(touch, () => run === this.run && void context.resume(), { once: true, capture: true });
      }
      void context.resume();
    }
    this.changed();
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
    if (!this.on || !this.#context || !this.line.free) return;
    const samples = this.#waiting.take();
    if (samples.length) this.line.send(soundUp(performance.now(), this.#waiting.count, this.#context.sampleRate, samples));
  }
}

export const microphoneFor = oneFor(BrowserMicrophone);
