/**
 * A convolution in integers, as `jaxconv.geometry` computes it: sizes, refusals, the cells that a padding
 * mode shows, the entries of C, and the relationships of Dumoulin & Visin, arXiv:1603.07285.
 *
 * No document and no drawing. `tests/explorer/test_explorer_arithmetic.py` compares it with the Python library.
 */

export const PADDING_WORDS = ["VALID", "SAME", "SAME_LOWER", "HALF", "FULL", "CAUSAL"];
export const PADDING_MODES = ["zeros", "circular", "reflect", "replicate"];
/** Windows times taps of one axis up to which the entries are listed. */
export const MOST_READS = 1_000_000;

/** A geometry that the library refuses. The message is the library's own sentence. */
export class Refusal extends Error {}

/** The library's sentences. This is their only place: a change of wording in Python is made here too. */
export const SENTENCES = {
  integers: (name, values) => `\`${name}\` must contain only integers, got ${tuple(values)}.`,
  positiveOnEveryAxis: (name, values) => {
    const axis = values.findIndex((value) => value < 1);
    const where = values.length > 1 ? ` on axis ${axis}: ${tuple(values)}` : "";
    return `\`${name}\` must be at least 1, got ${values[axis]}${where}.`;
  },
  positive: (name, value) => `\`${name}\` must be at least 1, got ${value}.`,
  mode: (mode) =>
    `\`padding_mode\` must be one of ${PADDING_MODES.map((word) => `'${word}'`).join(", ")}; got '${mode}'.`,
  axes: (count) => `\`geometry\` must have one to three spatial axes to be drawn, got ${count}.`,
  divisible: (name, value, groups) =>
    `\`${name}\` must be divisible by feature_group_count=${groups}, got ${value}; change one of the two.`,
  onAxis: (axis, axes, sentence) => `${axes > 1 ? `on axis ${axis}, ` : ""}${sentence}`,
  span: (axis) => {
    const dilated = axis.span > axis.kernel;
    const taps = dilated ? ` (${axis.kernel} taps, dilated by ${axis.dilation})` : "";
    return (
      `the kernel spans ${axis.span} cells${taps} but the padded input has ${axis.padded}; raise \`padding\` or ` +
      `${dilated ? "lower `kernel_dilation`" : "take a smaller kernel"}. Got ${axis}.`
    );
  },
  reflect: (axis) =>
    "`padding_mode` cannot be 'reflect' on an axis of one cell, which has nothing to reflect; " +
    `use padding_mode='replicate'. Got ${axis}.`,
  zerosOnly: (axis) =>
    `\`padding_mode\` must be 'zeros', got '${axis.mode}': only zero padding has an equivalent direct ` +
    `convolution. Use \`conv_transpose\`, which takes every padding mode. Got ${axis}.`,
};

/** Writes a list as Python writes a tuple. */
export function tuple(values) {
  const written = values.map((value) => (Array.isArray(value) ? tuple(value) : String(value)));
  return `(${written.join(", ")}${written.length === 1 ? "," : ""})`;
}

export const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);
export const product = (numbers) => numbers.reduce((total, number) => total * number, 1);

/** Returns the remainder with the sign of the divisor, as in Python. */
export const modulo = (number, divisor) => ((number % divisor) + divisor) % divisor;

/** Returns the indices of a flat row-major number. */
export function unravel(flat, shape) {
  const index = new Array(shape.length);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index[axis] = flat % shape[axis];
    flat = Math.floor(flat / shape[axis]);
  }
  return index;
}

/** Returns the flat row-major number of some indices. */
export const ravel = (index, shape) => index.reduce((flat, i, axis) => flat * shape[axis] + i, 0);

/** Returns the (low, high) padding of one axis in stretched cells; see `jaxconv.ConvGeometry` for the words. */
export function resolvePadding(word, stretched, span, stride) {
  if (Array.isArray(word)) return word;
  if (word === "SAME" || word === "SAME_LOWER") {
    const outputs = Math.ceil(stretched / stride);
    const total = Math.max((outputs - 1) * stride + span - stretched, 0);
    const pair = [Math.floor(total / 2), Math.ceil(total / 2)];
    return word === "SAME" ? pair : pair.reverse();
  }
  const half = Math.floor(span / 2);
  return { VALID: [0, 0], HALF: [half, half], FULL: [span - 1, span - 1], CAUSAL: [span - 1, 0] }[word];
}

