"""How far a transposed layer is from the transpose of a convolution: of a given one, or of padding words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from jaxconv.convolution import transposed_kernel
from jaxconv.errors import GeometryError
from jaxconv.geometry import AxisGeometry, ConvGeometry, Padding
from jaxconv.geometry.arguments import PaddingWord, plural, resolve_padding
from jaxconv.geometry.output_side import OutputSide, output_sides
from jaxconv.interop.identification.linear import relative_tolerance, wide
from jaxconv.interop.layer import Convolution

WORDS: tuple[PaddingWord, ...] = ("VALID", "SAME", "SAME_LOWER", "HALF", "FULL")


@dataclass(frozen=True)
class TransposeDistance:
    """How far a layer is from C-transposed, where C is the matrix of a convolution.

    Attributes:
      kernel: ``"equal"``, ``"flipped"``, ``"other"``, or None where only geometries are compared.
      options: Names of the options that differ, such as ``"strides"``; the rest is not compared then.
      extra_cells: Number of output cells, per axis, beyond the sizes that the transpose can have; negative
        where cells are missing.
      shift: Cells, per axis, by which the output is shifted towards the high end.
    """

    kernel: str | None
    options: tuple[str, ...]
    extra_cells: tuple[int, ...]
    shift: tuple[int, ...]

    def __bool__(self) -> bool:
        """Whether the layer is C-transposed."""
        right = self.kernel in ("equal", None) and not self.options
        return right and not any(self.extra_cells) and not any(self.shift)

    def __str__(self) -> str:
        """The distance in words."""
        if self:
            return "equal"
        parts = [f"other {' and '.join(self.options)}"] if self.options else []
        parts += [f"{self.kernel} kernel"] if self.kernel in ("flipped", "other") else []
        parts += [
            _in_words(self.shift, "shifted by {} towards the high end", "shifted by {} towards the low end")
        ]
        parts += [_in_words(self.extra_cells, "{} too many", "{} short")]
        return ", ".join(filter(None, parts))


def _in_words(cells: tuple[int, ...], more: str, fewer: str) -> str:
    """Writes numbers of cells, with the axis if there are several axes."""
    where = [f" on axis {axis}" if len(cells) > 1 else "" for axis in range(len(cells))]
    return ", ".join(
        (more if count > 0 else fewer).format(plural(abs(count), "cell")) + name
        for name, count in zip(where, cells, strict=True)
        if count
    )


def distance_from_transpose(
    layer: Convolution, forward: Convolution, input_shape: Sequence[int]
) -> TransposeDistance:
    """Returns how far a layer is from the transpose of a convolution.

    Args:
      layer: A layer, forward or transposed, with zero padding.
      forward: The convolution, a forward layer.
      input_shape: Spatial shape of the input of `layer`, which is the output of `forward`.

    Raises:
      GeometryError: `forward` is a transposed layer, or the layers have other numbers of axes.

    >>> import jax.numpy as jnp
    >>> kernel = jnp.array([1.0, 2.0, 3.0]).reshape(3, 1, 1)
    >>> layer = Convolution(kernel[::-1], strides=2, padding=1, transposed=True)
    >>> print(distance_from_transpose(layer, Convolution(kernel, strides=2), (3,)))
    flipped kernel, shifted by 1 cell towards the low end, 2 cells short
    """
    if forward.transposed or layer.ndim != forward.ndim:
        kind = "transposed" if forward.transposed else "forward"
        raise GeometryError(
            "`forward` must be a forward convolution with as many spatial axes as `layer`, which has "
            f"{layer.ndim}; got a {kind} one with {forward.ndim}."
        )
    g, kernel = _as_transposed(layer, input_shape)
    other = np.asarray(forward.kernel)
    pairs = {
        "features": ((g.in_features, g.out_features), (forward.in_features, forward.out_features)),
        "groups": (g.feature_group_count, forward.feature_group_count),
        "kernel shape": (g.kernel_shape, forward.kernel_shape),
        "strides": (g.strides, forward.strides),
        "kernel dilation": (g.kernel_dilation, forward.kernel_dilation),
        "input dilation": (g.input_dilation, forward.input_dilation),
        "padding mode": (g.padding_mode, forward.padding_mode),
    }
    differing = tuple(name for name, (mine, theirs) in pairs.items() if mine != theirs)
    if differing:
        return TransposeDistance(None, differing, (), ())
    named = "equal" if _near(kernel, other) else "other"
    if named == "other" and _near(np.flip(kernel, tuple(range(layer.ndim))), other):
        named = "flipped"
    return TransposeDistance(named, (), *_misses(g, forward.padding, forward.padding_mode))


def distances_from_words(layer: Convolution, input_shape: Sequence[int]) -> dict[str, TransposeDistance]:
    """Returns how far a layer is from the transpose of convolutions with the padding of each word.

    Args:
      layer: A transposed layer.
      input_shape: Spatial shape of its input.

    >>> import jax.numpy as jnp
    >>> layer = Convolution(jnp.ones((3, 1, 1)), strides=2, transposed=True, padding=((0, 1),))
    >>> for word, distance in distances_from_words(layer, (5,)).items():
    ...     print(f"{word}: {distance}")
    VALID: 1 cell short
    SAME: equal
    SAME_LOWER: shifted by 1 cell towards the high end
    HALF: shifted by 1 cell towards the high end
    FULL: shifted by 2 cells towards the high end, 2 cells too many
    """
    g = layer.geometry(input_shape)
    return {word: TransposeDistance(None, (), *_misses(g, word, g.padding_mode)) for word in WORDS}


def _misses(g: ConvGeometry, padding: Padding, mode: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Returns extra cells and shifts of the transpose of `g` from that with another padding."""
    sides = output_sides(
        g.output_shape, g.kernel_shape, g.strides, padding, g.kernel_dilation, g.input_dilation, mode
    )
    misses = [_miss(axis, side) for axis, side in zip(g.axes, sides, strict=True)]
    return tuple(extra for extra, _ in misses), tuple(shift for _, shift in misses)


def _miss(axis: AxisGeometry, side: OutputSide) -> tuple[int, int]:
    """Returns extra cells and the shift of one axis, from the nearest size that the transpose can have."""
    sizes = side.input_sizes() or range(axis.size, axis.size + 1)
    size = min(max(axis.size, sizes[0]), sizes[-1])
    low, _ = resolve_padding(side.padding, axis.input_dilation * (size - 1) + 1, side.span, side.stride)
    return axis.size - size, low - axis.padding[0]


def _as_transposed(layer: Convolution, input_shape: Sequence[int]) -> tuple[ConvGeometry, np.ndarray]:
    """Returns the convolution of which a layer is the transpose, and its kernel."""
    g = layer.geometry(input_shape)
    if layer.transposed:
        return g, np.asarray(layer.kernel)
    return g.equivalent_direct(), np.asarray(transposed_kernel(layer.kernel, layer.feature_group_count))


def _near(one: np.ndarray, other: np.ndarray) -> bool:
    share = max(relative_tolerance(kernel.dtype) for kernel in (one, other))
    one, other = (kernel.astype(wide(kernel.dtype)) for kernel in (one, other))
    return bool(abs(one - other).max() <= share * max(abs(one).max(), abs(other).max()))
