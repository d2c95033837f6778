"""C: entries against Python loops, products, transposes, exports, derivatives, refusals."""

import math
import time
import tracemalloc

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from jax import lax
from jax.experimental import sparse
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from oracles import (
    Expected,
    assert_rounds_to,
    dense,
    kernel_matrix,
    kernel_shape,
    numbers,
    operands,
    padded_cells,
    terms,
)
from strategies import CASES, MODES, geometries

from jaxconv import ConvGeometry, ConvMatrix, GeometryError, SizeError, conv_matrix

FEW = [  # strides, groups, both dilations, entries that several taps share
    ConvGeometry((5, 4), (3, 2), in_features=2, out_features=3, strides=(2, 1), padding=((1, 2), (0, 1))),
    ConvGeometry(
        (6,), (3,), in_features=4, out_features=2, feature_group_count=2, kernel_dilation=2, padding="SAME"
    ),
    ConvGeometry((4,), (2,), input_dilation=3, strides=2, padding=((1, -1),), in_features=2),
    ConvGeometry(
        (3, 4), (2, 3), padding=((2, 1), (1, 4)), padding_mode="reflect", out_features=2
    ),  # duplicates
]
G = FEW[0]


def random_matrix(g, dtype=np.float64):
    return conv_matrix(numbers(kernel_shape(g), dtype, f"k{g}"), g)


def channels_first(g, C):
    """Renumbers a dense matrix with features before cells, on both sides."""
    n, shape = len(g.input_shape), (*g.output_shape, g.out_features, *g.input_shape, g.in_features)
    order = (n, *range(n), 2 * n + 1, *range(n + 1, 2 * n + 1))
    return C.reshape(shape).transpose(order).reshape(C.shape)


# Entries and products


def check_matrix(g):
    """Compares entries and all products with the oracle; they are compiled once."""
    x, kernel, y = operands(g, batch=(2, 3))

    @jax.jit
    def products(kernel):
        C = conv_matrix(kernel, g)
        flat = C @ x.reshape(6, -1).T, C.T @ y.reshape(6, -1).T
        return C.todense(), C.T.todense(), C.T.T.values - C.values, C(x), C.T(y), flat

    entries, transposed, there_and_back, forward, back, flat = products(kernel)
    expected = Expected(g, x, kernel, y)
    assert_rounds_to(entries, (expected.C, dense(g, abs(kernel)), terms(g) - 1), c=1, what="entries")
    np.testing.assert_array_equal(transposed, entries.T)
    assert not np.any(there_and_back)
    assert_rounds_to(forward, expected.conv, what="C(x)")
    assert_rounds_to(back, expected.transpose, what="C.T(y)")
    assert_rounds_to(flat[0].T.reshape(y.shape), expected.conv, what="C @ x")
    assert_rounds_to(flat[1].T.reshape(x.shape), expected.transpose, what="C.T @ y")


@pytest.mark.parametrize("g", CASES, ids=str)
def test_products_match_loops(g):
    check_matrix(g)


@given(geometries(max_axes=2))
def test_products_of_any_geometry(g):
    check_matrix(g)


@pytest.mark.parametrize("g", [FEW[0], FEW[3]], ids=str)
def test_any_number_of_batch_axes(g):
    x, kernel, y = operands(g, batch=(2, 3))

    @jax.jit
    def products(C, z):
        whole, vectors = C(z), C @ z[0, 0].ravel()
        empty = C(z[:0]), C(z[:, :0]), C @ jnp.zeros((C.shape[1], 0))
        return whole, (C(z[0]), C(z[0, 0]), C(z[:, None]), vectors), empty

    C = conv_matrix(kernel, g)
    for matrix, z in ((C, x), (C.T, y)):
        whole, found, empty = products(matrix, z)
        expected = whole[0], whole[0, 0], whole[:, None], whole[0, 0].ravel()
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-13)
        shape = whole.shape[2:]
        assert [array.shape for array in empty] == [(0, 3, *shape), (2, 0, *shape), (matrix.shape[0], 0)]


