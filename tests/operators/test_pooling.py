"""Pooling against loops over windows, PyTorch and lax; its derivatives against S itself."""

import itertools
import math
from functools import partial

import jax
import jax.numpy as jnp
import jax.test_util
import numpy as np
import oracles
import pytest
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from poolings import CASES, IDS, axis_windows, windows

from jaxconv import (
    GeometryError,
    SizeError,
    avg_pool,
    lp_pool,
    max_pool,
    pool_geometry,
    pool_matrix,
    unpool,
)
from jaxconv.operators.pooling import memory
from jaxconv.operators.pooling.geometry import cell_counts

each_case = pytest.mark.parametrize(("shape", "window", "options"), CASES, ids=IDS)


def by_loops(x, seen, function):
    """Applies a function to the numbers of each window, feature by feature."""
    y = np.zeros((*x.shape[:1], *seen.shape, x.shape[-1]), x.dtype)
    for n, *out, f in np.ndindex(y.shape):
        y[(n, *out, f)] = function(np.array([x[(n, *cell, f)] for cell in seen[tuple(out)]]), tuple(out))
    return y


def first_of_the_largest(x, seen, shape):
    """Switches by loops."""

    def switch(values, out):
        return np.ravel_multi_index(seen[out][int(np.argmax(values))], shape)

    return by_loops(x, seen, switch).astype(np.int32)


def ties(shape, rng, dtype=np.float64):
    """Numbers of which many are equal."""
    return rng.integers(-2, 3, size=shape).astype(dtype)


@each_case
def test_max_pool_is_the_first_of_the_largest(shape, window, options, rng):
    x = ties((2, *shape, 2), rng)
    seen, _ = windows(shape, window, **options)
    y, switches = max_pool(x, window, **options, return_switches=True)
    np.testing.assert_array_equal(y, by_loops(x, seen, lambda values, out: values.max()))
    np.testing.assert_array_equal(switches, first_of_the_largest(x, seen, shape))
    assert switches.dtype == jnp.int32
    np.testing.assert_array_equal(max_pool(x, window, **options), y)


@each_case
def test_geometry(shape, window, options):
    g = pool_geometry(shape, window, features=3, **options)
    seen, _ = windows(shape, window, **options)
    assert g.output_shape == seen.shape
    assert (g.in_features, g.out_features, g.feature_group_count) == (3, 3, 3)


AXES = list(itertools.product(range(1, 8), range(1, 5), range(1, 4), range(3), range(4), range(1, 3)))


def test_every_small_axis_by_loops():
    """The outputs of both modes, and how many places of every window count; with none it is refused."""
    for (size, taps, stride, low, high, dilation), ceil in itertools.product(AXES, (False, True)):
        seen = axis_windows(size, taps, stride, low, high, dilation, ceil)
        options = {"strides": stride, "padding": ((low, high),), "dilation": dilation, "ceil_mode": ceil}
        if not seen:
            with pytest.raises(GeometryError, match="`window` spans"):
                pool_geometry((size,), (taps,), **options)
            continue
        g = pool_geometry((size,), (taps,), **options)
        assert g.output_shape == (len(seen),), g
        inside = [sum(cell is not None for cell, _ in window) for window in seen]
        counted = [sum(counts for _, counts in window) for window in seen]
        for padding, expected in (((0, 0), inside), ((low, high), counted)):
            if min(expected) > 0:
                assert cell_counts(g, (padding,)).tolist() == expected, g
            else:
                with pytest.raises(GeometryError, match=f"output {expected.index(0)} holds only padding"):
                    cell_counts(g, (padding,))


@pytest.mark.peers
def test_ceil_mode_is_pytorchs():
    """Which pads both sides alike, by half a window at most."""
    torch = pytest.importorskip("torch", reason="PyTorch is an extra")
    for size, taps, stride, low, high, dilation in AXES:
        if low != high or 2 * low > taps or dilation * (taps - 1) + 1 > size + 2 * low:
            continue
        theirs = torch.nn.functional.max_pool1d(torch.zeros(1, 1, size), taps, stride, low, dilation, True)
        options = {"strides": stride, "padding": low, "dilation": dilation, "ceil_mode": True}
        assert pool_geometry((size,), (taps,), **options).output_shape == theirs.shape[2:]


