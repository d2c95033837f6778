/**
 * The same convolution in other libraries, string for string what `jaxconv.interop.calls` writes.
 *
 * `tests/explorer/test_explorer_arithmetic.py` compares the two.
 */
import { Refusal, product, resolvePadding, tuple } from "./arithmetic.mjs";

/** Why a library has no such layer. This is the only place of these sentences; Python has them in interop. */
export const REASONS = {
  lacks: (library, missing) => `${library} has no ${missing.join(" and no ")}`,
  inputDilation: "input dilation: insert the zeros first",
  torchSides: "torch pads both sides alike: use F.pad first, then padding=0",
  torchNegative: (when) => `torch refuses negative padding: crop with F.pad ${when}`,
  torchRepeats: (mode) => `torch's ${mode} padding does not repeat: pad in steps with F.pad first`,
  torchTransposedMode: "nn.ConvTranspose has zero padding only",
  torchTransposedSides: "torch pads both sides alike: convolve with padding=0 and crop the result",
  torchOutputPadding: "torch's output_padding must be below strides or dilation",
  kerasStridesAndDilation: "Keras has no strides together with a dilation_rate",
  kerasCells: "Keras has no padding in cells: use layers.ZeroPadding first, then 'valid'",
  kerasTransposedCells: "Keras has no padding in cells: use 'valid' and crop the result",
  equinoxCrops: (mode) => `equinox cannot crop with ${mode} padding: crop first`,
  equinoxCircular: "eqx.nn.ConvTranspose has circular padding only with 'SAME' and 'SAME_LOWER'",
};

const FLAX_WORDS = { circular: "CIRCULAR", reflect: "REFLECT" };
const NUMPY_MODES = { zeros: "constant", circular: "wrap", reflect: "reflect", replicate: "edge" };

/** A Python name, which is written without quotes. */
class Name {
  constructor(name) {
    this.name = name;
  }
}

function python(value) {
  if (value instanceof Name) return value.name;
  if (typeof value === "string") return `'${value}'`;
  if (typeof value === "boolean") return value ? "True" : "False";
  if (!Array.isArray(value)) return String(value);
  return `(${value.map(python).join(", ")}${value.length === 1 ? "," : ""})`;
}

function call(name, positional, options) {
  const named = Object.entries(options).map(([option, value]) => `${option}=${python(value)}`);
  return `${name}(${[...positional.map(python), ...named].join(", ")})`;
}

/** Leaves out options that change nothing: null, and 1 on every axis. */
function withoutDefaults(options) {
  const says = ([, value]) => value !== null && !(Array.isArray(value) ? value : [value]).every((v) => v === 1);
  return Object.fromEntries(Object.entries(options).filter(says));
}

const any = (values) => values.some((value) => value !== 0);
const equal = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** The layer of a geometry: its own features, the forward convolution's arguments. */
function layerOf(g, transposed) {
  return {
    n: g.axes.length,
    inFeatures: transposed ? g.outFeatures : g.inFeatures,
    outFeatures: transposed ? g.inFeatures : g.outFeatures,
    kernel: g.kernel,
    strides: g.strides,
    padding: g.padding,
    mode: g.mode,
    inputDilation: g.inputDilation,
    kernelDilation: g.kernelDilation,
    groups: g.groups,
    transposed,
    outputPadding: g.outputPadding,
    spans: g.axes.map((axis) => axis.span),
  };
}

function refuse(library, ...missing) {
  const needed = missing.filter(([, needs]) => needs).map(([name]) => name);
  if (needed.length) throw new Refusal(REASONS.lacks(library, needed));
}

const dilatesInput = (layer) => [REASONS.inputDilation, Math.max(...layer.inputDilation) > 1];

function refuseTransposed(layer, library) {
  refuse(
    library,
    [`${layer.mode} padding`, layer.mode !== "zeros"],
    ["groups", layer.groups > 1],
    ["input dilation", Math.max(...layer.inputDilation) > 1],
  );
}

/** The padding of the stretched y that makes a transposed layer of zero padding a direct convolution. */
function directPadding(layer) {
  return layer.padding.map(([low, high], axis) => {
    const reach = layer.spans[axis] - 1;
    return [reach - low, reach - high + layer.outputPadding[axis]];
  });
}

function dimensionNumbers(n) {
  const letters = { 1: "W", 2: "HW", 3: "DHW" }[n];
  return [`N${letters}C`, `${letters}IO`, `N${letters}C`];
}