@pytest.mark.parametrize("g", CASES, ids=str)
def test_sizes(g):
    C = jax.eval_shape(lambda kernel: conv_matrix(kernel, g), numbers(kernel_shape(g)))
    count = terms(g)
    assert (C.shape, C.ndim, C.dtype) == (count.shape, 2, np.float64)
    assert C.nnz == g.nnz == (count > 0).sum()
    assert C.nbytes == C.values.size * 8 >= C.nnz * 8


@pytest.mark.parametrize("g", [*FEW, CASES[10], CASES[12]], ids=str)
def test_nan_spreads_along_the_entries_only(g):
    """Empty places of the storage multiply nothing, not the first cell by zero."""
    C, pattern = random_matrix(g), terms(g) > 0
    for matrix, reached in ((C, pattern), (C.T, pattern.T)):
        x = np.diag(np.full(matrix.shape[1], np.nan))  # one NaN in every column
        np.testing.assert_array_equal(np.isnan(matrix @ x), reached)


def test_entries_that_happen_to_be_zero_stay():
    C = conv_matrix(np.zeros(kernel_shape(G)), G)
    assert C.to_scipy().nnz == C.to_bcoo().nse == C.to_coo()[2].size == C.nnz == G.nnz


@pytest.mark.parametrize("left", [np.asarray, jnp.asarray], ids=["numpy", "jax"])
def test_product_from_the_left(left):
    C, y = random_matrix(G), numbers((2, G.matrix_shape[0]))
    np.testing.assert_allclose(left(y) @ C, y @ np.asarray(C.todense()), rtol=1e-13)
    np.testing.assert_allclose(left(y[0]) @ C, y[0] @ np.asarray(C.todense()), rtol=1e-13)


def test_transpose_and_adjoint():
    real, C = random_matrix(G), random_matrix(G, np.complex128)
    entries = np.asarray(C.todense())
    np.testing.assert_array_equal(C.T.todense(), entries.T)
    np.testing.assert_array_equal(C.H.todense(), entries.conj().T)
    np.testing.assert_array_equal(C.H.H.todense(), entries)
    np.testing.assert_array_equal(C.H.T.todense(), entries.conj())
    np.testing.assert_array_equal(real.H.todense(), real.T.todense())
    for other in (C.T, C.H, C.T.T, C.H.T):
        assert isinstance(other, ConvMatrix)
        assert other.geometry is C.geometry


# Exports


@pytest.mark.parametrize("g", CASES, ids=str)
def test_exports(g):
    """Sorted, without duplicates, the same matrix in both numberings."""
    numberings = {"channels_last": lambda _, M: M, "channels_first": channels_first}

    @jax.jit
    def exports(kernel):
        C = conv_matrix(kernel, g)
        return [(C.to_coo(order), C.T.to_coo(order), C.todense(order)) for order in numberings]

    kernel = numbers(kernel_shape(g))
    oracle = dense(g, kernel), dense(g, abs(kernel)), np.maximum(terms(g) - 1, 0)
    for number, (forward, back, entries) in zip(numberings.values(), exports(kernel), strict=True):
        whole, pairs = [number(g, part) for part in oracle], number(g, terms(g))
        assert_rounds_to(entries, whole, c=1)
        flipped = [part.T for part in whole]
        for exported, parts, reached in ((forward, whole, pairs), (back, flipped, pairs.T)):
            row, column, values = exported
            np.testing.assert_array_equal(np.stack([row, column], 1), np.argwhere(reached))  # row-major
            assert row.dtype == column.dtype == np.int32
            assert_rounds_to(values, [part[row, column] for part in parts], c=1)


