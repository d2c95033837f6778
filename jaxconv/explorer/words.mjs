/**
 * The words of the page: the selected cell, sizes and counts, and code, as HTML. No document.
 */
import { RELATIONSHIPS, evenness, followedBy, putIn, typeset } from "./arithmetic.mjs";
import { calls, commandLine, ownCall, transposedCalls } from "./calls.mjs";
import { escapeText, tapColour, times } from "./drawing.mjs";
import { short } from "./state.mjs";

const MOST_TERMS = 64;
/** Rows and columns of C up to which `jaxconv animate` has room for the maps and C. */
const MOST_MOVING = 144;

export const power = (transposed) => (transposed ? "C<sup>T</sup>" : "C");

/** A formula with its letters in italics. */
const italic = (text) => typeset(text).replace(/[a-z]+′?/g, (letters) => `<i>${letters}</i>`);

const cellName = (model, map, flat) => {
  const [index] = model.index(map, flat);
  return `${map}<sub>${index.join(",")}</sub>`;
};

/**
 * Describes a selection for a panel: the sum of an output cell written out, or what reads an input cell.
 *
 * @returns {{html: string, spoken: string}} For the page, and for a screen reader.
 */
export function describe(panel, selected, dark) {
  const { model, input, output, transposed } = panel;
  const { state, w } = model;
  const name = (map, flat) => cellName(model, map, flat);
  const colourOf = (weight) => tapColour(model.tapOf(weight), model.g.taps, dark).fill;
  const plainName = (map, flat) => `${map} (${model.index(map, flat)[0].join(", ")})`;
  if (selected.kind === output) {
    const flat = selected[output];
    const source = (entry) => (transposed ? entry.row : entry.column);
    const terms = selected.entries.flatMap((entry) => entry.weights.map((weight) => ({ weight, flat: source(entry) })));
    terms.sort((a, b) => a.weight - b.weight);
    const shown = terms.slice(0, MOST_TERMS).map(({ weight, flat: cell }) => term(panel, weight, cell, colourOf(weight)));
    const more = terms.length > MOST_TERMS ? ` + … (${terms.length - MOST_TERMS} more)` : "";
    const result = short((transposed ? model.CTy : model.Cx)[flat]);
    const join = state.op === "max" ? ", " : " + ";
    const body = state.op === "max" ? `max(${shown.join(join)}${more})` : shown.join(join) + more || "0";
    const equals = state.values === "symbols" ? "" : ` = <b>${result}</b>`;
    const outside = panel.window(flat).length - terms.length;
    const padding = outside > 0 ? `; ${outside} taps meet padding or inserted zeros` : "";
    return {
      html: `<p class="quiet">output cell ${name(output, flat)} is row ${flat} of ${power(transposed)}${padding}</p>` +
        `<p class="terms">${name(output, flat)} = ${body}${equals}</p>`,
      spoken: `Output ${plainName(output, flat)}, row ${flat}: ${terms.length} terms, result ${result}.`,
    };
  }
  if (selected.kind === input) {
    const flat = selected[input];
    const target = (entry) => (transposed ? entry.column : entry.row);
    const shown = selected.entries.slice(0, MOST_TERMS).map((entry) =>
      `<span class="term" style="--tap: ${colourOf(entry.weights[0])}">${name(output, target(entry))} by ` +
      `${entry.weights.map((weight) => escapeText(model.weightName(weight))).join(" + ")}</span>`);
    const count = selected.entries.length;
    const windows = count === 1 ? "1 output cell" : `${count} output cells`;
    return {
      html: `<p class="quiet">input cell ${name(input, flat)} is column ${flat} of ${power(transposed)}, read by ${windows}</p>` +
        `<p class="terms">${shown.join(" &nbsp; ") || "no window reaches it"}</p>`,
      spoken: `Input ${plainName(input, flat)}, column ${flat}, read by ${windows}.`,
    };
  }
  if (selected.kind === "t") {
    const weightName = model.weightName(selected.weight);
    const value = state.op === "max" ? "" : ` = ${short(w[selected.weight])}`;
    return {
      html: `<p class="quiet">weight <span class="term" style="--tap: ${colourOf(selected.weight)}">${escapeText(weightName)}${value}</span>
        is one diagonal band of ${power(transposed)}: ${selected.entries.length} entries</p>`,
      spoken: `Weight ${weightName}, ${selected.entries.length} entries.`,
    };
  }
  if (selected.kind === "e") {
    const [row, column] = transposed ? [selected.x, selected.y] : [selected.y, selected.x];
    const [entry] = selected.entries;
    const value = entry ? entry.weights.map((weight) => model.weightText(weight)).join(" + ") : "0";
    const names = entry ? entry.weights.map((weight) => model.weightName(weight)).join(" + ") : "";
    const says = entry ? `reads ${name(input, column)} by ${escapeText(names)}` : `does not read ${name(input, column)}`;
    return {
      html: `<p class="quiet">row ${row}, column ${column} of ${power(transposed)}: output cell ${name(output, row)} ${says}</p>` +
        `<p class="terms">${power(transposed)}[${row}, ${column}] = <b>${escapeText(value)}</b></p>`,
      spoken: `Row ${row}, column ${column}: ${entry ? names : "no entry"}.`,
    };
  }
  return { html: "", spoken: "" };
}

