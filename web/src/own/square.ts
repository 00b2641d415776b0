/** The square that is laid over a picture: moved, sized and turned by hand. Places are in pixels of the picture, right and down. */

export interface Square {
  x: number; // of the middle
  y: number;
  size: number; // of a side
  angle: number; // degrees, clockwise
}

export type Place = [number, number];

const SMALLEST = 8; // pixels of a side
const LARGEST = 4; // times the longer side of the picture

/** The place in the picture of a place in the square, which goes from 0 to 1. */
export function outside({ x, y, size, angle }: Square, [u, v]: Place): Place {
  const turn = (angle * Math.PI) / 180;
  const [cos, sin] = [Math.cos(turn) * size, Math.sin(turn) * size];
  return [x + cos * (u - 0.5) - sin * (v - 0.5), y + sin * (u - 0.5) + cos * (v - 0.5)];
}

/** Its corners: top left, top right, bottom right, bottom left of what is seen in it. */
export function corners(square: Square): Place[] {
  const ends: Place[] = [[0, 0], [1, 0], [1, 1], [0, 1]];
  return ends.map((end) => outside(square, end));
}

export function moved(square: Square, dx: number, dy: number): Square {
  return { ...square, x: square.x + dx, y: square.y + dy };
}

/** Sized and turned about its middle. */
export function grown(square: Square, times: number, degrees = 0): Square {
  return { ...square, size: square.size * times, angle: upright(square.angle + degrees) };
}

/** Sized and turned about its middle, so that what was under the hand at `from` is at `to`. */
export function pulled(square: Square, from: Place, to: Place): Square {
  const middle: Place = [square.x, square.y];
  return pinched(square, [middle, from], [middle, to]);
}

/** Moved, sized and turned as two fingers are that went from one pair of places to another. */
export function pinched(square: Square, [a, b]: [Place, Place], [c, d]: [Place, Place]): Square {
  const [px, py, qx, qy] = [b[0] - a[0], b[1] - a[1], d[0] - c[0], d[1] - c[1]];
  const length = px * px + py * py;
  if (!length || !(qx || qy)) return square;
  const [re, im] = [(qx * px + qy * py) / length, (qy * px - qx * py) / length]; // q / p
  const [mx, my] = [square.x - a[0], square.y - a[1]];
  return {
    x: c[0] + re * mx - im * my,
    y: c[1] + im * mx + re * my,
    size: square.size * Math.hypot(re, im),
    angle: upright(square.angle + (Math.atan2(im, re) * 180) / Math.PI),
  };
}

/** One that can be used: its middle on the picture, neither a dot nor a wall. */
export function held(square: Square, width: number, height: number): Square {
  const within = (value: number, low: number, high: number) => Math.min(Math.max(value, low), high);
  return {
    x: within(square.x, 0, width),
    y: within(square.y, 0, height),
    size: within(square.size, SMALLEST, LARGEST * Math.max(width, height)),
    angle: square.angle,
  };
}

/** An angle from -180 to 180 degrees. */
function upright(degrees: number): number {
  return degrees - 360 * Math.round(degrees / 360);
}
