/** Files of the player's own go to the library: models, and patches. The stage reads them as data and executes nothing in them. */

import { asked, stage } from "../link.ts";

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
  return (await asked(path, { method, body: file })).problem;
}

/** What is said when a file has come. */
export function arrived(file: File): string {
  const patch = file.name.endsWith(PATCH);
  return `${file.name} is in the library now: choose it under ${patch ? "Patch" : "Model"}.`;
}
