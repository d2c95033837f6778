"""Tables on the terminal, as Markdown and as JSON."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import rich.box
import rich.table
from rich.console import Console

from benchmarks.machine import heading
from benchmarks.table import Table, format_cell


def show(table: Table, console: Console) -> None:
    """Prints a table."""
    lines = rich.table.Table(title=f"{table.name}. {table.question}", box=rich.box.SIMPLE_HEAD)
    for index, column in enumerate(table.columns):
        lines.add_column(column, justify="right" if index else "left")
    for row in table.rows:
        lines.add_row(*map(format_cell, row.cells.values()))
    console.print(lines)
    for note in table.notes:
        console.print(note, soft_wrap=True, highlight=False)


def markdown(tables: list[Table], info: dict[str, Any]) -> str:
    """Writes a page of tables."""
    parts = [
        f"# Measured on {heading(info).partition(';')[0]}",
        f"{datetime.date.today():%d %B %Y}. {heading(info)}.",
        "Times are medians in milliseconds, with calls of all libraries in turn; a ratio above 1 means that "
        "jaxconv is faster. `—`: not measured. Quartiles, calls and every measured way are in the JSON file "
        "beside this page.",
    ]
    return "\n\n".join(parts + [_section(table) for table in tables]) + "\n"


def save(tables: list[Table], info: dict[str, Any], folder: Path, name: str) -> list[Path]:
    """Writes ``name.md`` and ``name.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    page, data = folder / f"{name}.md", folder / f"{name}.json"
    page.write_text(markdown(tables, info))
    date = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
    everything = {"date": date, "machine": info, "tables": [table.json() for table in tables]}
    data.write_text(json.dumps(everything, indent=1) + "\n")
    return [page, data]


def _section(table: Table) -> str:
    lines = [f"## {table.name}", "", table.question, ""]
    lines += [_line(table.columns), _line(["---"] + ["---:"] * (len(table.columns) - 1))]
    lines += [_line(map(format_cell, row.cells.values())) for row in table.rows]
    lines += ["", *(f"- {note}" for note in table.notes)]
    lines += ["", f"![{table.name}]({table.picture})"] if table.picture else []
    return "\n".join(lines).rstrip()


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
