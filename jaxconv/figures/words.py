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
    """Returns one number if all are equal, else a tuple with one per axis, as in code.

    >>> text_per_axis((2, 2)), text_per_axis((1, 2))
    ('2', '(1, 2)')
    """
    return str(values[0]) if len(set(values)) == 1 else f"({', '.join(map(str, values))})"


def padding_amounts(padding: Sequence[tuple[int, int]]) -> str:
    """Returns the cells of a padding as text: per axis where the axes differ, without sides that have none.

    >>> padding_amounts([(1, 1), (1, 1)]), padding_amounts([(0, 2)])
    ('1', '2 after')
    >>> padding_amounts([(-1, 2), (0, 0), (3, 3)])
    'axis 0: −1 before, 2 after; axis 2: 3'
    """
    amounts = [_axis_amounts(low, high) for low, high in padding]
    if len(set(amounts)) == 1:
        return amounts[0]
    return "; ".join(f"axis {axis}: {amount}" for axis, amount in enumerate(amounts) if amount != "0")


def _axis_amounts(low: int, high: int) -> str:
    if low == high:
        return _signed(low)
    sides = [f"{_signed(low)} before"] * bool(low) + [f"{_signed(high)} after"] * bool(high)
    return ", ".join(sides)


def _signed(number: int) -> str:
    return str(number).replace("-", "\N{MINUS SIGN}")


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
    amounts = padding_amounts(g.padding)
    several = "," in amounts or ":" in amounts
    return f"{mode}padding {f'({amounts})' if several else amounts}"


def padding_note(g: ConvGeometry, output_padding: Sequence[int]) -> str:
    """Returns the padding and the inserted zeros of a shown convolution; empty if there are none.

    Args:
      g: Convolution that is shown.
      output_padding: Cells after each axis that are the a of a transpose, a part of the padding of `g`.

    >>> transpose = ConvGeometry((6, 6), (3, 3), strides=2, padding=1).equivalent_direct()
    >>> padding_note(transpose, (1, 1))
    '1 zero inserted; padding (dashed) 1, and a = 1 after (shaded)'
    """
    notes = []
    zeros = {f - 1 for f in g.input_dilation}
    if zeros != {0}:
        number = text_per_axis([f - 1 for f in g.input_dilation])
        notes.append(f"{number} {'zero' if zeros == {1} else 'zeros'} inserted")
    padding = [(low, high - a) for (low, high), a in zip(g.padding, output_padding, strict=True)]
    cells = {side for sides in padding for side in sides}
    mode = "" if g.padding_mode == "zeros" else f"{g.padding_mode} "
    parts = []
    if max(cells) > 0:
        name = "padding (dashed; negative crops)" if min(cells) < 0 else "padding (dashed)"
        parts.append(f"{mode}{name} {padding_amounts(padding)}")
    elif min(cells) < 0:
        parts.append(f"cropping {padding_amounts([(-low, -high) for low, high in padding])}")
    if any(output_padding):
        parts.append(f"a = {text_per_axis(output_padding)} after (shaded)")
    return "; ".join([*notes, ", and ".join(parts)] if parts else notes)


def kernel_note(scene: Scene) -> str:
    """Returns whether the kernel of a shown convolution is rotated, and its span if it is dilated."""
    notes = (
        ["rotated by 180\N{DEGREE SIGN}"] if scene.transposed and max(scene.geometry.kernel_shape) > 1 else []
    )
    if set(scene.shown.kernel_dilation) != {1}:
        notes.append(f"spans {sizes([axis.span for axis in scene.shown.axes])}")
    return ", ".join(notes)