/** Returns the input sizes, of `least` or more, that stretch to `stretched` cells or up to stride - 1 more. */
function sizesFrom(stretched, stride, inputDilation, least) {
  const first = Math.max(Math.ceil((stretched - 1) / inputDilation) + 1, least);
  const last = Math.floor((stretched + stride - 2) / inputDilation) + 1;
  return { first, last, length: Math.max(last - first + 1, 0) };
}

const leastSize = (mode, padding) => (mode === "reflect" && Math.max(...padding) > 0 ? 2 : 1);

/** One spatial axis: the letters of arXiv:1603.07285 and what follows from them. */
export class Axis {
  constructor(size, kernel, stride, padding, dilation, inputDilation, mode) {
    Object.assign(this, { size, kernel, stride, padding, dilation, inputDilation, mode });
    this.span = dilation * (kernel - 1) + 1;
    this.stretched = inputDilation * (size - 1) + 1;
    this.padded = this.stretched + sum(padding);
    this.slack = this.padded - this.span;
    if (this.slack < 0) throw new Refusal(SENTENCES.span(this));
    if (size < leastSize(mode, padding)) throw new Refusal(SENTENCES.reflect(this));
    this.outSize = Math.floor(this.slack / stride) + 1;
    this.outputPadding = this.slack % stride;
  }

  /** Writes the axis as Python does. */
  toString() {
    return (
      `AxisGeometry(size=${this.size}, kernel=${this.kernel}, stride=${this.stride}, ` +
      `padding=${tuple(this.padding)}, dilation=${this.dilation}, ` +
      `input_dilation=${this.inputDilation}, padding_mode='${this.mode}')`
    );
  }

  /** The equivalent direct convolution of the transpose, relationships 8 to 14. */
  equivalentDirect() {
    if (this.mode !== "zeros") throw new Refusal(SENTENCES.zerosOnly(this));
    const low = this.span - 1 - this.padding[0];
    const high = this.stretched - 1 + this.padding[0] - (this.outSize - 1) * this.stride;
    return new Axis(
      this.outSize, this.kernel, this.inputDilation, [low, high], this.dilation, this.stride, "zeros",
    );
  }

  /** The stretched position that a tap of an output reads; negative and large ones are padding. */
  position(out, tap) {
    return out * this.stride + tap * this.dilation - this.padding[0];
  }

  /** The stretched cell that a position shows, or -1 where it shows a zero. */
  shown(position) {
    const n = this.stretched;
    if (this.mode === "circular") return modulo(position, n);
    if (this.mode === "replicate") return Math.min(Math.max(position, 0), n - 1);
    if (this.mode === "reflect" && n > 1) {
      return n - 1 - Math.abs(modulo(position, 2 * n - 2) - (n - 1));
    }
    return position >= 0 && position < n ? position : -1;
  }

  /** The input cell at a position, or -1 where there is a zero: of the padding, or an inserted one. */
  cell(position) {
    const stretched = this.shown(position);
    return stretched >= 0 && stretched % this.inputDilation === 0 ? stretched / this.inputDilation : -1;
  }

  /** For every output the [tap, cell] pairs that it reads, duplicates included. */
  get reads() {
    this._reads ??= Array.from({ length: this.outSize }, (_, out) => {
      const pairs = [];
      for (let tap = 0; tap < this.kernel; tap++) {
        const cell = this.cell(this.position(out, tap));
        if (cell >= 0) pairs.push([tap, cell]);
      }
      return pairs;
    });
    return this._reads;
  }

  get countable() {
    return this.outSize * this.kernel <= MOST_READS;
  }

  /** Distinct (output, cell) pairs; null where there are too many to list. */
  get entryCount() {
    return this.countable ? sum(this.reads.map((pairs) => new Set(pairs.map(([, cell]) => cell)).size)) : null;
  }

  /** Input cells that no window reaches; null where there are too many windows. */
  get unused() {
    if (!this.countable) return null;
    return this.size - new Set(this.reads.flatMap((pairs) => pairs.map(([, cell]) => cell))).size;
  }

