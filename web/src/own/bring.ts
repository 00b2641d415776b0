/** A picture of the player's own goes to the stage, which reads it, turns it upright and shows it to every page. */

import { asked } from "../link.ts";
import type { Place, Square } from "./square.ts";

export function isPicture(file: File): boolean {
  return file.type.startsWith("image/");
}

/** Hand a picture over. Returns what went wrong, in words for the player; "" where all is well. */
export async function bringPicture(picture: Blob, name: string): Promise<string> {
  return (await asked(`/api/own?name=${encodeURIComponent(name.slice(0, 300))}`, { method: "POST", body: picture })).problem;
}

/** The square of a face: of the eyes and the corners of the mouth, or (null) of one that is sought. Words where there is none. */
export async function squareOf(points: Place[] | null): Promise<Square | string> {
  const { problem, answer } = await asked("/api/own/square", {
    method: "POST",
    body: JSON.stringify({ points }),
    headers: { "content-type": "application/json" },
  });
  return problem || (answer as Square);
}

/** The square in which the model finds itself, be there a face or not; or words. */
export async function placeOf(): Promise<Square | string> {
  const { problem, answer } = await asked("/api/own/place", { method: "POST" });
  return problem || (answer as Square);
}
