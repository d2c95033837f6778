"""The arithmetic of one geometry, written out for a reader."""

from __future__ import annotations

from rich.console import Group
from rich.table import Table
from rich.text import Text

from jaxconv.geometry import AxisGeometry, ConvGeometry
from jaxconv.geometry.axis import format_sizes
from jaxconv.geometry.relationships import relationship_of
from jaxconv.interop.calls import calls, transposed_calls


def explain(g: ConvGeometry) -> Group:
    """Sizes with the relationship each follows, the transpose, and the calls elsewhere, for rich."""
    return Group(
        _axes(g),
        _counts(g),
        _calls_table("the convolution", calls(g)),
        _calls_table("its transpose", transposed_calls(g)),
    )


def _axes(g: ConvGeometry) -> Table:
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


def _counts(g: ConvGeometry) -> Table:
    table = Table.grid(padding=(0, 2))
    rows, columns = g.matrix_shape
    table.add_row(
        "matrix C", f"{rows:,} x {columns:,} with {g.nnz:,} entries ({g.nnz / (rows * columns):.2%})"
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
