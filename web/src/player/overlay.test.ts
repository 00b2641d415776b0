import { expect, test } from "vitest";
import { path } from "./overlay.ts";

test("lines are one path in thousandths of the picture", () => {
  expect(path([[0, 0.5, 1, 0.25], [0.1234, 0, 0, 1]])).toBe("M0 500L1000 250M123 0L0 1000");
  expect(path([])).toBe("");
});