@pytest.mark.parametrize("g", [*FEW, MODES[3], CASES[12]], ids=str)
@pytest.mark.parametrize("order", ["channels_last", "channels_first"])
def test_sparse_formats(g, order):
    C = random_matrix(g)
    row, column, values = C.to_coo(order)
    entries = np.asarray(C.todense(order))
    for name in ("csr", "csc", "coo"):
        S = C.to_scipy(name, order)
        assert (S.format, S.shape, S.nnz, S.dtype) == (name, C.shape, g.nnz, C.dtype)
        assert scipy.sparse.issparse(S)
        assert name == "coo" or S.has_canonical_format  # sorted, without duplicates
        np.testing.assert_array_equal(S.toarray(), entries)
    bcoo, bcsr = C.to_bcoo(order), C.to_bcsr(order)
    assert isinstance(bcoo, sparse.BCOO)
    assert isinstance(bcsr, sparse.BCSR)
    for B in (bcoo, bcsr):
        assert (B.shape, B.nse, B.dtype) == (C.shape, g.nnz, C.dtype)
        assert B.indices_sorted
        assert B.unique_indices
        np.testing.assert_array_equal(B.todense(), entries)
        np.testing.assert_array_equal(B.data, values)
    np.testing.assert_array_equal(bcoo.indices, np.stack([row, column], 1))
    np.testing.assert_array_equal(bcsr.indices, column)
    x = numbers((C.shape[1],))
    np.testing.assert_allclose(bcoo @ x, entries @ x, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_scipy_has_no_half_floats(dtype):
    C = random_matrix(G, jnp.dtype(dtype))
    S = C.to_scipy()
    assert S.dtype == np.float32
    np.testing.assert_array_equal(S.toarray(), np.asarray(C.todense()).astype(np.float32))


def test_unknown_format_and_order():
    C = random_matrix(G)
    with pytest.raises(GeometryError, match="'lil'"):
        C.to_scipy("lil")
    for export in (C.to_coo, C.todense, C.to_bcoo, C.to_bcsr, lambda order: C.to_scipy("csr", order)):
        with pytest.raises(GeometryError, match="'NCHW'"):
            export("NCHW")


def lax_conv(g, kernel):
    """Returns the convolution of one map, by jax.numpy's padding and lax's convolution."""
    n = len(g.input_shape)
    spec = ("N" + "XYZW"[:n] + "C", "XYZW"[:n] + "IO", "N" + "XYZW"[:n] + "C")
    zeros = g.padding_mode == "zeros"

    def border(x):
        for axis, a in enumerate(g.axes):
            cells = np.array(padded_cells(a.size, a.input_dilation, a.padding, a.padding_mode))
            inside = (cells >= 0).reshape([-1 if i == axis else 1 for i in range(n + 1)])
            x = jnp.where(inside, x.take(np.maximum(cells, 0), axis, unique_indices=False), 0.0)
        return x

    def conv(x):
        padding, dilation = (g.padding, g.input_dilation) if zeros else ("VALID", None)
        return lax.conv_general_dilated(
            (x if zeros else border(x))[None],
            kernel,
            g.strides,
            padding,
            lhs_dilation=dilation,
            rhs_dilation=g.kernel_dilation,
            dimension_numbers=spec,
            feature_group_count=g.feature_group_count,
        )[0]

    return conv


@pytest.mark.parametrize("g", CASES, ids=str)
def test_sparsity_matches_asdex(g):
    x, kernel, _ = operands(g)
    reason = "asdex does not load beside this jax"
    asdex = pytest.importorskip("asdex", reason=reason, exc_type=ImportError)
    pattern = asdex.jacobian_sparsity(lax_conv(g, jnp.asarray(kernel)), jnp.asarray(x))
    row, column, _ = jax.jit(lambda kernel: conv_matrix(kernel, g).to_coo())(kernel)
    found = set(zip(np.asarray(pattern.rows).tolist(), np.asarray(pattern.cols).tolist(), strict=True))
    assert set(zip(row.tolist(), column.tolist(), strict=True)) == found


# Derivatives and transformations


def closed_derivatives(g, kernel, x, y):
    """Jacobians of ``C x = A k`` and ``C.T y``, Hessian of ``|C x|^2 / 2``, each by kernel and by map."""
    C, A = dense(g, kernel), kernel_matrix(g, x)
    dC = np.stack([dense(g, one) for one in np.eye(kernel.size).reshape(-1, *kernel.shape)])
    mixed = A.T @ C + np.einsum("krc,r->kc", dC, C @ x.ravel())
    return [[A, C], [np.einsum("krc,r->ck", dC, y.ravel()), C.T], [A.T @ A, mixed], [mixed.T, C.T @ C]]


@pytest.mark.parametrize("g", FEW, ids=str)
def test_derivatives(g):
    """In both modes, and second order by forward over reverse and the other way round."""
    x, kernel, y = operands(g)

    def forward(kernel, x):
        return (conv_matrix(kernel, g) @ x.ravel()).ravel()

    def back(kernel, y):
        return (conv_matrix(kernel, g).T @ y.ravel()).ravel()

    def loss(kernel, x):
        return (forward(kernel, x) ** 2).sum() / 2

    @jax.jit
    def derivatives(kernel, x, y):
        fwd, rev = (lambda f, jac=jac: jac(f, (0, 1)) for jac in (jax.jacfwd, jax.jacrev))
        first = [[mode(forward)(kernel, x), mode(back)(kernel, y)] for mode in (fwd, rev)]
        return [first[0] + list(fwd(rev(loss))(kernel, x)), first[1] + list(rev(fwd(loss))(kernel, x))]

    values = closed_derivatives(g, kernel, x, y)
    magnitudes = closed_derivatives(g, abs(kernel), abs(x), abs(y))
    for found in derivatives(kernel, x, y):
        for parts, value, magnitude in zip(found, values, magnitudes, strict=True):
            for one, v, m in zip(parts, value, magnitude, strict=True):
                assert_rounds_to(one.reshape(v.shape), (v, m, np.full(v.shape, y.size + x.size)))


@pytest.mark.parametrize("g", FEW, ids=str)
def test_vmap(g):
    kernels, xs = numbers((3, *kernel_shape(g))), numbers((3, g.matrix_shape[1]))
    apply = lambda kernel, x: conv_matrix(kernel, g) @ x  # noqa: E731

    @jax.jit
    def mapped(kernels, xs):
        matrices = jax.vmap(lambda kernel: conv_matrix(kernel, g))(kernels)
        return (
            jax.vmap(apply)(kernels, xs),
            jax.vmap(apply, (0, None))(kernels, xs[0]),
            jax.vmap(apply, (None, 0))(kernels[0], xs),
            jax.vmap(lambda C, x: C @ x)(matrices, xs),
            jax.vmap(lambda C: C.T.T.todense())(matrices),
        )

    both, by_kernel, by_x, matrices, entries = mapped(kernels, xs)
    C = np.stack([dense(g, kernel) for kernel in kernels])
    exact = np.einsum("brc,ac->bar", C, xs)  # kernel b, map a
    atol = 4 * C.shape[2] * np.finfo(float).eps * (abs(C) @ abs(xs).T).max()
    pairs = (both, exact[range(3), range(3)]), (by_kernel, exact[:, 0]), (by_x, exact[0]), (matrices, both)
    for found, expected in (*pairs, (entries, C)):
        np.testing.assert_allclose(found, expected, rtol=0, atol=atol)


@pytest.mark.parametrize("out_axes", [0, -1])
def test_a_batch_of_matrices_is_for_vmap(out_axes):
    """Outside of vmap it would multiply only its first matrix, or fail with another message."""
    x, y = numbers(G.matrix_shape[1]), numbers(G.matrix_shape[0])
    kernels = numbers((3, *kernel_shape(G)))
    batch = jax.vmap(lambda kernel: conv_matrix(kernel, G), out_axes=out_axes)(kernels)
    assert repr(batch).startswith(f"ConvMatrix(a batch of 3: shape={G.matrix_shape}, nnz={G.nnz}, ")
    assert repr(batch.T.H.T).startswith("ConvMatrix.T(a batch of 3: ")
    products = jax.vmap(lambda C: C @ x, in_axes=out_axes)(batch)
    np.testing.assert_allclose(products, [conv_matrix(kernel, G) @ x for kernel in kernels], atol=1e-12)
    uses = [
        lambda C: C @ x,
        lambda C: C(x.reshape(*G.input_shape, -1)),
        lambda C: y @ C,
        lambda C: C.T @ y,
        lambda C: C.H(y.reshape(*G.output_shape, -1)),
        lambda C: C.to_coo(),
        lambda C: C.todense(),
        lambda C: C.T.todense(),
        lambda C: C.to_scipy(),
        lambda C: C.to_bcoo(),
        lambda C: C.to_bcsr(),
        jax.jit(lambda C: C.todense()),
    ]
    for use in uses:
        with pytest.raises(GeometryError, match=r"this is a batch of matrices, .* inside jax.vmap, as in"):
            use(batch)
    if not out_axes:
        one = jax.tree.map(lambda values: values[1], batch)
        np.testing.assert_array_equal(one.todense(), conv_matrix(kernels[1], G).todense())


ZEROS_MODE = [*FEW[:3], CASES[7], CASES[17]]  # groups, both dilations, and a loop over slots


@pytest.mark.parametrize("g", ZEROS_MODE, ids=str)
def test_nothing_gathers_or_scatters(g):
    """Building, both products and all their gradients are pads, slices and sums."""

    def loss(kernel, x, y):
        C = conv_matrix(kernel, g)
        return ((C @ x) * y).sum() + ((C.T @ y) * x).sum()

    x, kernel, y = operands(g)
    for function in (loss, jax.grad(loss, (0, 1, 2)), jax.hessian(loss)):
        program = jax.jit(function).lower(kernel, x.ravel(), y.ravel()).as_text()
        assert "gather" not in program
        assert "scatter" not in program


MANY = [  # sums over features by matrix products, forward and back
    ConvGeometry((4,), (2,), in_features=20, out_features=3),
    ConvGeometry((4,), (2,), in_features=2, out_features=70),
    ConvGeometry((5,), (3,), in_features=130, out_features=132, feature_group_count=2, strides=2, padding=1),
]


@pytest.mark.parametrize("g", MANY, ids=str)
def test_many_features(g):
    check_matrix(g)


class TestDevices:
    """Rows of C shard over a mesh: results match those of one device, and each device has its share."""

    @pytest.mark.parametrize(
        "g",
        [
            ConvGeometry((16, 6), (3, 3), in_features=2, out_features=3, padding="SAME"),
            ConvGeometry((34, 5), (3, 2), strides=2, padding=((0, 0), (1, 0))),
            ConvGeometry((8, 5), (12, 11), padding=((5, 6), (5, 5)), in_features=2, out_features=2),
            ConvGeometry((16, 4), (3, 3), padding=1, padding_mode="circular", feature_group_count=2,
                         in_features=2, out_features=4),
        ],
        ids=str,
    )  # fmt: skip
    def test_rows_shard(self, g):
        mesh = jax.make_mesh((8,), ("rows",), axis_types=(AxisType.Auto,))
        rows = NamedSharding(mesh, PartitionSpec(None, "rows"))
        x, kernel, y = operands(g)
        one = conv_matrix(kernel, g)
        share = (one.values.shape[0], one.values.shape[1] // 8, *one.values.shape[2:])
        built = jax.jit(conv_matrix, static_argnums=1, out_shardings=rows)(kernel, g)
        placed = jax.device_put(one, rows)
        for C in (built, placed):
            assert {shard.data.shape for shard in C.values.addressable_shards} == {share}
            np.testing.assert_array_equal(C.values, one.values)
            columns = np.stack([x.ravel()] * 3, 1), np.stack([y.ravel()] * 3, 1)
            assert_rounds_to(C(x), Expected(g, x, kernel, y).conv)
            assert_rounds_to(C.T(y), Expected(g, x, kernel, y).transpose)
            np.testing.assert_allclose(C @ columns[0], one @ columns[0], rtol=1e-13, atol=1e-13)
            np.testing.assert_allclose(C.T @ columns[1], one.T @ columns[1], rtol=1e-13, atol=1e-13)
            program = jax.jit(lambda C, x: C @ x).lower(C, columns[0]).compile()
            assert program.input_shardings[0][0].values.is_equivalent_to(rows, C.values.ndim)

    def test_devices_must_divide_the_axis(self):
        mesh = jax.make_mesh((8,), ("rows",), axis_types=(AxisType.Auto,))
        C = conv_matrix(np.ones((3, 1, 1)), ConvGeometry((9,), (3,)))  # 7 positions
        with pytest.raises(ValueError, match="partitioned 8 times"):
            jax.device_put(C, NamedSharding(mesh, PartitionSpec(None, "rows")))

    @pytest.mark.parametrize("g", [G, ConvGeometry((6, 5), (3, 3), in_features=20, out_features=18)], ids=str)
    def test_shard_map(self, g):
        """A batch over devices, C on all of them; sums written out, and in a loop."""
        x, kernel, y = operands(g, batch=(8,))
        mesh = jax.make_mesh((8,), ("data",), axis_types=(AxisType.Auto,))
        P = PartitionSpec
        for product, maps in (
            (lambda x, kernel: conv_matrix(kernel, g)(x), x),
            (lambda y, kernel: conv_matrix(kernel, g).T(y), y),
        ):
            mapped = jax.shard_map(product, mesh=mesh, in_specs=(P("data"), P()), out_specs=P("data"))
            expected = product(maps, kernel)
            np.testing.assert_allclose(jax.jit(mapped)(maps, kernel), expected, rtol=1e-12, atol=1e-12)


def test_values_are_the_only_leaf():
    C = random_matrix(G)
    (leaf,) = jax.tree.leaves(C)
    assert leaf is C.values
    doubled = jax.tree.map(lambda values: 2 * values, C)
    assert isinstance(doubled, ConvMatrix)
    np.testing.assert_array_equal(doubled.todense(), 2 * C.todense())
    equal = conv_matrix(C.values[:0].sum() + np.ones(kernel_shape(G)), eval(repr(G)))
    assert jax.tree.structure(C) == jax.tree.structure(equal)
    assert jax.tree.structure(C) != jax.tree.structure(C.T)
    assert "shape=(20, 40)" in repr(ConvMatrix(C.values, ConvGeometry((4, 5), (1, 1), in_features=2)))


def test_jit_with_the_geometry_static():
    kernel = numbers(kernel_shape(G))
    C = jax.jit(conv_matrix, static_argnums=1)(kernel, G)
    np.testing.assert_array_equal(C.todense(), dense(G, kernel))
    transpose = jax.jit(lambda C: C.T)(C)
    assert (transpose.shape, transpose.geometry) == (C.shape[::-1], G)
    assert transpose.transposed
    scanned, _ = lax.scan(lambda C, _: (C.T.T, None), C, None, length=2)
    np.testing.assert_array_equal(scanned.values, C.values)


# dtypes


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("g", [FEW[0], FEW[3]], ids=str)
def test_dtypes(g, dtype):
    """16-bit floats store rounded entries, sum in float32 and round the sum."""
    dtype = jnp.dtype(dtype)
    half = dtype.itemsize == 2
    x, kernel, y = operands(g, dtype, batch=(2,))

    @jax.jit
    def results(kernel):
        C = conv_matrix(kernel, g)
        return C(x), C.T(y), C.H(y), C.todense(), C.to_coo()[2]

    found = results(kernel)
    assert {array.dtype for array in found} == {dtype}
    wide = np.complex128 if np.issubdtype(dtype, np.complexfloating) else np.float64
    x, kernel, y = (operand.astype(wide) for operand in (x, kernel, y))
    expected = Expected(g, x, kernel, y)
    precision = {"dtype": np.float32 if half else dtype, "storage": jnp.finfo(dtype).eps if half else None}
    assert_rounds_to(found[0], expected.conv, **precision)
    assert_rounds_to(found[1], expected.transpose, **precision)
    assert_rounds_to(found[2], Expected(g, x, kernel.conj(), y).transpose, **precision)


# Refusals

HUGE = ConvGeometry((10**6, 10**6), (3, 3))


def test_too_large_for_the_memory_is_refused_before_it_is_allocated():
    for mode in ("zeros", "circular", "replicate"):
        g = ConvGeometry((10**6, 10**6), (3, 3), padding=1, padding_mode=mode)
        tracemalloc.start()
        start = time.perf_counter()
        with pytest.raises(SizeError, match="bytes"):
            conv_matrix(np.ones(kernel_shape(g)), g)
        assert time.perf_counter() - start < 5
        assert tracemalloc.get_traced_memory()[1] < 2e8
        tracemalloc.stop()


def test_too_large_is_refused_under_jit():
    g = ConvGeometry((10**5, 10**5), (3, 3), in_features=512, out_features=512)
    kernel = jax.ShapeDtypeStruct(kernel_shape(g), np.float32)
    with pytest.raises(SizeError, match="not enough room for C of"):
        jax.eval_shape(lambda kernel: conv_matrix(kernel, g), kernel)


@pytest.mark.parametrize("g", [*FEW, CASES[10], MODES[4]], ids=str)
def test_max_bytes_is_the_size_of_the_values(g):
    kernel = numbers(kernel_shape(g))
    nbytes = conv_matrix(kernel, g).nbytes
    assert conv_matrix(kernel, g, max_bytes=nbytes).nbytes == nbytes
    with pytest.raises(SizeError, match="max_bytes"):
        conv_matrix(kernel, g, max_bytes=nbytes - 1)


def test_a_dense_matrix_too_large_is_refused():
    C = random_matrix(G)
    size = math.prod(C.shape) * 8
    assert C.todense(max_bytes=size).nbytes == size
    with pytest.raises(SizeError, match="dense"):
        C.todense(max_bytes=size - 1)
    wide = ConvGeometry((10**6,), (1,))
    with pytest.raises(SizeError, match="dense"):
        jax.eval_shape(lambda kernel: conv_matrix(kernel, wide).todense(), np.ones((1, 1, 1)))


WIDE = ConvGeometry((50_000, 60_000), (2, 1), strides=(49_000, 59_999))  # 3e9 columns, 8 entries


def test_columns_beyond_int32():
    C = random_matrix(WIDE)
    kernel = numbers(kernel_shape(WIDE), seed=f"k{WIDE}").ravel()
    assert (C.shape, C.nnz) == ((4, 3 * 10**9), 8)
    for export in (C.to_bcoo, C.to_bcsr):
        with pytest.raises(SizeError, match="int32"):
            export()
    S = C.to_scipy("csr")
    assert S.indices.dtype == np.int64
    cell = lambda row, column: row * 60_000 + column  # noqa: E731
    corners = [(row, column) for row in (0, 49_000) for column in (0, 59_999)]
    expected = [[cell(row, column), cell(row + 1, column)] for row, column in corners]
    np.testing.assert_array_equal(S.indices.reshape(4, 2), expected)
    np.testing.assert_array_equal(S.data.reshape(4, 2), [kernel] * 4)
    row, column, _ = C.to_coo()
    assert row.dtype == column.dtype == np.int64


def test_a_product_too_large_is_refused_before_it_is_allocated():
    """The transpose has a row for every column of C."""
    C = random_matrix(ConvGeometry((10**6, 10**6), (1, 1), strides=999_999))
    with pytest.raises(SizeError, match="product"):
        C.T @ np.ones(4)
    with pytest.raises(SizeError, match="product"):
        C.T(np.ones((2, 2, 1)))


def test_kernel_must_fit_the_geometry():
    for shape in [(3, 2, 3, 2), (2, 3, 2, 3), (3, 2, 2), (3, 2, 2, 3, 1), (3, 2, 1, 3), ()]:
        with pytest.raises(GeometryError, match="kernel"):
            conv_matrix(np.ones(shape), G)
    with pytest.raises(GeometryError, match="kernel"):
        jax.eval_shape(lambda kernel: conv_matrix(kernel, G), jax.ShapeDtypeStruct((3, 2, 3, 2), np.float64))


@pytest.mark.parametrize("dtype", [int, bool, np.uint8], ids=str)
def test_integer_kernels_are_refused(dtype):
    with pytest.raises(TypeError, match="kernel"):
        conv_matrix(np.ones(kernel_shape(G), dtype), G)


def test_operands_of_another_shape_or_dtype():
    C = random_matrix(G)
    n = C.shape[1]
    for shape in [(n + 1,), (n - 1, 2), (2, n), (n, 2, 2), ()]:
        with pytest.raises(GeometryError, match="shape"):
            C @ np.ones(shape)
        with pytest.raises(GeometryError, match="shape"):
            C.T @ np.ones(shape)
    for shape in [(5, 4, 3), (4, 5, 2), (2,), (4, 2), (n,), (2, 5, 4), ()]:
        with pytest.raises(GeometryError, match="feature map"):
            C(np.ones(shape))
        with pytest.raises(GeometryError, match="feature map"):
            jax.eval_shape(C, jax.ShapeDtypeStruct(shape, C.dtype))
    with pytest.raises(GeometryError, match="feature map"):
        C.T(np.ones((5, 4, 2)))
    for dtype in (np.float32, np.complex128, int, bool):
        with pytest.raises(TypeError, match=r"float64|floating"):
            C @ np.ones(n, dtype)
        with pytest.raises(TypeError, match=r"float64|floating"):
            C(np.ones((5, 4, 2), dtype))


def test_the_transpose_shares_the_values():
    C = random_matrix(G)
    assert C.T.values is C.values
    assert C.T.geometry is C.geometry
    assert not C.T.T.transposed
    y = numbers(C.shape[0])
    doubled = jax.tree.map(lambda values: 2 * values, C)
    np.testing.assert_array_equal(doubled.T @ y, 2 * (C.T @ y))
    np.testing.assert_allclose(jax.jit(lambda y: C.T @ y)(y), C.T @ y, rtol=1e-13)


def test_other_operands_are_refused(rng):
    g = ConvGeometry((5,), (3,))
    C = conv_matrix(jnp.ones((3, 1, 1)), g)
    with pytest.raises(TypeError, match="`x` must be an array of numbers"):
        C @ C.T.to_scipy()
    with pytest.raises(TypeError, match="todense"):
        np.asarray(C)
    with pytest.raises(TypeError, match="ConvGeometry"):
        conv_matrix(jnp.ones((3, 1, 1)), ((5,), (3,)))
    assert "int" in repr(jax.tree.map(lambda values: 0, C))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
class TestSixteenBits:
    """Sums of thousands of ones: in 16 bits they would stop at 256 (bfloat16) or 2048 (float16)."""

    def test_gradients(self, dtype):
        g = ConvGeometry((64, 64), (3, 3), padding="SAME")
        x, kernel, y = (jnp.ones(shape, dtype) for shape in ((64, 64, 1), (3, 3, 1, 1), 4096))
        for loss in (
            lambda kernel: conv_matrix(kernel, g)(x),
            lambda kernel: conv_matrix(kernel, g) @ x.ravel(),
            lambda kernel: conv_matrix(kernel, g).T @ y,
        ):
            gradient = jax.grad(lambda kernel, loss=loss: loss(kernel).astype(jnp.float32).sum())(kernel)
            assert gradient.dtype == dtype
            assert gradient[1, 1, 0, 0] == 4096
        wide = conv_matrix(jnp.ones((31, 31, 1, 1), dtype), ConvGeometry((64, 64), (31, 31), padding="SAME"))
        gradient = jax.grad(lambda x: wide(x).astype(jnp.float32).sum())(x)
        assert gradient[32, 32, 0] == jnp.asarray(961, dtype)

    def test_duplicates(self, dtype):
        g = ConvGeometry((2,), (2002,), padding=1000, padding_mode="replicate")
        C = conv_matrix(jnp.ones((2002, 1, 1), dtype), g)
        assert (C.to_coo()[2] == jnp.asarray(1001, dtype)).all()
        assert (C.todense() == jnp.asarray(1001, dtype)).all()
