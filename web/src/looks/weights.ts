/** How much of each look there is at a place of the pad. */

export interface Point {
  id: string;
  x: number; // 0 left to 1 right
  y: number; // 0 top to 1 bottom
}

/** Shares of the points at a place, with sum 1: by the inverse square of the distance, all of a point on the point itself. */
export function weights(points: readonly { x: number; y: number }[], [x, y]: readonly [number, number]): number[] {
  const far = points.map((point) => (point.x - x) ** 2 + (point.y - y) ** 2);
  const hit = far.map((d) => Number(d === 0));
  const share = hit.includes(1) ? hit : far.map((d) => 1 / d);
  const sum = share.reduce((total, one) => total + one, 0);
  return share.map((one) => one / sum);
}

/** Looks laid out in a ring, the first at the top. */
export function ring(ids: readonly string[]): Point[] {
  return ids.map((id, i) => {
    const angle = (2 * Math.PI * i) / ids.length - Math.PI / 2;
    return { id, x: 0.5 + 0.33 * Math.cos(angle), y: 0.5 + 0.33 * Math.sin(angle) };
  });
}
