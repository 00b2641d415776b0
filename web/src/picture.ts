/** A moving picture of the stage: what is played, or what a source shows. */

import { LitElement, css, html } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { patience, socketAddress } from "./link.ts";
import { H264_DELTA, H264_KEY, HEADER, type Header, type View, header } from "./protocol.ts";

export type Fit = "fit" | "fill" | "tile";

const FINE = 320; // pixels
const WEB_CODEC = "avc1.42E01F";

/** Whether this browser can decode the small stream as well. */
export async function decodesVideo(): Promise<boolean> {
  if (typeof VideoDecoder === "undefined") return false;
  try {
    return (await VideoDecoder.isConfigSupported({ codec: WEB_CODEC })).supported === true;
  } catch {
    return false;
  }
}

/**
 * <ks-picture view="picture" fit="fit"> draws newest pictures as they come; what is put inside lies over the picture itself,
 * whatever the fit (a region editor, for instance). Events: "picture" (detail: the Header), "lost", "found".
 */
@customElement("ks-picture")
export class Picture extends LitElement {
  /** "picture", or "source:NAME". */
  @property() view = "picture";
  @property({ reflect: true }) fit: Fit = "fit";
  /** What a screen reader says. */
  @property() label = "";
  /** The longest side that is asked for, in pixels; 0 is the whole picture. */
  @property({ type: Number }) most = 0;
  @property({ type: Number }) quality = 0.92;
  @property({ type: Number }) credit = 2;
  @property() format: "jpeg" | "h264" = "jpeg";
  /** Said while no picture has come. */
  @property() waiting = "";

  /** Says nothing over the picture, whatever happens: for a show. */
  @property({ type: Boolean }) quiet = false;

  /** The last picture's header. */
  last: Header | null = null;
  /** Pictures drawn a second, lately. */
  rate = 0;

  @state() private seen = false;
  @state() private lost = false;
  @query("canvas") private canvas!: HTMLCanvasElement;
  @query(".frame") private frame!: HTMLElement;

  #socket: WebSocket | null = null;
  #again: ReturnType<typeof setTimeout> | undefined;
  #attempt = 0;
  #decoder: VideoDecoder | null = null;
  #decoding: Header[] = [];
  #times: number[] = [];
  #size: [number, number] = [0, 0];
  #still: ImageBitmap | VideoFrame | null = null; // kept for tiles, which are drawn again when the window changes
  #watch = new ResizeObserver(() => this.#place());

  static override styles = css`
    :host {
      display: block;
      position: relative;
      overflow: hidden;
      background: #000;
      contain: strict;
    }
    .frame {
      position: absolute;
      left: 0;
      top: 0;
      width: 100%;
      height: 100%;
    }
    canvas {
      display: block;
      width: 100%;
      height: 100%;
    }
    .frame:not(.seen) canvas {
      visibility: hidden;
    }
    p {
      position: absolute;
      inset: 0;
      display: grid;
      place-items: center;
      margin: 0;
      padding: 1rem;
      text-align: center;
      color: var(--quiet, #a5a8b0);
      font: inherit;
      pointer-events: none;
    }
    p.over {
      inset: auto 0 0.75rem 0;
    }
    p.over span {
      background: #000c;
      border-radius: 99px;
      padding: 0.3rem 0.9rem;
    }
  `;

  override connectedCallback(): void {
    super.connectedCallback();
    this.#watch.observe(this);
    this.#open();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#watch.disconnect();
    clearTimeout(this.#again);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.#dropDecoder();
  }

  override updated(changed: Map<string, unknown>): void {
    const asks = ["view", "most", "quality", "credit", "format"].some((name) => changed.has(name));
    if (changed.has("view")) {
      this.seen = false;
      this.last = null;
    }
    if (asks) this.#ask();
    if (changed.has("fit")) this.#place();
  }

  override render() {
    return html`
      <div class="frame ${this.seen ? "seen" : ""}">
        <canvas role="img" aria-label=${this.label || "the picture"}></canvas>
        <slot></slot>
      </div>
      ${this.quiet || this.seen || !(this.waiting || this.lost)
        ? ""
        : html`<p>${this.lost ? "Looking for the stage…" : this.waiting}</p>`}
      ${this.seen && this.lost && !this.quiet ? html`<p class="over"><span>Reconnecting…</span></p>` : ""}
    `;
  }

  /** What is drawn now, with the longest side as given, in pixels. */
  async small(side: number): Promise<ImageBitmap> {
    const still = this.#still;
    if (!still) throw new Error("nothing is drawn yet");
    const scale = side / Math.max(...this.#size);
    const [resizeWidth, resizeHeight] = this.#size.map((length) => Math.max(1, Math.round(length * scale)));
    return createImageBitmap(still, { resizeWidth, resizeHeight, resizeQuality: "medium" });
  }

  #open(): void {
    clearTimeout(this.#again);
    const socket = new WebSocket(socketAddress("/ws/pictures"));
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.#ask();
    };
    socket.onmessage = (event) => {
      if (!(event.data instanceof ArrayBuffer) || event.data.byteLength < HEADER) return;
      this.#attempt = 0;
      if (this.lost) {
        this.lost = false;
        this.dispatchEvent(new CustomEvent("found"));
      }
      void this.#take(event.data, socket);
    };
    socket.onclose = () => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      this.#dropDecoder();
      if (!this.lost) {
        this.lost = true;
        this.dispatchEvent(new CustomEvent("lost"));
      }
      if (this.isConnected) this.#again = setTimeout(() => this.#open(), patience(this.#attempt++));
    };
  }

