/**
 * Drawings as SVG text: feature maps with their padding and inserted zeros, kernels, and C; and what lies over
 * them for a selection. No document: `view.mjs` puts the text into the page.
 */
import { product, unravel } from "./arithmetic.mjs";
import { MOST_PLACES, short } from "./state.mjs";

/** Google's turbo colour map as a polynomial (Mikhailov, 2019), the map of the taps in jaxconv's pictures. */
function turbo(t) {
  const channels = [
    [0.13572138, 4.6153926, -42.66032258, 132.13108234, -152.94239396, 59.28637943],
    [0.09140261, 2.19418839, 4.84296658, -14.18503333, 4.27729857, 2.82956604],
    [0.1066733, 12.64194608, -60.58204836, 110.36276771, -89.90310912, 27.34824973],
  ];
  const value = (terms) => terms.reduceRight((all, term) => all * t + term, 0);
  return channels.map((terms) => 255 * Math.min(Math.max(value(terms), 0), 1));
}

const mix = (a, b, share) => a.map((channel, i) => Math.round(channel * (1 - share) + b[i] * share));

/** Relative luminance of WCAG 2. */
function luminance(rgb) {
  const [r, g, b] = rgb.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** Returns fill and text colour of a tap; the text is the one of black and white that can be read. */
export function tapColour(tap, taps, dark) {
  const t = taps === 1 ? 0.5 : 0.06 + (0.88 * tap) / (taps - 1);
  const rgb = mix(turbo(t), dark ? [20, 24, 28] : [255, 255, 255], dark ? 0.24 : 0.36);
  return { fill: `rgb(${rgb.join(",")})`, ink: luminance(rgb) > 0.179 ? "#000000" : "#ffffff" };
}

export const escapeText = (text) =>
  String(text).replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign]);

export const times = (sizes) => sizes.join("\u00a0×\u00a0");

/** A drawing of cells at a scale. */
class Pen {
  constructor(unit, dark, taps) {
    Object.assign(this, { unit, dark, taps });
  }

  box(place, inset = 0.5) {
    const [x, y] = place.map((p) => p * this.unit + inset);
    const side = this.unit - 2 * inset;
    return `x="${x}" y="${y}" width="${side}" height="${side}" rx="${Math.min(3, this.unit / 9)}"`;
  }

  /** Text in the middle of a cell, small enough to fit. */
  text(place, text, ink = "") {
    const size = Math.min(this.unit * 0.42, (this.unit * 1.55) / Math.max(text.length, 1));
    if (size < 4.8) return "";
    const [x, y] = place.map((p) => (p + 0.5) * this.unit);
    return (
      `<text x="${x.toFixed(1)}" y="${(y + size * 0.35).toFixed(1)}" font-size="${size.toFixed(1)}"` +
      `${ink && ` style="fill:${ink}"`}>` +
      `${escapeText(text)}</text>`
    );
  }

  colour(tap) {
    return tapColour(tap, this.taps, this.dark);
  }

  /** A cell filled with the colour of a tap, with the tap's name or number in its corner. */
  tapped(place, tap, text, corner) {
    const { fill, ink } = this.colour(tap);
    const small = Math.min(this.unit * 0.26, (this.unit * 0.95) / Math.max(corner.length, 1));
    const [x, y] = place.map((p) => (p + 1) * this.unit);
    const written = small >= 6.2
      ? `<text class="corner" x="${x - 3}" y="${y - 3.5}" font-size="${small.toFixed(1)}" style="fill:${ink}">` +
        `${escapeText(corner)}</text>`
      : "";
    const raised = written ? [place[0], place[1] - 0.1] : place;
    return `<rect ${this.box(place)} fill="${fill}"/>${this.text(raised, text, ink)}${written}`;
  }

  ring(place) {
    return `<rect class="ring" ${this.box(place, 1.2)}/>`;
  }
}

const svg = (name, width, height, content) =>
  `<svg class="drawing ${name}" viewBox="-2 -2 ${width + 4} ${height + 4}" width="${width + 4}" ` +
  `height="${height + 4}" xmlns="http://www.w3.org/2000/svg">${content}</svg>`;

function sheetLabels(sheets, unit, label) {
  if (!sheets.labelled) return "";
  let text = "";
  const size = Math.min(Math.max(unit * 0.34, 9), 12);
  for (let row = 0; row < sheets.down; row++) {
    for (let column = 0; column < sheets.across; column++) {
      for (let slice = 0; slice < sheets.slices; slice++) {
        const written = label(row, column, slice);
        const [x, y] = sheets.corner(row, column, slice);
        text += `<text class="label" x="${x * unit}" y="${y * unit - 5}" font-size="${size}">${written}</text>`;
      }
    }
  }
  return text;
}

