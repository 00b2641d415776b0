import { expect, test } from "vitest";
import { soundUp } from "./protocol.ts";
import { Waiting } from "./waiting.ts";

test("of sound that waits too long the oldest goes", () => {
  const waiting = new Waiting(4);
  waiting.add(new Float32Array([1, 2]), 2);
  waiting.add(new Float32Array([3, 4]), 4);
  waiting.add(new Float32Array([5]), 5);
  expect([...waiting.take()]).toEqual([3, 4, 5]);
  expect(waiting.count).toBe(5);
  expect(waiting.take().length).toBe(0);
});

test("a block that is longer than may wait is kept whole", () => {
  const waiting = new Waiting(2);
  waiting.add(new Float32Array([1, 2, 3]), 3);
  expect([...waiting.take()]).toEqual([1, 2, 3]);
});

test("a block of sound goes with its time, its count and its rate", () => {
  const message = soundUp(12.5, 480, 48000, new Float32Array([0.5, -1]));
  const view = new DataView(message);
  expect(view.getFloat64(0, true)).toBe(12.5);
  expect(view.getFloat64(8, true)).toBe(480);
  expect(view.getFloat32(16, true)).toBe(48000);
  expect([view.getFloat32(20, true), view.getFloat32(24, true)]).toEqual([0.5, -1]);
  expect(message.byteLength).toBe(28);
});
