"""Resizing against fractions, PyTorch, jax.image and Pillow; its matrix, its transpose, depth to space."""

import math
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import assert_rounds_to, dense, numbers

from jaxconv import (
    GeometryError,
    SizeError,
    bilinear_kernel,
    conv,
    conv_matrix,
    conv_transpose,
    depth_to_space,
    resize,
    resize_geometry,
    resize_matrix,
    space_to_depth,
    verify,
)
from jaxconv.geometry.pattern import reads
from jaxconv.matrix import stored_taps
from jaxconv.operators.resizing import weights
from jaxconv.operators.resizing.options import resizing

EPS = np.finfo(float).eps
# up, down, in between, one cell, the same size, primes
PAIRS = [
    (4, 8),
    (8, 4),
    (3, 12),
    (12, 3),
    (5, 7),
    (7, 5),
    (4, 6),
    (6, 4),
    (13, 11),
    (1, 5),
    (5, 1),
    (1, 1),
    (6, 6),
]
INTERPOLATIONS = [
    {"method": "nearest"},
    *(
        {"method": method, "align_corners": corners, "antialias": antialias, "edges": edges, **a}
        for method, a in (("bilinear", {}), ("bicubic", {}), ("bicubic", {"cubic_a": -0.5}))
        for corners in (False, True)
        for antialias in (False, True)
        for edges in ("clamp", "renormalize")
    ),
]
FEW = [
    {"method": "nearest"},
    {"method": "bilinear"},
    {"method": "bicubic", "align_corners": True},
    {"method": "bicubic", "antialias": True, "cubic_a": -0.5},
]
SHAPES = [((5,), (7,)), ((4, 6), (8, 4)), ((3, 5, 2), (4, 3, 6))]


OPTIONS = {"align_corners": False, "cubic_a": -0.75, "antialias": False, "edges": None}


def name(options):
    return " ".join(f"{key}={value}" for key, value in options.items())


def cubic(x, a):
    if x < 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else Fraction(0)


def axis_weights(n, m, method, align_corners=False, cubic_a=-0.75, antialias=False, edges="clamp"):
    """The weights of one axis in exact fractions, cell by cell: (m, n)."""
    a, rows = Fraction(cubic_a), []
    for o in range(m):
        row = [Fraction(0)] * n
        rows.append(row)
        if method == "nearest":
            row[math.floor((o + Fraction(1, 2)) * n / m)] = Fraction(1)
            continue
        if align_corners and n > 1:  # one cell has no corners to align
            step = Fraction(n - 1, m - 1) if m > 1 else Fraction(0)
            centre = o * step
        else:
            step = Fraction(n, m)
            centre = (o + Fraction(1, 2)) * step - Fraction(1, 2)
        width = max(step, Fraction(1)) if antialias else Fraction(1)
        reach = math.ceil(2 * width) + 1
        found = {}
        for cell in range(math.floor(centre) - reach, math.ceil(centre) + reach + 1):
            x = abs(cell - centre) / width
            found[cell] = max(1 - x, Fraction(0)) if method == "bilinear" else cubic(x, a)
        if edges == "renormalize":
            found = {cell: weight for cell, weight in found.items() if 0 <= cell < n}
        total = sum(found.values())
        for cell, weight in found.items():
            row[min(max(cell, 0), n - 1)] += weight / total
    return rows


def weight_matrix(input_shape, shape, edges=None, **options):
    """The matrix of all axes in float64, no features."""
    edges = edges or ("renormalize" if options.get("antialias") else "clamp")
    W = np.ones((1, 1))
    for n, m in zip(input_shape, shape, strict=True):
        W = np.kron(W, np.array(axis_weights(n, m, edges=edges, **options), float))
    return W


def through(W, x, shape):
    """W on all maps of a batch."""
    n = len(shape)
    lead = x.shape[: -n - 1]
    flat = x.reshape(*lead, -1, x.shape[-1])
    return np.einsum("oi,...if->...of", W, flat).reshape(*lead, *shape, x.shape[-1])


def rounding(W, x, shape):
    """What `assert_rounds_to` takes: values, magnitudes with those of the cubic's terms, how many."""
    reads = np.where(W != 0, np.maximum(abs(W), 1 / 8), 0)  # a cubic is a sum of terms of order one
    value = through(W, x, shape)
    return value, through(reads, abs(x), shape), np.full(value.shape, (W != 0).sum(1).max() + 16 * len(shape))


