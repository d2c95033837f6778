"""Booleans given as numbers are refused, although Python takes them as 0 and 1."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import jaxconv
from jaxconv import ConvGeometry, nn
from jaxconv.geometry.relationships import transposed_size

X = jnp.ones((1, 6, 6, 2))
KERNEL = jnp.ones((3, 3, 2, 2))
LAYER = {"in_features": 2, "out_features": 2, "kernel_shape": (3, 3), "rngs": nnx.Rngs(0)}
GEOMETRY = ("strides", "padding", "input_dilation", "kernel_dilation", "feature_group_count")
WINDOW = ("strides", "padding", "dilation")


def flat(x):
    return x.reshape(x.shape[0], -1)


# Functions, and the names of their arguments that are numbers.
CALLS = {
    "AxisGeometry": (
        lambda **o: jaxconv.AxisGeometry(**{"size": 6, "kernel": 3, **o}),
        ("size", "kernel", "stride", "dilation", "input_dilation"),
    ),
    "ConvGeometry": (
        lambda **o: ConvGeometry((6, 6), (3, 3), **o), (*GEOMETRY, "in_features", "out_features")
    ),
    "Conv": (lambda **o: nn.Conv(**LAYER | o), ("in_features", "out_features", *GEOMETRY)),
    "ConvTranspose": (lambda **o: nn.ConvTranspose(**LAYER | o), ("in_features", "out_features")),
    "avg_pool": (lambda **o: jaxconv.avg_pool(X, (2, 2), **o), WINDOW),
    "bilinear_kernel": (lambda features: jaxconv.bilinear_kernel((2,), features), ("features",)),
    "conv": (lambda **o: jaxconv.conv(X, KERNEL, **o), GEOMETRY),
    "conv_kernel_vjp": (lambda **o: jaxconv.conv_kernel_vjp(X, X, KERNEL.shape, **o), GEOMETRY),
    "conv_transpose": (
        lambda **o: jaxconv.conv_transpose(X, KERNEL, **o), (*GEOMETRY, "input_shape", "output_padding")
    ),
    "correlate": (
        lambda **o: jaxconv.correlate(X, jnp.ones((3, 3)), **o), ("strides", "padding", "kernel_dilation")
    ),
    "edge_filter": (jaxconv.edge_filter, ("ndim",)),
    "effective_receptive_field": (
        lambda **o: jaxconv.effective_receptive_field(
            lambda x: x, (6, 6), **{"features": 2, "key": jax.random.key(0), **o}
        ),
        ("features", "samples", "position"),
    ),
    "filter_kernel": (lambda features: jaxconv.filter_kernel(jnp.ones(3), features), ("features",)),
    "fold": (lambda **o: jaxconv.fold(jnp.ones((5, 5, 4)), (6, 6), (2, 2), **o), WINDOW),
    "fully_convolutional": (
        lambda **o: jaxconv.fully_convolutional(nnx.Sequential(nn.Conv(**LAYER), flat), (3, 3), **o),
        ("in_features",),
    ),
    "gaussian_filter": (lambda sigma: jaxconv.gaussian_filter((3,), sigma), ("sigma",)),
    "gaussian_filter of two": (lambda sigma: jaxconv.gaussian_filter((3, 3), (sigma, 1.0)), ("sigma",)),
    "lp_pool": (lambda **o: jaxconv.lp_pool(X, (2, 2), **o), (*WINDOW, "p")),
    "max_pool": (lambda **o: jaxconv.max_pool(X, (2, 2), **o), WINDOW),
    "pool_geometry": (lambda **o: jaxconv.pool_geometry((6, 6), (2, 2), **o), (*WINDOW, "features")),
    "resize": (lambda **o: jaxconv.resize(X, (3, 3), "bicubic", **o), ("cubic_a",)),
    "resize_matrix": (
        lambda **o: jaxconv.resize_matrix((6,), (3,), "bicubic", **o), ("cubic_a", "features")
    ),
    "sharpen_filter": (jaxconv.sharpen_filter, ("ndim",)),
    "sliding_windows": (
        lambda **o: jaxconv.sliding_windows(flat, X, (2, 2), **o), ("strides", "batch_size")
    ),
    "sobel_filter": (lambda **o: jaxconv.sobel_filter(**{"axis": 0, **o}), ("axis", "ndim")),
    "space_to_depth": (lambda **o: jaxconv.space_to_depth(X, **o), ("block",)),
    "transposed_kernel": (
        lambda **o: jaxconv.transposed_kernel(KERNEL, **o), ("feature_group_count",)
    ),
    "transposed_size": (
        lambda **o: transposed_size(**{"size": 6, "kernel": 3, **o}), ("stride", "dilation", "output_padding")
    ),
    "unfold": (lambda **o: jaxconv.unfold(X, (2, 2), **o), WINDOW),
    "unfold_geometry": (
        lambda **o: jaxconv.unfold_geometry((6, 6), (2, 2), **o), (*WINDOW, "features")
    ),
}  # fmt: skip


@pytest.mark.parametrize("yes", [True, np.True_, jnp.array(True)], ids=["bool", "numpy", "jax"])
@pytest.mark.parametrize("name", CALLS)
def test_a_boolean_is_not_a_number(name, yes):
    call, numbers = CALLS[name]
    for number in numbers:
        with pytest.raises(TypeError, match=r"`\w+` .*got .*True"):
            call(**{number: yes})


@pytest.mark.parametrize("name", ["strides", "kernel_dilation"])
def test_a_boolean_in_a_sequence_is_not_a_number(name):
    with pytest.raises(TypeError, match=f"`{name}` must contain only integers"):
        ConvGeometry((6, 6), (3, 3), **{name: (True, 1)})


def test_an_axis_is_an_integer():
    with pytest.raises(TypeError, match=r"`axis` must be an integer, got 1\.0"):
        jaxconv.sobel_filter(1.0)
