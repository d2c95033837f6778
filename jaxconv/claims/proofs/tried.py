"""Statements about integers that are tried and not proved, each with the reason."""

from __future__ import annotations

from jaxconv.claims.proofs.statement import STATEMENTS, Question, Skipped, statement
from jaxconv.claims.verification import CLAIMS
from jaxconv.geometry import AxisGeometry
from jaxconv.geometry.counting import entry_count, unused_count

LATTICE = "Euclid's algorithm counts pairs; which ones it counts is proved: reads-counted, reads-repeated"


@statement("unused", "unused is the number of cells that no window reads", "definition",
           "ConvGeometry.unused (unused_count)", unproved=LATTICE)  # fmt: skip
def unused(q: Question) -> None:
    """Lists the cells that are read."""
    axis = q.axis()
    q.prove(unused_count(axis) == axis.size - len({cell for _, cell in _reads(axis)}), "axis")


@statement("nnz", "nnz is the number of pairs of an output and a cell that it reads", "definition",
           "ConvGeometry.nnz (entry_count)", unproved=LATTICE)  # fmt: skip
def nnz(q: Question) -> None:
    """Lists the pairs."""
    axis = q.axis()
    q.prove(entry_count(axis) == len(_reads(axis)), "axis")


def _reads(axis: AxisGeometry) -> set[tuple[int, int]]:
    """Returns every (output, cell) of an axis with zero padding."""
    positions = {
        (o, o * axis.stride + t * axis.dilation - axis.padding[0])
        for o in range(axis.out_size)
        for t in range(axis.kernel)
    }
    f = axis.input_dilation
    return {(o, p // f) for o, p in positions if p % f == 0 and 0 <= p // f < axis.size}


# Claims of `verify` about integers.
REASONS = {
    "library-sizes": "proved in parts: windows, output-padding, input-sizes, equivalent-size",
    "receptive-field": "it lists the cells of any number of layers; the ends of two layers are proved",
    "stride-1-transpose": "proved in part: equivalent-pattern, where s = 1",
    "stride-2-transpose": "a search among convolutions of some sizes",
    "toeplitz": "it is about two matrices",
    "counts": "it is about some numbers",
}


def _by_claim(q: Question) -> None:
    """Skips every geometry: the claim of the same name tries its own."""
    raise Skipped


for _claim in CLAIMS.values():
    if _claim.numbers == "integers" and _claim.name not in STATEMENTS:
        _reason = REASONS.get(_claim.name, "it compares arrays of integers")
        statement(_claim.name, _claim.statement, _claim.source, "", unproved=_reason)(_by_claim)
