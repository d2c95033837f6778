/**
 * The page: controls, drawings, the selected cell, time, sizes, code and export.
 *
 * A change of the state draws everything again; a hovered cell only changes what lies over the drawings.
 */
import { PADDING_MODES, PADDING_WORDS, Refusal, inputSizes, resolvePadding } from "./arithmetic.mjs";
import { MatrixDrawing, escapeText, inputSvg, kernelSvg, mapMarks, outputSvg, times } from "./drawing.mjs";
import { exportedSvg, savePng, saveSvg } from "./export.mjs";
import { Model, Panel } from "./model.mjs";
import {
  OPERATIONS, PRESETS, VALUES, VIEWS, badWord, drawable, format, geometryOf, numbersOf, parse, presetState,
} from "./state.mjs";
import { borderNote, codeHtml, describe, factsHtml, foldingNote, outline, power } from "./words.mjs";

const SAVES = ["svg", "png", "animation"];
const element = (id) => document.getElementById(id);
const darkness = matchMedia("(prefers-color-scheme: dark)");
const narrowness = matchMedia("(max-width: 960px)");
const stillness = matchMedia("(prefers-reduced-motion: reduce)");

let state = parse(location.hash || JSON.parse(element("initial-state").textContent));
let linked = isUniform(state);
let geometry = null;
let model = null;
let panels = [];
let matrices = [];
let unit = 34;
let paired = false;
let hovered = null;
let timer = null;

function isUniform({ i, k, s, d, f, p }) {
  const same = (list) => new Set(list.map(String)).size === 1;
  return [i, k, s, d, f].every(same) && (!Array.isArray(p) || same(p));
}

// ---------------------------------------------------------------------------------------------- controls

const FIELDS = [
  ["i", "input size", 1],
  ["o", "output size", 1],
  ["k", "kernel size", 1],
  ["s", "stride", 1],
  ["low", "padding, low", null],
  ["high", "padding, high", null],
  ["d", "kernel dilation", 1],
  ["f", "input dilation", 1],
];
const LETTERS = { low: "p<sub>l</sub>", high: "p<sub>h</sub>" };

const option = (value, text, chosen) =>
  `<option value="${escapeText(value)}"${value === chosen ? " selected" : ""}>${escapeText(text)}</option>`;

