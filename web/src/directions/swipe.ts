/** What a hand says that carries a picture to one side. */

const FAR = 0.25; // of the picture's width: it is answered wherever it is let go beyond
const THROWN = 0.5; // px a millisecond: it was thrown, and need not go so far
const LEAST = 24; // px: less is no throw

/** -1: to the left, 1: to the right, 0: it comes back. `dx` in px, `speed` in px a millisecond, both to the right. */
export function verdict(dx: number, speed: number, width: number): -1 | 0 | 1 {
  const thrown = Math.abs(speed) > THROWN && Math.abs(dx) > LEAST && dx * speed > 0;
  if (Math.abs(dx) <= FAR * width && !thrown) return 0;
  return dx < 0 ? -1 : 1;
}
