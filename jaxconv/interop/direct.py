"""The transposed convolution as most libraries write it: a direct convolution of the stretched y.

They say how much the stretched y is padded; this library, as the guide and PyTorch do, how much the
forward convolution's input is (relationship 14): ``low = span - 1 - p_low`` of one is the other.
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxconv.convolution import transposed_kernel
from jaxconv.errors import GeometryError
from jaxconv.interop.layer import Convolution

Pairs = Sequence[tuple[int, int]]


def of_direct(kernel, bias, strides, padding: Pairs, kernel_dilation, feature_group_count=1, **options):
    """The transposed layer that convolves y directly, stretched by `strides` and padded.

    Args:
      kernel: Of the direct convolution: ``(*kernel_shape, in // groups, out)`` of the layer.
      bias: Of the layer.
      strides: One an axis.
      padding: Of the stretched y, a pair an axis.
      kernel_dilation: One an axis.
      feature_group_count: Groups.
      **options: As in `Convolution`.

    References:
      Dumoulin & Visin, arXiv:1603.07285, relationships 8 to 14.
    """
    spans = [d * (k - 1) + 1 for k, d in zip(kernel.shape[:-2], kernel_dilation, strict=True)]
    forward = [forward_padding(*axis) for axis in zip(spans, strides, padding, strict=True)]
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
    """Padding ``(low, high)`` of the forward input and output padding, from padding of the stretched y.

    Cells that no window reaches may count as cropped from the high side or as output padding. As
    many are output padding as make both sides alike, which more libraries can say.

    >>> forward_padding(span=3, stride=2, padding=(1, 2))
    (1, 1, 1)
    """
    low, high = (span - 1 - cells for cells in padding)
    a = min(max(low - high, 0), stride - 1)
    return low, high + a, a


def direct_padding(layer: Convolution) -> tuple[tuple[int, int], ...]:
    """The padding of the stretched y that makes a transposed layer a direct convolution.

    Raises:
      GeometryError: There is none, or it depends on the input's size.

    >>> import jax
    >>> kernel = jax.ShapeDtypeStruct((3, 1, 1), "float32")
    >>> direct_padding(Convolution(kernel, strides=2, padding=1, transposed=True, output_padding=1))
    ((1, 2),)
    """
    if layer.padding_mode != "zeros":
        raise GeometryError(
            f"the transpose of {layer.padding_mode} padding folds its border back, which no zero-padded "
            "convolution does"
        )
    a = layer.output_padding
    if a is None:
        if max(layer.input_dilation) > 1:
            raise GeometryError(
                "how many cells the smallest input leaves over depends on y: settle it by `.at(input_shape)`"
            )
        a = (0,) * layer.ndim
    return tuple(
        (span - 1 - low, span - 1 - high + a)
        for span, (low, high), a in zip(layer.spans, layer.padding, a, strict=True)
    )
