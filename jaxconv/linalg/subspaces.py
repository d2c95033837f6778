"""What a convolution cannot see: the null space of C."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np

from jaxconv.core.checks import ArrayOrList
from jaxconv.geometry import ConvGeometry
from jaxconv.linalg.arguments import check_known, checked_kernel, checked_tolerance
from jaxconv.linalg.bounds import rounding
from jaxconv.linalg.circulant import blocks, is_circulant
from jaxconv.linalg.dense import dense, dense_tolerance
from jaxconv.linalg.frequencies import from_input_frequencies
from jaxconv.matrix.sizes import check_bytes


def null_space(kernel: ArrayOrList, geometry: ConvGeometry, *, rtol: float | None = None) -> jax.Array:
    """Computes an orthonormal basis of the maps that C takes to 0: what the convolution cannot see.

    Where C is circulant (`is_circulant`) the basis consists of waves, one frequency or pair of opposite
    frequencies each. Its size depends on the numbers, so it cannot be computed under `jax.jit`.

    Args:
      kernel: Kernel ``(*kernel_shape, in_features // groups, out_features)``.
      geometry: Geometry of the convolution, circulant or with at most 2,000 rows of C.
      rtol: Relative size up to which a singular value counts as 0; by default a bound of the rounding errors.

    Returns:
      Maps ``(dimension, *input_shape, in_features)`` of the kernel's dtype.

    Raises:
      GeometryError: C is not circulant and has more than 2,000 rows, or the basis does not fit into memory;
        or the kernel's shape contradicts the geometry, the kernel is not finite, or `rtol` is negative.
      TypeError: The kernel is not a floating or complex array, is traced by JAX, or `geometry` is not a
        `ConvGeometry`.

    A difference of neighbours cannot see a constant map:

    >>> g = ConvGeometry((4,), (2,), padding=((0, 1),), padding_mode="circular")
    >>> print(abs(null_space(jnp.array([1.0, -1.0]).reshape(2, 1, 1), g))[..., 0].round(3))
    [[0.5 0.5 0.5 0.5]]
    """
    kernel, rtol = checked_kernel(kernel, geometry), checked_tolerance(rtol)
    check_known("null_space", kernel)
    if is_circulant(geometry):
        return _of_blocks(kernel, geometry, rounding(geometry, kernel.dtype) if rtol is None else rtol)
    matrix = dense(kernel, geometry, "the null space")
    columns = matrix.shape[1]
    check_bytes("the null space", columns**2 * matrix.dtype.itemsize, None)
    _, values, right = jnp.linalg.svd(matrix)
    count = int((values > (dense_tolerance(matrix) if rtol is None else rtol) * values[0]).sum())
    return right[count:].conj().reshape(-1, *geometry.input_shape, geometry.in_features)


def _of_blocks(kernel: jax.Array, g: ConvGeometry, rtol: float) -> jax.Array:
    """Returns the null space of a circulant C, block by block."""
    matrices = blocks(kernel, g)
    _, values, right = (np.asarray(part) for part in jnp.linalg.svd(matrices))
    folded = np.zeros(right.shape[:-1], bool)
    folded[..., : values.shape[-1]] = values > rtol * values.max(initial=0.0)
    real = not jnp.iscomplexobj(kernel)
    places = np.argwhere(~folded)  # (frequency, ..., group, vector)
    if real:
        places = np.array([place for place in places if not _is_later(place[: g.ndim], g.output_shape)])
    size = math.prod(g.input_shape) * g.in_features
    check_bytes("the null space", 2 * len(places) * size * matrices.dtype.itemsize, None)
    if not len(places):
        return jnp.zeros((0, *g.input_shape, g.in_features), kernel.dtype)
    hat = np.zeros((len(places), *right.shape[:-2], right.shape[-1]), right.dtype)
    for number, place in enumerate(places):
        hat[(number, *place[:-1])] = right[tuple(place)].conj()
    waves = from_input_frequencies(jnp.asarray(hat), g)
    return _real_waves(np.asarray(waves), places, g).astype(kernel.dtype) if real else waves


def _is_later(frequency: np.ndarray, shape: tuple[int, ...]) -> bool:
    """Returns whether a frequency comes after its opposite."""
    return tuple(frequency) > tuple(-frequency % np.array(shape))


def _real_waves(waves: np.ndarray, places: np.ndarray, g: ConvGeometry) -> jax.Array:
    """Returns a real orthonormal basis of what the waves and their conjugates span."""
    own = (places[:, : g.ndim] == -places[:, : g.ndim] % np.array(g.output_shape)).all(1)
    pairs = np.sqrt(2) * waves[~own]
    found = [pairs.real, pairs.imag]
    for block in np.unique(places[own, :-1], axis=0):  # closed under conjugation: as many real vectors
        members = waves[own & (places[:, :-1] == block).all(1)]
        flat = np.concatenate([members.real, members.imag]).reshape(2 * len(members), -1)
        basis = np.linalg.svd(flat, full_matrices=False)[2][: len(members)]
        found.append(basis.reshape(members.shape))
    return jnp.asarray(np.concatenate(found))
