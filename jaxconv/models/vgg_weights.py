"""Published VGG weights, under torchvision's names, put into the library's layers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxconv.errors import DataError
from jaxconv.models.weights import read_arrays
from jaxconv.nn import Conv
from jaxconv.operators import dense_to_conv

DENSE = ("classifier.0", "classifier.3", "classifier.6")  # between them: rectifiers and dropout
NAMES_SHOWN = 6


def load_vgg(path: str, blocks: Sequence[Sequence[Conv]], dense: Sequence[Conv] = ()) -> None:
    """Fills convolutions with a file of VGG weights, once all of them were found to fit.

    Names are torchvision's: ``features.N.weight`` and ``.bias``, where N counts convolutions,
    rectifiers and poolings, and ``classifier.{0,3,6}``. Kernels turn from (out, in, rows, columns)
    to the library's layout; fc6, a dense layer on a map flattened features first, becomes a
    convolution. How the network's input was scaled is not in the file: it travels with it by name
    only (torchvision: RGB in 0..1, less the mean .485 .456 .406, over the deviation .229 .224 .225).

    Args:
      path: A ``.safetensors``, ``.npz`` or ``.pth`` file; see `read_arrays`.
      blocks: Convolutions, block by block; the first blocks of a deeper file will do.
      dense: As many of fc6, fc7 and fc8 as are wanted, as convolutions. With all three, the file may
        hold nothing else.

    Raises:
      DataError: The file is no such file, belongs to a variant with batch normalisation, misses
        arrays, holds unexpected ones, or ones of another shape, or NaN; all are named.
    """
    arrays = read_arrays(path)
    layers = dict(_named(blocks)) | dict(zip(DENSE, dense, strict=False))
    _check_names(path, arrays, layers, len(dense) == len(DENSE), _span(blocks))
    _check_values(path, arrays, layers)
    for name, layer in layers.items():
        _fill(layer.kernel, _kernel(arrays[f"{name}.weight"], layer))
        _fill(layer.bias, arrays[f"{name}.bias"])


def _fill(parameter: Any, value) -> None:
    parameter[...] = jnp.asarray(value).astype(parameter.dtype)


def _named(blocks: Sequence[Sequence[Conv]]) -> Iterable[tuple[str, Conv]]:
    """A convolution and its rectifier take two numbers, the pooling after a block one."""
    number = 0
    for block in blocks:
        for conv in block:
            yield f"features.{number}", conv
            number += 2
        number += 1


def _span(blocks: Sequence[Sequence[Conv]]) -> int:
    """The numbers that the blocks use, their poolings included."""
    return sum(2 * len(block) + 1 for block in blocks)


def _check_names(path: str, arrays: dict, layers: dict[str, Conv], whole: bool, span: int) -> None:
    if any(name.endswith(("running_mean", "running_var")) for name in arrays):
        raise DataError(
            f"{path} holds batch normalisation, as torchvision's `_bn` variants do, whose convolutions mean "
            "nothing without it; take the variant without `_bn`."
        )
    wanted = {f"{name}.{kind}" for name in layers for kind in ("weight", "bias")}
    unused = set() if whole else {name for name in arrays if _belongs_to_the_rest(name, span)}
    complaints = [
        ("misses", wanted - arrays.keys()),
        ("holds, unexpectedly,", arrays.keys() - wanted - unused),
    ]
    _complain(path, complaints, "take the file of the network that `blocks` describe, in torchvision's names")


def _belongs_to_the_rest(name: str, span: int) -> bool:
    """Whether an array is of VGG's layers beyond those wanted."""
    match = re.fullmatch(r"features\.(\d+)\.(weight|bias)", name)
    return int(match[1]) >= span if match else name.rpartition(".")[0] in DENSE


def _check_values(path: str, arrays: dict, layers: dict[str, Conv]) -> None:
    misshaped, broken = [], []
    for name, layer in layers.items():
        shapes = {"weight": _torch_shape(name, layer), "bias": (layer.out_features,)}
        for key, shape in ((f"{name}.{kind}", shape) for kind, shape in shapes.items()):
            if arrays[key].shape != shape:
                misshaped.append(f"{key} {arrays[key].shape} for {shape}")
            elif not np.isfinite(arrays[key].astype(np.float32)).all():
                broken.append(key)
    complaints = [("has other shapes than the layers:", misshaped), ("has NaN or infinity in", broken)]
    _complain(path, complaints, "take a file whose arrays fit, or change the layers' features")


def _torch_shape(name: str, layer: Conv) -> tuple[int, ...]:
    *kernel_shape, features, out = layer.kernel.shape
    if name in DENSE:
        return (out, features * int(np.prod(kernel_shape)))
    return (out, features, *kernel_shape)


def _kernel(weight: np.ndarray, layer: Conv):
    if weight.ndim == 2:
        return dense_to_conv(jnp.asarray(weight.T), layer.kernel_shape, order="channels_first")
    return jnp.asarray(weight.transpose(2, 3, 1, 0))


def _complain(path: str, complaints: Sequence[tuple[str, Iterable[str]]], way_out: str) -> None:
    parts = []
    for what, names in complaints:
        names = sorted(names)
        if names:
            more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
            parts.append(f"{what} {', '.join(names[:NAMES_SHOWN])}{more}")
    if parts:
        raise DataError(f"{path} {'; it '.join(parts)}; {way_out}.")
