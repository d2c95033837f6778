"""Norms and inverses lower for platforms that this machine does not have."""

import jax.numpy as jnp
import pytest
from linalg_cases import CIRCULANT, OTHERS
from lowering import lower

from jaxconv.linalg import deconvolve, norm_interval, operator_norm, singular_values

KERNEL = jnp.ones(CIRCULANT[2].kernel_array_shape, jnp.float32)
Y = jnp.ones((2, 2, 3), jnp.float32)
OTHER = jnp.ones(OTHERS[0].kernel_array_shape, jnp.float32)


@pytest.mark.parametrize(
    ("function", "kernel", "shape"),
    [
        (lambda k: singular_values(k, CIRCULANT[2]), KERNEL, (12,)),
        (lambda k: operator_norm(k, CIRCULANT[2], method="gram"), KERNEL, ()),
        (lambda k: operator_norm(k, OTHERS[0]), OTHER, ()),
        (lambda k: norm_interval(k, OTHERS[0]).high, OTHER, ()),
        (lambda k: deconvolve(Y, k, geometry=CIRCULANT[2], damping=0.1), KERNEL, (6, 4, 2)),
    ],
    ids=["singular values", "gram", "lanczos", "interval", "deconvolution"],
)
def test_lowers_everywhere(function, kernel, shape):
    assert lower(function, kernel) == [shape]
