"""Spectral normalisation by the norm of the convolution itself, not by that of its reshaped kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx

from jaxconv.convolution.options import OPTION_NAMES
from jaxconv.core.checks import ArrayOrList, as_array, check_option, split_map
from jaxconv.errors import GeometryError, OptionError
from jaxconv.geometry import ConvGeometry
from jaxconv.geometry.arguments import at_least_one, describe, real, shape_of
from jaxconv.linalg import operator_norm
from jaxconv.nn.conv import Conv, ConvTranspose


class SpectralNorm(nnx.Module):
    r"""A convolution whose operator norm is at most a bound: $y = C x / \max(1, \|C\| / b) + \text{bias}$.

    $\|C\|$ is the largest singular value of C on maps of a given size, borders included. It is computed in
    each call, and the gradient of the kernel goes through it. The kernel stays as it is: only its use is
    scaled. Other libraries bound the norm of the kernel as a matrix of taps and features, which is smaller:
    1.5 to 5 times for kernels of 3x3 and 5x5 taps.

    Args:
      conv: Layer to bound, a `Conv` or a `ConvTranspose`. Its parameters are those of this module.
      bound: $b$, largest allowed norm, positive. With 1 the layer does not increase distances.
      input_shape: Spatial shape of the layer's input for which the norm is bounded; by default that of each
        map. Larger maps can have slightly larger norms, as `jaxconv.linalg.norm_bound` says.
      method: Method of `jaxconv.linalg.operator_norm`.
      steps: Iterations of `jaxconv.linalg.operator_norm`, at least 1; by default as many as it needs, which
        takes longer than the convolution of a small batch. With fewer steps of ``"lanczos"``, 20 for example,
        training is faster, and the norm may exceed the bound slightly.

    Raises:
      GeometryError: The layer does not take maps of `input_shape`, `method` is another word, or `steps` is
        below 1.
      OptionError: `bound` is not positive.
      TypeError: `conv` is another layer, or a number has another type.

    References:
      Miyato et al., arXiv:1802.05957; Sedghi, Gupta & Long, arXiv:1805.10408.

    >>> layer = Conv(2, 3, (3, 3), padding="SAME", rngs=nnx.Rngs(0))
    >>> normalized = SpectralNorm(layer, 0.5, input_shape=(8, 8))
    >>> g = ConvGeometry((8, 8), (3, 3), in_features=2, out_features=3, padding="SAME")
    >>> print(f"{operator_norm(normalized.normalized_kernel(), g):.3f}")
    0.500
    """

    def __init__(
        self,
        conv: Conv | ConvTranspose,
        bound: float = 1.0,
        *,
        input_shape: Sequence[int] | None = None,
        method: Literal["auto", "fourier", "lanczos", "gram"] = "auto",
        steps: int | None = None,
    ) -> None:
        if not isinstance(conv, Conv | ConvTranspose):
            raise TypeError(
                f"`conv` must be a jaxconv.nn.Conv or ConvTranspose, got {describe(conv)}; layers of other "
                "libraries can be converted by jaxconv.interop."
            )
        if not (bound := real("bound", bound)) > 0 or bound == float("inf"):
            raise OptionError(f"`bound` must be a positive number, got {bound}.")
        check_option("method", method, ("auto", "fourier", "lanczos", "gram"))
        self.conv, self.bound, self.method = conv, bound, method
        self.steps = None if steps is None else at_least_one("steps", steps)
        self.input_shape = None if input_shape is None else self._checked_shape(input_shape)

    def __call__(self, x: ArrayOrList, *arguments: Any, **options: Any) -> jax.Array:
        """Computes the convolution with the bounded kernel and adds the bias.

        Args:
          x: Feature map ``(*batch, *spatial, in_features)`` with any number of batch axes.
          *arguments: Further arguments of the layer.
          **options: Further keyword arguments of the layer, such as `input_shape` of `ConvTranspose`.

        Returns:
          The layer's feature map.

        Raises:
          GeometryError: The shape of `x` does not fit.
          TypeError: `x` has another dtype than the parameters, and the layer has no `dtype`.
        """
        x = as_array("x", x)
        self.conv._check_input("x", x)
        _, spatial = split_map("x", x.shape, len(self.conv.kernel_shape), "the layer's kernel")
        result_shape = arguments[0] if arguments else options.get("input_shape")
        scale = self._scale(spatial, result_shape)
        dtype = x.dtype if self.conv.dtype is None else self.conv.dtype
        return self.conv(x.astype(dtype) * scale.astype(dtype), *arguments, **options)  # C is linear

    def normalized_kernel(self, input_shape: Sequence[int] | None = None) -> jax.Array:
        """Returns the kernel that the layer convolves with: its parameter, divided if its norm is too large.

        Args:
          input_shape: Spatial shape of the layer's input; by default that of the module, or of the layer's
            `geometry`.

        Raises:
          GeometryError: No shape is known, or the layer does not take maps of this shape.
        """
        kernel = self.conv.kernel[...]
        if input_shape is not None:
            input_shape = self._checked_shape(input_shape)
        return kernel * self._scale(input_shape, None).astype(kernel.dtype)

    def _checked_shape(self, input_shape: Sequence[int]) -> tuple[int, ...]:
        """Returns a spatial shape that the layer takes; refuses what no call would take."""
        shape = shape_of("input_shape", input_shape, len(self.conv.kernel_shape))
        g = self._geometry(shape)
        taken = g.output_shape if isinstance(self.conv, ConvTranspose) else g.input_shape
        if shape != taken:
            raise GeometryError(
                f"`input_shape` must be {taken}, which the `geometry` of the layer takes, got {shape}; leave "
                "it out."
            )
        return shape

    def _scale(self, spatial: Sequence[int] | None, result_shape: Sequence[int] | None) -> jax.Array:
        """Returns the factor of the kernel, at most 1."""
        if self.input_shape is not None:
            spatial, result_shape = self.input_shape, None
        geometry = self._geometry(spatial, result_shape)
        norm = operator_norm(self.conv.kernel[...], geometry, method=self.method, steps=self.steps)
        return 1 / jnp.maximum(norm / self.bound, 1)

    def _geometry(
        self, spatial: Sequence[int] | None, result_shape: Sequence[int] | None = None
    ) -> ConvGeometry:
        """Returns the geometry of the forward convolution for an input of the layer."""
        layer = self.conv
        if layer.geometry is not None:
            return layer.geometry
        if spatial is None:
            raise GeometryError(
                "`input_shape` is missing: the norm depends on the size of the map. Pass it here, or as "
                "`input_shape` of SpectralNorm."
            )
        convolution = layer.as_convolution()
        if result_shape is None:
            return convolution.geometry(spatial)
        return ConvGeometry.from_shapes(
            result_shape,
            spatial,
            layer.kernel_shape,
            in_features=layer.out_features,
            out_features=layer.in_features,
            **{name: getattr(layer, name) for name in OPTION_NAMES},
        )
