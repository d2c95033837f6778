"""What a network is given for the pixels of an example. It travels with the weights, so it is named."""

from __future__ import annotations

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxconv.errors import ConfigError

Preprocessing = Literal["unit", "centred", "torchvision", "caffe"]

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CAFFE_MEAN = (103.939, 116.779, 123.68)  # blue, green, red


def preprocess(x: jax.Array, kind: Preprocessing) -> jax.Array:
    """Pixels of 0 to 1 as a network takes them.

    Args:
      x: ``(..., features)``, 0 to 1; colours are red, green, blue.
      kind: ``"unit"``: as they are. ``"centred"``: -1 to 1. ``"torchvision"``: minus the mean and over
        the deviation of ImageNet, for torchvision's weights. ``"caffe"``: blue, green, red of 0 to 255,
        minus the mean, for the original weights of VGG and for ReSeg.

    Returns:
      The same shape and dtype.

    Raises:
      ConfigError: A kind for colours meets other features than three.

    >>> print(preprocess(jnp.array([[1.0, 0.5, 0.0]]), "caffe").round(1))
    [[-103.9   10.7  131.3]]
    """
    if kind == "unit":
        return x
    if kind == "centred":
        return 2 * x - 1
    if x.shape[-1] != 3:
        raise ConfigError(
            f"preprocessing={kind!r} is for red, green and blue; the examples have {x.shape[-1]} "
            'features. Take "unit" or "centred".'
        )
    if kind == "torchvision":
        return (x - _row(_MEAN, x)) / _row(_STD, x)
    return 255 * x[..., ::-1] - _row(_CAFFE_MEAN, x)


def _row(values: tuple[float, ...], x: jax.Array) -> jax.Array:
    return jnp.broadcast_to(jnp.asarray(np.asarray(values), x.dtype), x.shape)
