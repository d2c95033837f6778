"""A convolution as a linear operator of lineax, matrix-free and explicit."""

import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import pytest

from jaxconv import ConvGeometry, ConvMatrixOperator, ConvOperator, GeometryError, conv_matrix

GEOMETRIES = [
    ConvGeometry(
        (4, 3), (2, 2), in_features=2, out_features=4, feature_group_count=2, padding=((1, 0), (0, 1))
    ),
    ConvGeometry((7,), (3,), strides=2, padding=2, padding_mode="circular"),
]


@pytest.fixture(params=GEOMETRIES, ids=str)
def geometry(request):
    return request.param


@pytest.fixture(params=["free", "explicit"])
def make(request):
    if request.param == "free":
        return ConvOperator
    return lambda kernel, g: ConvMatrixOperator(conv_matrix(kernel, g))


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_products_transposes_and_conjugates(geometry, make, dtype, rng):
    kernel = rng.normal(size=geometry.kernel_array_shape).astype(dtype)
    if dtype == np.complex128:
        kernel = kernel + 1j * rng.normal(size=kernel.shape)
    dense = np.asarray(conv_matrix(kernel, geometry).todense())
    operator = make(jnp.asarray(kernel), geometry)
    x, y = (rng.normal(size=n).astype(dtype) for n in dense.shape[::-1])
    bound = 8 * dense.size * np.finfo(float).eps
    np.testing.assert_allclose(operator.mv(x), dense @ x, atol=bound)
    np.testing.assert_allclose(operator.T.mv(y), dense.T @ y, atol=bound)
    np.testing.assert_allclose(operator.as_matrix(), dense, atol=bound)
    np.testing.assert_allclose(operator.T.as_matrix(), dense.T, atol=bound)
    np.testing.assert_allclose(lx.conj(operator).mv(x), dense.conj() @ x, atol=bound)
    assert operator.in_structure() == operator.T.out_structure()
    assert operator.out_structure().shape == (dense.shape[0],)


def test_solves_and_differentiates_through_the_solution(make, rng):
    g = ConvGeometry((6,), (3,), padding="SAME")
    kernel = jnp.asarray(rng.normal(size=(3, 1, 1))) + jnp.array([0.0, 4.0, 0.0]).reshape(3, 1, 1)
    y = jnp.asarray(rng.normal(size=6))
    solver = lx.AutoLinearSolver(well_posed=True)

    def solve(kernel):
        return lx.linear_solve(make(kernel, g), y, solver).value

    def dense_solve(kernel):
        return jnp.linalg.solve(conv_matrix(kernel, g).todense(), y)

    np.testing.assert_allclose(solve(kernel), dense_solve(kernel), rtol=1e-12)
    got, expected = (jax.grad(lambda k, f=f: (f(k) ** 2).sum())(kernel) for f in (solve, dense_solve))
    np.testing.assert_allclose(got, expected, rtol=1e-11)


def test_conjugate_gradients_on_the_normal_equations(make, rng):
    g = ConvGeometry((8,), (3,), padding="SAME")
    operator = make(jnp.array([1.0, 5.0, -2.0]).reshape(3, 1, 1), g)
    y = jnp.asarray(rng.normal(size=8))
    normal = lx.TaggedLinearOperator(operator.T @ operator, lx.positive_semidefinite_tag)
    x = lx.linear_solve(normal, operator.T.mv(y), lx.CG(rtol=1e-12, atol=1e-12)).value
    np.testing.assert_allclose(operator.mv(x), y, atol=1e-9)


def test_works_under_jit_and_refuses_a_wrong_kernel(make, rng):
    g = GEOMETRIES[1]
    kernel, x = jnp.asarray(rng.normal(size=(3, 1, 1))), jnp.asarray(rng.normal(size=7))
    jitted = jax.jit(lambda operator, x: operator.mv(x))
    np.testing.assert_allclose(jitted(make(kernel, g), x), make(kernel, g).mv(x), rtol=1e-14)
    with pytest.raises(GeometryError, match="got"):
        make(kernel[:2], g)


def test_numpy_kernels_are_checked_and_vectors_too(rng):
    g = ConvGeometry((5,), (3,))
    assert ConvOperator(rng.normal(size=(3, 1, 1)), g).mv(jnp.ones(5)).shape == (3,)
    with pytest.raises(GeometryError, match="got"):
        ConvOperator(np.ones((2, 1, 1)), g)
    with pytest.raises(TypeError, match="floating"):
        ConvOperator(np.ones((3, 1, 1), int), g)
    with pytest.raises(GeometryError, match="flat vector"):
        ConvOperator(np.ones((3, 1, 1)), g).mv(jnp.ones(4))
    with pytest.raises(TypeError, match="conv_matrix"):
        ConvMatrixOperator(jnp.ones((3, 5)))


def test_a_batch_of_operators_is_for_vmap(make, rng):
    g = GEOMETRIES[1]
    kernels, x = jnp.asarray(rng.normal(size=(3, 3, 1, 1))), jnp.asarray(rng.normal(size=7))
    batch = jax.vmap(lambda kernel: make(kernel, g))(kernels)
    each = [make(kernel, g).mv(x) for kernel in kernels]
    np.testing.assert_allclose(jax.vmap(lambda operator: operator.mv(x))(batch), each, atol=1e-13)
    for use in (
        lambda operator: operator.mv(x),
        lambda operator: operator.T.mv(operator.mv(x)),
        lambda operator: operator.as_matrix(),
        lx.diagonal,
        lx.materialise,
        lambda operator: lx.linear_solve(operator, jnp.ones(5), lx.LSMR(rtol=1e-5, atol=1e-5)),
    ):
        with pytest.raises(GeometryError, match=r"a batch of (operators|matrices), .* jax.vmap, as in"):
            use(batch)


def test_takes_a_list_and_is_rebuilt_without_checks():
    g = ConvGeometry((4,), (2,))
    operator = ConvOperator([[[1.0]], [[10.0]]], g)
    assert operator.mv(jnp.arange(4.0)).tolist() == [10.0, 21.0, 32.0]
    leaves, structure = jax.tree.flatten(operator)
    assert jax.tree.unflatten(structure, [None]).kernel is None  # as JAX does inside of its transformations
    assert jax.tree.unflatten(structure, leaves).T.transposed
