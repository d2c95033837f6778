"""Tables of measurements, as they are printed and saved."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.timing import Timing


class Ratio(float):
    """A quotient; of a time of a peer to ours, it is above 1 if jaxconv is faster."""

    def __str__(self) -> str:
        digits = 3 if self < 0.1 else 2 if self < 10 else 0
        return f"{self:.{digits}f}"


class Megabytes(float):
    """A size in units of 10^6 bytes."""

    def __str__(self) -> str:
        return f"{self:.2g}" if self < 10 else f"{self:.0f}"


Cell = Timing | Ratio | Megabytes | int | str | None


@dataclass(frozen=True)
class Row:
    """One case: the cells of its row, and details.

    Attributes:
      cells: Cells by column; None if nothing was measured.
      details: Further values for the JSON file, such as the time of every way.
    """

    cells: dict[str, Cell]
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """Rows that answer one question; all have the same columns.

    Attributes:
      name: Name of the table on the command line.
      question: What the rows show, and in which units.
      rows: The rows, at least one.
      notes: Notes for the reader, and summaries.
      picture: The file name of a figure beside the table.
    """

    name: str
    question: str
    rows: list[Row]
    notes: list[str] = field(default_factory=list)
    picture: str | None = None

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self.rows[0].cells)

    def json(self) -> dict[str, Any]:
        """Returns the whole table in types of JSON."""
        rows = [{"cells": _plain(row.cells), "details": _plain(row.details)} for row in self.rows]
        return {"table": self.name, "question": self.question, "notes": self.notes, "rows": rows}


def format_cell(cell: Cell) -> str:
    """Returns a cell as text."""
    return "—" if cell is None else str(cell)


def ratio(ours: Timing | None, *peers: Timing | None) -> Ratio | None:
    """Divides the time of the fastest peer by ours; None if one side was not measured."""
    times = [peer.median for peer in peers if peer is not None]
    return Ratio(min(times) / ours.median) if ours is not None and times else None


def geometric_mean(ratios: Iterable[float]) -> float:
    """Computes the geometric mean of positive numbers."""
    logarithms = [math.log(ratio) for ratio in ratios]
    return math.exp(sum(logarithms) / len(logarithms))


def _plain(value: Any) -> Any:
    if isinstance(value, Timing):
        return value._asdict()
    return {key: _plain(item) for key, item in value.items()} if isinstance(value, dict) else value