function buildControls() {
  const n = state.i.length;
  const columns = linked ? [0] : state.i.map((_, axis) => axis);
  const numbers = FIELDS.map(([name, text, least]) => {
    const inputs = columns.map((axis) => {
      const where = linked ? (n > 1 ? ", every axis" : "") : `, axis ${axis}`;
      return (
        `<input type="number" step="1" id="${name}${axis}" data-field="${name}" data-axis="${axis}" ` +
        `${least === null ? "" : `min="${least}" `}aria-label="${text}${where}">`
      );
    });
    return `<span class="name">${text} <i>${LETTERS[name] ?? name}</i></span>${inputs.join("")}`;
  });
  const heads = linked ? "" :
    `<span></span>${columns.map((axis) => `<span class="axis">axis ${axis}</span>`).join("")}`;
  const presets = Object.entries(PRESETS).map(([name, { title }]) => [/^(\d+\.\d|matrix)/.test(name), name, title]);
  const group = (label, guide) =>
    `<optgroup label="${label}">${presets.filter(([is]) => is === guide).map(([, name, title]) =>
      option(name, guide ? `${name}  ${title}` : title, state.preset)).join("")}</optgroup>`;
  element("controls").innerHTML = `
    <fieldset><legend>Geometry</legend>
      <div class="row"><span class="name">axes</span><div class="segments" id="axes" role="group"
        aria-label="Number of axes">${[1, 2, 3].map((count) =>
          `<button type="button" data-axes="${count}" aria-pressed="${count === n}">${count}</button>`).join("")}</div></div>
      <div class="numbers" style="grid-template-columns: 136px repeat(${columns.length}, minmax(0, 1fr))">
        ${heads}${numbers.join("")}</div>
      ${n > 1 ? `<div class="inline"><input type="checkbox" id="linked"${linked ? " checked" : ""}>
        <label for="linked">the same on every axis</label></div>` : ""}
      <div id="sizes"></div>
    </fieldset>
    <fieldset><legend>Padding</legend>
      <div class="row"><label for="word">word</label><select id="word">${option("cells", "in cells", state.p)}
        ${PADDING_WORDS.map((word) => option(word, word, state.p)).join("")}</select></div>
      <div class="row"><label for="mode">mode</label><select id="mode">
        ${PADDING_MODES.map((mode) => option(mode, mode, state.mode)).join("")}</select></div>
    </fieldset>
    <fieldset><legend>Features</legend>
      <div class="row"><label for="op">operation</label><select id="op">
        ${Object.entries(OPERATIONS).map(([name, text]) => option(name, text, state.op)).join("")}</select></div>
      ${[["in", "input features"], ["out", "output features"], ["groups", "groups"]].map(([name, text]) =>
        `<div class="row"><label for="${name}">${text}</label><input type="number" min="1" step="1" id="${name}"
        value="${state[name]}"${state.op !== "conv" && name !== "in" ? " disabled" : ""}></div>`).join("")}
    </fieldset>
    <fieldset><legend>Values</legend>
      <div class="segments" id="values" role="group" aria-label="Values">${VALUES.map((name) =>
        `<button type="button" data-values="${name}" aria-pressed="${name === state.values}">${name}</button>`).join("")}</div>
      <details${state.x || state.w || state.y ? " open" : ""} style="margin-top: 12px"><summary>Own numbers</summary>
      ${[["x", "input x"], ["w", "kernel w"], ["y", "output y, for the transpose"]].map(([name, text]) =>
        `<label for="own-${name}">${text}</label><input type="text" id="own-${name}" data-own="${name}"
        placeholder="3 3 2 1 0 ..." value="${escapeText(state[name]?.join(" ") ?? "")}" aria-describedby="note-${name}">
        <p class="quiet note" id="note-${name}" role="status"></p>`).join("")}</details>
    </fieldset>`;
  element("preset").innerHTML = option("", "your own", state.preset) +
    group("Figures of Dumoulin & Visin", true) + group("More", false);
  element("view").innerHTML = VIEWS.map((name) =>
    `<button type="button" data-view="${name}" aria-pressed="${name === state.view}">${name}</button>`).join("");
  fillNumbers();
}

/** Writes the numbers into the fields, but for the one that is being edited. */
function fillNumbers() {
  for (const input of element("controls").querySelectorAll("[data-field]")) {
    const { field, axis } = input.dataset;
    const value = fieldValue(field, Number(axis));
    if (input !== document.activeElement) input.value = value ?? "";
  }
  for (const input of element("controls").querySelectorAll("[data-own]")) {
    const bad = badWord(state[input.dataset.own]);
    input.setAttribute("aria-invalid", bad !== undefined);
    element(`note-${input.dataset.own}`).textContent = bad === undefined ? ownNote(input.dataset.own) :
      `"${bad}" is not a number; none of these numbers is used.`;
  }
  element("mode").value = state.mode; // empty for an unknown one
  element("word").value = Array.isArray(state.p) ? "cells" : state.p;
  element("preset").value = state.preset in PRESETS ? state.preset : "";
  element("sizes").innerHTML = sizeChips();
}

/** Says how own numbers fill a map or the kernel. */
function ownNote(name) {
  const count = state[name]?.length;
  if (!count || !geometry || (name === "w" && state.op !== "conv")) return "";
  const places = { x: geometry.columns, w: geometry.parameters, y: geometry.rows }[name];
  if (count === places) return "";
  const numbers = count === 1 ? "1 number" : `${count} numbers`;
  const used = count < places ? "repeated over" : "of which the first are used for";
  return `${numbers}, ${used} ${places.toLocaleString("en")} ${name === "w" ? "weights" : "cells"}`;
}

function fieldValue(field, axis) {
  if (field === "o") return geometry?.output[axis];
  if (field !== "low" && field !== "high") return state[field][axis];
  const [i, k, s, d, f] = ["i", "k", "s", "d", "f"].map((name) => state[name][axis]);
  const word = Array.isArray(state.p) ? state.p[axis] : state.p;
  return resolvePadding(word, f * (i - 1) + 1, d * (k - 1) + 1, s)[field === "low" ? 0 : 1];
}

