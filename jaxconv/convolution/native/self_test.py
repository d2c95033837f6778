"""The handler tried on one geometry before it is used: a wrong library must never give a wrong number."""

from __future__ import annotations

import jax
import numpy as np

from jaxconv.convolution.formulations import direct
from jaxconv.convolution.native.calls import Kind, call
from jaxconv.geometry import ConvGeometry

GEOMETRY = ConvGeometry(
    (7, 6),
    (3, 2),
    in_features=4,
    out_features=6,
    feature_group_count=2,
    strides=(2, 1),
    padding=((1, 2), (0, 1)),
    kernel_dilation=(1, 2),
)
BATCH = 3


def run() -> str:
    """Computes the three members by the handler and by ``direct``. Returns where they differ, or "".

    The operands are small integers, whose sums are exact in any order.
    """
    g = GEOMETRY
    rng = np.random.default_rng(0)
    shapes = (
        (BATCH, *g.input_shape, g.in_features),
        g.kernel_array_shape,
        (BATCH, *g.output_shape, g.out_features),
    )
    cpu = jax.local_devices(backend="cpu")[0]
    operands = [jax.device_put(rng.integers(-3, 4, shape).astype(np.float32), cpu) for shape in shapes]

    def both(x: jax.Array, w: jax.Array, y: jax.Array) -> tuple[tuple, tuple]:
        value, back = jax.vjp(lambda x, w: direct.conv(x, w, g, "highest"), x, w)
        ours = (
            call(Kind.CONV, x, w, g),
            call(Kind.CONV_TRANSPOSE, y, w, g),
            call(Kind.CONV_KERNEL_VJP, x, y, g),
        )
        return ours, (value, *back(y))

    ours, expected = jax.jit(both)(*operands)
    for kind, one, other in zip(Kind, ours, expected, strict=True):
        if not np.array_equal(one, other):
            return f"{kind.name.lower()} of {g!r} differs from method 'direct'"
    return ""
