/** The line to the stage: one socket that comes back by itself, the state that it tells, and what is asked of it. */

import type { ReactiveController, ReactiveControllerHost } from "lit";
import {
  type Down,
  type Edits,
  type Meters,
  type Plain,
  type Snapshot,
  type State,
  restingMeters,
  restingState,
} from "./protocol.ts";

/** The stage said no; `problems` are its words for the player, one for each thing that is wrong. */
export class Refused extends Error {
  constructor(readonly problems: string[]) {
    super(problems.join("\n"));
  }
}

/** The line was down before an answer came. */
export class Away extends Error {}

/** An address of this stage, with the token that the page was opened with. */
export function address(path: string): string {
  const token = new URLSearchParams(location.search).get("token");
  if (!token) return path;
  return `${path}${path.includes("?") ? "&" : "?"}token=${encodeURIComponent(token)}`;
}

/** What the stage answers at an address, and what went wrong, in words for the player: "" where all is well. */
export async function asked(path: string, how: RequestInit): Promise<{ problem: string; answer?: unknown }> {
  try {
    const answer = await fetch(address(path), how);
    const said = (await answer.json().catch(() => ({}))) as { problems?: string[] };
    if (answer.ok) return { problem: "", answer: said };
    return { problem: said.problems?.join("\n") ?? `The stage refused it (${answer.status}).` };
  } catch {
    return { problem: "The stage is away; nothing was changed." };
  }
}

/** Let the browser keep what is at an address, as a file of this name. */
export function download(path: string, file: string): void {
  const link = document.createElement("a");
  link.href = address(path);
  link.download = file;
  link.click();
}

const PLAIN = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E";

/** The address of the picture of a look: an empty one where it has none. */
export function pictureOf(look: Snapshot): string {
  return look.thumbnail === null ? PLAIN : address(look.thumbnail);
}

