"""What a verification found: one row a claim."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One claim and how it fared.

    Attributes:
      name: To ask for it alone.
      statement: What is claimed.
      source: Where it comes from.
      trials: Geometries tried.
      worst: The largest gap found, in units of the rounding bound; 0 where integers agree.
      ok: Whether it held everywhere.
      counterexample: Python that makes the first geometry where it failed; empty if it held.
      seconds: How long it took.
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
    """The rows, and what they were computed with.

    Attributes:
      rows: One a claim.
      dtype: Of the numbers.
      seed: Of the random geometries and numbers.
      device: Where it ran.
      versions: Of jaxconv, jax and Python.
    """

    rows: tuple[Row, ...]
    dtype: str
    seed: int
    device: str
    versions: dict[str, str]

    @property
    def ok(self) -> bool:
        """Whether every claim held, and there was one."""
        return bool(self.rows) and all(row.ok for row in self.rows)

    @property
    def made_with(self) -> str:
        """Versions and seed, for people."""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return f"{versions}, seed {self.seed}"

    def table(self, sources: bool = True):
        """A `rich.table.Table` for people; without the sources it fits a narrow terminal.

        Args:
          sources: Whether to have a column of them.
        """
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        table = Table(
            title=f"claims in {self.dtype} on {self.device}: {len(self.rows)}",
            caption=f"gap: the worst, in units of the rounding bound; {self.made_with}",
            box=SIMPLE_HEAD,
            pad_edge=False,
        )
        table.add_column("claim", style="bold", no_wrap=True)
        table.add_column("statement", ratio=1)
        if sources:
            table.add_column("source")
        table.add_column("tried", justify="right")
        table.add_column("gap", justify="right")
        table.add_column("verdict", justify="center")
        for row in self.rows:
            verdict = Text("holds", "green") if row.ok else Text("FAILS", "bold red")
            # Text, not markup: a statement may hold square brackets.
            texts = [Text(row.statement), Text(row.source)][: 1 + sources]
            table.add_row(row.name, *texts, f"{row.trials:,}", gap_text(row.worst), verdict)
        return table

    def counterexamples(self) -> str:
        """The failed claims, each with Python that makes the geometry where it failed."""
        return "\n".join(
            f"{row.name}: {row.statement}\n    {row.counterexample}" for row in self.rows if not row.ok
        )

    def to_json(self) -> str:
        """Everything, as JSON; a gap without bound is null."""
        return json.dumps(plain(self), indent=2, allow_nan=False)


def plain(report: Report) -> dict[str, Any]:
    """A report in what JSON knows."""
    data = {"ok": report.ok, **asdict(report)}
    for row in data["rows"]:
        row["worst"] = row["worst"] if math.isfinite(row["worst"]) else None
    return data


def gap_text(worst: float) -> str:
    """A gap for people; 0 is that of integers, or of numbers that are only moved."""
    return "exact" if worst == 0 else f"{worst:.2g}"