function term(panel, weight, flat, colour) {
  const { model } = panel;
  const { state } = model;
  const cell = state.values === "symbols" ? escapeText(model.symbol(panel.input, flat)) : short(model[panel.input][flat]);
  const written = state.op === "max" ? cell : `${cell}·${escapeText(model.weightText(weight))}`;
  return `<span class="term" style="--tap: ${colour}">${written}</span>`;
}

/** Says how the input of a panel is padded and stretched. */
export function borderNote(panel) {
  const { axes } = panel;
  const { mode } = panel.model.g;
  const unique = (values) => (new Set(values).size === 1 ? values[0] : values.join("; "));
  const pads = unique(axes.map(({ padding: [low, high] }) => (low === high ? `${low}` : `${low} low, ${high} high`)));
  const parts = [];
  if (axes.some((axis) => axis.inputDilation > 1)) {
    parts.push(`${unique(axes.map((axis) => String(axis.inputDilation - 1)))} zeros inserted`);
  }
  if (axes.some((axis) => axis.padding.some(Boolean))) {
    const cropped = axes.every((axis) => Math.max(...axis.padding) <= 0);
    parts.push(`padding ${pads}${mode === "zeros" ? "" : `, ${mode}`} (${cropped ? "crossed out" : "dashed"})`);
  }
  return parts.join("; ").replace(/^1 zeros/, "1 zero").replaceAll("-", "−");
}

/** Says why the transpose is not drawn as a direct convolution. */
export function foldingNote(g) {
  return `<p class="quiet">The transpose of ${g.mode} padding adds the border to the cells that it was copied from. No
    direct convolution does that, so y is drawn as it is.</p>`;
}

/** Stands in the place of drawings that would be too large. */
export function outline(g) {
  const nnz = g.nnz === null ? "too many entries to count here" : `${g.nnz.toLocaleString("en")} entries`;
  return `<div class="panel"><h2>Too large to draw</h2><p class="outline">input ${times(g.input)}, kernel ${times(g.kernel)},
    output ${times(g.output)}; C is ${g.rows.toLocaleString("en")} × ${g.columns.toLocaleString("en")} with ${nnz}.
    Sizes, counts and code below are complete.</p></div>`;
}

/** Returns sizes and counts: the relationships that apply, with their numbers put in. */
export function factsHtml(state, g) {
  const groups = new Map();
  g.axes.forEach((axis, number) => {
    const key = String(axis);
    groups.set(key, [axis, [...(groups.get(key)?.[1] ?? []), number]]);
  });
  const named = (numbers) => (g.axes.length === 1 ? "" : numbers.length === 1 ? `axis ${numbers[0]}` :
    `axes ${numbers.slice(0, -1).join(", ")} and ${numbers.at(-1)}`);
  const axes = [...groups.values()].map(([axis, numbers]) =>
    `${g.axes.length > 1 ? `<h3>${named(numbers)}</h3>` : ""}${axisFacts(state, axis)}`);
  const nnz = g.nnz;
  const share = nnz === null ? "" : ` (${((100 * nnz) / (g.rows * g.columns)).toPrecision(3)} %)`;
  const count = (value) => (value === null ? "too many to count here" : value.toLocaleString("en"));
  const facts = [
    ["matrix C", `${count(g.rows)} × ${count(g.columns)}`],
    ["entries", `${count(nnz)}${share}`],
    ["parameters", state.op === "conv" ? `${count(g.parameters)}; a bias adds ${count(g.outFeatures)}` : "none"],
    ["multiplications", count(g.multiplications)],
    ["unused input cells", g.axes.map((axis) => count(axis.unused)).join(", ") + (g.axes.length > 1 ? " per axis" : "")],
    ["as Python", `<code>${escapeText(String(g))}</code>`],
  ];
  return `<div><h2>Sizes</h2>${axes.join("")}</div>
    <div><h2>Counts</h2><dl>${facts.map(([name, text]) => `<dt>${name}</dt><dd>${text}</dd>`).join("")}</dl></div>`;
}

function relationshipHtml(number, axis) {
  const [section, , formula] = RELATIONSHIPS[number];
  const transposed = formula.startsWith("o'");
  const value = transposed ? axis.stretched : axis.outSize;
  const i = axis.inputDilation > 1
    ? `<br><span class="quiet" style="font-size: 14px">${transposed ? "o′ is" : "i is"} the stretched size f (i − 1) + 1 = ${axis.stretched}</span>` : "";
  const right = putIn(number, axis);
  const worked = right === String(value) ? `= ${value}` : `= ${typeset(right)} = ${value}`;
  return `<p class="relationship">${italic(formula)}<br><span class="numbers-in">${worked}</span>${i}</p>
    <p class="quiet" style="font-size: 13px">relationship ${number}, section ${section} of
    <a href="https://arxiv.org/abs/1603.07285">arXiv:1603.07285</a></p>`;
}

