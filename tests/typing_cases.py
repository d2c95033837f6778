"""Right and wrong uses of the library for mypy; test_types.py checks them, and nothing runs them.

mypy must report every line that ends in ``# error: code`` with that code, and no other line; `assert_type`
states the type that it must find.
"""
# ruff: noqa: B018, F841

from typing import assert_type

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

import jaxconv
from jaxconv import models, nn, operators, segmentation
from jaxconv.claims import Report, Reports
from jaxconv.core.adjoint_check import DotTestResult, dot_test
from jaxconv.interop.lineax import ConvMatrixOperator, ConvOperator

x = jnp.ones((1, 8, 8, 2))
kernel = jnp.ones((3, 3, 2, 4))
numbers = np.ones((3, 3, 2, 4), np.float32)
g = jaxconv.ConvGeometry((8, 8), (3, 3), in_features=2, out_features=4)
C = jaxconv.conv_matrix(kernel, g)


def right_uses() -> None:
    # Convolutions, on jax's arrays and on NumPy's.
    assert_type(jaxconv.conv(x, kernel), jax.Array)
    assert_type(jaxconv.conv(np.ones((8, 8, 2)), numbers, strides=(2, 1), padding="SAME"), jax.Array)
    jaxconv.conv(x, kernel, padding=((1, 1), (0, 2)), padding_mode="circular", method="im2col")
    jaxconv.conv(x, kernel, padding="same")
    jaxconv.conv(x, kernel, padding=[1, 2], precision="highest", preferred_element_type=jnp.float32)
    assert_type(jaxconv.conv_transpose(x, kernel, input_shape=(8, 8), method="subpixel"), jax.Array)
    assert_type(jaxconv.conv_kernel_vjp(x, x, kernel.shape, method="split_im2col"), jax.Array)
    assert_type(jaxconv.conv([[1.0], [2.0]], [[[1.0]]], geometry=g, method="taps"), jax.Array)
    assert_type(jaxconv.conv_transpose(x, kernel, geometry=g), jax.Array)
    assert_type(jaxconv.conv_kernel_vjp(x, x, geometry=g), jax.Array)
    for method in jaxconv.CONV_METHODS:
        jaxconv.conv(x, kernel, method=method)
    assert_type(jaxconv.transposed_kernel(numbers), jax.Array)
    # Geometry.
    assert_type(g.output_shape, tuple[int, ...])
    assert_type(g.transposed(), jaxconv.ConvGeometry)
    jaxconv.ConvGeometry((8,), (3,), strides=2, padding="CAUSAL", kernel_dilation=(2,), padding_mode="zeros")
    assert_type(jaxconv.receptive_field([g, g]), jaxconv.ReceptiveField)
    # C.
    assert_type(C, jaxconv.ConvMatrix)
    assert_type(C @ np.ones(128), jax.Array)
    assert_type(C(x, precision="high"), jax.Array)
    assert_type(C.T, jaxconv.ConvMatrix)
    assert_type(C.todense("channels_first", max_bytes=1_000), jax.Array)
    assert_type(C.to_coo(), tuple[np.ndarray, np.ndarray, jax.Array])
    C.to_scipy("coo", order="channels_first")
    assert_type(jaxconv.conv_matrix([[[1.0]], [[2.0]]], jaxconv.ConvGeometry((5,), (2,))), jaxconv.ConvMatrix)
    assert_type(C @ ([0.0] * 128), jax.Array)
    assert_type(2 * C - C.T / 3.0, jaxconv.ConvMatrix)
    assert_type(-C * np.float32(2) + C * jnp.ones(()), jaxconv.ConvMatrix)
    assert_type(dot_test(C, C.T, x, x), DotTestResult)
    # The other operators; `return_switches` changes the type of the result.
    assert_type(jaxconv.max_pool(x, (2, 2)), jax.Array)
    assert_type(jaxconv.max_pool(x, (2, 2), return_switches=True), tuple[jax.Array, jax.Array])
    assert_type(jaxconv.pooling.avg_pool(x, (2, 2), strides=1, ceil_mode=True), jax.Array)
    assert_type(jaxconv.resize(np.ones((4, 4, 1)), (8, 8), "bicubic", edges="clamp"), jax.Array)
    assert_type(jaxconv.resize(np.ones((4, 4, 1), np.uint8), [8, 8]), jax.Array)
    assert_type(jaxconv.unpool(np.ones((2, 1), int), np.array([[0], [3]]), (4,)), jax.Array)
    assert_type(jaxconv.fold(jaxconv.unfold(x, (2, 2)), (8, 8), (2, 2)), jax.Array)
    assert_type(jaxconv.gaussian_filter((3, 3), sigma=(1.0, 2.0), dtype=jnp.bfloat16), jax.Array)
    assert_type(jaxconv.conv_to_dense(numbers, order="channels_first"), jax.Array)
    # Lists of numbers, as the convolutions take them.
    assert_type(jaxconv.max_pool([[1], [2]], (2,)), jax.Array)
    assert_type(jaxconv.max_pool([[1], [2]], (2,), return_switches=True), tuple[jax.Array, jax.Array])
    assert_type(jaxconv.avg_pool([[1.0], [2.0]], (2,)), jax.Array)
    assert_type(operators.lp_pool([[1.0], [2.0]], (2,)), jax.Array)
    assert_type(jaxconv.unpool([[1.0]], [[2]], (4,)), jax.Array)
    assert_type(operators.pool_matrix((4,), (2,), switches=[[1], [2]]), jaxconv.ConvMatrix)
    assert_type(jaxconv.resize([[1.0], [2.0]], (4,)), jax.Array)
    assert_type(operators.depth_to_space([[1, 2]], (2,)), jax.Array)
    assert_type(operators.space_to_depth([[1], [2]], (2,)), jax.Array)
    assert_type(jaxconv.unfold([[1.0], [2.0]], (2,)), jax.Array)
    assert_type(jaxconv.fold([[1.0, 2.0]], (2,), (2,)), jax.Array)
    assert_type(operators.correlate([[1.0], [2.0]], [0.5, 0.5]), jax.Array)
    assert_type(operators.convolve([[1.0], [2.0]], [0.5, 0.5]), jax.Array)
    assert_type(operators.filter_kernel([0.5, 0.5], features=2), jax.Array)
    assert_type(operators.dense_to_conv([[1.0], [2.0]], (2,)), jax.Array)
    assert_type(operators.conv_to_dense([[[1.0]], [[2.0]]]), jax.Array)
    assert_type(operators.sliding_windows(lambda crops: crops, [[1.0], [2.0]], (1,)), jax.Array)
    assert_type(jaxconv.Convolution([[[1.0]], [[2.0]]], [1.0])([[1.0], [2.0]]), jax.Array)
    # Linear algebra.
    assert_type(jaxconv.linalg.operator_norm(numbers, g, method="lanczos", steps=30), jax.Array)
    assert_type(jaxconv.linalg.norm_interval(kernel, g).high, jax.Array)
    assert_type(jaxconv.linalg.pseudo_inverse(kernel, g).T @ np.ones(128), jax.Array)
    assert_type(jaxconv.linalg.deconvolve(x, kernel, input_shape=(10, 10), damping=0.1), jax.Array)
    # Names that are loaded when they are first used.
    assert_type(jaxconv.ConvOperator(kernel, g), ConvOperator)
    assert_type(jaxconv.ConvMatrixOperator(C).transpose(), ConvMatrixOperator)
    assert_type(operators.ConvOperator(kernel, g).transpose(), ConvOperator)
    assert_type(ConvOperator([[[1.0]]], jaxconv.ConvGeometry((4,), (1,)), transposed=True), ConvOperator)
    assert_type(jaxconv.from_lax_conv(numbers, (1, 1), "same"), jaxconv.Convolution)