# The numbers


@pytest.mark.parametrize("options", INTERPOLATIONS, ids=name)
def test_weights_match_exact_fractions(options):
    """Every weight of one axis; the convolution's pattern has an entry wherever there is one."""
    for n, m in PAIRS:
        exact = weight_matrix((n,), (m,), **options)
        axis = resizing((n,), (m,), **OPTIONS | options).axes[0]
        found = weights.dense(weights.band(axis))
        assert found.shape == exact.shape
        assert (abs(found - exact) <= 64 * EPS).all(), (n, m)
        np.testing.assert_allclose(found.sum(1), 1, rtol=0, atol=8 * EPS)  # constants stay
        np.testing.assert_array_equal(weights.dense(weights.transposed_band(axis)), found.T)
        g = resize_geometry((n,), (m,), **options)
        entries = np.zeros(g.matrix_shape)
        out, _, cell = reads(g.axes[0])
        entries[out, cell] = 1
        assert entries.sum() == g.nnz == len(out)
        assert (entries[exact != 0] == 1).all()


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("options", "input_shape", "shape"),
    [(one, *SHAPES[0]) for one in INTERPOLATIONS]
    + [(one, *SHAPES[1]) for one in FEW]
    + [(one, *SHAPES[2]) for one in FEW[:2]],
    ids=lambda value: name(value) if isinstance(value, dict) else str(value),
)
def test_resize_is_the_matrix(options, input_shape, shape):
    W = weight_matrix(input_shape, shape, **options)
    x, y = numbers((2, *input_shape, 3)), numbers((2, *shape, 3))

    @jax.jit
    def products(x, y):
        C = resize_matrix(input_shape, shape, features=3, dtype=np.float64, **options)
        value, pullback = jax.vjp(lambda x: resize(x, shape, **options), x)
        return value, C(x), pullback(y)[0], C.T(y)

    value, product, gradient, transposed = products(x, y)
    forward, back = rounding(W, x, shape), rounding(W.T, y, input_shape)
    assert_rounds_to(value, forward, what="resize")
    assert_rounds_to(product, forward, what="C(x)")
    assert_rounds_to(gradient, back, what="vjp")
    assert_rounds_to(transposed, back, what="C.T(y)")


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("n", "m"), [(97, 101), (107, 56), (640, 2), (2, 640)])
@pytest.mark.parametrize("options", FEW, ids=name)
def test_long_axes(options, n, m):
    """Many phases, and rows too wide to be gathered."""
    W, x, y = weight_matrix((n,), (m,), **options), numbers((n, 2)), numbers((m, 2))
    assert_rounds_to(resize(x, (m,), **options), rounding(W, x, (m,)))
    pullback = jax.vjp(lambda x: resize(x, (m,), **options), x)[1]
    assert_rounds_to(pullback(y)[0], rounding(W.T, y, (n,)))
    if 2 in (n, m):  # hundreds of slots
        return
    C = resize_matrix((n,), (m,), features=2, dtype=np.float64, **options)
    assert_rounds_to(C(x), rounding(W, x, (m,)))
    assert_rounds_to(C.T(y), rounding(W.T, y, (n,)))