/** The input sizes of axis 0, or of every axis, that share the output, as buttons. */
function sizeChips() {
  if (!geometry) return "";
  const axes = linked ? [0] : state.i.map((_, axis) => axis);
  return axes.map((axis) => {
    const sizes = sizesFor(axis, geometry.output[axis]);
    if (sizes.length < 2) return "";
    const shown = Array.from({ length: Math.min(sizes.length, 6) }, (_, at) => sizes.first + at);
    const where = linked ? "" : `axis ${axis}: `;
    const buttons = shown.map((size) =>
      `<button type="button" data-size="${size}" data-axis="${axis}" aria-pressed="${size === state.i[axis]}">` +
      `i = ${size}</button>`);
    return `<p class="quiet" style="font-size: 13px; margin-top: 10px">${where}input sizes with this output size</p>` +
      `<div class="chips">${buttons.join("")}</div>`;
  }).join("");
}

function sizesFor(axis, out) {
  const padding = Array.isArray(state.p) ? state.p[axis] : state.p;
  return inputSizes(out, state.k[axis], state.s[axis], padding, state.d[axis], state.f[axis], state.mode);
}

/** Changes an entry of a list on one axis, or on all where they are linked. */
const onAxes = (list, axis, value) => list.map((old, other) => (linked || other === axis ? value : old));

function setField(field, axis, value) {
  if (field === "o") return solveFor(axis, value);
  if (field === "low" || field === "high") {
    const pairs = Array.isArray(state.p) ? state.p : geometry?.padding ?? state.i.map(() => [0, 0]);
    const pair = [...pairs[axis]];
    pair[field === "low" ? 0 : 1] = value;
    return change({ p: onAxes(pairs, axis, pair) });
  }
  return change({ [field]: onAxes(state[field], axis, value) });
}

/** Sets the input size that has some output size: the one that leaves as many cells over as now, if there is one. */
function solveFor(axis, out) {
  const sizes = sizesFor(axis, out);
  if (!Number.isSafeInteger(out) || out < 1 || !sizes.length) {
    const reason = out >= 1 && sizes.length === 0
      ? `no input size has ${out} outputs on this axis; change the padding, the stride or input_dilation`
      : "an output size must be an integer of at least 1";
    return showRefusal(`${reason}.`);
  }
  const left = geometry ? geometry.input[axis] - sizesFor(axis, geometry.output[axis]).first : 0;
  return change({ i: onAxes(state.i, axis, Math.min(sizes.first + Math.max(left, 0), sizes.last)) });
}

function setAxes(n) {
  const resized = (list) => Array.from({ length: n }, (_, axis) => list[Math.min(axis, list.length - 1)]);
  const next = Object.fromEntries(["i", "k", "s", "d", "f"].map((name) => [name, resized(state[name])]));
  if (Array.isArray(state.p)) next.p = resized(state.p);
  change(next, true);
}

// ---------------------------------------------------------------------------------------------- the state

/** Takes over some changes, and draws. */
function change(changes, rebuild = false) {
  const touched = Object.keys(changes);
  const own = touched.every((name) => ["at", "speed", "values", "view", "x", "y", "w"].includes(name));
  state = { ...state, ...(own ? {} : { preset: "" }), ...changes };
  if (!own) state.at = "0";
  if (touched.includes("view")) state.at = "0";
  draw(rebuild);
}

function remember() {
  try {
    history.replaceState(null, "", `#${format(state)}`);
  } catch {
    // A page inside of a notebook has no address of its own.
  }
}

function showRefusal(sentence) {
  element("refusal").innerHTML = sentence ? `<p class="refusal">${escapeText(sentence)}</p>` : "";
  element("main").classList.toggle("refused", Boolean(sentence));
}

function draw(rebuild = false) {
  remember();
  hovered = null;
  try {
    geometry = geometryOf(state);
    showRefusal("");
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    geometry = null;
    stop();
    model = null; // the drawings stay, but nothing in them can be selected or saved
    for (const id of SAVES) element(id).disabled = true;
    showRefusal(error.message);
  }
  if (rebuild) buildControls();
  else fillNumbers();
  for (const button of document.querySelectorAll("#view button")) {
    button.setAttribute("aria-pressed", button.dataset.view === state.view);
  }
  for (const button of document.querySelectorAll("#values button")) {
    button.setAttribute("aria-pressed", button.dataset.values === state.values);
  }
  if (!geometry) return;
  drawStage();
  drawTime();
  element("facts").innerHTML = factsHtml(state, geometry);
  element("code").innerHTML = codeHtml(state, geometry);
  select();
}

