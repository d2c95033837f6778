"""One spatial axis of a convolution, in integers.

Axes do not interact (Dumoulin & Visin, arXiv:1603.07285, section 2), so the sizes of one axis are computed
here; `ConvGeometry` is a tuple of these axes, with features.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from jaxconv.errors import GeometryError
from jaxconv.geometry.arguments import PaddingMode, at_least_one, check_padding_mode, pair_of_ints

NUMPY_PAD_MODES = {"zeros": "constant", "circular": "wrap", "reflect": "reflect", "replicate": "edge"}


@dataclass(frozen=True, slots=True)
class AxisGeometry:
    r"""One spatial axis of a convolution; letters follow Dumoulin & Visin, arXiv:1603.07285.

    The *stretched* axis is the input with $f - 1$ zeros inserted between neighbouring cells. Output cell
    $o$ reads, with tap $t$ of the kernel, the stretched cell $o s + t d - p_l$.

    Args:
      size: $i$, number of input cells.
      kernel: $k$, number of taps of the kernel.
      stride: $s$, distance between the starts of neighbouring windows, in stretched cells.
      padding: $(p_l, p_h)$, stretched cells added before and after the axis; negative numbers crop it.
      dilation: $d$, kernel dilation: distance between neighbouring taps, in stretched cells; 1 is adjacent.
      input_dilation: $f$, distance between neighbouring input cells, in stretched cells; 1 inserts no zeros.
      padding_mode: What the padding holds: ``"zeros"``, ``"circular"``, ``"reflect"`` or ``"replicate"``.

    Raises:
      GeometryError: A size is below 1, the padding mode is unknown, or the kernel does not fit into the
        padded input.
      TypeError: A size is not an integer.

    >>> axis = AxisGeometry(size=6, kernel=3, stride=2, padding=(1, 1))
    >>> axis.out_size, axis.output_padding, list(axis.input_sizes)
    (3, 1, [5, 6])
    """

    size: int
    kernel: int
    stride: int = 1
    padding: tuple[int, int] = (0, 0)
    dilation: int = 1
    input_dilation: int = 1
    padding_mode: PaddingMode = "zeros"

    def __post_init__(self) -> None:
        for name in ("size", "kernel", "stride", "dilation", "input_dilation"):
            object.__setattr__(self, name, at_least_one(name, getattr(self, name)))
        object.__setattr__(self, "padding", pair_of_ints("padding", self.padding))
        check_padding_mode(self.padding_mode)
        if self.slack < 0:
            dilated = f" ({self.kernel} taps, dilated by {self.dilation})" if self.span > self.kernel else ""
            lower = "lower `kernel_dilation`" if self.span > self.kernel else "take a smaller kernel"
            raise GeometryError(
                f"the kernel spans {self.span} cells{dilated} but the padded input has {self.padded}; "
                f"raise `padding` or {lower}. Got {self}."
            )
        if self.size < least_size(self.padding_mode, self.padding):
            raise GeometryError(
                "`padding_mode` cannot be 'reflect' on an axis of one cell, which has nothing to reflect; "
                f"use padding_mode='replicate'. Got {self}."
            )

    @property
    def span(self) -> int:
        """Cells from the first tap to the last: $d(k-1)+1$, the effective kernel size."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def stretched(self) -> int:
        """Cells of the input with its inserted zeros: $f(i-1)+1$."""
        return self.input_dilation * (self.size - 1) + 1

    @property
    def padded(self) -> int:
        """Stretched cells after padding and cropping."""
        return self.stretched + sum(self.padding)

    @property
    def slack(self) -> int:
        """Cells by which the kernel can move: padded cells minus the kernel's span."""
        return self.padded - self.span

    @property
    def out_size(self) -> int:
        """Output cells: Dumoulin & Visin, arXiv:1603.07285, relationships 6 and 15."""
        return self.slack // self.stride + 1

    @property
    def output_padding(self) -> int:
        """$a$, padded cells after the last window: Dumoulin & Visin, arXiv:1603.07285, relationship 14."""
        return self.slack % self.stride

    @property
    def input_sizes(self) -> range:
        """All input sizes that give this output size with the same kernel, stride and padding.

        They are consecutive.
        """
        return range(*self.input_size_bounds)

    @property
    def input_size_bounds(self) -> tuple[int, int]:
        """The first of `input_sizes`, and the number after the last."""
        stretched = self.stride * (self.out_size - 1) + self.span - sum(self.padding)
        least = least_size(self.padding_mode, self.padding)
        return size_bounds(stretched, self.stride, self.input_dilation, least)

    def equivalent_direct(self) -> AxisGeometry:
        """Returns the convolution that computes the transpose, on this axis.

        Stride and input dilation change places. The padding is negative, that is it crops, where the forward
        padding exceeds ``span - 1``, and the cells of `output_padding` are added to its high side.

        Raises:
          GeometryError: `padding_mode` is not ``"zeros"``: the transpose then adds the border to the cells
            that it was copied from, which a zero-padded convolution cannot do.

        References:
          Dumoulin & Visin, arXiv:1603.07285, relationships 8 to 14.

        >>> equivalent = AxisGeometry(size=6, kernel=3, stride=2, padding=(1, 1)).equivalent_direct()
        >>> equivalent.size, equivalent.input_dilation, equivalent.padding, equivalent.out_size
        (3, 2, (1, 2), 6)
        """
        if self.padding_mode != "zeros":
            raise GeometryError(
                f"`padding_mode` must be 'zeros', got {self.padding_mode!r}: only zero padding has an "
                "equivalent direct convolution. Use `conv_transpose`, which takes every padding mode. "
                f"Got {self}."
            )
        low = self.span - 1 - self.padding[0]
        high = self.stretched - 1 + self.padding[0] - (self.out_size - 1) * self.stride
        return replace(
            self,
            size=self.out_size,
            stride=self.input_dilation,
            padding=(low, high),
            input_dilation=self.stride,
        )


def least_size(padding_mode: str, padding: tuple[int, int]) -> int:
    """Returns the smallest input size that a padding mode can pad: reflection needs a second cell."""
    return 2 if padding_mode == "reflect" and max(padding) > 0 else 1


def size_bounds(stretched: int, stride: int, input_dilation: int, least: int = 1) -> tuple[int, int]:
    """Returns bounds of the input sizes that have `stretched` to ``stretched + stride - 1`` stretched cells.

    These are the first size and the number after the last one. The two are equal if no size has so many
    cells, which can happen where ``input_dilation > stride``.

    Args:
      stretched: The fewest stretched cells.
      stride: How many numbers of stretched cells are allowed.
      input_dilation: Distance between neighbouring input cells, in stretched cells; 1 inserts no zeros.
      least: Smallest size to return.

    >>> size_bounds(5, stride=3, input_dilation=2)
    (3, 5)
    """
    first = -(-(stretched - 1) // input_dilation) + 1
    last = (stretched + stride - 2) // input_dilation + 1
    return max(first, least), max(last + 1, least)


def format_sizes(sizes: range, last: str = ", ") -> str:
    """Returns consecutive sizes as text, one by one if there are few.

    Args:
      sizes: The sizes, one at least.
      last: What separates the last size from the others.

    >>> format_sizes(range(5, 7)), format_sizes(range(5, 8), " or "), format_sizes(range(1, 100))
    ('5, 6', '5, 6 or 7', '1 to 99')
    """
    if len(sizes) > 8:
        return f"{sizes[0]} to {sizes[-1]}"
    return last.join(filter(None, (", ".join(map(str, sizes[:-1])), str(sizes[-1]))))
