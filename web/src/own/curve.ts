/** How a search goes, as a line: what is left unexplained from step to step, in decades. */

/** The decade below the smallest value, at most 0.1: where the line's field ends. */
export function lowest(curve: number[]): number {
  const least = Math.min(1, ...curve.filter((value) => value > 0));
  return 10 ** Math.min(-1, Math.floor(Math.log10(least)));
}

/** A path over a field of 100 by 100: `of` steps wide, from 1 at its top to `low` at its foot. */
export function path(curve: number[], done: number, of: number, low: number): string {
  const step = done / Math.max(1, curve.length);
  const points = curve.map((value, i) => {
    const height = Math.log10(Math.min(Math.max(value, low), 1)) / Math.log10(low);
    return `${((100 * (i + 1) * step) / Math.max(1, of)).toFixed(2)} ${(100 * height).toFixed(2)}`;
  });
  return points.length ? `M${points.join("L")}` : "";
}
