"""Published VGG weights, with torchvision's names, in the layers of this library."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxconv.errors import DataError
from jaxconv.models.weights import read_arrays
from jaxconv.nn import Conv
from jaxconv.operators import dense_to_conv

DENSE = (
    "classifier.0",
    "classifier.3",
    "classifier.6",
)  # the numbers between them belong to rectifiers and dropout
NAMES_SHOWN = 6


def load_vgg(path: str | Path, blocks: Sequence[Sequence[Conv]], dense: Sequence[Conv] = ()) -> None:
    """Loads VGG weights from a file into convolutions; nothing is changed unless all of them fit.

    Names are those of torchvision: ``features.N.weight`` and ``.bias``, where N counts convolutions,
    rectifiers and poolings, and ``classifier.{0,3,6}``. Kernels are converted from (out, in, rows, columns)
    to the layout of this library; fc6, a dense layer on a map that was flattened features first, becomes a
    convolution. The file does not say how the network's input was scaled (torchvision: RGB in 0 to 1, minus
    the mean .485 .456 .406, divided by the deviation .229 .224 .225).

    Args:
      path: A ``.safetensors``, ``.npz`` or ``.pth`` file; see `read_arrays`.
      blocks: Convolutions, block by block; these may be the first blocks of the network in the file.
      dense: The first zero to three of fc6, fc7 and fc8, as convolutions. With all three, the file must
        contain nothing else.

    Raises:
      DataError: The file cannot be read, is of a variant with batch normalization, misses arrays, or has
        unexpected arrays, arrays of another shape, or NaN; the message names them.
    """
    arrays, path = read_arrays(path), str(path)
    layers = dict(_named(blocks)) | dict(zip(DENSE, dense, strict=False))
    _check_names(path, arrays, layers, len(dense) == len(DENSE), _span(blocks))
    _check_values(path, arrays, layers)
    for name, layer in layers.items():
        _fill(layer.kernel, _kernel(arrays[f"{name}.weight"], layer))
        _fill(layer.bias, arrays[f"{name}.bias"])


def _fill(parameter: Any, value: ArrayLike) -> None:
    parameter[...] = jnp.asarray(value).astype(parameter.dtype)


def _named(blocks: Sequence[Sequence[Conv]]) -> Iterable[tuple[str, Conv]]:
    """Yields names: a convolution and its rectifier take two numbers, the pooling after a block one."""
    number = 0
    for block in blocks:
        for conv in block:
            yield f"features.{number}", conv
            number += 2
        number += 1


def _span(blocks: Sequence[Sequence[Conv]]) -> int:
    """Counts the numbers that the blocks take, with their poolings."""
    return sum(2 * len(block) + 1 for block in blocks)


def _check_names(
    path: str, arrays: dict[str, np.ndarray], layers: dict[str, Conv], whole: bool, span: int
) -> None:
    if any(name.endswith(("running_mean", "running_var")) for name in arrays):
        raise DataError(
            f"{path} contains batch normalization, as torchvision's `_bn` variants do, and their "
            "convolutions cannot be used without it; take the variant without `_bn`."
        )
    required = {f"{name}.{kind}" for name in layers for kind in ("weight", "bias")}
    unused = set() if whole else {name for name in arrays if _is_later_layer(name, span)}
    faults = [
        ("misses", required - arrays.keys()),
        ("contains, unexpectedly,", arrays.keys() - required - unused),
    ]
    _refuse(path, faults, "take the file of the network that `blocks` describe, with torchvision's names")


def _is_later_layer(name: str, span: int) -> bool:
    """Whether an array belongs to a layer of VGG behind those that are loaded."""
    match = re.fullmatch(r"features\.(\d+)\.(weight|bias)", name)
    return int(match[1]) >= span if match else name.rpartition(".")[0] in DENSE


def _check_values(path: str, arrays: dict[str, np.ndarray], layers: dict[str, Conv]) -> None:
    wrong_shapes, not_finite = [], []
    for name, layer in layers.items():
        shapes = {"weight": _torch_shape(name, layer), "bias": (layer.out_features,)}
        for key, shape in ((f"{name}.{kind}", shape) for kind, shape in shapes.items()):
            if arrays[key].shape != shape:
                wrong_shapes.append(f"{key} {arrays[key].shape} for {shape}")
            elif not np.isfinite(arrays[key].astype(np.float32)).all():
                not_finite.append(key)
    faults = [("has other shapes than the layers:", wrong_shapes), ("has NaN or infinity in", not_finite)]
    _refuse(path, faults, "take a file whose arrays fit, or change the layers' features")


def _torch_shape(name: str, layer: Conv) -> tuple[int, ...]:
    *kernel_shape, features, out = layer.kernel.shape
    if name in DENSE:
        return (out, features * int(np.prod(kernel_shape)))
    return (out, features, *kernel_shape)


def _kernel(weight: np.ndarray, layer: Conv) -> jax.Array:
    if weight.ndim == 2:
        return dense_to_conv(jnp.asarray(weight.T), layer.kernel_shape, order="channels_first")
    return jnp.asarray(weight.transpose(2, 3, 1, 0))


def _refuse(path: str, faults: Sequence[tuple[str, Iterable[str]]], way_out: str) -> None:
    """Raises DataError if there are faults, each with the names of its arrays."""
    parts = []
    for what, names in faults:
        names = sorted(names)
        if names:
            more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
            parts.append(f"{what} {', '.join(names[:NAMES_SHOWN])}{more}")
    if parts:
        raise DataError(f"{path} {'; it '.join(parts)}; {way_out}.")
