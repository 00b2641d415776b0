/** The last minute of the picture, one small frame a second, so that a moment can be chosen by its look. */

export const SECONDS = 60;
const SIDE = 112; // px of a frame's longest side
const PAUSE = 1000; // ms between two frames

interface Still {
  t: number; // ms, the page's clock
  picture: ImageBitmap;
}

/** Kept from what the page draws anyway, so that it costs the stage no viewer. Event "frame" after each. */
class Film extends EventTarget {
  #stills: Still[] = [];
  #last = -PAUSE;

  /** The frame at a time of the page's clock (ms); null where nothing was seen around then. */
  at(t: number): ImageBitmap | null {
    let best: Still | null = null;
    for (const still of this.#stills) {
      if (Math.abs(still.t - t) < Math.abs((best?.t ?? Infinity) - t)) best = still;
    }
    return best && Math.abs(best.t - t) < 2500 ? best.picture : null;
  }

  /** A picture was drawn; where one is due, `small` makes a frame of it, its longest side as given in px. */
  async see(small: (side: number) => Promise<ImageBitmap>): Promise<void> {
    const t = performance.now();
    if (t - this.#last < PAUSE) return;
    this.#last = t;
    try {
      this.#stills.push({ t, picture: await small(SIDE) });
    } catch {
      return; // one frame of the minute is missing
    }
    while (this.#stills[0]!.t < t - (SECONDS + 5) * 1000) this.#stills.shift()!.picture.close();
    this.dispatchEvent(new Event("frame"));
  }
}

export const film = new Film();
