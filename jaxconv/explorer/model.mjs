/**
 * What is drawn, without drawing: the numbers and entries of a geometry, where the cells of its maps stand, and
 * what a selection lights up.
 */
import { product, ravel, unravel } from "./arithmetic.mjs";
import { digits, multiply, multiplyTransposed, numbers, short } from "./state.mjs";

const GAP = 0.8; // cells between sheets
const HEAD = 0.62; // cells above a sheet, for its label

/** Where the cells of a map stand: one sheet per feature and, with three axes, per slice. */
class Sheets {
  constructor(frames, down = 1, across = 1) {
    Object.assign(this, { frames, down, across });
    this.n = frames.length;
    this.sizes = frames.map(([from, to]) => to - from + 1);
    this.width = this.sizes.at(-1);
    this.height = this.n === 1 ? 1 : this.sizes.at(-2);
    this.slices = this.n === 3 ? this.sizes[0] : 1;
    this.labelled = down * across * this.slices > 1;
    this.head = this.labelled ? HEAD : 0;
    this.columns = across * this.slices * (this.width + GAP) - GAP;
    this.rows = down * (this.height + GAP + this.head) - GAP;
  }

  /** The corner of a sheet, in cells. */
  corner(row, column, slice) {
    return [
      (column * this.slices + slice) * (this.width + GAP),
      row * (this.height + GAP + this.head) + this.head,
    ];
  }

  /** The corner of a cell, in cells. */
  place(position, row, column) {
    const at = position.map((p, axis) => p - this.frames[axis][0]);
    const [x, y] = this.corner(row, column, this.n === 3 ? at[0] : 0);
    return [x + at.at(-1), y + (this.n === 1 ? 0 : at.at(-2))];
  }

  /** All positions, row-major. */
  *positions() {
    for (let flat = 0; flat < product(this.sizes); flat++) {
      yield unravel(flat, this.sizes).map((p, axis) => p + this.frames[axis][0]);
    }
  }
}

const frameOf = (axis) => [-Math.max(axis.padding[0], 0), axis.stretched - 1 + Math.max(axis.padding[1], 0)];
const sizeFrame = (size) => [0, size - 1];

/** What stands at a position of a padded, stretched map: a kind, and the spatial cell that it shows or -1. */
function contentAt(position, axes) {
  const cells = position.map((p, axis) => axes[axis].cell(p));
  const index = cells.includes(-1) ? -1 : ravel(cells, axes.map((axis) => axis.size));
  const cropped = position.some(
    (p, axis) => p < -axes[axis].padding[0] || p > axes[axis].stretched - 1 + axes[axis].padding[1],
  );
  if (cropped) return { kind: "crop", index };
  if (position.some((p, axis) => p < 0 || p >= axes[axis].stretched)) return { kind: "pad", index };
  return { kind: index < 0 ? "zero" : "cell", index };
}

/** A geometry with its numbers and its entries, and the names of everything. */
export class Model {
  constructor(state, g) {
    Object.assign(this, { state, g });
    this.pooling = state.op !== "conv";
    this.entries = g.entries();
    this.byRow = Array.from({ length: g.rows }, () => []);
    this.byColumn = Array.from({ length: g.columns }, () => []);
    this.byWeight = Array.from({ length: g.parameters }, () => []);
    for (const entry of this.entries) {
      this.byRow[entry.row].push(entry);
      this.byColumn[entry.column].push(entry);
      for (const weight of entry.weights) this.byWeight[weight].push(entry);
    }
    const given = numbers(state, g);
    this.x = given.x;
    this.w = given.w;
    this.Cx = multiply(g, given.w, given.x, state.op);
    this.y = state.view === "both" ? this.Cx : given.y;
    this.CTy = multiplyTransposed(g, given.w, this.y);
  }

