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
    at_least_one,
    check_output_padding,
    padding_per_axis,
    per_axis,
    resolve_padding,
    shape_of,
)
from jaxconv.geometry.axis import AxisGeometry, PaddingMode, format_sizes, least_size, sizes_from
from jaxconv.geometry.counting import entry_count, unused_count


@dataclass(frozen=True, init=False, repr=False)
class ConvGeometry:
    r"""Everything about a convolution except its numbers.

    A bare int serves every axis; a sequence holds one entry an axis. Padding is a word, an int, or
    one int or ``(low, high)`` pair an axis; it counts cells of the stretched input and is always
    stored resolved, so that geometries that mean the same are equal.

    ====================  =============================================================
    padding word          ``(low, high)``, with ``span = d (k - 1) + 1``
    ====================  =============================================================
    ``"VALID"``           ``(0, 0)``
    ``"SAME"``            as many as give ``ceil(stretched / s)`` outputs, the odd one high
    ``"SAME_LOWER"``      the same, the odd one low
    ``"HALF"``            ``(span // 2, span // 2)``
    ``"FULL"``            ``(span - 1, span - 1)``
    ``"CAUSAL"``          ``(span - 1, 0)``
    ====================  =============================================================

    Args:
      input_shape: Spatial shape of the input, its length is N.
      kernel_shape: Spatial shape of the kernel.
      in_features: Features of the input.
      out_features: Features of the output.
      strides: Cells between neighbouring windows.
      padding: As above.
      padding_mode: ``"zeros"``, ``"circular"``, ``"reflect"`` or ``"replicate"``.
      input_dilation: Distance between neighbouring inputs once zeros are inserted.
      kernel_dilation: Distance between neighbouring taps.
      feature_group_count: Groups; output feature j belongs to group ``j // (out / groups)``.

    Raises:
      GeometryError: No convolution has these numbers.
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
        kernel = shape_of("kernel_shape", kernel_shape, n)
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
            AxisGeometry(i, k, s, pad, d, f, padding_mode)
            for i, k, s, pad, d, f in zip(shape, kernel, s, pads, d, f, strict=True)
        )
        values = (shape, kernel, *features, s, pads, padding_mode, f, d, groups, axes)
        for slot, value in zip(fields(self), values, strict=True):
            object.__setattr__(self, slot.name, value)

    def __repr__(self) -> str:
        """Python that makes this geometry again, defaults left out."""
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
        """$a$ of every axis: padded cells that the last window leaves over (relationship 14)."""
        return tuple(axis.output_padding for axis in self.axes)

    @property
    def input_sizes(self) -> tuple[range, ...]:
        """For every axis, all input sizes that share this output size."""
        return tuple(axis.input_sizes for axis in self.axes)

    @property
    def unused(self) -> tuple[int, ...]:
        """For every axis, how many input cells no window reaches."""
        return tuple(unused_count(axis) for axis in self.axes)

    @property
    def kernel_array_shape(self) -> tuple[int, ...]:
        """Shape of the kernel with features: ``(*kernel_shape, in // groups, out)``."""
        return (*self.kernel_shape, self.in_features // self.feature_group_count, self.out_features)

    @property
    def options(self) -> dict:
        """What `conv`, `conv_transpose` and `conv_kernel_vjp` take by keyword, resolved."""
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
        """Entries of C: (output, input) pairs that some tap connects, whatever the kernel's values."""
        pairs = self.in_features // self.feature_group_count * self.out_features
        return math.prod(entry_count(axis) for axis in self.axes) * pairs

    @property
    def parameters(self) -> int:
        """Weights of the layer's kernel; a bias adds `out_features` more."""
        return math.prod(self.kernel_array_shape)

    @property
    def multiplications(self) -> int:
        """Multiplications of one application as the lectures count them: every tap at every output."""
        return math.prod(self.output_shape) * self.parameters

    def transposed(self) -> ConvGeometry:
        """Returns `equivalent_direct`: the geometry of the transpose, as a convolution of its own."""
        return self.equivalent_direct()

    def equivalent_direct(self) -> ConvGeometry:
        """Returns the convolution that computes the transpose; its kernel is `transposed_kernel`'s.

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
        """The same windows over an input that is already stretched and padded.

        >>> ConvGeometry((4,), (3,), padding=1, padding_mode="circular").prepadded()
        ConvGeometry((6,), (3,))
        """
        ones, none = (1,) * self.ndim, ((0, 0),) * self.ndim
        shape = tuple(axis.padded for axis in self.axes)
        return replace(self, input_shape=shape, padding=none, padding_mode="zeros", input_dilation=ones)

    def with_features(
        self, in_features: int, out_features: int, feature_group_count: int = 1
    ) -> ConvGeometry:
        """The same spatial geometry between other features."""
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
        strides: IntPerAxis = 1,
        padding: Padding = "VALID",
        input_dilation: IntPerAxis = 1,
        kernel_dilation: IntPerAxis = 1,
        **options: Any,
    ) -> ConvGeometry:
        """The geometry that takes `input_shape` to `output_shape`, for a transpose that knows both.

        Args:
          input_shape: Spatial shape of the forward input.
          output_shape: Spatial shape of the forward output.
          kernel_shape: Spatial shape of the kernel.
          strides: As in `ConvGeometry`, as all that follow.
          padding: Likewise.
          input_dilation: Likewise.
          kernel_dilation: Likewise.
          **options: Likewise.

        Raises:
          GeometryError: It takes `input_shape` elsewhere; the message names the sizes that do.

        >>> ConvGeometry.from_shapes((6,), (3,), (3,), strides=2, padding=1).output_padding
        (1,)
        """
        out = shape_of("output_shape", output_shape)
        n = len(out)
        shape = shape_of("input_shape", input_shape, n)
        kernel = shape_of("kernel_shape", kernel_shape, n)
        s = per_axis("strides", strides, n)
        f = per_axis("input_dilation", input_dilation, n)
        d = per_axis("kernel_dilation", kernel_dilation, n)
        pads = padding_per_axis(padding, n)
        for axis, numbers in enumerate(zip(out, kernel, s, pads, d, f, strict=True)):
            sizes = _sizes_to(options.get("padding_mode", "zeros"), *numbers)
            if shape[axis] not in sizes:
                which = f"one of [{format_sizes(sizes)}]" if sizes else "no size: input_dilation skips it"
                raise GeometryError(
                    f"on axis {axis}, input_shape={shape} has {shape[axis]} cells, but what the forward "
                    f"convolution takes to output_shape={out} is {which}; change `input_shape`, or "
                    f"strides={strides}, padding={padding!r} or the dilations."
                )
        return cls(shape, kernel, strides=s, padding=padding, input_dilation=f, kernel_dilation=d, **options)

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
        """The forward geometry seen from its output: the one whose transpose upsamples `output_shape`.

        Several input sizes share an output size; `output_padding` picks one. Without it the
        smallest is taken, and ``"SAME"`` and ``"SAME_LOWER"`` mean strides x output size.

        Args:
          output_shape: Spatial shape of the forward output, the input of the transpose.
          kernel_shape: Spatial shape of the kernel.
          output_padding: $a$, stretched cells, in ``[0, strides)`` of every axis.
          in_features: Of the forward convolution, as all that follow.
          out_features: Likewise.
          strides: Likewise.
          padding: Likewise.
          padding_mode: Likewise.
          input_dilation: Likewise.
          kernel_dilation: Likewise.
          feature_group_count: Likewise.

        Raises:
          GeometryError: No input has this output; the message names the nearest that exist.

        >>> ConvGeometry.of_transposed((3,), (3,), strides=2, padding=1, output_padding=1).input_shape
        (6,)
        """
        shape = shape_of("output_shape", output_shape)
        n = len(shape)
        kernel = shape_of("kernel_shape", kernel_shape, n)
        strides = per_axis("strides", strides, n)
        f = per_axis("input_dilation", input_dilation, n)
        d = per_axis("kernel_dilation", kernel_dilation, n)
        a: tuple[int | None, ...] = (None,) * n
        if output_padding is not None:
            a = per_axis("output_padding", output_padding, n, least=0)
        pads = padding_per_axis(padding, n)
        input_shape = tuple(
            _input_size(padding_mode, *numbers)
            for numbers in zip(shape, kernel, strides, pads, d, f, a, strict=True)
        )
        return cls(
            input_shape,
            kernel,
            in_features=in_features,
            out_features=out_features,
            strides=strides,
            padding=padding,
            padding_mode=padding_mode,
            input_dilation=f,
            kernel_dilation=d,
            feature_group_count=feature_group_count,
        )


def _sizes_to(padding_mode, out, kernel, stride, pad, dilation, input_dilation) -> range:
    """Every input size that a convolution takes to `out` along one axis, its padding as it was given."""
    if pad in ("SAME", "SAME_LOWER"):
        return sizes_from(stride * (out - 1) + 1, stride, input_dilation)
    span = dilation * (kernel - 1) + 1
    padding = resolve_padding(pad, 1, span, stride)
    least = least_size(padding_mode, padding)
    return sizes_from(stride * (out - 1) + span - sum(padding), stride, input_dilation, least)


def _input_size(padding_mode, out, kernel, stride, pad, dilation, input_dilation, output_padding) -> int:
    """The input size that a transposed convolution returns along one axis."""
    span = dilation * (kernel - 1) + 1
    if output_padding is not None:
        check_output_padding(output_padding, stride)
    same = pad in ("SAME", "SAME_LOWER")
    if same and output_padding:
        raise GeometryError(
            f"padding {pad!r} already fixes the size, strides x output size = {stride * out}; drop "
            f"output_padding={output_padding} or give the padding in cells."
        )
    # Only SAME's padding depends on the stretched size, and that it fixes itself.
    low, high = resolve_padding(pad, stride * out, span, stride)
    stretched = stride * out if same else stride * (out - 1) + span - low - high + (output_padding or 0)
    exact = same or output_padding is not None
    least = least_size(padding_mode, (low, high))
    size = max(-(-(stretched - 1) // input_dilation) + 1, least)
    reach = input_dilation * (size - 1) + 1
    if reach == stretched or (not exact and reach < stretched + stride):
        return size
    nearest = sorted({max((stretched - 1) // input_dilation + 1, least), size})
    cells = [input_dilation * (i - 1) + 1 for i in nearest]
    outputs = [-(-c // stride) if same else max((c + low + high - span) // stride + 1, 0) for c in cells]
    wanted = f"padding {pad!r} means" if same else f"{out} outputs mean"
    wanted += f" output_padding={output_padding} and" if output_padding else ""
    raise GeometryError(
        f"{wanted} {stretched} cells once stretched with input_dilation={input_dilation}, which no input "
        f"has. The nearest input sizes are {' and '.join(map(str, nearest))}, with "
        f"{' and '.join(map(str, outputs))} outputs; name one that has {out} as `input_shape`, or change "
        "`output_padding`, `padding` or `strides`."
    )
