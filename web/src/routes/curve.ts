/** How a route bends and moves a feature: the same numbers as kinesphere/routes.py, so that they can be drawn.
 *
 * `shape` has no memory: it is the curve on a card. `motion` has: it is the little step response under each filter.
 * The names, the order and the formulas are those of the Python module; curve.test.ts and played.py hold them together.
 */

import type { Plain, RouteTable } from "../protocol.ts";

/** A route with all its fields. */
export type Route = RouteTable;
export type OneEuro = NonNullable<Route["one_euro"]>;
export type Spring = NonNullable<Route["spring"]>;

/** A route as it may be written: what is at its default left out. */
export type Table = Partial<Omit<Route, "one_euro" | "spring">> & {
  feature: string;
  one_euro?: Partial<OneEuro> | null | undefined;
  spring?: Partial<Spring> | null | undefined;
};

export const PLAIN: Readonly<Omit<Route, "feature">> = {
  low: 0,
  high: 1,
  in_low: 0,
  in_high: 1,
  clamp: true,
  curve: "linear",
  invert: false,
  dead_zone: 0,
  attack: 0,
  release: 0,
  one_euro: null,
  spring: null,
  circular: null,
  otherwise: null,
  fade: 0.5,
};

/** A route with every field, from a table that may leave some out. */
export function complete(table: Table): Route {
  const { one_euro, spring, ...rest } = table;
  return {
    ...PLAIN,
    ...rest,
    one_euro: one_euro ? { ...CALM, ...one_euro } : null,
    spring: spring ? { ...HUNG, ...spring } : null,
  };
}

export const CALM: Readonly<OneEuro> = { min_cutoff: 1, beta: 0, d_cutoff: 1 };
export const HUNG: Readonly<Spring> = { frequency: 1, damping: 1 };

/** The table that a patch needs for this route: what is at its default left out. */
export function table(route: Route): Record<string, Plain> {
  const kept: Record<string, Plain> = { feature: route.feature };
  for (const [name, plain] of Object.entries(PLAIN)) {
    const value = route[name as keyof Route];
    if (value !== plain && value !== null) kept[name] = value as Plain;
  }
  return kept;
}

const STEEP = Math.expm1(4);

export const CURVES: Record<string, (u: number) => number> = {
  linear: (u) => u,
  smooth: (u) => u * u * (3 - 2 * u),
  square: (u) => u * u,
  cube: (u) => u * u * u,
  sqrt: Math.sqrt,
  cbrt: Math.cbrt,
  exp: (u) => Math.expm1(4 * u) / STEEP,
  log: (u) => Math.log1p(STEEP * u) / Math.log1p(STEEP),
  step: (u) => (u >= 0.5 ? 1 : 0),
};

/** What a curve does, in words that need no mathematics. */
export const CURVE_WORDS: Record<string, string> = {
  linear: "even",
  smooth: "soft ends",
  square: "slow start",
  cube: "slower start",
  sqrt: "quick start",
  cbrt: "quicker start",
  exp: "late, then all",
  log: "at once, then hardly",
  step: "a switch",
};

export const words = (curve: string): string => CURVE_WORDS[curve] ?? curve;

const signed = (size: number, of: number): number => (of < 0 || Object.is(of, -0) ? -size : size);
const clamped = (u: number): number => Math.min(Math.max(u, 0), 1);

/** Where in its range a feature is: in_low is 0, in_high is 1. */
export const normal = (route: Route, value: number): number =>
  (value - route.in_low) / (route.in_high - route.in_low);

/** From the place in the feature's range to the parameter: dead zone, invert, curve, range. */
export function shape(route: Route, place: number): number {
  let u = signed(Math.max(Math.abs(place) - route.dead_zone, 0) / (1 - route.dead_zone), place);
  u = route.invert ? 1 - u : u;
  const size = Math.abs(u);
  const curve = CURVES[route.curve] ?? ((x: number) => x);
  u = signed(curve(Math.min(size, 1)) + Math.max(size - 1, 0), u);
  return (1 - u) * route.low + u * route.high;
}

/** A step of motion: (place, seconds since the last call) to place; the first call passes through. */
export type Step = (u: number, dt: number) => number;

/** One-Euro, clamp, attack and release, spring: those that this route has, in order, fresh. */
export function motion(route: Route): Step {
  const steps: Step[] = [];
  if (route.one_euro) steps.push(oneEuro(route.one_euro));
  if (route.clamp && route.circular === null) steps.push(clamped);
  if (route.attack || route.release) steps.push(envelope(route.attack, route.release));
  if (route.spring) steps.push(spring(route.spring));
  if (route.clamp && route.circular !== null) {
    const turn = route.circular / Math.abs(route.in_high - route.in_low);
    const start = (1 - turn) / 2;
    steps.push((u) => clamped(start + modulo(u - start, turn)));
  }
  return (u, dt) => steps.reduce((place, step) => step(place, dt), u);
}

const modulo = (x: number, turn: number): number => ((x % turn) + turn) % turn;

/** One pole: y after `times` time constants of falling towards a goal that holds still. */
const toward = (y: number, goal: number, times: number): number => goal + Math.exp(-times) * (y - goal);

export function oneEuro(setting: OneEuro): Step {
  let x: number | null = null;
  let raw = 0;
  let speed = 0;
  return (u, dt) => {
    if (x === null) {
      x = raw = u;
      return u;
    }
    speed = toward(speed, (u - raw) / dt, 2 * Math.PI * setting.d_cutoff * dt);
    const cutoff = setting.min_cutoff + setting.beta * Math.abs(speed);
    x = toward(x, u, 2 * Math.PI * cutoff * dt);
    raw = u;
    return x;
  };
}

export function envelope(attack: number, release: number): Step {
  let y: number | null = null;
  return (u, dt) => {
    const tau = y !== null && u < y ? release : attack;
    y = y === null || tau === 0 ? u : toward(y, u, dt / tau);
    return y;
  };
}

export function spring(setting: Spring): Step {
  const omega = 2 * Math.PI * setting.frequency;
  let x: number | null = null;
  let speed = 0;
  return (u, dt) => {
    if (x === null) {
      x = u;
      return u;
    }
    const [even, odd] = swing(omega, setting.damping, dt);
    const y = x - u;
    const drag = setting.damping * omega;
    const old = speed;
    x = u + y * even + (old + drag * y) * odd;
    speed = old * even - (omega ** 2 * y + drag * old) * odd;
    return x;
  };
}

function swing(omega: number, damping: number, dt: number): [number, number] {
  const b = omega * Math.sqrt(Math.abs((1 - damping) * (1 + damping)));
  if (damping > 1) {
    const slow = Math.exp((-(omega ** 2) / (damping * omega + b)) * dt);
    const fast = Math.exp(-2 * b * dt);
    return [(slow * (1 + fast)) / 2, (slow * -Math.expm1(-2 * b * dt)) / (2 * b)];
  }
  const decay = Math.exp(-damping * omega * dt);
  if (damping === 1) return [decay, decay * dt];
  return [decay * Math.cos(b * dt), (decay * Math.sin(b * dt)) / b];
}
