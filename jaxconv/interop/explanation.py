"""One geometry explained: its sizes, the calls in other libraries, and the methods that ``"auto"`` takes."""

from __future__ import annotations

import io
from dataclasses import dataclass

from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from jaxconv.convolution import native
from jaxconv.convolution.auto import first_rule
from jaxconv.convolution.formulations.onednn import has_kernel
from jaxconv.convolution.onednn_rules import WITH_ONEDNN
from jaxconv.convolution.padding import geometry_after_padding
from jaxconv.convolution.rules import (
    CONV_KERNEL_VJP_RULES,
    CONV_RULES,
    CONV_TRANSPOSE_RULES,
    OFF_CPU_RULES,
    Measurement,
    Rule,
)
from jaxconv.core.checks import check_geometry
from jaxconv.errors import OptionError
from jaxconv.geometry import AxisGeometry, ConvGeometry
from jaxconv.geometry.arguments import at_least_one
from jaxconv.geometry.axis import format_sizes
from jaxconv.geometry.relationships import relationship_of
from jaxconv.interop.calls import calls, transposed_calls

WIDTH = 120  # characters in a line of the text
ON_CPU = {
    "conv": CONV_RULES,
    "conv_transpose": CONV_TRANSPOSE_RULES,
    "conv_kernel_vjp": CONV_KERNEL_VJP_RULES,
}


@dataclass(frozen=True, repr=False)
class Explanation:
    """What `explain` returns: a text, also for a notebook's cell and for `rich.print`.

    Attributes:
      geometry: The convolution explained.
      batch: Number of maps per batch, which the choice of a method may depend on.
    """

    geometry: ConvGeometry
    batch: int = 1

    def rules(self) -> dict[str, Rule[str]]:
        """Returns the rule by which ``method="auto"`` chooses on a CPU, for each of the three functions."""
        g = geometry_after_padding(self.geometry)
        return {name: self._rule(name, kind, g) for name, kind in zip(ON_CPU, native.Kind, strict=True)}

    def _rule(self, name: str, kind: native.Kind, g: ConvGeometry) -> Rule[str]:
        rules = WITH_ONEDNN[kind] if has_kernel(kind, g, self.batch) else ON_CPU[name]
        return first_rule(rules, g, self.batch)

    def rule_off_cpu(self) -> Rule[str]:
        """Returns the rule by which ``method="auto"`` chooses on other platforms, for all three functions."""
        return first_rule(OFF_CPU_RULES, geometry_after_padding(self.geometry), self.batch)

    def __rich__(self) -> Group:
        """Returns all tables, which rich fits to the width of its console."""
        return Group(arithmetic_tables(self.geometry), methods_table(self))

    def __str__(self) -> str:
        """Returns all tables as text."""
        console = Console(file=io.StringIO(), width=WIDTH, color_system=None, legacy_windows=False)
        with console.capture() as text:
            console.print(self)
        return "\n".join(line.rstrip() for line in text.get().splitlines())

    __repr__ = __str__


def explain(geometry: ConvGeometry, *, batch: int = 1) -> Explanation:
    """Explains a convolution: its sizes, how to write it elsewhere, and which methods ``"auto"`` takes.

    The command ``jaxconv arithmetic --explain`` prints the same.

    Args:
      geometry: The convolution.
      batch: Number of maps per batch, at least 1; methods that copy all windows of the batch are chosen for
        small ones only.

    Returns:
      An object whose `str` is the text.

    Raises:
      TypeError: `geometry` is not a ConvGeometry, or `batch` is not an integer.
      OptionError: `batch` is below 1.

    >>> rule = explain(ConvGeometry((128, 128), (31, 31)), batch=4).rules()["conv"]
    >>> print(f"{rule.method}: {rule.reason}")
    fft: the kernel has 900 taps or more, and no strides
    """
    check_geometry(geometry)
    return Explanation(geometry, at_least_one("batch", batch, error=OptionError))


def arithmetic_tables(g: ConvGeometry, bias: bool = False, transposed_bias: bool = False) -> Group:
    """Returns sizes with the relationship each follows, counts, and the calls elsewhere, for rich.

    Args:
      g: The convolution.
      bias: Whether the calls of the convolution add a bias.
      transposed_bias: Whether the calls of its transpose add a bias.
    """
    return Group(
        _axes_table(g),
        _counts_table(g),
        _calls_table("the convolution", calls(g, bias)),
        _calls_table("its transpose", transposed_calls(g, transposed_bias)),
    )


