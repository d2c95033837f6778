"""Upsampling of scores: learned, bilinear or nearest-neighbour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import jax
from flax import nnx

from jaxconv.convolution import conv_transpose
from jaxconv.errors import OptionError
from jaxconv.geometry.arguments import did_you_mean
from jaxconv.nn import ConvTranspose, bilinear
from jaxconv.operators import bilinear_kernel, resize

Upsampler = Literal["learned", "fixed", "nearest"]


def check_upsampler(name: str, kind: str) -> None:
    """Checks a kind of upsampling.

    Raises:
      OptionError: It is unknown.
    """
    kinds = get_args(Upsampler)
    if kind not in kinds:
        hint = "; 'fixed' is bilinear" if kind == "bilinear" else did_you_mean(kind, kinds)
        raise OptionError(f"`{name}` must be one of {', '.join(kinds)}; got {kind!r}{hint}.")


class Upsampling(nnx.Module):
    r"""Upsampling by an even factor f that undoes pooling: cells return to the middle of what they pooled.

    Pooled with ``ceil_mode``, a map of n cells has ceil(n / f). Its cell j is the pooled value of cells f j
    to f j + f - 1, whose middle is f j + (f - 1) / 2. A kernel of 2 f taps has its middle at f - 1/2, so a
    low padding of f / 2 aligns the two. With a high padding of 3 f / 2 - 1 the forward convolution has
    ceil(n / f) outputs for every n: given the finer size (`input_shape`), the transpose returns exactly the
    cells that were pooled, and nothing has to be cropped.

    Args:
      features: Features of the map.
      factor: f, an even integer.
      kind: ``"learned"``: a transposed convolution that starts bilinear; ``"fixed"``: bilinear, without
        parameters; ``"nearest"``: cells are repeated.
      rngs: Source of the random initial parameters, used by ``"learned"``.

    Raises:
      OptionError: `kind` is unknown, or `factor` is odd.

    References:
      Long, Shelhamer & Darrell, arXiv:1411.4038, section 3.3.

    >>> up = Upsampling(1, 2, "fixed", rngs=nnx.Rngs(0))
    >>> y = jax.numpy.array([[[0.0], [4.0], [8.0]]] * 2)
    >>> up(y, (4, 5))[1, :, 0].tolist()
    [0.0, 1.0, 3.0, 5.0, 7.0]
    """

    def __init__(self, features: int, factor: int, kind: Upsampler, *, rngs: nnx.Rngs):
        check_upsampler("kind", kind)
        if factor % 2:
            raise OptionError(f"`factor` must be even, got {factor}.")
        self.features, self.factor, self.kind = features, factor, kind
        self.padding = ((factor // 2, 3 * factor // 2 - 1),) * 2
        if kind == "learned":
            self.layer = ConvTranspose(
                features,
                features,
                (2 * factor, 2 * factor),
                strides=factor,
                padding=self.padding,
                kernel_init=bilinear(factor),
                use_bias=False,
                rngs=rngs,
            )

    def __call__(self, y: jax.Array, shape: Sequence[int]) -> jax.Array:
        """Maps ``(*batch, rows, columns, features)`` to ``(*batch, *shape, features)``."""
        if self.kind == "learned":
            return self.layer(y, input_shape=shape)
        if self.kind == "fixed":
            return conv_transpose(
                y,
                bilinear_kernel((self.factor, self.factor), self.features, y.dtype),
                strides=self.factor,
                padding=self.padding,
                input_shape=shape,
                feature_group_count=self.features,
            )
        repeated = resize(y, [self.factor * n for n in y.shape[-3:-1]], "nearest")
        return repeated[..., : shape[0], : shape[1], :]
