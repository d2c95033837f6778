"""Pooling, resizing, unfolding and rearranging, and their gradients, compared with JAX and PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from benchmarks.agreement import check_agreement
from benchmarks.operator_case import OperatorCase
from benchmarks.operator_cases import operator_cases
from benchmarks.programs import Way, compile_way, first_names
from benchmarks.table import Row, Table, geometric_mean, ratio
from benchmarks.timing import Timing, timings
from benchmarks.torch_ways import device, torch

TIE = 0.95


def table(
    *, quick: bool = False, cases: Sequence[OperatorCase] | None = None, seconds: float | None = None
) -> Table:
    """Measures every operator, one row for the forward pass and one for the gradient in the map."""
    chosen = list(cases) if cases is not None else operator_cases()[:: 6 if quick else 1]
    seconds = seconds or (0.05 if quick else 0.3)
    rows = [row for case in chosen for row in _rows(case, seconds)]
    return Table(
        "operators",
        "Milliseconds of the other spatial operators and their gradients (vjp), float32, against the best of "
        "lax, jax.image and straightforward jnp, and PyTorch's forward pass.",
        rows,
        _summary(rows),
    )


def _rows(case: OperatorCase, seconds: float) -> Iterator[Row]:
    rng = np.random.default_rng(0)
    x = jax.numpy.asarray(rng.normal(size=case.shape), "float32")
    constants = case.constants(x)
    functions = {"jaxconv": case.ours, **case.peers}
    ways = {name: compile_way(function, x, *constants) for name, function in functions.items()}
    if torch is not None and case.torch:
        ways["PyTorch"] = _torch_way(case, x)
    yield _row(case, "forward", ways, seconds, case.reorder)
    if not case.gradient:
        return
    shape = jax.eval_shape(case.ours, x, *constants)
    y = jax.numpy.asarray(rng.normal(size=shape.shape), "float32")
    gradients = {
        name: compile_way(_pullback(function), x, _peer_order(case, name, y), *constants)
        for name, function in functions.items()
    }
    yield _row(case, "gradient", gradients, seconds, {})


def _pullback(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, y, *constants: jax.vjp(lambda x: function(x, *constants), x)[1](y)[0]


def _peer_order(case: OperatorCase, name: str, y: jax.Array) -> jax.Array:
    """Returns a cotangent in the order of features of a peer, so that its gradient equals ours."""
    if name not in case.reorder:
        return y
    order = case.reorder[name](np.arange(y.shape[-1])[None])[0]
    return y[..., np.argsort(order)]


def _row(
    case: OperatorCase,
    result: str,
    ways: dict[str, Way],
    seconds: float,
    reorder: dict[str, Callable[[np.ndarray], np.ndarray]],
) -> Row:
    def numbers(name: str, value: Any) -> np.ndarray:
        value = value[0] if isinstance(value, tuple | list) else value
        return reorder.get(name, lambda array: array)(np.asarray(ways[name].numpy(value)))

    expected = numbers("jaxconv", ways["jaxconv"].call())

    def check(name: str, value: Any) -> None:
        if name != "PyTorch" or case.torch_agrees:
            check_agreement(f"{case.name}, {result} by {name}", numbers(name, value), expected, case.terms)

    first = first_names(ways)
    once = timings({name: ways[name].call for name in first.values()}, seconds=seconds, check=check)
    times = {name: once[program] for name, program in first.items()}
    peers = {name: time for name, time in times.items() if name not in ("jaxconv", "PyTorch")}
    best = min(peers, key=lambda name: peers[name].median)
    return Row(
        {
            "case": case.name,
            "result": result,
            "jaxconv": times["jaxconv"],
            "best of JAX": peers[best],
            "by": best,
            "PyTorch": times.get("PyTorch"),
            "JAX / ours": ratio(times["jaxconv"], peers[best]),
            "PyTorch / ours": ratio(times["jaxconv"], times.get("PyTorch")),
        },
        {"ways": times},
    )


def _torch_way(case: OperatorCase, x: jax.Array) -> Way:
    """Returns PyTorch's call on a contiguous tensor in its layout.

    Only the forward pass: autograd computes in its own threads, which occupy the cores that the next call
    needs.
    """
    tensor = torch.from_numpy(np.moveaxis(np.asarray(x), -1, 1).copy()).to(device())

    def call() -> Any:
        with torch.no_grad():
            return case.torch(torch.nn.functional, tensor)

    return Way(call, _to_numpy)


def _to_numpy(tensor: Any) -> np.ndarray:
    return np.moveaxis(tensor.detach().cpu().numpy(), 1, -1)


def _summary(rows: list[Row]) -> list[str]:
    notes = []
    switches = [row for row in rows if "switches" in str(row.cells["case"])]
    others = [row for row in rows if row not in switches]
    for column in ("JAX / ours", "PyTorch / ours"):
        ratios = {f"{r.cells['case']}, {r.cells['result']}": r.cells[column] for r in others}
        ratios = {name: value for name, value in ratios.items() if value is not None}
        if ratios:
            slower = [f"{name} ({value})" for name, value in ratios.items() if value < TIE]
            notes.append(
                f"{column}: geometric mean {geometric_mean(ratios.values()):.2f} over {len(ratios)} rows, "
                f"slower by more than 5% in {len(slower)}{': ' if slower else ''}{'; '.join(slower)}."
            )
    if switches:
        times = [_over_plain(row) for row in switches]
        notes.append(
            "Time with switches, relative to max_pool without switches in the same run: "
            + ", ".join(f"{time:.2f}" for time in times)
            + "."
        )
    return notes


def _over_plain(row: Row) -> float:
    ways: dict[str, Timing] = row.details["ways"]
    return ways["jaxconv"].median / ways["jaxconv: plain"].median