/** What to convolve instead of x where the padding holds no zeros, and the layer that is left to do. */
function padded(g) {
  const layer = layerOf(g, false);
  if (g.mode === "zeros") return ["x", layer];
  let x = "x";
  if (Math.max(...g.inputDilation) > 1) {
    const config = [[0, 0, 0], ...g.inputDilation.map((f) => [0, 0, f - 1]), [0, 0, 0]];
    x = `lax.pad(${x}, jnp.zeros((), x.dtype), ${tuple(config)})`;
  }
  const width = [[0, 0], ...g.padding.map((pair) => pair.map((cells) => Math.max(cells, 0))), [0, 0]];
  x = `jnp.pad(${x}, ${tuple(width)}, mode='${NUMPY_MODES[g.mode]}')`;
  if (Math.min(...g.padding.flat()) < 0) {
    const ends = g.padding.map(([low, high]) => `${Math.max(-low, 0)}:${Math.min(high, 0) || ""}`);
    x += `[:, ${ends.join(", ")}]`;
  }
  const ones = g.input.map(() => 1);
  return [x, { ...layer, mode: "zeros", padding: g.padding.map(() => [0, 0]), inputDilation: ones }];
}

function laxConv(g) {
  const [x, layer] = padded(g);
  const options = withoutDefaults({
    lhs_dilation: layer.inputDilation, rhs_dilation: layer.kernelDilation, feature_group_count: layer.groups,
  });
  options.dimension_numbers = dimensionNumbers(layer.n);
  const positional = [new Name(x), new Name("kernel"), layer.strides, layer.padding];
  return call("lax.conv_general_dilated", positional, options);
}

function laxTransposed(g) {
  const layer = layerOf(g, true);
  try {
    refuseTransposed(layer, "lax.conv_transpose");
  } catch {
    const shape = `(N, ${g.input.join(", ")}, ${g.inFeatures})`;
    return `jax.linear_transpose(lambda x: ${laxConv(g)}, jax.ShapeDtypeStruct(${shape}, y.dtype))(y)[0]`;
  }
  const positional = [new Name("y"), new Name("kernel"), layer.strides, directPadding(layer)];
  return call("lax.conv_transpose", positional, {
    ...withoutDefaults({ rhs_dilation: layer.kernelDilation }),
    dimension_numbers: dimensionNumbers(layer.n),
    transpose_kernel: true,
  });
}

const features = (layer) => [layer.inFeatures, layer.outFeatures, layer.kernel, layer.strides];

/** The call for a layer; null where nnx.Conv has no such padding. */
function flaxConv(layer) {
  let padding = layer.padding;
  if (layer.mode !== "zeros") {
    padding = FLAX_WORDS[layer.mode];
    const border = layer.spans.map((span) => [Math.floor((span - 1) / 2), Math.floor(span / 2)]);
    if (!padding || Math.max(...layer.inputDilation) > 1 || !equal(layer.padding, border)) return null;
  }
  return call("nnx.Conv", features(layer), {
    padding,
    ...withoutDefaults({
      input_dilation: layer.inputDilation, kernel_dilation: layer.kernelDilation,
      feature_group_count: layer.groups,
    }),
    use_bias: false,
    rngs: new Name("rngs"),
  });
}

function flax(g) {
  const [x, layer] = padded(g);
  return flaxConv(layerOf(g, false)) ?? `${flaxConv(layer)}  # on x = ${x}`;
}

function flaxTransposed(layer) {
  const dilation = withoutDefaults({ kernel_dilation: layer.kernelDilation });
  const write = (options) =>
    call("nnx.ConvTranspose", features(layer), { ...options, use_bias: false, rngs: new Name("rngs") });
  for (const flip of [true, false]) {
    if (folds(layer, flip)) {
      return write({ padding: "CIRCULAR", ...dilation, ...(flip ? { transpose_kernel: true } : {}) });
    }
  }
  refuseTransposed(layer, "nnx.ConvTranspose");
  return write({ padding: directPadding(layer), ...dilation, transpose_kernel: true });
}

/** Whether the layer is nnx.ConvTranspose's 'CIRCULAR'. */
function folds(layer, flip) {
  const excess = layer.spans.map((span, axis) => span - layer.strides[axis]);
  const padding = excess.map((cells) => {
    const pair = [Math.floor(Math.max(cells, 0) / 2), Math.ceil(Math.max(cells, 0) / 2)];
    return flip ? pair.reverse() : pair;
  });
  const a = excess.map((cells) => Math.max(-cells, 0));
  const simple = layer.mode === "circular" && layer.groups === 1 && Math.max(...layer.inputDilation) === 1;
  return simple && equal([layer.padding, layer.outputPadding], [padding, a]);
}

