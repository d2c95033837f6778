"""The transposed convolution by every method, the gradients of a convolution, and dot tests."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp

from jaxconv.claims.cases import Case, Cases, gap, taken_by
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
from jaxconv.geometry import ConvGeometry
from jaxconv.matrix import conv_matrix

PAPER = "arXiv:1603.07285"


@claim(
    "conv_transpose",
    "conv_transpose computes C-transposed y by every method",
    f"{PAPER}, section 4.2, relationship 14",
)
def formulations(cases: Cases) -> Iterator[Trial]:
    """Tries every method of `CONV_TRANSPOSE_METHODS`, and auto, with the input size of the convolution."""
    for case in cases:

        def every(y: jax.Array, kernel: jax.Array, case: Case = case) -> dict[str, jax.Array]:
            g, methods = case.geometry, case.methods(CONV_TRANSPOSE_METHODS)
            return {m: conv_transpose(*taken_by(m, y, kernel), method=m, geometry=g) for m in methods}

        yield from by_method(case, case.run(every, case.y, case.kernel), case.backward)


@claim(
    "vjp",
    "the vjp of a convolution is multiplication by C-transposed: its gradient is the transposed convolution",
    f"{PAPER}, section 4.1",
)
def vjp(cases: Cases) -> Iterator[Trial]:
    """Tries reverse mode through `conv`, and through `C @ x`."""
    for case in cases:

        def pullbacks(
            x: jax.Array, kernel: jax.Array, y: jax.Array, g: ConvGeometry = case.geometry
        ) -> list[jax.Array]:
            return [
                jax.vjp(function, x)[1](y)[0]
                for function in (lambda x: conv(x, kernel, geometry=g), conv_matrix(kernel, g))
            ]

        results = case.run(pullbacks, case.x, case.kernel, case.y)
        yield Trial(max(case.gap(got, case.backward) for got in results), case.example)


@claim(
    "lax-vjp", "the vjp of lax.conv_general_dilated computes C-transposed y", f"jax.lax; {PAPER}, section 4.1"
)
def lax_vjp(cases: Cases) -> Iterator[Trial]:
    """Tries reverse mode through the convolution of XLA, by the rule of jax."""
    for case in cases.zero_padded():

        def pullback(x: jax.Array, kernel: jax.Array, y: jax.Array, case: Case = case) -> jax.Array:
            return jax.vjp(lambda x: lax_conv(case)(x, kernel), x)[1](y)[0]

        got = case.run(pullback, case.x, case.kernel, case.y)
        yield Trial(case.gap(got, case.backward), case.example)


@claim(
    "linear-transpose",
    "jax.linear_transpose of lax.conv_general_dilated computes C-transposed y",
    f"jax; {PAPER}, section 4.1",
)
def linear_transpose(cases: Cases) -> Iterator[Trial]:
    """Tries jax.linear_transpose, which does not evaluate the convolution."""
    for case in cases.zero_padded():
        shape = jax.ShapeDtypeStruct(case.x.shape, case.dtype)

        def transpose(
            kernel: jax.Array, y: jax.Array, case: Case = case, shape: jax.ShapeDtypeStruct = shape
        ) -> jax.Array:
            return jax.linear_transpose(lambda x: lax_conv(case)(x, kernel), shape)(y)[0]

        yield Trial(case.gap(case.run(transpose, case.kernel, case.y), case.backward), case.example)


@claim(
    "equivalent-direct",
    "C-transposed y is a direct convolution of the dilated y with the flipped kernel",
    f"{PAPER}, relationships 8-14, corrected",
)
def equivalent_direct(cases: Cases) -> Iterator[Trial]:
    """Tries the geometry of `ConvGeometry.transposed` with the kernel of `transposed_kernel`."""
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
    """Compares both sides, by the functions of the library alone."""
    for case in cases:
        g = case.geometry

        def sides(x: jax.Array, kernel: jax.Array, y: jax.Array, g: ConvGeometry = g) -> jax.Array:
            forward = conv(x, kernel, geometry=g)
            backward = conv_transpose(y, kernel, geometry=g)
            return jnp.stack([(forward * y).sum(), (x * backward).sum()])

        left, right = case.run(sides, case.x, case.kernel, case.y)
        scale = (case.forward.magnitude * abs(case.y).astype(float)).sum()
        terms = case.x.size + case.y.size
        yield Trial(gap(left, right, scale, terms, case.dtype), case.example)


@claim("adjoint", "<C x, y> = <x, C.H y> with conjugation: C.H is the adjoint", "definition of the adjoint")
def adjoint(cases: Cases) -> Iterator[Trial]:
    """Tries real and complex kernels; the adjoint differs from the transpose if they are complex."""
    for case in cases:
        got = case.run(lambda k, y, g=case.geometry: conv_matrix(k, g).H(y), case.kernel, case.y)
        expected = (case.y.reshape(case.y.shape[0], -1).astype(case.C.dtype) @ case.C.conj()).reshape(
            got.shape
        )
        yield Trial(gap(got, expected, case.backward.magnitude, case.kernel.size, case.dtype), case.example)


@claim(
    "backward-of-transpose",
    "the backward pass of the transposed convolution computes C x",
    f"{PAPER}, section 4.2",
)
def backward_of_transpose(cases: Cases) -> Iterator[Trial]:
    """Compares the vjp of `conv_transpose` with the convolution."""
    for case in cases:
        g = case.geometry

        def pullback(y: jax.Array, kernel: jax.Array, x: jax.Array, g: ConvGeometry = g) -> jax.Array:
            def transpose(y: jax.Array) -> jax.Array:
                return conv_transpose(y, kernel, geometry=g)

            return jax.vjp(transpose, y)[1](x)[0]

        got = case.run(pullback, case.y, case.kernel, case.x)
        yield Trial(case.gap(got, case.forward), case.example)


@claim(
    "kernel-gradient",
    "the gradient of the kernel is the correlation of x with the gradient of the output",
    "Goodfellow, Bengio & Courville, Deep Learning, section 9.5",
)
def kernel_gradient(cases: Cases) -> Iterator[Trial]:
    """Tries `conv_kernel_vjp` by every formulation, and the vjp of `conv` and of C x in the kernel."""
    for case in cases:

        def every(x: jax.Array, kernel: jax.Array, y: jax.Array, case: Case = case) -> dict[str, jax.Array]:
            g, methods = case.geometry, case.methods(CONV_KERNEL_VJP_METHODS)
            gradients: dict[str, jax.Array] = {
                m: conv_kernel_vjp(*taken_by(m, x, y), None, method=m, geometry=g) for m in methods
            }
            gradients["vjp of conv"] = jax.vjp(lambda k: conv(x, k, geometry=g), kernel)[1](y)[0]
            gradients["vjp of C(x)"] = jax.vjp(lambda k: conv_matrix(k, g)(x), kernel)[1](y)[0]
            return gradients

        yield from by_method(case, case.run(every, case.x, case.kernel, case.y), case.kernel_gradient)
