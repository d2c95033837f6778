"""The derivative rules: the list of jax features that the closed family must survive."""

from functools import partial

import chex
import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jax.test_util import check_grads

from jaxconv import ConvGeometry, conv, conv_kernel_vjp, conv_matrix, conv_transpose

GEOMETRY = ConvGeometry(
    (7, 6),
    (3, 2),
    in_features=4,
    out_features=6,
    strides=(2, 1),
    padding=((1, 2), (0, -1)),
    kernel_dilation=(1, 2),
    input_dilation=(2, 1),
    feature_group_count=2,
)
ARGUMENTS = GEOMETRY.options
SHAPES = {
    "x": (*GEOMETRY.input_shape, 4),
    "w": GEOMETRY.kernel_array_shape,
    "y": (*GEOMETRY.output_shape, 6),
}


def forward(x, w):
    return conv(x, w, **ARGUMENTS)


def transposed(y, w):
    return conv_transpose(y, w, input_shape=GEOMETRY.input_shape, **ARGUMENTS)


def kernel_vjp(x, y):
    return conv_kernel_vjp(x, y, SHAPES["w"], **ARGUMENTS)


def lax_forward(x, w):
    """The same convolution without this library."""
    g = GEOMETRY
    return lax.conv_general_dilated(
        x,
        w,
        g.strides,
        g.padding,
        g.input_dilation,
        g.kernel_dilation,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=2,
    )


MEMBERS = {
    "conv": (forward, "xw"),
    "conv_transpose": (transposed, "yw"),
    "conv_kernel_vjp": (kernel_vjp, "xy"),
}
EVERY_MEMBER = pytest.mark.parametrize(("function", "names"), MEMBERS.values(), ids=MEMBERS)


@pytest.fixture
def draw(rng):
    def normal(name, *batch, dtype=np.float64):
        numbers = rng.normal(size=(*batch, *SHAPES[name]))
        if np.issubdtype(dtype, np.complexfloating):
            numbers = numbers + 1j * rng.normal(size=numbers.shape)
        return jnp.asarray(numbers, dtype)

    return normal


def operands(draw, names, dtype=np.float64):
    return [draw(name, *([] if name == "w" else [2]), dtype=dtype) for name in names]


def close(got, expected, digits=12):
    """Agreement to `digits` relative to the largest number: sums of some hundred products in float64."""
    scale = np.abs(expected).max()
    np.testing.assert_allclose(got, expected, rtol=0, atol=10.0**-digits * scale)


@EVERY_MEMBER
@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
def test_both_modes_to_second_order(draw, function, names, dtype):
    check_grads(function, operands(draw, names, dtype), order=2, modes=("fwd", "rev"))


@EVERY_MEMBER
def test_derivatives_stay_in_the_family(draw, function, names):
    def loss(a, b):
        return (function(a, b) ** 3).sum()

    third = jax.grad(lambda a, b: jax.grad(lambda a, b: jax.grad(loss)(a, b).sum(), 1)(a, b).sum())
    program = str(jax.make_jaxpr(third)(*operands(draw, names)))
    assert "jaxconv_conv" in program
    for outside in ("conv_general_dilated", "scatter", "dot_general"):
        assert outside not in program


def test_hessians_agree_four_ways(draw):
    x, w = operands(draw, "xw")
    x, w = x[..., :2], w[:, :, :1, :2]  # fewer features: 12 x 12 second derivatives

    def loss(w):
        return (forward(x, w) ** 3).sum()

    expected = jax.jacfwd(jax.jacfwd(lambda w: (lax_forward(x, w) ** 3).sum()))(w)
    ways = (jax.jacfwd, jax.jacrev)
    for outer in ways:
        for inner in ways:
            close(outer(inner(loss))(w), expected)


