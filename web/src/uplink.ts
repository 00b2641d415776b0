/** The line on which a source of the stage gets what this browser sees or hears: one message under way, never more. */

import { patience, socketAddress } from "./link.ts";

const LOST_MS = 2000; // a message that nobody acknowledged for so long is not waited for

export class Uplink {
  /** Messages a second that arrive at the stage. */
  rate = 0;

  #wanted = false;
  #socket: WebSocket | null = null;
  #again: ReturnType<typeof setTimeout> | undefined;
  #attempt = 0;
  #sent = 0; // when the message under way left, in ms; 0: none is
  #times: number[] = [];

  /** `changed` is called when the rate changes, `taken` when a message has arrived and another may go. */
  constructor(
    readonly source: string,
    readonly changed: () => void,
    readonly taken: () => void = () => undefined,
  ) {}

  open(): void {
    this.#wanted = true;
    if (!this.#socket) this.#connect();
  }

  close(): void {
    this.#wanted = false;
    clearTimeout(this.#again);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.#sent = 0;
    this.rate = 0;
  }

  /** Whether a message can go now. */
  get free(): boolean {
    const waits = this.#sent && performance.now() - this.#sent < LOST_MS;
    return this.#socket?.readyState === WebSocket.OPEN && !waits;
  }

  /** Nothing more until this one, which is being made, has gone and arrived. */
  hold(): void {
    this.#sent = performance.now();
  }

  send(message: ArrayBuffer): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.hold();
    this.#socket.send(message);
  }

  #connect(): void {
    const socket = new WebSocket(socketAddress(`/ws/source/${encodeURIComponent(this.source)}`));
    this.#socket = socket;
    socket.onopen = () => {
      this.#sent = 0;
      this.taken();
    };
    socket.onmessage = (event) => {
      this.#sent = 0;
      if (!String(event.data).includes('"seen"')) return; // a refusal: the socket closes, and tries again later
      this.#attempt = 0;
      this.#count();
      this.taken();
    };
    socket.onclose = () => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      this.rate = 0;
      this.changed();
      if (this.#wanted) this.#again = setTimeout(() => this.#connect(), patience(this.#attempt++));
    };
  }

  #count(): void {
    const time = performance.now();
    this.#times.push(time);
    while (this.#times.length > 200 || time - this.#times[0]! > 2000) this.#times.shift();
    const span = time - this.#times[0]!;
    const rate = span > 300 ? Math.round(((this.#times.length - 1) * 1000) / span) : 0;
    if (rate === this.rate) return;
    this.rate = rate;
    this.changed();
  }
}

/** Why a browser gives no camera or microphone, in words; `what` is "camera" or "microphone". */
export function refusal(error: Error, what: string): string {
  switch (error.name) {
    case "NotAllowedError":
      return `The browser was told not to give its ${what}: allow it beside the address, then try again.`;
    case "NotFoundError":
      return `No ${what} was found: plug one in, then try again.`;
    case "NotReadableError":
      return `Another program holds the ${what}: close it, then try again.`;
    case "OverconstrainedError":
      return `That ${what} is gone: choose another.`;
    default:
      return `The ${what} does not start: ${error.message}`;
  }
}

/** Whether a page may ask for a camera or a microphone here; where not, why. */
export function secureProblem(what: string): string {
  if (navigator.mediaDevices as MediaDevices | undefined) return "";
  return `A browser gives its ${what} to secure pages only: open this page as https, or on the machine that plays.`;
}