  /** The selection that a word such as "y3", "x5", "t2" or "e3.5" names; a bare number is an output of the view. */
  selection(at) {
    const text = /^\d/.test(at) ? `${this.state.view === "transposed" ? "x" : "y"}${at}` : at;
    const [first, second] = text.slice(1).split(".").map(Number);
    if (text[0] === "y" && first < this.g.rows) return { kind: "y", y: first, entries: this.byRow[first] };
    if (text[0] === "x" && first < this.g.columns) return { kind: "x", x: first, entries: this.byColumn[first] };
    if (text[0] === "t" && first < this.g.parameters) {
      return { kind: "t", weight: first, entries: this.byWeight[first] };
    }
    if (text[0] === "e" && first < this.g.rows && second < this.g.columns) {
      const entries = this.byRow[first].filter((entry) => entry.column === second);
      return { kind: "e", y: first, x: second, entries };
    }
    return { kind: "none", entries: [] };
  }

  shape(map) {
    const g = this.g;
    return map === "x" ? [...g.input, g.inFeatures] : [...g.output, g.outFeatures];
  }

  /** The indices of a cell; a single feature is left out. */
  index(map, flat) {
    const shape = this.shape(map);
    const index = unravel(flat, shape);
    return shape.at(-1) === 1 ? [index.slice(0, -1), shape.slice(0, -1)] : [index, shape];
  }

  symbol(map, flat) {
    const shape = this.shape(map);
    const index = unravel(flat, shape);
    const feature = shape.at(-1) === 1 ? "" : `,${index.at(-1)}`;
    return `${map}${digits(index.slice(0, -1), shape.slice(0, -1))}${feature}`;
  }

  /** The name of a weight, as `jaxconv.symbols` writes it. */
  weightName(weight) {
    const { kernel, groupInputs, outFeatures } = this.g;
    const pair = [Math.floor(weight / outFeatures) % groupInputs, weight % outFeatures];
    const tap = unravel(this.tapOf(weight), kernel);
    const shared = groupInputs * outFeatures === 1 || this.pooling;
    return `w${digits(tap, kernel)}${shared ? "" : `,${digits(pair, [groupInputs, outFeatures])}`}`;
  }

  tapOf(weight) {
    return Math.floor(weight / (this.g.groupInputs * this.g.outFeatures));
  }

  /** What is written for a cell of the map x or y, as the input or the output of a panel. */
  cellText(map, flat, role) {
    if (this.state.values === "symbols") return this.symbol(map, flat);
    const output = map === "y" ? this.Cx : this.CTy;
    return short(role === "output" ? output[flat] : this[map][flat]);
  }

  weightText(weight) {
    if (this.state.op === "max") return this.weightName(weight);
    if (this.state.values === "symbols") return this.weightName(weight);
    if (this.state.op === "average") return this.g.taps === 1 ? "1" : `1/${this.g.taps}`;
    return short(this.w[weight]);
  }
}

/** The convolution, or its transpose: its two maps, and the window of every output cell. */
export class Panel {
  constructor(model, transposed) {
    const g = model.g;
    Object.assign(this, { model, transposed });
    this.input = transposed ? "y" : "x";
    this.output = transposed ? "x" : "y";
    // The transpose of zero padding is drawn as the equivalent direct convolution.
    this.geometry = transposed ? (g.mode === "zeros" ? g.equivalentDirect() : null) : g;
    const shapes = { x: g.input, y: g.output };
    const features = { x: g.inFeatures, y: g.outFeatures };
    this.axes = this.geometry?.axes ?? null;
    const frames = this.axes ? this.axes.map(frameOf) : g.output.map(sizeFrame);
    this.inputSheets = new Sheets(frames, features[this.input]);
    this.outputSheets = new Sheets(shapes[this.output].map(sizeFrame), features[this.output]);
    this.kernelSheets = new Sheets(g.kernel.map(sizeFrame), g.groupInputs, model.pooling ? 1 : g.outFeatures);
    this.inputFeatures = features[this.input];
    this.outputFeatures = features[this.output];
    this.cells = [...this.inputSheets.positions()].map((position) => ({
      position,
      ...(this.axes ? contentAt(position, this.axes) : { kind: "cell", index: ravel(position, g.output) }),
    }));
    this.positionsOf = new Map();
    const croppedLast = [...this.cells].sort((a, b) => (a.kind === "crop") - (b.kind === "crop"));
    for (const { position, index, kind } of croppedLast) {
      if (index >= 0 && (kind !== "crop" || !this.positionsOf.has(index))) {
        this.positionsOf.set(index, [...(this.positionsOf.get(index) ?? []), position]);
      }
    }
  }