const featureLabel = (sheets) => (row, _, slice) =>
  [sheets.down > 1 ? `feature ${row}` : "", sheets.slices > 1 ? `slice ${short(slice + sheets.frames[0][0])}` : ""]
    .filter(Boolean).join(", ");

/** Cells as a grid that a screen reader and the arrow keys can walk through. */
function grid(label, cells, counts) {
  const rows = new Map();
  for (const cell of cells) rows.set(cell.place[1], [...(rows.get(cell.place[1]) ?? []), cell]);
  const lines = [...rows].sort(([a], [b]) => a - b).map(([, line], row) => {
    const written = line.sort((a, b) => a.place[0] - b.place[0]).map((cell, column) =>
      `<g role="gridcell" tabindex="-1" data-at="${cell.at}" data-r="${row}" data-c="${cell.column ?? column}" aria-colindex="${(cell.column ?? column) + 1}" ` +
      `aria-label="${escapeText(cell.label)}" class="${cell.kind}">${cell.drawn}</g>`);
    return `<g role="row" aria-rowindex="${(counts ? line[0].place[1] : row) + 1}">${written.join("")}</g>`;
  });
  const [down, across] = counts ?? [rows.size, Math.max(...[...rows.values()].map((line) => line.length))];
  return `<g role="grid" aria-rowcount="${down}" aria-colcount="${across}" aria-label="${escapeText(label)}">${lines.join("")}</g>`;
}

const spoken = (index) => (index.length === 1 ? String(index[0]) : `(${index.join(", ")})`);

/** The map that a panel reads, with its padding and inserted zeros. */
export function inputSvg(panel, unit, dark) {
  const { model, inputSheets: sheets, input } = panel;
  const pen = new Pen(unit, dark, model.g.taps);
  const cells = [];
  let beside = "";
  const seen = new Set();
  for (let feature = 0; feature < panel.inputFeatures; feature++) {
    for (const { position, kind, index } of panel.cells) {
      const place = sheets.place(position, feature, 0);
      const flat = index * panel.inputFeatures + feature;
      const text = index < 0 ? "0" : model.cellText(input, flat, "input");
      const own = kind === "cell" || (kind === "crop" && index >= 0 && !seen.has(flat));
      const drawn = `<rect class="${kind} ${input}" ${pen.box(place)}/>${pen.text(place, text)}`;
      if (own) {
        seen.add(flat);
        const cropped = kind === "crop" ? ", cropped" : "";
        const label = `${input} ${spoken(model.index(input, flat)[0])}${cropped}: ${text}`;
        cells.push({ place, at: `${input}${flat}`, kind, label, drawn });
      } else {
        const at = index >= 0 ? ` data-at="${input}${flat}"` : "";
        beside += `<g aria-hidden="true" class="${kind}"${at}>${drawn}</g>`;
      }
    }
  }
  const sizes = [sheets.columns * unit, sheets.rows * unit];
  const label = `input ${input}, ${times(model.shape(input).slice(0, -1))}`;
  const labels = sheetLabels(sheets, unit, featureLabel(sheets));
  return svg("input", ...sizes, `${labels}${beside}${grid(label, cells)}<g class="marks" aria-hidden="true"></g>`);
}

export function outputSvg(panel, unit, dark) {
  const { model, outputSheets: sheets, output } = panel;
  const pen = new Pen(unit, dark, model.g.taps);
  const cells = [];
  for (let feature = 0; feature < panel.outputFeatures; feature++) {
    let cell = 0;
    for (const position of sheets.positions()) {
      const flat = cell++ * panel.outputFeatures + feature;
      const place = sheets.place(position, feature, 0);
      const text = model.cellText(output, flat, "output");
      const drawn = `<rect class="cell ${output}" ${pen.box(place)}/>${pen.text(place, text)}`;
      const label = `${output} ${spoken(model.index(output, flat)[0])}: ${text}`;
      cells.push({ place, at: `${output}${flat}`, kind: "cell", label, drawn });
    }
  }
  const sizes = [sheets.columns * unit, sheets.rows * unit];
  const label = `output ${output}, ${times(model.shape(output).slice(0, -1))}`;
  const labels = sheetLabels(sheets, unit, featureLabel(sheets));
  return svg("output", ...sizes, `${labels}${grid(label, cells)}<g class="marks" aria-hidden="true"></g>`);
}

/** Where a weight stands in the drawn kernel. */
function weightPlace(panel, weight) {
  const { g, pooling } = panel.model;
  const input = Math.floor(weight / g.outFeatures) % g.groupInputs;
  const position = panel.kernelPosition(panel.model.tapOf(weight));
  return panel.kernelSheets.place(position, input, pooling ? 0 : weight % g.outFeatures);
}

