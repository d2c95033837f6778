"""Helpers of the tests that compare with layers of other libraries: numbers, comparison, sweeps."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from oracles import assert_rounds_to

from jaxconv.interop import Convolution


def sweep(count, **options):
    """Returns `count` of all combinations of the options, with every value of each among them.

    It steps through the whole product with a step coprime to its size.
    """
    names, values = list(options), list(itertools.product(*options.values()))
    step = next(step for step in range(len(values) // count + 1, 10**6) if np.gcd(step, len(values)) == 1)
    picked = [values[i * step % len(values)] for i in range(min(count, len(values)))]
    return [dict(zip(names, one, strict=True)) for one in picked]


def assert_same(layer, x, expected, what=""):
    """Asserts that the layer returns `expected` up to rounding, and that its geometry has these shapes."""
    magnitude = jax.tree.map(abs, layer)
    terms = layer.kernel.size + 1
    bound = np.asarray(magnitude(abs(jnp.asarray(x))))
    assert_rounds_to(
        layer(x), (expected, bound, np.full(bound.shape, terms)), dtype=layer.kernel.dtype, what=what
    )
    spatial = x.shape[-layer.ndim - 1 : -1]
    g = layer.geometry(spatial)
    shapes = (g.input_shape, g.in_features) if layer.transposed else (g.output_shape, g.out_features)
    assert expected.shape[-layer.ndim - 1 :] == (*shapes[0], shapes[1])
    assert layer.kernel.shape == g.kernel_array_shape


def numbers(rng, shape, dtype=np.float64):
    """Draws random numbers, real or complex."""
    values = rng.normal(size=shape)
    if np.issubdtype(dtype, np.complexfloating):
        values = values + 1j * rng.normal(size=shape)
    return values.astype(dtype)


def layers(rng, n, transposed, *, groups=1, **options):
    """Makes a jaxconv Convolution with random numbers."""
    inputs, outputs = 2 * groups, 3 * groups
    kernel = options.pop("kernel_shape", (3, 2, 2)[:n])
    features = inputs if transposed else outputs
    return Convolution(
        jnp.asarray(rng.normal(size=(*kernel, inputs // groups, outputs))),
        jnp.asarray(rng.normal(size=features)),
        transposed=transposed,
        feature_group_count=groups,
        **options,
    )
