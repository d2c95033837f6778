"""Cases of pooling and unpooling."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax

from benchmarks.operator_case import JNP_SLICES, OperatorCase, outputs, slices
from jaxconv import avg_pool, lp_pool, max_pool, unpool


def pooling_cases() -> Iterator[OperatorCase]:
    """Yields the cases of all poolings."""
    for group in (_max_pools, _switches, _unpools, _means, _norms, _padded):
        yield from group()


POOLS = [
    ("2x2, 4x96x128x16", (4, 96, 128, 16), (2, 2), (2, 2)),
    ("2x2, 4x48x64x64", (4, 48, 64, 64), (2, 2), (2, 2)),
    ("3x3 stride 2, 4x96x128x16", (4, 96, 128, 16), (3, 3), (2, 2)),
    ("3x3 stride 1, 4x96x128x16", (4, 96, 128, 16), (3, 3), (1, 1)),
    ("7x7 stride 1, 4x48x64x16", (4, 48, 64, 16), (7, 7), (1, 1)),
    ("2x2x2, 2x16x32x32x16", (2, 16, 32, 32, 16), (2, 2, 2), (2, 2, 2)),
    ("1-D 4, 8x4096x8", (8, 4096, 8), (4,), (4,)),
    ("56x56, global, 4x56x56x64", (4, 56, 56, 64), (56, 56), (56, 56)),
]


def _max_pools():
    for name, shape, window, strides in POOLS:
        n = len(window)
        peers = {"lax: reduce_window": partial(_lax_max, window=window, strides=strides)}
        if math.prod(window) <= 64:
            peers[JNP_SLICES] = lambda x, w=window, s=strides: _maximum(slices(x, w, s))
        if window == strides:
            peers["jnp: reshape"] = partial(_reduce_blocks, window=window, function=jnp.max)
        yield OperatorCase(
            f"max_pool {name}",
            shape,
            lambda x, w=window, s=strides: max_pool(x, w, strides=s),
            peers,
            torch=lambda F, x, n=n, w=window, s=strides: getattr(F, f"max_pool{n}d")(x, w, s),
        )
    yield OperatorCase(  # lax has no gradient for it
        "max_pool 3x3 dilated 2, 4x96x128x16",
        (4, 96, 128, 16),
        lambda x: max_pool(x, (3, 3), strides=1, dilation=2),
        {JNP_SLICES: lambda x: _maximum(slices(x, (3, 3), (1, 1), (2, 2)))},
        torch=lambda F, x: F.max_pool2d(x, 3, 1, 0, 2),
    )


def _reduce_window(x, start, function, window, strides, dilation=None):
    dilation = dilation or (1,) * len(window)
    return lax.reduce_window(
        x, start, function, (1, *window, 1), (1, *strides, 1), "VALID", window_dilation=(1, *dilation, 1)
    )


def _maximum(parts: Iterable[jax.Array]) -> jax.Array:
    first, *rest = parts
    for part in rest:
        first = jnp.maximum(first, part)
    return first


def _lax_max(x, window, strides):
    return _reduce_window(x, -jnp.inf, lax.max, window, strides)


def _reduce_blocks(x, window, function):
    split = [size for i, k in zip(x.shape[1:-1], window, strict=True) for size in (i // k, k)]
    return function(x.reshape(x.shape[0], *split, x.shape[-1]), tuple(range(2, 2 + 2 * len(window), 2)))


def _switches():
    for name, shape, window, strides in POOLS[:5]:
        yield OperatorCase(
            f"max_pool with switches {name}",
            shape,
            lambda x, w=window, s=strides: max_pool(x, w, strides=s, return_switches=True),
            {
                "jaxconv: plain": lambda x, w=window, s=strides: max_pool(x, w, strides=s),
                "lax: plain": partial(_lax_max, window=window, strides=strides),
            },
            torch=lambda F, x, w=window, s=strides: F.max_pool2d(x, w, s, return_indices=True)[0],
            gradient=False,
        )


def _unpools():
    for name, shape, window, strides in (POOLS[0], POOLS[2]):

        def constants(y, shape=shape, window=window, strides=strides):
            x = jax.random.normal(jax.random.key(1), shape)
            return (max_pool(x, window, strides=strides, return_switches=True)[1],)

        small = (shape[0], *outputs(shape, window, strides), shape[-1])
        yield OperatorCase(
            f"unpool {name}",
            small,
            lambda y, switches, shape=shape: unpool(y, switches, shape[1:-1]),
            {"jnp: .at[].add": lambda y, switches, shape=shape: _scatter(y, switches, shape)},
            constants,
        )


def _scatter(y, switches, shape):
    x = jnp.zeros((shape[0], math.prod(shape[1:-1]), shape[-1]), y.dtype)
    batch = jnp.arange(shape[0])[:, None, None, None]
    return x.at[batch, switches, jnp.arange(shape[-1])].add(y).reshape(shape)


def _means():
    for name, shape, window, strides in POOLS:
        taps, n = math.prod(window), len(window)
        peers = {
            "lax: reduce_window": lambda x, w=window, s=strides, t=taps: (
                _reduce_window(x, 0.0, lax.add, w, s) / t
            )
        }
        if taps <= 64:
            peers[JNP_SLICES] = lambda x, w=window, s=strides, t=taps: sum(slices(x, w, s)) / t
        if window == strides:
            peers["jnp: reshape"] = partial(_reduce_blocks, window=window, function=jnp.mean)
        yield OperatorCase(
            f"avg_pool {name}",
            shape,
            lambda x, w=window, s=strides: avg_pool(x, w, strides=s),
            peers,
            torch=lambda F, x, n=n, w=window, s=strides: getattr(F, f"avg_pool{n}d")(x, w, s),
        )


def _norms():
    for name, shape, window, strides in (POOLS[0], POOLS[2]):
        yield OperatorCase(
            f"lp_pool {name}",
            shape,
            lambda x, w=window, s=strides: lp_pool(x, w, strides=s),
            {
                "lax: reduce_window": lambda x, w=window, s=strides: jnp.sqrt(
                    _reduce_window(x * x, 0.0, lax.add, w, s)
                ),
                JNP_SLICES: lambda x, w=window, s=strides: jnp.sqrt(sum(slices(x * x, w, s))),
            },
            torch=lambda F, x, w=window, s=strides: F.lp_pool2d(x, 2.0, w, s),
        )


def _padded():
    shape, window, strides = (4, 96, 128, 16), (3, 3), (2, 2)
    same = partial(lax.reduce_window, window_dimensions=(1, 3, 3, 1), window_strides=(1, 2, 2, 1))
    border = ((0, 0), (1, 1), (1, 1), (0, 0))
    yield OperatorCase(
        "max_pool 3x3 stride 2, padded by 1, 4x96x128x16",
        shape,
        lambda x: max_pool(x, window, strides=strides, padding=1),
        {"lax: reduce_window": lambda x: same(x, -jnp.inf, lax.max, padding=border)},
        torch=lambda F, x: F.max_pool2d(x, 3, 2, 1),
    )
    yield OperatorCase(
        "avg_pool 3x3 stride 2, padding not counted, 4x96x128x16",
        shape,
        lambda x: avg_pool(x, window, strides=strides, padding=1, count_include_pad=False),
        {
            "lax: reduce_window": lambda x: (
                same(x, 0.0, lax.add, padding=border)
                / same(jnp.ones((1, *x.shape[1:-1], 1), x.dtype), 0.0, lax.add, padding=border)
            )
        },
        torch=lambda F, x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False),
    )
