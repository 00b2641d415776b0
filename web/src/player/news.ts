/** What the player is told of: a look that was kept, a take that was recorded, whoever asked for it. */

import type { State } from "../protocol.ts";

export type Part = Pick<State, "looks" | "performance">;

/** What happened between two states, in words. */
export function news(before: Part, now: Part): string[] {
  const said: string[] = [];
  const known = new Set(before.looks.snapshots.map((look) => look.id));
  now.looks.snapshots.forEach((look, i) => {
    if (!known.has(look.id)) said.push(`Kept as “${look.name}”. ${i < 9 ? `The key ${i + 1} goes` : "Looks has a way"} back to it.`);
  });
  const ended = before.performance.recording;
  if (ended && now.performance.recording?.take !== ended.take) {
    said.push(`Recorded “${ended.take}”, ${Math.round(ended.seconds)} s. It plays again from Takes.`);
  }
  return said;
}
