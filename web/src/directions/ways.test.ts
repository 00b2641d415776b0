import { beforeAll, describe, expect, it, vi } from "vitest";
import type { Along, Offered, PatchDocument, RackState } from "../protocol.ts";
import { bare, drawable, endOf, judged, known, nameOf, offerOf, renamed } from "./ways.ts";

const along = (more: Partial<Along> = {}): Along => ({
  amount: 0,
  of: "",
  rows: "",
  set: false,
  free: false,
  locked: false,
  ...more,
});
const offer = (of: string, more: Partial<Offered> = {}): Offered => ({
  of,
  rows: "",
  name: of,
  words: "",
  group: "pca",
  sigma: null,
  score: null,
  error: null,
  chance: null,
  fits: true,
  starred: false,
  ...more,
});
const offered = [
  offer("pc1"),
  offer("sefa1", { group: "sefa" }),
  offer("sefa1", { group: "sefa", rows: "fine" }),
  offer("joy.safetensors", { group: "kept", sigma: 2.5 }),
  offer("theirs.safetensors", { group: "kept", fits: false }),
];
const rack: RackState = { offered, looking: false, here: { seeking: false, trouble: "" }, measures: [], model: "portraits" };

beforeAll(() => {
  vi.stubGlobal("location", { search: "" });
});

describe("a direction of the patch", () => {
  it("is found among those on offer by its file, whatever its path and its name", () => {
    expect(offerOf(rack, "joy", along({ of: "/home/me/directions/joy.safetensors" }))).toBe(offered[3]);
    expect(bare("C:\\me\\joy.safetensors")).toBe("joy.safetensors");
  });

  it("is the one in its rows, or else the same one in others", () => {
    expect(offerOf(rack, "sefa1", along({ rows: "fine" }))).toBe(offered[2]);
    expect(offerOf(rack, "sefa1", along({ rows: "3-4" }))).toBe(offered[1]);
    expect(offerOf(rack, "smile", along())).toBeUndefined();
  });

  it("is known on the wall by what it is, not by what it is called", () => {
    const patch = { latent: { directions: { mood: along({ of: "pc1" }) } } } as unknown as PatchDocument;
    expect(nameOf(patch, rack, offered[0]!)).toBe("mood");
    expect(nameOf(patch, rack, offered[1]!)).toBe("");
  });

  it("stays what it is, and where it is, under another name", () => {
    const directions = { pc1: along({ amount: 2 }), pc2: along() };
    const edits = renamed({ latent: { directions } } as unknown as PatchDocument, "pc1", "mood");
    expect(edits).toEqual({ "latent.directions": { mood: along({ amount: 2, of: "pc1" }), pc2: along() } });
    expect(Object.keys(edits["latent.directions"]!)).toEqual(["mood", "pc2"]);
  });
});

describe("the picture of an end", () => {
  it("has another address for another model, and for a file that has changed", () => {
    const of = (where: RackState, which: Offered) => new URLSearchParams(endOf(where, which, "low", 3).split("?")[1]);
    expect(Object.fromEntries(of(rack, offered[0]!))).toMatchObject({ of: "pc1", end: "low", amount: "3", v: "portraits" });
    expect(of(rack, offered[3]!).get("v")).toBe("portraits 2.5");
    expect(of({ ...rack, model: "other" }, offered[0]!).get("v")).toBe("other");
  });

  it("is asked for only where there is one", () => {
    const drawn = ["pc1", "pc12", "joy.safetensors", "theirs.safetensors", "gone.safetensors"];
    expect(drawn.map((of) => drawable(rack, { of, rows: "" }))).toEqual([true, true, true, false, false]);
    expect(drawable({ ...rack, model: "" }, { of: "pc1", rows: "" })).toBe(false);
  });
});

describe("what is known of a direction", () => {
  it("is how it was found, and how well it tells, in words", () => {
    const told = offer("smile", { words: "from a frown to a smile", score: 0.412, error: 0.008, chance: 0 });
    expect(known(told)).toBe("from a frown to a smile. R² 0.41 ± 0.01 on labels not seen");
    expect(known(offer("pc1", { words: "component 1" }))).toBe("component 1");
  });

  it("is a share of the answers where these are one or the other", () => {
    const told = { score: 0.912, error: 0.018, chance: 0.5 };
    expect(judged(told)).toBe("0.91 ± 0.02 of labels not seen told rightly; chance is 0.50");
    expect(judged(offer("a"))).toBe("");
  });
});
