/** Files of the player's own go to the library: models, and patches. The stage reads them as data and executes nothing in them. */

import { address, stage } from "../link.ts";

const PATCH = ".toml";

/** Hand a file over. Returns what went wrong, in words for the player; "" where all is well. */
export async function bring(file: File): Promise<string> {
  const name = file.name.endsWith(PATCH) ? file.name.slice(0, -PATCH.length) : "";
  if (name && stage().state.library.patches.some((known) => known.name === name)) {
    return `There is a patch ${name} already: give the file another name, or delete that one first.`;
  }
  const [path, method] = name
    ? [`/api/patches/${encodeURIComponent(name)}`, "PUT"]
    : [`/api/models?name=${encodeURIComponent(file.name)}`, "POST"];
  try {
    const answer = await fetch(address(path), { method, body: file });
    if (answer.ok) return "";
    const said = (await answer.json().catch(() => ({}))) as { problems?: string[] };
    return said.problems?.join("\n") ?? `The stage refused it (${answer.status}).`;
  } catch {
    return "The stage is away; nothing was handed over.";
  }
}

/** What is said when a file has come. */
export function arrived(file: File): string {
  const patch = file.name.endsWith(PATCH);
  return `${file.name} is in the library now: choose it under ${patch ? "Patch" : "Model"}.`;
}
