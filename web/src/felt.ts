/** What features tell: each number by the name that a route calls it, "light" or "hand.angle". */

import type { Control, Felt, Meters } from "./protocol.ts";
import { type Route, complete } from "./routes/curve.ts";

/** The feature that a number is of. */
export const station = (name: string): string => name.split(".")[0]!;

/** What a number is called within its feature; "" where it is the only one. */
export const within = (name: string): string => name.slice(station(name).length + 1);

export interface Group {
  name: string; // of the feature
  numbers: string[]; // as routes call them; none: it is a latent
}

/** Every feature with its numbers, in the patch's order. */
export function groups(features: string[], felt: Record<string, Felt>): Group[] {
  return features.map((name) => ({ name, numbers: Object.keys(felt).filter((number) => station(number) === name) }));
}

/** What a number, or a latent, is now; null where it is not known. */
export function now(features: Meters["features"], name: string): number | number[] | null {
  const value = features[station(name)] ?? null;
  if (value === null || typeof value === "number" || Array.isArray(value)) return value;
  return value[within(name)] ?? null;
}

/** Every number of the meters by its name; NaN where it is not known. Latents are left out. */
export function* numbers(features: Meters["features"]): Generator<[string, number]> {
  for (const [name, value] of Object.entries(features)) {
    if (Array.isArray(value)) continue;
    if (value === null || typeof value === "number") yield [name, value ?? NaN];
    else for (const [number, own] of Object.entries(value)) yield [`${name}.${number}`, own ?? NaN];
  }
}

/** How a number begins to play a parameter: over the whole of it, from what the number is known for, or was just seen to do. */
export function first(
  name: string,
  felt: Felt | undefined,
  seen: [number, number] | null,
  control: Pick<Control, "low" | "high" | "routed">,
  old: Route | null,
): Route {
  const route = complete({ ...(old ?? {}), feature: name });
  if (!old) [route.low, route.high] = control.routed ?? [control.low ?? 0, control.high ?? 1];
  const usual = !seen || (seen[0] >= 0 && seen[1] <= 1) || seen[0] === seen[1];
  if (felt && within(name)) [route.in_low, route.in_high] = [felt.low, felt.high];
  else [route.in_low, route.in_high] = usual ? [0, 1] : [rounded(seen[0]), rounded(seen[1])];
  route.circular = felt?.turn ?? null;
  return route;
}

const rounded = (value: number): number => Number(value.toPrecision(3));
