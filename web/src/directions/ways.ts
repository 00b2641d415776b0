/** The directions of a patch and those that are offered: which is which, and what stands for them. */

import { address } from "../link.ts";
import type { Along, Edits, Offered, PatchDocument, Plain, RackState } from "../protocol.ts";

export type End = "low" | "high";
type Which = Pick<Offered, "of" | "rows">;

const ALWAYS = /^(pc|sefa)[1-9]\d*$/; // those that every model has, offered or not
const SIDE = 160; // pixels of a thumbnail

/** The name in the library of a file that a patch names with its whole path; of any other direction what it is called. */
export function bare(of: string): string {
  return of.split(/[/\\]/).at(-1)!;
}

/** What a direction of the patch is: `of` may be left out where it is its own name. */
export function whatIs(name: string, along: Along): Which {
  return { of: bare(along.of || name), rows: along.rows };
}

/** Which of those on offer a direction of the patch is: in its rows, or else in others; undefined where it is none. */
export function offerOf(rack: RackState, name: string, along: Along): Offered | undefined {
  const which = whatIs(name, along);
  const same = rack.offered.filter((one) => one.of === which.of);
  return same.find((one) => one.rows === which.rows) ?? same[0];
}

/** The name in the patch of what is offered; "" where it is not on the rack. */
export function nameOf(patch: PatchDocument, rack: RackState, offer: Offered): string {
  const found = Object.entries(patch.latent.directions).find(([name, along]) => offerOf(rack, name, along) === offer);
  return found?.[0] ?? "";
}

/** Whether its ends can be drawn. */
export function drawable(rack: RackState, { of }: Which): boolean {
  return rack.model !== "" && (ALWAYS.test(of) || rack.offered.some((one) => one.of === of && one.fits));
}

/** The address of a picture of one end: `amount` sigma from the mean picture. Another model, or another file, is another address. */
export function endOf(rack: RackState, { of, rows }: Which, end: End, amount: number): string {
  const sigma = rack.offered.find((one) => one.of === of && ["kept", "here"].includes(one.group))?.sigma;
  const asks = { of, rows, end, amount: String(amount), most: String(SIDE), v: `${rack.model}${sigma ? ` ${sigma}` : ""}` };
  const given = Object.entries(asks).filter(([, value]) => value !== "");
  return address(`/api/directions/end.jpg?${new URLSearchParams(given)}`);
}

/** The edits that give a direction of the patch another name; it stays what it is, and where it is among the others. */
export function renamed({ latent }: PatchDocument, from: string, to: string): Edits {
  const all = Object.entries(latent.directions);
  const same = all.map(([name, along]) => (name === from ? [to, { ...along, of: along.of || from }] : [name, along]));
  return { "latent.directions": Object.fromEntries(same) as Plain };
}

/** How well something is told by a direction, in words; "" where that is not known. */
export function judged({ score, error, chance }: Pick<Offered, "score" | "error" | "chance">): string {
  if (score === null) return "";
  const told = error === null ? score.toFixed(2) : `${score.toFixed(2)} ± ${error.toFixed(2)}`;
  if (!chance) return `R² ${told} on labels not seen`;
  return `${told} of labels not seen told rightly; chance is ${chance.toFixed(2)}`;
}

/** All that is known of a direction, in words. */
export function known(offer: Offered): string {
  return [offer.words, judged(offer)].filter(Boolean).join(". ");
}
