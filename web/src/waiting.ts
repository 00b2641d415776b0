/** What was heard and has not gone yet. */

/** Sound that waits to be sent: of more than `most` samples the oldest go. */
export class Waiting {
  #blocks: Float32Array[] = [];
  #length = 0;
  count = 0; // samples heard, up to the newest

  constructor(readonly most: number) {}

  add(samples: Float32Array, count: number): void {
    this.#blocks.push(samples);
    this.#length += samples.length;
    this.count = count;
    while (this.#length > this.most && this.#blocks.length > 1) this.#length -= this.#blocks.shift()!.length;
  }

  /** All that waits, in one block. Empty: nothing does. */
  take(): Float32Array {
    const all = new Float32Array(this.#length);
    let at = 0;
    for (const block of this.#blocks) {
      all.set(block, at);
      at += block.length;
    }
    this.#blocks = [];
    this.#length = 0;
    return all;
  }
}
