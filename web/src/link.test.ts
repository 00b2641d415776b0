import { beforeEach, describe, expect, it, vi } from "vitest";
import { Link, Refused, at } from "./link.ts";
import { pictureUp, header } from "./protocol.ts";

class Socket {
  readyState = 1;
  sent: { do: string; id: number; edits?: Record<string, unknown> }[] = [];
  onopen: (() => void) | null = null;
  onclose: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  send(text: string) {
    this.sent.push(JSON.parse(text));
  }
  close() {
    this.onclose?.();
  }
  tell(message: unknown) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

let sockets: Socket[];
let link: Link;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  vi.stubGlobal("document", { hidden: true });
  sockets = [];
  link = new Link(() => {
    sockets.push(new Socket());
    return sockets.at(-1) as unknown as WebSocket;
  });
  link.connect();
  sockets[0]!.onopen?.();
});

const patch = (psi: unknown) => ({ is: "state", patch: { ...link.state.patch, latent: { ...link.state.patch.latent, psi } } });

describe("what the stage tells", () => {
  it("keeps what a state message does not mention", () => {
    sockets[0]!.tell({ is: "state", history: { undo: 3, redo: 0 } });
    sockets[0]!.tell({ is: "state", seeds: { history: [7], favourites: [] } });
    expect(link.state.history.undo).toBe(3);
    expect(link.state.seeds.history).toEqual([7]);
  });

  it("says which parts changed", () => {
    const heard: string[][] = [];
    link.addEventListener("state", (event) => heard.push((event as CustomEvent<string[]>).detail));
    sockets[0]!.tell({ is: "state", history: { undo: 1, redo: 0 } });
    expect(heard).toEqual([["history"]]);
  });

  it("finds a value at a dotted place, and nothing where there is none", () => {
    expect(at({ latent: { rows: { "0-3": { amount: 0.5 } } } }, "latent.rows.0-3.amount")).toBe(0.5);
    expect(at({ latent: {} }, "latent.rows.fine")).toBeUndefined();
  });
});

describe("what is asked", () => {
  it("answers with the result, and refuses with the stage's words", async () => {
    const good = link.send("snapshot");
    const bad = link.send("recall", { look: "x", id: 99 });
    const [first, second] = sockets[0]!.sent;
    sockets[0]!.tell({ is: "done", id: first!.id, result: "a" });
    sockets[0]!.tell({ is: "refused", id: second!.id, problems: ["there is no look x"] });
    expect(await good).toBe("a");
    await expect(bad).rejects.toBeInstanceOf(Refused);
  });

  it("gathers a drag into one message a picture, the next only after the answer", async () => {
    for (let i = 1; i <= 9; i++) link.change({ "latent.psi": i / 10 });
    vi.advanceTimersByTime(20);
    expect(sockets[0]!.sent.map((message) => message.edits)).toEqual([{ "latent.psi": 0.9 }]);
    link.change({ "latent.psi": 1 });
    vi.advanceTimersByTime(20);
    expect(sockets[0]!.sent).toHaveLength(1);
    sockets[0]!.tell({ is: "done", id: sockets[0]!.sent[0]!.id, result: null });
    await vi.advanceTimersByTimeAsync(20);
    expect(sockets[0]!.sent.at(-1)!.edits).toEqual({ "latent.psi": 1 });
  });

  it("goes on with a stage that is slow to answer", async () => {
    link.change({ "latent.psi": 0.1 });
    vi.advanceTimersByTime(20);
    link.change({ "latent.psi": 0.2 });
    await vi.advanceTimersByTimeAsync(900);
    expect(sockets[0]!.sent).toHaveLength(2);
  });

  it("shows a wish at once, until the stage has spoken", async () => {
    link.change({ "latent.psi": 0.3 });
    expect(link.value("latent.psi")).toBe(0.3);
    vi.advanceTimersByTime(20);
    sockets[0]!.tell({ is: "done", id: sockets[0]!.sent[0]!.id, result: null });
    await vi.advanceTimersByTimeAsync(0);
    sockets[0]!.tell(patch(0.25));
    expect(link.value("latent.psi")).toBe(0.25);
  });

  it("takes a refused wish back and says why", async () => {
    const said: string[][] = [];
    link.addEventListener("refused", (event) => said.push((event as CustomEvent).detail.problems));
    sockets[0]!.tell(patch(0.7));
    link.change({ "latent.psi": 9 });
    vi.advanceTimersByTime(20);
    sockets[0]!.tell({ is: "refused", id: sockets[0]!.sent[0]!.id, problems: ["too much"] });
    await vi.advanceTimersByTimeAsync(0);
    expect(link.value("latent.psi")).toBe(0.7);
    expect(said).toEqual([["too much"]]);
  });

  it("of a moving finger the newest place wins", async () => {
    for (let i = 0; i < 5; i++) link.steady("pad", { at: [i, 0] });
    await vi.advanceTimersByTimeAsync(20);
    link.steady("pad", { at: [5, 0] });
    link.steady("pad", { at: [6, 0] });
    sockets[0]!.tell({ is: "done", id: sockets[0]!.sent[0]!.id, result: null });
    await vi.advanceTimersByTimeAsync(20);
    expect(sockets[0]!.sent.map((message) => (message as unknown as { at: number[] }).at[0])).toEqual([4, 6]);
  });
});

describe("a line that breaks", () => {
  it("comes back by itself and keeps the state", async () => {
    sockets[0]!.tell(patch(0.4));
    sockets[0]!.onclose?.();
    expect(link.connected).toBe(false);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(sockets.length).toBeGreaterThan(1);
    expect(link.value("latent.psi")).toBe(0.4);
  });

  it("tells those who wait for an answer", async () => {
    const waiting = link.send("undo");
    sockets[0]!.onclose?.();
    await expect(waiting).rejects.toThrow("broke");
  });

  it("stays closed when it was closed", async () => {
    link.close();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(sockets).toHaveLength(1);
  });
});

describe("the binary messages", () => {
  it("reads a picture's header where the stage wrote it", () => {
    const view = new DataView(new ArrayBuffer(28));
    view.setUint32(0, 7, true);
    view.setUint16(6, 640, true);
    view.setUint16(8, 360, true);
    view.setFloat64(12, 1.5, true);
    view.setFloat64(20, Number.NaN, true);
    expect(header(view.buffer)).toEqual({ number: 7, format: 0, width: 640, height: 360, t: 1.5, age: Number.NaN });
  });

  it("puts the time before a camera's picture", () => {
    const message = pictureUp(12.25, new Uint8Array([1, 2, 3]).buffer);
    expect(new DataView(message).getFloat64(0, true)).toBe(12.25);
    expect([...new Uint8Array(message, 8)]).toEqual([1, 2, 3]);
  });
});
