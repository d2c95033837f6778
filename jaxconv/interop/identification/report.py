"""What was found out about a function, as tables and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
from rich.console import Group
from rich.table import Table
from rich.text import Text

from jaxconv.geometry import ConvGeometry
from jaxconv.interop.explanation import arithmetic_tables
from jaxconv.interop.identification.distance import TransposeDistance, distances_from_words
from jaxconv.interop.identification.result import Identification, IdentifiedConvolution
from jaxconv.interop.layer import Convolution


def identification_tables(layer: IdentifiedConvolution, distance: TransposeDistance | None = None) -> Group:
    """Returns what was found, what else fits, and the sizes and calls of the convolution, for rich.

    Args:
      layer: A layer that `identify` returned.
      distance: Distance from the transpose of a convolution that the caller named.
    """
    found = _identification(layer)
    parts: list[Any] = [_summary(layer, found, distance)]
    if found.alternatives:
        parts.append(_alternatives(layer, found))
    if layer.transposed:
        parts.append(_words(layer, found))
    biases = (False, layer.bias is not None) if layer.transposed else (layer.bias is not None, False)
    return Group(*parts, arithmetic_tables(found.geometry, *biases))


def identification_json(
    layer: IdentifiedConvolution, distance: TransposeDistance | None = None
) -> dict[str, Any]:
    """Returns what was found as numbers, lists and words that JSON can hold.

    Args:
      layer: A layer that `identify` returned.
      distance: Distance from the transpose of a convolution that the caller named.
    """
    found = _identification(layer)
    words = distances_from_words(layer, found.input_shape) if layer.transposed else {}
    return {
        **_layer_json(layer, found.geometry),
        "kernel": _numbers(layer.kernel),
        "bias": None if layer.bias is None else _numbers(layer.bias),
        "dtype": str(layer.kernel.dtype),
        "input_shape": found.input_shape,
        "alternatives": [
            {
                **_layer_json(other.layer, other.layer.geometry(found.input_shape)),
                "padding": other.layer.padding,
                "deciding_shape": other.deciding_shape,
            }
            for other in found.alternatives
        ],
        "notes": found.notes,
        "calls": found.calls,
        "maps": found.maps,
        "error": found.error,
        "transpose_of": {word: _distance_json(one) for word, one in words.items()},
        "distance": None if distance is None else _distance_json(distance),
    }


def _identification(layer: IdentifiedConvolution) -> Identification:
    if layer.identification is None:
        raise TypeError("`layer` must come from `identify`; this one was changed afterwards.")
    return layer.identification


def _layer_json(layer: Convolution, g: ConvGeometry) -> dict[str, Any]:
    return {
        "transposed": layer.transposed,
        "output_padding": layer.output_padding,
        "geometry": {
            "input_shape": g.input_shape,
            "kernel_shape": g.kernel_shape,
            "in_features": g.in_features,
            "out_features": g.out_features,
            **g.options,
        },
    }


def _numbers(array: Any) -> Any:
    """Returns nested lists; a complex number is a pair."""
    values = np.asarray(array)
    if np.iscomplexobj(values):
        return np.stack([values.real, values.imag], -1).tolist()
    return values.astype(np.float64).tolist()


def _distance_json(distance: TransposeDistance) -> dict[str, Any]:
    return {"equal": bool(distance), "words": str(distance), **asdict(distance)}


def _summary(
    layer: IdentifiedConvolution, found: Identification, distance: TransposeDistance | None
) -> Table:
    table = Table.grid(padding=(0, 2))
    kind = "the transpose of a convolution, C-transposed" if layer.transposed else "a convolution"
    table.add_row("is", Text(kind))
    table.add_row("of", Text(repr(found.geometry)))
    kernel = f"shape {tuple(layer.kernel.shape)}, {layer.kernel.dtype}"
    table.add_row("kernel", Text(kernel + (", that of the forward convolution" if layer.transposed else "")))
    table.add_row("bias", Text("none" if layer.bias is None else f"{layer.bias.shape[0]} numbers"))
    table.add_row("largest error", Text(f"{found.error:.2g} of the largest output, on random maps"))
    table.add_row("calls", Text(f"{found.calls}, with {found.maps} maps"))
    if distance is not None:
        table.add_row("as the transpose of the given convolution", Text(str(distance)))
    for note in found.notes:
        table.add_row("note", Text(note))
    return table


def _alternatives(layer: Convolution, found: Identification) -> Table:
    table = Table(title=f"The same at {found.input_shape}", title_justify="left")
    table.add_column("convolution", overflow="fold")
    table.add_column("differs for an input of")
    for other in found.alternatives:
        what = ("transpose of " if other.layer.transposed else "") + _written(other.layer, found.input_shape)
        table.add_row(Text(what), Text(str(other.deciding_shape)))
    return table


def _written(layer: Convolution, input_shape: tuple[int, ...]) -> str:
    """Writes the geometry of a layer, with its padding as a word if it is one."""
    g = layer.geometry(input_shape)
    if isinstance(layer.padding, str):
        return repr(g).replace(f"padding={g.padding!r}", f"padding={layer.padding!r}")
    return repr(g)


def _words(layer: Convolution, found: Identification) -> Table:
    table = Table(title="As the transpose of a convolution with this padding", title_justify="left")
    table.add_column("padding")
    table.add_column("distance", overflow="fold")
    for word, distance in distances_from_words(layer, found.input_shape).items():
        table.add_row(word, Text(str(distance)))
    return table