export function socketAddress(path: string): string {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${address(path)}`;
}

/** Milliseconds before the n-th attempt to come back: soon at first, then calmer. */
export function patience(attempt: number): number {
  return Math.min(250 * 1.6 ** attempt, 5000) * (0.8 + 0.4 * Math.random());
}

/** What stands at a dotted place of a document; undefined where there is nothing. */
export function at(document: unknown, place: string): Plain | undefined {
  let here: unknown = document;
  for (const part of place.split(".")) {
    if (here === null || typeof here !== "object") return undefined;
    here = (here as Record<string, unknown>)[part];
  }
  return here as Plain | undefined;
}

interface Question {
  done: (result: unknown) => void;
  refused: (why: Error) => void;
}

interface Wish {
  value: Plain;
  serial: number; // of the change message that carries it; 0: not sent yet
  answered: boolean;
}

export type Keys = keyof State;

const HELD_MS = 700; // an answered wish is shown this long where no state confirms it
const STALE_MS = 400; // an unanswered change holds back the next one for so long at most

/**
 * Events: "state" (detail: the names that changed), "meters", "connection", "trouble" (detail: {station, text}),
 * "refused" (detail: {do, problems}), "gone" (detail: text).
 */
export class Link extends EventTarget {
  state: State = restingState();
  meters: Meters = restingMeters();
  role: "player" | "viewer" | "" = "";
  version = "";
  connected = false;
  ready = false; // a first state has come
  gone = ""; // the stage said that it ends, in its words

  #open: () => WebSocket;
  #socket: WebSocket | null = null;
  #attempt = 0;
  #again: ReturnType<typeof setTimeout> | undefined;
  #closed = true;
  #next = 1;
  #questions = new Map<number, Question>();
  #wishes = new Map<string, Wish>();
  #steady = new Map<string, Record<string, unknown> | null>();
  #flushing = false;
  #flying = 0; // when the change under way was sent, in ms; 0: none

  constructor(open: () => WebSocket) {
    super();
    this.#open = open;
  }

  connect(): void {
    this.#closed = false;
    if (this.#socket) return;
    clearTimeout(this.#again);
    const socket = this.#open();
    this.#socket = socket;
    socket.onopen = () => {
      this.connected = true;
      this.gone = "";
      this.#tell("connection");
    };
    socket.onmessage = (event) => {
      this.#attempt = 0;
      this.take(JSON.parse(String(event.data)) as Down);
    };
    socket.onclose = () => this.#lost(socket);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#again);
    const socket = this.#socket;
    if (socket) {
      this.#lost(socket);
      socket.close();
    }
  }

  /** Come back at once, without waiting for the next attempt. */
  hurry(): void {
    if (!this.#socket && !this.#closed) this.connect();
  }

  /** Ask the stage for something. Rejects with Refused, or with Away while the line is down. */
  send(what: string, args: Record<string, unknown> = {}): Promise<unknown> {
    const socket = this.#socket;
    if (!socket || socket.readyState !== 1) {
      return Promise.reject(new Away("The stage is away; nothing was changed."));
    }
    const id = this.#next++;
    return new Promise((done, refused) => {
      this.#questions.set(id, { done, refused });
      socket.send(JSON.stringify({ do: what, ...args, id }));
    });
  }

  /** Ask, and show the player what was refused instead of rejecting. True where it was done. */
  async ask(what: string, args: Record<string, unknown> = {}): Promise<boolean> {
    try {
      await this.send(what, args);
      return true;
    } catch (error) {
      const problems = error instanceof Refused ? error.problems : [(error as Error).message];
      this.#tell("refused", { do: what, problems });
      return false;
    }
  }

  /**
   * Change places of the patch. What is dragged is gathered: one message for each picture of the screen, and the next only
   * when the last was answered. Until the stage confirms, `value` shows what was wished.
   */
  change(edits: Edits): void {
    for (const [place, value] of Object.entries(edits)) {
      this.#wishes.set(place, { value, serial: 0, answered: false });
    }
    this.#tell("state", ["patch"]);
    this.#flush();
  }

  /** Ask for what moves all the time (a finger on a pad): one question under way, and of those that wait the newest wins. */
  steady(what: string, args: Record<string, unknown>): void {
    const waits = this.#steady.has(what);
    this.#steady.set(what, args);
    if (waits) return;
    frame(async () => {
      for (let newest = this.#steady.get(what); newest; newest = this.#steady.get(what)) {
        this.#steady.set(what, null);
        if (!(await this.ask(what, newest))) break;
      }
      this.#steady.delete(what);
    });
  }

  /** What stands at a place: what was wished last, or else what the stage says. A route is a table. */
  value(place: string): Plain | undefined {
    const wish = this.#wishes.get(place);
    if (wish) return wish.value;
    return at(this.state.patch, place);
  }

  /** The number that is played at a place now: the route's where one drives it. */
  played(place: string): number | null {
    const value = this.value(place);
    if (typeof value === "number") return value;
    const number = this.meters.numbers[place];
    return number === undefined ? null : number;
  }

  /** A message from the stage. */
  take(message: Down): void {
    switch (message.is) {
      case "hello":
        this.role = message.role;
        this.version = message.version;
        this.#tell("connection");
        break;
      case "state": {
        const { is: _, ...changed } = message;
        Object.assign(this.state, changed);
        this.ready = true;
        if ("patch" in changed) this.#confirm();
        this.#tell("state", Object.keys(changed));
        break;
      }
      case "meters": {
        const { is: _, ...meters } = message;
        this.meters = meters;
        this.#tell("meters");
        break;
      }
      case "trouble":
        this.#tell("trouble", { station: message.station, text: message.text });
        break;
      case "gone":
        this.gone = message.text || "The stage has ended.";
        this.#tell("gone", this.gone);
        break;
      case "done":
        this.#questions.get(message.id)?.done(message.result);
        this.#questions.delete(message.id);
        break;
      case "refused":
        this.#questions.get(message.id)?.refused(new Refused(message.problems));
        this.#questions.delete(message.id);
        break;
    }
  }

  #lost(socket: WebSocket): void {
    if (this.#socket !== socket) return;
    this.#socket = null;
    this.connected = false;
    this.#wishes.clear();
    this.#flying = 0;
    const questions = [...this.#questions.values()];
    this.#questions.clear();
    for (const question of questions) question.refused(new Away("The line to the stage broke before it answered."));
    this.#tell("connection");
    if (!this.#closed) this.#again = setTimeout(() => this.connect(), patience(this.#attempt++));
  }

  #flush(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    frame(() => {
      this.#flushing = false;
      if (this.#flying && now() - this.#flying < STALE_MS) return; // its answer flushes again
      void this.#sendWishes();
    });
  }

  async #sendWishes(): Promise<void> {
    const edits: Edits = {};
    const serial = this.#next;
    for (const [place, wish] of this.#wishes) {
      if (wish.serial) continue;
      edits[place] = wish.value;
      wish.serial = serial;
    }
    const places = Object.keys(edits);
    if (!places.length) return;
    const sent = now();
    this.#flying = sent;
    const waiting = setTimeout(() => this.#flush(), STALE_MS + 10);
    const done = await this.ask("change", { edits });
    clearTimeout(waiting);
    if (this.#flying === sent) this.#flying = 0;
    for (const place of places) {
      const wish = this.#wishes.get(place);
      if (wish?.serial !== serial) continue;
      wish.answered = true;
      if (!done) this.#wishes.delete(place);
    }
    if (!done) this.#tell("state", ["patch"]);
    setTimeout(() => this.#forget(serial), HELD_MS);
    if ([...this.#wishes.values()].some((wish) => !wish.serial)) this.#flush();
  }

  /** A patch came: it speaks for every wish that was answered before, and for those that it fulfils. */
  #confirm(): void {
    for (const [place, wish] of this.#wishes) {
      const same = JSON.stringify(at(this.state.patch, place) ?? null) === JSON.stringify(wish.value);
      if (wish.answered || (wish.serial && same)) this.#wishes.delete(place);
    }
  }

  #forget(serial: number): void {
    let forgotten = false;
    for (const [place, wish] of this.#wishes) {
      if (wish.serial === serial) forgotten = this.#wishes.delete(place);
    }
    if (forgotten) this.#tell("state", ["patch"]);
  }

  #tell(type: string, detail?: unknown): void {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

function now(): number {
  return performance.now();
}

/** Before the next picture of the screen; a hidden page draws none, so the clock stands in. */
function frame(then: () => unknown): void {
  if (typeof requestAnimationFrame === "undefined" || document.hidden) setTimeout(then, 16);
  else requestAnimationFrame(() => then());
}

let here: Link | null = null;

/** The page's own line, connected when it is first asked for. */
export function stage(): Link {
  if (!here) {
    const link = new Link(() => new WebSocket(socketAddress("/ws/control")));
    here = link;
    link.connect();
    addEventListener("online", () => link.hurry());
    document.addEventListener("visibilitychange", () => document.hidden || link.hurry());
    addEventListener("pagehide", () => link.close());
    addEventListener("pageshow", (event) => event.persisted && link.connect());
  }
  return here;
}

/**
 * Draws an element again when the parts of the state that it follows change:
 *   #stage = new Follows(this, ["looks", "patch"]);            // and "meters" or "connection" where wanted
 */
export class Follows implements ReactiveController {
  readonly link = stage();
  #host: ReactiveControllerHost;
  #keys: Set<string>;

  constructor(host: ReactiveControllerHost, keys: (Keys | "meters" | "connection")[]) {
    this.#host = host;
    this.#keys = new Set(keys);
    host.addController(this);
  }

  hostConnected(): void {
    this.link.addEventListener("state", this.#onState);
    if (this.#keys.has("meters")) this.link.addEventListener("meters", this.#draw);
    if (this.#keys.has("connection")) this.link.addEventListener("connection", this.#draw);
  }

  hostDisconnected(): void {
    this.link.removeEventListener("state", this.#onState);
    this.link.removeEventListener("meters", this.#draw);
    this.link.removeEventListener("connection", this.#draw);
  }

  #onState = (event: Event) => {
    if ((event as CustomEvent<string[]>).detail.some((key) => this.#keys.has(key))) this.#host.requestUpdate();
  };

  #draw = () => this.#host.requestUpdate();
}
