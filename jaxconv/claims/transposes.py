"""The transpose of C is the gradient, by every formulation, and the other way round."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp

from jaxconv.claims.cases import Cases, gap
from jaxconv.claims.claim import Trial, by_method, claim
from jaxconv.claims.products import lax_conv
from jaxconv.convolution import (
    CONV_KERNEL_VJP_METHODS,
    CONV_TRANSPOSE_METHODS,
    conv,
    conv_kernel_vjp,
    conv_transpose,
    transposed_kernel,
)
from jaxconv.matrix import conv_matrix


@claim(
    "conv_transpose", "conv_transpose by every formulation is C-transposed y", "guide 4.2; relationship 14"
)
def formulations(cases: Cases) -> Iterator[Trial]:
    """Eight formulations and auto; the size is the forward input's."""
    for case in cases:
        g = case.geometry

        def every(y, kernel, g=g):
            methods = (*CONV_TRANSPOSE_METHODS, "auto")
            return {m: conv_transpose(y, kernel, method=m, geometry=g) for m in methods}

        yield from by_method(case, case.run(every, case.y, case.kernel), case.backward)


@claim("vjp", "the vjp of the convolution is C-transposed: the gradient is the transpose", "guide 4.1")
def vjp(cases: Cases) -> Iterator[Trial]:
    """Reverse mode through `conv`, and through `C @ x`."""
    for case in cases:

        def pullbacks(x, kernel, y, g=case.geometry):
            return [
                jax.vjp(function, x)[1](y)[0]
                for function in (lambda x: conv(x, kernel, geometry=g), conv_matrix(kernel, g))
            ]

        results = case.run(pullbacks, case.x, case.kernel, case.y)
        yield Trial(max(case.gap(got, case.backward) for got in results), case.example)


@claim("lax-vjp", "the vjp of lax.conv_general_dilated is C-transposed", "jax; guide 4.1")
def lax_vjp(cases: Cases) -> Iterator[Trial]:
    """Reverse mode through XLA's convolution, by jax's own rule."""
    for case in cases.zero_padded():

        def pullback(x, kernel, y, case=case):
            return jax.vjp(lambda x: lax_conv(case)(x, kernel), x)[1](y)[0]

        got = case.run(pullback, case.x, case.kernel, case.y)
        yield Trial(case.gap(got, case.backward), case.example)


@claim("linear-transpose", "lax's linear_transpose is C-transposed", "jax; guide 4.1")
def linear_transpose(cases: Cases) -> Iterator[Trial]:
    """jax.linear_transpose of XLA's convolution, without evaluating it anywhere."""
    for case in cases.zero_padded():
        shape = jax.ShapeDtypeStruct(case.x.shape, case.dtype)

        def transpose(kernel, y, case=case, shape=shape):
            return jax.linear_transpose(lambda x: lax_conv(case)(x, kernel), shape)(y)[0]

        yield Trial(case.gap(case.run(transpose, case.kernel, case.y), case.backward), case.example)


@claim(
    "equivalent-direct",
    "C-transposed y is a direct convolution of the stretched y with the flipped kernel",
    "relationships 8-14, corrected",
)
def equivalent_direct(cases: Cases) -> Iterator[Trial]:
    """The geometry of `ConvGeometry.transposed` and the kernel of `transposed_kernel`, by lax."""
    for case in cases.zero_padded():
        g = case.geometry
        equivalent = g.equivalent_direct()
        got = case.run(
            lambda y, k, g=g, e=equivalent: conv(
                y, transposed_kernel(k, g.feature_group_count), method="direct", geometry=e
            ),
            case.y,
            case.kernel,
        )
        yield Trial(case.gap(got, case.backward), case.example)


@claim("dot-test", "<C x, y> = <x, C-transposed y>", "definition of the transpose")
def dot_test(cases: Cases) -> Iterator[Trial]:
    """Both sides with the library's functions alone."""
    for case in cases:
        g = case.geometry

        def sides(x, kernel, y, g=g):
            forward = conv(x, kernel, geometry=g)
            backward = conv_transpose(y, kernel, geometry=g)
            return jnp.stack([(forward * y).sum(), (x * backward).sum()])

        left, right = case.run(sides, case.x, case.kernel, case.y)
        scale = (case.forward.magnitude * abs(case.y).astype(float)).sum()
        terms = case.x.size + case.y.size
        yield Trial(gap(left, right, scale, terms, case.dtype), case.example)


@claim("adjoint", "<C x, y> = <x, C.H y> with conjugation: C.H is the adjoint", "definition of the adjoint")
def adjoint(cases: Cases) -> Iterator[Trial]:
    """The transpose and the adjoint differ for complex kernels."""
    for case in cases:
        got = case.run(lambda k, y, g=case.geometry: conv_matrix(k, g).H(y), case.kernel, case.y)
        expected = (case.y.reshape(case.y.shape[0], -1).astype(case.C.dtype) @ case.C.conj()).reshape(
            got.shape
        )
        yield Trial(gap(got, expected, case.backward.magnitude, case.kernel.size, case.dtype), case.example)


@claim("backward-of-transpose", "the backward pass of the transposed convolution is C", "guide 4.2")
def backward_of_transpose(cases: Cases) -> Iterator[Trial]:
    """The vjp of `conv_transpose` is the convolution again."""
    for case in cases:
        g = case.geometry

        def pullback(y, kernel, x, g=g):
            def transpose(y):
                return conv_transpose(y, kernel, geometry=g)

            return jax.vjp(transpose, y)[1](x)[0]

        got = case.run(pullback, case.y, case.kernel, case.x)
        yield Trial(case.gap(got, case.forward), case.example)


@claim(
    "kernel-gradient",
    "the kernel's gradient is the correlation of x with the output's gradient",
    "lecture on convolution layers, backprop",
)
def kernel_gradient(cases: Cases) -> Iterator[Trial]:
    """`conv_kernel_vjp` by every formulation, and the vjp of `conv` and of C x in the kernel."""
    for case in cases:

        def every(x, kernel, y, g=case.geometry):
            methods = (*CONV_KERNEL_VJP_METHODS, "auto")
            gradients: dict[str, jax.Array] = {
                m: conv_kernel_vjp(x, y, method=m, geometry=g) for m in methods
            }
            gradients["vjp of conv"] = jax.vjp(lambda k: conv(x, k, geometry=g), kernel)[1](y)[0]
            gradients["vjp of C(x)"] = jax.vjp(lambda k: conv_matrix(k, g)(x), kernel)[1](y)[0]
            return gradients

        yield from by_method(case, case.run(every, case.x, case.kernel, case.y), case.kernel_gradient)
