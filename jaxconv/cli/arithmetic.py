"""The command that writes out the arithmetic of one convolution."""

from __future__ import annotations

from jaxconv.cli.convolution import Geometry
from jaxconv.cli.screen import console
from jaxconv.errors import OptionError


def arithmetic(geometry: Geometry, batch: int = 1, explain: bool = False) -> None:
    """Prints the sizes of a convolution and its transpose, and the calls of both in other libraries.

    Args:
      geometry: Options of the convolution.
      batch: Number of maps per batch, for --explain.
      explain: Also print which methods method="auto" chooses, and why.
    """
    from jaxconv.interop import explanation

    if batch != 1 and not explain:
        raise OptionError(
            f"--batch {batch} changes only what --explain prints; add --explain, or leave it out."
        )
    whole = explanation.explain(geometry.geometry(), batch=batch)
    console.print(whole if explain else explanation.arithmetic_tables(whole.geometry))
