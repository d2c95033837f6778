"""The options of one convolution, and the commands matrix and verify."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, cast

import tyro

from jaxconv.cli.screen import console
from jaxconv.errors import OptionError
from jaxconv.geometry import ConvGeometry
from jaxconv.geometry.arguments import PADDING_MODES, PADDING_WORDS, Padding, PaddingWord
from jaxconv.matrix.coordinates import Order

T = TypeVar("T")

SMALL = 256  # entries of a matrix that is printed as well as written to a file


@dataclass(frozen=True)
class GeometryOptions:
    """Options of one convolution; a single number is used for every axis."""

    input: tuple[int, ...]
    """Spatial shape of the input."""
    kernel: tuple[int, ...]
    """Spatial shape of the kernel."""
    strides: tuple[int, ...] = (1,)
    """Stride of the window, in cells, per axis."""
    padding: tuple[str, ...] = ("VALID",)
    """A word (VALID SAME SAME_LOWER HALF FULL CAUSAL), or per axis a number or low,high."""
    padding_mode: Literal["zeros", "circular", "reflect", "replicate"] = "zeros"
    """What the padding holds."""
    kernel_dilation: tuple[int, ...] = (1,)
    """Distance between neighbouring taps (atrous convolution), in cells, per axis; 1 means adjacent."""
    input_dilation: tuple[int, ...] = (1,)
    """Distance between neighbouring inputs once zeros are inserted, in cells, per axis; 1 inserts none."""
    in_features: int = 1
    """Number of input features."""
    out_features: int = 1
    """Number of output features."""
    feature_group_count: Annotated[int, tyro.conf.arg(aliases=["--groups"])] = 1
    """Number of groups of features."""

    def geometry(self) -> ConvGeometry:
        """Builds the geometry that the options describe."""
        n = max(len(self.input), len(self.kernel))
        return ConvGeometry(
            self.input * n if len(self.input) == 1 else self.input,
            self.kernel * n if len(self.kernel) == 1 else self.kernel,
            in_features=self.in_features,
            out_features=self.out_features,
            strides=one_or_many(self.strides),
            padding=padding_of(self.padding, n),
            padding_mode=self.padding_mode,
            input_dilation=one_or_many(self.input_dilation),
            kernel_dilation=one_or_many(self.kernel_dilation),
            feature_group_count=self.feature_group_count,
        )


Geometry = Annotated[GeometryOptions, tyro.conf.arg(name="")]


def one_or_many(values: tuple[T, ...]) -> T | tuple[T, ...]:
    """Returns the only value of a tuple, or the tuple itself if it has several."""
    return values[0] if len(values) == 1 else values


def padding_of(entries: Sequence[str], n: int) -> Padding:
    """Converts the words of --padding to the `padding` of a `ConvGeometry` with `n` spatial axes."""
    if len(entries) == 1 and entries[0].upper() in PADDING_WORDS:
        return cast(PaddingWord, entries[0].upper())
    got = " ".join(entries)
    if got.lower() in PADDING_MODES:
        raise OptionError(
            f"--padding says how many cells are added, not what they hold; got {got}. Write "
            f"--padding-mode {got.lower()}, and as --padding a number or a word such as SAME."
        )
    try:
        numbers = [tuple(int(number) for number in entry.split(",")) for entry in entries]
    except ValueError:
        raise OptionError(
            f"--padding must be one of {', '.join(PADDING_WORDS)}, or per axis a number or low,high; "
            f"got {got}."
        ) from None
    lengths = [len(pair) for pair in numbers]
    if lengths == [1]:
        return numbers[0][0]
    if len(entries) != n or max(lengths) > 2:
        hint = ""
        if n == 1 and lengths == [1, 1]:
            hint = f" Write --padding {','.join(entries)} for low and high."
        elif n > 1 and lengths == [2]:
            hint = f" Write --padding {' '.join(list(entries) * n)} for the same on every axis."
        axes = f"each of the {n} spatial axes" if n > 1 else "the spatial axis"
        raise OptionError(f"--padding must be a number or low,high for {axes}, got {got}.{hint}")
    return tuple(pair[0] if len(pair) == 1 else (pair[0], pair[1]) for pair in numbers)


def matrix(
    geometry: Geometry,
    kernel_file: Path | None = None,
    out: Path | None = None,
    transposed: bool = False,
    order: Order = "channels_last",
) -> None:
    """Prints the matrix C of a convolution if it is small, or writes it to a file.

    Args:
      geometry: Options of the convolution.
      kernel_file: File of the kernel, a NumPy .npy file of shape (*kernel, in // groups, out), or (*kernel)
        for one feature. Without it the taps are 1, 2, 3, ...
      out: File to write: C.npz (SciPy), C.mtx (Matrix Market) or C.png (a picture, with the transpose).
      transposed: Show or write C-transposed instead of C.
      order: Order in which rows and columns number the cells of feature maps.
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
    prove: bool = False,
    largest: int | None = None,
) -> None:
    """Checks every claim on this machine; the exit status is 1 if one fails.

    Args:
      claim: Name of the only claim to check; may be given several times.
      dtype: float16, bfloat16, float32, float64, complex64 or complex128; or all, for float64, float32,
        bfloat16, float16 and complex64 side by side. Claims about the order of numbers, such as those of max
        pooling, are not checked for complex numbers.
      trials: Random geometries per claim.
      seed: Seed of the geometries and the numbers.
      json: File for the report.
      list: List the claims without checking them.
      prove: Prove the statements about integers for all sizes, beside trying them; needs z3, of the extra
        prove.
      largest: Largest stride and dilation where a proof takes them one after the other; 32 by default.
    """
    from jaxconv.claims import ALL_DTYPES, CLAIMS, STATEMENTS
    from jaxconv.claims import prove as run_proofs
    from jaxconv.claims import verify as run

    known = STATEMENTS if prove else CLAIMS
    if prove and dtype != "float64":
        raise OptionError(f"--prove is about integers, which have no --dtype; got {dtype}. Drop one of them.")
    if largest is not None and not prove:
        raise OptionError(f"--largest needs --prove; got --largest {largest} without it.")
    if list:
        for name in known:
            text = STATEMENTS[name].text if prove else CLAIMS[name].statement
            console.print(f"{name:24} {text}", highlight=False, markup=False)
        return
    options: dict[str, Any] = {"trials": trials, "seed": seed}
    if largest is not None:
        options["largest"] = largest
    if not prove:
        options["dtype"] = dtype
    count = len(claim or known) * (len(ALL_DTYPES) if dtype == "all" else 1)
    _report(run_proofs if prove else run, claim or None, options, count, json)


def _report(
    run: Callable[..., Any],
    names: tuple[str, ...] | None,
    options: dict[str, Any],
    count: int,
    json: Path | None,
) -> None:
    """Runs a verification with a progress bar, prints its table, and exits with 1 if it fails."""
    from rich.progress import Progress

    if json is not None:  # a file that cannot be written is refused before the work
        json.parent.mkdir(parents=True, exist_ok=True)
        json.touch()
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("verifying", total=count)
        report = run(names, **options, progress=lambda row: bar.advance(task))
    console.print(report.table(console.width >= 110))
    if json is not None:
        json.write_text(report.to_json())
    if not report.ok:
        console.print(f"These claims fail:\n{report.counterexamples()}", highlight=False, markup=False)
        raise SystemExit(1)
