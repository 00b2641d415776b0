/** A picture of the player's own goes to the stage, which reads it, turns it upright and shows it to every page. */

import { address } from "../link.ts";
import type { Place, Square } from "./square.ts";

export function isPicture(file: File): boolean {
  return file.type.startsWith("image/");
}

/** Hand a picture over. Returns what went wrong, in words for the player; "" where all is well. */
export async function bringPicture(picture: Blob, name: string): Promise<string> {
  return (await asked(`/api/own?name=${encodeURIComponent(name.slice(0, 300))}`, picture)).problem;
}

/** The square of a face: of the eyes and the corners of the mouth, or (null) of one that is sought. Words where there is none. */
export async function squareOf(points: Place[] | null): Promise<Square | string> {
  const { problem, answer } = await asked("/api/own/square", JSON.stringify({ points }), "application/json");
  return problem || (answer as Square);
}

/** The square in which the model finds itself, be there a face or not; or words. */
export async function placeOf(): Promise<Square | string> {
  const { problem, answer } = await asked("/api/own/place", "");
  return problem || (answer as Square);
}

async function asked(path: string, body: Blob | string, type?: string): Promise<{ problem: string; answer?: unknown }> {
  try {
    const answer = await fetch(address(path), { method: "POST", body, ...(type ? { headers: { "content-type": type } } : {}) });
    const said = (await answer.json().catch(() => ({}))) as { problems?: string[] };
    if (answer.ok) return { problem: "", answer: said };
    return { problem: said.problems?.join("\n") ?? `The stage refused it (${answer.status}).` };
  } catch {
    return { problem: "The stage is away; nothing was handed over." };
  }
}