// ---------------------------------------------------------------------------------------------- drawings

function drawStage() {
  matrices = [];
  panels = [];
  if (!drawable(geometry)) {
    model = null;
    element("stage").innerHTML = outline(geometry);
    return;
  }
  model = new Model(state, geometry);
  const views = state.op === "max" ? [false] : { direct: [false], transposed: [true], both: [false, true] }[state.view];
  panels = views.map((transposed) => new Panel(model, transposed));
  paired = panels.length > 1 && matchMedia("(min-width: 1300px)").matches;
  unit = cellUnit();
  if (paired && unit < 19) {
    paired = false;
    unit = cellUnit();
  }
  const dark = darkness.matches;
  element("stage").classList.toggle("pair", paired);
  element("stage").innerHTML = panels.map((panel, number) => {
    const matrix = new MatrixDrawing(panel, matrixUnit(), dark);
    matrices.push(matrix);
    return panelHtml(panel, matrix, number, dark);
  }).join("");
  if (state.op === "max" && state.view !== "direct") {
    element("stage").insertAdjacentHTML("beforeend",
      '<p class="outline">Max pooling is not linear: it has no transpose. Its derivative multiplies by the ' +
      "transpose of the matrix of its switches.</p>");
  }
  for (const grid of document.querySelectorAll("[role=grid]")) grid.querySelector("[role=gridcell]")?.setAttribute("tabindex", "0");
}

/** Pixels that a panel is wide: two stand side by side where there is room. */
function panelWidth() {
  const all = element("stage").clientWidth || 900;
  return paired ? (all - 52) / 2 : all;
}

/** Pixels of a cell of the maps: as large as fits, input, kernel and output beside each other if they can be. */
function cellUnit() {
  const room = Math.max(Math.min(panelWidth() - 40, 620), 240);
  const most = (size) => Math.max(...panels.map(size));
  const widest = most((panel) => Math.max(panel.inputSheets.columns, panel.outputSheets.columns));
  const tallest = most((panel) => Math.max(panel.inputSheets.rows, panel.outputSheets.rows));
  const row = most((panel) => panel.inputSheets.columns + panel.kernelSheets.columns + panel.outputSheets.columns + 3);
  const columns = paired ? row : widest;
  return Math.max(Math.min(Math.floor(Math.min(room / columns, 620 / tallest)), 36), 15);
}

/** Pixels of an entry of C, the same for C and its transpose. */
function matrixUnit() {
  const room = Math.max(Math.min(panelWidth(), 760) - 40, 240);
  const sides = [geometry.columns, geometry.rows];
  if (panels[0].transposed) sides.reverse();
  const [widest, tallest] = panels.length > 1 ? [Math.max(...sides), Math.max(...sides)] : sides;
  return Math.max(Math.min(Math.floor(Math.min(room / widest, 640 / tallest)), 26), 3);
}