@EVERY_MEMBER
@pytest.mark.parametrize(
    "mapped", [(True, False), (False, True), (True, True)], ids=["first", "second", "both"]
)
def test_vmap(draw, function, names, mapped):
    singles = operands(draw, names)
    stacks = [draw(name, *([3] if name == "w" else [3, 2])) for name in names]
    given = [stack if m else single for stack, single, m in zip(stacks, singles, mapped, strict=True)]
    axes = tuple(0 if m else None for m in mapped)
    expected = jnp.stack(
        [function(*(a[i] if m else a for a, m in zip(given, mapped, strict=True))) for i in range(3)]
    )
    close(jax.vmap(function, axes)(*given), expected)
    inner = tuple(1 if m else None for m in mapped)
    moved = [jnp.moveaxis(a, 0, 1) if m else a for a, m in zip(given, mapped, strict=True)]
    close(jax.vmap(function, inner, out_axes=-1)(*moved), jnp.moveaxis(expected, 0, -1))
    none = [a[:0] if m else a for a, m in zip(given, mapped, strict=True)]
    assert jax.vmap(function, axes)(*none).shape == (0, *expected.shape[1:])


def test_vmap_nests_and_maps_gradients(draw):
    x, w = draw("x", 3, 2), draw("w", 5)
    every = jax.vmap(jax.vmap(forward, (None, 0)), (0, None))(x, w)
    assert every.shape == (3, 5, 2, *SHAPES["y"])
    close(every[1, 4], forward(x[1], w[4]))

    def gradient(x, w):
        return jax.grad(lambda w: (forward(x, w) ** 2).sum())(w)

    per_example = jax.vmap(gradient, (0, None))(x, w[0])
    close(per_example, jnp.stack([gradient(x[i], w[0]) for i in range(3)]))


def test_linear_transpose_of_the_transpose_is_the_convolution(draw):
    x, w, y = draw("x", 2), draw("w"), draw("y", 2)
    close(jax.linear_transpose(lambda y: transposed(y, w), y)(x)[0], forward(x, w))
    close(jax.linear_transpose(lambda x: forward(x, w), x)(y)[0], transposed(y, w))
    _, tangent = jax.linearize(lambda x: forward(x, w), x)
    close(tangent(x), forward(x, w))


def test_control_flow_and_remat(draw):
    x, w = operands(draw, "xw")
    expected = jax.grad(lambda w: (lax_forward(x, w) ** 2).sum())(w)

    def scanned(w):
        step = jax.checkpoint(lambda total, x: (total + (forward(x, w) ** 2).sum(), None))
        return lax.scan(step, jnp.zeros(()), x)[0]

    close(jax.grad(scanned)(w), expected)
    chosen = jax.grad(lambda w: lax.cond(w.sum() < jnp.inf, forward, lax_forward, x, w).sum())(w)
    close(chosen, jax.grad(lambda w: lax_forward(x, w).sum())(w))


@EVERY_MEMBER
def test_cotangents_have_their_arguments_dtype(draw, function, names):
    a, b = (operand.astype(jnp.bfloat16) for operand in operands(draw, names))
    for gradient in jax.grad(lambda a, b: function(a, b).astype(jnp.float32).sum(), (0, 1))(a, b):
        assert gradient.dtype == jnp.bfloat16
    x, w = (operand.astype(jnp.bfloat16) for operand in operands(draw, "xw"))
    wide = jax.grad(lambda x: conv(x, w, preferred_element_type=jnp.float32, **ARGUMENTS).sum())
    assert wide(x).dtype == jnp.bfloat16


def test_a_real_operand_of_a_complex_result_has_a_real_gradient(draw):
    x, w = operands(draw, "xw")

    def loss(x):
        return conv(x, w, preferred_element_type=jnp.complex128, **ARGUMENTS).real.sum()

    close(jax.grad(loss)(x), jax.grad(lambda x: lax_forward(x, w).sum())(x))


def test_equal_geometries_are_traced_once(draw):
    x, w = operands(draw, "xw")
    again = ConvGeometry(
        GEOMETRY.input_shape, GEOMETRY.kernel_shape, in_features=4, out_features=6, **ARGUMENTS
    )

    @partial(jax.jit, static_argnums=0)
    @chex.assert_max_traces(n=1)
    def apply(g, x, w):
        return conv(x, w, geometry=g)

    close(apply(GEOMETRY, x, w), apply(again, x, w))
    with jax.checking_leaks():
        close(jax.jit(lambda k: conv_matrix(k, GEOMETRY).T.T(x))(w), forward(x, w))


def test_one_small_function_is_lowered_for_many_calls(draw):
    x, w = operands(draw, "xw")

    def lines(calls):
        return len(
            jax.jit(lambda x, w: sum(forward(x, w * float(n)) for n in range(calls)))
            .lower(x, w)
            .as_text()
            .splitlines()
        )

    assert lines(8) - lines(4) <= 4 * 8  # a call each, not the convolution again


