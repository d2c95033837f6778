"""Ways to the three results of a convolution, y, x and w, each a function of the two other arrays.

y is the convolution of (x, w), x the transposed convolution of (y, w), and w the gradient in the kernel of
(x, y), the result of ``jax.vjp`` with either of the two maps as the cotangent.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.cases import Case
from jaxconv import ConvGeometry, conv, conv_kernel_vjp, conv_transpose
from jaxconv.convolution import auto, transposed_kernel

Function = Callable[..., jax.Array]
Ways = dict[str, dict[str, Function]]  # result, name of the way, function
ARGUMENTS = {"y": ("x", "w"), "x": ("y", "w"), "w": ("x", "y")}


def operands(case: Case, seed: int = 0) -> dict[str, np.ndarray]:
    """Draws random float32 maps x and y, and a kernel w."""
    rng, g = np.random.default_rng(seed), case.geometry
    shapes = {
        "x": (case.batch, *g.input_shape, g.in_features),
        "y": (case.batch, *g.output_shape, g.out_features),
        "w": g.kernel_array_shape,
    }
    return {name: rng.standard_normal(shape, np.float32) for name, shape in shapes.items()}


def terms(case: Case) -> dict[str, int]:
    """Returns the largest number of products that are summed to a number, for each result."""
    g = case.geometry
    taps = int(np.prod(g.kernel_shape))
    return {
        "y": taps * g.in_features // g.feature_group_count,
        "x": taps * g.out_features // g.feature_group_count,
        "w": case.batch * int(np.prod(g.output_shape)),
    }


def jaxconv_ways(case: Case) -> Ways:
    """Returns the public functions and their derivatives: two ways to each result, six in all."""
    g = case.geometry
    transpose = partial(conv_transpose, geometry=g)
    return _with_derivatives(case, {"conv": partial(conv, geometry=g)}, {"conv_transpose": transpose})


def plain_ways(case: Case) -> Ways:
    """Returns the public functions by the methods that ``"auto"`` takes without oneDNN: one way each."""
    g, n = case.geometry, case.batch
    return {
        "y": {"conv": partial(conv, geometry=g, method=auto.method_for_conv(g, n))},
        "x": {
            "conv_transpose": partial(conv_transpose, geometry=g, method=auto.method_for_conv_transpose(g, n))
        },
        "w": {
            "conv_kernel_vjp": partial(
                conv_kernel_vjp, geometry=g, method=auto.method_for_conv_kernel_vjp(g, n)
            )
        },
    }


def lax_ways(case: Case) -> Ways:
    """Returns every way of lax: both formulations, their derivatives, and swapped roles of the operands."""
    g = case.geometry
    ways = _with_derivatives(
        case, {"conv": partial(lax_conv, g)}, {"lhs_dilation": partial(lax_transpose, g)}
    )
    ways["w"]["roles swapped"] = partial(_swap_roles, g)
    if g.feature_group_count > 1:
        ways["w"]["roles swapped, groups as features"] = partial(_swap_roles_by_features, g)
    return ways


def _with_derivatives(case: Case, forward: dict[str, Function], transposed: dict[str, Function]) -> Ways:
    """Returns a convolution, a transposed convolution and their derivatives, by result."""
    ((conv_name, conv),), ((transpose_name, transpose),) = forward.items(), transposed.items()
    g = case.geometry
    x_shape = (case.batch, *g.input_shape, g.in_features)
    y_shape = (case.batch, *g.output_shape, g.out_features)
    return {
        "y": {
            conv_name: conv,
            f"vjp of {transpose_name}": lambda x, w: _pullback(lambda y: transpose(y, w), y_shape, x),
        },
        "x": {
            f"vjp of {conv_name}": lambda y, w: _pullback(lambda x: conv(x, w), x_shape, y),
            transpose_name: transpose,
        },
        "w": {
            f"vjp of {conv_name}": lambda x, y: _pullback(lambda w: conv(x, w), g.kernel_array_shape, y),
            f"vjp of {transpose_name}": lambda x, y: _pullback(
                lambda w: transpose(y, w), g.kernel_array_shape, x
            ),
        },
    }


def _pullback(linear: Function, shape: tuple[int, ...], cotangent: jax.Array) -> jax.Array:
    """Computes the vjp of a linear function; XLA removes the unused forward pass."""
    return jax.vjp(linear, jnp.zeros(shape, cotangent.dtype))[1](cotangent)[0]


def lax_conv(g: ConvGeometry, x: jax.Array, w: jax.Array) -> jax.Array:
    """Computes XLA's convolution of channels-last maps."""
    return lax.conv_general_dilated(
        x,
        w,
        window_strides=g.strides,
        padding=g.padding,
        lhs_dilation=g.input_dilation,
        rhs_dilation=g.kernel_dilation,
        dimension_numbers=_layout(g.ndim),
        feature_group_count=g.feature_group_count,
    )


def lax_transpose(g: ConvGeometry, y: jax.Array, w: jax.Array) -> jax.Array:
    """Computes the equivalent direct convolution: y stretched by zeros, kernel flipped, features swapped."""
    return lax_conv(g.equivalent_direct(), y, transposed_kernel(w, g.feature_group_count))


def _swap_roles(g: ConvGeometry, x: jax.Array, y: jax.Array) -> jax.Array:
    """Computes the gradient in the kernel as a convolution of x by y, with batch and features swapped."""
    first, last, spatial = 0, g.ndim + 1, tuple(range(1, g.ndim + 1))
    numbers = lax.ConvDimensionNumbers(
        lhs_spec=(last, first, *spatial),
        rhs_spec=(last, first, *spatial),
        out_spec=(g.ndim, last, *range(g.ndim)),
    )
    return _convolve_swapped(g, x, y, dimension_numbers=numbers, batch_group_count=g.feature_group_count)


def _swap_roles_by_features(g: ConvGeometry, x: jax.Array, y: jax.Array) -> jax.Array:
    """Computes it with the groups among the features that are summed, for `feature_group_count`."""
    groups, batch = g.feature_group_count, x.shape[0]
    x = x.reshape(*x.shape[:-1], groups, -1)  # (batch, *spatial, groups, in)
    x = jnp.moveaxis(x, (-1, 0), (0, -1)).reshape(x.shape[-1], *g.input_shape, groups * batch)
    y = jnp.moveaxis(y, 0, -2)  # (*spatial, batch, out)
    return _convolve_swapped(
        g, x, y, dimension_numbers=_layout(g.ndim), feature_group_count=groups
    ).transpose(*range(1, g.ndim + 1), 0, g.ndim + 1)


def _convolve_swapped(g: ConvGeometry, x: jax.Array, y: jax.Array, **options: Any) -> jax.Array:
    """Convolves x by y with strides and kernel dilation exchanged, and one output per tap."""
    padding = [
        (low, high - a) for (low, high), a in zip(g.padding, g.output_padding, strict=True)
    ]  # without the cells that the last window does not reach
    return lax.conv_general_dilated(
        x,
        y,
        window_strides=g.kernel_dilation,
        padding=padding,
        lhs_dilation=g.input_dilation,
        rhs_dilation=g.strides,
        **options,
    )


def _layout(ndim: int) -> lax.ConvDimensionNumbers:
    """Returns the channels-last layout: ``(N, *spatial, features)``, kernels ``(*taps, in, out)``."""
    features, spatial = ndim + 1, tuple(range(1, ndim + 1))
    return lax.ConvDimensionNumbers(
        lhs_spec=(0, features, *spatial),
        rhs_spec=(features, ndim, *range(ndim)),
        out_spec=(0, features, *spatial),
    )
