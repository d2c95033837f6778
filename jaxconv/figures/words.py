"""Descriptions of a convolution for the labels of its picture."""

from __future__ import annotations

from collections.abc import Sequence

from jaxconv.geometry import ConvGeometry
from jaxconv.geometry.scene import Scene

TIMES = " \N{MULTIPLICATION SIGN} "


def sizes(shape: Sequence[int]) -> str:
    """Returns a shape as text.

    >>> sizes((5, 4))
    '5 × 4'
    """
    return TIMES.join(map(str, shape))


def text_per_axis(values: Sequence[int]) -> str:
    """Returns one number if all are equal, else one per axis.

    >>> text_per_axis((2, 2)), text_per_axis((1, 2))
    ('2', '1 × 2')
    """
    return str(values[0]) if len(set(values)) == 1 else TIMES.join(map(str, values))


def describe_convolution(scene: Scene, window: str = "kernel") -> str:
    """Returns the numbers of the forward convolution, or of a pooling's windows."""
    g = scene.geometry
    parts = [f"{window} {sizes(g.kernel_shape)}", f"stride {text_per_axis(g.strides)}", _paddings(g)]
    if set(g.kernel_dilation) != {1}:
        parts.append(f"dilation {text_per_axis(g.kernel_dilation)}")
    if set(g.input_dilation) != {1}:
        parts.append(f"input dilation {text_per_axis(g.input_dilation)}")
    if g.feature_group_count > 1:
        parts.append(f"{g.feature_group_count} groups")
    return ("of " if scene.transposed else "") + ", ".join(parts)


def describe_maps(scene: Scene) -> str:
    """Returns the numbers of the forward convolution, and the shapes of its maps."""
    g = scene.geometry
    numbers = describe_convolution(scene).removeprefix("of ")
    return f"{numbers}, input {sizes(g.input_shape)}, output {sizes(g.output_shape)}"


def _paddings(g: ConvGeometry) -> str:
    mode = "" if g.padding_mode == "zeros" else f"{g.padding_mode} "
    lows, highs = zip(*g.padding, strict=True)
    if lows == highs:
        return f"{mode}padding {text_per_axis(lows)}"
    return f"{mode}padding {text_per_axis(lows)} before and {text_per_axis(highs)} after"


def padding_note(g: ConvGeometry) -> str:
    """Returns the padding and the inserted zeros of a shown convolution; empty if there are none."""
    notes = []
    zeros = {f - 1 for f in g.input_dilation}
    if zeros != {0}:
        number = text_per_axis([f - 1 for f in g.input_dilation])
        notes.append(f"{number} {'zero' if zeros == {1} else 'zeros'} inserted")
    lows, highs = zip(*g.padding, strict=True)
    if any(lows) or any(highs):
        negative = min(*lows, *highs) < 0
        name = "padding (dashed)" if max(*lows, *highs) > 0 else "cropping"
        name += ", negative crops" if negative and name != "cropping" else ""
        low, high = text_per_axis(lows), text_per_axis(highs)
        amount = low if lows == highs else f"{low} before, {high} after"
        mode = "" if g.padding_mode == "zeros" else f"{g.padding_mode} "
        notes.append(f"{mode}{name} {amount}")
    return "; ".join(notes)


def kernel_note(scene: Scene) -> str:
    """Returns whether the kernel of a shown convolution is rotated, and its span if it is dilated."""
    notes = (
        ["rotated by 180\N{DEGREE SIGN}"] if scene.transposed and max(scene.geometry.kernel_shape) > 1 else []
    )
    if set(scene.shown.kernel_dilation) != {1}:
        notes.append(f"spans {sizes([axis.span for axis in scene.shown.axes])}")
    return ", ".join(notes)
