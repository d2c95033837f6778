"""Operators that only copy numbers, or add copies, keep integers exact: against loops of NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from poolings import CASES, IDS, windows

from jaxconv import (
    avg_pool,
    depth_to_space,
    fold,
    lp_pool,
    max_pool,
    resize,
    space_to_depth,
    unfold,
    unfold_geometry,
    unpool,
)

INTEGERS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"]
SMALL = [dtype for dtype in INTEGERS if "64" not in dtype]
X64 = [(dtype, True) for dtype in INTEGERS] + [(dtype, False) for dtype in SMALL]

each_dtype = pytest.mark.parametrize(("dtype", "x64"), X64, ids=lambda value: str(value))


def draw(shape, dtype, rng):
    """Numbers of the whole range, its ends among them, many of them equal."""
    limits = np.iinfo(dtype)
    ends = [limits.min, limits.min + 1, 0, 1, limits.max - 1, limits.max]
    some = [int(rng.integers(limits.min, limits.max, dtype=dtype)) for _ in range(3)]
    return rng.choice(np.array([*ends, *some], dtype), size=shape)


def pool_by_loops(x, shape, window, options):
    """Returns the maxima and the switches."""
    seen, _ = windows(shape, window, **options)
    y = np.zeros((*x.shape[:1], *seen.shape, x.shape[-1]), x.dtype)
    switches = np.zeros(y.shape, np.int32)
    for n, *out, f in np.ndindex(y.shape):
        cells = seen[tuple(out)]
        values = [int(x[(n, *cell, f)]) for cell in cells]
        best = values.index(max(values))
        y[(n, *out, f)] = values[best]
        switches[(n, *out, f)] = np.ravel_multi_index(cells[best], shape)
    return y, switches


def assert_same(found, expected):
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@each_dtype
@pytest.mark.parametrize(("shape", "window", "options"), CASES[2::5], ids=IDS[2::5])
def test_max_pool_and_unpool(shape, window, options, dtype, x64, rng):
    x = draw((2, *shape, 2), dtype, rng)
    expected, cells = pool_by_loops(x, shape, window, options)
    with jax.enable_x64(x64):
        y, switches = max_pool(x, window, **options, return_switches=True)
        assert_same(y, expected)
        assert_same(switches, cells)
        assert_same(max_pool(x, window, **options), expected)
        back = np.zeros(x.shape, dtype)
        for n, *out, f in np.ndindex(y.shape):
            with np.errstate(over="ignore"):  # sums wrap around
                back[(n, *np.unravel_index(cells[(n, *out, f)], shape), f)] += expected[(n, *out, f)]
        assert_same(unpool(y, switches, shape), back)


@pytest.mark.parametrize(("shape", "window", "options"), CASES, ids=IDS)
def test_padding_is_never_the_maximum(shape, window, options, rng):
    """Where all numbers are the lowest of their dtype, switches still point into the input."""
    x = np.zeros((1, *shape, 1), np.uint8)
    expected, cells = pool_by_loops(x, shape, window, options)
    y, switches = max_pool(x, window, **options, return_switches=True)
    assert_same(y, expected)
    assert_same(switches, cells)
    assert_same(max_pool(x.astype(bool), window, **options), expected.astype(bool))


@each_dtype
@pytest.mark.parametrize(("size", "target"), [((4, 3), (9, 3)), ((7, 5), (3, 8)), ((300, 2), (2, 1))])
def test_nearest_resize(size, target, dtype, x64, rng):
    x = draw((2, *size, 3), dtype, rng)
    rows, columns = (
        [(2 * o + 1) * n // (2 * m) for o in range(m)] for n, m in zip(size, target, strict=True)
    )
    with jax.enable_x64(x64):
        assert_same(resize(x, target), x[:, rows][:, :, columns])


@each_dtype
def test_unfold_and_fold(dtype, x64, rng):
    x = draw((2, 6, 5, 2), dtype, rng)
    options = {"strides": (2, 1), "padding": ((1, 0), (2, 1)), "dilation": (1, 2)}
    positions = unfold_geometry((6, 5), (3, 2), **options).output_shape
    expected, back = np.zeros((2, *positions, 12), dtype), np.zeros(x.shape, dtype)
    with jax.enable_x64(x64):
        patches = draw(expected.shape, dtype, rng)
        for row, column, i, j, f in np.ndindex(*positions, 3, 2, 2):
            cell = 2 * row + i - 1, column + 2 * j - 2
            if 0 <= cell[0] < 6 and 0 <= cell[1] < 5:
                expected[:, row, column, 4 * i + 2 * j + f] = x[:, *cell, f]
                back[:, *cell, f] += patches[:, row, column, 4 * i + 2 * j + f]
        assert_same(unfold(x, (3, 2), **options), expected)
        assert_same(fold(patches, (6, 5), (3, 2), **options), back)
        whole = unfold(x, (2, 5), strides=(2, 5))  # windows that do not overlap: undone exactly
        assert_same(fold(whole, (6, 5), (2, 5), strides=(2, 5)), x)


@each_dtype
def test_the_depth_pair(dtype, x64, rng):
    x = draw((2, 4, 6, 3), dtype, rng)
    expected = np.zeros((2, 2, 2, 18), dtype)
    for row, column, i, j, f in np.ndindex(2, 2, 2, 3, 3):
        expected[:, row, column, 9 * i + 3 * j + f] = x[:, 2 * row + i, 3 * column + j, f]
    with jax.enable_x64(x64):
        assert_same(space_to_depth(x, (2, 3)), expected)
        assert_same(depth_to_space(expected, (2, 3)), x)


def selections(shape=(4, 4)):
    """Returns every selection as a function of a map of this shape and one feature."""
    switches = np.arange(4, dtype=np.int32).reshape(2, 2, 1)
    return {
        "max_pool": lambda x: max_pool(x, (2, 2)),
        "max_pool of one window": lambda x: max_pool(x, shape),
        "max_pool of many taps": lambda x: max_pool(x, (3, 3), strides=1, padding=1),
        "switches": lambda x: max_pool(x, (2, 2), return_switches=True)[0],
        "unpool": lambda x: unpool(x[..., :2, :2, :], switches, (3, 3)),
        "resize": lambda x: resize(x, (9, 2)),
        "unfold": lambda x: unfold(x, (2, 2)),
        "fold": lambda x: fold(unfold(x, (2, 2)), shape, (2, 2)),
        "depth_to_space": lambda x: depth_to_space(space_to_depth(x, (2, 2)), (2, 2)),
    }


@pytest.mark.parametrize("name", selections())
def test_jit_vmap_and_derivatives(name, rng):
    select = selections()[name]
    x = rng.integers(-9, 9, size=(3, 4, 4, 1)).astype(np.int64) + (2**53 + 1)
    each = np.stack([select(one) for one in x])
    assert_same(jax.jit(jax.vmap(select))(x), each)
    assert_same(jax.vmap(jax.jit(select), in_axes=2, out_axes=0)(np.moveaxis(x, 0, 2)), each)
    with pytest.raises(TypeError, match="requires real- or complex"):  # JAX's own
        jax.grad(lambda x: select(x).sum())(x[0])
    tangent = np.zeros(x[0].shape, jax.dtypes.float0)
    y, y_tangent = jax.jvp(select, (x[0],), (tangent,))
    assert_same(y, each[0])
    assert y_tangent.dtype == jax.dtypes.float0
    gradient = jax.grad(lambda x: select(x).sum().astype(float), allow_int=True)(x[0])
    assert gradient.dtype == jax.dtypes.float0


@pytest.mark.parametrize("name", selections())
@pytest.mark.parametrize("dtype", ["int32", "uint32"])
def test_without_x64_a_large_integer_is_refused(name, dtype):
    """NumPy's int64 becomes int32 then: what fits is exact, the rest is refused."""
    limits, wide = np.iinfo(dtype), dtype.replace("32", "64")
    with jax.enable_x64(False):
        for end in (limits.min, limits.max):
            y = selections()[name](np.full((4, 4, 1), end, wide))
            assert y.dtype == dtype
            assert end in np.asarray(y)
        with pytest.raises(TypeError, match=f"is {wide} and holds integers"):
            selections()[name](np.full((4, 4, 1), limits.max + 1, wide))


