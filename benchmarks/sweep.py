"""Random ordinary layers: the distribution of the ratios to lax and PyTorch, and the worst results."""

from __future__ import annotations

import numpy as np

from benchmarks.convolution import case_rows
from benchmarks.random_cases import random_cases
from benchmarks.table import Cell, Ratio, Row, Table, geometric_mean

LAYERS = 30
SEED = 2026  # no rule was tuned on it
SECONDS = 0.15  # for each way of each result
PEERS = ("lax", "PyTorch")
QUANTILES = {"5%": 0.05, "25%": 0.25, "median": 0.5, "75%": 0.75}
LIMITS = (0.9, 0.8)
WORST = 10  # results named for each peer


def table(*, quick: bool = False, seed: int = SEED, layers: int = LAYERS, seconds: float = SECONDS) -> Table:
    """Measures `layers` random layers, three results each; one row per peer, every result in the details."""
    cases = random_cases(seed, max(1, layers // 6) if quick else layers)
    rows = [row for case in cases for row in case_rows(case, seconds / 3 if quick else seconds)]
    return Table(
        "sweep",
        f"The time of a peer divided by ours over {len(cases)} random layers (seed {seed}), three results "
        "each: forward (y), gradient in the map (x), in the kernel (w).",
        [_distribution(peer, rows) for peer in PEERS],
        [line for peer in PEERS for line in _worst(peer, rows)],
    )


def _ratios(peer: str, rows: list[Row]) -> list[tuple[Ratio, Row]]:
    """Returns the measured ratios to a peer with their rows, worst first."""
    found = [(row.cells[f"{peer} / ours"], row) for row in rows]
    return sorted((pair for pair in found if pair[0] is not None), key=lambda pair: pair[0])


def _distribution(peer: str, rows: list[Row]) -> Row:
    pairs = _ratios(peer, rows)
    ratios = [ratio for ratio, _ in pairs]
    cells: dict[str, Cell] = {"peer": peer, "results": len(ratios)}
    cells["geometric mean"] = Ratio(geometric_mean(ratios)) if ratios else None
    cells["worst"] = ratios[0] if ratios else None
    cells |= {
        name: Ratio(np.quantile(ratios, share)) if ratios else None for name, share in QUANTILES.items()
    }
    cells |= {f"below {limit}": sum(ratio < limit for ratio in ratios) for limit in LIMITS}
    details = {f"{row.cells['case']}: {row.cells['result']}": row.cells | row.details for _, row in pairs}
    return Row(cells, details)


def _worst(peer: str, rows: list[Row]) -> list[str]:
    """Writes a note for each of the worst results."""
    return [
        f"{peer} {ratio}: {row.cells['case']}, {row.cells['result']}: {row.cells['conv']} ms, "
        f"{peer} {row.cells[peer]} ms by {row.cells[f'{peer} by']}."
        for ratio, row in _ratios(peer, rows)[:WORST]
    ] or [f"{peer} is not installed: its row is empty."]
