import { beforeAll, describe, expect, it, vi } from "vitest";

let sections: typeof import("./play.ts").sections;

beforeAll(async () => {
  // the module defines an element when it is read; here there is no page
  vi.stubGlobal("HTMLElement", class {});
  vi.stubGlobal("customElements", { define: () => undefined, get: () => undefined });
  vi.stubGlobal("localStorage", { getItem: () => null, setItem: () => undefined });
  vi.stubGlobal("document", { createTreeWalker: () => ({}), createElement: () => ({}), createComment: () => ({}) });
  sections = (await import("./play.ts")).sections;
}, 60_000); // a loaded machine takes its time to read the modules

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

  it("of directions have a panel of their own", () => {
    const latent = sections(["latent.directions.smile.amount", "latent.psi"].map(control)).find(({ key }) => key === "latent");
    expect([latent!.parts, latent!.loose.map(({ place }) => place)]).toEqual([[], ["latent.psi"]]);
  });
});
