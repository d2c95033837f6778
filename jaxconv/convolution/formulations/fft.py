"""Convolution as a product of spectra: the cost does not grow with the kernel.

Its rounding error follows the norms of kernel and input, not the magnitude of each output:
a small output beside large ones keeps fewer digits than the other formulations give it.
"""

import itertools

import jax
import jax.numpy as jnp
from jax import lax

from jaxconv.convolution.padding import stretch_and_pad
from jaxconv.geometry import ConvGeometry


def conv(x: jax.Array, kernel: jax.Array, g: ConvGeometry, precision: jax.lax.PrecisionLike) -> jax.Array:
    """Maps ``(N, *input_shape, in)`` and the kernel to ``(N, *output_shape, out)``."""
    is_complex = jnp.iscomplexobj(x)
    # A circular convolution of at least the padded size does not wrap into the outputs kept below.
    sizes = [fast_size(axis.padded) for axis in g.axes]
    groups = g.feature_group_count
    x_spectrum = _spectrum(stretch_and_pad(x, g), sizes, 1)
    x_spectrum = x_spectrum.reshape(*x_spectrum.shape[:-1], groups, g.in_features // groups)
    kernel = jnp.flip(kernel, range(g.ndim))  # a product of spectra flips the kernel: flip it first
    kernel = lax.pad(
        kernel, jnp.zeros((), kernel.dtype), [(0, 0, d - 1) for d in g.kernel_dilation] + [(0, 0, 0)] * 2
    )
    k_spectrum = _spectrum(kernel, sizes, 0)
    k_spectrum = k_spectrum.reshape(*k_spectrum.shape[:-1], groups, g.out_features // groups)
    y = jnp.einsum("n...gi,...igo->n...go", x_spectrum, k_spectrum, precision=lax.Precision.HIGHEST)
    y = _inverse(y.reshape(*y.shape[:-2], g.out_features), sizes, is_complex)
    for dimension, axis in enumerate(g.axes, start=1):
        last = axis.span - 1 + (axis.out_size - 1) * axis.stride
        y = lax.slice_in_dim(y, axis.span - 1, last + 1, axis.stride, dimension)
    return y


def fast_size(least: int) -> int:
    """Returns the next size whose only prime factors are 2, 3 and 5.

    >>> [fast_size(n) for n in (1, 7, 97, 1025)]
    [1, 8, 100, 1080]
    """

    def rest(n: int) -> int:
        for factor in (2, 3, 5):
            while n % factor == 0:
                n //= factor
        return n

    return next(n for n in itertools.count(least) if rest(n) == 1)


def _spectrum(x: jax.Array, sizes: list[int], first: int) -> jax.Array:
    """Transforms along axes ``first, first + 1, ...``; the last one is halved for real data."""
    last = first + len(sizes) - 1
    transform = jnp.fft.fft if jnp.iscomplexobj(x) else jnp.fft.rfft
    x = transform(x, sizes[-1], last)
    for axis, size in enumerate(sizes[:-1], start=first):
        x = jnp.fft.fft(x, size, axis)
    return x


def _inverse(x: jax.Array, sizes: list[int], is_complex: bool) -> jax.Array:
    """Inverts `_spectrum` along the axes after the batch."""
    for axis, size in enumerate(sizes[:-1], start=1):
        x = jnp.fft.ifft(x, size, axis)
    inverse = jnp.fft.ifft if is_complex else jnp.fft.irfft
    return inverse(x, sizes[-1], len(sizes))
