"""Entries and unused cells, counted and compared with lists of them; and at sizes too large for lists."""

import itertools
import math
from fractions import Fraction

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import axis_reads

from jaxconv import (
    AxisGeometry,
    ConvGeometry,
    GeometryError,
    SizeError,
    avg_pool,
    lp_pool,
    max_pool,
    pool_geometry,
    receptive_field,
    resize_geometry,
)
from jaxconv.geometry.counting import entry_count, unused_count
from jaxconv.geometry.lattice import Congruence, HalfPlane, count_points, first_multiple, floor_sum

MODES = ["zeros", "circular", "reflect", "replicate"]
many = hypothesis.settings(max_examples=40 * hypothesis.settings().max_examples)
HUGE = 10**12


@st.composite
def axes(draw):
    """Axes whose numbers share factors or do not, with padding of up to several times their size."""
    number = st.integers(1, draw(st.sampled_from([3, 9, 25])))
    size, kernel, stride, dilation, input_dilation = (draw(number) for _ in range(5))
    padding = draw(st.tuples(st.integers(-9, 60), st.integers(-9, 60)))
    try:
        return AxisGeometry(
            size, kernel, stride, padding, dilation, input_dilation, draw(st.sampled_from(MODES))
        )
    except GeometryError:  # the kernel does not fit, or one cell would be reflected
        hypothesis.reject()


@many
@hypothesis.given(axes())
def test_counts_match_loops(axis):
    reads = [{cell for cell in cells if cell != -1} for cells in axis_reads(axis)]
    assert entry_count(axis) == sum(map(len, reads))
    assert unused_count(axis) == axis.size - len(set().union(*reads))


def test_floor_sums():
    for count, modulus, step, start in itertools.product(range(5), range(1, 5), range(-5, 6), range(-5, 6)):
        assert floor_sum(count, modulus, step, start) == sum(
            math.floor(Fraction(step * x + start, modulus)) for x in range(count)
        )


@hypothesis.given(st.integers(-20, 20), st.integers(0, 20), st.integers(1, 20))
def test_first_multiples(start, step, modulus):
    found = [t for t in range(modulus) if (start + t * step) % modulus == 0]
    assert first_multiple(start, step, modulus) == (found[0] if found else None)


@many
@hypothesis.given(
    st.lists(st.tuples(*[st.integers(-4, 4)] * 2, st.integers(-9, 9)), max_size=4),
    st.tuples(*[st.integers(-7, 7)] * 3, st.integers(1, 7)),
)
def test_points_of_polygons(sides, congruence):
    box = [(1, 0, 5), (-1, 0, 6), (0, 1, 4), (0, -1, 7)]
    inside = [
        (x, y)
        for x, y in itertools.product(range(-5, 7), range(-4, 8))
        if all(a * x + b * y + c >= 0 for a, b, c in sides)
    ]
    half_planes = [HalfPlane(*side) for side in (*box, *sides)]
    assert count_points(half_planes) == len(inside)
    a, b, value, modulus = congruence
    solutions = [(x, y) for x, y in inside if (a * x + b * y - value) % modulus == 0]
    assert count_points(half_planes, Congruence(*congruence)) == len(solutions)