@pytest.mark.sampled(3)
@each_case
@pytest.mark.parametrize("include", [True, False])
def test_avg_pool_is_the_mean(shape, window, options, include, rng):
    x = rng.normal(size=(2, *shape, 2))
    seen, counted = windows(shape, window, **options)
    count = (lambda values, out: counted[out]) if include else (lambda values, out: len(values))
    mean = lambda values, out: values.sum() / count(values, out)  # noqa: E731
    expected = by_loops(x, seen, mean), by_loops(abs(x), seen, mean), np.full(1, math.prod(window) + 1)
    y = avg_pool(x, window, **options, count_include_pad=include)
    oracles.assert_rounds_to(y, expected)
    C = pool_matrix(shape, window, **options, count_include_pad=include, features=2, dtype=np.float64)
    assert C.geometry == pool_geometry(shape, window, **options, features=2)
    oracles.assert_rounds_to(C(x), expected)
    back = rng.normal(size=y.shape)
    pulled = jax.vjp(lambda x: avg_pool(x, window, **options, count_include_pad=include), x)[1](back)[0]
    bound = 8 * math.prod(window) * np.finfo(float).eps * C.T(abs(back))
    assert (abs(C.T(back) - pulled) <= bound).all()


@pytest.mark.parametrize(
    ("taps", "options"),
    [
        (131, {"strides": 2}),
        (160, {"strides": 7, "padding": ((9, 4),)}),
        (136, {"strides": 1, "dilation": 2}),
    ],
)
def test_sums_of_windows_longer_than_convolutions_unroll(taps, options, rng):
    x = rng.normal(size=(2, 300, 2))
    seen, _ = windows((300,), (taps,), **options)
    mean = lambda values, out: values.sum() / taps  # noqa: E731
    expected = by_loops(x, seen, mean), by_loops(abs(x), seen, mean), np.full(1, taps)
    oracles.assert_rounds_to(avg_pool(x, (taps,), **options), expected)
    y, switches = max_pool(x, (taps,), **options, return_switches=True)
    np.testing.assert_array_equal(y, by_loops(x, seen, lambda values, out: values.max()))
    np.testing.assert_array_equal(switches, first_of_the_largest(x, seen, (300,)))
    y = rng.normal(size=y.shape)
    back = jax.vjp(lambda x: avg_pool(x, (taps,), **options), x)[1](y)[0]
    C = pool_matrix((300,), (taps,), **options, features=2, dtype=np.float64)
    bound = 8 * taps * np.finfo(float).eps * np.asarray(C.T(abs(y)))
    assert (abs(np.asarray(C.T(y)) - back) <= bound).all()


@pytest.mark.sampled(6)
@each_case
@pytest.mark.parametrize("p", [1, 1.5, 2, 3, 7])
def test_lp_pool_is_the_norm(shape, window, options, p, rng):
    x = rng.normal(size=(2, *shape, 2))
    x.flat[::3] = 0
    seen, counted = windows(shape, window, **options)
    taps = math.prod(window)
    norm = lambda values, out: ((abs(values) ** p).sum() * taps / counted[out]) ** (1 / p)  # noqa: E731
    expected = by_loops(x, seen, norm)
    y = lp_pool(x, window, **options, p=p)
    oracles.assert_rounds_to(y, (expected, expected, np.full(1, taps + 4)))


@pytest.mark.parametrize("p", [0.5, 1, 1.5, 2, 3])
def test_the_gradient_of_lp_pooling_at_0_is_0(p, rng):
    x = np.zeros((4, 1))
    assert (jax.grad(lambda x: lp_pool(x, (2,), p=p).sum())(x) == 0).all()
    x[0] = 1.5  # beside a zero in its window
    gradient = np.asarray(jax.grad(lambda x: lp_pool(x, (2,), p=p).sum())(x))
    np.testing.assert_allclose(gradient.ravel(), [1, 0, 0, 0], rtol=1e-12)
    tangent = jax.jvp(lambda x: lp_pool(x, (2,), p=p), (x,), (np.ones_like(x),))[1]
    np.testing.assert_allclose(tangent.ravel(), [1, 0], rtol=1e-12)


def test_the_gradient_of_lp_pooling(rng):
    x = rng.normal(size=(6, 5, 2))
    pool = lambda x: lp_pool(x, (3, 2), strides=(1, 2), padding=1, p=3)  # noqa: E731
    jax.test_util.check_grads(pool, (x,), order=2, modes=("fwd", "rev"))


