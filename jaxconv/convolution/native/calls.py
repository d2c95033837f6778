"""Calls of the compiled handler from programs of JAX."""

from __future__ import annotations

from enum import IntEnum

import jax
import numpy as np

from jaxconv.core.sharding import typed_like
from jaxconv.geometry import ConvGeometry

TARGET = "jaxconv_convolution"
"""Name of the handler in compiled programs."""
MAX_AXES = 3
FLOAT32 = 3  # dnnl_f32


class Kind(IntEnum):
    """The three members of the family, as the handler numbers them."""

    CONV = 0
    CONV_TRANSPOSE = 1
    CONV_KERNEL_VJP = 2


def call(kind: Kind, a: jax.Array, b: jax.Array, g: ConvGeometry, devices: int = 1) -> jax.Array:
    """Computes a member of the family; operands and result are those of a `Formulation`.

    Args:
      kind: The member.
      a: Its first operand.
      b: Its second operand.
      g: The geometry.
      devices: Number of devices that share the threads of the process.
    """
    shape = {
        Kind.CONV: (a.shape[0], *g.output_shape, g.out_features),
        Kind.CONV_TRANSPOSE: (a.shape[0], *g.input_shape, g.in_features),
        Kind.CONV_KERNEL_VJP: g.kernel_array_shape,
    }[kind]
    options = [g.feature_group_count, *g.strides, *g.kernel_dilation, *_lows(g), *_highs(g)]
    run = jax.ffi.ffi_call(TARGET, typed_like(a, shape))
    return run(a, b, kind=np.int64(kind), devices=np.int64(devices), options=np.array(options, np.int64))


def numbers_of(kind: Kind, g: ConvGeometry, batch: int) -> list[int]:
    """Returns the fields of handler.cpp's `Convolution`: sizes, then seven triples of one number per axis."""
    triples = [(g.input_shape, 1), (g.output_shape, 1), (g.kernel_shape, 1)]
    triples += [(values, 0) for values in (g.strides, g.kernel_dilation, _lows(g), _highs(g))]
    numbers = [int(kind), FLOAT32, 1, g.ndim, batch, g.feature_group_count, g.in_features, g.out_features]
    for values, fill in triples:
        numbers += [*values, *[fill] * (MAX_AXES - g.ndim)]
    return numbers


def _lows(g: ConvGeometry) -> tuple[int, ...]:
    return tuple(low for low, _ in g.padding)


def _highs(g: ConvGeometry) -> tuple[int, ...]:
    return tuple(high for _, high in g.padding)
