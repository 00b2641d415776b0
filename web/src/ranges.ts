/** Where a number stands between its ends, as a slider shows it. */

export interface Range {
  low: number;
  high: number;
  step?: number | null;
  scale?: string; // "linear", "log" or "angle"
}

/** How steep a log range that begins at 0 is: it is a log from its step on, or from its thousandth part. */
function steepness({ low, high, step }: Range): number {
  return step ? Math.max((high - low) / step, 1) : 1000;
}

/** 0 to 1. */
export function position(value: number, range: Range): number {
  const { low, high, scale } = range;
  if (high === low) return 0;
  if (scale === "log" && low > 0) return clamp(Math.log(value / low) / Math.log(high / low), 0, 1);
  const u = clamp((value - low) / (high - low), 0, 1);
  return scale === "log" ? Math.log1p(u * steepness(range)) / Math.log1p(steepness(range)) : u;
}

/** The value at 0 to 1, not yet on a step. */
export function valueAt(u: number, range: Range): number {
  const { low, high, scale } = range;
  if (scale === "log" && low > 0) return low * (high / low) ** u;
  if (scale === "log") return low + ((high - low) * Math.expm1(u * Math.log1p(steepness(range)))) / steepness(range);
  return low + (high - low) * u;
}

/** On a step and between the ends. An angle goes round instead of stopping. */
export function settled(value: number, range: Range): number {
  const { low, high, step, scale } = range;
  if (scale === "angle") value = low + ((((value - low) % (high - low)) + (high - low)) % (high - low));
  const stepped = step ? low + Math.round((value - low) / step) * step : rounded(value, range);
  return clamp(Number(stepped.toPrecision(12)), low, high);
}

/** As many digits as the eye and the hand can use. */
function rounded(value: number, { low, high, scale }: Range): number {
  if (value === 0) return 0;
  const size = scale === "log" ? Math.abs(value) : high - low;
  const digits = 3 - Math.floor(Math.log10(size));
  const unit = 10 ** clamp(digits, 0, 12);
  return Math.round(value * unit) / unit;
}

/** A number as it is read: about three digits that count. */
export function written(value: number, range: Partial<Range> = {}): string {
  if (!Number.isFinite(value)) return "–";
  if (range.step && range.step >= 1 && Number.isInteger(value)) return String(value);
  const size = range.scale === "log" ? Math.abs(value) : (range.high ?? Math.abs(value)) - (range.low ?? 0);
  const digits = clamp(2 - Math.floor(Math.log10(Math.abs(size) || 1)), 0, 4);
  return value.toFixed(digits).replace("-", "−");
}

/** What was typed, as a number; null where it is none. A comma is a point. */
export function typed(text: string): number | null {
  const plain = text.trim().replace("−", "-").replace(",", ".").match(/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?/i);
  return plain ? Number(plain[0]) : null;
}

export function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}
