import { describe, expect, it } from "vitest";
import { first, groups, now, numbers, station, within } from "./felt.ts";
import { complete, table } from "./routes/curve.ts";

const FELT = {
  light: { low: 0, high: 1, turn: null },
  "hand.angle": { low: -Math.PI, high: Math.PI, turn: 2 * Math.PI },
  "hand.x": { low: -1.5, high: 1.5, turn: null },
};
const PSI = { low: -1, high: 2, routed: [0.4, 1.1] as [number, number] };

describe("a number's name", () => {
  it("is the feature's, and after a dot its own", () => {
    expect([station("hand.angle"), within("hand.angle"), station("light"), within("light")]).toEqual(["hand", "angle", "light", ""]);
    expect(groups(["scene", "light", "hand"], FELT)).toEqual([
      { name: "scene", numbers: [] },
      { name: "light", numbers: ["light"] },
      { name: "hand", numbers: ["hand.angle", "hand.x"] },
    ]);
  });
});

describe("the meters", () => {
  const features = { light: 0.5, hand: { angle: 1, x: null }, scene: [1, 2], dark: null };
  it("tell each number by itself", () => {
    expect([...numbers(features)]).toEqual([["light", 0.5], ["hand.angle", 1], ["hand.x", NaN], ["dark", NaN]]);
    expect(["light", "hand.angle", "hand.x", "scene", "gone"].map((name) => now(features, name))).toEqual([0.5, 1, null, [1, 2], null]);
  });
});

describe("a new route", () => {
  it("begins with the range that its number has, and goes round where it is an angle", () => {
    const route = first("hand.angle", FELT["hand.angle"], [0.1, 0.3], PSI, null);
    expect(table(route)).toEqual({
      feature: "hand.angle", low: 0.4, high: 1.1, in_low: -Math.PI, in_high: Math.PI, circular: 2 * Math.PI,
    });
  });

  it("begins with what was just seen where a number goes beyond 0 to 1", () => {
    expect(table(first("light", FELT.light, [2, 3.4567], PSI, null))).toEqual({ feature: "light", low: 0.4, high: 1.1, in_low: 2, in_high: 3.46 });
    expect(table(first("light", FELT.light, [0.2, 0.4], PSI, null))).toEqual({ feature: "light", low: 0.4, high: 1.1 });
  });

  it("keeps what was set where only its number is another", () => {
    const old = complete({ feature: "hand.angle", low: 0, high: 2, circular: 7, attack: 0.5 });
    expect(table(first("hand.x", FELT["hand.x"], null, PSI, old))).toEqual({ feature: "hand.x", high: 2, in_low: -1.5, in_high: 1.5, attack: 0.5 });
  });
});

describe("what happens otherwise", () => {
  it("is part of the table, also where it is 0", () => {
    expect(table(complete({ feature: "light", otherwise: 0, fade: 2 }))).toEqual({ feature: "light", otherwise: 0, fade: 2 });
    expect(table(complete({ feature: "light" }))).toEqual({ feature: "light" });
  });
});
