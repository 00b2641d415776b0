/** The wire: what the page and the stage say to each other. */

export type Plain = null | boolean | number | string | Plain[] | { [key: string]: Plain };

/** Places and their new values; a route is a table, null takes the place away. */
export type Edits = Record<string, Plain>;

/** A route's table as a patch holds it. */
export interface RouteTable {
  feature: string;
  low: number;
  high: number;
  in_low: number;
  in_high: number;
  clamp: boolean;
  curve: string;
  invert: boolean;
  dead_zone: number;
  attack: number;
  release: number;
  one_euro: { min_cutoff: number; beta: number; d_cutoff: number } | null;
  spring: { frequency: number; damping: number } | null;
  circular: number | null;
  otherwise: number | RouteTable | null; // while the feature is lost; null: it is held
  fade: number;
}

export interface RouteState extends RouteTable {
  place: string;
}

/** A number that a route may name: its range, and the full turn of an angle. */
export interface Felt {
  low: number;
  high: number;
  turn: number | null;
}

export interface Drive {
  feature: string;
  amount: number | RouteTable;
}

export interface Station {
  kind: string;
  [field: string]: Plain;
}

/** How far the latent is moved along a direction. */
export interface Along {
  amount: number | RouteTable; // standard deviations
  of: string; // "": its own name
  rows: string; // "": those that the direction names itself
  set: boolean;
  free: boolean;
  locked: boolean;
}

export interface LatentState {
  seed: number;
  mix: [number, number][];
  drift: number;
  rows: Record<string, Drive>;
  psi: number | RouteTable;
  places?: Record<string, { file: string; amount: number | RouteTable; rows: string }>;
  cutoff: number | null;
  directions: Record<string, Along>;
  label: number;
}

/** A pose that was held, and the name of its look. */
export interface ShownExample {
  pose: number[];
  look: string;
  noise: number[];
}

/** A mapping by examples, as the patch holds it. */
export interface ShownState {
  features: string[];
  circular: string[];
  play: boolean;
  safe: string;
  smoothing: number;
  examples: ShownExample[];
  looks: Record<string, unknown>;
}

/** The whole patch as plain JSON, defaults filled in. */
export interface PatchDocument {
  name: string;
  about: string;
  model: string;
  sources: Record<string, Station>;
  features: Record<string, Station>;
  latent: LatentState;
  bends: Record<string, Station>;
  picture: { noise_mode: string; fps: number; [field: string]: Plain };
  sinks: Record<string, Station>;
  shown?: ShownState;
  [section: string]: unknown;
}

export interface Model {
  name: string;
  family: string;
  resolution: number;
  num_ws: number;
  z_dim: number;
  c_dim: number;
  rows: Record<string, [number, number]>;
  bends: string[]; // kinds that it can do
}

export type ControlKind =
  | "number"
  | "integer"
  | "switch"
  | "choice"
  | "text"
  | "seed"
  | "rows"
  | "region"
  | "pair"
  | "colour"
  | "seeds"
  | "table";

export interface Control {
  place: string;
  kind: ControlKind | string;
  label: string;
  help: string;
  group: string;
  default: Plain;
  low: number | null;
  high: number | null;
  step: number | null;
  unit: string;
  scale: "linear" | "log" | "angle" | string;
  choices: Plain[] | null;
  routable: boolean;
  routed?: [number, number] | null; // what a new route begins with; null: it is not routable
  none?: string; // what it is where it is left out, in a word
}

export interface Snapshot {
  id: string;
  name: string;
  thumbnail: string | null; // null: it was kept before there was a picture
  safe: boolean;
}

export interface CueState {
  id: string;
  seconds: number;
  easing: string;
  note: string;
}

export interface LooksState {
  snapshots: Snapshot[];
  cues: CueState[];
  cue: number | null;
  morph: { to: string; left: number } | null;
  /** Where looks lie on the morph pad, and the light among them; null or left out: nobody has used it yet. */
  pad?: { points: { id: string; x: number; y: number }[]; at: [number, number] } | null;
}

export interface PerformanceState {
  frozen: boolean;
  black: boolean;
  loading: string;
  recording: { take: string; video: boolean; seconds: number } | null;
  replaying: string | null;
  learning: string | null;
  calibrating: string[];
}

export interface Library {
  patches: { name: string; about: string; builtin: boolean }[];
  models: { name: string; own?: boolean }[]; // own: a file of the library
  takes: { name: string; seconds: number }[];
  videos: string[];
  pictures: string[]; // folders of them
}