function panelHtml(panel, matrix, number, dark) {
  const g = geometry;
  const { transposed, input, output } = panel;
  const max = state.op === "max";
  const operation = OPERATIONS[state.op];
  const title = transposed
    ? `The transposed convolution <span class="formula">x = C<sup>T</sup> y</span>`
    : `${state.op === "conv" ? "The convolution" : operation[0].toUpperCase() + operation.slice(1)} <span class="formula">${max ? "y = max over each window of x" : "y = C x"}</span>`;
  const features = (count) => (count > 1 ? `, ${count} features` : "");
  const sizes = { x: g.input, y: g.output };
  const counts = { x: g.inFeatures, y: g.outFeatures };
  const around = panel.axes?.some((axis) => axis.padding.some((cells) => cells !== 0) || axis.inputDilation > 1);
  const note = around ? `<br>${borderNote(panel)}` : "";
  const flipped = transposed && panel.geometry ? ", flipped" : "";
  const figures = [
    ["input", `<b>input ${input}</b> ${times(sizes[input])}${features(counts[input])}${note}`, inputSvg(panel, unit, dark)],
    ["kernel", `<b>${max ? "window" : "kernel w"}</b> ${times(g.kernel)}${flipped}`, kernelSvg(panel, unit, dark)],
    ["output", `<b>output ${output}</b> ${times(sizes[output])}${features(counts[output])}`, outputSvg(panel, unit, dark)],
  ];
  const drawn = figures.map(([name, caption, drawing]) =>
    `<figure data-map="${name}"><figcaption>${caption}</figcaption><div class="scroll">${drawing}</div></figure>`);
  const entries = `${matrix.rows.toLocaleString("en")} × ${matrix.columns.toLocaleString("en")}, ` +
    `${model.entries.length.toLocaleString("en")} entries`;
  const reason = transposed && !panel.geometry ? foldingNote(geometry) : "";
  return `<article class="panel" data-panel="${number}"><h2>${title}</h2>${reason}
    <div class="flow"><div class="maps">${drawn.join("")}</div>
    <figure data-map="matrix"><figcaption><b>matrix ${power(transposed)}</b> ${entries}${max ? ": what a window may choose" : ""}<br>` +
    `a row per output cell ${output}, a column per input cell ${input}</figcaption>
    <div class="scroll"${matrix.listed ? "" : ' tabindex="0" role="group" aria-label="Matrix"'}>${matrix.svg()}</div></figure></div></article>`;
}

// ---------------------------------------------------------------------------------------------- selection

/** Lights up the hovered cell, or the pinned one. */
function select() {
  if (!model) {
    element("sum").innerHTML = "";
    return;
  }
  let selected = model.selection(hovered ?? state.at);
  if (selected.kind === "none") { // of another geometry
    state.at = "0";
    remember();
    selected = model.selection("0");
  }
  panels.forEach((panel, number) => {
    for (const [name, marks] of Object.entries(marksOf(number, selected))) {
      document.querySelector(`[data-panel="${number}"] .${name} .marks`).innerHTML = marks;
    }
  });
  const descriptions = panels.map((panel) => describe(panel, selected, darkness.matches));
  element("sum").innerHTML = descriptions.map(({ html }) => html).join("");
  if (!timer && !hovered) element("live").textContent = descriptions.map(({ spoken }) => spoken).join(" ");
  const frame = frameOfSelection(selected);
  if (frame !== null) {
    element("frame").value = frame;
    element("count").textContent = `${frame + 1} of ${frames()}`;
  }
}

/** What lies over the drawings of a panel for a selection, by their names. */
const marksOf = (number, selected) => ({
  ...mapMarks(panels[number], selected, unit, darkness.matches),
  matrix: matrices[number].marks(selected),
});

/** The cell under the pointer; in C the place, whether it holds an entry or not. */
function cellUnder(event) {
  const table = event.target.closest(".table");
  if (!table) return event.target.closest("[data-at]")?.dataset.at ?? null;
  const matrix = matrices[Number(table.closest("[data-panel]").dataset.panel)];
  const box = table.querySelector(".empty").getBoundingClientRect();
  const at = (position, start, length, count) =>
    Math.min(Math.max(Math.floor(((position - start) / length) * count), 0), count - 1);
  const row = at(event.clientY, box.top, box.height, matrix.rows);
  const column = at(event.clientX, box.left, box.width, matrix.columns);
  return matrix.transposed ? `e${column}.${row}` : `e${row}.${column}`;
}

function pin(at) {
  stop();
  hovered = null;
  state.at = at;
  remember();
  select();
}

