"""The formulation "onednn": its numbers, where it is taken and where not, and threads.

Skipped where no oneDNN is found; tests/convolution/test_native.py has what must hold without one.
"""

import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from oracles import Expected, assert_rounds_to, operands, terms
from strategies import CASES

from jaxconv import ConvGeometry, GeometryError, conv, conv_kernel_vjp, conv_transpose, explain
from jaxconv.convolution import native
from jaxconv.convolution.formulations.onednn import reason_against
from jaxconv.convolution.padding import geometry_after_padding

MEMBERS = (conv, conv_transpose, conv_kernel_vjp)
TAKEN = [g for g in CASES if not reason_against(geometry_after_padding(g))]
LAYER = ConvGeometry((20, 18), (3, 3), in_features=16, out_features=24, padding=1)


@pytest.fixture(autouse=True, scope="module")
def onednn():
    if not native.available():
        pytest.skip(f"no oneDNN to compare with: {native.state().reason}")


def family(g, method="onednn", **kwargs):
    """The three members, of one geometry, as one function."""

    def compute(x, kernel, y):
        pairs = ((x, kernel), (y, kernel), (x, y))
        return [
            member(*pair, geometry=g, method=method, **kwargs)
            for member, pair in zip(MEMBERS, pairs, strict=True)
        ]

    return compute


def whole_numbers(g, batch, seed=0):
    """Operands in float32 whose products sum without rounding, in any order."""
    rng = np.random.default_rng(seed)
    shapes = (
        (batch, *g.input_shape, g.in_features),
        g.kernel_array_shape,
        (batch, *g.output_shape, g.out_features),
    )
    return [rng.integers(-4, 5, shape).astype(np.float32) for shape in shapes]


def by_lax(g, x, kernel, y):
    """The same three by XLA's convolution and its derivatives."""
    n = g.ndim
    spec = ("N" + "XYZ"[:n] + "C", "XYZ"[:n] + "IO", "N" + "XYZ"[:n] + "C")

    def forward(x, kernel):
        return lax.conv_general_dilated(
            x, kernel, g.strides, g.padding, None, g.kernel_dilation, spec, g.feature_group_count
        )

    value, back = jax.vjp(forward, x, kernel)
    return [value, *back(y)]


def calls(function, *args):
    """Counts the calls of the handler in the program of a function."""
    return jax.jit(function).lower(*args).as_text().count(f"custom_call @{native.TARGET}")


@pytest.mark.parametrize("g", TAKEN, ids=str)
def test_family_matches_the_matrix(g):
    x, kernel, y = operands(g, np.float32, (2,))
    results = jax.jit(family(g))(x, kernel, y)
    expected = Expected(g, *(operand.astype(np.float64) for operand in (x, kernel, y)))
    values = expected.conv, expected.transpose, expected.kernel_vjp
    for member, result, value in zip(MEMBERS, results, values, strict=True):
        assert result.dtype == np.float32
        assert_rounds_to(result, value, dtype=np.float32, what=member.__name__)


def test_nan_spreads_along_the_entries_only():
    """Padding and features that oneDNN fills up are not multiplied."""
    g = ConvGeometry((6, 5), (3, 2), in_features=4, out_features=6, feature_group_count=2, padding=1)
    _, kernel, _ = operands(g, np.float32)
    C = terms(g)
    x = np.where(np.eye(C.shape[1]), np.nan, 1).reshape(-1, *g.input_shape, g.in_features)  # one in each map
    y = np.where(np.eye(C.shape[0]), np.nan, 1).reshape(-1, *g.output_shape, g.out_features)
    forward = conv(x.astype(np.float32), kernel, geometry=g, method="onednn")
    back = conv_transpose(y.astype(np.float32), kernel, geometry=g, method="onednn")
    for found, reached in ((forward, C.T > 0), (back, C > 0)):
        np.testing.assert_array_equal(np.isnan(found).reshape(reached.shape), reached)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_floats_are_rounded_once(dtype):
    g, dtype = TAKEN[2], jnp.dtype(dtype)
    x, kernel, y = operands(g, dtype, (2,))
    expected = Expected(g, *(operand.astype(np.float64) for operand in (x, kernel, y)))
    values = expected.conv, expected.transpose, expected.kernel_vjp
    for preferred, storage in ((None, jnp.finfo(dtype).eps), (np.float32, None)):
        results = jax.jit(family(g, preferred_element_type=preferred))(x, kernel, y)
        for result, value in zip(results, values, strict=True):
            assert result.dtype == (preferred or dtype)
            assert_rounds_to(result, value, dtype=np.float32, storage=storage)