@EVERY_MEMBER
def test_exports_with_a_symbolic_batch(draw, function, names):
    a, b = operands(draw, names)
    (n,) = jax.export.symbolic_shape("n")
    shapes = [
        jax.ShapeDtypeStruct(op.shape if name == "w" else (n, *op.shape[1:]), op.dtype)
        for name, op in zip(names, (a, b), strict=True)
    ]
    gradients = jax.grad(lambda a, b: (function(a, b) ** 2).sum(), (0, 1))
    exported = jax.export.export(jax.jit(gradients), platforms=("cpu", "cuda", "tpu"))(*shapes)
    for got, expected in zip(exported.call(a, b), gradients(a, b), strict=True):
        close(got, expected)


@pytest.mark.parametrize("devices", [2, 8])
class TestMeshes:
    """Batches over devices: sharded jit, shard_map and explicit meshes give the single-device numbers."""

    @pytest.fixture
    def single(self, draw):
        x, w = draw("x", 8), draw("w")
        return x, w, self.gradients(lambda x, w: (lax_forward(x, w) ** 2).sum())(x, w)

    @staticmethod
    def gradients(loss):
        return jax.jit(jax.grad(loss, (0, 1)))

    def test_sharded_jit(self, single, devices):
        x, w, expected = single
        mesh = Mesh(np.array(jax.devices()[:devices]), ("data",))
        x = jax.device_put(x, NamedSharding(mesh, P("data")))
        got = self.gradients(lambda x, w: (forward(x, w) ** 2).sum())(x, w)
        assert got[0].sharding.spec[0] == "data"
        for a, b in zip(got, expected, strict=True):
            close(a, b)

    @pytest.mark.parametrize("function", [forward, lambda x, w: kernel_vjp(x, forward(x, w))])
    def test_shard_map(self, single, devices, function):
        x, w, _ = single
        mesh = Mesh(np.array(jax.devices()[:devices]), ("data",))

        def loss(x, w):
            return jax.lax.psum((function(x, w) ** 2).sum(), "data")

        mapped = jax.shard_map(loss, mesh=mesh, in_specs=(P("data"), P()), out_specs=P())

        def by_parts(x, w):
            return sum((function(part, w) ** 2).sum() for part in jnp.split(x, devices))

        for a, b in zip(self.gradients(mapped)(x, w), self.gradients(by_parts)(x, w), strict=True):
            close(a, b)

    def test_explicit_mesh(self, single, devices):
        x, w, expected = single
        mesh = jax.make_mesh(
            (devices,), ("data",), axis_types=(AxisType.Explicit,), devices=jax.devices()[:devices]
        )
        with jax.set_mesh(mesh):
            x, w = (
                jax.device_put(x, NamedSharding(mesh, P("data"))),
                jax.device_put(w, NamedSharding(mesh, P())),
            )
            got = self.gradients(lambda x, w: (forward(x, w) ** 2).sum())(x, w)
        for a, b in zip(got, expected, strict=True):
            close(a, b)


@EVERY_MEMBER
def test_without_jit(draw, function, names):
    a, b = operands(draw, names)
    expected = function(a, b)
    with jax.disable_jit():
        close(function(a, b), expected)


@EVERY_MEMBER
@pytest.mark.parametrize("jitted", [True, False], ids=["jit", "no jit"])
def test_results_are_where_the_operands_are(draw, function, names, jitted):
    a, b = operands(draw, names)
    device = jax.devices()[3]
    with jax.disable_jit(not jitted):
        assert function(jax.device_put(a, device), b).devices() == {device}
        assert function(a, jax.device_put(b, device)).devices() == {device}
        with jax.default_device(jax.devices()[5]):
            assert function(jax.device_put(a, device), b).devices() == {device}


def test_a_sharded_batch_stays_sharded_without_a_program_around_it(draw):
    mesh = Mesh(np.array(jax.devices()[:2]), ("data",))
    x, w = draw("x", 4), draw("w")
    y = forward(jax.device_put(x, NamedSharding(mesh, P("data"))), w)
    assert y.sharding.spec[0] == "data"
    close(y, lax_forward(x, w))
