"""The other spatial operators beside every straightforward way to the same numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxconv import (
    avg_pool,
    correlate,
    depth_to_space,
    edge_filter,
    fold,
    lp_pool,
    max_pool,
    resize,
    space_to_depth,
    unfold,
    unpool,
)

JNP_SLICES = "jnp: slices"


@dataclass(frozen=True)
class OperatorCase:
    """One call and its peers: functions of the feature map `x` and of `constants`.

    Attributes:
      name: Of the row.
      shape: Of x, channels-last.
      ours: The library's call.
      peers: By ``"library: way"``.
      constants: Further arguments, made from the case, such as switches.
      torch: Of ``torch.nn.functional`` and x in PyTorch's layout; None where it has none.
      torch_agrees: Whether PyTorch's numbers are the same and in the same order.
      gradient: Whether to measure the gradient in x too.
      terms: Rounding errors that add up in a number, at most; see `check_agreement`.
      arranged: For a peer whose result has another order of features: puts it into ours.
    """

    name: str
    shape: tuple[int, ...]
    ours: Callable[..., Any]
    peers: dict[str, Callable[..., Any]]
    constants: Callable[[jax.Array], tuple] = lambda x: ()
    torch: Callable[[Any, Any], Any] | None = None
    torch_agrees: bool = True
    gradient: bool = True
    terms: int = 64
    arranged: dict[str, Callable[[np.ndarray], np.ndarray]] = field(default_factory=dict)


def operator_cases() -> list[OperatorCase]:
    """All of them."""
    return [*_max_pools(), *_switches(), *_unpools(), *_means(), *_norms(), *_resizings(), *_unfoldings(),
            *_folds(), *_rearrangements(), *_padded(), *_antialiased(), *_filters()]  # fmt: skip


def _slices(x, window, strides, dilation=None) -> list[jax.Array]:
    """What a reader would write: a strided view for every tap."""
    n = len(window)
    dilation = dilation or (1,) * n
    sizes = [
        (i - d * (k - 1) - 1) // s + 1
        for i, k, s, d in zip(x.shape[1:-1], window, strides, dilation, strict=True)
    ]
    return [
        x[
            (
                slice(None),
                *(
                    slice(t * d, t * d + (o - 1) * s + 1, s)
                    for t, d, o, s in zip(taps, dilation, sizes, strides, strict=True)
                ),
            )
        ]
        for taps in np.ndindex(*window)
    ]


def _outputs(shape, window, strides) -> list[int]:
    return [(i - k) // s + 1 for i, k, s in zip(shape[1:-1], window, strides, strict=True)]


def _windowed(x, start, function, window, strides, dilation=None):
    dilation = dilation or (1,) * len(window)
    return lax.reduce_window(
        x, start, function, (1, *window, 1), (1, *strides, 1), "VALID", window_dilation=(1, *dilation, 1)
    )


def _maximum(parts: Iterable[jax.Array]) -> jax.Array:
    first, *rest = parts
    for part in rest:
        first = jnp.maximum(first, part)
    return first


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
            peers[JNP_SLICES] = lambda x, w=window, s=strides: _maximum(_slices(x, w, s))
        if window == strides:
            peers["jnp: reshape"] = partial(_reshaped, window=window, function=jnp.max)
        yield OperatorCase(
            f"max_pool {name}",
            shape,
            lambda x, w=window, s=strides: max_pool(x, w, strides=s),
            peers,
            torch=lambda F, x, n=n, w=window, s=strides: getattr(F, f"max_pool{n}d")(x, w, s),
        )
    yield OperatorCase(  # lax has no gradient there
        "max_pool 3x3 dilated 2, 4x96x128x16",
        (4, 96, 128, 16),
        lambda x: max_pool(x, (3, 3), strides=1, dilation=2),
        {JNP_SLICES: lambda x: _maximum(_slices(x, (3, 3), (1, 1), (2, 2)))},
        torch=lambda F, x: F.max_pool2d(x, 3, 1, 0, 2),
    )


def _lax_max(x, window, strides):
    return _windowed(x, -jnp.inf, lax.max, window, strides)


def _reshaped(x, window, function):
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

        small = (shape[0], *_outputs(shape, window, strides), shape[-1])
        yield OperatorCase(
            f"unpool {name}",
            small,
            lambda y, switches, shape=shape: unpool(y, switches, shape[1:-1]),
            {"jnp: .at[].add": lambda y, switches, shape=shape: _scattered(y, switches, shape)},
            constants,
        )


def _scattered(y, switches, shape):
    x = jnp.zeros((shape[0], math.prod(shape[1:-1]), shape[-1]), y.dtype)
    batch = jnp.arange(shape[0])[:, None, None, None]
    return x.at[batch, switches, jnp.arange(shape[-1])].add(y).reshape(shape)


def _means():
    for name, shape, window, strides in POOLS:
        taps, n = math.prod(window), len(window)
        peers = {
            "lax: reduce_window": lambda x, w=window, s=strides, t=taps: _windowed(x, 0.0, lax.add, w, s) / t
        }
        if taps <= 64:
            peers[JNP_SLICES] = lambda x, w=window, s=strides, t=taps: sum(_slices(x, w, s)) / t
        if window == strides:
            peers["jnp: reshape"] = partial(_reshaped, window=window, function=jnp.mean)
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
                    _windowed(x * x, 0.0, lax.add, w, s)
                ),
                JNP_SLICES: lambda x, w=window, s=strides: jnp.sqrt(sum(_slices(x * x, w, s))),
            },
            torch=lambda F, x, w=window, s=strides: F.lp_pool2d(x, 2.0, w, s),
        )


RESIZINGS = [
    ((4, 48, 64, 16), (96, 128)),
    ((4, 12, 16, 64), (96, 128)),
    ((4, 96, 128, 16), (48, 64)),
    ((1, 427, 640, 3), (224, 224)),
    ((2, 100, 150, 3), (256, 256)),
    ((4, 30, 40, 12), (45, 60)),
]
TORCH_NAMES = {"nearest": "nearest-exact", "bilinear": "bilinear", "bicubic": "bicubic"}
JAX_NAMES = {"nearest": "nearest", "bilinear": "linear", "bicubic": "cubic"}


def _resizings():
    for method, (shape, to) in ((m, sizes) for m in TORCH_NAMES for sizes in RESIZINGS):
        extra = {"cubic_a": -0.5, "edges": "renormalize"} if method == "bicubic" else {}
        name = f"resize {method} {shape[0]}x{shape[1]}x{shape[2]}x{shape[3]} to {to[0]}x{to[1]}"
        peers = {
            "jax.image": lambda x, m=method, to=to: jax.image.resize(
                x, (x.shape[0], *to, x.shape[-1]), JAX_NAMES[m], antialias=False
            )
        }
        factors = [b // a if b % a == 0 else 0 for a, b in zip(shape[1:-1], to, strict=True)]
        if method == "nearest" and min(factors):
            peers["jnp: repeat"] = lambda x, f=factors: jnp.repeat(jnp.repeat(x, f[0], 1), f[1], 2)
        yield OperatorCase(
            name,
            shape,
            lambda x, to=to, m=method, extra=extra: resize(x, to, m, **extra),
            peers,
            torch=lambda F, x, to=to, m=method: F.interpolate(x, to, mode=TORCH_NAMES[m]),
            torch_agrees=method != "bicubic",  # another cubic kernel, clamped: jax.image's is measured here
            terms=max(*shape, *to) ** 2,  # jax.image rounds coordinates of so many cells to float32
        )


UNFOLDINGS = [
    ("3x3, 4x56x56x16", (4, 56, 56, 16), (3, 3), (1, 1)),
    ("3x3 stride 2, 4x96x128x16", (4, 96, 128, 16), (3, 3), (2, 2)),
    ("2x2 stride 2, 4x96x128x16", (4, 96, 128, 16), (2, 2), (2, 2)),
    ("16x16 stride 16, 8x224x224x3", (8, 224, 224, 3), (16, 16), (16, 16)),
    ("1-D 1024 stride 256, 2x65536x1", (2, 65536, 1), (1024,), (256,)),
]


def _unfoldings():
    for name, shape, window, strides in UNFOLDINGS:
        taps, features = math.prod(window), shape[-1]
        peers = {"lax: patches": partial(_lax_patches, window=window, strides=strides)}
        if taps <= 64:
            peers["jnp: stacked slices"] = lambda x, w=window, s=strides: _stacked(x, w, s)
        if window == strides:
            peers["jnp: reshape"] = partial(_blocks, window=window)
        yield OperatorCase(
            f"unfold {name}",
            shape,
            lambda x, w=window, s=strides: unfold(x, w, strides=s),
            peers,
            torch=_torch_unfold(window, strides),
            torch_agrees=False,
            arranged={"lax: patches": partial(_taps_first, taps=taps, features=features)},
        )


def _lax_patches(x, window, strides):
    letters = "DHW"[-len(window) :]
    layout = (f"N{letters}C", f"{letters}IO", f"N{letters}C")
    return lax.conv_general_dilated_patches(x, window, strides, "VALID", dimension_numbers=layout)


def _taps_first(patches: np.ndarray, taps: int, features: int) -> np.ndarray:
    """From lax's order, features first and taps fastest."""
    split = patches.reshape(*patches.shape[:-1], features, taps)
    return split.swapaxes(-1, -2).reshape(patches.shape)


