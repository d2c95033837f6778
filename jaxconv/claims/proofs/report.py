"""The result of proofs: one row per statement."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

STYLES = {"proved": "green", "not proved": "yellow", "not decided": "bold yellow", "FAILS": "bold red"}
SOURCE_WIDTH, DOMAIN_WIDTH = 40, 44  # characters of a line of the columns


@dataclass(frozen=True)
class ProofRow:
    """The result of one statement.

    Attributes:
      name: Name of the statement; ``prove(name)`` proves it alone.
      statement: The statement, in a line.
      source: Publication that states it, or "definition".
      subject: What of the library the proof ran.
      verdict: "proved", "not proved" (it is only tried), "not decided" (by z3), or "FAILS".
      domain: For which integers it is proved; empty if it is not.
      reason: Why no proof is attempted; empty if one is.
      tried: Number of geometries that it was tried on.
      queries: Number of queries to z3.
      counterexample: Python code that shows a failure; empty if there is none.
      seconds: Duration in seconds.
    """

    name: str
    statement: str
    source: str
    subject: str
    verdict: str
    domain: str
    reason: str
    tried: int
    queries: int
    counterexample: str
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the statement is proved, or held wherever it was tried if no proof is attempted."""
        return self.verdict in ("proved", "not proved") and self.tried > 0


@dataclass(frozen=True)
class ProofReport:
    """The result of `prove`.

    Attributes:
      rows: One row per statement.
      largest: Largest stride and dilation of those that took values one after the other.
      seed: Seed of the random geometries.
      z3: Version of z3.
    """

    rows: tuple[ProofRow, ...]
    largest: int
    seed: int
    z3: str

    @property
    def ok(self) -> bool:
        """Whether every statement is proved or, if no proof is attempted, held; and there is at least one."""
        return bool(self.rows) and all(row.ok for row in self.rows)

    def table(self, sources: bool = True) -> Table:
        """Returns the report as a `rich.table.Table`.

        Args:
          sources: Whether the table has a column of sources; without it, it fits a narrow terminal.
        """
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        proved = sum(row.verdict == "proved" for row in self.rows)
        table = Table(
            title=f"statements about integers: {proved} of {len(self.rows)} proved",
            caption=f"z3 {self.z3}, {sum(row.queries for row in self.rows):,} queries, seed {self.seed}",
            box=SIMPLE_HEAD,
            pad_edge=False,
        )
        table.add_column("statement", style="bold", no_wrap=True)
        table.add_column("", ratio=1)
        if sources:
            table.add_column("source", max_width=SOURCE_WIDTH)
        table.add_column("proved for, or why not", max_width=DOMAIN_WIDTH)
        table.add_column("tried on", justify="right")
        table.add_column("verdict", justify="center", no_wrap=True)
        for row in self.rows:
            texts = [Text(row.statement), Text(row.source)][: 1 + sources]
            domain = Text(row.domain or row.reason or "-")
            verdict = Text(row.verdict, STYLES[row.verdict])
            table.add_row(row.name, *texts, domain, f"{row.tried:,}", verdict)
        return table

    def counterexamples(self) -> str:
        """Returns the statements that are not settled, each with Python code that shows a failure."""
        return "\n".join(
            "\n    ".join([f"{row.name}: {row.statement}", *(row.counterexample or row.verdict).splitlines()])
            for row in self.rows
            if not row.ok
        )

    def to_json(self) -> str:
        """Returns the report as JSON."""
        rows = [{"ok": row.ok, **asdict(row)} for row in self.rows]
        return json.dumps({"ok": self.ok, **asdict(self), "rows": rows}, indent=2)
