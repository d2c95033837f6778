"""The rows of `jaxconv spectrum`: convolutions from a file or a run, and their numbers."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from rich import box
from rich.table import Table

from jaxconv.errors import DataError, JaxconvError, SizeError
from jaxconv.geometry import ConvGeometry
from jaxconv.linalg import condition_number, norm_interval, operator_norm, overlap, rank


class Layer(NamedTuple):
    """One convolution: its name, its kernel and its geometry."""

    name: str
    kernel: np.ndarray
    geometry: ConvGeometry


@dataclass(frozen=True)
class Row:
    """The numbers of one convolution.

    Attributes:
      layer: Name of the layer or the array.
      kernel: Shape of the kernel with features.
      input_shape: Spatial shape of the map.
      norm: Operator norm.
      low: Certified lower bound of the norm.
      high: Certified upper bound of the norm.
      reshaped: Norm of the kernel reshaped to a matrix, which others call spectral norm.
      condition: Condition number; None where C is too large for it, or it is infinite.
      rank: Rank; None where C is too large for it.
      size: The smaller side of C.
      overlap: Fewest and most times that a transposed convolution touches a cell.
    """

    layer: str
    kernel: tuple[int, ...]
    input_shape: tuple[int, ...]
    norm: float
    low: float
    high: float
    reshaped: float
    condition: float | None
    rank: int | None
    size: int
    overlap: tuple[int, int]


def layers_of_file(
    path: Path, shape: Sequence[int], layout: str, options: Callable[[int], dict[str, Any]]
) -> list[Layer]:
    """Reads the kernels of a file.

    Args:
      path: File with suffix .npy, .npz, .safetensors, .pth or .pt.
      shape: Spatial shape of the maps; a single size is used for every axis.
      layout: ``"jaxconv"`` or ``"torch"``.
      options: Returns the options of the geometry for a number of spatial axes.

    Raises:
      DataError: The file cannot be read, or has no kernel.
      GeometryError: The options do not fit a kernel; the message names it.
    """
    arrays = {name: array for name, array in _arrays(path).items() if _is_kernel(array)}
    if not arrays:
        raise DataError(f"{path} has no kernel: an array of numbers with three axes or more.")
    layers = []
    for name, array in arrays.items():
        kernel = np.moveaxis(array, (0, 1), (-1, -2)) if layout == "torch" else array
        n = kernel.ndim - 2
        given = options(n)
        features = {
            "in_features": kernel.shape[-2] * given["feature_group_count"],
            "out_features": kernel.shape[-1],
        }
        try:
            g = ConvGeometry(_on_axes(shape, n), kernel.shape[:-2], **features, **given)
        except JaxconvError as error:
            raise type(error)(f"{name} of shape {array.shape}: {error}") from None
        layers.append(Layer(name, kernel, g))
    return layers


def _arrays(path: Path) -> dict[str, np.ndarray]:
    from jaxconv.models.weights import read_arrays

    if path.suffix != ".npy":
        return read_arrays(path)
    try:
        return {path.stem: np.load(path, allow_pickle=False)}
    except (ValueError, EOFError):
        raise DataError(
            f"{path} is not a .npy file of numbers; numpy.save(file, array) writes one."
        ) from None


def _is_kernel(array: np.ndarray) -> bool:
    return array.ndim >= 3 and array.size > 0 and (array.dtype.kind in "fc" or array.dtype.name == "bfloat16")


def _on_axes(shape: Sequence[int], n: int) -> tuple[int, ...]:
    return tuple(shape) * n if len(shape) == 1 else tuple(shape)


def layers_of_run(run: Path, shape: Sequence[int]) -> list[Layer]:
    """Returns the convolutions of a run's best network, each on a map of one shape.

    Raises:
      ConfigError: The folder is not that of a run.
      DataError: The network has no convolution.
    """
    from flax import nnx

    from jaxconv.interop import from_flax
    from jaxconv.nn import Conv, ConvTranspose
    from jaxconv.training import load

    network = load(run)
    model = nnx.merge(network.graph, network.parameters, network.rest)
    layers = []
    for path, module in nnx.iter_graph(model):
        if isinstance(module, Conv | ConvTranspose | nnx.Conv | nnx.ConvTranspose):
            layer = from_flax(module)
            g = layer.geometry(_on_axes(shape, layer.ndim))
            layers.append(Layer(".".join(map(str, path)), np.asarray(layer.kernel), g))
    if not layers:
        raise DataError(f"the network of {run} has no convolution.")
    return layers


def rows_of(layers: Sequence[Layer]) -> list[Row]:
    """Computes the numbers of every layer, in float32 or in the kernel's dtype if that is wider."""
    return [_row(layer) for layer in layers]


def _row(layer: Layer) -> Row:
    name, kernel, g = layer
    with jax.enable_x64(
        (kernel.dtype.itemsize == 8 and kernel.dtype.kind == "f") or kernel.dtype.itemsize == 16
    ):
        interval = norm_interval(kernel, g)
        condition, found = _condition_and_rank(kernel, g)
        counts = np.asarray(overlap(g))
        wide = kernel.astype(np.complex128 if np.iscomplexobj(kernel) else np.float64)
        grouped = np.split(wide.reshape(-1, g.out_features), g.feature_group_count, axis=1)
        return Row(
            name,
            g.kernel_array_shape,
            g.input_shape,
            float(operator_norm(kernel, g)),
            float(interval.low),
            float(interval.high),
            max(float(np.linalg.norm(one, 2)) for one in grouped),
            condition,
            found,
            min(g.matrix_shape),
            (int(counts.min()), int(counts.max())),
        )


def _condition_and_rank(kernel: np.ndarray, g: ConvGeometry) -> tuple[float | None, int | None]:
    try:
        condition = float(condition_number(kernel, g))
        return condition if math.isfinite(condition) else None, int(rank(kernel, g))
    except SizeError:
        return None, None


def table(rows: Sequence[Row]) -> Table:
    """Builds a table with one row per convolution."""
    printed = Table(box=box.SIMPLE_HEAD)
    printed.add_column("layer", no_wrap=True)
    for heading in ("kernel", "map", "norm", "certified", "reshaped", "norm / reshaped", "condition", "rank",
                    "overlap"):  # fmt: skip
        printed.add_column(heading, justify="right")
    for row in rows:
        ratio = f"{row.norm / row.reshaped:.2f}" if row.reshaped else ""
        full = "" if row.rank is None else f"{row.rank:,} of {row.size:,}"
        condition = "" if row.rank is None else "singular" if row.rank < row.size else f"{row.condition:.3g}"
        low, high = row.overlap
        printed.add_row(
            row.layer,
            "x".join(map(str, row.kernel)),
            "x".join(map(str, row.input_shape)),
            f"{row.norm:.4g}",
            f"{row.low:.4g} to {row.high:.4g}",
            f"{row.reshaped:.4g}",
            ratio,
            condition,
            full,
            f"{low} to {high}",
        )
    return printed


def write_json(rows: Sequence[Row], path: Path) -> None:
    """Writes the rows to a file."""
    path.write_text(json.dumps({"layers": [asdict(row) for row in rows]}, indent=1) + "\n")