  #ask(): void {
    const { view, credit, format, most, quality } = this;
    const wish: View = { view, credit, format, most, quality };
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(wish));
  }

  async #take(message: ArrayBuffer, socket: WebSocket): Promise<void> {
    const head = header(message);
    try {
      if (head.format === H264_KEY || head.format === H264_DELTA) {
        this.#decode(head, message.slice(HEADER));
      } else {
        const picture = await createImageBitmap(new Blob([new Uint8Array(message, HEADER)], { type: "image/jpeg" }));
        this.#draw(head, picture);
      }
    } catch {
      // a broken picture is one picture less; the next one is on its way
    }
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ seen: head.number }));
  }

  #decode(head: Header, bytes: ArrayBuffer): void {
    if (!this.#decoder || this.#decoder.state === "closed") {
      if (head.format !== H264_KEY) return;
      this.#decoding = [];
      this.#decoder = new VideoDecoder({
        output: (picture) => {
          const of = this.#decoding.shift();
          if (of) this.#draw(of, picture);
          else picture.close();
        },
        error: () => {
          this.format = "jpeg"; // this browser's decoder gave up: pictures one by one always work
        },
      });
      this.#decoder.configure({ codec: WEB_CODEC, optimizeForLatency: true });
    }
    this.#decoding.push(head);
    this.#decoder.decode(
      new EncodedVideoChunk({
        type: head.format === H264_KEY ? "key" : "delta",
        timestamp: Math.round(head.t * 1e6),
        data: bytes,
      }),
    );
  }

  #dropDecoder(): void {
    if (this.#decoder && this.#decoder.state !== "closed") this.#decoder.close();
    this.#decoder = null;
    this.#decoding = [];
  }

  #draw(head: Header, picture: ImageBitmap | VideoFrame): void {
    const [width, height] = sides(picture);
    if (this.#size[0] !== width || this.#size[1] !== height) {
      this.#size = [width, height];
      this.#place();
    }
    if (this.#still !== picture) this.#still?.close();
    this.#still = picture;
    this.#paint();
    this.last = head;
    this.seen = true;
    const time = performance.now();
    this.#times.push(time);
    while (this.#times.length > 60 || time - this.#times[0]! > 3000) this.#times.shift();
    const span = time - this.#times[0]!;
    this.rate = span > 200 ? ((this.#times.length - 1) * 1000) / span : 0;
    this.dispatchEvent(new CustomEvent("picture", { detail: head }));
  }

  #paint(): void {
    const still = this.#still;
    const context = this.canvas?.getContext("2d", { alpha: false });
    if (!still || !context) return;
    const { width, height } = this.canvas;
    context.imageSmoothingQuality = "high";
    if (this.fit !== "tile") {
      context.drawImage(still, 0, 0, width, height);
      return;
    }
    // whole tiles of the picture's own size, one in the middle
    const [w, h] = this.#size;
    const scale = devicePixelRatio;
    const [tw, th] = [Math.max(1, Math.round(w * scale)), Math.max(1, Math.round(h * scale))];
    const [left, top] = [(width - tw) / 2, (height - th) / 2];
    const [x0, y0] = [left - Math.ceil(left / tw) * tw, top - Math.ceil(top / th) * th];
    for (let y = y0; y < height; y += th) {
      for (let x = x0; x < width; x += tw) context.drawImage(still, x, y, tw, th);
    }
  }

  /** Lay the frame where the picture is. */
  #place(): void {
    const [w, h] = this.#size;
    const { clientWidth: W, clientHeight: H } = this;
    if (!w || !h || !W || !H || !this.frame) return;
    const tiled = this.fit === "tile";
    const scale = this.fit === "fill" ? Math.max(W / w, H / h) : Math.min(W / w, H / h);
    const [fw, fh] = tiled ? [W, H] : [w * scale, h * scale];
    const place = this.frame.style;
    place.width = `${fw}px`;
    place.height = `${fh}px`;
    place.left = `${(W - fw) / 2}px`;
    place.top = `${(H - fh) / 2}px`;
    // a small picture is enlarged smoothly first, and then by the screen
    const finer = Math.max(1, Math.min(4, Math.floor(FINE / Math.max(w, h))));
    const [cw, ch] = tiled ? [Math.round(W * devicePixelRatio), Math.round(H * devicePixelRatio)] : [w * finer, h * finer];
    if (this.canvas.width !== cw || this.canvas.height !== ch) {
      this.canvas.width = cw;
      this.canvas.height = ch;
    }
    this.#paint();
  }
}

function sides(picture: ImageBitmap | VideoFrame): [number, number] {
  return "displayWidth" in picture ? [picture.displayWidth, picture.displayHeight] : [picture.width, picture.height];
}

declare global {
  interface HTMLElementTagNameMap {
    "ks-picture": Picture;
  }
}
