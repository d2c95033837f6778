"""Receptive fields, compared with the inputs that change an output when each of them is changed in turn."""

import itertools
import math
from fractions import Fraction

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from flax import nnx
from strategies import axis_numbers

import jaxconv
from jaxconv import ConvGeometry, GeometryError, conv, effective_receptive_field, receptive_field
from jaxconv.figures.receptive_field import receptive_field_figure, smallest_square
from jaxconv.nn import Conv


def pattern(axis):
    """(outputs, inputs) of one axis of one layer: which cell which output reads."""
    matrix = np.zeros((axis.out_size, axis.size), bool)
    for output, cells in enumerate(oracles.axis_reads(axis)):
        matrix[output, [cell for cell in cells if cell >= 0]] = True
    return matrix


def seen(stack, axis):
    """(outputs, inputs) of one axis of the stack: products of the layers' patterns."""
    matrix = pattern(stack[0].axes[axis])
    for g in stack[1:]:
        matrix = pattern(g.axes[axis]) @ matrix
    return matrix


@st.composite
def stacks(draw, modes=("zeros",), max_layers=3, transposes=True):
    """One-axis layers that fit each other, a transpose among them now and then."""
    layers = []
    for _ in range(draw(st.integers(1, max_layers))):
        size, taps, stride, padding, dilation, input_dilation = draw(axis_numbers(9))
        if layers:
            size = layers[-1].output_shape[0]
        options = {"kernel_dilation": dilation, "padding_mode": draw(st.sampled_from(modes))}
        if transposes and draw(st.booleans()):
            g = ConvGeometry.of_transposed((size,), (taps,), strides=stride, kernel_dilation=dilation)
            layers.append(g.transposed())
            continue
        try:
            g = ConvGeometry(
                (size,), (taps,), strides=stride, padding=(padding,), input_dilation=input_dilation, **options
            )
        except GeometryError:  # the kernel does not fit the layer below, or one cell would be reflected
            g = ConvGeometry((size,), (taps,), strides=stride, padding="FULL", kernel_dilation=dilation)
        hypothesis.assume(g.output_shape[0] <= 60)
        layers.append(g)
    return layers


@hypothesis.given(stacks(modes=("zeros", "circular", "reflect", "replicate")))
@hypothesis.settings(max_examples=150)
def test_cells_of_the_map_change_the_output(stack):
    field = receptive_field(stack)
    for output, row in enumerate(seen(stack, 0)):
        (cells,) = field.cells((output,), clip=True)
        assert cells == tuple(np.flatnonzero(row)), f"{stack}: output {output}"
        (interval,) = field.interval((output,), clip=True)
        assert set(cells) <= set(interval)
        assert (len(interval) == 0) == (len(cells) == 0)


