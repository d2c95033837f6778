"""Random ordinary layers: the distribution of the ratios to lax and PyTorch, and the worst results."""

from __future__ import annotations

import numpy as np

from benchmarks.convolution import RATIOS, case_rows
from benchmarks.random_cases import random_cases
from benchmarks.table import Cell, Ratio, Row, Table, geometric_mean

LAYERS = 30
SEED = 2026  # no rule was tuned on it
SECONDS = 0.15  # for each way of each result
QUANTILES = {"5%": 0.05, "25%": 0.25, "median": 0.5, "75%": 0.75}
LIMITS = (0.9, 0.8)
WORST = 10  # results named for each ratio


def table(*, quick: bool = False, seed: int = SEED, layers: int = LAYERS, seconds: float = SECONDS) -> Table:
    """Measures `layers` random layers, three results each; one row per ratio, every result in the details."""
    cases = random_cases(seed, max(1, layers // 6) if quick else layers)
    rows = [row for case in cases for row in case_rows(case, seconds / 3 if quick else seconds)]
    return Table(
        "sweep",
        f"The time of a peer divided by ours, and by ours without oneDNN (plain), over {len(cases)} random "
        f"layers (seed {seed}), three results each: forward (y), gradient in the map (x), in the kernel (w).",
        [_distribution(column, rows) for column in RATIOS],
        [line for column in RATIOS for line in _worst(column, rows)],
    )


def _ratios(column: str, rows: list[Row]) -> list[tuple[Ratio, Row]]:
    """Returns the measured ratios of a column with their rows, worst first."""
    found = [(row.cells[column], row) for row in rows]
    return sorted((pair for pair in found if pair[0] is not None), key=lambda pair: pair[0])


def _distribution(column: str, rows: list[Row]) -> Row:
    pairs = _ratios(column, rows)
    ratios = [ratio for ratio, _ in pairs]
    cells: dict[str, Cell] = {"ratio": column, "results": len(ratios)}
    cells["geometric mean"] = Ratio(geometric_mean(ratios)) if ratios else None
    cells["worst"] = ratios[0] if ratios else None
    cells |= {
        name: Ratio(np.quantile(ratios, share)) if ratios else None for name, share in QUANTILES.items()
    }
    cells |= {f"below {limit}": sum(ratio < limit for ratio in ratios) for limit in LIMITS}
    details = {f"{row.cells['case']}: {row.cells['result']}": row.cells | row.details for _, row in pairs}
    return Row(cells, details)


def _worst(column: str, rows: list[Row]) -> list[str]:
    """Writes a note for each of the worst results."""
    peer, ours = column.split(" / ")
    ours = "plain" if ours == "plain" else "conv"
    return [
        f"{column} {ratio}: {row.cells['case']}, {row.cells['result']}: {row.cells[ours]} ms, "
        f"{peer} {row.cells[peer]} ms by {row.cells[f'{peer} by']}."
        for ratio, row in _ratios(column, rows)[:WORST]
    ] or [f"{peer} is not installed: its rows are empty."]
