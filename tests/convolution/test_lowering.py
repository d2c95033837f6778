"""Every public function lowers for CPU, CUDA and TPU, from any machine; batches may be symbolic."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from lowering import lower

from jaxconv import (
    CONV_KERNEL_VJP_METHODS,
    CONV_METHODS,
    CONV_TRANSPOSE_METHODS,
    ConvGeometry,
    conv,
    conv_kernel_vjp,
    conv_matrix,
    conv_transpose,
    transposed_kernel,
)

G = ConvGeometry((9, 8), (3, 2), in_features=4, out_features=6, feature_group_count=2, strides=2, padding=1)
KWARGS = {"strides": 2, "padding": 1, "feature_group_count": 2}
X, KERNEL, Y = (
    jax.ShapeDtypeStruct(shape, np.float32)
    for shape in ((2, 9, 8, 4), G.kernel_array_shape, (2, *G.output_shape, 6))
)


def gradients(function):
    """Of a sum of squares: both first derivatives, and a second one by forward over reverse."""
    loss = lambda a, b: (function(a, b) ** 2).sum()  # noqa: E731
    grad = jax.grad(loss, (0, 1))
    return lambda a, b: (grad(a, b), jax.jvp(grad, (a, b), (jnp.ones_like(a), jnp.ones_like(b))))


def exported(methods):
    """ "auto" and the methods that work on every platform; test_onednn.py has the other one."""
    return ["auto", *(method for method in methods if method != "onednn")]


@pytest.mark.parametrize("method", exported(CONV_METHODS))
def test_conv(method):
    function = lambda x, kernel: conv(x, kernel, method=method, **KWARGS)  # noqa: E731
    assert lower(function, X, KERNEL) == [Y.shape]
    assert lower(gradients(function), X, KERNEL) == [X.shape, KERNEL.shape] * 3


@pytest.mark.parametrize("method", exported(CONV_TRANSPOSE_METHODS))
def test_conv_transpose(method):
    function = lambda y, kernel: conv_transpose(  # noqa: E731
        y, kernel, input_shape=G.input_shape, method=method, **KWARGS
    )
    assert lower(function, Y, KERNEL) == [X.shape]
    assert lower(gradients(function), Y, KERNEL) == [Y.shape, KERNEL.shape] * 3


@pytest.mark.parametrize("method", exported(CONV_KERNEL_VJP_METHODS))
def test_conv_kernel_vjp(method):
    function = lambda x, y: conv_kernel_vjp(x, y, KERNEL.shape, method=method, **KWARGS)  # noqa: E731
    assert lower(function, X, Y) == [KERNEL.shape]
    assert lower(gradients(function), X, Y) == [X.shape, Y.shape] * 3


@pytest.mark.parametrize("mode", ["circular", "reflect", "replicate"])
def test_padding_modes(mode):
    kwargs = {**KWARGS, "padding_mode": mode}
    assert (
        lower(gradients(lambda x, kernel: conv(x, kernel, **kwargs)), X, KERNEL)
        == [X.shape, KERNEL.shape] * 3
    )
    back = lambda y, kernel: conv_transpose(y, kernel, input_shape=G.input_shape, **kwargs)  # noqa: E731
    assert lower(back, Y, KERNEL) == [X.shape]


def test_matrix():
    def forward(x, kernel):
        return conv_matrix(kernel, G)(x)

    def back(y, kernel):
        return conv_matrix(kernel, G).T(y)

    assert lower(gradients(forward), X, KERNEL) == [X.shape, KERNEL.shape] * 3
    assert lower(gradients(back), Y, KERNEL) == [Y.shape, KERNEL.shape] * 3
    assert lower(lambda kernel: conv_matrix(kernel, G).H.todense(), KERNEL) == [G.matrix_shape[::-1]]
    assert lower(lambda kernel: transposed_kernel(kernel, 2), KERNEL) == [G.transposed().kernel_array_shape]


@pytest.mark.parametrize("dtype", [jnp.bfloat16, np.float16, np.complex64], ids=lambda dtype: dtype.__name__)
def test_dtypes(dtype):
    x, kernel = (jax.ShapeDtypeStruct(array.shape, dtype) for array in (X, KERNEL))
    for method in exported(CONV_METHODS):
        assert lower(lambda x, kernel, m=method: conv(x, kernel, method=m, **KWARGS), x, kernel) == [Y.shape]


@pytest.mark.parametrize("mode", ["zeros", "reflect"])
def test_a_symbolic_batch(mode):
    """One program serves every batch size."""
    kwargs = {**KWARGS, "padding_mode": mode}
    a, b = jax.export.symbolic_shape("a, b")
    x = jax.ShapeDtypeStruct((a, b, *X.shape[1:]), np.float32)
    y = jax.ShapeDtypeStruct((a, b, *Y.shape[1:]), np.float32)
    shape = {"input_shape": G.input_shape}
    assert lower(lambda x, kernel: conv(x, kernel, **kwargs), x, KERNEL) == [y.shape]
    assert lower(lambda y, kernel: conv_transpose(y, kernel, **shape, **kwargs), y, KERNEL) == [x.shape]
    assert lower(lambda x, y: conv_kernel_vjp(x, y, KERNEL.shape, **kwargs), x, y) == [KERNEL.shape]
    loss = jax.grad(lambda x, kernel: conv(x, kernel, **kwargs).sum(), (0, 1))
    assert lower(loss, x, KERNEL) == [x.shape, KERNEL.shape]
    g = ConvGeometry(G.input_shape, G.kernel_shape, in_features=4, out_features=6, **kwargs)
    assert lower(lambda x, kernel: conv_matrix(kernel, g)(x), x, KERNEL) == [y.shape]
    assert lower(lambda y, kernel: conv_matrix(kernel, g).T(y), y, KERNEL) == [x.shape]


def test_an_exported_program_runs():
    """What was exported with a symbolic batch gives what the function gives."""
    (b,) = jax.export.symbolic_shape("b")
    x = jax.ShapeDtypeStruct((b, *X.shape[1:]), np.float32)
    exported = jax.export.export(jax.jit(lambda x, kernel: conv(x, kernel, **KWARGS)))(x, KERNEL)
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=KERNEL.shape).astype(np.float32)
    for size in (1, 3):
        x = rng.normal(size=(size, *X.shape[1:])).astype(np.float32)
        np.testing.assert_allclose(exported.call(x, kernel), conv(x, kernel, **KWARGS), rtol=1e-5, atol=1e-5)
