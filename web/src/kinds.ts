/** Which stations belong together: what is seen and who looks, what is heard and who listens. */

import type { State } from "./protocol.ts";

/** Whether a source is heard, or a feature listens. */
export function heard(state: State, section: "sources" | "features", name: string): boolean {
  const kind = state.patch[section][name]?.kind;
  return !!state.kinds[section].find((one) => one.kind === kind)?.heard;
}

/** The source of a feature: its own choice, or the patch's first that it can look at or listen to. "" where there is none. */
export function sourceOf(state: State, feature: string): string {
  const { sources, features } = state.patch;
  const chosen = features[feature]?.source;
  if (typeof chosen === "string" && chosen in sources) return chosen;
  const listens = heard(state, "features", feature);
  return Object.keys(sources).find((name) => heard(state, "sources", name) === listens) ?? "";
}

/** The sources that can be looked at. */
export function seen(state: State): string[] {
  return Object.keys(state.patch.sources).filter((name) => !heard(state, "sources", name));
}
