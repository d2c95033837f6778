"""The transposed convolution as most libraries define it: a direct convolution of the stretched y.

Their padding is that of the stretched y. The padding of this library, as of PyTorch, is that of the input of
the forward convolution (Dumoulin & Visin, arXiv:1603.07285, relationship 14). Each follows from the other by
``low = span - 1 - p_low``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax

from jaxconv.convolution import transposed_kernel
from jaxconv.errors import GeometryError
from jaxconv.interop.layer import Convolution
from jaxconv.interop.padding import spans


def of_direct(
    kernel: jax.Array,
    bias: jax.Array | None,
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    kernel_dilation: Sequence[int],
    feature_group_count: int = 1,
    **options: Any,
) -> Convolution:
    """Returns the transposed layer that is a direct convolution of y, stretched by `strides` and padded.

    Args:
      kernel: Kernel of the direct convolution, ``(*kernel_shape, in // groups, out)`` of the layer.
      bias: Bias of the layer, ``(out,)``, or None.
      strides: Strides of the forward convolution, one int per axis.
      padding: Padding of the stretched y, one ``(low, high)`` pair per axis.
      kernel_dilation: Kernel dilation, one int per axis.
      feature_group_count: Number of groups.
      **options: Further arguments of `Convolution`.

    References:
      Dumoulin & Visin, arXiv:1603.07285, relationships 8 to 14.
    """
    lengths = spans(kernel.shape[:-2], kernel_dilation)
    forward = [forward_padding(*axis) for axis in zip(lengths, strides, padding, strict=True)]
    return Convolution(
        transposed_kernel(kernel, feature_group_count),
        bias,
        strides=strides,
        padding=tuple((low, high) for low, high, _ in forward),
        kernel_dilation=kernel_dilation,
        feature_group_count=feature_group_count,
        transposed=True,
        output_padding=tuple(a for *_, a in forward),
        **options,
    )


def forward_padding(span: int, stride: int, padding: tuple[int, int]) -> tuple[int, int, int]:
    """Converts the padding of the stretched y to the forward convolution's padding and output padding.

    Cells that no window reaches may count as high padding or as output padding. As many count as output
    padding as make both sides of the padding equal, which more libraries can express.

    Returns:
      ``(low, high, output_padding)`` of one axis.

    >>> forward_padding(span=3, stride=2, padding=(1, 2))
    (1, 1, 1)
    """
    low, high = (span - 1 - cells for cells in padding)
    a = min(max(low - high, 0), stride - 1)
    return low, high + a, a


def direct_padding(layer: Convolution) -> tuple[tuple[int, int], ...]:
    """Returns the padding of the stretched y with which a transposed layer is a direct convolution.

    Raises:
      GeometryError: There is none, or it depends on the size of the input.

    >>> import jax
    >>> kernel = jax.ShapeDtypeStruct((3, 1, 1), "float32")
    >>> direct_padding(Convolution(kernel, strides=2, padding=1, transposed=True, output_padding=1))
    ((1, 2),)
    """
    if layer.padding_mode != "zeros":
        raise GeometryError(
            f"the transpose of {layer.padding_mode} padding adds its border to other cells, which no "
            "zero-padded convolution does"
        )
    a = layer.output_padding
    if a is None:
        if max(layer.input_dilation) > 1:
            raise GeometryError(
                "the output padding depends on the size of y because of `input_dilation`: call "
                "`layer.at(input_shape)` first"
            )
        a = (0,) * layer.ndim
    return tuple(
        (span - 1 - low, span - 1 - high + a)
        for span, (low, high), a in zip(layer.spans, layer.padding, a, strict=True)
    )
