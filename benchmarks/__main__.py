"""Measures jaxconv beside its peers: one table or all, on the terminal and in files.

python -m benchmarks                        every table, about half an hour on two cores
python -m benchmarks --quick                every table at a small size, about two minutes
python -m benchmarks convolution --case depthwise
python -m benchmarks operators --save       one table, kept in a file of its own
"""

from __future__ import annotations

import argparse
import importlib
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.cases import CASES
from benchmarks.machine import heading, machine, slug
from benchmarks.operator_cases import operator_cases
from benchmarks.report import save, show
from benchmarks.table import Table
from jaxconv.training.devices import keep_memory

TABLES = ("build", "product", "convolution", "operators", "network", "training", "growth", "overhead")
RESULTS = Path(__file__).parent / "results"


def main(arguments: list[str] | None = None) -> None:
    """The command."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if unknown := set(options.tables) - set(TABLES):
        parser.error(f"no table is named {', '.join(sorted(unknown))}; there are {', '.join(TABLES)}")
    known = {"convolution": list(CASES), "operators": operator_cases()}
    cases = {table: [case for case in every if options.case in case.name] for table, every in known.items()}
    if not any(cases.values()):
        names = "; ".join(case.name for every in known.values() for case in every)
        parser.error(f"no case's name contains {options.case!r}; there are {names}")
    if options.save and (options.quick or options.case):
        parser.error("--save keeps whole tables: give it without --quick and --case")
    console = Console(width=160)
    kept = options.keep_memory and keep_memory()
    found = machine() | {"memory": "glibc, kept between calls" if kept else "the C library's defaults"}
    console.print(heading(found), soft_wrap=True, highlight=False)
    folder = RESULTS if options.save else options.out
    tables = []
    for name in options.tables or TABLES:
        start = time.perf_counter()
        tables.append(_measured(name, options, cases, folder))
        show(tables[-1], console)
        console.print(f"{time.perf_counter() - start:.0f} seconds")
    name = "-".join([slug(found), *options.tables])
    for file in save(tables, found, folder, name):
        console.print(f"wrote {file}", soft_wrap=True, highlight=False)


def _measured(name: str, options: argparse.Namespace, cases: dict[str, list], folder: Path) -> Table:
    more: dict[str, Any] = {}
    if name in cases and options.case:
        more["cases"] = cases[name]
    if name == "growth":
        more["folder"] = folder
    return importlib.import_module(f"benchmarks.{name}").table(quick=options.quick, **more)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", nargs="*", metavar="table", help=", ".join(TABLES))
    parser.add_argument("--quick", action="store_true", help="fewer cases and calls")
    parser.add_argument(
        "--case",
        default="",
        help="of the tables convolution and operators, only the cases whose name contains this",
    )
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder for Markdown and JSON")
    parser.add_argument("--keep-memory", action="store_true", help="glibc: never return memory to the system")
    parser.add_argument("--save", action="store_true", help=f"write into {RESULTS.name}/, to be committed")
    return parser


if __name__ == "__main__":
    main()
