/** What is marked on the picture that plays: a box, or what a brush paints. */

import type { Region } from "../player/box.ts";
import { clamp } from "../ranges.ts";

export type Place = [number, number]; // from the left and from the top, 0 to 1
export type Stroke = Place[]; // a line through these, with round ends; one place alone is a dot

/** `tool`: what the hand draws with now, "" where it draws nothing. `width`: the brush's diameter, 1 is the picture's side. */
export interface Marked {
  tool: "" | "box" | "brush";
  region: Region | null;
  strokes: Stroke[];
  width: number;
}

export const UNMARKED: Marked = { tool: "", region: null, strokes: [], width: 0.12 };

const STROKES = 64; // that the stage takes
const PLACES = 4096; // of all strokes
const NEAR = 0.008; // of a side: a hand that has come no further has drawn nothing

/** Where a hand is on a picture; beyond its edge, at the edge. */
export function placeIn({ left, top, width, height }: DOMRect, { clientX, clientY }: { clientX: number; clientY: number }): Place {
  return [fraction((clientX - left) / width), fraction((clientY - top) / height)];
}

function fraction(part: number): number {
  return Math.round(1000 * clamp(part, 0, 1)) / 1000;
}

/** Strokes, and one more that begins here, unless there is no room for another. */
export function begun(strokes: Stroke[], at: Place): Stroke[] {
  return full(strokes) ? strokes : [...strokes, [at]];
}

/** Strokes, the last of which goes on to here. */
export function further(strokes: Stroke[], at: Place): Stroke[] {
  const last = strokes.at(-1);
  const from = last?.at(-1);
  if (!last || !from || Math.hypot(at[0] - from[0], at[1] - from[1]) < NEAR || places(strokes) >= PLACES) return strokes;
  return [...strokes.slice(0, -1), [...last, at]];
}

/** Whether there is no room for another stroke. */
export function full(strokes: Stroke[]): boolean {
  return strokes.length >= STROKES || places(strokes) >= PLACES;
}

function places(strokes: Stroke[]): number {
  return strokes.reduce((sum, stroke) => sum + stroke.length, 0);
}