  /**
   * How many windows reach a cell far from the border, for the cells of one period of the transpose.
   *
   * Equal numbers are even; others give checkerboards (Odena, Dumoulin & Olah, Distill 2016,
   * "Deconvolution and Checkerboard Artifacts"), and a zero is a hole. Null where there are too many to count.
   */
  get overlaps() {
    const period = this.stride / gcd(this.stride, this.inputDilation);
    if (period * this.kernel > MOST_READS) return null;
    return Array.from({ length: period }, (_, cell) => {
      let count = 0;
      for (let tap = 0; tap < this.kernel; tap++) {
        const start = cell * this.inputDilation + this.padding[0] - tap * this.dilation;
        if (modulo(start, this.stride) === 0) count++;
      }
      return count;
    });
  }
}

function gcd(a, b) {
  return b === 0 ? a : gcd(b, a % b);
}

/** Says whether the transpose covers its output evenly: "even", "uneven" or "holes". */
export function evenness(overlaps) {
  if (Math.min(...overlaps) === 0) return "holes";
  return Math.min(...overlaps) === Math.max(...overlaps) ? "even" : "uneven";
}

/** Everything about a convolution except its numbers, as `jaxconv.ConvGeometry`. */
export class Geometry {
  /**
   * @param {object} numbers Per axis `input`, `kernel`, `strides`, `kernelDilation`, `inputDilation`; `padding`,
   *   a word or [low, high] per axis; `mode`; `inFeatures`, `outFeatures`, `groups`.
   */
  constructor(numbers) {
    const { input, kernel, strides, kernelDilation, inputDilation, padding, mode } = numbers;
    const { inFeatures, outFeatures, groups } = numbers;
    if (!PADDING_MODES.includes(mode)) throw new Refusal(SENTENCES.mode(mode));
    const perAxis = {
      input_shape: input, kernel_shape: kernel, strides, input_dilation: inputDilation,
      kernel_dilation: kernelDilation,
    };
    for (const [name, values] of Object.entries(perAxis)) {
      if (!values.every(Number.isSafeInteger)) throw new Refusal(SENTENCES.integers(name, values));
      if (Math.min(...values) < 1) throw new Refusal(SENTENCES.positiveOnEveryAxis(name, values));
    }
    if (Array.isArray(padding) && !padding.flat().every(Number.isSafeInteger)) {
      throw new Refusal(SENTENCES.integers("padding", padding));
    }
    const features = { feature_group_count: groups, in_features: inFeatures, out_features: outFeatures };
    for (const [name, value] of Object.entries(features)) {
      if (!Number.isSafeInteger(value) || value < 1) throw new Refusal(SENTENCES.positive(name, value));
    }
    for (const name of ["in_features", "out_features"]) {
      if (features[name] % groups) throw new Refusal(SENTENCES.divisible(name, features[name], groups));
    }
    this.axes = input.map((size, axis) => {
      const [k, s, d, f] = [kernel[axis], strides[axis], kernelDilation[axis], inputDilation[axis]];
      const word = Array.isArray(padding) ? padding[axis] : padding;
      const pair = resolvePadding(word, f * (size - 1) + 1, d * (k - 1) + 1, s);
      return this.axisOf(axis, input.length, [size, k, s, pair, d, f, mode]);
    });
    Object.assign(this, { mode, inFeatures, outFeatures, groups });
    Object.assign(this, { input, kernel, strides, kernelDilation, inputDilation });
    this.padding = this.axes.map((axis) => axis.padding);
    this.output = this.axes.map((axis) => axis.outSize);
    this.outputPadding = this.axes.map((axis) => axis.outputPadding);
    this.groupInputs = inFeatures / groups;
    this.groupOutputs = outFeatures / groups;
    this.rows = product(this.output) * outFeatures;
    this.columns = product(input) * inFeatures;
    this.taps = product(kernel);
    this.parameters = this.taps * this.groupInputs * outFeatures;
    this.multiplications = product(this.output) * this.parameters;
  }

  /** Makes one axis; its refusals say which axis it is. */
  axisOf(axis, axes, given) {
    try {
      return new Axis(...given);
    } catch (error) {
      throw error instanceof Refusal ? new Refusal(SENTENCES.onAxis(axis, axes, error.message)) : error;
    }
  }

