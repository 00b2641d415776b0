import { describe, expect, it } from "vitest";
import { byFeature, confidence, missing, shares, short, sureness } from "./poses.ts";

describe("numbers that can be a pose", () => {
  it("stand under the feature that they belong to, in their order", () => {
    expect(byFeature(["light", "hand.angle", "hand.pinch", "dance"])).toEqual([
      ["", ["light", "dance"]],
      ["hand", ["hand.angle", "hand.pinch"]],
    ]);
    expect(short("hand.palm_size")).toBe("palm size");
    expect(short("light")).toBe("light");
  });
});

describe("what the meters say of a pose", () => {
  const numbers = { "latent.psi": 0.4, "shown.weights.Look 1": 0.25, "shown.weights.blue": 0.75, "shown.own": 0, "shown.confidence": 0.9 };

  it("is a share for each look, and how sure that is", () => {
    expect(shares(numbers)).toEqual({ "Look 1": 0.25, blue: 0.75 });
    expect(confidence(numbers)).toBe(0.9);
    expect(confidence({})).toBeNull();
  });

  it("has words that change where the safe look comes in, and where it is alone", () => {
    expect([1, 0.7, 0.59, 0.2, 0.1, 0].map(sureness)).toEqual([
      "Sure",
      "Fairly sure",
      "Not sure: the safe look comes in",
      "Not sure: the safe look comes in",
      "Lost: the safe look",
      "Lost: the safe look",
    ]);
  });
});

describe("what is still to be shown", () => {
  const example = (look: string) => ({ pose: [0], look, noise: [] });

  it("is a pose, then another with another look, then nothing", () => {
    expect(missing([])).toContain("Hold this pose");
    expect(missing([example("a"), example("a")])).toContain("another look");
    expect(missing([example("a"), example("b")])).toBe("");
  });
});
