/**
 * The state of the page: the URL fragment that holds all of it, the presets, and the numbers of the maps.
 */
import { Geometry, PADDING_WORDS, Refusal, SENTENCES, product } from "./arithmetic.mjs";

/** Input and kernel of figures 1.1 to 1.6 of Dumoulin & Visin, arXiv:1603.07285. */
export const GUIDE_INPUT = [3, 3, 2, 1, 0, 0, 0, 1, 3, 1, 3, 1, 2, 2, 3, 2, 0, 0, 2, 2, 2, 0, 0, 0, 1];
export const GUIDE_KERNEL = [0, 1, 2, 2, 2, 0, 0, 1, 2];

export const VIEWS = ["direct", "transposed", "both"];
export const VALUES = ["numbers", "symbols"];
export const OPERATIONS = { conv: "convolution", average: "average pooling", max: "max pooling" };

const DEFAULTS = {
  i: [5, 5], k: [3, 3], s: [1, 1], d: [1, 1], f: [1, 1], p: "VALID", mode: "zeros",
  in: 1, out: 1, groups: 1, view: "direct", values: "numbers", op: "conv", at: "0",
  x: null, w: null, y: null, preset: "", speed: 1.5,
};
const PER_AXIS = ["i", "k", "s", "d", "f"];
const LISTS = ["x", "w", "y"];
/** What a preset fixes. */
const SHAPE = [...PER_AXIS, "p", "mode", "in", "out", "groups", "op"];

const integers = (text) => text.split(",").map(Number);
const pairOf = (text) => {
  const [low, high = low] = text.split(":").map(Number);
  return [low, high];
};
const oneOf = (choices, value, otherwise) => (choices.includes(value) ? value : otherwise);

/** Fills a list up to n axes with its last entry, or cuts it. */
const stretchTo = (list, n) => Array.from({ length: n }, (_, axis) => list[Math.min(axis, list.length - 1)]);

