import { beforeAll, describe, expect, it, vi } from "vitest";
import type { Region } from "./box.ts";

let drawn: typeof import("./box.ts").drawn;
let moved: typeof import("./box.ts").moved;

beforeAll(async () => {
  // the module defines an element when it is read; here there is no page
  vi.stubGlobal("HTMLElement", class {});
  vi.stubGlobal("customElements", { define: () => undefined, get: () => undefined });
  vi.stubGlobal("document", { createTreeWalker: () => ({}), createElement: () => ({}), createComment: () => ({}) });
  ({ drawn, moved } = await import("./box.ts"));
}, 60_000); // a loaded machine takes its time to read the modules

describe("a box in hand", () => {
  const middle: Region = [0.25, 0.25, 0.75, 0.75];

  it("moves whole and stops at the edge with its size kept", () => {
    expect(moved(middle, { x: 0, y: 0 }, 0.9, 0)).toEqual([0.5, 0.25, 1, 0.75]);
  });

  it("is stretched at a corner and never turns inside out", () => {
    expect(moved(middle, { x: 1, y: 1 }, 0.1, 0.2)).toEqual([0.25, 0.25, 0.85, 0.95]);
    const [left, , right] = moved(middle, { x: 1, y: 1 }, -2, 0);
    expect(right).toBeGreaterThan(left);
  });
});

describe("a box that is drawn", () => {
  it("is the same from whichever corner", () => {
    expect(drawn([0.2, 0.7], [0.6, 0.3])).toEqual([0.2, 0.3, 0.6, 0.7]);
    expect(drawn([0.6, 0.3], [0.2, 0.7])).toEqual([0.2, 0.3, 0.6, 0.7]);
  });

  it("stays within the picture, and large enough to be taken", () => {
    expect(drawn([0.5, 0.5], [1.4, -3])).toEqual([0.5, 0, 1, 0.5]);
    expect(drawn([1, 1], [1, 1])).toEqual([0.97, 0.97, 1, 1]);
  });
});