STRIDED = {"strides": (3, 2), "padding": ((2, 4), (1, 0))}
DILATED = {"kernel_dilation": (4, 1), "padding": ((5, 3), 1)}
SPLIT = [  # large enough to be split over threads: by maps, and by rows of x or y
    (LAYER, 1),
    (LAYER, 3),
    (LAYER, 8),
    (ConvGeometry((23, 19), (4, 3), in_features=12, out_features=16, **STRIDED), 1),
    (ConvGeometry((40, 11), (3, 2), in_features=16, out_features=8, **DILATED), 3),
    (ConvGeometry((33, 20), (3, 3), in_features=32, out_features=32, feature_group_count=32, padding=2), 1),
    (ConvGeometry((21, 20), (2, 2), in_features=16, out_features=16, strides=5), 1),  # cells between windows
    (ConvGeometry((4000,), (9,), in_features=8, out_features=8, padding=((30, 40),)), 1),  # rows of zeros
    (ConvGeometry((9, 8, 10), (3, 2, 3), in_features=8, out_features=12, padding=1, strides=(2, 1, 1)), 3),
]  # fmt: skip


@pytest.mark.parametrize(("g", "batch"), SPLIT, ids=str)
def test_parts_make_the_whole(g, batch):
    """Of whole numbers, so that a part in the wrong place, or one counted twice, shows exactly."""
    x, kernel, y = whole_numbers(g, batch)
    both = jax.jit(lambda *args: (family(g)(*args), by_lax(g, *args)))
    for one, other in zip(*both(x, kernel, y), strict=True):
        np.testing.assert_array_equal(one, other)


def test_results_are_the_same_from_run_to_run():
    x, kernel, y = operands(LAYER, np.float32, (5,))
    program = jax.jit(family(LAYER))
    first = [np.asarray(one).tobytes() for one in program(x, kernel, y)]
    for _ in range(20):
        assert [np.asarray(one).tobytes() for one in program(x, kernel, y)] == first


