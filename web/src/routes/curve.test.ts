/** What is drawn on a card is what the instrument plays: the same numbers as the Python modules gave (played.py). */

import { describe, expect, it } from "vitest";
import { CURVES, type Table, complete, motion, normal, shape, table } from "./curve.ts";
import numbers from "./played.json";

const name = (route: object) => JSON.stringify(route);
const near = (found: number[], right: number[]) =>
  found.forEach((value, i) => {
    expect(value).toBeCloseTo(right[i]!, 10);
  });

describe("a curve on a card", () => {
  it.each(numbers.shapes.map((s) => [name(s.route), s] as const))("is that of routes.shape for %s", (_, { route, values }) => {
    near(numbers.places.map((u) => shape(complete(route as Table), u)), values);
  });

  it("is drawn for every curve that a route knows", () => {
    expect(new Set(Object.keys(CURVES))).toEqual(new Set(numbers.shapes.map((s) => s.route.curve)));
  });
});

describe("a step response", () => {
  it.each(numbers.motions.map((m) => [name(m.route), m] as const))("moves as the Follower does for %s", (_, m) => {
    const route = complete(m.route as Table);
    const step = motion(route);
    const input = route.circular ? unwrapped(numbers.moved, route.circular) : numbers.moved;
    let before = numbers.times[0]!;
    const found = input.map((value, i) => {
      const dt = numbers.times[i]! - before;
      before = numbers.times[i]!;
      return shape(route, step(normal(route, value), dt));
    });
    near(found, m.values);
  });
});

describe("a route's table", () => {
  it("leaves out what is at its default, and is completed to the same route", () => {
    const route = complete({ feature: "light", low: 0.4, spring: { frequency: 2, damping: 0.3 } });
    expect(table(route)).toEqual({ feature: "light", low: 0.4, spring: { frequency: 2, damping: 0.3 } });
    expect(complete(table(route) as Table)).toEqual(route);
  });
});

function unwrapped(values: number[], turn: number): number[] {
  let last = values[0]!;
  return values.map((value) => (last += value - last - turn * Math.round((value - last) / turn)));
}
