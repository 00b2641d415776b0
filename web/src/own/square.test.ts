import { describe, expect, it } from "vitest";
import { type Place, type Square, corners, grown, held, moved, outside, pinched, pulled } from "./square.ts";

const square: Square = { x: 30, y: 20, size: 10, angle: 0 };

function near(places: Place[], wanted: Place[]): void {
  places.forEach((place, i) => place.forEach((x, j) => expect(x).toBeCloseTo(wanted[i]![j]!, 9)));
}

describe("a square over a picture", () => {
  it("has its corners around its middle, and turns clockwise", () => {
    near(corners(square), [[25, 15], [35, 15], [35, 25], [25, 25]]);
    near(corners({ ...square, angle: 90 }), [[35, 15], [35, 25], [25, 25], [25, 15]]);
  });

  it("is moved, sized and turned", () => {
    expect(moved(square, 2, -3)).toEqual({ ...square, x: 32, y: 17 });
    expect(grown(square, 2, 200)).toEqual({ ...square, size: 20, angle: -160 });
  });

  it("has under the hand what it had there when it was pulled", () => {
    const after = pulled(square, [35, 15], [36, 30]);
    expect([after.x, after.y]).toEqual([30, 20]);
    near([outside(after, [1, 0])], [[36, 30]]);
  });

  it("follows two fingers", () => {
    const before: [Place, Place] = [outside(square, [0.1, 0.2]), outside(square, [0.8, 0.5])];
    const after: [Place, Place] = [[3, 4], [11, 40]];
    const pinch = pinched(square, before, after);
    near([outside(pinch, [0.1, 0.2]), outside(pinch, [0.8, 0.5])], after);
    expect(pinched(square, [[1, 1], [1, 1]], after)).toEqual(square); // two fingers in one place say nothing
  });

  it("stays on its picture", () => {
    expect(held({ x: -5, y: 70, size: 0.1, angle: 12 }, 60, 40)).toEqual({ x: 0, y: 40, size: 8, angle: 12 });
    expect(held({ x: 5, y: 7, size: 1e9, angle: 0 }, 60, 40).size).toBe(240);
  });
});
