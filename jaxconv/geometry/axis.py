"""One spatial axis of a convolution, in integers.

Axes do not interact (section 2 of the guide), so everything about sizes is said here once;
`ConvGeometry` is a tuple of these with features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from jaxconv.errors import GeometryError
from jaxconv.geometry.arguments import at_least_one, pair_of_ints

PaddingMode = Literal["zeros", "circular", "reflect", "replicate"]
PADDING_MODES: tuple[str, ...] = get_args(PaddingMode)
NUMPY_PAD_MODES = {"zeros": "constant", "circular": "wrap", "reflect": "reflect", "replicate": "edge"}


@dataclass(frozen=True, slots=True)
class AxisGeometry:
    r"""One spatial axis; letters follow arXiv:1603.07285.

    Output cell $o$ reads, with tap $t$, the cell $o s + t d - p_l$ of the *stretched* axis: the
    input with $f - 1$ zeros between neighbours. Padding counts stretched cells, and a negative
    padding crops them.

    Args:
      size: $i$, input cells.
      kernel: $k$, taps.
      stride: $s$.
      padding: $(p_l, p_h)$, low and high.
      dilation: $d$, of the kernel.
      input_dilation: $f$.
      padding_mode: What the padding holds.

    Raises:
      GeometryError: A size is below one, or the kernel does not fit into the padded input.

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
        if self.padding_mode not in PADDING_MODES:
            raise GeometryError(f"`padding_mode` is one of {PADDING_MODES}, got {self.padding_mode!r}.")
        if self.slack < 0:
            raise GeometryError(
                f"the dilated kernel spans {self.span} cells but the padded input has {self.padded}; "
                f"raise `padding` or lower `kernel_dilation`. Got {self}."
            )
        if self.size < least_size(self.padding_mode, self.padding):
            raise GeometryError(
                f"an axis of one cell has nothing to reflect; use padding_mode='replicate'. Got {self}."
            )

    @property
    def span(self) -> int:
        """Cells from the first tap to the last: $d(k-1)+1$, the effective kernel size."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def stretched(self) -> int:
        """Cells once ``input_dilation - 1`` zeros stand between neighbours: $f(i-1)+1$."""
        return self.input_dilation * (self.size - 1) + 1

    @property
    def padded(self) -> int:
        """Stretched cells after padding and cropping."""
        return self.stretched + sum(self.padding)

    @property
    def slack(self) -> int:
        """How far the kernel can move: padded cells less its span."""
        return self.padded - self.span

    @property
    def out_size(self) -> int:
        """Output cells, relationships 6 and 15."""
        return self.slack // self.stride + 1

    @property
    def output_padding(self) -> int:
        """$a$: padded cells that the last window leaves over, relationship 14."""
        return self.slack % self.stride

    @property
    def input_sizes(self) -> range:
        """Every input size that the same kernel, strides and padding take to this output size."""
        return input_sizes(self.out_size, self)

    def equivalent_direct(self) -> AxisGeometry:
        """The equivalent direct convolution of the transpose (relationships 8 to 14).

        Stride and input dilation change places. It crops where the forward padding exceeds
        ``span - 1``, and the cells of `output_padding` are added to its high edge.

        Raises:
          GeometryError: The padding holds something other than zeros: its transpose folds the
            padding back, which no zero-padded convolution does.

        >>> equivalent = AxisGeometry(size=6, kernel=3, stride=2, padding=(1, 1)).equivalent_direct()
        >>> equivalent.size, equivalent.input_dilation, equivalent.padding, equivalent.out_size
        (3, 2, (1, 2), 6)
        """
        if self.padding_mode != "zeros":
            raise GeometryError(
                "only zero padding has an equivalent direct convolution; the transpose of "
                f"{self.padding_mode} padding folds its border back onto the cells it came from. Got {self}."
            )
        low = self.span - 1 - self.padding[0]
        high = self.stretched - 1 + self.padding[0] - (self.out_size - 1) * self.stride
        return AxisGeometry(
            self.out_size, self.kernel, self.input_dilation, (low, high), self.dilation, self.stride
        )


def input_sizes(out_size: int, axis: AxisGeometry) -> range:
    """Every input size that `axis`'s kernel, strides, padding and dilations take to `out_size`.

    Consecutive; empty where ``input_dilation > strides`` skips the output size.
    The ``size`` of `axis` is not read.
    """
    stretched = axis.stride * (out_size - 1) + axis.span - sum(axis.padding)
    least = least_size(axis.padding_mode, axis.padding)
    return sizes_from(stretched, axis.stride, axis.input_dilation, least)


def least_size(padding_mode: str, padding: tuple[int, int]) -> int:
    """The smallest input that a padding mode can pad: one cell has nothing to reflect."""
    return 2 if padding_mode == "reflect" and max(padding) > 0 else 1


def sizes_from(stretched: int, stride: int, input_dilation: int, least: int = 1) -> range:
    """The input sizes, of `least` or more, that stretch to `stretched` cells or up to ``stride - 1`` more.

    >>> sizes_from(5, stride=3, input_dilation=2)
    range(3, 5)
    """
    first = -(-(stretched - 1) // input_dilation) + 1
    last = (stretched + stride - 2) // input_dilation + 1
    return range(max(first, least), max(last + 1, least))


def format_sizes(sizes: range) -> str:
    """Consecutive sizes for a reader: a few of them one by one.

    >>> format_sizes(range(5, 7)), format_sizes(range(1, 100))
    ('5, 6', '1 to 99')
    """
    return ", ".join(map(str, sizes)) if len(sizes) <= 8 else f"{sizes[0]} to {sizes[-1]}"
