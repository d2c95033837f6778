"""Recurrent cells, without their matrix products: what is left is done feature by feature.

A cell reads its state, the projected input `x` ($x W + b$) and the recurrent products `a` ($h U$), both
as one array per gate. It returns the next state. A state is a tuple of arrays of one shape, ``(*batch,
units)``; the first of them is the output $h$.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp

CellName = Literal["gru", "lstm", "tanh"]
Arrays = tuple[jax.Array, ...]


class Cell(NamedTuple):
    """A recurrent cell.

    Attributes:
      gates: Number of gates; the kernels' columns are those of all gates, one after the other.
      states: Number of arrays in its state.
      step: Computes the next state from the state, the projected input and the recurrent products.
    """

    gates: int
    states: int
    step: Callable[[Arrays, Arrays, Arrays], Arrays]


def gru(state: Arrays, x: Arrays, a: Arrays) -> Arrays:
    """Computes one step of a gated recurrent unit; gates r, u, c.

    The reset gate r acts on the product of state and kernel, not on the state before it, as in PyTorch,
    whose update gate is 1 - u.

    References:
      Cho et al., arXiv:1406.1078.
    """
    (h,), (xr, xu, xc), (ar, au, ac) = state, x, a
    r, u = jax.nn.sigmoid(xr + ar), jax.nn.sigmoid(xu + au)
    return (h + u * (jnp.tanh(xc + r * ac) - h),)


def lstm(state: Arrays, x: Arrays, a: Arrays) -> Arrays:
    """Computes one step of a long short-term memory; gates i, f, g, o as in PyTorch.

    References:
      Hochreiter & Schmidhuber, Long short-term memory, 1997; Gers, Schmidhuber & Cummins, Learning to
      forget, 2000 (the forget gate).
    """
    _, memory = state
    i, f, g, o = (xn + an for xn, an in zip(x, a, strict=True))
    memory = jax.nn.sigmoid(f) * memory + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(memory), memory


def tanh(state: Arrays, x: Arrays, a: Arrays) -> Arrays:
    """Computes one step of Elman's recurrent unit, which has no gates."""
    del state
    return (jnp.tanh(x[0] + a[0]),)


CELLS: dict[str, Cell] = {"gru": Cell(3, 1, gru), "lstm": Cell(4, 2, lstm), "tanh": Cell(1, 1, tanh)}
