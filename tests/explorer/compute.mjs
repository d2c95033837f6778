// What the explorer computes for some cases, as JSON that Python compares with the library.
import {
  Geometry, RELATIONSHIPS, Refusal, evenness, followedBy, inputSizes, putIn, typeset,
} from "../../jaxconv/explorer/arithmetic.mjs";
import { calls, commandLine, ownCall, transposedCalls } from "../../jaxconv/explorer/calls.mjs";

/** Refusals are results too: their sentences are compared. */
function attempt(compute) {
  try {
    return compute();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { refused: error.message };
  }
}

function axisOf(axis, padding) {
  const { outSize, kernel, stride, dilation, inputDilation, mode } = axis;
  const sizes = inputSizes(outSize, kernel, stride, padding, dilation, inputDilation, mode);
  return {
    unused: axis.unused,
    sizes: sizes.length ? [sizes.first, sizes.last] : [],
    overlaps: axis.overlaps,
    evenness: evenness(axis.overlaps),
    relationships: [false, true].map((transposed) => {
      const number = followedBy(axis, transposed);
      return { number, formula: RELATIONSHIPS[number][2], numbers: putIn(number, axis) };
    }),
    equivalent: attempt(() => {
      const { size, padding, stretched } = axis.equivalentDirect();
      return { size, padding, stretched };
    }),
  };
}

function computeCase(numbers) {
  return attempt(() => {
    const g = new Geometry(numbers);
    const padding = (axis) => (Array.isArray(numbers.padding) ? numbers.padding[axis] : numbers.padding);
    return {
      text: String(g),
      output: g.output,
      outputPadding: g.outputPadding,
      padding: g.padding,
      shape: [g.rows, g.columns],
      counts: [g.nnz, g.parameters, g.multiplications],
      axes: g.axes.map((axis, number) => axisOf(axis, padding(number))),
      entries: g.entries().map(({ row, column, taps }) => [row, column, taps[0]]),
      calls: calls(g),
      transposedCalls: transposedCalls(g),
      own: [ownCall(g, false), ownCall(g, true)],
      command: commandLine(g),
    };
  });
}

export function compute(cases) {
  const relationships = Object.entries(RELATIONSHIPS).map(([number, [section, condition, formula]]) => [
    Number(number), section, condition, formula,
  ]);
  const typesets = relationships.map(([, , , formula]) => typeset(formula));
  return { relationships, typesets, cases: cases.map(computeCase) };
}