/** A picture of the player's own, as it was brought. */
export interface OwnPicture {
  name: string;
  number: number; // another one for each that is brought
  width: number;
  height: number;
  square: { x: number; y: number; size: number; angle: number }; // to begin with
}

/** How a picture is being found in the model. */
export interface SittingState {
  picture: string; // its name
  number: number; // another one for each that is sought
  effort: string;
  faithful: number;
  stage: string; // "preparing", "search", "w", "rows", "noise", "tune", and at the end "found", "stopped" or "failed"
  done: number; // steps
  of: number; // 0 while it is prepared
  curve: number[]; // what was left unexplained after steps that are evenly apart, 1 to 0
  meters: { likeness: number; on_map: number; editable: number; strange: boolean; words: string } | null;
  looks: number; // pictures of it so far
  trouble: string;
}

export interface OwnState {
  picture: OwnPicture | null;
  efforts: string[];
  sitting: SittingState | null;
  centres: { seeking: boolean; count: number };
}

/** A latent that was kept. */
export interface KeptLatent {
  name: string;
  place: string; // what a patch calls it
  words: string; // where it came from
  parents: string[]; // those that it was mixed of
  fits: boolean; // whether it is of the model that plays
  exact: boolean; // whether it has noise or weights of its own
  pictured: boolean;
}

/** A direction that can be put on the rack; `of` and `rows` together say which. */
export interface Offered {
  of: string;
  rows: string; // "": those that it names itself
  name: string;
  words: string;
  group: "come" | "pca" | "sefa" | "kept" | "here";
  sigma: number | null;
  score: number | null; // with its standard error, and what chance would reach
  error: number | null;
  chance: number | null;
  fits: boolean; // whether it is of the model that plays
  starred: boolean;
}

export interface RackState {
  offered: Offered[];
  looking: boolean; // the model is being looked through
  here: { seeking: boolean; trouble: string }; // sliders for this picture
  measures: string[];
  model: string;
}

export type LessonKind = "yes-no" | "pairs" | "graded";

/** A picture that is asked about, or two of them. */
export interface Question {
  picture: string;
  seeds: number[];
  urls: string[];
}

/** A word that is being taught. */
export interface Lesson {
  word: string;
  kind: LessonKind;
  next: Question[]; // the first is asked; the others follow
  count: number;
  skipped: number;
  balance: Record<string, number>; // answers of each kind
  learning: boolean;
  score: { value: number; error: number; chance: number; what: string } | null;
  curve: [number, number, number][]; // labels, score, its standard error
  confidence: number | null; // how alike the arrows of other samples of the labels are, 0 to 1
  advice: string;
  between: number; // 0: what separates, 1: what belongs
  against: string[]; // what is left alone
  arrow: boolean;
  version: number; // of the arrow
}

export interface TeachingState {
  kept: { word: string; kind: LessonKind; count: number; fits: boolean }[];
  kinds: LessonKind[];
  lesson: Lesson | null;
}

/** A kind of source or feature that can be added, with what it can be given. */
export interface Kind {
  kind: string;
  fields: Plain;
  about?: string; // what it does, in a sentence
  heard?: boolean; // a source that is heard, a feature that listens; left out: seen, looks
}

/** Everything that the stage keeps for its pages. What has not come yet is at its resting value. */
export interface State {
  patch: PatchDocument;
  model: Model;
  controls: Control[];
  routes: RouteState[];
  felt: Record<string, Felt>; // by what a route calls it
  history: { undo: number; redo: number };
  seeds: { history: number[]; favourites: number[] };
  looks: LooksState;
  shown: { offered: string[]; pictures: Record<string, string | null> }; // numbers that can be a pose; looks that belong to one
  performance: PerformanceState;
  library: Library;
  own: OwnState;
  latents: KeptLatent[];
  rack: RackState;
  teaching: TeachingState;
  kinds: { sources: Kind[]; features: Kind[]; [section: string]: Kind[] };
}

export interface StationMeter {
  rate: number | null;
  p50: number | null;
  error: string | null;
}

export interface Meters {
  t: number;
  fps: number;
  p50: number; // from picture to picture, ms
  p95: number;
  p99: number;
  step_p50: number; // what a picture takes to make, ms
  step_p95: number;
  step_p99: number;
  late: number;
  age: number | null;
  dropped: number;
  memory: number;
  viewers: number;
  drawn_by: DrawnBy;
  stations: Record<string, StationMeter>;
  features: Record<string, number | number[] | Record<string, number | null> | null>;
  overlays: Record<string, Overlay>; // by feature
  numbers: Record<string, number>;
}

/** What draws, why it was chosen, and where bends make it slower, in words. */
export interface DrawnBy {
  back_end: string; // "exact" is the model itself
  precision: string;
  ms: number | null; // for a picture, when it was chosen; null: not measured
  why: string;
  detours: string[];
}

