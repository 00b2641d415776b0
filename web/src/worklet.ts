/** On the thread of sound: what the microphone hears, gathered into blocks, as one channel. */

declare const sampleRate: number;
declare const currentFrame: number;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: unknown): void;

const SECONDS = 0.01; // of a block

class Listening extends AudioWorkletProcessor {
  #block = new Float32Array(Math.round(sampleRate * SECONDS));
  #filled = 0;
  #began = -1; // the frame that was the first

  process([channels]: Float32Array[][]): boolean {
    const first = channels?.[0];
    if (!first) return true; // nothing is connected yet
    if (this.#began < 0) this.#began = currentFrame;
    for (let i = 0; i < first.length; i++) {
      let sum = 0;
      for (const channel of channels!) sum += channel[i]!;
      this.#block[this.#filled++] = sum / channels!.length;
      if (this.#filled === this.#block.length) this.#post(currentFrame + i + 1 - this.#began);
    }
    return true;
  }

  /** `count`: samples heard up to the end of the block. */
  #post(count: number): void {
    const samples = this.#block;
    this.#block = new Float32Array(samples.length);
    this.#filled = 0;
    this.port.postMessage({ samples, count }, [samples.buffer]);
  }
}

registerProcessor("listening", Listening);