function axisFacts(state, axis) {
  const overlaps = axis.overlaps;
  const facts = [["a, cells left over", axis.outputPadding]];
  if (axis.mode === "zeros") {
    const e = axis.equivalentDirect();
    const cells = (pad) => (pad < 0 ? `crop ${-pad}` : `pad ${pad}`);
    const stretched = e.inputDilation > 1 ? `, stretched to ĩ′ = ${e.stretched}` : "";
    facts.push(["transpose as a convolution",
      `i′ = ${e.size}${stretched}, p′: ${cells(e.padding[0])} low, ${cells(e.padding[1])} high, s′ = ${e.stride}, kernel flipped`]);
  }
  const listed = overlaps && (overlaps.length > 12 ? `${overlaps.slice(0, 12).join(", ")}, …` : overlaps.join(", "));
  facts.push(["overlap of the transpose", overlaps ? `${listed}: ${evenness(overlaps)}` : "too many to count here"]);
  const pooling = state.op !== "conv";
  const numbers = [];
  if (state.view !== "transposed" || pooling) numbers.push(followedBy(axis, false, pooling));
  if (state.view !== "direct" && !pooling) numbers.push(followedBy(axis, true));
  return `${numbers.map((number) => relationshipHtml(number, axis)).join("")}
    <dl style="margin-top: 8px">${facts.map(([name, text]) => `<dt>${name}</dt><dd>${text}</dd>`).join("")}</dl>`;
}

function codeOf(state, g, transposed) {
  if (state.op === "conv") {
    const others = transposed ? transposedCalls(g) : calls(g);
    return { jaxconv: ownCall(g, transposed), ...others };
  }
  const name = state.op === "max" ? "max_pool" : "avg_pool";
  return { jaxconv: poolingCall(name, g), others: "# for other libraries this page writes convolutions only" };
}

function poolingCall(name, g) {
  if (g.mode !== "zeros") return `# ${name} has zero padding only`;
  if (Math.max(...g.inputDilation) > 1) return `# ${name} has no input dilation`;
  const list = (values) => `(${values.join(", ")}${values.length === 1 ? "," : ""})`;
  const options = [`strides=${list(g.strides)}`];
  if (g.padding.flat().some(Boolean)) options.push(`padding=${list(g.padding.map(list))}`);
  if (g.kernelDilation.some((d) => d > 1)) options.push(`dilation=${list(g.kernelDilation)}`);
  return `jaxconv.${name}(x, ${list(g.kernel)}, ${options.join(", ")})`;
}

/** Returns the code of a geometry in every library, and the command that opens this page. */
export function codeHtml(state, g) {
  const pooling = state.op !== "conv";
  const parts = pooling ? [false] : { direct: [false], transposed: [true], both: [false, true] }[state.view];
  const lines = parts.map((transposed) => {
    const rows = Object.entries(codeOf(state, g, transposed)).map(([library, code]) => {
      const missing = code.startsWith("#");
      const text = missing ? `<span class="reason">${escapeText(code.slice(2))}</span>` : `<code>${escapeText(code)}</code>`;
      const copy = missing ? "<span></span>" :
        `<button type="button" data-copy="${escapeText(code)}" aria-label="Copy the code for ${library}">copy</button>`;
      return `<dt>${library}</dt><dd>${text}</dd><dd>${copy}</dd>`;
    });
    return `${parts.length > 1 ? `<h3>${transposed ? "the transpose" : "the convolution"}</h3>` : ""}<dl>${rows.join("")}</dl>`;
  });
  const commands = Object.entries(pooling ? {} : commandsOf(state, g)).map(([name, command]) =>
    `<dt>${name}</dt><dd><code>${escapeText(command)}</code></dd><dd><button type="button" ` +
    `data-copy="${escapeText(command)}" aria-label="Copy the command for ${name}">copy</button></dd>`);
  const rows = commands.length ? `<h3>at the command line</h3><dl>${commands.join("")}</dl>` : "";
  return `<h2>Code</h2>${lines.join("")}${rows}`;
}

/** Commands take convolutions only; animations are not for large maps, nor for the transpose of another padding. */
function commandsOf(state, g) {
  const { view, values } = state;
  const flags = `${view === "direct" ? "" : ` --view ${view}`}${values === "numbers" ? "" : ` --values ${values}`}`;
  const commands = { "this page": `jaxconv explore ${commandLine(g)}${flags}` };
  const moves = view === "direct" || g.mode === "zeros";
  if (moves && Math.max(g.rows, g.columns) <= MOST_MOVING) {
    const drawn = view === "direct" ? "" : ` --${view}`;
    commands["as GIF"] = `jaxconv animate ${commandLine(g)}${drawn} --matrix --values ${values} --out conv.gif`;
  }
  return commands;
}
