import { expect, it } from "vitest";
import { drawn } from "./score.ts";

it("scores go up to 1 at the top, labels from none at the left, and chance has its own height", () => {
  const field = drawn([[10, 0.6, 0.1], [20, 0.8, 0]], 0.5, 20);
  expect(field.low).toBe(0.4); // a little below what is lowest, so that it can be seen
  expect(field.line).toBe("M50.00 66.67L100.00 33.33L100.00 33.33");
  expect(field.band).toBe("M50.00 50.00L100.00 33.33L100.00 33.33L50.00 83.33Z");
  expect(field.chance).toBeCloseTo(83.33, 1);
});

it("an error that reaches beyond 1 ends at the top", () => {
  expect(drawn([[4, 0.95, 0.2]], 0.5, 4).band).toContain("M100.00 0.00");
});

it("one point alone is a dot", () => {
  expect(drawn([[8, 0.5, 0]], 0.5, 8).line).toBe("M100.00 83.33L100.00 83.33");
});

it("labels that have no score yet have their room", () => {
  expect(drawn([[8, 0.5, 0]], 0.5, 10).line).toContain("M80.00 ");
});

it("what has no point yet is no line", () => {
  expect(drawn([], 0.5, 0)).toMatchObject({ line: "", band: "" });
});
