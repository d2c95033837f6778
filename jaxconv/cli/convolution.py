"""The options of one convolution, and the commands matrix and verify."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import tyro

from jaxconv.cli.screen import console
from jaxconv.errors import OptionError
from jaxconv.geometry import ConvGeometry
from jaxconv.geometry.arguments import PADDING_WORDS
from jaxconv.matrix.coordinates import Order

SMALL = 256  # places of a matrix that is printed although it is written to a file


@dataclass(frozen=True)
class GeometryOptions:
    """One convolution; a single number serves every axis."""

    input: tuple[int, ...]
    """Spatial shape of the input."""
    kernel: tuple[int, ...]
    """Spatial shape of the kernel."""
    strides: tuple[int, ...] = (1,)
    """Cells between windows."""
    padding: tuple[str, ...] = ("VALID",)
    """A word (VALID SAME SAME_LOWER HALF FULL CAUSAL), or for every axis a number or low,high."""
    padding_mode: Literal["zeros", "circular", "reflect", "replicate"] = "zeros"
    """What the padding holds."""
    kernel_dilation: tuple[int, ...] = (1,)
    """Cells between taps."""
    input_dilation: tuple[int, ...] = (1,)
    """Inserts zeros between inputs."""
    in_features: int = 1
    """Features of the input."""
    out_features: int = 1
    """Features of the output."""
    feature_group_count: Annotated[int, tyro.conf.arg(aliases=["--groups"])] = 1
    """Groups."""

    def geometry(self) -> ConvGeometry:
        """The geometry that the options describe."""
        n = max(len(self.input), len(self.kernel))
        return ConvGeometry(
            self.input * n if len(self.input) == 1 else self.input,
            self.kernel * n if len(self.kernel) == 1 else self.kernel,
            in_features=self.in_features,
            out_features=self.out_features,
            strides=_one_or_many(self.strides),
            padding=_padding(self.padding, n),
            padding_mode=self.padding_mode,
            input_dilation=_one_or_many(self.input_dilation),
            kernel_dilation=_one_or_many(self.kernel_dilation),
            feature_group_count=self.feature_group_count,
        )


Geometry = Annotated[GeometryOptions, tyro.conf.arg(name="")]


def _one_or_many(values: tuple):
    return values[0] if len(values) == 1 else values


def _padding(entries: Sequence[str], n: int):
    """What `ConvGeometry` takes, for `n` spatial axes."""
    if len(entries) == 1 and entries[0].upper() in PADDING_WORDS:
        return entries[0].upper()
    got = " ".join(entries)
    try:
        numbers = [tuple(int(number) for number in entry.split(",")) for entry in entries]
    except ValueError:
        raise OptionError(
            f"--padding takes one of {', '.join(PADDING_WORDS)}, or for every axis a number or low,high; "
            f"got {got}."
        ) from None
    lengths = [len(pair) for pair in numbers]
    if lengths == [1]:
        return numbers[0][0]
    if len(entries) != n or max(lengths) > 2:
        hint = (
            f" Type --padding {','.join(entries)} for low and high." if n == 1 and lengths == [1, 1] else ""
        )
        raise OptionError(
            f"--padding takes a number or low,high for each of the {n} spatial axes, got {got}.{hint}"
        )
    return tuple(_one_or_many(pair) for pair in numbers)


def matrix(
    geometry: Geometry,
    kernel_file: Path | None = None,
    out: Path | None = None,
    transposed: bool = False,
    order: Order = "channels_last",
) -> None:
    """The matrix C of a convolution, printed if it is small or written to a file.

    Args:
      geometry: Which convolution.
      kernel_file: The kernel, a NumPy .npy file of shape (*kernel, in // groups, out), or (*kernel)
        for one feature. Without it the taps count 1, 2, 3, ...
      out: C.npz (SciPy), C.mtx (Matrix Market) or C.png (a picture, the transpose beside it).
      transposed: C-transposed.
      order: How rows and columns number the cells of feature maps.
    """
    from jaxconv.cli.matrix_files import read_kernel, show, write

    g = geometry.geometry()
    kernel = None if kernel_file is None else read_kernel(kernel_file, g)
    if out is not None:
        console.print(write(g, kernel, transposed, order, out), highlight=False, markup=False, soft_wrap=True)
    if out is None or math.prod(g.matrix_shape) <= SMALL:
        console.print(show(g, kernel, transposed, order), highlight=False, markup=False, soft_wrap=True)


def verify(
    claim: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = (),
    dtype: str = "float64",
    trials: int = 15,
    seed: int = 0,
    json: Path | None = None,
    list: bool = False,
) -> None:
    """Tries every claim on this machine; exit status 1 if one fails.

    Args:
      claim: Only this claim, by name; may be given several times.
      dtype: float16, bfloat16, float32, float64, complex64 or complex128; or all, for float64, float32,
        bfloat16, float16 and complex64 side by side. Claims about the order of numbers, such as those of max
        pooling, have no complex ones.
      trials: Random geometries for each claim.
      seed: Seed of the geometries and the numbers.
      json: Write the report there too.
      list: Only list the claims.
    """
    from rich.progress import Progress

    from jaxconv.claims import ALL_DTYPES, CLAIMS
    from jaxconv.claims import verify as run

    if list:
        for known in CLAIMS.values():
            console.print(f"{known.name:24}{known.statement}", highlight=False, markup=False)
        return
    if json is not None:  # found unwritable before the work, not after it
        json.parent.mkdir(parents=True, exist_ok=True)
        json.touch()
    count = len(claim or CLAIMS) * (len(ALL_DTYPES) if dtype == "all" else 1)
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("verifying", total=count)
        advance = lambda row: bar.advance(task)  # noqa: E731
        report = run(claim or None, dtype=cast(Any, dtype), trials=trials, seed=seed, progress=advance)
    console.print(report.table(console.width >= 110))
    if json is not None:
        json.write_text(report.to_json())
    if not report.ok:
        console.print(f"These claims fail:\n{report.counterexamples()}", highlight=False, markup=False)
        raise SystemExit(1)