def methods_table(explanation: Explanation) -> Table:
    """Returns which method ``"auto"`` takes for each function and why, for rich."""
    maps = f"{explanation.batch} map" + ("" if explanation.batch == 1 else "s")
    table = Table(
        title=f'method="auto" for a batch of {maps}; medians in ms on 2 cores, float32',
        title_justify="left",
        caption="Derivatives: that of conv in x is conv_transpose, that in the kernel is conv_kernel_vjp.",
        caption_justify="left",
        show_lines=True,
    )
    for heading in ("function", "platform", "method", "because", "measured"):
        table.add_column(heading, overflow="fold")
    for name, rule in explanation.rules().items():
        table.add_row(name, "CPU", *map(Text, (rule.method, rule.reason, _measurements(rule))))
    rule = explanation.rule_off_cpu()
    table.add_row("all three", "others", *map(Text, (rule.method, rule.reason, "not measured")))
    return table


def _measurements(rule: Rule[str]) -> str:
    """Writes a rule's measurements, one per line."""
    lines = [_measurement(rule.method, m) for m in rule.measured]
    lines += [f"excluded: {_measurement(rule.method, m)}" for m in rule.excluded]
    if not lines and rule.method == "direct":
        return "XLA's own; nothing faster was measured"
    return "\n".join(lines) or "not measured"


def _measurement(method: str, m: Measurement) -> str:
    return f"{m.case}: {m.other} {m.other_ms:g}, {method} {m.own_ms:g}"


def _axes_table(g: ConvGeometry) -> Table:
    table = Table(title=Text(repr(g)), title_justify="left")
    table.add_column("")
    columns = [_axis_lines(axis) for axis in g.axes]
    for number in range(g.ndim):
        table.add_column(f"axis {number}", overflow="fold")
    for name in columns[0]:
        table.add_row(name, *(Text(column[name]) for column in columns))
    return table


def _axis_lines(axis: AxisGeometry) -> dict[str, str]:
    return {
        "input size i": _input_line(axis.size, axis.input_dilation, axis.stretched),
        "kernel k": f"{axis.kernel}"
        + (f", spans {axis.span} dilated by {axis.dilation}" if axis.dilation > 1 else ""),
        "stride s": f"{axis.stride}",
        "padding (low, high)": f"{axis.padding}"
        + ("" if axis.padding_mode == "zeros" else f", {axis.padding_mode}"),
        "output size o": f"{axis.out_size}   {_output_note(axis, transposed=False)}",
        "output padding a": f"{axis.output_padding}",
        "input sizes with this output": format_sizes(axis.input_sizes),
        "transposed: output size o'": f"{axis.size}   {_output_note(axis, transposed=True)}",
        "equivalent direct convolution": _direct_line(axis),
    }


def _input_line(size: int, dilation: int, stretched: int) -> str:
    zeros = "1 zero" if dilation == 2 else f"{dilation - 1} zeros"
    return f"{size}" if dilation == 1 else f"{size}, stretched to {stretched} ({zeros} between neighbours)"


def _output_note(axis: AxisGeometry, transposed: bool) -> str:
    relationship = relationship_of(axis, transposed)
    notes = []
    if axis.padding[0] != axis.padding[1] and "2p" in relationship.formula:
        notes.append("2p reads p_l + p_h")
    if axis.input_dilation > 1:
        notes.append("i~ = f (i - 1) + 1 for " + ("o'" if transposed else "i"))
    note = f"; {'; '.join(notes)}" if notes else ""
    return f"relationship {relationship.number}: {relationship.formula}{note}"


def _direct_line(axis: AxisGeometry) -> str:
    if axis.padding_mode != "zeros":
        return f"none: the transpose folds the {axis.padding_mode} border back"
    e = axis.equivalent_direct()
    low, high = (f"pad {p}" if p >= 0 else f"crop {-p}" for p in e.padding)
    return (
        f"i' = {_input_line(e.size, e.input_dilation, e.stretched)}, k' = {e.kernel} flipped, "
        f"s' = {e.stride}, {low} low, {high} high" + (f", d = {e.dilation}" if e.dilation > 1 else "")
    )


def _counts_table(g: ConvGeometry) -> Table:
    table = Table.grid(padding=(0, 2))
    rows, columns = g.matrix_shape
    table.add_row(
        "matrix C", f"{rows:,} x {columns:,} with {g.nnz:,} entries ({100 * g.nnz / (rows * columns):.3g}%)"
    )
    table.add_row("parameters", f"{g.parameters:,} (a bias adds {g.out_features:,})")
    table.add_row("multiplications", f"{g.multiplications:,}")
    table.add_row("unused input cells", ", ".join(map(str, g.unused)))
    return table


def _calls_table(title: str, code: dict[str, str]) -> Table:
    table = Table(title=f"{title} elsewhere", title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for library, call in code.items():
        table.add_row(library, Text(call))
    return table