def test_threads_at_once_get_what_one_thread_gets(full):
    """Eight threads call programs of random geometries in random order; buffers of one are not another's."""
    rng = np.random.default_rng(0)
    work = []
    for _ in range(12):
        g = random_geometry(rng)
        args = operands(g, np.float32, (int(rng.integers(1, 6)),))
        program = jax.jit(family(g)).lower(*args).compile()
        work.append((program, args, [np.asarray(one).tobytes() for one in program(*args)]))
    wrong = []

    def run(seed, count):
        order = np.random.default_rng(seed).integers(0, len(work), count)
        for program, args, expected in (work[number] for number in order):
            if [np.asarray(one).tobytes() for one in program(*args)] != expected:
                wrong.append(seed)

    threads = [threading.Thread(target=run, args=(seed, 1000 if full else 45)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def random_geometry(rng):
    """A geometry of one to three axes that oneDNN takes."""
    return next(g for g in iter(lambda: any_geometry(rng), None) if not reason_against(g))


def any_geometry(rng):
    n, groups = int(rng.integers(1, 4)), int(rng.choice([1, 1, 2, 4]))
    pick = lambda low, high: tuple(int(v) for v in rng.integers(low, high, n))  # noqa: E731
    return ConvGeometry(
        pick(7, 24), pick(1, 4), in_features=groups * int(rng.integers(1, 9)),
        out_features=groups * int(rng.integers(1, 9)), feature_group_count=groups, strides=pick(1, 3),
        padding=tuple(zip(pick(0, 3), pick(0, 3), strict=True)), kernel_dilation=pick(1, 3),
    )  # fmt: skip


# Where it is taken


def gradients(x, kernel):
    """A loss's gradients, by methods of the library's choice."""
    return jax.grad(lambda x, kernel: (conv(x, kernel, padding=1) ** 2).sum(), (0, 1))(x, kernel)


def test_auto_takes_it_on_one_device():
    x, kernel, _ = whole_numbers(LAYER, 4)
    assert calls(gradients, x, kernel) == 3
    assert calls(gradients, x.astype(np.float64), kernel.astype(np.float64)) == 0
    assert {rule.method for rule in explain(LAYER, batch=4).rules().values()} == {"onednn"}


def test_programs_of_several_devices_do_without():
    x, kernel, _ = whole_numbers(LAYER, 4)
    mesh = Mesh(np.array(jax.devices()[:2]), ("data",))
    sharded = jax.device_put(x, NamedSharding(mesh, P("data")))
    everywhere = jax.device_put(kernel, NamedSharding(mesh, P()))
    assert calls(gradients, sharded, everywhere) == 0
    expected = jax.jit(gradients)(x, kernel)
    for one, other in zip(jax.jit(gradients)(sharded, everywhere), expected, strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(GeometryError, match="one CPU device"):
        jax.jit(lambda x, w: conv(x, w, method="onednn"))(sharded, everywhere)
    with pytest.raises(GeometryError, match="one CPU device"):  # nor outside of jit
        conv(sharded, everywhere, method="onednn")
    np.testing.assert_array_equal(conv(sharded, everywhere, padding=1), conv(x, kernel, padding=1))


def test_each_device_of_shard_map_has_it():
    x, kernel, _ = whole_numbers(LAYER, 4)
    mesh = Mesh(np.array(jax.devices()[:2]), ("data",))
    body = lambda x, kernel: lax.psum(gradients(x, kernel)[1], "data")  # noqa: E731
    mapped = jax.shard_map(body, mesh=mesh, in_specs=(P("data"), P()), out_specs=P(), check_vma=False)
    assert calls(mapped, x, kernel) == 2  # the gradient in x is not used, but the loss's value is
    np.testing.assert_array_equal(jax.jit(mapped)(x, kernel), gradients(x, kernel)[1])
    forward = jax.shard_map(
        lambda x, w: conv(x, w, padding=1), mesh=mesh, in_specs=(P("data"), P()), out_specs=P("data")
    )
    assert calls(forward, x, kernel) == 1
    np.testing.assert_array_equal(jax.jit(forward)(x, kernel), conv(x, kernel, padding=1))


def test_exported_programs_do_without():
    x, kernel, _ = whole_numbers(LAYER, 2)
    exported = jax.export.export(jax.jit(gradients))(x, kernel)
    assert native.TARGET not in exported.mlir_module()
    for one, other in zip(exported.call(x, kernel), jax.jit(gradients)(x, kernel), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(GeometryError, match="exported programs"):
        jax.export.export(jax.jit(lambda x, w: conv(x, w, method="onednn")))(x, kernel)
    with pytest.raises(GeometryError, match="other platforms"):
        jax.export.export(jax.jit(lambda x, w: conv(x, w, method="onednn")), platforms=["cuda"])(x, kernel)


def test_transformations_keep_it():
    """vmap, scan, remat and a derivative of second order, against lax."""
    x, kernel, _ = whole_numbers(LAYER, 4)
    small = kernel / 64

    def loss(layer, kernel):
        step = jax.checkpoint(
            lambda total, x: (total + (jax.vmap(layer, (0, None))(x, kernel) ** 2).sum(), None)
        )
        return lax.scan(step, jnp.zeros((), np.float32), x.reshape(2, 2, 1, *x.shape[1:]))[0]

    def second(layer):
        grad = jax.grad(lambda kernel: loss(layer, kernel))
        return lambda kernel: (grad(kernel), jax.jvp(grad, (kernel,), (kernel,))[1])

    ours = second(lambda x, kernel: conv(x, kernel, padding=1))
    theirs = second(lambda x, kernel: by_lax(LAYER, x, kernel, jnp.zeros((1, 20, 18, 24), np.float32))[0])
    assert calls(ours, small) == 2  # conv and conv_kernel_vjp, each a function of the program
    for one, other in zip(jax.jit(ours)(small), jax.jit(theirs)(small), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5 * abs(other).max())


def test_a_failing_call_is_an_error_of_the_program():
    """The handler refuses; it neither prints nor ends the process."""
    call = jax.ffi.ffi_call(native.TARGET, jax.ShapeDtypeStruct((1, 2, 2, 1), np.float32))
    arguments = {"kind": np.int64(0), "devices": np.int64(1)}
    x, kernel = np.ones((1, 4, 4, 1), np.float32), np.ones((3, 3, 1, 1), np.float32)
    right = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0])
    np.testing.assert_array_equal(call(x, kernel, options=right, **arguments), np.full((1, 2, 2, 1), 9))
    for wrong in (
        np.array([1, 1]),
        np.array([1, 1, 1, 1, 1, 7, 0, 0, 0]),
        np.array([3, 1, 1, 1, 1, 0, 0, 0, 0]),
    ):
        with pytest.raises(jax.errors.JaxRuntimeError, match="oneDNN"):
            jax.block_until_ready(call(x, kernel, options=wrong, **arguments))
    for pair in ((x.astype(np.float16), kernel), (x, kernel[:2]), (x[..., 0], kernel)):
        with pytest.raises(jax.errors.JaxRuntimeError, match="oneDNN"):
            jax.block_until_ready(call(*pair, options=right, **arguments))