def _stacked(x, window, strides):
    stacked = jnp.stack(_slices(x, window, strides), -2)
    return stacked.reshape(*stacked.shape[:-2], -1)


def _blocks(x, window):
    n = len(window)
    split = [size for i, k in zip(x.shape[1:-1], window, strict=True) for size in (i // k, k)]
    x = x.reshape(x.shape[0], *split, x.shape[-1])
    x = x.transpose(0, *range(1, 2 * n, 2), *range(2, 2 * n + 1, 2), 2 * n + 1)
    return x.reshape(*x.shape[: n + 1], -1)


def _torch_unfold(window, strides):
    if len(window) != 2:
        return None
    return lambda F, x: F.unfold(x, window, stride=strides)


def _folds():
    for name, shape, window, strides in UNFOLDINGS:
        patches = (shape[0], *_outputs(shape, window, strides), math.prod(window) * shape[-1])
        peers = {
            "jnp: .at[].add": partial(_added, shape=shape, window=window, strides=strides),
            "jnp: vjp of slices": lambda y, sh=shape, w=window, s=strides: jax.linear_transpose(
                lambda x: _stacked(x, w, s), jax.ShapeDtypeStruct(sh, y.dtype)
            )(y)[0],
        }
        if math.prod(window) > 64:
            peers = {"jnp: .at[].add": partial(_added_windows, shape=shape, window=window, strides=strides)}
        yield OperatorCase(
            f"fold {name}",
            patches,
            lambda y, sh=shape, w=window, s=strides: fold(y, sh[1:-1], w, strides=s),
            peers,
            torch=_torch_fold(shape, window, strides),
            torch_agrees=False,
        )


def _added(y, shape, window, strides):
    """A strided view to add to for every tap."""
    y = y.reshape(*y.shape[:-1], math.prod(window), shape[-1])
    x = jnp.zeros(shape, y.dtype)
    for number, taps in enumerate(np.ndindex(*window)):
        place = (
            slice(None),
            *(slice(t, t + (o - 1) * s + 1, s) for t, o, s in zip(taps, y.shape[1:], strides, strict=False)),
        )
        x = x.at[place].add(y[..., number, :])
    return x


def _added_windows(y, shape, window, strides):
    """One indexed addition of all windows."""
    n = len(window)
    y = y.reshape(*y.shape[:-1], *window, shape[-1])
    index = []
    for axis, (o, k, s) in enumerate(zip(y.shape[1:], window, strides, strict=False)):
        cells = np.arange(o)[:, None] * s + np.arange(k)
        split = [1] * (2 * n)
        split[axis], split[n + axis] = cells.shape
        index.append(cells.reshape(split))
    return jnp.zeros(shape, y.dtype).at[(slice(None), *index)].add(y)


def _torch_fold(shape, window, strides):
    if len(window) != 2:
        return None
    return lambda F, y: F.fold(y.flatten(2), shape[1:-1], window, stride=strides)


def _rearrangements():
    yield OperatorCase(
        "space_to_depth 2x2, 4x96x128x16",
        (4, 96, 128, 16),
        lambda x: space_to_depth(x, (2, 2)),
        {"jnp: reshape": partial(_blocks, window=(2, 2))},
        torch=lambda F, x: F.pixel_unshuffle(x, 2),
        torch_agrees=False,
    )
    yield OperatorCase(
        "depth_to_space 2x2, 4x48x64x64",
        (4, 48, 64, 64),
        lambda x: depth_to_space(x, (2, 2)),
        {"jnp: reshape": lambda x: x.reshape(4, 48, 64, 2, 2, 16).swapaxes(2, 3).reshape(4, 96, 128, 16)},
        torch=lambda F, x: F.pixel_shuffle(x, 2),
        torch_agrees=False,
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


def _antialiased():
    for shape, to in (RESIZINGS[2], RESIZINGS[3]):
        yield OperatorCase(
            f"resize bilinear antialiased {shape[0]}x{shape[1]}x{shape[2]}x{shape[3]} to {to[0]}x{to[1]}",
            shape,
            lambda x, to=to: resize(x, to, "bilinear", antialias=True),
            {"jax.image": lambda x, to=to: jax.image.resize(x, (x.shape[0], *to, x.shape[-1]), "linear")},
            torch=lambda F, x, to=to: F.interpolate(x, to, mode="bilinear", antialias=True),
            terms=max(*shape, *to) ** 2,
        )


def _filters():
    def by_lax(x, weights):
        kernel = jnp.broadcast_to(weights[..., None, None], (3, 3, 1, x.shape[-1]))
        layout = ("NHWC", "HWIO", "NHWC")
        return lax.conv_general_dilated(
            x, kernel, (1, 1), "VALID", dimension_numbers=layout, feature_group_count=x.shape[-1]
        )

    yield OperatorCase(
        "correlate 3x3 edge filter, 4x96x128x16",
        (4, 96, 128, 16),
        correlate,
        {
            "lax: depthwise": by_lax,
            JNP_SLICES: lambda x, weights: sum(
                part * weight
                for part, weight in zip(_slices(x, (3, 3), (1, 1)), weights.ravel(), strict=True)
            ),
        },
        lambda x: (edge_filter(dtype=x.dtype),),
    )
