"""Dense layers as convolutions, and functions on every window, against loops and PyTorch."""

import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from lowering import lower

from jaxconv import (
    ConvGeometry,
    GeometryError,
    conv,
    conv_matrix,
    conv_to_dense,
    dense_to_conv,
    sliding_windows,
)

SHAPES = [((4,), 3, 5), ((2, 3), 2, 4), ((3, 1, 2), 1, 2), ((1, 1), 4, 3), ((2, 2), 3, 1)]
ORDERS = ("channels_last", "channels_first")


def rows(shape, features, order):
    """Returns the row of every (cell, feature), in row-major order, in the flattened map."""
    place, found = {}, []
    if order == "channels_last":
        flat = [(*cell, f) for cell in np.ndindex(shape) for f in range(features)]
    else:
        flat = [(*cell, f) for f in range(features) for cell in np.ndindex(shape)]
    for row, entry in enumerate(flat):
        place[entry] = row
    for entry in np.ndindex(*shape, features):
        found.append(place[entry])
    return found


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("shape", "features", "outputs"), SHAPES)
def test_every_weight_has_its_place(shape, features, outputs, order):
    weights = oracles.numbers((int(np.prod(shape)) * features, outputs))
    kernel = dense_to_conv(weights, shape, order=order)
    assert kernel.shape == (*shape, features, outputs)
    expected = np.array([weights[row] for row in rows(shape, features, order)])
    assert (kernel.reshape(-1, outputs) == expected).all()
    assert (conv_to_dense(kernel, order=order) == weights).all()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(("shape", "features", "outputs"), SHAPES)
def test_matrix_equals_dense_weights(shape, features, outputs, order):
    """Also in the order of the weights, by the export's own renumbering."""
    weights = oracles.numbers((int(np.prod(shape)) * features, outputs), np.complex128)
    g = ConvGeometry(shape, shape, in_features=features, out_features=outputs)
    C = conv_matrix(dense_to_conv(weights, shape, order=order), g)
    assert (C.todense(order) == weights.T).all()


def test_any_convolution_is_a_dense_layer(rng):
    g = ConvGeometry((4, 5), (3, 2), in_features=2, out_features=3, strides=2, padding=1)
    kernel, x = rng.normal(size=g.kernel_array_shape), rng.normal(size=(7, *g.input_shape, 2))
    weights = conv_matrix(kernel, g).todense().T
    dense = (x.reshape(7, -1) @ weights).reshape(7, *g.output_shape, 3)
    expected = oracles.Expected(g, x, kernel, rng.normal(size=dense.shape)).conv
    oracles.assert_rounds_to(dense, expected)
    oracles.assert_rounds_to(conv(x, kernel, strides=2, padding=1), expected)


@pytest.mark.peers
def test_torch_vgg_layer(rng):
    """VGG's first dense layer in small: a Linear that reads (features, rows, columns)."""
    torch = pytest.importorskip("torch")
    features, shape, outputs = 6, (3, 2), 5
    layer = torch.nn.Linear(features * 6, outputs, bias=False, dtype=torch.float64)
    maps = rng.normal(size=(4, features, *shape))
    expected = layer(torch.flatten(torch.from_numpy(maps), 1)).detach().numpy()
    weights = layer.weight.detach().numpy().T
    kernel = dense_to_conv(weights, shape, order="channels_first")
    got = conv(np.moveaxis(maps, 1, -1), kernel).reshape(4, outputs)
    magnitude = abs(maps.reshape(4, -1)) @ abs(weights)
    oracles.assert_rounds_to(got, (expected, magnitude, np.full(got.shape, 36)))


@pytest.mark.parametrize("dtype", [np.float32, jnp.bfloat16, np.float16, np.complex64])
def test_dtypes_are_kept(dtype):
    weights = jnp.asarray(oracles.numbers((12, 2))).astype(dtype)
    kernel = dense_to_conv(weights, (2, 3), order="channels_first")
    assert kernel.dtype == conv_to_dense(kernel).dtype == dtype
    assert (conv_to_dense(kernel, order="channels_first") == weights).all()


def test_linear_in_the_weights():
    """Both directions are permutations: derivatives, and each is the other's transpose."""
    weights = jnp.asarray(oracles.numbers((12, 2)))
    function = lambda w: dense_to_conv(w, (2, 3), order="channels_first")  # noqa: E731
    y, tangent = jax.jvp(function, (weights,), (weights,))
    assert (y == tangent).all()
    (back,) = jax.vjp(function, weights)[1](y)
    assert (back == conv_to_dense(y, order="channels_first")).all()
    stacked = jnp.stack([weights, 2 * weights])
    assert (jax.vmap(function)(stacked)[1] == 2 * y).all()
    assert (jax.jit(function)(weights) == y).all()


# sliding windows


def by_loops(function, x, window, strides):
    """Applies the function to one crop after the other of x (maps, *spatial, features)."""
    positions = [
        oracles.window_starts(n, w, s) for n, w, s in zip(x.shape[1:-1], window, strides, strict=True)
    ]
    out = None
    for index in np.ndindex(*map(len, positions)):
        starts = [p[i] for p, i in zip(positions, index, strict=True)]
        crop = x[(slice(None), *(slice(a, a + w) for a, w in zip(starts, window, strict=True)))]
        result = function(crop)
        if out is None:
            out = np.zeros((len(x), *map(len, positions), *result.shape[1:]))
        out[(slice(None), *index)] = result
    return out