export function kernelSvg(panel, unit, dark) {
  const { model, kernelSheets: sheets } = panel;
  const pen = new Pen(unit, dark, model.g.taps);
  const cells = [];
  for (let weight = 0; weight < model.g.parameters; weight++) {
    if (model.pooling && weight % model.g.outFeatures) continue; // every feature has the same window
    const place = weightPlace(panel, weight);
    const { fill, ink } = pen.colour(model.tapOf(weight));
    const text = model.weightText(weight);
    const drawn = `<rect ${pen.box(place)} fill="${fill}"/>${pen.text(place, text, ink)}`;
    const label = `weight ${model.weightName(weight)}: ${text}`;
    cells.push({ place, at: `t${weight}`, kind: "tap", label, drawn });
  }
  const sizes = [sheets.columns * unit, sheets.rows * unit];
  const labels = sheetLabels(sheets, unit, (row, column, slice) =>
    [sheets.down * sheets.across > 1 ? `${row} → ${column}` : "", sheets.slices > 1 ? `slice ${slice}` : ""]
      .filter(Boolean).join(", "));
  const label = `kernel, ${times(model.g.kernel)}`;
  return svg("kernel", ...sizes, `${labels}${grid(label, cells)}<g class="marks" aria-hidden="true"></g>`);
}

/** What lies over the three maps of a panel for a selection. */
export function mapMarks(panel, selected, unit, dark) {
  const { model } = panel;
  const pen = new Pen(unit, dark, model.g.taps);
  const marks = panel.marks(selected);
  const content = new Map(panel.cells.map((cell) => [cell.position.join(), cell]));
  const input = marks.input.map(({ position, feature, weight }) => {
    const cell = content.get(position.join());
    if (!cell) return "";
    const text = cell.index < 0 ? "0" : model.cellText(panel.input, cell.index * panel.inputFeatures + feature, "input");
    const place = panel.inputSheets.place(position, feature, 0);
    return pen.tapped(place, model.tapOf(weight), text, model.weightText(weight));
  });
  for (const { position, feature } of marks.rings) input.push(pen.ring(panel.inputSheets.place(position, feature, 0)));
  const outputPlace = (flat) => {
    const shape = panel.transposed ? model.g.input : model.g.output;
    const position = unravel(Math.floor(flat / panel.outputFeatures), shape);
    return panel.outputSheets.place(position, flat % panel.outputFeatures, 0);
  };
  const output = marks.output.map(({ flat, weight }) =>
    pen.tapped(outputPlace(flat), model.tapOf(weight), model.cellText(panel.output, flat, "output"), model.weightText(weight)));
  for (const flat of marks.outputRings) output.push(pen.ring(outputPlace(flat)));
  const kernel = marks.kernelRings.map((weight) => pen.ring(weightPlace(panel, weight)));
  if (selected.entries.length && marks.kernel.size < model.g.parameters && !model.pooling) {
    for (let weight = 0; weight < model.g.parameters; weight++) {
      if (!marks.kernel.has(weight)) kernel.push(`<rect class="veil" ${pen.box(weightPlace(panel, weight), 0)}/>`);
    }
  }
  return { input: input.join(""), output: output.join(""), kernel: kernel.join("") };
}

/** The matrix of a panel: C, or C-transposed. */
export class MatrixDrawing {
  constructor(panel, unit, dark) {
    const { g } = panel.model;
    Object.assign(this, { panel, unit, dark, transposed: panel.transposed });
    [this.rows, this.columns] = this.transposed ? [g.columns, g.rows] : [g.rows, g.columns];
    this.listed = g.rows * g.columns <= MOST_PLACES;
    this.left = 34;
    this.top = 22;
    this.pen = new Pen(unit, dark, g.taps);
  }

  at(entry) {
    return this.transposed ? [entry.row, entry.column] : [entry.column, entry.row];
  }

  text(entry) {
    const names = entry.weights.map((weight) => this.panel.model.weightText(weight));
    if (this.panel.model.state.values === "symbols" || names.length === 1) return names.join("+");
    return short(entry.weights.reduce((total, weight) => total + this.panel.model.w[weight], 0));
  }

  drawn(entry) {
    const place = this.at(entry);
    const { fill, ink } = this.pen.colour(entry.taps[0]);
    const [x, y] = place.map((p) => p * this.unit);
    const cell = `<rect x="${x}" y="${y}" width="${this.unit}" height="${this.unit}" fill="${fill}"/>`;
    return this.unit >= 13 ? cell + this.pen.text(place, this.text(entry), ink) : cell;
  }

  label(entry) {
    const { model } = this.panel;
    const [column, row] = this.at(entry);
    const names = entry.weights.map((weight) => model.weightName(weight)).join("+");
    const text = this.text(entry);
    return `row ${row}, column ${column}: ${names}${names === text ? "" : ` = ${text}`}`;
  }