  /** Entries of C; null where an axis is too long to list. */
  get nnz() {
    const counts = this.axes.map((axis) => axis.entryCount);
    return counts.includes(null) ? null : product(counts) * this.groupInputs * this.outFeatures;
  }

  /** The geometry of the transpose as a convolution of its own. */
  equivalentDirect() {
    const axes = this.axes.map((axis) => axis.equivalentDirect());
    return new Geometry({
      input: this.output,
      kernel: this.kernel,
      strides: this.inputDilation,
      padding: axes.map((axis) => axis.padding),
      mode: "zeros",
      inputDilation: this.strides,
      kernelDilation: this.kernelDilation,
      inFeatures: this.outFeatures,
      outFeatures: this.inFeatures,
      groups: this.groups,
    });
  }

  /** Writes Python that makes this geometry, defaults left out. */
  toString() {
    const ones = tuple(this.input.map(() => 1));
    const options = [
      ["in_features", String(this.inFeatures), "1"],
      ["out_features", String(this.outFeatures), "1"],
      ["strides", tuple(this.strides), ones],
      ["padding", tuple(this.padding), tuple(this.input.map(() => [0, 0]))],
      ["padding_mode", `'${this.mode}'`, "'zeros'"],
      ["input_dilation", tuple(this.inputDilation), ones],
      ["kernel_dilation", tuple(this.kernelDilation), ones],
      ["feature_group_count", String(this.groups), "1"],
    ];
    const given = options.filter(([, value, usual]) => value !== usual);
    const written = given.map(([name, value]) => `${name}=${value}`);
    return `ConvGeometry(${[tuple(this.input), tuple(this.kernel), ...written].join(", ")})`;
  }

  /** The [flat cell, flat taps] pairs that one output position reads, sorted by cell. */
  readsAt(position) {
    const index = unravel(position, this.output);
    let pairs = [[0, 0]];
    this.axes.forEach((axis, number) => {
      pairs = pairs.flatMap(([cell, tap]) =>
        axis.reads[index[number]].map(([t, c]) => [cell * axis.size + c, tap * axis.kernel + t]),
      );
    });
    const taps = new Map();
    for (const [cell, tap] of pairs) taps.set(cell, [...(taps.get(cell) ?? []), tap]);
    return [...taps].sort(([a], [b]) => a - b);
  }

  /**
   * The entries of one row of C, numbered as channels-last maps are.
   *
   * @returns {{row: number, column: number, taps: number[], weights: number[]}[]} `weights` are places in the
   *   flat kernel (*kernel_shape, in / groups, out).
   */
  rowEntries(row) {
    const feature = row % this.outFeatures;
    const first = Math.floor(feature / this.groupOutputs) * this.groupInputs;
    const entries = [];
    for (const [cell, taps] of this.readsAt(Math.floor(row / this.outFeatures))) {
      for (let input = 0; input < this.groupInputs; input++) {
        const column = cell * this.inFeatures + first + input;
        entries.push({ row, column, taps, weights: taps.map((tap) => this.weight(tap, input, feature)) });
      }
    }
    return entries;
  }

  /** The place of a weight in the flat kernel. */
  weight(tap, input, output) {
    return (tap * this.groupInputs + input) * this.outFeatures + output;
  }

  /** All entries of C, row by row. */
  entries() {
    return Array.from({ length: this.rows }, (_, row) => this.rowEntries(row)).flat();
  }
}

/** Returns every input size that a convolution takes to `out` along one axis, its padding as it was given. */
export function inputSizes(out, kernel, stride, padding, dilation, inputDilation, mode) {
  if (padding === "SAME" || padding === "SAME_LOWER") {
    return sizesFrom(stride * (out - 1) + 1, stride, inputDilation, 1);
  }
  const span = dilation * (kernel - 1) + 1;
  const pair = resolvePadding(padding, 1, span, stride);
  return sizesFrom(stride * (out - 1) + span - sum(pair), stride, inputDilation, leastSize(mode, pair));
}

const sameSides = (axis) => axis.padding[0] === axis.padding[1];
const unpadded = (axis) => sum(axis.padding) === 0 && sameSides(axis);
const plain = (axis) => axis.stride === 1 && axis.dilation === 1;
const half = (axis) =>
  plain(axis) && axis.kernel % 2 === 1 && sum(axis.padding) === axis.kernel - 1 && axis.kernel > 1 && sameSides(axis);