@pytest.mark.parametrize("batch_size", [1, 3, 100])
@pytest.mark.parametrize(
    ("spatial", "window", "strides"),
    [
        ((9,), (3,), (2,)),
        ((6, 7), (2, 3), (1, 2)),
        ((5, 4), (5, 4), (3, 1)),
        ((4, 3, 5), (2, 3, 2), (2, 1, 2)),
    ],
)
def test_sliding_windows_by_loops(spatial, window, strides, batch_size, rng):
    x = rng.normal(size=(2, *spatial, 3))

    def function(crops):  # asymmetric, and no sum: exact in any order
        return crops.reshape(crops.shape[0], -1)[:, ::2] * 3

    expected = by_loops(function, x, window, strides)
    got = sliding_windows(function, x, window, strides, batch_size=batch_size)
    assert (got == expected).all()
    jitted = jax.jit(lambda x: sliding_windows(function, x, window, strides, batch_size=batch_size))
    assert (jitted(x) == expected).all()


@pytest.mark.parametrize("batch", [(), (2,), (2, 3), (0,)])
def test_sliding_windows_of_any_batch(batch, rng):
    x = rng.normal(size=(*batch, 5, 4, 2))
    found = sliding_windows(lambda crops: crops.sum((1, 2)), x, (3, 2), 2)
    assert found.shape == (*batch, 2, 2, 2)
    again = [
        sliding_windows(lambda crops: crops.sum((1, 2)), one, (3, 2), 2) for one in x.reshape(-1, 5, 4, 2)
    ]
    assert (found == np.array(again).reshape(found.shape)).all()


@pytest.mark.parametrize("shape", ["n, 5, 4, 1", "3, n, 5, 4, 1"])
def test_sliding_windows_of_a_symbolic_batch(shape, rng):
    def sums(x):
        return sliding_windows(lambda crops: crops.sum((1, 2)), x, (3, 2), 2)

    any_batch = jax.ShapeDtypeStruct(jax.export.symbolic_shape(shape), np.float32)
    exported = jax.export.export(jax.jit(sums))(any_batch)
    for n in (1, 2):
        x = rng.normal(size=[int(size) if size != "n" else n for size in shape.split(", ")])
        x = x.astype(np.float32)
        np.testing.assert_array_equal(exported.call(x), sums(x))


def test_sliding_windows_of_a_dense_layer_is_the_convolution(rng):
    """The unrolled run gives at every position what the crop gives: with C's numbers."""
    x, weights = rng.normal(size=(2, 9, 8, 3)), rng.normal(size=(24, 5))
    kernel = dense_to_conv(weights, (2, 4))
    windows = sliding_windows(lambda crops: crops.reshape(-1, 24) @ weights, x, (2, 4), (3, 1))
    magnitude = by_loops(lambda c: abs(c).reshape(-1, 24) @ abs(weights), x, (2, 4), (3, 1))
    unrolled = conv(x, kernel, strides=(3, 1))
    oracles.assert_rounds_to(unrolled, (np.asarray(windows), magnitude, np.full(magnitude.shape, 48)))
    gradient = lambda f: jax.grad(lambda x: (f(x) ** 3).sum())(jnp.asarray(x))  # noqa: E731
    of_conv = gradient(lambda x: conv(x, kernel, strides=(3, 1)))
    of_windows = gradient(
        lambda x: sliding_windows(lambda crops: crops.reshape(-1, 24) @ weights, x, (2, 4), (3, 1))
    )
    np.testing.assert_allclose(of_conv, of_windows, rtol=0, atol=1e-12 * abs(of_conv).max())


def test_lowering():
    x = jax.ShapeDtypeStruct((2, 9, 8, 3), np.float32)
    weights = jax.ShapeDtypeStruct((24, 5), np.float32)
    for order in ORDERS:
        shapes = lower(lambda w, o=order: dense_to_conv(w, (2, 4), order=o), weights)
        assert shapes == [(2, 4, 3, 5)]
        assert lower(lambda k, o=order: conv_to_dense(k, order=o), jax.ShapeDtypeStruct((2, 4, 3, 5), np.float32)) == [(24, 5)]  # fmt: skip  # noqa: E501
    assert lower(lambda x: sliding_windows(lambda c: c.sum((1, 2)), x, (3, 2)), x) == [(2, 7, 7, 3)]


def test_bad_input():
    weights = np.ones((12, 2))
    with pytest.raises(GeometryError, match=r"a multiple of 8; got \(12, 2\)"):
        dense_to_conv(weights, (2, 4))
    with pytest.raises(GeometryError, match="must be a matrix"):
        dense_to_conv(weights[:, 0], (2, 3))
    with pytest.raises(GeometryError, match="did you mean 'channels_last'"):
        dense_to_conv(weights, (2, 3), order="channel_last")
    with pytest.raises(TypeError, match="input_shape"):
        dense_to_conv(weights, 12)
    with pytest.raises(TypeError, match="floating or complex"):
        dense_to_conv(np.ones((12, 2), int), (2, 3))
    with pytest.raises(GeometryError, match=r"\(\*kernel_shape, features, outputs\)"):
        conv_to_dense(weights)
    with pytest.raises(TypeError, match="floating or complex"):
        conv_to_dense(np.ones((3, 2, 2), int))
    with pytest.raises(GeometryError, match=r"at least as large as window=\(3, 6\)"):
        sliding_windows(jnp.sum, np.ones((2, 5, 5, 1)), (3, 6))
    with pytest.raises(GeometryError, match="`window` has 2 spatial axes, so `x` must be"):
        sliding_windows(jnp.sum, np.ones((5, 1)), (3, 6))
    with pytest.raises(TypeError, match="window"):
        sliding_windows(jnp.sum, np.ones((2, 5, 5, 1)), 3)
