import { describe, expect, it } from "vitest";
import { lowest, path } from "./curve.ts";

describe("the line of a search", () => {
  it("falls a decade at a time, on a field that is as wide as the whole way", () => {
    expect(path([1, 0.1, 0.01], 3, 6, 0.001)).toBe("M16.67 0.00L33.33 33.33L50.00 66.67");
  });

  it("is as wide as the steps that its points stand for", () => {
    expect(path([1, 0.1], 100, 100, 0.1)).toBe("M50.00 0.00L100.00 100.00");
    expect(path([], 0, 10, 0.1)).toBe("");
  });

  it("has room for the smallest value, and a decade at least", () => {
    expect(lowest([0.9, 0.4])).toBeCloseTo(0.1);
    expect(lowest([0.9, 0.0034])).toBeCloseTo(0.001);
    expect(lowest([0])).toBeCloseTo(0.1);
  });
});