def unfolded_reads(g, outputs):
    """The cells that a layer reads on an axis that extends beyond both ends, one tap at a time."""
    (low, _), s, d, f = g.padding[0], g.strides[0], g.kernel_dilation[0], g.input_dilation[0]
    positions = {o * s + t * d - low for o in outputs for t in range(g.kernel_shape[0])}
    return {position // f for position in positions if position % f == 0}


@hypothesis.given(stacks())
@hypothesis.settings(max_examples=150)
def test_cells_beyond_the_map_match_loops(stack):
    field = receptive_field(stack)
    outputs = stack[-1].output_shape[0]
    found = []
    for output in range(outputs):
        cells = {output}
        for g in reversed(stack):
            cells = unfolded_reads(g, cells)
        assert field.cells((output,)) == (tuple(sorted(cells)),)
        assert field.interval((output,)) == (range(min(cells), max(cells) + 1) if cells else range(0),)
        found.append(cells)
    widths = [max(cells) - min(cells) + 1 if cells else 0 for cells in found]
    assert field.size == (max(widths),)
    assert field.offset == (next((min(cells) for cells in found if cells), 0),)
    period = math.prod(g.input_dilation[0] for g in stack)
    for output in range(outputs - period):
        assert found[output + period] == {cell + period * field.jump[0] for cell in found[output]}


@hypothesis.given(stacks(transposes=False))
@hypothesis.settings(max_examples=100)
def test_the_closed_form(stack):
    """Without inserted zeros: the sum over layers, the product of strides."""
    hypothesis.assume(all(g.input_dilation == (1,) for g in stack))
    size, jump, offset = 1, 1, 0
    for g in stack:
        size += (g.axes[0].span - 1) * jump
        offset -= g.padding[0][0] * jump
        jump *= g.strides[0]
    field = receptive_field(stack)
    assert (field.size, field.jump, field.offset) == ((size,), (jump,), (offset,))
    assert field.center == (offset + Fraction(size - 1, 2),)
    assert field.interval((0,)) == (range(offset, offset + size),)


def test_several_axes_do_not_interact():
    first = ConvGeometry((9, 12), (3, 2), strides=(2, 1), padding=((1, 0), (0, 2)), out_features=4)
    second = ConvGeometry((4, 13), (2, 4), kernel_dilation=(1, 3), in_features=4, out_features=2)
    both = receptive_field([first, second])
    for axis in range(2):
        alone = [
            ConvGeometry(
                g.input_shape[axis : axis + 1], g.kernel_shape[axis : axis + 1], strides=g.strides[axis],
                padding=(g.padding[axis],), kernel_dilation=g.kernel_dilation[axis],
            )
            for g in (first, second)
        ]  # fmt: skip
        field = receptive_field(alone)
        for name in ("size", "jump", "offset", "center"):
            assert getattr(both, name)[axis] == getattr(field, name)[0]
        assert both.cells((1, 2))[axis] == field.cells(((1, 2)[axis],))[0]


def test_known_networks():
    """VGG-16 up to its last pooling sees 212 cells, jump 32; with its first dense layer 404."""
    size, features, stack = 224, 3, []
    for width, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(depth):
            options = {"in_features": features, "out_features": width, "padding": 1}
            stack.append(ConvGeometry((size,) * 2, (3, 3), **options))
            features = width
        pool = {"strides": 2, "feature_group_count": width, "in_features": width, "out_features": width}
        stack.append(ConvGeometry((size,) * 2, (2, 2), **pool))
        size //= 2
    field = receptive_field(stack)
    assert (field.size, field.jump) == ((212, 212), (32, 32))
    dense = ConvGeometry((7, 7), (7, 7), in_features=512, out_features=4096)
    field = receptive_field([*stack, dense])
    assert field.size == (404, 404)
    assert field.interval((0, 0), clip=True) == (range(224),) * 2


def test_the_jump_of_an_upsampling_is_a_fraction():
    up = ConvGeometry((8,), (4,), strides=2, padding=1).transposed()
    field = receptive_field([up, ConvGeometry((8,), (3,))])
    assert field.jump == (Fraction(1, 2),)
    assert field.size == (3,)
    back = receptive_field([up, ConvGeometry((8,), (3,), strides=2)])
    assert back.jump == (1,)
    assert isinstance(back.jump[0], int)


def test_outputs_that_see_only_inserted_zeros():
    """Taps meet only inserted zeros at every other output, or at all."""
    field = receptive_field([ConvGeometry((4,), (2,), input_dilation=2, kernel_dilation=2, padding=1)])
    assert field.cells((0,)) == ((),)
    assert field.cells((1,)) == ((0, 1),)
    assert (field.size, field.offset) == ((2,), (0,))
    nothing = receptive_field([ConvGeometry((4,), (1,), input_dilation=2, strides=2, padding=1)])
    assert (nothing.size, nothing.interval((1,)), nothing.offset) == ((0,), (range(0),), (0,))


def test_receptive_fields_compare_and_hash_by_value():
    g = ConvGeometry((8,), (3,))
    assert receptive_field([g]) == receptive_field((g,))
    assert len({receptive_field([g]), receptive_field([g])}) == 1
    assert jaxconv.receptive_field is receptive_field  # not the module of the name


def test_bad_stacks():
    g = ConvGeometry((8,), (3,), out_features=2)
    with pytest.raises(GeometryError, match="at least one"):
        receptive_field([])
    with pytest.raises(TypeError, match=r"write \["):
        receptive_field(g)
    with pytest.raises(TypeError, match="only ConvGeometry"):
        receptive_field([g, (6,)])
    fits = ConvGeometry((6,), (3,), in_features=2)
    with pytest.raises(GeometryError, match=r"layer 1 returns .* = \(4, 1\), but layer 2 takes \(5, 1\)"):
        receptive_field([g, fits, ConvGeometry((5,), (2,))])
    with pytest.raises(GeometryError, match=r"layer 0 returns .* = \(6, 2\), but layer 1 takes \(6, 1\)"):
        receptive_field([g, ConvGeometry((6,), (3,))])
    with pytest.raises(GeometryError, match=r"an output in shape \(6,\)"):
        receptive_field([g]).cells((6,))
    with pytest.raises(GeometryError, match=r"an output in shape \(6,\)"):
        receptive_field([g]).interval((0, 0))


# Effective receptive fields, by gradients


@pytest.mark.parametrize("dtype", [np.float32, np.float64, jnp.bfloat16], ids=lambda dtype: dtype.__name__)
def test_the_gradient_of_a_linear_function_is_its_row(dtype, rng):
    """The gradient of C x is a row of C; summed over features, magnitudes last."""
    g = ConvGeometry((7, 6), (3, 2), in_features=2, out_features=3, strides=(2, 1), padding=1)
    kernel = oracles.numbers(g.kernel_array_shape)
    C = oracles.dense(g, kernel).reshape(*g.output_shape, 3, *g.input_shape, 2)
    field = effective_receptive_field(
        lambda x: conv(x, jnp.asarray(kernel).astype(x.dtype), strides=(2, 1), padding=1),
        g.input_shape, features=2, position=(1, 4), samples=3, key=jax.random.key(1), dtype=dtype,
    )  # fmt: skip
    assert field.shape == g.input_shape
    assert field.dtype == dtype
    expected = abs(C[1, 4].sum(0)).sum(-1)
    magnitude = abs(C[1, 4]).sum((0, -1))
    oracles.assert_rounds_to(field, (expected, magnitude, np.full(expected.shape, 6)), dtype=dtype)


def test_the_field_is_the_mean_of_magnitudes():
    """Of a product, whose gradient is the other factor: the mean magnitude of a normal number."""
    product = lambda x: x * jnp.roll(x, 1, axis=1)  # noqa: E731
    key, samples = jax.random.key(3), 50
    field = effective_receptive_field(
        product, (5,), features=1, position=(2,), samples=samples, key=key, dtype=np.float64
    )
    x = np.asarray(jax.random.normal(key, (samples, 5, 1), np.float64))
    expected = abs(x[:, [1, 2], 0]).mean(0)[::-1]
    np.testing.assert_allclose(field, [0, *expected, 0, 0], rtol=1e-14)


def test_a_model_stays_inside_of_its_theoretical_field():
    layers = [
        Conv(2, 4, (3, 3), padding=1, rngs=nnx.Rngs(4)),
        Conv(4, 4, (3, 3), kernel_dilation=2, strides=2, padding=2, rngs=nnx.Rngs(5)),
        Conv(4, 2, (2, 2), rngs=nnx.Rngs(6)),
    ]
    shape, stack = (17, 15), []
    for layer in layers:
        stack.append(
            ConvGeometry(
                shape, layer.kernel_shape, in_features=layer.in_features, out_features=layer.out_features,
                strides=layer.strides, padding=layer.padding, kernel_dilation=layer.kernel_dilation,
            )
        )  # fmt: skip
        shape = stack[-1].output_shape

    def model(x):
        for layer in layers:
            x = jnp.tanh(layer(x))
        return x

    position = tuple(n // 2 for n in shape)
    measured = effective_receptive_field(model, (17, 15), features=2, samples=4, key=jax.random.key(0))
    rows, columns = receptive_field(stack).cells(position, clip=True)
    allowed = np.zeros((17, 15), bool)
    allowed[np.ix_(rows, columns)] = True
    assert (np.asarray(measured > 0) == allowed).all()


def test_bad_measurements():
    key = jax.random.key(0)
    flat = lambda x: x.reshape(x.shape[0], -1)  # noqa: E731
    with pytest.raises(GeometryError, match=r"`function` must return .* got \(32, 5\)"):
        effective_receptive_field(flat, (5,), features=1, key=key)
    with pytest.raises(GeometryError, match=r"an output in shape \(5,\), got \(5,\)"):
        effective_receptive_field(jnp.tanh, (5,), features=1, key=key, position=(5,))
    for dtype in (np.int32, np.complex64):
        with pytest.raises(TypeError, match="real and floating"):
            effective_receptive_field(jnp.tanh, (5,), features=1, key=key, dtype=dtype)
    with pytest.raises(TypeError, match="input_shape"):
        effective_receptive_field(jnp.tanh, 5, features=1, key=key)


# Pictures


def test_the_picture_shows_the_numbers():
    measured = np.zeros((9, 8))
    measured[3:6, 2:5] = [[1, 2, 1], [2, 30, 2], [1, 2, 1]]
    field = range(-1, 10), range(-2, 9)
    figure = receptive_field_figure([measured, 2 * measured], [field] * 2, ["one", "two"], part=0.7)
    panels = figure.axes[:2]
    for ax, name in zip(panels, ("one", "two"), strict=True):
        assert ax.get_title() == name
        assert "70% in 1 \N{MULTIPLICATION SIGN} 1" in ax.get_xlabel()
        shown = ax.images[0].get_array()
        assert (shown.filled(0) == measured / 30).all()
        assert (shown.mask == (measured == 0)).all()
        theoretical = ax.patches[0]
        assert (theoretical.get_xy(), theoretical.get_height()) == ((-2.5, -1.5), 11)
    with pytest.raises(GeometryError, match="two axes"):
        receptive_field_figure([measured[0]], [field], ["one"])


def test_the_square_has_its_part(rng):
    measured = rng.random((10, 10))
    field = range(1, 8), range(3, 9)  # middles at 4 and 5.5
    for part in (0.3, 0.6, 0.95):
        rows, columns = smallest_square(measured, field, part)
        assert (rows.start + rows.stop - 1, columns.start + columns.stop - 1) == (8, 11)
        assert abs(len(rows) - len(columns)) == 1
        sums = []
        for less in (0, 1):  # as it is, and a cell less on every side
            box = (range(max(n.start + less, 0), n.stop - less) for n in (rows, columns))
            sums.append(sum(measured[cell] for cell in itertools.product(*box) if max(cell) < 10))
        assert sums[0] >= part * measured.sum() > sums[1]


def test_an_index_is_one_int_per_axis():
    field = receptive_field([ConvGeometry((9, 9), (3, 3))])
    for index in (3, (1.5, 0)):
        with pytest.raises(TypeError, match="`output`"):
            field.cells(index)
    with pytest.raises(GeometryError, match="index of an output in"):
        field.cells((7, 0))
    measure = lambda function, position: effective_receptive_field(  # noqa: E731
        function, (9,), features=1, key=jax.random.key(0), position=position
    )
    with pytest.raises(TypeError, match="`position`"):
        measure(lambda x: x, 3)
    with pytest.raises(GeometryError, match="must return a feature map"):
        measure(lambda x: x.sum(), None)
