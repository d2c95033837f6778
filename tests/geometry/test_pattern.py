"""Which input cell each (output, tap) reads, against numpy.pad."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import NUMPY_PAD, axis_reads, padded_cells
from strategies import axis_numbers

from jaxconv import AxisGeometry
from jaxconv.geometry.pattern import reads, rows, slots, source_cells

many = settings(max_examples=30 * settings().max_examples)
MODES = ["zeros", "circular", "reflect", "replicate"]
axes = st.sampled_from(MODES).flatmap(
    lambda mode: axis_numbers(9, mode).map(lambda numbers: AxisGeometry(*numbers, padding_mode=mode))
)


@pytest.mark.parametrize("mode", NUMPY_PAD)
def test_modes_match_numpy(mode):
    """Also where the padding is several times wider than the axis."""
    for size, low, high in itertools.product(range(2, 6), range(0, 13), range(0, 13, 3)):
        axis = AxisGeometry(size, 1, padding=(low, high), padding_mode=mode)
        expected = np.pad(np.arange(size), (low, high), mode=NUMPY_PAD[mode])
        np.testing.assert_array_equal(source_cells(axis, np.arange(axis.padded)), expected)


@pytest.mark.parametrize("mode", ["circular", "replicate"])
def test_one_cell_repeats(mode):
    axis = AxisGeometry(1, 1, padding=(3, 2), padding_mode=mode)
    assert source_cells(axis, np.arange(6)).tolist() == [0] * 6


@many
@given(axes)
def test_reads_match_the_padded_axis(axis):
    expected = [
        (out, tap, cell)
        for out, taps in enumerate(axis_reads(axis))
        for tap, cell in enumerate(taps)
        if cell != -1
    ]
    assert [tuple(entry) for entry in np.stack(reads(axis), 1).tolist()] == expected


@many
@given(axes)
def test_rows_hold_every_read_once(axis):
    """In order of taps; slots without an entry name the cell after the last."""
    table = rows(axis)
    row, slot = np.nonzero(table.filled)
    found = zip(row.tolist(), table.tap[row, slot].tolist(), table.cell[row, slot].tolist(), strict=True)
    assert list(found) == list(zip(*(index.tolist() for index in reads(axis)), strict=True))
    assert (table.cell[~table.filled] == axis.size).all()
    assert table.cell.shape == (axis.out_size, slots(axis).width)


@many
@given(axis_numbers(9))
def test_slots_read_cells_in_step(numbers):
    """`slots` has in a few integers what `rows` lists: so no product gathers."""
    axis = AxisGeometry(*numbers)
    layout, table = slots(axis), rows(axis)
    row, slot = np.nonzero(table.filled)
    turn, phase = np.divmod(row, len(layout.cells))
    assert (table.tap[row, slot] == np.array(layout.taps)[phase] + slot * layout.tap_step).all()
    first = np.array(layout.cells)[phase] + turn * layout.row_step
    assert (table.cell[row, slot] == first + slot * layout.cell_step).all()


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dilation", [2, 3])
def test_inserted_zeros_stay_zeros(mode, dilation):
    axis = AxisGeometry(3, 2, padding=(4, 5), padding_mode=mode, input_dilation=dilation)
    cells = padded_cells(3, dilation, (4, 5), mode)
    assert [
        (out + tap, cell) for out, tap, cell in zip(*map(np.ndarray.tolist, reads(axis)), strict=True)
    ] == [
        (out + tap, cells[out + tap])
        for out in range(axis.out_size)
        for tap in (0, 1)
        if cells[out + tap] != -1
    ]


def test_tables_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        reads(AxisGeometry(4, 2)).cell[0] = 1
