/** Files of directions go to the library; the stage reads them as data and executes nothing in them. */

import { asked } from "../link.ts";

export const KINDS = [".safetensors", ".npy", ".npz", ".pt", ".pth", ".pkl"];
const ONLY = /\.np[yz]$/i; // what can be nothing else

/** Whether a file is of directions, or (`here`) may be, where it is put down among them. */
export function isDirections(file: File, here: boolean): boolean {
  return ONLY.test(file.name) || (here && KINDS.some((kind) => file.name.toLowerCase().endsWith(kind)));
}

/** Hand a file over. Returns what came of it, in words for the player. */
export async function bringDirections(file: File): Promise<string> {
  const { problem, answer } = await asked(`/api/directions?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file });
  if (problem) return problem;
  const { kept, left } = answer as { kept: { name: string }[]; left: number };
  const names = kept.length > 3 ? `${kept.length} directions` : kept.map(({ name }) => name).join(", ");
  return `Kept: ${names}${left ? `; ${left} more in it were left out` : ""}.`;
}
