import { expect, it } from "vitest";
import { verdict } from "./swipe.ts";

it("a picture that is carried far enough is answered, to either side", () => {
  expect([verdict(-120, 0, 400), verdict(120, 0, 400), verdict(60, 0, 400)]).toEqual([-1, 1, 0]);
});

it("a picture that is thrown need not go so far", () => {
  expect([verdict(40, 0.9, 400), verdict(-40, -0.9, 400), verdict(10, 0.9, 400)]).toEqual([1, -1, 0]);
});

it("a hand that turns back in the middle of it says nothing", () => {
  expect(verdict(60, -0.9, 400)).toBe(0);
});
