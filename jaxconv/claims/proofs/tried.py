"""Statements about integers that are tried and not proved, each with the reason."""

from __future__ import annotations

import itertools
import math

from jaxconv.claims.proofs.composition import SOURCE as COMPOSITION
from jaxconv.claims.proofs.receptive_fields import two_layers
from jaxconv.claims.proofs.statement import STATEMENTS, Question, Skipped, statement
from jaxconv.claims.verification import CLAIMS
from jaxconv.errors import GeometryError
from jaxconv.geometry import AxisGeometry, ConvGeometry
from jaxconv.geometry.composition import compose
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


@statement(
    "composition-exact",
    "compose refuses exactly where two convolutions that read a cell read other cells than the one",
    COMPOSITION,
    "compose",
    unproved="the exact rule compares the cells at the border one by one",
)
def composition_exact(q: Question) -> None:
    """Lists what two taps read through a window that exists, and through any window."""
    first, second = two_layers(q)
    q.given(math.gcd(first.stride, second.input_dilation) == 1)
    s, f = first.stride, second.input_dilation
    through, anyhow = set(), set()
    for x, u, t in itertools.product(range(second.out_size), range(second.kernel), range(first.kernel)):
        position = x * second.stride + u * second.dilation - second.padding[0]
        cell, rest = divmod(
            s * position + f * (t * first.dilation - first.padding[0]), f * first.input_dilation
        )
        if rest == 0 and 0 <= cell < first.size:
            anyhow.add((x, u, t))
            if position % f == 0 and 0 <= position // f < first.out_size:
                through.add((x, u, t))
    q.given(len(through) > 0)
    try:
        compose(*map(_one_axis, (first, second)))
        allowed = True
    except GeometryError:
        allowed = False
    q.prove(allowed == (through == anyhow), "composition.low_border_agrees(first, second)")


def _one_axis(axis: AxisGeometry) -> ConvGeometry:
    """Returns the convolution with one feature that has one axis."""
    return ConvGeometry(
        (axis.size,),
        (axis.kernel,),
        strides=axis.stride,
        padding=(axis.padding,),
        kernel_dilation=axis.dilation,
        input_dilation=axis.input_dilation,
    )


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
    "composition-is-exact": "proved in part: composition-refused",
    "toeplitz": "it is about two matrices",
    "counts": "it is about some numbers",
    "same-box-of-three": "it is about determinants, of the sizes 2 to 11",
}


def _by_claim(q: Question) -> None:
    """Skips every geometry: the claim of the same name tries its own."""
    raise Skipped


for _claim in CLAIMS.values():
    if _claim.numbers == "integers" and _claim.name not in STATEMENTS:
        _reason = REASONS.get(_claim.name, "it compares arrays of integers")
        statement(_claim.name, _claim.statement, _claim.source, "", unproved=_reason)(_by_claim)
