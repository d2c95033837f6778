"""How often is a "transposed convolution" the transpose of the convolution with the same arguments?

    python experiments/how_often_is_it_the_transpose.py [--out runs/how_often]

One axis, one feature, a random kernel, a random y of three cells, float64. Every function is given the
arguments of the forward convolution, as most readers would call it. The right answer is C-transposed y, of
the size of the forward input, as `jaxconv.conv_transpose` returns it; "equal" means within the rounding
error of its sums.

Compared are, with kernels ``(taps, in, out)``:
  - lax.conv_transpose, which by default reads the words 'SAME' and 'VALID' as the forward padding, but a
    pair as padding of the stretched y, and does not flip the kernel.
  - transpose_kernel=True, which flips the kernel (and swaps in and out features, which makes no difference
    with one of each). With k > 1 only this option can give the transpose; without it the answer is that of
    the "flipped kernel".
  - use_consistent_padding=True, which reads pairs as the forward padding, too.
  - flax's ConvTranspose, in nnx and linen, which calls lax.conv_transpose without use_consistent_padding.
  - the vjp of lax's forward convolution, as a check of the right answer.
Only the vjp is given the size of the input, and for s > 1 several sizes lead to the same y. They differ in
the output padding a, the number of padded cells that the last window does not reach; with a > 0 these cells
are part of the right answer.

An answer that is not equal is the transpose of the *flipped kernel*, or its cells are *shifted*, or both; or
it has another size, with the *shared cells right* (it only ends early or late) or *wrong*; or it has *other
values* than any of these; or it is an error: *refused*.

Measured 2026-11-21 on a 2-core CPU, jax 0.10.2, flax 0.12.8, in half a minute; equal answers of 336:

                                 a = 0    a > 0
    lax.conv_transpose           6/202    4/134   (all of them with k = 1)
    lax, transpose_kernel       53/202    6/134
    lax, use_consistent_padding  5/202    4/134
    lax, both                  141/202    6/134
    flax ConvTranspose           6/202    4/134   (the same numbers as lax.conv_transpose)
    flax, transpose_kernel      53/202    6/134
    vjp of lax's convolution   202/202  134/134

Both options together give the transpose where the size is unambiguous: with pairs and a = 0, in 105 of 105
cases; with pairs and a > 0, in none of 105, since the last 1 or 2 cells are missing, which are not zero in 60
of these cases. With transpose_kernel alone a pair is right in 12 of 210 cases, those with a = 0 and a padding
of (span - 1) / 2 on both sides; the other answers are up to 14 cells short or 4 long, or shifted. The words
do not depend on use_consistent_padding. 'SAME' returns s cells for each cell of y: too many in 21 of 42
cases, and in 10 of these the start is also off by one. 'VALID' is right in 21 of 42 cases; otherwise it is 1
or 2 cells short, or long where s exceeds the span of the kernel. 'SAME_LOWER' is refused with
use_consistent_padding; without it, it is refused for s > 1, and for s = 1 it is off by one cell, without an
error, wherever the span of the kernel is even.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any

import flax
import jax
import jax.numpy as jnp
import numpy as np
from flax import linen, nnx
from jax import lax
from matplotlib.figure import Figure
from rich import box
from rich.console import Console
from rich.table import Table

from jaxconv import ConvGeometry, GeometryError, conv_transpose

OUTPUTS = 3  # cells of y
KERNELS = (1, 2, 3, 4)
STRIDES = (1, 2, 3)  # every a in [0, s) for each of them
DILATIONS = (1, 2)  # only 1 for a kernel of one tap, which has nothing to dilate
WORDS = ("VALID", "SAME", "SAME_LOWER")
PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (1, 0), (2, 1))  # those of them that are below the span
SEED = 0
WIDTH = 140  # of the tables, in characters

COLOURS = {
    "equal": "#1b7f5c",
    "flipped kernel": "#e69f00",
    "shifted": "#56b4e9",
    "flipped and shifted": "#b8690a",
    "other size, shared cells right": "#a9a4cf",
    "other size, shared cells wrong": "#cfcfca",
    "other values": "#111111",
    "refused": "#b5344a",
}
INK = dict.fromkeys(("equal", "flipped and shifted", "other values", "refused"), "white")
KINDS = tuple(COLOURS)


@dataclass(frozen=True)
class Case:
    """A forward convolution on one axis, with the padding as a word or a pair."""

    size: int
    kernel: int
    stride: int = 1
    dilation: int = 1
    padding: str | tuple[int, int] = "VALID"

    @property
    def geometry(self) -> ConvGeometry:
        """The forward convolution with its padding in cells."""
        padding = self.padding if isinstance(self.padding, str) else (self.padding,)
        return ConvGeometry(
            (self.size,), (self.kernel,), strides=self.stride, padding=padding, kernel_dilation=self.dilation
        )

    @property
    def arguments(self) -> tuple[tuple[int], str | tuple[tuple[int, int]], tuple[int]]:
        """Strides, padding and dilation as lax and flax take them."""
        padding = self.padding if isinstance(self.padding, str) else (self.padding,)
        return (self.stride,), padding, (self.dilation,)


@dataclass(frozen=True)
class Answer:
    """The answer of an option to a case."""

    option: str
    case: Case
    a: int
    kind: str
    flipped: bool | None = None  # None: the transpose of neither the kernel nor the flipped kernel
    extra_cells: int | None = None  # beyond the size of the forward input
    lost_cells: int = 0  # cells of the right answer beyond the returned size that are not zero
    shift: int | None = None  # of the right (or flipped) cells, in cells towards the high end
    message: str | None = None  # of a refusal


def grid() -> list[Case]:
    """Lists every case of the constants above whose forward convolution has `OUTPUTS` output cells."""
    cases = []
    for k, d, s, padding in product(KERNELS, DILATIONS, STRIDES, WORDS + PAIRS):
        span = d * (k - 1) + 1
        if (k == 1 and d > 1) or (not isinstance(padding, str) and max(padding) > span - 1):
            continue
        sizes = range(1, s * OUTPUTS + span)
        cases += filter(_has_all_outputs, (Case(size, k, s, d, padding) for size in sizes))
    return cases


def _has_all_outputs(case: Case) -> bool:
    try:
        return case.geometry.output_shape == (OUTPUTS,)
    except GeometryError:
        return False  # the kernel does not fit into so small an input


def lax_transpose(y: jax.Array, kernel: jax.Array, case: Case, **options: bool) -> jax.Array:
    """Calls `lax.conv_transpose` with the arguments of the forward convolution."""
    strides, padding, dilation = case.arguments
    return lax.conv_transpose(y, kernel, strides, padding, rhs_dilation=dilation, **options)


def flax_transpose(y: jax.Array, kernel: jax.Array, case: Case, transpose_kernel: bool = False) -> jax.Array:
    """Calls `ConvTranspose` of flax.nnx and flax.linen; AssertionError if they differ."""
    strides, padding, dilation = case.arguments
    arguments = {
        "kernel_size": kernel.shape[:1],
        "strides": strides,
        "padding": padding,
        "kernel_dilation": dilation,
        "use_bias": False,
        "transpose_kernel": transpose_kernel,
    }
    from_linen = linen.ConvTranspose(1, **arguments).apply({"params": {"kernel": kernel}}, y)
    layer = nnx.ConvTranspose(1, 1, **arguments, kernel_init=lambda *_: kernel, rngs=nnx.Rngs(0))
    if not np.array_equal(from_linen, layer(y)):
        raise AssertionError(f"flax.linen and flax.nnx differ: {case}")
    return from_linen


def lax_vjp(y: jax.Array, kernel: jax.Array, case: Case) -> jax.Array:
    """Computes the transpose that jax derives from the forward convolution of lax."""
    strides, padding, dilation = case.arguments
    forward = partial(
        lax.conv_general_dilated,
        rhs=kernel,
        window_strides=strides,
        padding=padding,
        rhs_dilation=dilation,
        dimension_numbers=("NHC", "HIO", "NHC"),
    )
    return jax.linear_transpose(forward, jax.ShapeDtypeStruct((1, case.size, 1), y.dtype))(y)[0]


FLIP, CONSISTENT = {"transpose_kernel": True}, {"use_consistent_padding": True}
OPTIONS: dict[str, Callable[..., jax.Array]] = {
    "lax.conv_transpose": lax_transpose,
    "lax, transpose_kernel": partial(lax_transpose, **FLIP),
    "lax, use_consistent_padding": partial(lax_transpose, **CONSISTENT),
    "lax, both": partial(lax_transpose, **FLIP, **CONSISTENT),
    "flax ConvTranspose": flax_transpose,
    "flax, transpose_kernel": partial(flax_transpose, **FLIP),
    "vjp of lax's convolution": lax_vjp,
}


@cache
def operands(kernel_size: int) -> tuple[jax.Array, jax.Array]:
    """Draws a random y and a random kernel, which is not symmetric."""
    rng = np.random.default_rng((SEED, kernel_size))
    y, kernel = rng.normal(size=(1, OUTPUTS, 1)), rng.normal(size=(kernel_size, 1, 1))
    return jnp.asarray(y), jnp.asarray(kernel)


def transpose_and_bound(y: jax.Array, kernel: jax.Array, **arguments: Any) -> tuple[np.ndarray, np.ndarray]:
    """Computes C-transposed y, and a bound of the rounding error of its sums in another order."""
    x = conv_transpose(y, kernel, **arguments)
    magnitude = conv_transpose(abs(y), abs(kernel), **arguments)
    return np.ravel(x), (kernel.shape[0] + 2) * np.finfo(x.dtype).eps * np.ravel(magnitude)


@cache
def expected(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Computes the right answer to a case, and its bound."""
    g = case.geometry
    return transpose_and_bound(*operands(case.kernel), input_shape=g.input_shape, **g.options)


