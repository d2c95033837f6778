"""Compares jaxconv with other libraries: prints tables of measurements and saves them in files.

python -m benchmarks                        every table, about half an hour on two cores
python -m benchmarks --quick                every table at a small size, about two minutes
python -m benchmarks convolution --case depthwise
python -m benchmarks operators --save       one table, saved in a file of its own
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

TABLES = (
    "build",
    "product",
    "convolution",
    "operators",
    "network",
    "training",
    "growth",
    "overhead",
    "linalg",
)
RESULTS = Path(__file__).parent / "results"


def main(arguments: list[str] | None = None) -> None:
    """Runs the command."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if unknown := set(options.tables) - set(TABLES):
        parser.error(f"unknown table {', '.join(sorted(unknown))}; the tables are {', '.join(TABLES)}")
    all_cases: dict[str, list] = {"convolution": list(CASES), "operators": operator_cases()}
    cases = {
        table: [case for case in every if options.case in case.name] for table, every in all_cases.items()
    }
    if not any(cases.values()):
        names = "; ".join(case.name for every in all_cases.values() for case in every)
        parser.error(f"no name of a case contains {options.case!r}; the cases are {names}")
    if options.save and (options.quick or options.case):
        parser.error("--save saves whole tables: use it without --quick and --case")
    console = Console(width=160)
    keeps = options.keep_memory and keep_memory()
    info = machine() | {"memory": "glibc, kept between calls" if keeps else "the C library's defaults"}
    console.print(heading(info), soft_wrap=True, highlight=False)
    folder = RESULTS if options.save else options.out
    tables = []
    for name in options.tables or TABLES:
        start = time.perf_counter()
        tables.append(_measure(name, options, cases, folder))
        show(tables[-1], console)
        console.print(f"{time.perf_counter() - start:.0f} seconds")
    name = "-".join([slug(info), *options.tables])
    for file in save(tables, info, folder, name):
        console.print(f"wrote {file}", soft_wrap=True, highlight=False)


def _measure(name: str, options: argparse.Namespace, cases: dict[str, list], folder: Path) -> Table:
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
        help="for the tables convolution and operators: only cases whose name contains this",
    )
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder for Markdown and JSON")
    parser.add_argument("--keep-memory", action="store_true", help="glibc: never return memory to the system")
    parser.add_argument("--save", action="store_true", help=f"write into {RESULTS.name}/, to be committed")
    return parser


if __name__ == "__main__":
    main()
