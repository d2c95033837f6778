"""A table: rows of cells, with what is needed to print, save and read them again."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.timing import Timing


class Ratio(float):
    """How many times faster than a peer; more than 1 where jaxconv wins."""

    def __str__(self) -> str:
        digits = 3 if self < 0.1 else 2 if self < 10 else 0
        return f"{self:.{digits}f}"


class Megabytes(float):
    """A size of 10^6 bytes."""

    def __str__(self) -> str:
        return f"{self:.2g}" if self < 10 else f"{self:.0f}"


Cell = Timing | Ratio | Megabytes | int | str | None


@dataclass(frozen=True)
class Row:
    """One case: a cell a column, and what the table does not show.

    Attributes:
      cells: By column; None where nothing was measured.
      details: More of the same for the JSON, such as every way that was timed.
    """

    cells: dict[str, Cell]
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """Rows that answer one question; all have the same columns.

    Attributes:
      name: As on the command line.
      question: What the rows answer, and in which units.
      rows: At least one.
      notes: What to know when reading; summaries.
      picture: The file name of a figure beside the table.
    """

    name: str
    question: str
    rows: list[Row]
    notes: list[str] = field(default_factory=list)
    picture: str | None = None

    @property
    def columns(self) -> list[str]:
        """Of every row."""
        return list(self.rows[0].cells)

    def json(self) -> dict:
        """Everything, as JSON takes it."""
        rows = [{"cells": _plain(row.cells), "details": _plain(row.details)} for row in self.rows]
        return {"table": self.name, "question": self.question, "notes": self.notes, "rows": rows}


def shown(cell: Cell) -> str:
    """As people read it."""
    return "—" if cell is None else str(cell)


def ratio(ours: Timing | None, *peers: Timing | None) -> Ratio | None:
    """The best peer's time over ours; None where one side was not measured."""
    times = [peer.median for peer in peers if peer is not None]
    return Ratio(min(times) / ours.median) if ours is not None and times else None


def geometric_mean(ratios: Iterable[float]) -> float:
    """Of positive numbers."""
    logarithms = [math.log(ratio) for ratio in ratios]
    return math.exp(sum(logarithms) / len(logarithms))


def _plain(value: Any) -> Any:
    if isinstance(value, Timing):
        return value._asdict()
    return {key: _plain(item) for key, item in value.items()} if isinstance(value, dict) else value
