/** How well a word is told by its arrow, from label to label: a line with its error and what chance would reach. */

export type Point = [number, number, number]; // labels, score, its standard error

export interface Drawn {
  line: string; // paths over a field of 100 by 100
  band: string;
  chance: number; // its height, from the top
  low: number; // the score at the foot of the field; 1 is at its top
}

/**
 * Scores as a path, one standard error either way as a band. The field goes from no labels to all that there are by now, and
 * begins a little below what is lowest.
 */
export function drawn(curve: Point[], chance: number, labels: number): Drawn {
  const lowest = Math.min(chance, ...curve.map(([, score, error]) => score - error));
  const low = Math.floor(10 * lowest - 1e-9) / 10;
  const high = Math.max(1, labels);
  const place = (there: number, score: number) => {
    const height = (1 - Math.min(score, 1)) / (1 - low);
    return `${((100 * there) / high).toFixed(2)} ${(100 * height).toFixed(2)}`;
  };
  const points = curve.map(([there, score]) => place(there, score));
  const above = curve.map(([there, score, error]) => place(there, score + error));
  const below = curve.map(([there, score, error]) => place(there, score - error)).reverse();
  return {
    line: points.length ? `M${points.join("L")}L${points.at(-1)}` : "", // one point alone is a dot
    band: points.length ? `M${[...above, ...below].join("L")}Z` : "",
    chance: (100 * (1 - chance)) / (1 - low),
    low,
  };
}
