"""Relationships 1 to 15 of arXiv:1603.07285 for every small geometry along one axis, in NumPy.

Sizes are compared with windows that are counted one by one, never with another formula.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial

import numpy as np

from jaxconv.claims.cases import Cases
from jaxconv.claims.claim import Check, Trial, claim, exact
from jaxconv.errors import GeometryError
from jaxconv.geometry import RELATIONSHIPS, AxisGeometry
from jaxconv.geometry.relationships import Relationship

PAPER = "arXiv:1603.07285"

# 24 x 6 x 5 x 7 x 7 x 4 = 141,120 geometries, less those whose kernel does not fit.
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
    """Returns the letters of every geometry of the enumeration, with o and a found by counting."""
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
        window = (start % letters["s"] == 0) & (start + span <= cells)
        windows += window
        end = np.where(window, start + span, end)
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


def _check(relationship: Relationship) -> Check:
    """Returns the check of a relationship on all geometries that it applies to."""

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
    _unit = "section" if "." in _relationship.section else "chapter"
    claim(
        f"relationship-{_relationship.number}",
        f"{_relationship.formula}   ({_relationship.condition}; {_relationship.name})",
        f"{PAPER}, {_unit} {_relationship.section}, relationship {_relationship.number}",
        "integers",
    )(_check(_relationship))


@claim(
    "equivalent-pattern",
    "the equivalent direct convolution reads the cells that C-transposed reads: kernel flipped, "
    "p' = span - 1 - p (a crop where negative), a at the high edge",
    f"{PAPER}, relationships 8-14, corrected",
    "integers",
)
def equivalent_pattern(cases: Cases) -> Iterator[Trial]:
    """Compares the reads of every tap of every geometry, as sets of integers."""
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
    "AxisGeometry has the counted output size, output padding a, size of the transpose and input sizes that "
    "share the output size, with both dilations",
    f"{PAPER}, relationships 6, 14 and 15",
    "integers",
)
def library_sizes(cases: Cases) -> Iterator[Trial]:
    """Compares random axes, input dilation included, with counting."""
    rng = np.random.default_rng((cases.seed, 2))
    for _ in range(100 * cases.trials):
        k, s, d, f = (int(v) for v in rng.integers(1, 5, 4))
        low, high = (int(v) for v in rng.integers(-2, 7, 2))
        try:
            axis = AxisGeometry(int(rng.integers(1, 15)), k, s, (low, high), d, f)
        except GeometryError:
            continue

        def starts(
            size: int, k: int = k, s: int = s, d: int = d, f: int = f, pad: int = low + high
        ) -> list[int]:
            cells = f * size - (f - 1) + pad
            return [start for start in range(0, max(cells, 0), s) if start + d * (k - 1) < cells]

        windows = starts(axis.size)
        cells = f * axis.size - (f - 1) + low + high
        sizes = [size for size in range(1, axis.size + s + 1) if len(starts(size)) == len(windows)]
        equivalent = axis.equivalent_direct()
        yield exact(
            axis.out_size == len(windows)
            and axis.output_padding == cells - (windows[-1] + d * (k - 1) + 1)
            and list(axis.input_sizes) == sizes
            and (equivalent.out_size, equivalent.output_padding) == (axis.size, 0),
            f"axis = {axis!r}",
        )