def test_without_x64_a_switch_does_not_wrap_around():
    with jax.enable_x64(False), pytest.raises(TypeError, match="`switches` is int64 and holds integers"):
        unpool(np.ones((1, 1), np.float32), np.array([[2**32]]), (3,))


def test_booleans():
    x = np.array([[True, False, False], [False, False, True]])[..., None]
    assert_same(resize(x, (4, 3)), x.repeat(2, 0))
    assert_same(max_pool(x, (1, 2), strides=1), np.array([[[True], [False]], [[False], [True]]]))
    assert_same(unfold(x, (1, 3)), x.reshape(2, 1, 3))
    with pytest.raises(TypeError, match="add up"):
        unpool(x, np.zeros(x.shape, int), (2, 3))


@pytest.mark.parametrize(
    "call",
    [
        lambda x: avg_pool(x, (2, 2)),
        lambda x: lp_pool(x, (2, 2)),
        lambda x: resize(x, (2, 2), "bilinear"),
        lambda x: resize(x, (2, 2), "bicubic"),
    ],
)
def test_sums_of_weights_refuse_integers(call):
    with pytest.raises(
        TypeError, match=r"`x` must be floating or complex, got int32.*x\.astype\(jnp\.float32\)"
    ):
        call(jnp.ones((4, 4, 1), jnp.int32))


def test_a_negative_zero_is_copied():
    x = jnp.array([-0.0, 0.0]).reshape(2, 1)
    assert np.signbit(resize(x, (4,))).ravel().tolist() == [True, True, False, False]


def test_an_unknown_switch_drops_an_integer():
    y, switches = jnp.array([[5], [7]]), jnp.array([[0], [9]])
    assert jax.jit(unpool, static_argnums=2)(y, switches, (3,)).ravel().tolist() == [5, 0, 0]
