"""Layers of other libraries compute the convolutions that `jaxconv.interop` reads from them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxconv.claims import oracle
from jaxconv.claims.cases import Cases, double, gap, normal
from jaxconv.claims.claim import Trial, claim
from jaxconv.interop import Convolution, from_flax, from_lax_conv, from_lax_conv_transpose

_LAYOUTS = (("NHC", "HIO", "NHC"), ("CNH", "OHI", "HNC"))


def _answers(layer: Convolution, x: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the result of a layer by the definition, then that of the magnitudes of its numbers."""
    g, kernel, x = layer.geometry(x.shape[1:-1]), double(layer.kernel), double(x)
    shape = (*g.input_shape, g.in_features) if layer.transposed else (*g.output_shape, g.out_features)
    for numbers, cells in ((kernel, x), (abs(kernel), abs(x))):
        C = oracle.matrix(numbers, g)
        C = C.T if layer.transposed else C
        yield (cells.reshape(len(x), -1) @ C.T).reshape(len(x), *shape)


def _trial(layer: Convolution, x: np.ndarray, got: jax.Array, call: str) -> Trial:
    """Compares the result of a library with the definition for the geometry and kernel read from it."""
    exact, magnitude = _answers(layer, x)
    terms = float(layer.kernel.size)
    return Trial(gap(double(got), exact, magnitude, terms, x.dtype), lambda: call)


def _numbers(cases: Cases, index: int, *shape: int) -> np.ndarray:
    return normal(np.random.default_rng((cases.seed, index)), shape, cases.dtype)


@claim(
    "lax-conv-transpose",
    "lax.conv_transpose, with every option, is the transpose of the convolution that "
    "`from_lax_conv_transpose` reads",
    "jax.lax; arXiv:1603.07285, relationships 8-14",
)
def conv_transpose(cases: Cases) -> Iterator[Trial]:
    """Tries padding words and pairs, flipped kernels and consistent padding, on one axis."""
    options = product((2, 3, 4), (1, 2, 3), ("SAME", "VALID", (1, 2)), (False, True), (False, True))
    combinations = list(options)
    for index in range(cases.trials):
        taps, stride, padding, flip, consistent = combinations[index * 41 % len(combinations)]
        pads = padding if isinstance(padding, str) else (padding,)
        layout = _LAYOUTS[index % 2]
        kernel = jnp.asarray(_numbers(cases, index, taps, *((3, 2) if flip else (2, 3))))
        rhs = kernel if index % 2 == 0 else kernel.transpose(2, 0, 1)
        y = _numbers(cases, index, 2, 5, 2)
        arguments: dict[str, Any] = {
            "strides": (stride,),
            "padding": pads,
            "dimension_numbers": layout,
            "transpose_kernel": flip,
            "use_consistent_padding": consistent,
        }
        lhs = jnp.asarray(y if index % 2 == 0 else y.transpose(2, 0, 1))
        got = lax.conv_transpose(lhs, rhs, **arguments)
        got = got if index % 2 == 0 else got.transpose(1, 0, 2)
        layer = from_lax_conv_transpose(rhs, **arguments)
        yield _trial(layer, y, got, f"lax.conv_transpose(y, k, **{arguments!r})  # {taps} taps")


@claim(
    "lax-layouts",
    "lax.conv_general_dilated, in any layout of axes, is the convolution that `from_lax_conv` reads",
    "jax.lax; arXiv:1603.07285, chapter 2",
)
def layouts(cases: Cases) -> Iterator[Trial]:
    """Tries two axes, every padding word and groups, in layouts with every axis at another place."""
    words = ("SAME", "VALID", "SAME_LOWER", ((1, 0), (2, 3)))
    numbers = ("HCNW", "OWIH", "WNHC")
    for index in range(cases.trials):
        padding, groups = words[index % 4], 1 + index // 4 % 2
        kernel = jnp.asarray(_numbers(cases, index, 3, 2, 2, 2 * groups))  # WHIO: axes as in `numbers`
        x = _numbers(cases, index, 2, 5, 6, 2 * groups)  # NWHC
        arguments: dict[str, Any] = {
            "window_strides": (2, 1),
            "padding": padding,
            "dimension_numbers": numbers,
            "feature_group_count": groups,
        }
        rhs = kernel.transpose(3, 0, 2, 1)
        got = lax.conv_general_dilated(jnp.asarray(x).transpose(2, 3, 0, 1), rhs, **arguments)
        layer = from_lax_conv(rhs, **arguments)
        yield _trial(layer, x, got.transpose(1, 0, 2, 3), f"lax.conv_general_dilated(x, k, **{arguments!r})")


@claim(
    "flax-layers",
    "flax.nnx's Conv and ConvTranspose, with every padding word, are what `from_flax` reads",
    "flax.nnx; arXiv:1603.07285, chapter 4",
)
def flax_layers(cases: Cases) -> Iterator[Trial]:
    """Tries even and odd kernels; a CIRCULAR transposed layer folds the cells beyond strides x size."""
    from flax import nnx

    forward: list[tuple[Any, str, dict]] = [
        (nnx.Conv, word, {}) for word in ("SAME", "VALID", "CIRCULAR", "REFLECT", "CAUSAL")
    ]
    flips = ({"transpose_kernel": False}, {"transpose_kernel": True})
    back: list[tuple[Any, str, dict]] = [
        (nnx.ConvTranspose, word, flip) for word in ("SAME", "VALID", "CIRCULAR") for flip in flips
    ]
    combinations = list(product((3, 4), (1, 2), forward + back))
    for index in range(cases.trials):
        taps, stride, (kind, padding, options) = combinations[index * 5 % len(combinations)]
        x = _numbers(cases, index, 2, 7, 2)
        layer = kind(2, 3, (taps,), stride, padding=padding, use_bias=False, dtype=x.dtype,
                     param_dtype=x.dtype, rngs=nnx.Rngs(index), **options)  # fmt: skip
        call = f"nnx.{kind.__name__}(2, 3, ({taps},), {stride}, padding={padding!r}, **{options})"
        yield _trial(from_flax(layer), x, layer(jnp.asarray(x)), call)
