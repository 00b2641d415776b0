/** What the player is told of: what was kept, recorded or found, whoever asked for it. */

import type { State } from "../protocol.ts";

export type Part = Pick<State, "looks" | "performance" | "own" | "latents">;

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
  const names = new Set(before.latents.map((one) => one.name));
  for (const { name } of now.latents) if (!names.has(name)) said.push(`Kept as “${name}”. Yours has a way back to it.`);
  const [sitting, last] = [now.own.sitting, before.own.sitting];
  if (sitting?.stage === "found" && (last?.number !== sitting.number || last.stage !== "found")) said.push(`Found ${sitting.picture}. Yours can keep it.`);
  return said;
}
