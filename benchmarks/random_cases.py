"""Random ordinary layers, for measurements on which no rule was tuned."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks.cases import Case
from jaxconv import ConvGeometry

SIZES = (14, 130)  # cells per axis
VOLUME_SIZES = (8, 24)  # with three axes
LENGTHS = (200, 8000)  # with one axis
BATCHES = (1, 8)
FEATURES = (1, 2, 3, 4, 8, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96)
MAX_PRODUCTS = 10**9  # of one layer: half a second of XLA's slowest convolutions
MAX_NUMBERS = 2**23  # of one map: 32 MB

Draw = Callable[[np.random.Generator], Case]


def random_cases(seed: int, count: int) -> list[Case]:
    """Draws layers, of every kind in turn.

    Args:
      seed: Seed of the draw.
      count: Number of layers.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(KINDS))
    return [_fitting(rng, KINDS[order[i % len(KINDS)]]) for i in range(count)]


def _fitting(rng: np.random.Generator, draw: Draw) -> Case:
    """Draws until a layer is not too large."""
    return next(case for case in _repeat(rng, draw) if _fits(case))


def _repeat(rng: np.random.Generator, draw: Draw) -> Iterator[Case]:
    while True:
        yield draw(rng)


def _fits(case: Case) -> bool:
    g = case.geometry
    outputs = case.batch * math.prod(g.output_shape) * g.out_features
    inputs = case.batch * math.prod(g.input_shape) * g.in_features
    products = outputs * math.prod(g.kernel_array_shape[:-1])
    return products <= MAX_PRODUCTS and max(outputs, inputs) <= MAX_NUMBERS


def _features(rng: np.random.Generator, least: int = 1) -> int:
    return int(rng.choice([f for f in FEATURES if f >= least]))


def _batch(rng: np.random.Generator) -> int:
    return int(rng.integers(BATCHES[0], BATCHES[1] + 1))


def _cells(rng: np.random.Generator, sizes: tuple[int, int], ndim: int) -> tuple[int, ...]:
    """Draws a square shape in half of all draws."""
    shape = rng.integers(sizes[0], sizes[1] + 1, ndim).tolist()
    return tuple(shape if rng.random() < 0.5 else shape[:1] * ndim)


def _layer(
    taps: int,
    *,
    stride: int = 1,
    dilation: int = 1,
    ndim: int = 2,
    sizes: tuple[int, int] = SIZES,
    inputs: tuple[int, ...] | None = None,
    transposed: bool = False,
) -> Draw:
    """Returns a draw of a layer with free features, from some numbers of inputs where these are given."""

    def draw(rng: np.random.Generator) -> Case:
        features = int(rng.choice(inputs)) if inputs else _features(rng, 4), _features(rng, 8)
        shape = _cells(rng, sizes, ndim)
        if transposed:  # sizes that the stride divides, as networks have them on their way up
            shape = tuple(size - size % stride for size in shape)
        return _case(_batch(rng), shape, taps, features, stride=stride, dilation=dilation)

    return draw


def _depthwise(taps: int, stride: int = 1) -> Draw:
    def draw(rng: np.random.Generator) -> Case:
        features = _features(rng, 8)
        shape = _cells(rng, SIZES, 2)
        return _case(_batch(rng), shape, taps, (features, features), stride=stride, groups=features)

    return draw


def _grouped(taps: int) -> Draw:
    def draw(rng: np.random.Generator) -> Case:
        groups = int(rng.choice([2, 4, 8, 16]))
        features = tuple(groups * int(rng.choice([2, 4, 8, 16])) for _ in range(2))
        features = features if max(features) <= FEATURES[-1] else (4 * groups, 4 * groups)
        return _case(_batch(rng), _cells(rng, SIZES, 2), taps, (features[0], features[1]), groups=groups)

    return draw


def _case(
    batch: int,
    shape: tuple[int, ...],
    taps: int,
    features: tuple[int, int],
    *,
    stride: int = 1,
    dilation: int = 1,
    groups: int = 1,
) -> Case:
    g = ConvGeometry(
        shape,
        (taps,) * len(shape),
        in_features=features[0],
        out_features=features[1],
        strides=stride,
        kernel_dilation=dilation,
        feature_group_count=groups,
        padding="SAME",
    )
    words = "x".join([str(taps)] * len(shape)) if len(shape) > 1 else f"1-D k{taps}"
    options = [("stride", stride, 1), ("dilated", dilation, 1), ("groups", groups, 1)]
    words += "".join(f" {word} {value}" for word, value, usual in options if value != usual)
    size = "x".join(map(str, (batch, *shape)))
    return Case(f"{words}, {features[0]} to {features[1]} on {size}", batch, g)


KINDS: tuple[Draw, ...] = (
    _layer(3),
    _layer(3),
    _layer(3, stride=2),
    _layer(3, dilation=2),
    _layer(1),
    _layer(1, stride=2),
    _depthwise(3),
    _depthwise(3, stride=2),
    _depthwise(5),
    _grouped(3),
    _grouped(7),
    _layer(3, inputs=(1, 2, 3, 4)),
    _layer(1, inputs=(1, 2, 3, 4)),
    _layer(7, stride=2, inputs=(1, 3, 4)),
    _layer(5),
    _layer(7),
    _layer(9, ndim=1, sizes=LENGTHS),
    _layer(3, ndim=1, sizes=LENGTHS, dilation=4),
    _layer(3, ndim=3, sizes=VOLUME_SIZES),
    _layer(2, stride=2, transposed=True),
    _layer(4, stride=2, transposed=True),
)
