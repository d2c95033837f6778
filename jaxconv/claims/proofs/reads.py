"""What counts of entries and of unused cells count: the pairs of an output and a tap that read a cell."""

from __future__ import annotations

from jaxconv.claims.proofs.sizes import windows_of
from jaxconv.claims.proofs.statement import Question, statement
from jaxconv.geometry import counting

DEFINITION = "definition"


@statement(
    "reads-counted",
    "the (output, tap) that nnz and unused count with zero padding are those that read an input cell",
    DEFINITION,
    "ConvGeometry.nnz, unused (counting.Windows.region)",
)
def reads_counted(q: Question) -> None:
    """Takes any output and tap, and the position that the tap reads."""
    axis, x, t = q.axis(), q.integer("x"), q.integer("t")
    sides, congruence = counting.windows_of(axis).region(*counting.inside(axis))
    counted = (congruence.x_weight * x + congruence.y_weight * t - congruence.value) % congruence.modulus == 0
    for side in sides:
        counted = counted & (side.x_weight * x + side.y_weight * t + side.constant >= 0)
    position, f = x * axis.stride + t * axis.dilation - axis.padding[0], axis.input_dilation
    j = position // f
    read = (0 <= x) & (x < axis.out_size) & (0 <= t) & (t < axis.kernel)
    q.prove(
        counted == (read & (f * j == position) & (0 <= j) & (j < axis.size)),
        "counting.windows_of(axis).region(*counting.inside(axis))",
    )


@statement(
    "reads-repeated",
    "the repeated (output, tap) that unused subtracts are those whose cell another output reads with a "
    "smaller tap",
    DEFINITION,
    "ConvGeometry.unused (counting.Windows.repetitions)",
    fixed="s d",
)
def reads_repeated(q: Question) -> None:
    """Takes any pair, and any other one that reads the same position with a smaller tap."""
    s, d = q.step("s"), q.step("d")
    windows = q.make("windows", counting.Windows, q.integer("o", 1), s, q.integer("k", 1), d, q.integer("p"))
    (outputs, taps), repeated = windows.repeat, windows.repetitions()
    x, t = q.integer("x", 0), q.integer("t", 0)
    q.given(x < windows.outputs, t < windows.taps)
    subtracted = (x < repeated.outputs) & (0 <= t - taps) & (t - taps < repeated.taps)
    there = repeated.start + x * repeated.stride + (t - taps) * repeated.dilation
    q.prove(there == windows.start + x * s + t * d, "windows.repetitions()")
    if subtracted:  # this one reads it with a smaller tap
        q.prove((taps > 0) & (x + outputs < windows.outputs) & (outputs * s == taps * d),
                "windows.repetitions()")  # fmt: skip
    else:
        y, u = q.integer("y", 0), q.integer("u", 0)
        q.given(y < windows.outputs, u < t)
        q.prove((y * s + u * d == x * s + t * d) == False, "windows.repetitions()")  # noqa: E712


@statement(
    "unused-band",
    "without dilation, and with k >= s, unread are the cells that low padding crops and the last a - p_h",
    DEFINITION,
    "AxisGeometry.output_padding",
    fixed="s",
)
def unused_band(q: Question) -> None:
    """Takes any cell, and the window that would read it or any window."""
    axis, j = q.axis(d=1, f=1), q.integer("j", 0)
    s, (low, high), o = axis.stride, axis.padding, windows_of(q, axis)
    q.given(j < axis.size, axis.kernel >= s)
    if (j >= -low) & (j < axis.size - (axis.output_padding - high)):
        n = min((j + low) // s, o - 1)
    else:
        n = q.integer("n", 0)
        q.given(n < o)
    read = (0 <= n) & (n * s - low <= j) & (j < n * s - low + axis.kernel)
    band = (j >= -low) & (j < axis.size - (axis.output_padding - high))
    q.prove(read == band if band else read == False, "axis.output_padding")  # noqa: E712