/** What a feature sees, to be laid over its picture: fractions of it, right and down; a radius in heights. */
export interface Overlay {
  lines: [number, number, number, number][];
  faint: [number, number, number, number][];
  circles: [number, number, number][];
}

export type Down =
  | { is: "hello"; role: "player" | "viewer"; version: string }
  | ({ is: "state" } & Partial<State>)
  | ({ is: "meters" } & Meters)
  | { is: "trouble"; station: string; text: string }
  | { is: "gone"; text: string }
  | { is: "done"; id: number; result: unknown }
  | { is: "refused"; id: number; problems: string[] };

/** What is asked of the picture socket; the same message may be sent again to change it. */
export interface View {
  view: string; // "picture" or "source:NAME"
  credit: number; // pictures under way, 1 to 3
  format: "jpeg" | "h264";
  most: number; // longest side in pixels; 0: as it is
  quality: number; // 0 to 1
}

export const JPEG = 0;
export const H264_KEY = 1;
export const H264_DELTA = 2;
export const HEADER = 28; // bytes before a picture

export interface Header {
  number: number;
  format: number;
  width: number;
  height: number;
  t: number; // seconds, the engine's clock
  age: number; // ms since the oldest value in the picture was seen; NaN: unknown
}

/** The header of a picture message: u32 number, u8 format, u8, u16 width, u16 height, u16, f64 t, f64 age, little endian. */
export function header(message: ArrayBuffer): Header {
  const view = new DataView(message);
  return {
    number: view.getUint32(0, true),
    format: view.getUint8(4),
    width: view.getUint16(6, true),
    height: view.getUint16(8, true),
    t: view.getFloat64(12, true),
    age: view.getFloat64(20, true),
  };
}

/** A message for a page source: f64 time in the browser's milliseconds, then the encoded picture. */
export function pictureUp(t: number, picture: ArrayBuffer): ArrayBuffer {
  const message = new Uint8Array(8 + picture.byteLength);
  new DataView(message.buffer).setFloat64(0, t, true);
  message.set(new Uint8Array(picture), 8);
  return message.buffer;
}

/** A message for a source of sound: f64 time in the browser's milliseconds, f64 samples so far, f32 samples a second, then f32 samples. */
export function soundUp(t: number, count: number, rate: number, samples: Float32Array): ArrayBuffer {
  const message = new ArrayBuffer(20 + samples.byteLength);
  const view = new DataView(message);
  view.setFloat64(0, t, true);
  view.setFloat64(8, count, true);
  view.setFloat32(16, rate, true);
  samples.forEach((sample, i) => view.setFloat32(20 + 4 * i, sample, true));
  return message;
}

export function restingState(): State {
  return {
    patch: {
      name: "",
      about: "",
      model: "",
      sources: {},
      features: {},
      latent: { seed: 0, mix: [], drift: 0, rows: {}, psi: 0.7, cutoff: null, directions: {}, label: 0 },
      bends: {},
      picture: { noise_mode: "const", fps: 30 },
      sinks: {},
    },
    model: { name: "", family: "", resolution: 0, num_ws: 0, z_dim: 0, c_dim: 0, rows: {}, bends: [] },
    controls: [],
    routes: [],
    felt: {},
    history: { undo: 0, redo: 0 },
    seeds: { history: [], favourites: [] },
    looks: { snapshots: [], cues: [], cue: null, morph: null },
    shown: { offered: [], pictures: {} },
    performance: {
      frozen: false,
      black: false,
      loading: "",
      recording: null,
      replaying: null,
      learning: null,
      calibrating: [],
    },
    library: { patches: [], models: [], takes: [], videos: [], pictures: [] },
    own: { picture: null, efforts: [], sitting: null, centres: { seeking: false, count: 0 } },
    latents: [],
    rack: { offered: [], looking: false, here: { seeking: false, trouble: "" }, measures: [], model: "" },
    teaching: { kept: [], kinds: [], lesson: null },
    kinds: { sources: [], features: [] },
  };
}

export function restingMeters(): Meters {
  return {
    t: 0,
    fps: 0,
    p50: 0,
    p95: 0,
    p99: 0,
    step_p50: 0,
    step_p95: 0,
    step_p99: 0,
    late: 0,
    age: null,
    dropped: 0,
    memory: 0,
    viewers: 0,
    drawn_by: { back_end: "exact", precision: "float32", ms: null, why: "", detours: [] },
    stations: {},
    features: {},
    overlays: {},
    numbers: {},
  };
}
