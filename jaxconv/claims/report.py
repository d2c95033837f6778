"""The result of a verification: one row per claim."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

SOURCE_WIDTH = 40  # characters of a line of the column


@dataclass(frozen=True)
class Row:
    """The result of one claim.

    Attributes:
      name: Name of the claim; ``verify(name)`` tries it alone.
      statement: The statement, in a line.
      source: Publication that states it, or "definition".
      trials: Number of geometries tried.
      worst: Largest error found, in units of the rounding bound; 0 where integers agree.
      ok: Whether the claim held for all geometries.
      counterexample: Python code that makes the first geometry for which it failed; empty if it held.
      seconds: Duration of the check in seconds.
    """

    name: str
    statement: str
    source: str
    trials: int
    worst: float
    ok: bool
    counterexample: str
    seconds: float


@dataclass(frozen=True)
class Report:
    """The result of `verify` in one dtype.

    Attributes:
      rows: One row per claim.
      dtype: Dtype of the numbers.
      seed: Seed of the random geometries and numbers.
      device: Kind of the device that the claims ran on.
      versions: Versions of jaxconv, jax, numpy and python.
    """

    rows: tuple[Row, ...]
    dtype: str
    seed: int
    device: str
    versions: dict[str, str]

    @property
    def ok(self) -> bool:
        """Whether every claim held, and at least one was tried."""
        return bool(self.rows) and all(row.ok for row in self.rows)

    @property
    def made_with(self) -> str:
        """The versions and the seed as text."""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return f"{versions}, seed {self.seed}"

    def table(self, sources: bool = True) -> Table:
        """Returns the report as a `rich.table.Table`.

        Args:
          sources: Whether the table has a column of sources; without it, it fits a narrow terminal.
        """
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        table = Table(
            title=f"claims in {self.dtype} on {self.device}: {len(self.rows)}",
            caption=f"gap: largest error in units of the rounding bound; {self.made_with}",
            box=SIMPLE_HEAD,
            pad_edge=False,
        )
        table.add_column("claim", style="bold", no_wrap=True)
        table.add_column("statement", ratio=1)
        if sources:
            table.add_column("source", max_width=SOURCE_WIDTH)
        table.add_column("tried", justify="right")
        table.add_column("gap", justify="right")
        table.add_column("verdict", justify="center")
        for row in self.rows:
            verdict = Text("holds", "green") if row.ok else Text("FAILS", "bold red")
            # Text, not markup: a statement may hold square brackets.
            texts = [Text(row.statement), Text(row.source)][: 1 + sources]
            table.add_row(row.name, *texts, f"{row.trials:,}", format_gap(row.worst), verdict)
        return table

    def counterexamples(self) -> str:
        """Returns the failed claims, each with Python code that makes the geometry for which it failed."""
        return "\n".join(
            f"{row.name}: {row.statement}\n    {row.counterexample}" for row in self.rows if not row.ok
        )

    def to_json(self) -> str:
        """Returns the report as JSON; an infinite gap is null."""
        return json.dumps(as_dict(self), indent=2, allow_nan=False)


def as_dict(report: Report) -> dict[str, Any]:
    """Returns a report as a dict of types that JSON has."""
    data = {"ok": report.ok, **asdict(report)}
    for row in data["rows"]:
        row["worst"] = row["worst"] if math.isfinite(row["worst"]) else None
    return data


def format_gap(worst: float) -> str:
    """Returns a gap as text; it is 0, "exact", where nothing rounds."""
    return "exact" if worst == 0 else f"{worst:.2g}"