@pytest.mark.sampled(3)
@each_case
def test_unpool_is_s_transposed(shape, window, options, rng):
    x = ties((2, *shape, 2), rng)
    y, switches = max_pool(x, window, **options, return_switches=True)
    S = pool_matrix(shape, window, **options, switches=switches[0], dtype=np.float64)
    assert (S.todense().sum(1) == 1).all()
    np.testing.assert_array_equal(S(x[0]), y[0])
    back = rng.integers(-9, 10, size=y.shape).astype(float)  # exact sums
    expected = np.zeros(x.shape)
    for n, *out, f in np.ndindex(y.shape):
        place = (n, *out, f)
        expected[(n, *np.unravel_index(switches[place], shape), f)] += back[place]
    np.testing.assert_array_equal(unpool(back, switches, shape), expected)
    np.testing.assert_array_equal(S.T(back[0]), expected[0])
    for pool in (
        lambda x: max_pool(x, window, **options),
        lambda x: max_pool(x, window, **options, return_switches=True)[0],
    ):
        np.testing.assert_array_equal(jax.vjp(pool, x)[1](back)[0], expected)
        tangent = rng.normal(size=x.shape)
        selected = np.take_along_axis(
            tangent.reshape(2, -1, 2), np.asarray(switches).reshape(2, -1, 2), 1
        ).reshape(y.shape)
        np.testing.assert_array_equal(jax.jvp(pool, (x,), (tangent,))[1], selected)


def test_eliminate_zeros_leaves_one_entry_per_row():
    _, switches = max_pool(jnp.array([[3.0, 1.0, 2.0, 5.0]]).T, (2,), strides=1, return_switches=True)
    S = pool_matrix((4,), (2,), strides=1, switches=switches).to_scipy()
    S.eliminate_zeros()
    assert S.nnz == 3
    assert S.indices.tolist() == [0, 2, 3]


