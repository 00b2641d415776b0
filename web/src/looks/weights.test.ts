/** The rings on the pad show the weights that are played: numbers from looks.pad_weights (routes/played.py). */

import { describe, expect, it } from "vitest";
import numbers from "../routes/played.json";
import { ring, weights } from "./weights.ts";

describe("the weights on the pad", () => {
  it.each(numbers.pads.map((pad) => [JSON.stringify(pad.at), pad] as const))("are those that are played at %s", (_, pad) => {
    const found = weights(
      pad.points.map(([x, y]) => ({ x: x!, y: y! })),
      [pad.at[0]!, pad.at[1]!],
    );
    found.forEach((weight, i) => expect(weight).toBeCloseTo(pad.weights[i]!, 10));
  });
});

describe("looks laid out in a ring", () => {
  it("all lie on the pad and weigh the same in its middle", () => {
    const points = ring(["a", "b", "c", "d", "e"]);
    expect(points.every(({ x, y }) => x > 0 && x < 1 && y > 0 && y < 1)).toBe(true);
    for (const weight of weights(points, [0.5, 0.5])) expect(weight).toBeCloseTo(0.2, 10);
  });
});
