"""Unfolding and folding: against loops, lax and PyTorch; as matrices; under every transformation."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from lowering import lower
from oracles import assert_rounds_to, axis_reads, numbers

import jaxconv
from jaxconv import (
    GeometryError,
    SizeError,
    conv,
    conv_kernel_vjp,
    conv_transpose,
    fold,
    unfold,
    unfold_geometry,
    unfold_matrix,
    verify,
)
from jaxconv.claims import backward, unfolding

# input_shape, window, options
CASES = [
    ((7,), (3,), {}),
    ((7, 6), (3, 2), {"strides": (2, 1), "padding": ((1, 0), (0, 2))}),
    ((6, 8), (2, 2), {"strides": 2}),  # windows side by side
    ((7, 8), (2, 3), {"strides": (2, 3)}),  # with cells left over
    ((9,), (2,), {"strides": 4}),  # with gaps
    ((13,), (6,), {"strides": 4}),  # whole runs of two cells that overlap
    ((13, 5), (6, 3), {"strides": (4, 2), "padding": "SAME"}),
    ((9, 8), (3, 2), {"dilation": (2, 3)}),
    ((10, 9), (3, 4), {"dilation": 2, "strides": (3, 2), "padding": 3}),
    ((8, 7), (6, 6), {"padding": "HALF"}),  # more taps than are added at once
    ((5, 4), (1, 1), {}),
    ((3, 4), (3, 4), {}),
    ((4,), (2,), {"padding": ((5, 3),), "strides": 2}),  # positions of zeros
    ((7, 6), (3, 2), {"padding": ((-1, 2), (1, -2))}),  # crops
    ((3, 4, 3), (2, 3, 2), {"padding": "SAME", "strides": (1, 2, 1)}),
    ((5,), (3,), {"padding": 2, "padding_mode": "circular"}),
    ((5, 4), (3, 2), {"padding": ((2, 1), (0, 3)), "padding_mode": "reflect", "strides": 2}),
    ((4, 6), (2, 4), {"padding": "SAME", "padding_mode": "replicate", "strides": (2, 2)}),
    ((200,), (150,), {"strides": 1}),  # gathered
    ((700,), (270,), {"strides": 50, "padding": 20}),  # runs of ten
]
IDS = [f"{shape}-{window}-{options}" for shape, window, options in CASES]
every_case = pytest.mark.parametrize(("shape", "window", "options"), CASES, ids=IDS)


def looped(x, geometry):
    """Unfolds one tap of one window after the other."""
    reads = [axis_reads(axis) for axis in geometry.axes]
    y = np.zeros((*x.shape[: -geometry.ndim - 1], *map(len, reads), geometry.out_features), x.dtype)
    for position in np.ndindex(*map(len, reads)):
        windows = [axis[p] for axis, p in zip(reads, position, strict=True)]
        for tap, cell in enumerate(itertools.product(*windows)):
            if -1 not in cell:
                first = tap * geometry.in_features
                y[(..., *position, slice(first, first + geometry.in_features))] = x[(..., *cell, slice(None))]
    return y


def looped_back(y, geometry):
    """Every number of every window added to its cell; the magnitudes and how many, as for any sum."""
    reads = [axis_reads(axis) for axis in geometry.axes]
    shape = (*y.shape[: -geometry.ndim - 1], *geometry.input_shape, geometry.in_features)
    x, magnitude, count = np.zeros(shape, y.dtype), np.zeros(shape), np.zeros(shape)
    for position in np.ndindex(*map(len, reads)):
        windows = [axis[p] for axis, p in zip(reads, position, strict=True)]
        for tap, cell in enumerate(itertools.product(*windows)):
            if -1 not in cell:
                first = tap * geometry.in_features
                part = y[(..., *position, slice(first, first + geometry.in_features))]
                x[(..., *cell, slice(None))] += part
                magnitude[(..., *cell, slice(None))] += abs(part)
                count[(..., *cell, slice(None))] += 1
    return x, magnitude, count


@pytest.mark.sampled(2)
@every_case
@pytest.mark.parametrize("features", [1, 3, 16])
def test_unfold_is_the_windows(shape, window, options, features):
    x = numbers((2, *shape, features))
    geometry = unfold_geometry(shape, window, features=features, **options)
    got = unfold(x, window, **options)
    assert got.shape == (2, *geometry.output_shape, geometry.out_features)
    np.testing.assert_array_equal(got, looped(x, geometry))


@pytest.mark.sampled(2)
@every_case
@pytest.mark.parametrize("features", [1, 3])
def test_fold_adds_the_windows(shape, window, options, features):
    geometry = unfold_geometry(shape, window, features=features, **options)
    y = numbers((2, *geometry.output_shape, geometry.out_features))
    got = fold(y, shape, window, **options)
    assert_rounds_to(got, looped_back(y, geometry))


@pytest.mark.sampled(3)
@every_case
def test_the_matrix(shape, window, options):
    if max(window) > 100:
        pytest.skip("large")
    C = unfold_matrix(shape, window, features=2, dtype=jnp.float64, **options)
    x = numbers((*shape, 2))
    y = numbers((*C.geometry.output_shape, C.geometry.out_features))
    assert C.geometry == unfold_geometry(shape, window, features=2, **options)
    np.testing.assert_array_equal(C(x), unfold(x, window, **options))
    np.testing.assert_allclose(C.T(y), fold(y, shape, window, **options), rtol=1e-13, atol=1e-13)
    dense = np.asarray(C.todense())
    assert set(np.unique(dense)) <= {0.0, 1.0}
    assert (dense.sum(1) <= 1).all()
    np.testing.assert_array_equal(dense @ x.ravel(), np.ravel(unfold(x, window, **options)))


def test_what_the_matrix_stores_is_what_its_docstring_says():
    C = unfold_matrix((6, 5), (3, 2), features=2)
    assert C.values.size == 4 * 4 * (6 * 2) ** 2
    assert int(C.values.sum()) == 4 * 4 * 6 * 2
    with pytest.raises(SizeError, match="not enough room for C of"):
        unfold_matrix((6, 5), (3, 2), features=2, max_bytes=C.nbytes - 1)


def test_the_matrix_product_of_a_convolution():
    """GEMM: the convolution, its transpose and its kernel's gradient."""
    options = {"strides": (2, 1), "padding": ((1, 0), (0, 2)), "padding_mode": "reflect"}
    x, kernel = numbers((2, 7, 6, 3)), numbers((3, 2, 3, 4))
    K = kernel.reshape(-1, 4)
    rows = unfold(x, (3, 2), **options)
    y = numbers((*rows.shape[:-1], 4))
    np.testing.assert_allclose(rows @ K, conv(x, kernel, **options), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(
        fold(y @ K.T, (7, 6), (3, 2), **options),
        conv_transpose(y, kernel, input_shape=(7, 6), **options),
        rtol=1e-12, atol=1e-12,
    )  # fmt: skip
    gradient = jnp.einsum("nrci,nrco->io", rows, y).reshape(kernel.shape)
    expected = conv_kernel_vjp(x, y, kernel.shape, **options)
    np.testing.assert_allclose(gradient, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("batch", [(), (2,), (2, 1, 3), (0,), (2, 0)])
def test_any_batch(batch):
    x = numbers((*batch, 5, 4, 3))
    y = unfold(x, (2, 3), strides=2, padding=1)
    np.testing.assert_array_equal(
        y, looped(x, unfold_geometry((5, 4), (2, 3), strides=2, padding=1, features=3))
    )
    back = fold(y, (5, 4), (2, 3), strides=2, padding=1)
    assert back.shape == x.shape
    counts = fold(
        unfold(jnp.ones_like(x), (2, 3), strides=2, padding=1), (5, 4), (2, 3), strides=2, padding=1
    )
    np.testing.assert_allclose(back, x * counts, rtol=1e-14)


@pytest.mark.peers
@pytest.mark.parametrize(
    ("shape", "window", "options"),
    [((9, 8), (3, 2), {"strides": (2, 1), "padding": ((1, 2), (0, 1)), "dilation": (1, 2)}),
     ((8, 9), (4, 3), {"strides": (2, 3)})],
)  # fmt: skip
def test_lax_and_torch(shape, window, options):
    """Both have features first; PyTorch pads alike on both sides."""
    x = numbers((2, *shape, 3))
    ours = np.asarray(unfold(x, window, **options))
    dilation = options.get("dilation", (1, 1))
    theirs = lax.conv_general_dilated_patches(
        x, window, options["strides"], options.get("padding", "VALID"), rhs_dilation=dilation,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )  # fmt: skip
    np.testing.assert_array_equal(features_first(ours, 3), theirs)
    torch = pytest.importorskip("torch")
    low = [pair[0] for pair in options.get("padding", ((0, 0), (0, 0)))]
    options = {"padding": tuple(low), "stride": options["strides"], "dilation": dilation}
    theirs = torch.nn.functional.unfold(torch.tensor(np.moveaxis(x, -1, 1)), window, **options)
    ours = unfold(x, window, strides=options["stride"], padding=tuple(low), dilation=dilation)
    np.testing.assert_array_equal(features_first(ours, 3).reshape(2, -1, 3 * np.prod(window)),
                                  theirs.numpy().swapaxes(1, 2))  # fmt: skip
    y = numbers(ours.shape)
    columns = features_first(y, 3).reshape(2, -1, 3 * np.prod(window)).swapaxes(1, 2)
    theirs = torch.nn.functional.fold(torch.tensor(np.ascontiguousarray(columns)), shape, window, **options)
    got = fold(y, shape, window, strides=options["stride"], padding=tuple(low), dilation=dilation)
    np.testing.assert_allclose(got, np.moveaxis(theirs.numpy(), 1, -1), rtol=1e-13, atol=1e-13)


def features_first(patches, features):
    """(..., taps * features) in the others' order."""
    patches = np.asarray(patches).reshape(*patches.shape[:-1], -1, features)
    return patches.swapaxes(-1, -2).reshape(*patches.shape[:-2], -1)


SOME = [CASES[i] for i in (1, 2, 6, 8, 16)]


@pytest.mark.parametrize(("shape", "window", "options"), SOME)
def test_derivatives(shape, window, options):
    """Each is the other's, in both modes and to second order; vmap too."""
    x, t = numbers((2, *shape, 3)), numbers((2, *shape, 3), seed="t")
    f = lambda x: unfold(x, window, **options)  # noqa: E731
    back = lambda y: fold(y, shape, window, **options)  # noqa: E731
    y = numbers(f(x).shape)
    np.testing.assert_array_equal(jax.vjp(f, x)[1](y)[0], back(y))
    np.testing.assert_array_equal(jax.vjp(back, y)[1](x)[0], f(x))
    np.testing.assert_array_equal(jax.jvp(f, (x,), (t,))[1], f(t))
    np.testing.assert_array_equal(jax.jvp(back, (y,), (y,))[1], back(y))
    loss = lambda x: (f(x) ** 3).sum()  # noqa: E731
    _, second = jax.jvp(jax.jit(jax.grad(loss)), (x,), (t,))
    np.testing.assert_allclose(second, back(6 * f(x) * f(t)), rtol=1e-12, atol=1e-12)
    many = numbers((4, *y.shape))
    np.testing.assert_allclose(jax.vmap(back)(many), jnp.stack([back(one) for one in many]), rtol=1e-14)
    np.testing.assert_allclose(
        jax.jit(jax.vmap(back, in_axes=-1, out_axes=1))(jnp.moveaxis(many, 0, -1)),
        jnp.stack([back(one) for one in many], 1), rtol=1e-14,
    )  # fmt: skip
    np.testing.assert_array_equal(jax.vmap(f, 3)(jnp.stack([x, t], 3)), jnp.stack([f(x), f(t)]))
    assert jax.vmap(f)(numbers((0, 2, *shape, 3))).shape == (0, *y.shape)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("window", [(3, 3), (7, 7)])
def test_sums_of_16_bits_round_once(dtype, window):
    x = jnp.asarray(numbers((9, 8, 2)), dtype)
    y = unfold(x, window)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, unfold(x.astype("float64"), window).astype(dtype))
    y = jnp.asarray(numbers(y.shape), dtype)
    geometry = unfold_geometry((9, 8), window, features=2)
    value, magnitude, count = looped_back(np.asarray(y, np.float64), geometry)
    for got in (fold(y, (9, 8), window), jax.vjp(lambda x: unfold(x, window), x)[1](y)[0]):
        assert got.dtype == dtype
        assert_rounds_to(got, (value, magnitude, count), dtype=jnp.float32, storage=jnp.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", ["int8", "int32", "complex64", "float32"])
def test_other_dtypes(dtype):
    x = jnp.arange(20).reshape(5, 4, 1).astype(dtype)
    y = unfold(x, (2, 3))
    assert y.dtype == dtype
    counts = fold(jnp.ones(y.shape, dtype), (5, 4), (2, 3))
    np.testing.assert_array_equal(fold(y, (5, 4), (2, 3)), (x * counts))
    assert unfold(x > 3, (2, 3)).dtype == bool
    with pytest.raises(TypeError, match="booleans"):
        fold(unfold(x > 3, (2, 3)), (5, 4), (2, 3))


def test_bad_arguments():
    x = jnp.ones((2, 5, 4, 3))
    with pytest.raises(TypeError, match=r"`window`.*tuple"):
        unfold(x, 3)
    with pytest.raises(GeometryError, match=r"`window` must be the spatial shape.*Try \(1, 1\)"):
        unfold(x, (1, 1, 1, 1))
    with pytest.raises(GeometryError, match="spans 6 cells"):
        unfold(x, (6, 2))
    y = unfold(x, (2, 2))
    with pytest.raises(GeometryError, match=r"5 taps.*12 numbers"):
        fold(y, (5, 4), (5, 1))
    with pytest.raises(GeometryError, match=r"\(\*batch, 3, 4, 12\), got \(2, 4, 3, 12\)"):
        fold(y, (4, 5), (2, 2))
    with pytest.raises(TypeError, match="`input_shape`"):
        fold(y, 5, (2, 2))
    with pytest.raises(TypeError, match="floating"):
        unfold_matrix((5,), (2,), dtype=jnp.int32)


def test_lowering():
    options = {"strides": (2, 1), "padding": 1, "padding_mode": "reflect"}
    (b,) = jax.export.symbolic_shape("b")
    x = jax.ShapeDtypeStruct((b, 9, 8, 4), np.float32)
    y = jax.ShapeDtypeStruct((b, 5, 8, 24), np.float32)
    take = lambda x: unfold(x, (3, 2), **{**options, "padding": ((1, 1), (1, 0))})  # noqa: E731
    add = lambda y: fold(y, (9, 8), (3, 2), **{**options, "padding": ((1, 1), (1, 0))})  # noqa: E731
    assert lower(take, x) == [y.shape]
    assert lower(add, y) == [x.shape]
    assert lower(jax.grad(lambda x: (take(x) ** 2).sum()), x) == [x.shape]
    assert lower(jax.grad(lambda y: (add(y) ** 2).sum()), y) == [y.shape]
    assert lower(lambda x: unfold_matrix((9, 8), (3, 2), features=4, dtype=np.float32)(x), x) == [
        (b, 7, 7, 24)
    ]


def test_a_batch_over_devices_stays_there(optimized):
    mesh = jax.make_mesh((8,), ("maps",), axis_types=(jax.sharding.AxisType.Auto,))
    spread = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("maps"))
    x = jax.device_put(numbers((8, 2, 6, 5, 3)), spread)
    f = jax.jit(lambda x: fold(unfold(x, (3, 2)), (6, 5), (3, 2)))
    assert "all-gather" not in f.lower(x).compile().as_text()
    assert f(x).sharding.is_equivalent_to(spread, 5)
    on_each = jax.shard_map(f, mesh=mesh, in_specs=spread.spec, out_specs=spread.spec)
    np.testing.assert_allclose(on_each(x), f(x), rtol=1e-14)
    gradient = jax.grad(lambda x: (on_each(x) ** 2).sum())(x)
    np.testing.assert_allclose(gradient, 2 * f(f(x)), rtol=1e-13)


def test_names_are_public():
    assert {"fold", "unfold", "unfold_geometry", "unfold_matrix"} <= {*jaxconv.operators.__all__}


@pytest.mark.parametrize(
    ("names", "target", "wrong"),
    [
        (["unfold", "gemm"], (unfolding, "unfold"), lambda *args, **kw: -unfold(*args, **kw)),
        (["fold", "gemm"], (unfolding, "fold"), lambda *args, **kw: 1.001 * fold(*args, **kw)),
        (["unfold-matrix"], (unfolding, "_units"), lambda g: right_units(g)[:, ::-1]),
        (["backward-input", "backward-input-strides"], (backward, "_flip"), lambda k: k.swapaxes(-1, -2)),
        (
            ["backward-kernel", "backward-kernel-strides"],
            (backward, "_swap_batch_and_features"),
            lambda x: -maps(x),
        ),
    ],
)  # fmt: skip
def test_broken_claims_fail(monkeypatch, names, target, wrong):
    monkeypatch.setattr(*target, wrong)  # that they hold otherwise, tests/test_claims.py says of all claims
    assert not any(row.ok for row in verify(names, trials=3).rows)


right_units, maps = unfolding._units, backward._swap_batch_and_features
