/** The last minute of the picture, one small frame a second, so that a moment can be chosen by its look. */

import { socketAddress } from "../link.ts";
import { HEADER, header } from "../protocol.ts";

export const SECONDS = 60;
const SIDE = 112; // px of a frame's longest side
const PAUSE = 1000; // ms between two frames: the stage sends the next one only when this one was seen

interface Still {
  t: number; // ms, the page's clock
  picture: ImageBitmap;
}

/** Begins when it is first looked at and then goes on, so that nothing is missing later. Event "frame" after each. */
class Film extends EventTarget {
  #stills: Still[] = [];
  #socket: WebSocket | null = null;
  #rolling = false;
  #again: ReturnType<typeof setTimeout> | undefined;

  /** Begin, where it has not begun yet. A hidden page keeps no film. */
  roll(): void {
    if (this.#rolling) return;
    this.#rolling = true;
    document.addEventListener("visibilitychange", () => (document.hidden ? this.#close() : this.#open()));
    if (!document.hidden) this.#open();
  }

  #close(): void {
    clearTimeout(this.#again);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  /** The frame at a time of the page's clock (ms); null where nothing was seen around then. */
  at(t: number): ImageBitmap | null {
    let best: Still | null = null;
    for (const still of this.#stills) {
      if (Math.abs(still.t - t) < Math.abs((best?.t ?? Infinity) - t)) best = still;
    }
    return best && Math.abs(best.t - t) < 2500 ? best.picture : null;
  }

  #open(): void {
    if (this.#socket) return;
    clearTimeout(this.#again);
    const socket = new WebSocket(socketAddress("/ws/pictures"));
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () =>
      socket.send(JSON.stringify({ view: "picture", credit: 1, format: "jpeg", most: SIDE, quality: 0.7 }));
    socket.onmessage = (event) => {
      if (event.data instanceof ArrayBuffer && event.data.byteLength > HEADER) void this.#take(event.data, socket);
    };
    socket.onclose = () => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      this.#again = setTimeout(() => this.#open(), 3000);
    };
  }

  async #take(message: ArrayBuffer, socket: WebSocket): Promise<void> {
    const { number } = header(message);
    try {
      const picture = await createImageBitmap(new Blob([new Uint8Array(message, HEADER)], { type: "image/jpeg" }));
      const t = performance.now();
      this.#stills.push({ t, picture });
      while (this.#stills[0]!.t < t - (SECONDS + 5) * 1000) this.#stills.shift()!.picture.close();
      this.dispatchEvent(new Event("frame"));
    } catch {
      // one frame of the minute is missing
    }
    setTimeout(() => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify({ seen: number })), PAUSE);
  }
}

export const film = new Film();
