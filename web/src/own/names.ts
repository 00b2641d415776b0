/** What a picture's file is called, as a name that the library takes (stage/library.py): letters, digits, spaces and _ . , ( ) + - */
export function plain(file: string): string {
  const stem = file.replace(/\.[^.]*$/, "").replace(/[^\p{L}\p{N} _.,()+-]/gu, " ").replace(/\s+/g, " ");
  return stem.replace(/^[^\p{L}\p{N}]+/u, "").slice(0, 60).replace(/[. ]+$/, "") || "Mine";
}