@cache
def unpadded(kernel_size: int, stride: int, dilation: int, flipped: bool) -> tuple[np.ndarray, np.ndarray]:
    """Computes the transpose without padding and its bound, with as many zeros on either side.

    Every padding, right or wrong, is a window of it.
    """
    y, kernel = operands(kernel_size)
    kernel = kernel[::-1] if flipped else kernel
    x, bound = transpose_and_bound(y, kernel, strides=stride, kernel_dilation=dilation)
    return np.pad(x, x.size), np.pad(bound, x.size)


def explain(got: np.ndarray, case: Case) -> tuple[bool | None, int | None]:
    """Finds the transpose that `got` is a window of (True: of the flipped kernel), and the smallest shift."""
    sources = {flip: unpadded(case.kernel, case.stride, case.dilation, flip) for flip in (False, True)}
    width = sources[False][0].size
    start = width // 3 + case.geometry.padding[0][0]  # where the right answer begins
    shifts = range(start + got.size - width, start + 1)
    for shift, flip in product(sorted(shifts, key=abs), sources):
        cells, bound = (c[start - shift :][: got.size] for c in sources[flip])
        if got.size and (abs(got - cells) <= bound).all():
            return flip, shift
    return None, None


def compare(option: str, case: Case) -> Answer:
    """Compares the answer of one option to one case."""
    a = case.geometry.output_padding[0]
    try:
        got = np.ravel(OPTIONS[option](*operands(case.kernel), case))
    except ValueError as error:
        return Answer(option, case, a, "refused", message=str(error))
    right, bound = expected(case)
    if got.size == right.size and (abs(got - right) <= bound).all():
        return Answer(option, case, a, "equal", False, 0, shift=0)
    flipped, shift = explain(got, case)
    kind = name_mismatch(got.size == right.size, flipped, shift)
    lost_cells = int(np.count_nonzero(right[got.size :]))
    return Answer(option, case, a, kind, flipped, got.size - right.size, lost_cells, shift)