def right_rooms(rngs: nnx.Rngs) -> None:
    layer = jaxconv.nn.Conv(2, 4, (3, 3), padding="SAME", dtype="bfloat16", param_dtype=np.float32, rngs=rngs)
    assert_type(layer, nn.Conv)
    assert_type(layer(x), jax.Array)
    assert_type(layer(np.ones((8, 8, 2), np.float32)), jax.Array)
    assert_type(jaxconv.from_flax(layer), jaxconv.Convolution)
    assert_type(nn.ConvTranspose(geometry=g, rngs=rngs)([[1.0]]), jax.Array)
    nn.MaxPool((2, 2), strides=2, ceil_mode=True, return_switches=True)
    nn.Sweep(2, 4, cell="lstm", rngs=rngs)
    assert_type(models.UNet(3, 2, rngs=rngs)(x), jax.Array)
    assert_type(segmentation.cross_entropy(x, x[..., 0], reduction="sum"), jax.Array)
    assert_type(jaxconv.verify("counts"), Report)
    assert_type(jaxconv.verify(dtype=np.float32), Report)
    assert_type(jaxconv.verify(["counts"], dtype="all", trials=3), Reports)


def wrong_names() -> None:
    jaxconv.max_pol(x, (2, 2))  # error: attr-defined
    jaxconv.conv2d(x, kernel)  # error: attr-defined
    jaxconv.operators.unpooling(x)  # error: attr-defined
    jaxconv.nn.Convolution2D(2, 4)  # error: attr-defined
    jaxconv.models.UNetPlusPlus(3)  # error: attr-defined
    C.to_dense()  # error: attr-defined
    g.outputs  # error: attr-defined
    g.padding = ((0, 0),)  # error: misc
    jaxconv.conv(x, kernel, stride=2)  # error: call-arg
    jaxconv.max_pool(x, (2, 2), stride=2)  # error: call-overload
    nn.AvgPool((2, 2), stride=2)  # error: call-arg
    jaxconv.ConvGeometry((8,), (3,), groups=2)  # error: call-arg


