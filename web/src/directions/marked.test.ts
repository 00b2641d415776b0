import { describe, expect, it } from "vitest";
import { type Place, type Stroke, begun, full, further, placeIn } from "./marked.ts";

const line = (count: number): Stroke => Array.from({ length: count }, (_, i): Place => [(i % 50) / 50, 0]);

describe("what a brush paints", () => {
  it("is a dot where the hand comes down, and a line from there on", () => {
    const dot = begun([], [0.2, 0.2]);
    expect(dot).toEqual([[[0.2, 0.2]]]);
    expect(further(dot, [0.3, 0.2])).toEqual([[[0.2, 0.2], [0.3, 0.2]]]);
    expect(begun(further(dot, [0.3, 0.2]), [0.9, 0.9])).toHaveLength(2);
  });

  it("is not longer for a hand that trembles", () => {
    const dot = begun([], [0.2, 0.2]);
    expect(further(dot, [0.204, 0.203])).toBe(dot);
  });

  it("ends where the stage takes no more", () => {
    const many = Array.from({ length: 64 }, () => line(1));
    expect([full(many), full(many.slice(1))]).toEqual([true, false]);
    expect(begun(many, [0.5, 0.5])).toBe(many);
    const long = [line(4096)];
    expect([begun(long, [0.5, 0.5]), further(long, [0.5, 0.5])]).toEqual([long, long]);
  });

  it("stays on the picture, in thousandths of its sides", () => {
    const box = { left: 100, top: 50, width: 300, height: 300 } as DOMRect;
    expect(placeIn(box, { clientX: 200, clientY: 20 })).toEqual([0.333, 0]);
  });
});
