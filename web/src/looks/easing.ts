/** The pace of a morph: the easings of kinesphere/latent.py, to be drawn, and what to call them. */

type Pace = (x: number) => number;

const out =
  (into: Pace): Pace =>
  (x) =>
    1 - into(1 - x);
const inOut =
  (into: Pace): Pace =>
  (x) =>
    x < 0.5 ? into(2 * x) / 2 : 1 - into(2 - 2 * x) / 2;

const quad: Pace = (x) => x ** 2;
const cubic: Pace = (x) => x ** 3;
const sine: Pace = (x) => 1 - Math.sin((Math.PI / 2) * (1 - x));
const expo: Pace = (x) => (2 ** (10 * x) - 1) / 1023;
const back: Pace = (x) => x ** 2 * (x + 1.70158 * (x - 1));

export const EASINGS: Record<string, Pace> = {
  linear: (x) => x,
  smoothstep: (x) => x ** 2 * (3 - 2 * x),
  smootherstep: (x) => x ** 3 * (10 - 15 * x + 6 * x ** 2),
  quad_in: quad,
  quad_out: out(quad),
  quad_in_out: inOut(quad),
  cubic_in: cubic,
  cubic_out: out(cubic),
  cubic_in_out: inOut(cubic),
  sine_in: sine,
  sine_out: out(sine),
  sine_in_out: (x) => Math.sin((Math.PI / 2) * x) ** 2,
  expo_in: expo,
  expo_out: out(expo),
  expo_in_out: inOut(expo),
  back_in: back,
  back_out: out(back),
  back_in_out: inOut(back),
  hold: (x) => (x < 1 ? 0 : 1),
};

/** The few that a player chooses between, in plain words; the rest follow under their own names. */
const WORDS: Record<string, string> = {
  smoothstep: "soft",
  linear: "even",
  smootherstep: "softer",
  cubic_in: "slow, then quick",
  cubic_out: "quick, then slow",
  expo_in_out: "sudden in the middle",
  back_out: "a little too far and back",
  hold: "wait, then jump",
};

/** Every easing with its words, the usual ones first. */
export const PACES: ReadonlyArray<readonly [string, string]> = [
  ...Object.entries(WORDS),
  ...Object.keys(EASINGS)
    .filter((name) => !(name in WORDS))
    .map((name) => [name, name.replaceAll("_", " ")] as const),
];
