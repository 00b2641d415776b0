/** What poses have to do with looks, as the page says it. */

import type { Meters, ShownExample } from "../protocol.ts";

/** Numbers that can be a pose, by the feature that they belong to: "hand.angle" is a number of hand; "": those that are one alone. */
export function byFeature(offered: readonly string[]): [string, string[]][] {
  const found = new Map<string, string[]>();
  for (const name of offered) {
    const feature = name.includes(".") ? name.split(".")[0]! : "";
    found.set(feature, [...(found.get(feature) ?? []), name]);
  }
  return [...found];
}

/** What a number is called under the heading of its feature. */
export function short(name: string): string {
  return name.split(".").slice(1).join(".").replaceAll("_", " ") || name;
}

/** How much of each look there is at the pose of now, 0 to 1, by its name. */
export function shares(numbers: Meters["numbers"]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [place, share] of Object.entries(numbers)) {
    if (place.startsWith("shown.weights.")) found[place.slice("shown.weights.".length)] = share;
  }
  return found;
}

/** How sure it is of the pose of now, 0 to 1; null: nothing was shown. */
export function confidence(numbers: Meters["numbers"]): number | null {
  return numbers["shown.confidence"] ?? null;
}

/** That in words. The borders are those between which the safe look comes in (SURE and LOST in looks/showing.py). */
export function sureness(sure: number): string {
  if (sure >= 0.85) return "Sure";
  if (sure >= 0.6) return "Fairly sure";
  if (sure > 0.1) return "Not sure: the safe look comes in";
  return "Lost: the safe look";
}

/** What is still to be done before poses can play; "" where nothing is. */
export function missing(examples: readonly ShownExample[]): string {
  const looks = new Set(examples.map((example) => example.look)).size;
  if (!examples.length) return "Take a pose, choose its look, and press “Hold this pose”.";
  if (looks < 2) return "Now another pose with another look.";
  return "";
}