@pytest.mark.peers
@pytest.mark.parametrize("n", [1, 2, 3])
def test_max_pool_is_pytorchs(n, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is an extra")
    functional = torch.nn.functional
    pool, unpool_torch = getattr(functional, f"max_pool{n}d"), getattr(functional, f"max_unpool{n}d")
    shape = (9, 8, 7)[:n]
    x = ties((2, *shape, 3), rng, np.float32)
    first, last = (0, n + 1, *range(1, n + 1)), (0, *range(2, n + 2), 1)
    tried = 0
    sizes, strides = ((2, 3), (None, 2)) if n == 3 else ((1, 2, 3), (None, 1, 2, 3))
    for taps, stride, pad, dilation, ceil in itertools.product(sizes, strides, (0, 1), (1, 2), (0, 1)):
        if pad > taps // 2:
            continue
        theirs, indices = pool(
            torch.tensor(x.transpose(first)), taps, stride, pad, dilation, bool(ceil), return_indices=True
        )
        ours, switches = max_pool(
            x, (taps,) * n, strides=stride, padding=pad, dilation=dilation, ceil_mode=bool(ceil),
            return_switches=True,
        )  # fmt: skip
        np.testing.assert_array_equal(ours, theirs.numpy().transpose(last))
        np.testing.assert_array_equal(switches, indices.numpy().transpose(last))
        if stride in (None, taps) and dilation == 1 and not pad and not ceil:  # all that it unpools
            back = unpool_torch(theirs, indices, taps, output_size=shape)
            np.testing.assert_array_equal(unpool(ours, switches, shape), back.numpy().transpose(last))
        tried += 1
    assert tried == (32 if n == 3 else 80)


@pytest.mark.peers
@pytest.mark.parametrize("n", [1, 2, 3])
def test_avg_and_lp_pool_are_pytorchs(n, rng):
    torch = pytest.importorskip("torch", reason="PyTorch is an extra")
    functional = torch.nn.functional
    shape = (9, 8, 7)[:n]
    x = rng.normal(size=(2, *shape, 3)) + 0.1
    first, last = (0, n + 1, *range(1, n + 1)), (0, *range(2, n + 2), 1)
    there = torch.tensor(x.transpose(first))
    sizes, strides = ((2, 3), (None, 2)) if n == 3 else ((1, 2, 3), (None, 1, 2, 3))
    for taps, stride, pad, ceil, include in itertools.product(sizes, strides, (0, 1), (0, 1), (0, 1)):
        if pad > taps // 2:
            continue
        options = {"strides": stride, "ceil_mode": bool(ceil)}
        theirs = getattr(functional, f"avg_pool{n}d")(there, taps, stride, pad, bool(ceil), bool(include))
        ours = avg_pool(x, (taps,) * n, padding=pad, count_include_pad=bool(include), **options)
        magnitude = avg_pool(abs(x), (taps,) * n, padding=pad, count_include_pad=bool(include), **options)
        theirs = theirs.numpy().transpose(last)
        oracles.assert_rounds_to(ours, (theirs, np.asarray(magnitude), np.full(1, taps**n)))
        if pad == 0 and include:
            for p in (1.0, 2.0, 3.0):
                norm = getattr(functional, f"lp_pool{n}d")(abs(there), p, taps, stride, bool(ceil))
                norm = norm.numpy().transpose(last)
                got = lp_pool(x, (taps,) * n, p=p, **options)
                oracles.assert_rounds_to(got, (norm, norm, np.full(1, taps**n + 4)))


def test_against_lax(rng):
    """Where lax has a pooling, its values; and its gradient, which it has without dilation."""
    x = rng.normal(size=(2, 9, 8, 3))
    dims = {"window_dimensions": (1, 3, 2, 1), "window_strides": (1, 2, 1, 1), "padding": "SAME"}
    there = lambda x: lax.reduce_window(x, -jnp.inf, lax.max, **dims)  # noqa: E731
    here = lambda x: max_pool(x, (3, 2), strides=(2, 1), padding="SAME")  # noqa: E731
    np.testing.assert_array_equal(here(x), there(x))
    y = rng.normal(size=here(x).shape)
    theirs = jax.vjp(there, x)[1](y)[0]
    np.testing.assert_allclose(jax.vjp(here, x)[1](y)[0], theirs, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("taps", [(2,), (5,), (20,)])
def test_nan_is_the_maximum_and_minus_infinity_points_inside(taps, rng):
    x = ties((24, 1), rng)
    x[7], x[9] = np.nan, np.nan
    y, switches = (np.asarray(a) for a in max_pool(x, taps, strides=1, return_switches=True))
    for out in range(len(y)):
        window = x[out : out + taps[0], 0]
        assert switches[out, 0] == out + int(np.argmax(window))  # numpy's argmax: the first NaN, too
        np.testing.assert_array_equal(y[out, 0], window.max())
    np.testing.assert_array_equal(max_pool(x, taps, strides=1), y)
    nothing = np.full((5, 1), -np.inf)
    y, switches = max_pool(nothing, (3,), strides=1, padding=1, dilation=2, return_switches=True)
    assert switches.ravel().tolist() == [1, 0, 1]
    assert (np.asarray(y) == -np.inf).all()


def test_inf_and_nan_stay_in_their_windows():
    x = jnp.array([1.0, jnp.inf, 2.0, 3.0, jnp.nan, 4.0]).reshape(6, 1)
    np.testing.assert_array_equal(avg_pool(x, (2,)).ravel(), [np.inf, 2.5, np.nan])
    np.testing.assert_array_equal(lp_pool(x, (2,), p=1).ravel(), [np.inf, 5, np.nan])


@pytest.mark.parametrize("dtype", [jnp.bfloat16, np.float16, np.float32])
def test_small_dtypes(dtype, rng):
    x = jnp.asarray(rng.normal(size=(2, 12, 9, 3)), dtype)
    exact = np.asarray(x, np.float64)
    y, switches = max_pool(x, (3, 2), strides=2, return_switches=True)
    wide, same = max_pool(exact, (3, 2), strides=2, return_switches=True)
    np.testing.assert_array_equal(np.asarray(y, np.float64), wide)
    np.testing.assert_array_equal(switches, same)
    eps = float(jnp.finfo(dtype).eps)
    for pool in (avg_pool, lp_pool):
        got = pool(x, (8, 7), strides=1)
        assert got.dtype == dtype
        expected = np.asarray(pool(exact, (8, 7), strides=1))
        magnitude = np.asarray(pool(abs(exact), (8, 7), strides=1))
        sums = 60 * float(np.finfo(np.float32).eps)  # of float32, rounded once
        assert (abs(np.asarray(got, np.float64) - expected) <= eps * abs(expected) + sums * magnitude).all()
    ones = jnp.ones((300, 1), dtype)
    assert unpool(ones, jnp.zeros((300, 1), jnp.int32), (2,))[0, 0] == jnp.asarray(300, dtype)  # summed wide
    gradient = jax.grad(lambda x: max_pool(x, (33,), strides=1).sum())(
        jnp.zeros((600, 1), dtype).at[300].set(1)
    )
    assert gradient.dtype == dtype
    assert gradient[300, 0] == 33


@pytest.mark.parametrize("batch", [(), (2, 3), (0,), (2, 0)])
def test_any_batch(batch, rng):
    x = rng.normal(size=(*batch, 6, 4))
    y, switches = max_pool(x, (2,), return_switches=True)
    assert y.shape == switches.shape == (*batch, 3, 4)
    assert unpool(y, switches, (6,)).shape == x.shape
    assert avg_pool(x, (2,)).shape == lp_pool(x, (2,)).shape == y.shape
    assert jax.grad(lambda x: max_pool(x, (2,)).sum())(x).shape == x.shape


def test_vmap_and_higher_derivatives(rng):
    x, t = rng.normal(size=(2, 3, 6, 7, 2))
    pool = lambda x: max_pool(x, (3, 2), strides=(1, 2), padding=1)  # noqa: E731
    np.testing.assert_array_equal(jax.vmap(pool)(x), pool(x))
    last = jax.vmap(pool, in_axes=3, out_axes=3)(np.moveaxis(x, 0, 3))
    np.testing.assert_array_equal(last, np.moveaxis(pool(x), 0, 3))
    one = x[0]
    forward, reverse = jax.jacfwd(pool)(one), jax.jacrev(pool)(one)
    np.testing.assert_array_equal(forward, reverse)
    loss = lambda x: (pool(x) ** 3).sum()  # noqa: E731
    jax.test_util.check_grads(loss, (one,), order=2, modes=("fwd", "rev"))
    hessian = jax.hessian(loss)(one).reshape(one.size, one.size)
    S = jax.jacrev(pool)(one).reshape(-1, one.size)
    expected = S.T @ (6 * pool(one).ravel()[:, None] * S)
    np.testing.assert_allclose(hessian, expected, rtol=1e-12, atol=1e-12)
    _, linear = jax.linearize(pool, one)
    np.testing.assert_array_equal(linear(t[0]), jax.jvp(pool, (one,), (t[0],))[1])
    switches = max_pool(one, (3, 2), return_switches=True)[1]
    jax.test_util.check_grads(
        lambda y: unpool(y, switches, (6, 7)), (rng.normal(size=switches.shape),), order=2
    )


def test_derivatives_under_vmap_are_those_of_each(rng):
    x, y = rng.normal(size=(4, 3, 8, 2)), rng.normal(size=(4, 3, 4, 2))
    pulled = jax.vmap(lambda x, y: jax.vjp(lambda x: max_pool(x, (3,), strides=2, padding=1), x)[1](y)[0])
    whole = jax.vjp(lambda x: max_pool(x, (3,), strides=2, padding=1), x)[1](y)[0]
    np.testing.assert_array_equal(pulled(x, y), whole)
    same = jax.vjp(lambda x: max_pool(x, (3,), strides=2, padding=1), x[0])[1]
    np.testing.assert_array_equal(jax.vmap(lambda y: same(y)[0])(y), np.stack([same(one)[0] for one in y]))


def test_a_sharded_batch_stays_where_it_is(rng, optimized):
    mesh = Mesh(np.array(jax.devices()), "n")
    x = jax.device_put(rng.normal(size=(8, 10, 9, 2)), NamedSharding(mesh, PartitionSpec("n")))

    def everything(x):
        y, switches = max_pool(x, (3, 2), strides=2, padding=1, return_switches=True)
        gradient = jax.grad(lambda x: (max_pool(x, (3, 2), strides=2, padding=1) ** 2).sum())(x)
        return y, gradient, unpool(y, switches, (10, 9)), avg_pool(x, (3, 3), strides=1), lp_pool(x, (2, 2))

    compiled = jax.jit(everything).lower(x).compile()
    assert "all-gather" not in compiled.as_text()
    for got, expected in zip(compiled(x), jax.jit(everything)(np.asarray(x)), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-14)
        assert got.sharding.spec[0] == "n"


@pytest.mark.parametrize("kind", ["manual", "explicit"])
def test_other_meshes(kind, rng):
    """Under `jax.shard_map`, and on a mesh whose axes are in the types."""
    x = jnp.asarray(rng.normal(size=(8, 7, 6, 2)))

    def loss(x):
        y, switches = max_pool(x, (3, 2), strides=2, padding=1, return_switches=True)
        return (y**2).sum() + (unpool(y, switches, (7, 6)) ** 3).sum() + lp_pool(x, (2, 2)).sum()

    expected, batch = jax.grad(loss)(x), PartitionSpec("n")
    if kind == "manual":
        mesh = Mesh(np.array(jax.devices()), "n")
        gradient = jax.shard_map(jax.grad(loss), mesh=mesh, in_specs=batch, out_specs=batch)(x)
    else:
        mesh = jax.make_mesh((8,), ("n",), axis_types=(jax.sharding.AxisType.Explicit,))
        with jax.set_mesh(mesh):
            gradient = jax.jit(jax.grad(loss))(jax.device_put(x, NamedSharding(mesh, batch)))
    np.testing.assert_allclose(gradient, expected, rtol=1e-12, atol=1e-14)


def test_lowers_everywhere():
    x = jax.ShapeDtypeStruct((2, 9, 8, 3), np.float32)

    def everything(x):
        y, switches = max_pool(x, (3, 3), strides=2, padding=1, return_switches=True)
        return y, unpool(y, switches, (9, 8)), avg_pool(x, (2, 2)), lp_pool(x, (2, 2))

    loss = lambda x: sum((part**2).sum() for part in everything(x))  # noqa: E731
    for function in (everything, jax.grad(loss), lambda x: jax.jvp(jax.grad(loss), (x,), (x,))[1]):
        exported = jax.export.export(jax.jit(function), platforms=("cpu", "cuda", "tpu"))(x)
        assert exported.platforms == ("cpu", "cuda", "tpu")


def test_a_symbolic_batch():
    (b,) = jax.export.symbolic_shape("b")
    x = jax.ShapeDtypeStruct((b, 9, 8, 3), np.float32)
    for pool in (
        lambda x: max_pool(x, (3, 2), strides=2, padding=1, return_switches=True)[1],
        lambda x: max_pool(x, (2, 2), return_switches=True)[1],
        jax.grad(lambda x: (max_pool(x, (3, 2), strides=2) ** 2).sum()),
        lambda x: avg_pool(x, (2, 2), padding=1, count_include_pad=False),
        lambda x: lp_pool(x, (2, 2)),
    ):
        assert jax.export.export(jax.jit(pool))(x).out_avals[0].shape[0] == b


@pytest.mark.parametrize("pool", [max_pool, avg_pool, lp_pool])
@pytest.mark.parametrize(
    ("shape", "window", "options"),
    [
        ((5, 5), (10**5, 10**5), {"strides": 10, "padding": 10**5 - 1}),
        ((5,), (10**9,), {"strides": 1, "padding": 10**9 - 1}),
    ],
)
def test_what_does_not_fit_is_refused_before_it_is_allocated(pool, shape, window, options, monkeypatch):
    monkeypatch.setattr(memory, "physical_memory", lambda: 2**30)
    with pytest.raises(SizeError, match="not enough memory for this pooling"):
        pool(np.ones((*shape, 1), np.float32), window, **options)
    wide = {"strides": 1, "padding": 5 * 10**8}  # most of this padding lies in all windows, and is left out
    assert pool(np.ones((5, 1), np.float32), (10**9,), **wide).shape == (6, 1)


def test_memory_is_that_of_padding_and_result(monkeypatch):
    """A map without padding is never too large, and its batch counts."""
    g = pool_geometry((1000,), (100,), strides=100)
    monkeypatch.setattr(memory, "physical_memory", lambda: 10 * 4)
    memory.check_memory(g, (1000, 1), 4, "max")
    with pytest.raises(SizeError, match="need 80 bytes, more than the 40"):
        memory.check_memory(g, (2, 1000, 1), 4, "max")
    padded = pool_geometry((1000,), (100,), strides=100, padding=50)
    with pytest.raises(SizeError, match=f"need {(11 + 2 * 100) * 8:,} bytes"):
        memory.check_memory(padded, (1000, 1), 4, "max", switches=True)


def test_an_impossible_switch():
    y = jnp.ones((2, 1))
    for switches in ([[0], [3]], [[-1], [0]], [[2], [2**33]]):
        with pytest.raises(GeometryError, match="index the 3 cells"):
            unpool(y, np.array(switches), (3,))
        x = jax.jit(unpool, static_argnums=2)(y, np.array(switches), (3,))
        assert jnp.isnan(x).sum() == 1
        with pytest.raises(GeometryError, match="index the 3 cells"):  # known while the program is traced
            jax.jit(partial(unpool, switches=jnp.asarray(switches), input_shape=(3,)))(y)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"])
@pytest.mark.parametrize("cells", [4, 400])
def test_switches_of_any_integer_dtype(dtype, cells):
    x = unpool(jnp.array([[1.0], [2.0]]), np.array([[0], [3]], dtype), (cells,))
    assert x[:4].ravel().tolist() == [1, 0, 0, 2]
    assert x.sum() == 3


@pytest.mark.peers
def test_pytorchs_odd_powers_are_signed():
    """What the docstring says of it, for whoever compares."""
    torch = pytest.importorskip("torch", reason="PyTorch is an extra")
    x = np.array([-1.0, -2, 3, -1])
    theirs = torch.nn.functional.lp_pool1d(torch.tensor(x)[None, None], 1.0, 2)
    assert theirs.ravel().tolist() == [-3, 2]
    assert lp_pool(x[:, None], (2,), p=1).ravel().tolist() == [3, 4]


X = np.zeros((2, 6, 5, 3))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: max_pool(X, 2), TypeError, "`window` needs a tuple"),
        (lambda: max_pool(X, ()), GeometryError, "at least one spatial axis"),
        (lambda: max_pool(X[0, 0, 0], (2,)), GeometryError, "at least 2 axes"),
        (lambda: max_pool(X, (7, 2)), GeometryError, "spans 7 cells"),
        (lambda: max_pool(X, (2, 2), strides=0), GeometryError, "at least 1"),
        (lambda: max_pool(X, (2, 2), padding="SAM"), GeometryError, "did you mean 'SAME'"),
        (lambda: max_pool(X, (2, 2), padding=2), GeometryError, "only padding"),
        (lambda: max_pool(X, (2, 2), padding=-1, ceil_mode=True), GeometryError, "crop"),
        (lambda: avg_pool(X.astype(int), (2, 2)), TypeError, "floating"),
        (lambda: max_pool(X.astype(complex), (2, 2)), TypeError, "no order"),
        (lambda: lp_pool(X.astype(complex), (2, 2)), TypeError, "must be real"),
        (lambda: lp_pool(X, (2, 2), p=0), GeometryError, "positive"),
        (lambda: lp_pool(X, (2, 2), p=np.inf), GeometryError, r"max_pool\(jnp.abs"),
        (lambda: lp_pool(X, (2, 2), p="two"), TypeError, "a number"),
        (lambda: jax.jit(lambda p: lp_pool(X, (2, 2), p=p))(2.0), TypeError, "`p` must be"),
        (lambda: pool_matrix((4,), (2,), dtype=int), TypeError, "`dtype` must be floating"),
        (lambda: pool_matrix((4,), (2,), switches=jnp.zeros((2, 1))), TypeError, "must be integers"),
        (lambda: max_pool(X.astype(jnp.float8_e4m3fn), (2, 2)), TypeError, "too few bits"),
        (lambda: avg_pool(X, (2, 2), padding=2, count_include_pad=False), GeometryError, "only padding"),
        (lambda: unpool(X, X, (12, 10)), TypeError, "must be integers"),
        (lambda: unpool(X, X[0].astype(int), (12, 10)), GeometryError, "the same shape"),
        (lambda: unpool(X, X.astype(int), 12), TypeError, "tuple"),
        (lambda: pool_matrix((4,), (2,), switches=jnp.zeros((3, 1), int)), GeometryError, "those of one map"),
        (lambda: pool_matrix((4,), (2,), switches=jnp.full((2, 1), 3)), GeometryError, "not in its window"),
        (lambda: pool_geometry((4,), (2,), features=0), GeometryError, "at least 1"),
    ],
)  # fmt: skip
def test_bad_input(call, error, words):
    with pytest.raises(error, match=words):
        call()