def name_mismatch(same_size: bool, flipped: bool | None, shift: int | None) -> str:
    """Names the kind of a wrong answer."""
    if not same_size:
        right = (flipped, shift) == (False, 0)
        return f"other size, shared cells {'right' if right else 'wrong'}"
    if flipped is None:
        return "other values"
    if flipped:
        return "flipped and shifted" if shift else "flipped kernel"
    return "shifted"


def tally(answers: Iterable[Answer]) -> dict[str, Counter]:
    """Counts how often each option gave each kind of answer."""
    counts: dict[str, Counter] = {}
    for answer in answers:
        counts.setdefault(answer.option, Counter())[answer.kind] += 1
    return counts


def by_output_padding(answers: list[Answer]) -> Iterator[tuple[str, list[Answer]]]:
    """Yields the answers with a = 0, and those with a > 0."""
    yield "a = 0", [answer for answer in answers if not answer.a]
    yield "a > 0", [answer for answer in answers if answer.a]


def kinds_table(title: str, answers: list[Answer]) -> Table:
    """Builds a table with one row per option and one column per kind of answer."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("option", no_wrap=True)
    for heading in (*KINDS, "total", "cells too many", "non-zeros lost"):
        table.add_column(heading, justify="right", max_width=12)
    for option, counts in tally(answers).items():
        some = [answer for answer in answers if answer.option == option]
        extras = {answer.extra_cells or 0 for answer in some}
        extremes = f"{min(extras):+d}..{max(extras):+d}" if extras != {0} else ""
        lossy = sum(answer.lost_cells > 0 for answer in some)
        numbers = [counts[kind] for kind in KINDS]
        table.add_row(option, *(str(n or "") for n in (*numbers, counts.total())), extremes, str(lossy or ""))
    return table


def paddings_table(answers: list[Answer]) -> Table:
    """Builds a table of equal answers, with one row per option and one column per padding."""
    table = Table(title="equal, by padding, any a", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("option", no_wrap=True)
    paddings = list(dict.fromkeys(answer.case.padding for answer in answers))
    for padding in paddings:
        table.add_column(str(padding), justify="right")
    for option in tally(answers):
        cells = []
        for padding in paddings:
            kinds = [a.kind for a in answers if (a.option, a.case.padding) == (option, padding)]
            cells.append(f"{kinds.count('equal')}/{len(kinds)}")
        table.add_row(option, *cells)
    return table


def picture(answers: list[Answer]) -> Figure:
    """Draws one bar per option, stacked by kind, for a = 0 and for a > 0."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for ax, (title, some) in zip(axes, by_output_padding(answers), strict=True):
        counts = tally(some)
        left = np.zeros(len(counts))
        for kind in (kind for kind in KINDS if any(answer.kind == kind for answer in answers)):
            widths = np.array([counter[kind] for counter in counts.values()])
            bars = ax.barh(list(counts), widths, left=left, color=COLOURS[kind], label=kind, height=0.72)
            labels = [str(w) if w > 3 else "" for w in widths]  # a bar of fewer is too narrow for a number
            ax.bar_label(bars, labels, label_type="center", fontsize=8, color=INK.get(kind, "#222222"))
            left += widths
        total = int(left.max(initial=0))
        ax.set_title(f"output padding {title}: {total} geometries", loc="left", fontsize=10)
        ax.set_xlim(0, left.max(initial=1))
        ax.spines[["top", "right", "left"]].set_visible(False)
        ax.tick_params(left=False)
    axes[0].invert_yaxis()
    figure.suptitle("Is it the transpose of the convolution with the same arguments?", x=0.01, ha="left")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
    return figure


def main(out: Path, cases: Iterable[Case] | None = None) -> list[Answer]:
    """Compares every option in every case, prints the tables, writes the picture and the answers."""
    cases = grid() if cases is None else list(cases)
    with jax.enable_x64(True):
        answers = [compare(option, case) for case, option in product(cases, OPTIONS)]
    console = Console()
    console.width = max(console.width, WIDTH)
    for title, some in by_output_padding(answers):
        console.print(kinds_table(title, some))
    console.print(paddings_table(answers))
    for message, count in Counter(a.message for a in answers if a.message).items():
        console.print(f"refused {count} times: {message}")
    out.mkdir(parents=True, exist_ok=True)
    picture(answers).savefig(out / "answers.png", dpi=150)
    versions = {"jax": jax.__version__, "flax": flax.__version__}
    report = {"versions": versions, "outputs": OUTPUTS, "answers": [asdict(answer) for answer in answers]}
    (out / "answers.json").write_text(json.dumps(report))
    console.print(f"{len(cases)} geometries, {len(answers)} answers, in {out}")
    return answers


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/how_often"))
    main(parser.parse_args().out)
