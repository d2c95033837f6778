"""Results of the same claims in several dtypes, side by side."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jaxconv.claims.report import Report, Row, as_dict, format_gap

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text


@dataclass(frozen=True)
class Reports:
    """The result of `verify` in several dtypes.

    A claim about integers is tried once and is in every report. A claim that compares real numbers is not in
    the report of a complex dtype.

    Attributes:
      reports: One report per dtype, all with the same seed, device and versions.
    """

    reports: tuple[Report, ...]

    @property
    def ok(self) -> bool:
        """Whether every claim held in every dtype, and at least one was tried."""
        return bool(self.rows) and all(row.ok for report in self.reports for row in report.rows)

    @property
    def rows(self) -> tuple[Row, ...]:
        """One row per claim: the trials, the worst gap and the first counterexample of all dtypes."""
        return tuple(_merge(list(rows.values())) for rows in self._by_claim().values())

    def _by_claim(self) -> dict[str, dict[str, Row]]:
        """Returns the rows of every claim by dtype, in the order of the claims."""
        longest = max((report.rows for report in self.reports), key=len)
        by_claim: dict[str, dict[str, Row]] = {row.name: {} for row in longest}
        for report in self.reports:
            for row in report.rows:
                by_claim[row.name][report.dtype] = row
        return by_claim

    def table(self, statements: bool = True) -> Table:
        """Returns the reports as a `rich.table.Table` with one column per dtype.

        Args:
          statements: Whether the table has a column of statements; without it, it fits into 80 characters.
        """
        from rich.box import SIMPLE_HEAD
        from rich.table import Table
        from rich.text import Text

        first, by_claim = self.reports[0], self._by_claim()
        table = Table(
            title=f"claims in {len(self.reports)} dtypes on {first.device}: {len(by_claim)}",
            caption="largest error in units of the rounding bound of the dtype\n"
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
            worst = format_gap(max((row.worst for row in report.rows), default=0.0))
            table.add_column(report.dtype, f"{hold}\n{worst}", justify="right", no_wrap=True)
        for name, rows in by_claim.items():
            statement = [Text(next(iter(rows.values())).statement)] if statements else []
            cells = [_gap_cell(rows.get(report.dtype)) for report in self.reports]
            table.add_row(name, *statement, *cells)
        return table

    def counterexamples(self) -> str:
        """Returns the failed claims by dtype, each with Python code that makes the geometry."""
        failed = [report for report in self.reports if not report.ok]
        return "\n".join(f"in {report.dtype}:\n{report.counterexamples()}" for report in failed)

    def to_json(self) -> str:
        """Returns the reports by dtype as JSON; an infinite gap is null."""
        reports = {report.dtype: as_dict(report) for report in self.reports}
        return json.dumps({"ok": self.ok, "dtypes": reports}, indent=2, allow_nan=False)


def _merge(rows: list[Row]) -> Row:
    """Merges the rows of one claim in several dtypes."""
    first = rows[0]
    # A claim about integers has the same row in every dtype: it counts once.
    rows = list({id(row): row for row in rows}.values())
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


def _gap_cell(row: Row | None) -> Text:
    from rich.text import Text

    if row is None:
        return Text("-", "dim")
    return Text(format_gap(row.worst)) if row.ok else Text(f"FAILS {format_gap(row.worst)}", "bold red")