const full = (axis) =>
  plain(axis) && sum(axis.padding) === 2 * (axis.kernel - 1) && axis.kernel > 1 && sameSides(axis);

/** The fifteen relationships of arXiv:1603.07285: section, condition, formula, and when they apply. */
export const RELATIONSHIPS = {
  1: ["2.1", "s = 1, p = 0", "o = (i - k) + 1", (axis) => plain(axis) && unpadded(axis)],
  2: ["2.2", "s = 1", "o = (i - k) + 2p + 1", plain],
  3: ["2.2.1", "s = 1, k odd, p = (k - 1) / 2", "o = i", half],
  4: ["2.2.2", "s = 1, p = k - 1", "o = i + (k - 1)", full],
  5: ["2.3", "p = 0", "o = floor((i - k) / s) + 1", (axis) => unpadded(axis) && axis.dilation === 1],
  6: ["2.4", "d = 1", "o = floor((i + 2p - k) / s) + 1", (axis) => axis.dilation === 1],
  7: ["3", "pooling, p = 0", "o = floor((i - k) / s) + 1", (axis) => unpadded(axis) && axis.dilation === 1],
  8: ["4.3", "s = 1, p = 0", "o' = i' + (k - 1)", (axis) => plain(axis) && unpadded(axis)],
  9: ["4.4", "s = 1", "o' = i' + (k - 1) - 2p", plain],
  10: ["4.4.1", "s = 1, k odd, p = (k - 1) / 2", "o' = i'", half],
  11: ["4.4.2", "s = 1, p = k - 1", "o' = i' - (k - 1)", full],
  12: ["4.5", "p = 0, i - k a multiple of s", "o' = s (i' - 1) + k",
    (axis) => unpadded(axis) && axis.dilation === 1 && axis.outputPadding === 0],
  13: ["4.6", "i + 2p - k a multiple of s", "o' = s (i' - 1) + k - 2p",
    (axis) => axis.dilation === 1 && axis.outputPadding === 0],
  14: ["4.6", "any; a = (i + 2p - span) mod s", "o' = s (i' - 1) + a + span - 2p", () => true],
  15: ["5.1", "any dilation d", "o = floor((i + 2p - d (k - 1) - 1) / s) + 1", () => true],
};

/** Returns the number of the most special relationship that an axis follows. */
export function followedBy(axis, transposed = false, pooling = false) {
  const order = transposed ? [10, 11, 8, 9, 12, 13, 14] : [3, 4, 1, 2, 5, 6, 15];
  return (pooling && !transposed ? [7, ...order] : order).find((number) => RELATIONSHIPS[number][3](axis));
}

/** Returns the right side of a relationship with the numbers of an axis put in, such as "(5 - 3) + 1". */
export function putIn(number, axis) {
  const right = RELATIONSHIPS[number][2].split(" = ")[1];
  const [low, high] = axis.padding;
  const letters = {
    i: axis.stretched, "i'": axis.outSize, k: axis.kernel, s: axis.stride, d: axis.dilation,
    a: axis.outputPadding, span: axis.span,
  };
  const signed = (value) => (value < 0 ? `(${value})` : String(value));
  const written = right.replace(/floor|span|2p|i'|[iksda]/g, (letter) => {
    if (letter === "floor") return letter;
    if (letter === "2p") return sameSides(axis) ? `2 * ${signed(low)}` : `(${low} + ${signed(high)})`;
    return String(letters[letter]);
  });
  return written.replace(/(\d) \(/g, "$1 * (");
}

/** Writes a formula with mathematical signs instead of ASCII ones. */
export function typeset(formula) {
  let text = formula;
  for (let start = text.indexOf("floor("); start >= 0; start = text.indexOf("floor(")) {
    let end = start + 6;
    for (let depth = 1; depth > 0; end++) depth += { "(": 1, ")": -1 }[text[end]] ?? 0;
    text = `${text.slice(0, start)}⌊${text.slice(start + 6, end - 1)}⌋${text.slice(end)}`;
  }
  return text.replaceAll("-", "−").replaceAll(" * ", " · ").replaceAll("'", "′");
}