/** Whether a forward layer's padding is that of "SAME": for an input of these sizes, or without them for all. */
function padsSame(layer, sizes = null) {
  if (sizes === null && Math.max(...layer.strides) > 1) return false;
  const same = layer.spans.map((span, axis) => {
    const stretched = layer.inputDilation[axis] * ((sizes ?? [1, 1, 1])[axis] - 1) + 1;
    return resolvePadding("SAME", stretched, span, layer.strides[axis]);
  });
  return equal(layer.padding, same);
}

function torch(layer, input) {
  refuse("torch", dilatesInput(layer));
  return layer.transposed ? torchTransposed(layer) : torchForward(layer, input);
}

function torchForward(layer, input) {
  let padding = layer.padding.map(([low]) => low);
  if (layer.padding.some(([low, high]) => low !== high)) {
    if (!padsSame(layer)) throw new Refusal(REASONS.torchSides);
    padding = "same";
  }
  checkSigns(layer, "first");
  const limits = { reflect: input.map((size) => size - 1), circular: input }[layer.mode] ?? [];
  if (limits.some((limit, axis) => layer.padding[axis][0] > limit)) {
    throw new Refusal(REASONS.torchRepeats(layer.mode));
  }
  const mode = layer.mode === "zeros" ? {} : { padding_mode: layer.mode };
  return torchCall(layer, "Conv", { padding, ...mode });
}

function torchTransposed(layer) {
  if (layer.mode !== "zeros") throw new Refusal(REASONS.torchTransposedMode);
  const padding = layer.padding.map(([low]) => low);
  const a = layer.padding.map(([low, high], axis) => layer.outputPadding[axis] + low - high);
  checkSigns(layer, "afterwards");
  if (Math.min(...a) < 0) throw new Refusal(REASONS.torchTransposedSides);
  if (a.some((cells, axis) => cells >= Math.max(layer.strides[axis], layer.kernelDilation[axis]))) {
    throw new Refusal(REASONS.torchOutputPadding);
  }
  return torchCall(layer, "ConvTranspose", { padding, ...(any(a) ? { output_padding: a } : {}) });
}

function checkSigns(layer, when) {
  if (Math.min(...layer.padding.flat()) < 0) throw new Refusal(REASONS.torchNegative(when));
}

function torchCall(layer, kind, options) {
  const shared = withoutDefaults({ dilation: layer.kernelDilation, groups: layer.groups, bias: false });
  return call(`nn.${kind}${layer.n}d`, features(layer), { ...options, ...shared });
}

function keras(layer, input) {
  if (Math.max(...layer.strides) > 1 && Math.max(...layer.kernelDilation) > 1) {
    throw new Refusal(REASONS.kerasStridesAndDilation);
  }
  const options = layer.transposed ? kerasTransposed(layer) : kerasForward(layer, input);
  const kind = `layers.Conv${layer.n}D${layer.transposed ? "Transpose" : ""}`;
  const shared = withoutDefaults({ dilation_rate: layer.kernelDilation, use_bias: false });
  return call(kind, [layer.outFeatures, layer.kernel, layer.strides], { ...options, ...shared });
}

function kerasForward(layer, input) {
  refuse("Keras", [`${layer.mode} padding: pad first`, layer.mode !== "zeros"], dilatesInput(layer));
  const causal = layer.spans.map((span) => [span - 1, 0]);
  let padding;
  if (!any(layer.padding.flat())) padding = "valid";
  else if (padsSame(layer, input)) padding = "same";
  else if (equal(layer.padding, causal) && layer.n === 1) padding = "causal";
  else throw new Refusal(REASONS.kerasCells);
  return { padding, ...withoutDefaults({ groups: layer.groups }) };
}

function kerasTransposed(layer) {
  refuseTransposed(layer, "Keras's transposed convolution");
  const wanted = directPadding(layer);
  for (const word of ["valid", "same"]) {
    for (const given of [false, true]) {
      const found = layer.spans.map((span, axis) => {
        const stride = layer.strides[axis];
        const choices = given ? Array.from({ length: stride }, (_, a) => a) : [null];
        return choices.filter((a) => equal(kerasPadding(span, stride, a, word), wanted[axis]));
      });
      if (found.every((choices) => choices.length)) {
        return { padding: word, ...(given ? { output_padding: found.map(([first]) => first) } : {}) };
      }
    }
  }
  throw new Refusal(REASONS.kerasTransposedCells);
}