function walk(event) {
  const cell = event.target.closest("[role=gridcell]");
  const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
  const ends = { Home: "first", End: "last" };
  if (!cell || !(event.key in steps || event.key in ends || event.key === "Enter" || event.key === " ")) return false;
  event.preventDefault();
  const grid = cell.closest("[role=grid]");
  const cells = [...grid.querySelectorAll("[role=gridcell]")];
  const number = (one, name) => Number(one.dataset[name]);
  const [r, c] = [number(cell, "r"), number(cell, "c")];
  let next = cell;
  const inRow = cells.filter((one) => number(one, "r") === r).sort((a, b) => number(a, "c") - number(b, "c"));
  if (event.key in ends) next = event.key === "Home" ? inRow[0] : inRow.at(-1);
  else if (event.key in steps) {
    const [down, right] = steps[event.key];
    if (right) next = inRow[inRow.indexOf(cell) + right] ?? cell;
    else {
      const rows = [...new Set(cells.map((one) => number(one, "r")))].sort((a, b) => a - b);
      const row = rows[rows.indexOf(r) + down];
      const there = cells.filter((one) => number(one, "r") === row);
      if (there.length) {
        next = there.reduce((best, one) => Math.abs(number(one, "c") - c) < Math.abs(number(best, "c") - c) ? one : best);
      }
    }
  }
  cell.setAttribute("tabindex", "-1");
  next.setAttribute("tabindex", "0");
  next.focus();
  pin(next.dataset.at);
  return true;
}

// ---------------------------------------------------------------------------------------------- time

const frames = () => (state.view === "transposed" && state.op !== "max" ? geometry.columns : geometry.rows);

/** The frame that shows a selection; null where it is not an output cell of the view. */
function frameOfSelection(selected) {
  const output = panels[0]?.output;
  return selected.kind === output ? selected[output] : null;
}

function drawTime() {
  const shown = model ? "" : " disabled";
  element("time").innerHTML = `
    <button type="button" id="play" aria-label="Play"${shown}>▶</button>
    <button type="button" data-step="-1" aria-label="Previous output cell"${shown}>‹</button>
    <button type="button" data-step="1" aria-label="Next output cell"${shown}>›</button>
    <input type="range" id="frame" min="0" max="${Math.max(frames() - 1, 0)}" value="0" aria-label="Output cell"${shown}>
    <span class="count quiet" id="count">1 of ${frames().toLocaleString("en")}</span>
    <span class="speed"><label for="speed" class="quiet" aria-hidden="true">speed</label>
    <input type="range" id="speed" aria-label="speed" min="0.25" max="8" step="0.25" value="${state.speed}"${shown}></span>`;
  for (const id of SAVES) element(id).disabled = !model;
  showPlaying();
}

function showPlaying() {
  const button = element("play");
  button.textContent = timer ? "❚❚" : "▶";
  button.setAttribute("aria-label", timer ? "Pause" : "Play");
}

const now = () => frameOfSelection(model.selection(state.at)) ?? 0;

function step(by) {
  if (!model) return;
  hovered = null;
  state.at = String((now() + by + frames()) % frames());
  if (!timer) remember();
  select();
}

function play() {
  if (!model || timer) return;
  timer = setInterval(() => step(1), 1000 / state.speed);
  showPlaying();
}

function stop() {
  if (!timer) return;
  clearInterval(timer);
  timer = null;
  showPlaying();
  remember();
}

// ---------------------------------------------------------------------------------------------- code and export

/** Saves an SVG that steps through all output cells. */
function saveAnimation() {
  const selections = Array.from({ length: frames() }, (_, frame) => model.selection(String(frame)));
  const steps = panels.map((_, number) => selections.map((selected) => marksOf(number, selected)));
  saveSvg(exportedSvg(String(geometry), { steps, speed: state.speed }), "convolution-animated.svg");
}

async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "copied";
  } catch {
    button.textContent = "not allowed";
  }
  setTimeout(() => (button.textContent = button.dataset.label ?? "copy"), 1500);
}

// ---------------------------------------------------------------------------------------------- events

/** What does something of its own with the arrow keys, Home and End. */
const KEYED = "input, select, textarea, summary, [role=gridcell], .scroll, .sum";