/** Reads a fragment such as "i=6,6&k=3&s=2&p=1:1&view=both&at=3"; one entry serves all axes. */
export function parse(fragment) {
  const words = fragment.replace(/^#/, "");
  const given = new Map(new URLSearchParams(words));
  const preset = Object.hasOwn(PRESETS, given.get("preset") ?? "") ? given.get("preset") : "";
  if (preset && !SHAPE.some((name) => given.has(name))) {
    given.delete("preset");
    const others = String(new URLSearchParams([...given]));
    return { ...parse(`${PRESETS[preset].fragment}&${others}`), preset }; // of a key that comes twice, the last counts
  }
  const state = structuredClone(DEFAULTS);
  for (const name of PER_AXIS) if (given.has(name)) state[name] = integers(given.get(name));
  if (given.has("p")) {
    const text = given.get("p");
    const word = text.toUpperCase();
    state.p = PADDING_WORDS.includes(word) ? word : text.split(",").map(pairOf);
  }
  const n = (given.has("i") ? state.i : state.k).length;
  for (const name of PER_AXIS) state[name] = stretchTo(state[name], n);
  if (Array.isArray(state.p)) state.p = stretchTo(state.p, n);
  for (const name of ["in", "out", "groups"]) if (given.has(name)) state[name] = Number(given.get(name));
  state.mode = given.get("mode") ?? DEFAULTS.mode;
  state.view = oneOf(VIEWS, given.get("view"), DEFAULTS.view);
  state.values = oneOf(VALUES, given.get("values"), DEFAULTS.values);
  state.op = oneOf(Object.keys(OPERATIONS), given.get("op"), DEFAULTS.op);
  if (/^(\d+|[yxt]\d+|e\d+\.\d+)$/.test(given.get("at") ?? "")) state.at = given.get("at");
  if (Number(given.get("speed")) > 0) state.speed = Math.min(Math.max(Number(given.get("speed")), 0.25), 8);
  for (const name of LISTS) if (given.get(name)) state[name] = numbersOf(given.get(name));
  if (preset && shapeOf(state) === shapeOf(parse(PRESETS[preset].fragment))) state.preset = preset;
  return state;
}

const shapeOf = (state) => JSON.stringify(SHAPE.map((name) => state[name]));

/** Reads own numbers, separated by spaces or commas; words that are not numbers stay words, none is null. */
export function numbersOf(text) {
  const words = text.split(/[\s,;]+/).filter(Boolean);
  return words.length ? words.map((word) => (Number.isFinite(Number(word)) ? Number(word) : word)) : null;
}

/** The first word among own numbers that is not a number. */
export const badWord = (list) => list?.find((one) => typeof one === "string");

const usable = (list) => (badWord(list) === undefined ? list : null);

/** Writes the state as a fragment, defaults left out. */
export function format(state) {
  const parts = PER_AXIS.filter((name) => name === "i" || name === "k" || state[name].some((v) => v !== 1))
    .map((name) => `${name}=${state[name].join(",")}`);
  if (state.p !== "VALID") {
    parts.push(`p=${Array.isArray(state.p) ? state.p.map((pair) => pair.join(":")).join(",") : state.p}`);
  }
  for (const name of ["mode", "in", "out", "groups", "op", "view", "values", "at", "speed", "preset"]) {
    if (state[name] !== DEFAULTS[name]) parts.push(`${name}=${encodeURIComponent(state[name])}`);
  }
  for (const name of LISTS) if (state[name]) parts.push(`${name}=${encodeURIComponent(state[name].join(",")).replaceAll("%2C", ",")}`);
  return parts.join("&");
}

/** Returns the geometry of a state; a pooling treats every feature alone. */
export function geometryOf(state) {
  const pooling = state.op !== "conv";
  if (state.i.length > 3) throw new Refusal(SENTENCES.axes(state.i.length));
  return new Geometry({
    input: state.i, kernel: state.k, strides: state.s, kernelDilation: state.d, inputDilation: state.f,
    padding: state.p, mode: state.mode, inFeatures: state.in,
    outFeatures: pooling ? state.in : state.out, groups: pooling ? state.in : state.groups,
  });
}

const repeated = (numbers, size) => Array.from({ length: size }, (_, place) => numbers[place % numbers.length]);

/** Returns the numbers of the maps and of the kernel, all flat and channels last. */
export function numbers(state, g) {
  const weights = g.taps * g.groupInputs * g.outFeatures;
  const kernel = state.op === "average" ? [1 / g.taps] : usable(state.w) ?? GUIDE_KERNEL;
  return {
    x: repeated(usable(state.x) ?? GUIDE_INPUT, g.columns),
    w: repeated(kernel, weights),
    y: repeated(usable(state.y) ?? GUIDE_INPUT, g.rows),
  };
}

/** Multiplies by C: every row's weights times the inputs. */
export function multiply(g, w, x, op = "conv") {
  return Array.from({ length: g.rows }, (_, row) => {
    const entries = g.rowEntries(row);
    if (op === "max") return Math.max(...entries.map(({ column }) => x[column]));
    return total(entries.flatMap(({ column, weights }) => weights.map((weight) => w[weight] * x[column])));
  });
}

/** Multiplies by C-transposed, the same entries column by column. */
export function multiplyTransposed(g, w, y) {
  const x = new Array(g.columns).fill(0);
  for (let row = 0; row < g.rows; row++) {
    for (const { column, weights } of g.rowEntries(row)) {
      for (const weight of weights) x[column] += w[weight] * y[row];
    }
  }
  return x;
}

const total = (terms) => terms.reduce((all, term) => all + term, 0);

/** Writes a number shortly: an integer as it is, others with three digits. */
export function short(number) {
  if (!Number.isFinite(number)) return "−∞";
  const text = Number.isInteger(number) ? String(number) : String(Number(number.toPrecision(3)));
  return text.replace("-", "−");
}

/** Writes indices side by side, apart only where one of them may have two digits; as in `jaxconv.symbols`. */
export const digits = (index, sizes) => index.join(Math.max(...sizes) <= 10 ? "" : "_");

const figure = (title, fragment) => ({ title, fragment });

/** Every figure of Dumoulin & Visin, arXiv:1603.07285, by its number, and what the guide does not show. */
export const PRESETS = {
  "1.1": figure("Discrete convolution, the printed integers", "i=5,5&k=3"),
  "1.2": figure("Padding 1 and stride 2, the printed integers", "i=5,5&k=3&s=2&p=1"),
  "1.3": figure("Two input and three output features", "i=5,5&k=3&in=2&out=3"),
  "1.4": figure("Strides as subsampling", "i=5,5&k=3&s=2"),
  "1.5": figure("Average pooling", "i=5,5&k=3&op=average"),
  "1.6": figure("Max pooling", "i=5,5&k=3&op=max"),
  "2.1": figure("No padding, stride 1", "i=4,4&k=3&values=symbols"),
  "2.2": figure("Padding 2, stride 1", "i=5,5&k=4&p=2"),
  "2.3": figure("Half padding keeps the size", "i=5,5&k=3&p=HALF"),
  "2.4": figure("Full padding", "i=5,5&k=3&p=FULL"),
  "2.5": figure("No padding, stride 2", "i=5,5&k=3&s=2"),
  "2.6": figure("Padding 1, stride 2", "i=5,5&k=3&s=2&p=1"),
  "2.7": figure("Padding 1, stride 2, a row and column unused", "i=6,6&k=3&s=2&p=1"),
  "2.8a": figure("Counting positions, stride 1", "i=5&k=3"),
  "2.8b": figure("Counting positions, stride 2", "i=5&k=3&s=2"),
  "4.1": figure("Transpose of no padding, stride 1", "i=4,4&k=3&view=transposed"),
  "4.2": figure("Transpose of padding 2, stride 1", "i=5,5&k=4&p=2&view=transposed"),
  "4.3": figure("Transpose of half padding", "i=5,5&k=3&p=HALF&view=transposed"),
  "4.4": figure("Transpose of full padding", "i=5,5&k=3&p=FULL&view=transposed"),
  "4.5": figure("Transpose of stride 2", "i=5,5&k=3&s=2&view=transposed"),
  "4.6": figure("Transpose of padding 1, stride 2", "i=5,5&k=3&s=2&p=1&view=transposed"),
  "4.7": figure("Transpose of padding 1, stride 2, a = 1", "i=6,6&k=3&s=2&p=1&view=transposed"),
  "5.1": figure("Dilation 2", "i=7,7&k=3&d=2"),
  "matrix": figure("The matrix of section 4.1, in symbols", "i=4,4&k=3&values=symbols"),
  "causal": figure("Causal convolution, dilation 2", "i=8&k=3&d=2&p=CAUSAL&values=symbols"),
  "circular": figure("Circular padding", "i=6&k=3&p=1&mode=circular&values=symbols"),
  "depthwise": figure("Depthwise: as many groups as features", "i=4,4&k=2&in=2&out=2&groups=2"),
  "even": figure("Transpose without a checkerboard: k = 2, s = 2", "i=6,6&k=2&s=2&view=both"),
  "uneven": figure("Transpose with a checkerboard: k = 3, s = 2", "i=7,7&k=3&s=2&view=both"),
  "3-D": figure("Three axes as slices", "i=3,4,4&k=2&s=1"),
};

/** Returns the state of a preset, with what the reader has chosen beside the geometry. */
export function presetState(name, before) {
  const { fragment } = PRESETS[name];
  const state = parse(fragment);
  if (!fragment.includes("values=")) state.values = before.values;
  return { ...state, speed: before.speed, preset: name };
}

/** Places of C up to which each of its entries is drawn with its number. */
export const MOST_PLACES = 4096;
/** Entries of C, and cells of a map, up to which there is a drawing. */
export const MOST_ENTRIES = 20_000;
export const MOST_CELLS = 1600;

/** Says whether a geometry is small enough to be drawn. */
export const drawable = (g) =>
  g.axes.every((axis) => axis.countable) && g.nnz !== null && g.nnz <= MOST_ENTRIES &&
  g.columns <= MOST_CELLS && g.rows <= MOST_CELLS && g.parameters <= MOST_CELLS &&
  product(g.axes.map((axis) => axis.stretched + Math.max(axis.padding[0], 0) + Math.max(axis.padding[1], 0))) *
    g.inFeatures <= 4 * MOST_CELLS;