def wrong_words() -> None:
    jaxconv.conv(x, kernel, padding="sme")  # error: arg-type
    jaxconv.conv(x, kernel, padding="circular")  # error: arg-type
    jaxconv.conv(x, kernel, padding_mode="wrap")  # error: arg-type
    jaxconv.conv(x, kernel, method="winograd")  # error: arg-type
    jaxconv.linalg.operator_norm(kernel, g, method="power")  # error: arg-type
    jaxconv.linalg.deconvolve(x, kernel, geometry=g, method="svd")  # error: arg-type
    jaxconv.conv(x, kernel, method="subpixel")  # error: arg-type
    jaxconv.conv_transpose(x, kernel, method="split_im2col")  # error: arg-type
    jaxconv.conv_kernel_vjp(x, x, kernel.shape, method="vjp")  # error: arg-type
    jaxconv.resize(x, (4, 4), "linear")  # error: arg-type
    C.todense("NCHW")  # error: arg-type
    C * "2"  # error: operator
    C + 1  # error: operator
    dot_test(C, x, x, x)  # error: arg-type
    C.to_scipy("lil")  # error: arg-type
    jaxconv.dense_to_conv(kernel, (3, 3), order="channel_last")  # error: arg-type
    jaxconv.verify(dtype="float8")  # error: call-overload
    segmentation.cross_entropy(x, x, reduction="none")  # error: arg-type


def wrong_types(rngs: nnx.Rngs) -> None:
    jaxconv.conv(x, "kernel")  # error: arg-type
    jaxconv.conv(x, kernel, strides=1.5)  # error: arg-type
    jaxconv.conv(x, kernel, padding=(1.0, 2.0))  # error: arg-type
    jaxconv.conv(x)  # error: call-arg
    jaxconv.conv(x, kernel, geometry=(8, 8))  # error: arg-type
    jaxconv.conv(x, kernel, 2)  # error: call-arg
    jaxconv.conv_matrix(kernel, (8, 8))  # error: arg-type
    jaxconv.max_pool(x, 2)  # error: call-overload
    jaxconv.unpool(x, x)  # error: call-arg
    jaxconv.ConvGeometry(8, 3)  # error: arg-type
    ConvOperator(g, kernel)  # error: arg-type
    ConvOperator(kernel)  # error: call-arg
    ConvOperator(kernel, g, transpose=True)  # error: call-arg
    ConvOperator("kernel", g)  # error: arg-type
    ConvMatrixOperator(kernel)  # error: arg-type
    ConvMatrixOperator(C, g)  # error: call-arg
    jaxconv.Convolution(kernel, g)  # error: arg-type
    jaxconv.unfold("x", (2, 2))  # error: arg-type
    C @ "x"  # error: operator
    jaxconv.receptive_field(g)  # error: arg-type
    nn.Conv(2, 4, (3, 3))  # error: call-arg
    nn.Conv(2, 4, 3, rngs=rngs)  # error: arg-type
    nn.Conv(geometry=C, rngs=rngs)  # error: arg-type
    nn.Sweep(2, 4, cell="rnn", rngs=rngs)  # error: arg-type
    segmentation.mean_iou()  # error: call-arg


def wrong_results() -> None:
    jaxconv.max_pool(x, (2, 2), return_switches=True).sum()  # error: attr-defined
    rows: tuple[int, int] = g.output_shape  # error: assignment
    report: Report = jaxconv.verify(dtype="all")  # error: assignment
    jaxconv.verify("counts").reports  # error: attr-defined