/** How Keras pads the stretched y along an axis. */
function kerasPadding(span, stride, outputPadding, word) {
  if (word === "valid") return [span - 1, span - 1 + (outputPadding ?? Math.max(stride - span, 0))];
  const total = outputPadding === null ? span + stride - 2 : span + (span % 2) - 2 + outputPadding;
  const low = Math.min(Math.ceil(total / 2), span - 1);
  return [low, total - low];
}

function equinox(layer) {
  refuse("equinox", dilatesInput(layer));
  const options = layer.transposed ? equinoxTransposed(layer) : equinoxForward(layer);
  return call(`eqx.nn.${layer.transposed ? "ConvTranspose" : "Conv"}${layer.n}d`, features(layer), {
    ...options,
    ...withoutDefaults({
      dilation: layer.kernelDilation, groups: layer.groups,
      padding_mode: layer.mode === "zeros" ? null : layer.mode.toUpperCase(), use_bias: false,
    }),
    key: new Name("key"),
  });
}

function equinoxForward(layer) {
  if (Math.min(...layer.padding.flat()) < 0 && layer.mode !== "zeros") {
    throw new Refusal(REASONS.equinoxCrops(layer.mode));
  }
  return { padding: layer.padding };
}

function equinoxTransposed(layer) {
  const a = layer.outputPadding;
  if (layer.mode === "zeros") return { padding: layer.padding, ...(any(a) ? { output_padding: a } : {}) };
  refuse("eqx.nn.ConvTranspose", [`${layer.mode} padding`, layer.mode !== "circular"]);
  for (const word of ["SAME", "SAME_LOWER"]) {
    const strides = layer.strides;
    const padding = layer.spans.map((span, axis) => resolvePadding(word, strides[axis], span, strides[axis]));
    const left = layer.spans.map((span, axis) => Math.max(strides[axis] - span, 0));
    if (equal([layer.padding, a], [padding, left])) return { padding: word };
  }
  throw new Refusal(REASONS.equinoxCircular);
}

function written(write, ...given) {
  try {
    return write(...given);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return `# ${error.message}`;
  }
}

function layers(g, transposed) {
  const layer = layerOf(g, transposed);
  return {
    torch: written(torch, layer, g.input),
    keras: written(keras, layer, g.input),
    equinox: written(equinox, layer),
  };
}

/** Returns Python for the convolution in other libraries, on x and kernel; a comment where one lacks it. */
export function calls(g) {
  return { lax: laxConv(g), flax: flax(g), ...layers(g, false) };
}

/** Returns Python for the transpose in other libraries, on y and the forward kernel. */
export function transposedCalls(g) {
  return { lax: laxTransposed(g), flax: written(flaxTransposed, layerOf(g, true)), ...layers(g, true) };
}

/** Returns the call of jaxconv itself: the convolution, or its transpose. */
export function ownCall(g, transposed) {
  const options = withoutDefaults({
    input_shape: transposed ? [...g.input] : null,
    strides: g.strides,
    padding: any(g.padding.flat()) ? g.padding : null,
    padding_mode: g.mode === "zeros" ? null : g.mode,
    input_dilation: g.inputDilation,
    kernel_dilation: g.kernelDilation,
    feature_group_count: g.groups,
  });
  if (transposed) options.input_shape ??= g.input; // a size of 1 on every axis is no default
  const name = transposed ? "conv_transpose" : "conv";
  return call(`jaxconv.${name}`, [new Name(transposed ? "y" : "x"), new Name("kernel")], options);
}

/** Returns the arguments that `jaxconv explore` and `jaxconv arithmetic` take for a geometry. */
export function commandLine(g) {
  const list = (values) => (new Set(values).size === 1 && values.length > 1 ? [values[0]] : values).join(" ");
  const options = [["--input", g.input.join(" ")], ["--kernel", list(g.kernel)]];
  if (product(g.strides) > 1) options.push(["--strides", list(g.strides)]);
  if (any(g.padding.flat())) options.push(["--padding", g.padding.map((pair) => pair.join(",")).join(" ")]);
  if (g.mode !== "zeros") options.push(["--padding-mode", g.mode]);
  if (product(g.kernelDilation) > 1) options.push(["--kernel-dilation", list(g.kernelDilation)]);
  if (product(g.inputDilation) > 1) options.push(["--input-dilation", list(g.inputDilation)]);
  if (g.inFeatures > 1) options.push(["--in-features", g.inFeatures]);
  if (g.outFeatures > 1) options.push(["--out-features", g.outFeatures]);
  if (g.groups > 1) options.push(["--groups", g.groups]);
  return options.flat().join(" ");
}
