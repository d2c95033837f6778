"""Relationships 1 to 15 over every small one-axis geometry, in NumPy.

Sizes are held against windows that are counted one by one, never against another formula.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial

import numpy as np

from jaxconv.claims.cases import Cases
from jaxconv.claims.claim import Trial, claim, exact
from jaxconv.errors import GeometryError
from jaxconv.geometry import RELATIONSHIPS, AxisGeometry
from jaxconv.geometry.relationships import Relationship

# 24 x 6 x 5 x 7 x 7 x 4 = 141,120, less those whose kernel does not fit.
LARGEST = {
    "i": range(1, 25),
    "k": range(1, 7),
    "s": range(1, 6),
    "pl": range(7),
    "ph": range(7),
    "d": range(1, 5),
}


@lru_cache(maxsize=1)
def every_axis() -> dict[str, np.ndarray]:
    """The letters of every geometry of the enumeration, with o counted and a left over."""
    grid = np.meshgrid(*LARGEST.values(), indexing="ij")
    letters = {name: values.ravel() for name, values in zip(LARGEST, grid, strict=True)}
    cells = letters["pl"] + letters["i"] + letters["ph"]
    span = np.full_like(cells, 1)
    for tap in range(1, max(LARGEST["k"])):
        span += np.where(tap < letters["k"], letters["d"], 0)
    fits = span <= cells
    letters = {name: values[fits] for name, values in letters.items()}
    cells, span = cells[fits], span[fits]
    windows, end = np.zeros_like(cells), np.zeros_like(cells)
    for start in range(int(cells.max())):
        placed = (start % letters["s"] == 0) & (start + span <= cells)
        windows += placed
        end = np.where(placed, start + span, end)
    o, a = windows, cells - end
    return letters | {
        "o": o,
        "i_": o,
        "a": a,
        "p2": letters["pl"] + letters["ph"],
        "same_sides": letters["pl"] == letters["ph"],
    }


def _example(letters: dict[str, np.ndarray], index: int) -> str:
    i, k, s, pl, ph, d = (int(letters[name][index]) for name in LARGEST)
    return f"axis = {AxisGeometry(i, k, s, (pl, ph), d)!r}"


def _check(relationship: Relationship):
    def check(cases: Cases) -> Iterator[Trial]:
        letters = every_axis()
        applies = np.broadcast_to(relationship.applies(letters), letters["i"].shape)
        letters = {name: values[applies] for name, values in letters.items()}
        wrong = relationship.size(letters) != (letters["i"] if relationship.transposed else letters["o"])
        first = int(np.argmax(wrong))
        yield Trial(
            float("inf") if wrong.any() else 0.0,
            partial(_example, letters, first),
            int(applies.sum()),
        )

    return check


for _relationship in RELATIONSHIPS:
    claim(
        f"relationship-{_relationship.number}",
        f"{_relationship.formula}   ({_relationship.condition}; {_relationship.name})",
        f"relationship {_relationship.number}, guide {_relationship.section}",
        "integers",
    )(_check(_relationship))


@claim(
    "equivalent-pattern",
    "the equivalent direct convolution reads as C-transposed does: kernel flipped, p' = span - 1 - p "
    "(a crop where negative), a at the high edge",
    "relationships 8-14, corrected",
    "integers",
)
def equivalent_pattern(cases: Cases) -> Iterator[Trial]:
    """Every tap of every geometry: the reads of both, as sets, in integers."""
    letters = every_axis()
    total = letters["i"].size
    for part in np.array_split(np.arange(total), 16):
        i, k, s, pl, ph, d, o, a = (
            letters[name][part, None, None] for name in ("i", "k", "s", "pl", "ph", "d", "o", "a")
        )
        low, high = d * (k - 1) - pl, d * (k - 1) - ph + a
        tap = np.arange(max(LARGEST["k"]))
        # Forward: output u reads, with tap t, cell j.
        u = np.arange(int(o.max()))[:, None]
        j = u * s + tap * d - pl
        reads = (u < o) & (tap < k) & (j >= 0) & (j < i)
        # Equivalent: output j reads, with the flipped tap, stretched cell u s.
        same = j + (k - 1 - tap) * d - low == u * s
        forward = reads.sum((1, 2))
        cell = np.arange(int(i.max()))[:, None]
        position = cell + tap * d - low
        back = (cell < i) & (tap < k) & (position >= 0) & (position <= s * (o - 1)) & (position % s == 0)
        size = low + s * (o - 1) + 1 + high - d * (k - 1)
        holds = (same | ~reads).all((1, 2)) & (forward == back.sum((1, 2))) & (size == i).all((1, 2))
        first = int(part[np.argmin(holds)])
        yield Trial(
            0.0 if holds.all() else float("inf"),
            partial(_example, letters, first),
            part.size,
        )


@claim(
    "library-sizes",
    "AxisGeometry's sizes, a, transpose and the input sizes that share an output, dilated both ways",
    "relationships 6, 14, 15",
    "integers",
)
def library_sizes(cases: Cases) -> Iterator[Trial]:
    """Random axes: the value object against counting, input dilation included."""
    rng = np.random.default_rng((cases.seed, 2))
    for _ in range(100 * cases.trials):
        k, s, d, f = (int(v) for v in rng.integers(1, 5, 4))
        padding = tuple(int(v) for v in rng.integers(-2, 7, 2))

        def axis(size, k=k, s=s, padding=padding, d=d, f=f):
            return AxisGeometry(size, k, s, padding, d, f)

        try:
            drawn = axis(int(rng.integers(1, 15)))
        except GeometryError:
            continue
        cells = f * drawn.size - (f - 1) + sum(padding)
        starts = [start for start in range(0, cells, s) if start + d * (k - 1) < cells]
        sharing = []
        for size in range(1, drawn.size + s + 1):
            cells_then = f * size - (f - 1) + sum(padding)
            if len(
                [start for start in range(0, max(cells_then, 0), s) if start + d * (k - 1) < cells_then]
            ) == len(starts):
                sharing.append(size)
        equivalent = drawn.equivalent_direct()
        yield exact(
            drawn.out_size == len(starts)
            and drawn.output_padding == cells - (starts[-1] + d * (k - 1) + 1)
            and list(drawn.input_sizes) == sharing
            and (equivalent.out_size, equivalent.output_padding) == (drawn.size, 0),
            f"axis = {drawn!r}",
        )