  /** Places of the kernel, flipped where the transpose is drawn as a direct convolution. */
  kernelPosition(tap) {
    const kernel = this.model.g.kernel;
    const index = unravel(tap, kernel);
    return this.transposed && this.geometry ? index.map((t, axis) => kernel[axis] - 1 - t) : index;
  }

  /** Everything that an output cell reads, padding included: positions, features and weights. */
  window(flat) {
    const g = this.model.g;
    if (!this.geometry) {
      return this.model.byColumn[flat].map((entry) => ({
        position: unravel(Math.floor(entry.row / g.outFeatures), g.output),
        feature: entry.row % g.outFeatures,
        weight: entry.weights[0],
      }));
    }
    const at = unravel(Math.floor(flat / this.outputFeatures), this.geometry.output);
    const feature = flat % this.outputFeatures;
    const group = Math.floor(feature / (this.outputFeatures / g.groups));
    const perGroup = this.inputFeatures / g.groups;
    const found = [];
    for (let tap = 0; tap < g.taps; tap++) {
      const place = this.kernelPosition(tap);
      const position = place.map((t, axis) => this.geometry.axes[axis].position(at[axis], t));
      for (let one = 0; one < perGroup; one++) {
        const other = group * perGroup + one;
        const weight = this.transposed
          ? g.weight(tap, feature % g.groupInputs, other)
          : g.weight(tap, one, feature);
        found.push({ position, feature: other, weight });
      }
    }
    return found;
  }

  /** What a selection lights up. Marks have a weight, which gives their colour; rings have none. */
  marks(selected) {
    const marks = { input: [], output: [], kernel: new Set(), rings: [], outputRings: [], kernelRings: [] };
    const inputOf = (entry) => (this.transposed ? entry.row : entry.column);
    const outputOf = (entry) => (this.transposed ? entry.column : entry.row);
    const reading = (entry) => {
      const flat = inputOf(entry);
      const cell = Math.floor(flat / this.inputFeatures);
      return (this.positionsOf.get(cell) ?? []).slice(0, 1).map((position) => ({
        position, feature: flat % this.inputFeatures, weight: entry.weights[0],
      }));
    };
    for (const entry of selected.entries) for (const weight of entry.weights) marks.kernel.add(weight);
    if (selected.kind === this.output) {
      const flat = selected[this.output];
      marks.input = this.window(flat);
      marks.outputRings = [flat];
    } else if (selected.kind === this.input) {
      const flat = selected[this.input];
      const places = this.positionsOf.get(Math.floor(flat / this.inputFeatures)) ?? [];
      marks.rings = places.map((position) => ({ position, feature: flat % this.inputFeatures }));
      marks.output = selected.entries.map((entry) => ({ flat: outputOf(entry), weight: entry.weights[0] }));
    } else if (selected.kind === "t") {
      marks.kernel = new Set([selected.weight]);
      marks.kernelRings = [selected.weight];
      const entries = selected.entries.map((entry) => ({ ...entry, weights: [selected.weight] }));
      marks.input = entries.flatMap(reading);
      marks.output = entries.map((entry) => ({ flat: outputOf(entry), weight: selected.weight }));
    } else if (selected.kind === "e") {
      const flat = this.transposed ? selected.y : selected.x;
      marks.input = selected.entries.flatMap(reading);
      marks.kernelRings = selected.entries.flatMap((entry) => entry.weights);
      const places = this.positionsOf.get(Math.floor(flat / this.inputFeatures)) ?? [];
      marks.rings = places.slice(0, 1).map((position) => ({ position, feature: flat % this.inputFeatures }));
      marks.outputRings = [this.transposed ? selected.x : selected.y];
    }
    return marks;
  }
}
