"""Cases of resizing, unfolding, rearranging and filtering; with pooling, the rows of the operators' table."""

from __future__ import annotations

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.operator_case import JNP_SLICES, OperatorCase, outputs, slices
from benchmarks.pooling_cases import pooling_cases
from jaxconv import correlate, depth_to_space, edge_filter, fold, resize, space_to_depth, unfold


def operator_cases() -> list[OperatorCase]:
    """Returns the cases of all operators."""
    groups = (pooling_cases, _resizings, _unfoldings, _folds, _rearrangements, _antialiased, _filters)
    return [case for group in groups for case in group()]


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
            torch_agrees=method
            != "bicubic",  # PyTorch has another cubic kernel, clamped; here that of jax.image is measured
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
            peers["jnp: stacked slices"] = lambda x, w=window, s=strides: _stack_slices(x, w, s)
        if window == strides:
            peers["jnp: reshape"] = partial(_split_blocks, window=window)
        yield OperatorCase(
            f"unfold {name}",
            shape,
            lambda x, w=window, s=strides: unfold(x, w, strides=s),
            peers,
            torch=_torch_unfold(window, strides),
            torch_agrees=False,
            reorder={"lax: patches": partial(_taps_first, taps=taps, features=features)},
        )


def _lax_patches(x, window, strides):
    letters = "DHW"[-len(window) :]
    layout = (f"N{letters}C", f"{letters}IO", f"N{letters}C")
    return lax.conv_general_dilated_patches(x, window, strides, "VALID", dimension_numbers=layout)


def _taps_first(patches: np.ndarray, taps: int, features: int) -> np.ndarray:
    """Converts from the order of lax, in which taps vary fastest."""
    split = patches.reshape(*patches.shape[:-1], features, taps)
    return split.swapaxes(-1, -2).reshape(patches.shape)


def _stack_slices(x, window, strides):
    stacked = jnp.stack(slices(x, window, strides), -2)
    return stacked.reshape(*stacked.shape[:-2], -1)


def _split_blocks(x, window):
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
        patches = (shape[0], *outputs(shape, window, strides), math.prod(window) * shape[-1])
        peers = {
            "jnp: .at[].add": partial(_add_slices, shape=shape, window=window, strides=strides),
            "jnp: vjp of slices": lambda y, sh=shape, w=window, s=strides: jax.linear_transpose(
                lambda x: _stack_slices(x, w, s), jax.ShapeDtypeStruct(sh, y.dtype)
            )(y)[0],
        }
        if math.prod(window) > 64:
            peers = {"jnp: .at[].add": partial(_add_windows, shape=shape, window=window, strides=strides)}
        yield OperatorCase(
            f"fold {name}",
            patches,
            lambda y, sh=shape, w=window, s=strides: fold(y, sh[1:-1], w, strides=s),
            peers,
            torch=_torch_fold(shape, window, strides),
            torch_agrees=False,
        )


def _add_slices(y, shape, window, strides):
    """Adds to a strided view for every tap."""
    y = y.reshape(*y.shape[:-1], math.prod(window), shape[-1])
    x = jnp.zeros(shape, y.dtype)
    for number, taps in enumerate(np.ndindex(*window)):
        place = (
            slice(None),
            *(slice(t, t + (o - 1) * s + 1, s) for t, o, s in zip(taps, y.shape[1:], strides, strict=False)),
        )
        x = x.at[place].add(y[..., number, :])
    return x


def _add_windows(y, shape, window, strides):
    """Adds all windows in one indexed addition."""
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
        {"jnp: reshape": partial(_split_blocks, window=(2, 2))},
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
                part * weight for part, weight in zip(slices(x, (3, 3), (1, 1)), weights.ravel(), strict=True)
            ),
        },
        lambda x: (edge_filter(dtype=x.dtype),),
    )
