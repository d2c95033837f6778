"""Even overlap: whether windows read all cells equally often, which a transposed convolution shows."""

from __future__ import annotations

from jaxconv.claims.proofs.statement import Number, Question, statement
from jaxconv.geometry.evenness import is_even_axis


@statement(
    "overlap-even",
    "away from the border all cells are read by equally many taps exactly if s divides k and gcd(d, s) = 1",
    "Odena, Dumoulin & Olah, Distill 2016, doi:10.23915/distill.00003, extended",
    "linalg.is_even (is_even_axis)",
    fixed="s d",
)
def even(q: Question) -> None:
    """Counts the taps of every phase, proves the counts by induction on k, and compares them."""
    axis = q.axis(f=1)
    s, d, k = axis.stride, axis.dilation, axis.kernel
    period = next(t for t in range(1, s + 1) if t * d % s == 0)  # taps after which the phases repeat

    def number(taps: Number, phase: int) -> Number:
        """Returns how many of the first taps have a phase: t d = phase modulo s."""
        first = next((t for t in range(period) if t * d % s == phase), None)
        return 0 if first is None else (taps - first + period - 1) // period

    for phase in range(s if d <= s else 0):  # further dilations repeat the phases
        more = number(k, phase) - number(k - 1, phase)
        q.prove((more == ((k - 1) * d % s == phase) * 1) & (number(0, phase) == 0), "axis.kernel")
    if is_even_axis(axis):
        equal = True
        for phase in range(1, s):
            equal = equal & (number(k, phase) == number(k, 0))
        q.prove(equal, "is_even_axis(axis)")
    else:
        hole = next((phase for phase in range(s) if all(t * d % s != phase for t in range(s))), None)
        last = (period - 1) * d % s if hole is None else hole
        q.prove(number(k, 0) > number(k, last), "is_even_axis(axis)")