HALF = 5 * 10**10  # half of the taps, on each side of the middle one
TAPS = 2 * HALF + 1
# Axes with their entries and unused cells, derived by hand.
HUGE_AXES = [
    (AxisGeometry(HUGE, TAPS), (HUGE - TAPS + 1) * TAPS, 0),
    (AxisGeometry(HUGE, TAPS, dilation=3), (HUGE - 6 * HALF) * TAPS, 0),
    (AxisGeometry(HUGE, 3, stride=4, padding=(4, 4)), (HUGE // 4) * 3, HUGE // 4),
    (AxisGeometry(HUGE, 10**5, stride=10**6), HUGE // 10, HUGE - HUGE // 10),
    (AxisGeometry(HUGE, 3, input_dilation=2, padding=(2, 2)), 3 * HUGE, 0),  # every tap meets every cell
    (AxisGeometry(HUGE, TAPS, padding=(TAPS - 1, TAPS - 1)), HUGE * TAPS, 0),
    (AxisGeometry(5, TAPS, padding=(TAPS - 1, TAPS - 1)), 5 * TAPS, 0),
    *(
        (AxisGeometry(HUGE, TAPS, padding=(HALF, HALF), padding_mode=mode), entries, 0)
        # Windows at the borders read copies of cells in the padding, of their own or of the other end.
        for mode, entries in [
            ("zeros", HUGE * TAPS - HALF * (HALF + 1)),
            ("circular", HUGE * TAPS),
            ("reflect", HUGE * TAPS - HALF * (HALF + 1)),
            ("replicate", HUGE * TAPS - HALF * (HALF + 1)),
        ]
    ),
    *(
        (AxisGeometry(size, 1, stride=2, padding=(0, 99), padding_mode=mode), HUGE // 2 + 50, unused)
        # Every second cell is read; if their number is odd, the second turn reads the others.
        for mode, size, unused in [
            ("circular", HUGE + 1, HUGE // 2 - 49),
            ("reflect", HUGE + 1, HUGE // 2),
            ("replicate", HUGE, HUGE // 2 - 1),
        ]
    ),
]  # fmt: skip


@pytest.mark.parametrize(("axis", "entries", "unused"), HUGE_AXES, ids=str)
def test_huge_axes(axis, entries, unused):
    assert entry_count(axis) == entries
    assert unused_count(axis) == unused


@hypothesis.given(st.integers(1, HUGE), st.integers(1, 10**11), *[st.integers(1, 10**6)] * 3)
def test_huge_transposes_have_as_many_entries(size, kernel, stride, dilation, input_dilation):
    span = dilation * (kernel - 1)
    axis = AxisGeometry(size, kernel, stride, (span, span // 2), dilation, input_dilation)
    assert entry_count(axis) == entry_count(axis.equivalent_direct())


def test_huge_geometries():
    g = ConvGeometry((HUGE, HUGE), (10**11, 3), strides=(30, 10**10), padding="SAME")
    assert g.output_shape == (33333333334, 100)
    assert g.unused == (0, HUGE - 300)
    assert g.matrix_shape == (3333333333400, 10**24)
    assert g.parameters == 3 * 10**11
    assert [len(sizes) for sizes in g.input_sizes] == [30, 10**10]
    assert g.transposed().nnz == g.nnz
    with pytest.raises(GeometryError, match=r"inputs of 1\d* to 1\d* cells have"):
        ConvGeometry.from_shapes((1, 1), g.output_shape, g.kernel_shape, **g.options)


def test_huge_receptive_fields():
    first = ConvGeometry((HUGE,), (10**11,), strides=3, padding=7)
    second = ConvGeometry(first.output_shape, (10**10,), strides=2, kernel_dilation=5)
    field = receptive_field([first, second])
    assert field.size == (10**11 + 5 * (10**10 - 1) * 3,)
    assert (field.jump, field.offset) == ((6,), (-7,))
    (last,) = second.output_shape
    assert field.interval((last - 1,)) == (range(6 * (last - 1) - 7, 6 * (last - 1) - 7 + field.size[0]),)
    up = ConvGeometry((10**11,), (10**10,), strides=4).transposed()
    assert receptive_field([up]).size == (10**10 // 4,)
    sparse = receptive_field([ConvGeometry((HUGE,), (3,), strides=10**11).transposed()])
    assert (sparse.size, sparse.jump, sparse.offset) == ((1,), (Fraction(1, 10**11),), (0,))
    wide = receptive_field([ConvGeometry((HUGE,), (3,), kernel_dilation=10**11)])
    assert wide.cells((5,), clip=True) == ((5, 5 + 10**11, 5 + 2 * 10**11),)


def test_huge_resizings():
    g = resize_geometry((HUGE,), (2 * HUGE + 1,), "bilinear")
    assert g.output_shape == (2 * HUGE + 1,)


def test_huge_poolings_have_geometries():
    g = pool_geometry((HUGE,), (10**11,), strides=7, padding=10**9, ceil_mode=True)
    assert g.output_shape == (math.ceil((HUGE + 2 * 10**9 - 10**11) / 7) + 1,)
    pool = jax.eval_shape(lambda x: max_pool(x, (2, 2)), jax.ShapeDtypeStruct((40000, 50000, 1), jnp.float32))
    assert pool.shape == (20000, 25000, 1)


def test_huge_windows(rng):
    """Windows with many cells of padding; every window here contains the whole map."""
    x = jnp.asarray(rng.normal(size=(5, 1)))
    options = {"window": (10**11,), "strides": 2, "padding": ((5 * 10**10, 5 * 10**10 + 1),)}
    y, switches = max_pool(x, return_switches=True, **options)
    assert y.ravel().tolist() == [x.max()] * 4
    assert switches.ravel().tolist() == [int(x.argmax())] * 4
    np.testing.assert_allclose(avg_pool(x, **options), jnp.full((4, 1), x.sum() / 1e11), rtol=1e-14)
    np.testing.assert_allclose(
        avg_pool(x, count_include_pad=False, **options), jnp.full((4, 1), x.mean()), rtol=1e-14
    )
    np.testing.assert_allclose(lp_pool(x, **options), jnp.full((4, 1), jnp.linalg.norm(x)), rtol=1e-14)
    with pytest.raises(SizeError, match=r"on axis 0 the windows reach over .* lower `padding` or `strides`"):
        max_pool(x, (10**11,), strides=10**10, padding=6 * 10**10)
    with pytest.raises(GeometryError, match="window of output 0 holds only padding"):
        max_pool(x, (10**11,), padding=10**11)