function listen() {
  const controls = element("controls");
  controls.addEventListener("submit", (event) => event.preventDefault());
  controls.addEventListener("input", (event) => {
    const { target } = event;
    if (target.dataset.field && target.value !== "") {
      setField(target.dataset.field, Number(target.dataset.axis), Number(target.value));
    } else if (["in", "out", "groups"].includes(target.id) && target.value !== "") {
      change({ [target.id]: Number(target.value) });
    } else if (target.dataset.own) change({ [target.dataset.own]: numbersOf(target.value) });
  });
  controls.addEventListener("focusout", ({ target }) => {
    const { field, axis } = target.dataset;
    const value = field && String(fieldValue(field, Number(axis)) ?? "");
    if (!field || target.value === value) return;
    target.value = value; // what was refused or left empty
    if (geometry) showRefusal("");
    else draw();
  });
  element("preset").addEventListener("change", ({ target }) => {
    if (!(target.value in PRESETS)) return;
    stop();
    state = presetState(target.value, state);
    linked = isUniform(state);
    draw(true);
    if (!stillness.matches) play();
  });
  controls.addEventListener("change", ({ target }) => {
    if (target.id === "linked") {
      linked = target.checked;
      const first = (list) => list.map(() => list[0]);
      if (!linked) return draw(true);
      const next = Object.fromEntries(["i", "k", "s", "d", "f"].map((name) => [name, first(state[name])]));
      change({ ...next, ...(Array.isArray(state.p) ? { p: first(state.p) } : {}) }, true);
    } else if (target.id === "word") {
      change({ p: target.value === "cells" ? geometry?.padding ?? state.i.map(() => [0, 0]) : target.value });
    } else if (target.id === "mode") change({ mode: target.value });
    else if (target.id === "op") change({ op: target.value }, true);
    return undefined;
  });
  document.addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    if (!button) return;
    const { view, values, axes, size, axis, copy: text } = button.dataset;
    if (view) change({ view });
    if (values) change({ values });
    if (axes) setAxes(Number(axes));
    if (size) change({ i: onAxes(state.i, Number(axis), Number(size)) });
    if (button.dataset.step) {
      stop();
      step(Number(button.dataset.step));
    }
    if (text) copy(text, button);
    if (button.id === "play") (timer ? stop : play)();
    if (button.id === "link") copy(`${location.href.split("#")[0]}#${format(state)}`, button);
    if (button.id === "svg") saveSvg(exportedSvg(String(geometry)), "convolution.svg");
    if (button.id === "animation") saveAnimation();
    if (button.id === "png") savePng(exportedSvg(String(geometry), { fixed: true }), "convolution.png");
  });
  element("time").addEventListener("input", ({ target }) => {
    if (target.id === "frame") pin(target.value);
    if (target.id === "speed") {
      state.speed = Number(target.value);
      remember();
      if (timer) {
        stop();
        play();
      }
    }
  });
  const stage = element("stage");
  stage.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch" || timer) return;
    const at = cellUnder(event);
    if (at === hovered) return;
    hovered = at;
    select();
  });
  stage.addEventListener("pointerleave", () => {
    if (hovered === null) return;
    hovered = null;
    select();
  });
  stage.addEventListener("click", (event) => {
    const at = cellUnder(event);
    if (at) pin(at);
  });
  stage.addEventListener("focusin", ({ target }) => {
    if (target.matches("[role=gridcell]") && target.matches(":focus-visible")) pin(target.dataset.at);
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || walk(event)) return;
    const taken = event.key === " " ? `${KEYED}, button, a` : KEYED;
    if (!model || event.target.closest(taken)) return;
    const keys = {
      ArrowLeft: () => step(-1), ArrowRight: () => step(1), " ": timer ? stop : play,
      Home: () => pin("0"), End: () => pin(String(frames() - 1)),
    };
    if (!(event.key in keys)) return;
    event.preventDefault();
    if (event.key !== " ") stop();
    keys[event.key]();
  });
  darkness.addEventListener("change", () => draw());
  addEventListener("hashchange", () => {
    if (location.hash.slice(1) === format(state)) return;
    state = parse(location.hash);
    linked = isUniform(state);
    draw(true);
  });
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return;
    width = innerWidth;
    draw();
  });
}

function start() {
  element("share").innerHTML = `
    <button type="button" id="link" data-label="copy link">copy link</button>
    <button type="button" id="svg">save SVG</button> <button type="button" id="png">save PNG</button>
    <button type="button" id="animation">save animated SVG</button>
    <span class="quiet">Keys: <kbd>←</kbd> <kbd>→</kbd> step, <kbd>space</kbd> plays, <kbd>Tab</kbd> and arrows walk a map.</span>`;
  element("link").hidden = location.protocol === "about:"; // inside of a notebook there is no address to copy
  const fold = () => (element("panel").open = !narrowness.matches);
  fold();
  narrowness.addEventListener("change", fold); // a frame in a notebook gets its width later
  listen();
  draw(true);
}

start();