  svg() {
    const { model } = this.panel;
    const { unit, rows, columns } = this;
    const [width, height] = [columns * unit, rows * unit];
    const name = this.transposed ? "C transposed" : "C";
    const title = `${name}, ${rows} rows and ${columns} columns, ${model.entries.length} entries`;
    let entries;
    if (this.listed) {
      const cells = model.entries.map((entry) => ({
        place: this.at(entry),
        column: this.at(entry)[0],
        at: `e${entry.row}.${entry.column}`,
        kind: "entry",
        label: this.label(entry),
        drawn: this.drawn(entry),
      }));
      entries = grid(title, cells, [rows, columns]);
    } else {
      const paths = new Map();
      for (const entry of model.entries) {
        const [x, y] = this.at(entry);
        const step = `M${x} ${y}h1v1h-1z`;
        paths.set(entry.taps[0], (paths.get(entry.taps[0]) ?? "") + step);
      }
      const drawn = [...paths].map(([tap, d]) => `<path d="${d}" fill="${this.pen.colour(tap).fill}"/>`);
      entries = `<g role="img" aria-label="${title}" transform="scale(${unit})">${drawn.join("")}</g>`;
    }
    const content =
      `<rect class="empty" width="${width}" height="${height}"/>${this.lines()}` +
      `<g class="entries">${entries}</g><g class="marks" aria-hidden="true"></g>`;
    const [w, h] = [width + this.left + 2, height + this.top + 2];
    return (
      `<svg class="drawing matrix" viewBox="0 0 ${w} ${h}" width="${w}" height="${h}" ` +
      `xmlns="http://www.w3.org/2000/svg">${this.ticks()}` +
      `<g class="table" transform="translate(${this.left} ${this.top})">${content}</g></svg>`
    );
  }

  /** Rows or columns that share the first index of their map, and how many there are. */
  block(down) {
    const shape = this.panel.model.shape(down === this.transposed ? "x" : "y");
    const block = product(shape.slice(1));
    return shape.length > 2 || shape.at(-1) > 1 ? block : 0;
  }

  lines() {
    const { unit, rows, columns } = this;
    const [width, height] = [columns * unit, rows * unit];
    let thin = "";
    let thick = "";
    for (let row = 1; row < rows; row++) {
      const step = `M0 ${row * unit}H${width}`;
      if (this.block(true) > 1 && row % this.block(true) === 0) thick += step;
      else if (unit >= 5) thin += step;
    }
    for (let column = 1; column < columns; column++) {
      const step = `M${column * unit} 0V${height}`;
      if (this.block(false) > 1 && column % this.block(false) === 0) thick += step;
      else if (unit >= 5) thin += step;
    }
    return `<path class="thin" d="${thin}"/><path class="thick" d="${thick}"/>`;
  }

  ticks() {
    const { unit } = this;
    const every = (size, block) => {
      const step = block > 1 ? block : 1;
      return step * Math.max(1, Math.ceil(26 / (step * unit)));
    };
    let text = "";
    const down = every(this.rows, this.block(true));
    for (let row = 0; row < this.rows; row += down) {
      const y = this.top + row * unit + Math.min(unit / 2, 8) + 4;
      text += `<text class="tick end" x="${this.left - 6}" y="${y}">${row}</text>`;
    }
    const across = every(this.columns, this.block(false));
    for (let column = 0; column < this.columns; column += across) {
      const x = this.left + column * unit + Math.min(unit / 2, 8);
      text += `<text class="tick" x="${x}" y="${this.top - 7}">${column}</text>`;
    }
    return `<g class="ticks" aria-hidden="true">${text}</g>`;
  }

  /** What lies over the matrix for a selection: bands over its rows and columns, and its entries. */
  marks(selected) {
    const { unit, rows, columns } = this;
    const [width, height] = [columns * unit, rows * unit];
    const rowBand = (row) => `<rect class="band" x="0" y="${row * unit}" width="${width}" height="${unit}"/>`;
    const columnBand = (column) =>
      `<rect class="band" x="${column * unit}" y="0" width="${unit}" height="${height}"/>`;
    let bands = "";
    if (selected.y !== undefined) bands += this.transposed ? columnBand(selected.y) : rowBand(selected.y);
    if (selected.x !== undefined) bands += this.transposed ? rowBand(selected.x) : columnBand(selected.x);
    const entries = selected.entries.map((entry) => this.drawn(entry)).join("");
    const ring = selected.kind === "e" ? this.pen.ring(this.at({ row: selected.y, column: selected.x })) : "";
    return `<rect class="veil" width="${width}" height="${height}"/>${bands}${entries}${ring}`;
  }
}
