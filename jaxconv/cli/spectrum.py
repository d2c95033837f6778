"""The command that prints norms, condition, rank and overlap of the convolutions of a file or a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro

from jaxconv.cli.convolution import one_or_many, padding_of
from jaxconv.cli.screen import console
from jaxconv.errors import OptionError


def spectrum(
    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FILE_OR_RUN")],
    /,
    input: tuple[int, ...] = (32,),
    strides: tuple[int, ...] = (1,),
    padding: tuple[str, ...] = ("SAME",),
    padding_mode: Literal["zeros", "circular", "reflect", "replicate"] = "zeros",
    kernel_dilation: tuple[int, ...] = (1,),
    feature_group_count: Annotated[int, tyro.conf.arg(aliases=["--groups"])] = 1,
    layout: Literal["jaxconv", "torch"] = "jaxconv",
    json: Path | None = None,
    out: Path | None = None,
) -> None:
    """Prints the operator norm, certified interval, condition, rank and overlap of every convolution.

    The reshaped norm is what PyTorch, flax and Equinox call the spectral norm; it is at most the true one.
    Condition and rank are left out where C is neither circulant nor has at most 2,000 rows.

    Args:
      source: File of kernels: .npy with one, or .npz, .safetensors, .pth or .pt with one per name, of which
        arrays of three axes or more count as kernels. Or the folder of a run, whose layers know their
        strides and padding.
      input: Spatial shape of the map that every layer is looked at on; a single number is used for every
        axis.
      strides: Strides, in cells, per axis; for a file.
      padding: A word (VALID SAME SAME_LOWER HALF FULL CAUSAL), or per axis a number or low,high; for a file.
      padding_mode: What the padding holds; for a file.
      kernel_dilation: Distance between neighbouring taps, in cells, per axis; for a file.
      feature_group_count: Number of groups of features; for a file.
      layout: Layout of the kernels of a file: jaxconv is (*kernel, in // groups, out), torch is (out,
        in // groups, *kernel).
      json: File for the numbers.
      out: File for a picture of the singular values of the first convolution, such as spectrum.png.
    """
    from jaxconv.cli.spectrum_rows import layers_of_file, layers_of_run, rows_of, table, write_json

    if min(input, default=0) < 1:
        raise OptionError(
            f"--input must be one or more sizes of at least 1, got {' '.join(map(str, input))}."
        )
    if json is not None:  # a file that cannot be written is refused before the work
        json.parent.mkdir(parents=True, exist_ok=True)
        json.touch()
    if source.is_dir():
        layers = layers_of_run(source, input)
    else:
        options = {
            "strides": one_or_many(strides),
            "padding_mode": padding_mode,
            "kernel_dilation": one_or_many(kernel_dilation),
            "feature_group_count": feature_group_count,
        }
        layers = layers_of_file(
            source, input, layout, lambda n: options | {"padding": padding_of(padding, n)}
        )
    rows = rows_of(layers)
    console.print(table(rows))
    if json is not None:
        write_json(rows, json)
    if out is not None:
        from jaxconv.figures import draw_spectrum

        name, kernel, geometry = layers[0]
        draw_spectrum(out, kernel, geometry)
        console.print(f"{out}: {name}", highlight=False, markup=False, soft_wrap=True)
