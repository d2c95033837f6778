"""Animations: the window of every frame covers the entries of one row of C."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from jaxconv.claims import oracle
from jaxconv.claims.cases import Cases
from jaxconv.claims.claim import Trial, claim, exact
from jaxconv.geometry import ConvGeometry
from jaxconv.geometry.scene import scenes


@claim(
    "scenes",
    "the window of frame o reads the entries of row o of C; for the transpose, drawn as its equivalent "
    "direct convolution, those of row o of C-transposed",
    "arXiv:1603.07285, chapters 2 and 4",
    numbers="integers",
)
def windows_are_rows(cases: Cases) -> Iterator[Trial]:
    """Compares the frames' kernel entries with C by its definition, and their cells with NumPy's padding."""
    for case in cases:
        g = case.geometry
        kernel = np.arange(1.0, g.parameters + 1).reshape(g.kernel_array_shape)
        C = oracle.matrix(kernel, g)
        holds = np.array_equal(_rows(g, kernel, False), C) and _shows_the_padded_input(g, False)
        if g.padding_mode == "zeros":
            holds &= np.array_equal(_rows(g, kernel, True), C.T) and _shows_the_padded_input(g, True)
        yield exact(holds, f"from jaxconv import ConvGeometry\ng = {g!r}")


def _rows(g: ConvGeometry, kernel: np.ndarray, transposed: bool) -> np.ndarray:
    """Returns the matrix whose rows are the frames' entries."""
    rows = np.zeros(g.matrix_shape[::-1] if transposed else g.matrix_shape)
    for row, scene in enumerate(scenes(g, transposed=transposed)):
        for entry in scene.entries:
            rows[row, entry.column] += kernel[entry.kernel_index]
    return rows


def _shows_the_padded_input(g: ConvGeometry, transposed: bool) -> bool:
    """Returns whether every read names the cell that the padded input has at its position."""
    frames = scenes(g, transposed=transposed)
    shown = frames[0].shown.with_features(1, 1)
    numbers = np.arange(1.0, np.prod(shown.input_shape) + 1).reshape(1, *shown.input_shape, 1)
    padded = oracle.pad(numbers, shown)[0, ..., 0]
    return all(
        padded[read.position] == (0 if read.cell is None else numbers[(0, *read.cell, 0)])
        for scene in frames
        for read in scene.reads
    )