@pytest.mark.peers
def test_pytorch_places_some_nearest_cells_by_rounding():
    """In float32, between sizes neither of which divides the other; ours are exact."""
    torch = pytest.importorskip("torch")
    x = np.arange(4.0)
    got = torch.nn.functional.interpolate(
        torch.tensor(x, dtype=torch.float32)[None, None], 41, mode="nearest-exact"
    )
    ours = np.asarray(resize(x[:, None], (41,)))[:, 0]
    np.testing.assert_array_equal(ours, [(2 * o + 1) * 4 // 82 for o in range(41)])
    assert (got[0, 0].numpy() != ours).sum() == 1


# Others


def coordinate_bound(x, shape):
    """Others round coordinates of up to n cells; a weight changes by less than 2 a cell, over 4 cells."""
    cells = max(*x.shape[1:-1], *shape)
    return 16 * len(shape) * cells * np.finfo(x.dtype).eps * abs(x).max()


TORCH = {
    1: {"nearest": "nearest-exact", "bilinear": "linear"},
    2: {"nearest": "nearest-exact", "bilinear": "bilinear", "bicubic": "bicubic"},
    3: {"nearest": "nearest-exact", "bilinear": "trilinear"},
}
GRID = [
    *(((n,), (m,)) for n, m in PAIRS),
    *(((n, 5), (m, 8)) for n, m in PAIRS[:-3]),
    ((7, 1), (3, 4)),
    *SHAPES[2:],
    ((5, 4, 7), (2, 8, 7)),
]


@pytest.mark.peers
@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize("method", ["nearest", "bilinear", "bicubic"])
def test_pytorch(method, corners, full):
    torch = pytest.importorskip("torch")
    if corners and method == "nearest":
        return
    for input_shape, shape in GRID if full else GRID[::2]:
        mode = TORCH[len(shape)].get(method)
        if mode is None:
            continue
        x = numbers((2, *input_shape, 3))
        kwargs = {} if method == "nearest" else {"align_corners": corners}
        theirs = torch.nn.functional.interpolate(
            torch.tensor(np.moveaxis(x, -1, 1)), shape, mode=mode, **kwargs
        )
        ours = resize(x, shape, method, corners)
        assert abs(np.moveaxis(theirs.numpy(), 1, -1) - ours).max() <= coordinate_bound(x, shape)


@pytest.mark.peers
@pytest.mark.parametrize("method", ["bilinear", "bicubic"])
def test_pytorch_antialiased(method, full):
    torch = pytest.importorskip("torch")
    for input_shape, shape in GRID if full else GRID[::2]:
        if len(shape) != 2:
            continue
        x = numbers((2, *input_shape, 3))
        theirs = torch.nn.functional.interpolate(
            torch.tensor(np.moveaxis(x, -1, 1)), shape, mode=method, antialias=True
        )
        ours = resize(x, shape, method, antialias=True, cubic_a=-0.5)
        assert abs(np.moveaxis(theirs.numpy(), 1, -1) - ours).max() <= coordinate_bound(x, shape)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize(
    ("method", "theirs"), [("nearest", "nearest"), ("bilinear", "linear"), ("bicubic", "cubic")]
)
def test_jax_image(method, theirs, antialias, full):
    if antialias and method == "nearest":
        return
    for input_shape, shape in GRID if full else GRID[::2]:
        x = numbers((2, *input_shape, 3))
        other = jax.image.resize(x, (2, *shape, 3), theirs, antialias=antialias)
        ours = resize(x, shape, method, antialias=antialias, edges="renormalize", cubic_a=-0.5)
        assert abs(other - ours).max() <= coordinate_bound(x, shape)


@pytest.mark.parametrize("method", ["bilinear", "bicubic"])
def test_pillow(method):
    """It keeps float32 between its two passes, weights in double precision."""
    image = pytest.importorskip("PIL.Image")
    for (n, m), (k, j) in zip(PAIRS, PAIRS[::-1], strict=True):
        x = numbers((n, k), np.float32)
        theirs = np.asarray(image.fromarray(x).resize((j, m), getattr(image.Resampling, method.upper())))
        W = weight_matrix((n, k), (m, j), method=method, antialias=True, cubic_a=-0.5)
        expected = rounding(W, x[..., None].astype(float), (m, j))
        assert_rounds_to(theirs[..., None], expected, dtype=np.float32)
        assert_rounds_to(
            resize(x[..., None], (m, j), method, antialias=True, cubic_a=-0.5), expected, dtype=np.float32
        )


# The convolution that it is


@pytest.mark.sampled(4)
@pytest.mark.parametrize("options", INTERPOLATIONS, ids=name)
def test_the_geometry_matches_the_matrix(options):
    for n, m in [(5, 7), (12, 3), (1, 5)]:
        g = resize_geometry((n, m), (m, n), features=2, **options)
        assert (g.output_shape, g.in_features, g.feature_group_count) == ((m, n), 2, 2)
        C = resize_matrix((n, m), (m, n), features=2, **options)
        assert C.geometry == g
        assert C.values.shape == (stored_taps.slot_count(g), m, n, 2, 1, 1)


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("n", "m"), [(12, 6), (7, 10)])
@pytest.mark.parametrize(
    "options", [one for one in INTERPOLATIONS if one["method"] != "nearest"][:12], ids=name
)
def test_one_fixed_kernel_inside(options, n, m):
    """Rows whose windows lie inside are those of a convolution: each phase has its taps."""
    C = resize_matrix((n,), (m,), dtype=np.float64, **options)
    g, W = C.geometry, np.asarray(C.todense())
    kernel, filled = np.full(g.kernel_shape, np.nan), 0
    low, p, q = g.padding[0][0], g.input_dilation[0], g.strides[0]
    for o in range(m):
        taps = [(t, (o * q + t - low) // p) for t in range(g.kernel_shape[0]) if (o * q + t - low) % p == 0]
        if all(0 <= cell < n for _, cell in taps):
            filled += 1
            for tap, cell in taps:
                assert np.isnan(kernel[tap]) or abs(kernel[tap] - W[o, cell]) <= 64 * EPS
                kernel[tap] = W[o, cell]
    assert filled


@pytest.mark.parametrize("features", [1, 3])
@pytest.mark.parametrize("factor", [(1,), (2,), (3,), (4, 2), (5, 3), (2, 3, 2)])
def test_bilinear_kernel(factor, features):
    """A transposed convolution that is exact but for ``f // 2`` cells at each end."""
    kernel = bilinear_kernel(factor, features, np.float64)
    sizes = [2 * f - f % 2 for f in factor]
    assert kernel.shape == (*sizes, 1, features)
    for f, k, taps in zip(factor, sizes, range(len(factor)), strict=True):  # FCN's surgery.py
        centre = f - 1 if k % 2 else f - 0.5
        along = np.moveaxis(np.asarray(kernel[..., 0, 0]), taps, 0)
        filled = 1 - abs(np.arange(k) - centre) / f
        np.testing.assert_allclose(
            along / along.sum(0),
            np.broadcast_to((filled / filled.sum()).reshape(-1, *[1] * (len(factor) - 1)), along.shape),
            rtol=1e-14,
        )
    shape = tuple(4 + i for i in range(len(factor)))
    big = tuple(f * n for f, n in zip(factor, shape, strict=True))
    y = numbers((2, *shape, features))
    up = conv_transpose(
        y,
        kernel,
        strides=factor,
        padding=[(k - f) // 2 for f, k in zip(factor, sizes, strict=True)],
        input_shape=big,
        feature_group_count=features,
    )
    expected = rounding(weight_matrix(shape, big, method="bilinear"), y, big)
    inside = (slice(None), *(slice(f // 2, size - f // 2) for f, size in zip(factor, big, strict=True)))
    assert_rounds_to(up[inside], [part[inside] for part in expected])
    # Zeros outside: the same map with a ring of zeros around, cropped.
    ring = np.pad(y, [(0, 0), *[(1, 1)] * len(factor), (0, 0)])
    wide = resize(ring, [f * (n + 2) for f, n in zip(factor, shape, strict=True)], "bilinear")
    crop = (slice(None), *(slice(f, f + size) for f, size in zip(factor, big, strict=True)))
    np.testing.assert_allclose(up, wide[crop], rtol=0, atol=64 * EPS * abs(y).max())
    if max(factor) > 1:
        assert abs(np.asarray(up) - expected[0]).max() > 0.01


def test_many_phases_of_a_convolution_matrix():
    """conv_matrix with many phases, which gathers, is the loops."""
    g = resize_geometry((9, 5), (8, 7), "bicubic")
    assert min(g.input_dilation) > stored_taps.MAX_SLICED_PHASES
    kernel, x, y = numbers((*g.kernel_shape, 1, 1)), numbers((9, 5, 1)), numbers((8, 7, 1))
    C, expected, magnitude = conv_matrix(kernel, g), dense(g, kernel), dense(g, abs(kernel))
    np.testing.assert_array_equal(C.todense(), expected)
    for got, M, size, z in (
        (C @ x.ravel(), expected, magnitude, x),
        (C.T @ y.ravel(), expected.T, magnitude.T, y),
    ):
        assert_rounds_to(got, (M @ z.ravel(), size @ abs(z).ravel(), np.full(len(M), 16)))
    gradient = jax.grad(lambda kernel: (conv_matrix(kernel, g) @ x.ravel()) @ y.ravel())(kernel)
    wanted = jax.grad(lambda kernel: (conv(x, kernel, method="direct", geometry=g) * y).sum())(kernel)
    np.testing.assert_allclose(gradient, wanted, rtol=0, atol=64 * EPS * abs(x).max() * abs(y).sum())


# Shapes, dtypes, transformations


@pytest.mark.sampled(2)
@pytest.mark.parametrize("options", FEW, ids=name)
def test_any_number_of_batch_axes(options):
    x = numbers((2, 3, 4, 5, 2))
    whole = resize(x, (6, 3), **options)
    assert whole.shape == (2, 3, 6, 3, 2)
    np.testing.assert_allclose(resize(x[0], (6, 3), **options), whole[0], rtol=1e-14, atol=1e-15)
    np.testing.assert_allclose(resize(x[0, 0], (6, 3), **options), whole[0, 0], rtol=1e-14, atol=1e-15)
    assert resize(x[:0], (6, 3), **options).shape == (0, 3, 6, 3, 2)
    assert resize(x[..., :0], (6, 3), **options).shape == (2, 3, 6, 3, 0)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "complex64", "complex128"])
@pytest.mark.parametrize("options", FEW, ids=name)
def test_dtypes(options, dtype):
    """16-bit floats are summed in float32 and rounded once, both ways."""
    dtype = jnp.dtype(dtype)
    half = dtype.itemsize == 2
    wide = np.complex128 if np.issubdtype(dtype, np.complexfloating) else np.float64
    x = numbers((2, 5, 6, 2), wide).astype(dtype)
    y = numbers((2, 9, 4, 2), wide).astype(dtype)
    found, pullback = jax.vjp(lambda x: resize(x, (9, 4), **options), x)
    W = weight_matrix((5, 6), (9, 4), **options)
    how = {"dtype": np.float32 if half else dtype, "storage": jnp.finfo(dtype).eps if half else None}
    for got, M, z, shape in ((found, W, x, (9, 4)), (pullback(y)[0], W.T, y, (5, 6))):
        assert got.dtype == dtype
        assert_rounds_to(got, rounding(M, z.astype(wide), shape), **how)
    C = resize_matrix((5, 6), (9, 4), features=2, dtype=dtype, **options)
    assert C.dtype == dtype
    assert abs(np.asarray(C.to_coo()[2]).astype(wide)).max() > 0


@pytest.mark.sampled(2)
@pytest.mark.parametrize("options", FEW, ids=name)
def test_transformations(options):
    f = jax.jit(lambda x: resize(x, (7, 3), **options))
    x, y = numbers((3, 2, 4, 5, 2)), numbers((3, 2, 7, 3, 2))
    whole = f(x)
    close = {"rtol": 1e-13, "atol": 1e-14}
    np.testing.assert_allclose(jax.vmap(f)(x), whole, **close)
    np.testing.assert_allclose(jax.vmap(jax.vmap(f))(x), whole, **close)
    np.testing.assert_allclose(jax.vmap(f, 1, 1)(x), whole, **close)
    back = jax.vjp(f, x)[1](y)[0]
    np.testing.assert_allclose(jax.vmap(lambda x, y: jax.vjp(f, x)[1](y)[0])(x, y), back, **close)
    np.testing.assert_allclose(jax.linear_transpose(f, x)(y)[0], back, **close)
    np.testing.assert_allclose(
        jax.linear_transpose(lambda y: jax.vjp(f, x)[1](y)[0], y)(x)[0], whole, **close
    )
    one = x[0, 0, :, :, :1]
    W = weight_matrix((4, 5), (7, 3), **options)
    for jacobian in (jax.jacfwd, jax.jacrev):
        np.testing.assert_allclose(jacobian(f)(one).reshape(W.shape), W, rtol=0, atol=64 * EPS)
    loss = lambda x: (f(x) ** 2).sum() / 2  # noqa: E731
    for hessian in (jax.jacfwd(jax.jacrev(loss)), jax.jacrev(jax.jacfwd(loss))):
        np.testing.assert_allclose(hessian(one).reshape(W.T.shape[0], -1), W.T @ W, rtol=0, atol=256 * EPS)


def test_resize_and_its_transpose_do_not_scatter():
    x = numbers((9, 8, 2))
    for options in FEW:
        loss = lambda x, options=options: (resize(x, (6, 16), **options) ** 2).sum()  # noqa: E731
        assert "scatter" not in jax.jit(jax.grad(loss)).lower(x).as_text()


def test_a_nan_reaches_only_the_cells_around():
    x = np.zeros((9, 1))
    x[4] = np.nan
    assert np.isnan(resize(x, (18,))).sum() == 2
    assert np.isnan(resize(x, (18,), "bilinear")).sum() == 4
    y = np.zeros((3, 1))
    y[0] = np.nan
    back = jax.vjp(lambda x: resize(x, (3,)), x)[1](y)[0]
    np.testing.assert_array_equal(np.isnan(back[:, 0]), np.arange(9) == 1)


@pytest.mark.parametrize("options", FEW, ids=name)
def test_lowering(options):
    """For all platforms, with any number of batches."""
    (b,) = jax.export.symbolic_shape("b")
    x = jax.ShapeDtypeStruct((b, 5, 6, 2), np.float32)
    platforms = ("cpu", "cuda", "tpu")
    loss = lambda x: (resize(x, (7, 3), **options) ** 2).sum()  # noqa: E731
    for function, shape in (
        (lambda x: resize(x, (7, 3), **options), (b, 7, 3, 2)),
        (jax.grad(loss), x.shape),
        (lambda x: resize_matrix((5, 6), (7, 3), features=2, dtype=np.float32, **options)(x), (b, 7, 3, 2)),
        (lambda x: depth_to_space(x, (2, 1)), (b, 10, 6, 1)),
        (lambda x: space_to_depth(x, (1, 2)), (b, 5, 3, 4)),
    ):
        exported = jax.export.export(jax.jit(function), platforms=platforms)(x)
        assert exported.out_avals[0].shape == shape


# Depth to space


@pytest.mark.parametrize(
    ("shape", "block"), [((4,), (2,)), ((4, 6), (2, 3)), ((2, 4, 3), (2, 1, 3)), ((3, 3), (1, 1))]
)
def test_depth_to_space_is_the_loops(shape, block):
    features, cells = 2, math.prod(block)
    x = numbers((3, *shape, cells * features))
    big = tuple(n * b for n, b in zip(shape, block, strict=True))
    expected = np.zeros((3, *big, features))
    for cell in np.ndindex(big):
        source = tuple(c // b for c, b in zip(cell, block, strict=True))
        inside = tuple(c % b for c, b in zip(cell, block, strict=True))
        first = int(np.ravel_multi_index(inside, block)) * features
        expected[(slice(None), *cell)] = x[(slice(None), *source, slice(first, first + features))]
    found = depth_to_space(x, block)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(space_to_depth(found, block), x)
    np.testing.assert_array_equal(depth_to_space(x[0], block), expected[0])
    np.testing.assert_array_equal(jax.vjp(lambda x: depth_to_space(x, block), x)[1](found)[0], x)
    assert depth_to_space(x.astype(int), block).dtype == int


@pytest.mark.peers
def test_pixel_shuffle():
    torch = pytest.importorskip("torch")
    x, f = numbers((2, 3, 4, 8)), 2
    theirs = x.reshape(2, 3, 4, 4, f).swapaxes(-1, -2).reshape(2, 3, 4, 8)
    theirs = torch.nn.functional.pixel_shuffle(torch.tensor(np.moveaxis(theirs, -1, 1)), 2)
    np.testing.assert_array_equal(depth_to_space(x, (2, 2)), np.moveaxis(theirs.numpy(), 1, -1))


# Refusals


def test_refusals():
    x = np.ones((2, 4, 5, 3))
    for shape, error, match in (
        (6, TypeError, "shape"),
        ((), GeometryError, "shape"),
        ((0, 3), GeometryError, "at least 1"),
        ((2.0, 3), TypeError, "integers"),
        ((2, 2, 2, 2), GeometryError, "without batch and features"),
    ):
        with pytest.raises(error, match=match):
            resize(x, shape)
    with pytest.raises(GeometryError, match=r"x\.shape"):
        resize(x[:, :0], (3, 3))
    with pytest.raises(GeometryError, match="did you mean 'bilinear'"):
        resize(x, (3, 3), "linear")
    with pytest.raises(GeometryError, match="did you mean 'renormalize'"):
        resize(x, (3, 3), edges="renorm")
    with pytest.raises(GeometryError, match="align_corners"):
        resize(x, (3, 3), "nearest", True)
    with pytest.raises(GeometryError, match="antialias"):
        resize(x, (3, 3), antialias=True)
    with pytest.raises(TypeError, match="cubic_a"):
        resize(x, (3, 3), "bicubic", cubic_a="a")
    with pytest.raises(GeometryError, match="finite"):
        resize(x, (3, 3), "bicubic", cubic_a=np.nan)
    with pytest.raises(TypeError, match="floating"):
        resize(x.astype(int), (3, 3), "bilinear")
    for function in (resize_matrix, resize_geometry):
        with pytest.raises(GeometryError, match="the only spatial axis"):
            function((4,), (3, 3))
        with pytest.raises(TypeError, match="input_shape"):
            function(4, (3,))
        with pytest.raises(GeometryError, match="features"):
            function((4,), (3,), features=0)
    with pytest.raises(TypeError, match="dtype"):
        resize_matrix((4,), (3,), dtype=int)
    with pytest.raises(SizeError, match="bytes"):
        resize_matrix((4, 4), (3, 3), "bilinear", max_bytes=100)


def test_refusals_of_blocks_and_factors():
    x = np.ones((2, 4, 6, 3))
    with pytest.raises(TypeError, match="block"):
        depth_to_space(x, 2)
    with pytest.raises(GeometryError, match="whole blocks"):
        space_to_depth(x, (3, 3))
    with pytest.raises(GeometryError, match="divide the 3 features"):
        depth_to_space(x, (2, 1))
    with pytest.raises(GeometryError, match=r"`block` must be the spatial shape.*Try \(1, 2\)"):
        space_to_depth(x, (1, 1, 2, 1))
    with pytest.raises(GeometryError, match="at least 6 axes"):
        space_to_depth(x, (1, 1, 1, 1, 1))
    for factor, features, error, message in (
        (2, 1, TypeError, "`factor` needs a tuple"),
        ((0,), 1, GeometryError, "`factor` must be at least 1"),
        ((2,), 0, GeometryError, "`features` must be at least 1"),
    ):
        with pytest.raises(error, match=message):
            bilinear_kernel(factor, features)


# Claims

CLAIMED = ["nearest", "bilinear", "bicubic", "align-corners", "bilinear-upsampling", "sub-pixel"]


@pytest.mark.sampled(3)
@pytest.mark.parametrize("dtype", ["bfloat16", "complex64"])
@pytest.mark.parametrize("claim", CLAIMED)
def test_claims_hold(claim, dtype):
    report = verify([claim], dtype=dtype)
    assert report.ok, report.counterexamples()


@pytest.fixture
def fresh(monkeypatch):
    """Takes nothing that was compiled from right weights, and leaves none that are wrong; one small map."""
    monkeypatch.setattr("jaxconv.claims.resizing.SHAPES", (((3,), (6,)),))

    def clear():
        weights.band.cache_clear()
        weights.transposed_band.cache_clear()

    clear()
    with jax.disable_jit():
        yield
    clear()


def test_claims_fail_with_a_wrong_parameter(monkeypatch, fresh):
    right = weights._cubic
    monkeypatch.setattr(weights, "_cubic", lambda x, a: right(x, -0.5))
    assert not verify(["bicubic"]).ok


def test_claims_fail_without_half_pixel_centres(monkeypatch, fresh):
    """Output 0 at the first cell's centre, as without half-pixel centres."""
    monkeypatch.setattr(weights.AxisResizing, "_offset", 0)
    rows = verify(["bilinear"]).rows
    assert not rows[0].ok
    assert "resize_matrix(" in rows[0].counterexample


def test_right_weights_hold_without_jit(fresh):
    """The two before fail for their weights alone."""
    assert verify(["bilinear", "bicubic"]).ok


def test_the_upsampling_claim_fails_with_another_kernel(monkeypatch):
    from jaxconv.claims import resizing as claims

    monkeypatch.setattr(claims, "bilinear_kernel", lambda *args: 1.01 * bilinear_kernel(*args))
    assert not verify(["bilinear-upsampling"]).ok


def test_the_sub_pixel_claim_fails_in_another_order(monkeypatch):
    from jaxconv.claims import resizing as claims

    def features_slowest(x, block):
        cells = math.prod(block)
        x = x.reshape(*x.shape[:-1], -1, cells).swapaxes(-1, -2).reshape(x.shape)
        return depth_to_space(x, block)

    monkeypatch.setattr(claims, "depth_to_space", features_slowest)
    assert not verify(["sub-pixel"]).ok
