"""One axis of a convolution seen from its output, as a transposed convolution sees it: which inputs fit?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from jaxconv.errors import GeometryError
from jaxconv.geometry.arguments import (
    IntPerAxis,
    Padding,
    PaddingWord,
    check_output_padding,
    padding_per_axis,
    per_axis,
    plural,
    resolve_padding,
    shape_of,
)
from jaxconv.geometry.axis import least_size, size_bounds


class OutputSide(NamedTuple):
    """One axis of a forward convolution whose input size is not known yet.

    Attributes:
      out_size: Output cells of the forward convolution, the input cells of its transpose.
      kernel: Taps of the kernel.
      stride: Distance between the starts of neighbouring windows, in stretched cells.
      padding: A padding word or a ``(low, high)`` pair.
      dilation: Distance between neighbouring taps, in stretched cells; 1 means adjacent.
      input_dilation: Distance between neighbouring input cells, in stretched cells; 1 inserts no zeros.
      padding_mode: What the padding holds.
    """

    out_size: int
    kernel: int
    stride: int
    padding: PaddingWord | tuple[int, int]
    dilation: int
    input_dilation: int
    padding_mode: str

    @property
    def span(self) -> int:
        """Cells from the first tap to the last."""
        return self.dilation * (self.kernel - 1) + 1

    @property
    def same(self) -> bool:
        """Whether the padding is ``"SAME"`` or ``"SAME_LOWER"``, which depends on the input size."""
        return self.padding in ("SAME", "SAME_LOWER")

    def input_sizes(self) -> range:
        """Returns all input sizes that give these outputs."""
        return range(*self.input_size_bounds())

    def input_size_bounds(self) -> tuple[int, int]:
        """Returns the first of the input sizes that give these outputs, and the number after the last."""
        if self.same:
            return size_bounds(self.stride * (self.out_size - 1) + 1, self.stride, self.input_dilation)
        padding = resolve_padding(self.padding, 1, self.span, self.stride)
        stretched = self.stride * (self.out_size - 1) + self.span - sum(padding)
        least = least_size(self.padding_mode, padding)
        return size_bounds(stretched, self.stride, self.input_dilation, least)

    def input_size(self, output_padding: int | None, where: str = "") -> int:
        """Returns the input size that a transposed convolution takes, of those that share these outputs.

        Args:
          output_padding: Stretched cells after the last window. By default the smallest size is taken, or
            with ``"SAME"`` and ``"SAME_LOWER"`` stride x outputs.
          where: Which axis it is, for the message.

        Raises:
          GeometryError: No input has these outputs; the message has the nearest sizes that exist.
        """
        if output_padding is not None:
            check_output_padding(output_padding, self.stride, where)
        if self.same and output_padding:
            raise GeometryError(
                f"{where}`output_padding` must be 0 or left out with padding={self.padding!r}, which fixes "
                f"the size, strides x output size = {self.stride * self.out_size}; got {output_padding}. "
                "Drop it, or give `padding` in cells."
            )
        # Only SAME's padding depends on the number of stretched cells, and SAME fixes that number itself.
        padding = resolve_padding(self.padding, self.stride * self.out_size, self.span, self.stride)
        if self.same:
            stretched = self.stride * self.out_size
        else:
            stretched = self.stride * (self.out_size - 1) + self.span - sum(padding) + (output_padding or 0)
        exact = self.same or output_padding is not None
        least = least_size(self.padding_mode, padding)
        size = max(-(-(stretched - 1) // self.input_dilation) + 1, least)
        reach = self.input_dilation * (size - 1) + 1
        if reach == stretched or (not exact and reach < stretched + self.stride):
            return size
        raise self._no_input_size((size, least), stretched, sum(padding), output_padding, where)

    def _no_input_size(
        self,
        size_and_least: tuple[int, int],
        stretched: int,
        padded: int,
        output_padding: int | None,
        where: str,
    ) -> GeometryError:
        if stretched < 1:
            return GeometryError(
                f"{where}`padding` {self.padding!r} is too large: the transpose would have no cells left; "
                "lower it."
            )
        size, least = size_and_least
        nearest = sorted({max((stretched - 1) // self.input_dilation + 1, least), size})
        cells = [self.input_dilation * (size - 1) + 1 for size in nearest]
        if self.same:
            outputs = [-(-count // self.stride) for count in cells]
        else:
            outputs = [max((count + padded - self.span) // self.stride + 1, 0) for count in cells]
        wanted = f"{plural(self.out_size, 'output')} with padding={self.padding!r}"
        wanted += f" and output_padding={output_padding}" if output_padding else ""
        stretching = (
            f" once the input is stretched by input_dilation={self.input_dilation}"
            if self.input_dilation > 1
            else ""
        )
        if len(nearest) == 1:
            sizes = f"size is {nearest[0]}, which has {plural(outputs[0], 'output')}"
        else:
            sizes = (
                f"sizes are {nearest[0]} and {nearest[1]}, which have {outputs[0]} and {outputs[1]} outputs"
            )
        here = plural(self.out_size, "output")
        take = f"pass one with {here} as `input_shape`, or " if self.out_size in outputs else ""
        change = "" if output_padding is None else "`output_padding`, "
        return GeometryError(
            f"{where}{wanted} would need an input of {plural(stretched, 'cell')}{stretching}, which does not "
            f"exist. The nearest input {sizes}; {take}change {change}`padding` or `strides`."
        )


def output_sides(
    output_shape: tuple[int, ...],
    kernel_shape: Sequence[int],
    strides: IntPerAxis,
    padding: Padding,
    kernel_dilation: IntPerAxis,
    input_dilation: IntPerAxis,
    padding_mode: str,
) -> list[OutputSide]:
    """Returns the axes of a forward convolution whose input shape is not known yet."""
    n = len(output_shape)
    numbers = zip(
        output_shape,
        shape_of("kernel_shape", kernel_shape, n),
        per_axis("strides", strides, n),
        padding_per_axis(padding, n),
        per_axis("kernel_dilation", kernel_dilation, n),
        per_axis("input_dilation", input_dilation, n),
        strict=True,
    )
    return [
        OutputSide(out, kernel, stride, pad, dilation, stretch, padding_mode)
        for out, kernel, stride, pad, dilation, stretch in numbers
    ]
