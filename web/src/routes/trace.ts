/** What each feature has just been: a few seconds of every number, gathered once for all who draw it. */

import type { ReactiveController, ReactiveControllerHost } from "lit";
import { numbers, station } from "../felt.ts";
import { stage } from "../link.ts";
import type { Meters } from "../protocol.ts";

export const SECONDS = 8;
const LENGTH = 15 * SECONDS; // meters come 15 times a second

export interface Trace {
  values: number[]; // oldest first; NaN where there was none
  now: number; // the last one that was a number
}

const traces = new Map<string, Trace>();
const nothing: Trace = { values: [], now: NaN };

let listening = false;
let beat = 0; // meters that came

/** Whether numbers are written now: a third of the meters is as fast as digits can be read. */
export const legible = (): boolean => beat % 3 === 0;

/** Begin to gather, where nobody has yet. */
export function gather(): void {
  if (listening) return;
  listening = true;
  const link = stage();
  link.addEventListener("meters", () => remember(link.meters));
}

function remember(meters: Meters): void {
  beat++;
  for (const name of traces.keys()) if (!(station(name) in meters.features)) traces.delete(name);
  for (const [name, number] of numbers(meters.features)) {
    let trace = traces.get(name);
    if (!trace) traces.set(name, (trace = { values: [], now: NaN }));
    trace.values.push(number);
    if (trace.values.length > LENGTH) trace.values.shift();
    if (Number.isFinite(number)) trace.now = number;
  }
}

export const trace = (feature: string): Trace => traces.get(feature) ?? nothing;

/** Smallest and largest of the last seconds; null before there was a number. */
export function seen(feature: string): [number, number] | null {
  let low = Infinity;
  let high = -Infinity;
  for (const value of trace(feature).values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return low <= high ? [low, high] : null;
}

/** Calls `draw` with each new set of meters while the element is in the page and in sight: no rendering by lit. */
export class Live implements ReactiveController {
  readonly #host: ReactiveControllerHost & HTMLElement;
  readonly #draw: (meters: Meters) => void;
  #sight: IntersectionObserver | null = null;
  #seen = false;

  constructor(host: ReactiveControllerHost & HTMLElement, draw: (meters: Meters) => void) {
    this.#host = host;
    this.#draw = draw;
    host.addController(this);
  }

  hostConnected(): void {
    gather();
    stage().addEventListener("meters", this.#onMeters);
    this.#sight = new IntersectionObserver((entries) => (this.#seen = entries.at(-1)!.isIntersecting));
    this.#sight.observe(this.#host);
  }

  hostDisconnected(): void {
    stage().removeEventListener("meters", this.#onMeters);
    this.#sight?.disconnect();
  }

  hostUpdated(): void {
    this.#draw(stage().meters);
  }

  #onMeters = () => {
    if (this.#seen) this.#draw(stage().meters);
  };
}

/** A feature's own colour, the same wherever it appears: by its place in the patch. */
const HUES = ["#f4b266", "#7fc4d6", "#c9a2e4", "#93cf9d", "#f09c8d", "#9db1f2"];
export const hue = (feature: string): string => {
  const index = Object.keys(stage().state.patch.features).indexOf(station(feature));
  return HUES[Math.max(index, 0) % HUES.length]!;
};

/** A number as short as can be read: 0.43, 12.1, 340. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size < 5e-4) return "0";
  const text = value.toFixed(size < 0.095 ? 3 : size < 9.95 ? 2 : size < 99.5 ? 1 : 0);
  return text.replace("-", "−");
}
