/** The pace that is drawn is the pace that is played: numbers from latent.ease (routes/played.py). */

import { describe, expect, it } from "vitest";
import numbers from "../routes/played.json";
import { EASINGS, PACES } from "./easing.ts";

describe("the pace of a morph", () => {
  it.each(Object.entries(numbers.easings))("is that of latent.ease for %s", (name, values) => {
    numbers.steps.forEach((x, i) => expect(EASINGS[name]!(x)).toBeCloseTo(values[i]!, 10));
  });

  it("is offered for every easing that there is", () => {
    expect(PACES.map(([name]) => name).sort()).toEqual(Object.keys(numbers.easings).sort());
  });
});
