"""What the tests of other libraries' layers share: numbers, comparison, sweeps."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from oracles import assert_rounds_to

from jaxconv.interop import Convolution


def sweep(count, **options):
    """`count` of all combinations of the options, every kernel, stride and dilation among them.

    Drawn by stepping through the whole product with a step coprime to it.
    """
    names, values = list(options), list(itertools.product(*options.values()))
    step = next(step for step in range(len(values) // count + 1, 10**6) if np.gcd(step, len(values)) == 1)
    picked = [values[i * step % len(values)] for i in range(min(count, len(values)))]
    return [dict(zip(names, one, strict=True)) for one in picked]


def assert_same(layer, x, expected, what=""):
    """The layer gives `expected` on `x`, up to the rounding of its sums, and its geometry has that shape."""
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
    """Random numbers, complex ones too."""
    values = rng.normal(size=shape)
    if np.issubdtype(dtype, np.complexfloating):
        values = values + 1j * rng.normal(size=shape)
    return values.astype(dtype)


def layers(rng, n, transposed, *, groups=1, **options):
    """A Convolution of our own with random numbers."""
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
