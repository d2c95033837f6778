"""Verifications of the same claims in several dtypes, side by side."""

from __future__ import annotations

import json
from dataclasses import dataclass

from jaxconv.claims.report import Report, Row, gap_text, plain


@dataclass(frozen=True)
class Reports:
    """One report for each dtype.

    A claim of integers alone is tried once, and stands in every report. One that needs the order of real
    numbers is missing from a complex report.

    Attributes:
      reports: One per dtype, of the same seed, device and versions.
    """

    reports: tuple[Report, ...]

    @property
    def ok(self) -> bool:
        """Whether every claim held in every dtype that it can have, and there was one."""
        return bool(self.rows) and all(row.ok for report in self.reports for row in report.rows)

    @property
    def rows(self) -> tuple[Row, ...]:
        """One row per claim: all trials, the worst gap and the first counterexample of all dtypes."""
        return tuple(_together(list(found.values())) for found in self._by_claim().values())

    def _by_claim(self) -> dict[str, dict[str, Row]]:
        """The rows of every claim by dtype, in the order of the claims."""
        longest = max((report.rows for report in self.reports), key=len)
        found: dict[str, dict[str, Row]] = {row.name: {} for row in longest}
        for report in self.reports:
            for row in report.rows:
                found[row.name][report.dtype] = row
        return found

    def table(self, statements: bool = True):
        """A `rich.table.Table` for people, a column per dtype; without the statements it fits 80 columns.

        Args:
          statements: Whether to have a column of them.
        """
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        first, rows = self.reports[0], self._by_claim()
        table = Table(
            title=f"claims in {len(self.reports)} dtypes on {first.device}: {len(rows)}",
            caption="the worst gap in units of the dtype's rounding bound\n"
            f"exact: nothing rounds   -: complex numbers have no order\n{first.made_with}",
            box=SIMPLE_HEAD,
            pad_edge=False,
            padding=(0, 1, 0, 0),
            show_footer=True,
        )
        table.add_column("claim", "hold\nworst gap", style="bold", no_wrap=True)
        if statements:
            table.add_column("statement", ratio=1)
        for report in self.reports:
            hold = f"{sum(row.ok for row in report.rows)} of {len(report.rows)}"
            worst = gap_text(max((row.worst for row in report.rows), default=0.0))
            table.add_column(report.dtype, f"{hold}\n{worst}", justify="right", no_wrap=True)
        for name, found in rows.items():
            statement = [Text(next(iter(found.values())).statement)] if statements else []
            cells = [_cell(found.get(report.dtype)) for report in self.reports]
            table.add_row(name, *statement, *cells)
        return table

    def counterexamples(self) -> str:
        """The failed claims by dtype, each with Python that makes the geometry where it failed."""
        failed = [report for report in self.reports if not report.ok]
        return "\n".join(f"in {report.dtype}:\n{report.counterexamples()}" for report in failed)

    def to_json(self) -> str:
        """Everything by dtype, as JSON; a gap without bound is null."""
        reports = {report.dtype: plain(report) for report in self.reports}
        return json.dumps({"ok": self.ok, "dtypes": reports}, indent=2, allow_nan=False)


def _together(rows: list[Row]) -> Row:
    first = rows[0]
    rows = list({id(row): row for row in rows}.values())  # a claim of integers is one row in every dtype
    return Row(
        first.name,
        first.statement,
        first.source,
        trials=sum(row.trials for row in rows),
        worst=max(row.worst for row in rows),
        ok=all(row.ok for row in rows),
        counterexample=next((row.counterexample for row in rows if not row.ok), ""),
        seconds=sum(row.seconds for row in rows),
    )


def _cell(row: Row | None):
    from rich.text import Text

    if row is None:
        return Text("-", "dim")
    return Text(gap_text(row.worst)) if row.ok else Text(f"FAILS {gap_text(row.worst)}", "bold red")
