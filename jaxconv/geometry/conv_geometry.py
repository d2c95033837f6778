"""The geometry of a convolution over N spatial axes: integers only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from jaxconv.errors import GeometryError
from jaxconv.geometry.arguments import (
    IntPerAxis,
    Padding,
    PaddingMode,
    at_least_one,
    check_padding_mode,
    padding_per_axis,
    per_axis,
    plural,
    resolve_padding,
    shape_of,
)
from jaxconv.geometry.axis import AxisGeometry, format_sizes
from jaxconv.geometry.counting import entry_count, unused_count
from jaxconv.geometry.output_side import output_sides


@dataclass(frozen=True, init=False, repr=False)
class ConvGeometry:
    r"""The geometry of a convolution: everything except the numbers in the kernel and the maps.

    Where an argument takes an int or one int per axis, an int holds for all spatial axes. Padding is always
    stored as ``(low, high)`` pairs, so that two geometries that mean the same are equal. It counts cells of
    the stretched input, which has ``input_dilation - 1`` zeros between neighbouring cells.

    ====================  =============================================================
    padding word          ``(low, high)``, with ``span = d (k - 1) + 1``
    ====================  =============================================================
    ``"VALID"``           ``(0, 0)``
    ``"SAME"``            as many as give ``ceil(stretched / s)`` outputs, an odd cell high
    ``"SAME_LOWER"``      as many as give ``ceil(stretched / s)`` outputs, an odd cell low
    ``"HALF"``            ``(span // 2, span // 2)``
    ``"FULL"``            ``(span - 1, span - 1)``
    ``"CAUSAL"``          ``(span - 1, 0)``
    ====================  =============================================================

    Args:
      input_shape: Spatial shape of the input, without batch and features; its length is N.
      kernel_shape: Spatial shape of the kernel, without features.
      in_features: Features of the input.
      out_features: Features of the output.
      strides: Distance between the starts of neighbouring windows, in stretched cells, an int or one int
        per axis.
      padding: A word of the table (in capital or small letters), an int for both sides of every axis, or per
        axis an int or a ``(low, high)`` pair. Negative numbers crop.
      padding_mode: What the padding holds: ``"zeros"``, ``"circular"``, ``"reflect"`` or ``"replicate"``.
      input_dilation: Distance between neighbouring input cells, in stretched cells, an int or one int
        per axis; 1 inserts no zeros.
      kernel_dilation: Distance between neighbouring taps, in stretched cells, an int or one int per axis;
        1 means adjacent.
      feature_group_count: Number of groups; output feature j belongs to group ``j // (out / groups)``.

    Raises:
      GeometryError: The numbers do not make a convolution; the message names the argument.
      TypeError: A size is not an integer.

    References:
      Dumoulin & Visin, arXiv:1603.07285, sections 2, 4 and 5.

    >>> g = ConvGeometry((6, 6), (3, 3), strides=2, padding=1)
    >>> g.output_shape, g.output_padding, g.matrix_shape, g.nnz
    ((3, 3), (1, 1), (9, 36), 64)
    >>> g
    ConvGeometry((6, 6), (3, 3), strides=(2, 2), padding=((1, 1), (1, 1)))
    """

    input_shape: tuple[int, ...]
    kernel_shape: tuple[int, ...]
    in_features: int
    out_features: int
    strides: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    padding_mode: PaddingMode
    input_dilation: tuple[int, ...]
    kernel_dilation: tuple[int, ...]
    feature_group_count: int
    axes: tuple[AxisGeometry, ...] = field(init=False, compare=False)

    def __init__(
        self,
        input_shape: Sequence[int],
        kernel_shape: Sequence[int],
        *,
        in_features: int = 1,
        out_features: int = 1,
        strides: IntPerAxis = 1,
        padding: Padding = "VALID",
        padding_mode: PaddingMode = "zeros",
        input_dilation: IntPerAxis = 1,
        kernel_dilation: IntPerAxis = 1,
        feature_group_count: int = 1,
    ) -> None:
        shape = shape_of("input_shape", input_shape)
        n = len(shape)
        kernel = shape_of("kernel_shape", kernel_shape)
        if len(kernel) != n:
            raise GeometryError(
                "`input_shape` and `kernel_shape` must each have one size per spatial axis, without batch "
                f"and features; got {shape} and {kernel}."
            )
        check_padding_mode(padding_mode)
        s = per_axis("strides", strides, n)
        f = per_axis("input_dilation", input_dilation, n)
        d = per_axis("kernel_dilation", kernel_dilation, n)
        pads = tuple(
            resolve_padding(pad, f * (i - 1) + 1, d * (k - 1) + 1, s)
            for pad, i, k, s, f, d in zip(padding_per_axis(padding, n), shape, kernel, s, f, d, strict=True)
        )
        groups = at_least_one("feature_group_count", feature_group_count)
        features = at_least_one("in_features", in_features), at_least_one("out_features", out_features)
        for name, count in zip(("in_features", "out_features"), features, strict=True):
            if count % groups:
                raise GeometryError(
                    f"`{name}` must be divisible by feature_group_count={groups}, got {count}; "
                    "change one of the two."
                )
        axes = tuple(
            _axis_geometry(_on_axis(axis, n), i, k, s, pad, d, f, padding_mode)
            for axis, (i, k, s, pad, d, f) in enumerate(zip(shape, kernel, s, pads, d, f, strict=True))
        )
        values = (shape, kernel, *features, s, pads, padding_mode, f, d, groups, axes)
        for slot, value in zip(fields(self), values, strict=True):
            object.__setattr__(self, slot.name, value)

    def __repr__(self) -> str:
        """Returns Python code that makes this geometry, without arguments that have their defaults."""
        defaults = (1, "zeros", (1,) * self.ndim, ((0, 0),) * self.ndim)
        options = [(slot.name, getattr(self, slot.name)) for slot in fields(self)[2:] if slot.init]
        given = [f"{name}={value!r}" for name, value in options if value not in defaults]
        return f"ConvGeometry({', '.join([repr(self.input_shape), repr(self.kernel_shape), *given])})"

    @property
    def ndim(self) -> int:
        """N, the number of spatial axes."""
        return len(self.input_shape)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Spatial shape of the output."""
        return tuple(axis.out_size for axis in self.axes)

    @property
    def output_padding(self) -> tuple[int, ...]:
        """$a$, padded cells after the last window, per axis (arXiv:1603.07285, relationship 14)."""
        return tuple(axis.output_padding for axis in self.axes)

    @property
    def input_sizes(self) -> tuple[range, ...]:
        """All input sizes that share this output size, per axis."""
        return tuple(axis.input_sizes for axis in self.axes)

    @property
    def unused(self) -> tuple[int, ...]:
        """Number of input cells that no window reaches, per axis."""
        return tuple(unused_count(axis) for axis in self.axes)

    @property
    def kernel_array_shape(self) -> tuple[int, ...]:
        """Shape of the kernel with features: ``(*kernel_shape, in // groups, out)``."""
        return (*self.kernel_shape, self.in_features // self.feature_group_count, self.out_features)

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments of `conv`, `conv_transpose` and `conv_kernel_vjp`, with padding in cells."""
        return {
            "strides": self.strides,
            "padding": self.padding,
            "padding_mode": self.padding_mode,
            "input_dilation": self.input_dilation,
            "kernel_dilation": self.kernel_dilation,
            "feature_group_count": self.feature_group_count,
        }

    @property
    def matrix_shape(self) -> tuple[int, int]:
        """Shape of C: (outputs, inputs), features included."""
        return (
            math.prod(self.output_shape) * self.out_features,
            math.prod(self.input_shape) * self.in_features,
        )

    @property
    def nnz(self) -> int:
        """Number of entries of C: (output, input) pairs that a tap connects, whatever the kernel's values."""
        pairs = self.in_features // self.feature_group_count * self.out_features
        return math.prod(entry_count(axis) for axis in self.axes) * pairs

    @property
    def parameters(self) -> int:
        """Number of weights of the kernel; a bias has `out_features` more."""
        return math.prod(self.kernel_array_shape)

    @property
    def multiplications(self) -> int:
        """Multiplications of one application to one map: every tap at every output, in the padding too."""
        return math.prod(self.output_shape) * self.parameters

    def transposed(self) -> ConvGeometry:
        """Returns the geometry of the transpose as a convolution; the same as `equivalent_direct`."""
        return self.equivalent_direct()

    def equivalent_direct(self) -> ConvGeometry:
        """Returns the convolution that computes the transpose.

        Its kernel is the one that `jaxconv.transposed_kernel` returns.

        Raises:
          GeometryError: `padding_mode` is not ``"zeros"``.

        References:
          Dumoulin & Visin, arXiv:1603.07285, relationships 8 to 14, extended to both dilations.

        >>> ConvGeometry((6,), (3,), strides=2, padding=1).equivalent_direct()
        ConvGeometry((3,), (3,), padding=((1, 2),), input_dilation=(2,))
        """
        axes = [axis.equivalent_direct() for axis in self.axes]
        return ConvGeometry(
            self.output_shape,
            self.kernel_shape,
            in_features=self.out_features,
            out_features=self.in_features,
            strides=self.input_dilation,
            padding=tuple(axis.padding for axis in axes),
            input_dilation=self.strides,
            kernel_dilation=self.kernel_dilation,
            feature_group_count=self.feature_group_count,
        )

    def prepadded(self) -> ConvGeometry:
        """Returns the geometry of the same windows over an input that is already stretched and padded.

        >>> ConvGeometry((4,), (3,), padding=1, padding_mode="circular").prepadded()
        ConvGeometry((6,), (3,))
        """
        ones, none = (1,) * self.ndim, ((0, 0),) * self.ndim
        shape = tuple(axis.padded for axis in self.axes)
        return replace(self, input_shape=shape, padding=none, padding_mode="zeros", input_dilation=ones)

    def with_features(
        self, in_features: int, out_features: int, feature_group_count: int = 1
    ) -> ConvGeometry:
        """Returns the same spatial geometry with other features and groups."""
        return replace(
            self, in_features=in_features, out_features=out_features, feature_group_count=feature_group_count
        )

    @classmethod
    def from_shapes(
        cls,
        input_shape: Sequence[int],
        output_shape: Sequence[int],
        kernel_shape: Sequence[int],
        *,
        in_features: int = 1,
        out_features: int = 1,
        strides: IntPerAxis = 1,
        padding: Padding = "VALID",
        padding_mode: PaddingMode = "zeros",
        input_dilation: IntPerAxis = 1,
        kernel_dilation: IntPerAxis = 1,
        feature_group_count: int = 1,
    ) -> ConvGeometry:
        """Returns the geometry that takes `input_shape` to `output_shape`, checking that it does.

        Args:
          input_shape: Spatial shape of the forward input.
          output_shape: Spatial shape of the forward output.
          kernel_shape: Spatial shape of the kernel.
          in_features: Features of the forward input.
          out_features: Features of the forward output.
          strides: Distance between the starts of neighbouring windows, in stretched cells, an int or one int
            per axis.
          padding: A word, an int, or per axis an int or a ``(low, high)`` pair; see `ConvGeometry`.
          padding_mode: ``"zeros"``, ``"circular"``, ``"reflect"`` or ``"replicate"``.
          input_dilation: Distance between neighbouring input cells, in stretched cells, an int or one int
            per axis; 1 inserts no zeros.
          kernel_dilation: Distance between neighbouring taps, in stretched cells, an int or one int per axis;
            1 means adjacent.
          feature_group_count: Number of groups of features.

        Raises:
          GeometryError: These options give `input_shape` another output shape; the message has the input
            sizes that would fit.
          TypeError: A size is not an integer.

        >>> ConvGeometry.from_shapes((6,), (3,), (3,), strides=2, padding=1).output_padding
        (1,)
        """
        out = shape_of("output_shape", output_shape)
        n = len(out)
        shape = shape_of("input_shape", input_shape, n)
        sides = output_sides(
            out, kernel_shape, strides, padding, kernel_dilation, input_dilation, padding_mode
        )
        for axis, side in enumerate(sides):
            sizes = side.input_sizes()
            if shape[axis] not in sizes:
                fitting, way_out = "no input has", "Change `strides`, `padding` or the dilations."
                if sizes:
                    fitting = f"only inputs of {format_sizes(sizes, last=' or ')} cells have"
                    way_out = (
                        f"Pass {'one of these' if len(sizes) > 1 else 'this size'} as `input_shape`, or "
                        "change `strides`, `padding` or the dilations."
                    )
                dilations = f", input_dilation={input_dilation}" if side.input_dilation > 1 else ""
                dilations += f", kernel_dilation={kernel_dilation}" if side.dilation > 1 else ""
                raise GeometryError(
                    f"`input_shape` {shape} does not fit on axis {axis}: {fitting} "
                    f"{plural(side.out_size, 'output')} with strides={strides}, padding={padding!r}"
                    f"{dilations}. {way_out}"
                )
        return cls(
            shape,
            kernel_shape,
            in_features=in_features,
            out_features=out_features,
            strides=strides,
            padding=padding,
            padding_mode=padding_mode,
            input_dilation=input_dilation,
            kernel_dilation=kernel_dilation,
            feature_group_count=feature_group_count,
        )

    @classmethod
    def of_transposed(
        cls,
        output_shape: Sequence[int],
        kernel_shape: Sequence[int],
        *,
        output_padding: IntPerAxis | None = None,
        in_features: int = 1,
        out_features: int = 1,
        strides: IntPerAxis = 1,
        padding: Padding = "VALID",
        padding_mode: PaddingMode = "zeros",
        input_dilation: IntPerAxis = 1,
        kernel_dilation: IntPerAxis = 1,
        feature_group_count: int = 1,
    ) -> ConvGeometry:
        """Returns the forward geometry whose transpose takes maps of `output_shape` as its input.

        Several input sizes share an output size, and `output_padding` picks one. Without it the smallest is
        taken, or with ``"SAME"`` and ``"SAME_LOWER"`` strides x output size.

        Args:
          output_shape: Spatial shape of the forward output, which is the input of the transpose.
          kernel_shape: Spatial shape of the kernel.
          output_padding: $a$, stretched cells after the last window, an int or one int per axis, each in
            ``[0, strides)``.
          in_features: Features of the forward input, which is the output of the transpose.
          out_features: Features of the forward output, which is the input of the transpose.
          strides: Strides of the forward convolution, an int or one int per axis.
          padding: Padding of the forward convolution: a word, an int, or per axis an int or a
            ``(low, high)`` pair; see `ConvGeometry`.
          padding_mode: ``"zeros"``, ``"circular"``, ``"reflect"`` or ``"replicate"``.
          input_dilation: Input dilation of the forward convolution, an int or one int per axis.
          kernel_dilation: Kernel dilation of the forward convolution, an int or one int per axis.
          feature_group_count: Number of groups of features.

        Raises:
          GeometryError: No input has this output; the message has the nearest sizes that exist.
          TypeError: A size is not an integer.

        >>> ConvGeometry.of_transposed((3,), (3,), strides=2, padding=1, output_padding=1).input_shape
        (6,)
        """
        shape = shape_of("output_shape", output_shape)
        n = len(shape)
        sides = output_sides(
            shape, kernel_shape, strides, padding, kernel_dilation, input_dilation, padding_mode
        )
        a: tuple[int | None, ...] = (None,) * n
        if output_padding is not None:
            a = per_axis("output_padding", output_padding, n, least=0)
        input_shape = tuple(
            side.input_size(cells, _on_axis(axis, n))
            for axis, (side, cells) in enumerate(zip(sides, a, strict=True))
        )
        return cls(
            input_shape,
            kernel_shape,
            in_features=in_features,
            out_features=out_features,
            strides=strides,
            padding=padding,
            padding_mode=padding_mode,
            input_dilation=input_dilation,
            kernel_dilation=kernel_dilation,
            feature_group_count=feature_group_count,
        )


def _axis_geometry(where: str, *numbers: Any) -> AxisGeometry:
    """Makes the geometry of one axis; its errors say which axis it is."""
    try:
        return AxisGeometry(*numbers)
    except GeometryError as error:
        raise GeometryError(f"{where}{error}") from None


def _on_axis(axis: int, n: int) -> str:
    """Returns which of `n` axes a message is about, if there are several."""
    return f"on axis {axis}, " if n > 1 else ""
