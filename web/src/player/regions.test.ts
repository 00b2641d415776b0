import { beforeAll, describe, expect, it, vi } from "vitest";
import type { Region } from "./regions.ts";

let moved: typeof import("./regions.ts").moved;
let sections: typeof import("./play.ts").sections;

beforeAll(async () => {
  // the modules define elements when they are read; here there is no page
  vi.stubGlobal("HTMLElement", class {});
  vi.stubGlobal("customElements", { define: () => undefined, get: () => undefined });
  vi.stubGlobal("localStorage", { getItem: () => null, setItem: () => undefined });
  vi.stubGlobal("document", { createTreeWalker: () => ({}), createElement: () => ({}), createComment: () => ({}) });
  moved = (await import("./regions.ts")).moved;
  sections = (await import("./play.ts")).sections;
}, 60_000); // a loaded machine takes its time to read the modules

describe("a region in hand", () => {
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

describe("the controls", () => {
  const control = (place: string) => ({ place, kind: "number" }) as never;

  it("stand in the order of the flow, and an unknown section appears by itself", () => {
    const found = sections(["zoom.far", "latent.psi", "features.light.smoothing", "sources.eye.mirror"].map(control));
    expect(found.map(({ key }) => key)).toEqual(["sources", "features", "latent", "bends", "zoom"]); // bends: one can be added
    expect(found.at(-1)!.title).toBe("Zoom");
  });

  it("of a band stand together", () => {
    const latent = sections(["latent.rows.fine", "latent.rows.fine.amount", "latent.psi"].map(control)).find(({ key }) => key === "latent");
    expect(latent!.parts.map(([name, held]) => [name, held.length])).toEqual([["fine", 2]]);
    expect(latent!.loose).toHaveLength(1);
  });
});
