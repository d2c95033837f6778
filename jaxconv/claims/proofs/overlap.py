"""Even overlap: whether windows read all cells equally often, which a transposed convolution shows."""

from __future__ import annotations

from jaxconv.claims.proofs.statement import Number, Question, statement
from jaxconv.geometry.evenness import is_even_axis


@statement(
    "even-overlap",
    "away from the border all cells are read by equally many taps exactly if s divides k and gcd(d, s) = 1",
    "Odena, Dumoulin & Olah, Distill 2016, doi:10.23915/distill.00003, extended",
    "linalg.is_even (is_even_axis)",
    fixed="s d",
)
def even(q: Question) -> None:
    """Counts the taps of each phase, t d modulo s, proves the counts by induction on k, compares them."""
    axis = q.axis(f=1)
    s, d, k = axis.stride, axis.dilation, axis.kernel
    period = next(t for t in range(1, s + 1) if t * d % s == 0)  # taps after which the phases repeat
    phases = [t * d % s for t in range(period)]
    t, first = q.integer("t", 0), q.integer("x", 0)
    q.given(first < period)
    q.prove((t * d % s == t % period * d % s) & (len(set(phases)) == period), "axis")

    def number(taps: Number, first: Number) -> Number:
        """Returns how many of the first taps have the phase of a tap below the period."""
        return (taps - first + period - 1) // period

    grows = number(k, first) - number(k - 1, first) == ((k - 1) % period == first) * 1
    q.prove(grows & (number(0, first) == 0), "axis")
    if is_even_axis(axis):
        q.prove((len(phases) == s) & (number(k, first) == number(k, 0)), "is_even_axis(axis)")
    else:
        q.prove(number(k, 0) > (number(k, period - 1) if period == s else 0), "is_even_axis(axis)")
