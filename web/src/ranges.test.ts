import { describe, expect, it } from "vitest";
import { position, settled, typed, valueAt, written } from "./ranges.ts";

const RANGES = [
  { low: 0, high: 1 },
  { low: -1, high: 2, step: 0.01 },
  { low: 1, high: 1800, scale: "log" },
  { low: 0, high: 5, step: 0.01, scale: "log" },
  { low: -180, high: 180, scale: "angle" },
];

describe("a slider's range", () => {
  it.each(RANGES)("comes back from every place: %o", (range) => {
    for (let u = 0; u <= 1; u += 0.05) expect(position(valueAt(u, range), range)).toBeCloseTo(u, 9);
  });

  it.each(RANGES)("reaches both ends and never leaves them: %o", (range) => {
    expect(valueAt(0, range)).toBeCloseTo(range.low, 9);
    expect(valueAt(1, range)).toBeCloseTo(range.high, 9);
    expect(settled(range.high + 1e-9, { ...range, scale: "linear" })).toBeLessThanOrEqual(range.high);
  });

  it("stands on its steps without dust", () => {
    expect(settled(0.30000000000000004, { low: 0, high: 1, step: 0.1 })).toBe(0.3);
    expect(settled(3.4, { low: 0, high: 12, step: 1 })).toBe(3);
  });

  it("an angle goes round", () => {
    expect(settled(190, { low: -180, high: 180, scale: "angle" })).toBe(-170);
  });

  it("a log range is fine where it is small", () => {
    expect(valueAt(0.5, { low: 0.01, high: 100, scale: "log" })).toBeCloseTo(1, 9);
  });
});

describe("a number as it is read and typed", () => {
  it("shows the digits that count", () => {
    expect(written(0.7, { low: -1, high: 2 })).toBe("0.70");
    expect(written(30, { low: 1, high: 120, step: 1 })).toBe("30");
    expect(written(Number.NaN)).toBe("–");
  });

  it("is understood with a unit, a comma or a true minus", () => {
    expect(typed("1,5 s")).toBe(1.5);
    expect(typed("−0.25")).toBe(-0.25);
    expect(typed("automatic")).toBeNull();
  });
});
