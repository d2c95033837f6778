"""Orthogonal and even initializers, against dense matrices with the padding that each names."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from oracles import dense

from jaxconv import ConvGeometry
from jaxconv.linalg import phase_sums
from jaxconv.nn import block_orthogonal, conv_transpose_lecun_normal, delta_orthogonal, even_transposed

KEY = jax.random.key(3)


def assert_orthogonal(g, initialise):
    """C-transposed C, or C C-transposed, whichever is smaller, is the identity."""
    kernel = np.asarray(initialise(KEY, g.kernel_array_shape, jnp.float64))
    assert kernel.shape == g.kernel_array_shape
    C = dense(g, kernel)
    product = C @ C.T if C.shape[0] <= C.shape[1] else C.T @ C
    np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-13)


@pytest.mark.parametrize("mode", ["zeros", "circular", "reflect", "replicate"])
@pytest.mark.parametrize("features", [(3, 3), (2, 4), (4, 2)])
def test_delta_orthogonal_with_same_padding(features, mode):
    inputs, outputs = features
    for kernel_shape in ((3,), (4, 3)):
        g = ConvGeometry(
            (5,) * len(kernel_shape), kernel_shape, in_features=inputs, out_features=outputs, padding="SAME",
            padding_mode=mode,
        )  # fmt: skip
        assert_orthogonal(g, delta_orthogonal())


BLOCKS = [
    ConvGeometry((6,), (3,), in_features=4, out_features=4, padding="SAME", padding_mode="circular"),
    ConvGeometry((6,), (4,), in_features=3, out_features=5, padding="SAME", padding_mode="circular"),
    ConvGeometry((4, 5), (3, 2), in_features=4, out_features=3, padding="SAME", padding_mode="circular"),
    ConvGeometry((6,), (5,), in_features=2, out_features=3, strides=2, padding=((1, 2),),
                 padding_mode="circular"),
    ConvGeometry((6, 4), (3, 3), in_features=2, out_features=9, strides=(3, 2), padding="SAME",
                 padding_mode="circular"),
    ConvGeometry((6, 4), (3, 2), in_features=2, out_features=4, strides=(3, 2)),  # kernel = stride
]  # fmt: skip


@pytest.mark.parametrize("g", BLOCKS, ids=str)
def test_block_orthogonal_where_it_names_the_padding(g):
    assert_orthogonal(g, block_orthogonal(g.strides))
    kernel = block_orthogonal(g.strides)(KEY, g.kernel_array_shape, jnp.float64)
    assert (abs(np.asarray(kernel)).max((-2, -1)) > 1e-3).all()  # all taps are used


def test_block_orthogonal_is_not_orthogonal_with_zero_padding():
    g = ConvGeometry((8,), (5,), in_features=4, out_features=4, padding="SAME")
    kernel = np.asarray(block_orthogonal()(KEY, g.kernel_array_shape, jnp.float64))
    assert np.linalg.svd(dense(g, kernel), compute_uv=False)[-1] < 0.5


@pytest.mark.parametrize("initialise", [delta_orthogonal(2), block_orthogonal(1, 2)], ids=["delta", "block"])
def test_groups_are_orthogonal_each(initialise):
    g = ConvGeometry(
        (5,),
        (3,),
        in_features=4,
        out_features=6,
        feature_group_count=2,
        padding="SAME",
        padding_mode="circular",
    )
    assert_orthogonal(g, initialise)


@pytest.mark.parametrize(("taps", "strides"), [((2,), 2), ((4,), 2), ((5, 3), (3, 2))])
def test_even_transposed_is_a_resize_and_a_convolution(taps, strides):
    shape = (*taps, 3, 2)
    kernel = even_transposed(strides)(KEY, shape, jnp.float64)
    assert kernel.shape == shape
    g = ConvGeometry((12,) * len(taps), taps, in_features=3, out_features=2, strides=strides)
    sums = np.asarray(phase_sums(kernel, g))
    np.testing.assert_allclose(sums, np.broadcast_to(sums[:1], sums.shape), rtol=1e-12, atol=1e-14)
    other = phase_sums(conv_transpose_lecun_normal(taps, strides)(KEY, shape, jnp.float64), g)
    assert np.ptp(other, axis=0).max() > 0.1


@pytest.mark.parametrize("groups", [1, 4])
def test_even_transposed_keeps_the_variance(groups):
    """Independent inputs of variance 1 become outputs of variance 1, away from the border."""
    taps, stride, features = (5,), 2, 200
    shape = (*taps, features // groups, features)
    kernel = np.asarray(even_transposed(stride, groups)(KEY, shape, jnp.float64))
    per_phase = [
        (kernel[phase::stride] ** 2).sum((0, 2)).mean() / groups  # an output reads the inputs of its group
        for phase in range(stride)
    ]
    np.testing.assert_allclose(per_phase, 1, atol=0.05)


@pytest.mark.parametrize("features", [(1, 2), (2, 1), (2, 3)])
def test_orthogonal_families_of_three_axes(features):
    inputs, outputs = features
    options = {"in_features": inputs, "out_features": outputs, "padding": "SAME"}
    assert_orthogonal(ConvGeometry((3, 2, 3), (3, 1, 2), **options), delta_orthogonal())
    circular = ConvGeometry((3, 2, 4), (3, 1, 2), strides=(1, 1, 2), padding_mode="circular", **options)
    assert_orthogonal(circular, block_orthogonal((1, 1, 2)))
