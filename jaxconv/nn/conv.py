"""Convolution and transposed convolution as flax.nnx layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.nn.initializers import Initializer
from jax.typing import ArrayLike, DTypeLike

from jaxconv.convolution import conv, conv_transpose
from jaxconv.core.checks import check_dtype
from jaxconv.geometry import ConvGeometry, IntPerAxis, Padding, PaddingMode
from jaxconv.geometry.arguments import PaddingWord, padding_per_axis, padding_word, per_axis
from jaxconv.interop import Convolution
from jaxconv.interop.refusals import check_type
from jaxconv.nn.initializers import conv_lecun_normal, conv_transpose_lecun_normal


class _Layer(nnx.Module):
    """What both layers hold: the forward convolution's arguments, its kernel, and a bias."""

    kernel_shape: tuple[int, ...]
    strides: IntPerAxis
    padding: PaddingWord | tuple[PaddingWord | tuple[int, int], ...]
    padding_mode: PaddingMode
    input_dilation: IntPerAxis
    kernel_dilation: IntPerAxis
    feature_group_count: int
    precision: jax.lax.PrecisionLike
    dtype: DTypeLike | None
    output_padding: tuple[int, ...] | None = None
    _transposed = False

    def _set_geometry(self, kernel_shape: Sequence[int], *, padding: Padding, **options: Any) -> ConvGeometry:
        """Stores the geometry's arguments, once all that needs no input is checked.

        Returns a geometry with the layer's kernel, on an input that every kernel fits: small, and
        padded until it does.
        """
        if isinstance(kernel_shape, int):
            raise TypeError(
                "`kernel_shape` needs a tuple with one size for each spatial axis, such as "
                f"({kernel_shape}, {kernel_shape}); got {kernel_shape}."
            )
        kernel_shape = tuple(kernel_shape)
        geometry = ConvGeometry((2,) * len(kernel_shape), kernel_shape, padding="FULL", **options)
        self.kernel_shape = geometry.kernel_shape
        for name in options:
            if name not in ("in_features", "out_features"):  # a transposed layer's are the other way round
                setattr(self, name, getattr(geometry, name))
        resolved = padding_per_axis(padding, geometry.ndim)
        self.padding = padding_word(padding) if isinstance(padding, str) else resolved
        return geometry

    def _set_parameters(
        self,
        kernel_shape: tuple[int, ...],
        kernel_init: Initializer,
        bias_init: Initializer,
        out_features: int,
        use_bias: bool,
        dtype: DTypeLike,
        rngs: nnx.Rngs,
    ) -> None:
        check_dtype(dtype, "param_dtype")
        self._convolution(jax.ShapeDtypeStruct(kernel_shape, dtype), None)  # refuses what no call would take
        self.kernel = nnx.Param(kernel_init(rngs.params(), kernel_shape, dtype))
        self.bias = nnx.Param(bias_init(rngs.params(), (out_features,), dtype)) if use_bias else None

    def as_convolution(self) -> Convolution:
        """The layer as `jaxconv.interop` knows it, from where other libraries' layers can be made.

        Raises:
          TypeError: The layer is of a subclass that computes something else.
        """
        check_type(self, (Conv, ConvTranspose), ("__call__", "_operands", "_biased"), "jaxconv.nn")
        return self._convolution(self.kernel[...], None if self.bias is None else self.bias[...])

    def _convolution(self, kernel: jax.Array | jax.ShapeDtypeStruct, bias: jax.Array | None) -> Convolution:
        return Convolution(
            kernel,
            bias,
            transposed=self._transposed,
            output_padding=self.output_padding,
            dtype=self.dtype,
            **self._options(),
        )

    def _options(self) -> dict[str, Any]:
        """The arguments that `conv` and `conv_transpose` share."""
        return {
            "strides": self.strides,
            "padding": self.padding,
            "padding_mode": self.padding_mode,
            "input_dilation": self.input_dilation,
            "kernel_dilation": self.kernel_dilation,
            "feature_group_count": self.feature_group_count,
            "precision": self.precision,
        }

    def _operands(self, x: ArrayLike) -> tuple[jax.Array, jax.Array]:
        """The input and the kernel, in the layer's `dtype` where it has one."""
        x, kernel = jnp.asarray(x), self.kernel[...]
        return (x, kernel) if self.dtype is None else (x.astype(self.dtype), kernel.astype(self.dtype))

    def _biased(self, x: jax.Array) -> jax.Array:
        """Adds one number a feature; broadcast by hand, which strict rank promotion lets pass."""
        if self.bias is None:
            return x
        return x + jnp.broadcast_to(self.bias[...].astype(x.dtype), x.shape)


class Conv(_Layer):
    r"""A convolution with a learned kernel and bias: $y = C x + b$.

    Attributes are those of the geometry, and `kernel` ``(*kernel_shape, in // groups, out)`` and
    `bias` ``(out,)`` or None.

    Args:
      in_features: Features of the input.
      out_features: Features of the output.
      kernel_shape: Taps of every spatial axis; its length is N.
      strides: An int, or one an axis; see `jaxconv.ConvGeometry`, as for the next five.
      padding: A word, an int, or an int or pair an axis. No padding by default, as everywhere in
        this library.
      padding_mode: What the padding holds.
      input_dilation: Inserts zeros between inputs.
      kernel_dilation: Inserts zeros between taps.
      feature_group_count: Groups.
      use_bias: Whether there is a bias.
      kernel_init: Called as ``(key, shape, dtype)``; `conv_lecun_normal` by default.
      bias_init: Likewise; zeros by default.
      dtype: What the input and the parameters are cast to before the convolution. By default
        nothing is cast, and they must agree.
      param_dtype: Of the parameters.
      precision: As in `jax.lax.conv_general_dilated`.
      rngs: Source of the parameters' randomness.

    Raises:
      GeometryError: No convolution has these numbers.
      TypeError: A size is not an integer, or a dtype neither floating nor complex.

    >>> layer = Conv(3, 8, (3, 3), strides=2, padding="SAME", rngs=nnx.Rngs(0))
    >>> layer(jnp.ones((5, 17, 12, 3), jnp.float32)).shape, layer.kernel.shape
    ((5, 9, 6, 8), (3, 3, 3, 8))
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_shape: Sequence[int],
        *,
        strides: IntPerAxis = 1,
        padding: Padding = "VALID",
        padding_mode: PaddingMode = "zeros",
        input_dilation: IntPerAxis = 1,
        kernel_dilation: IntPerAxis = 1,
        feature_group_count: int = 1,
        use_bias: bool = True,
        kernel_init: Initializer | None = None,
        bias_init: Initializer = nnx.initializers.zeros,
        dtype: DTypeLike | None = None,
        param_dtype: DTypeLike = jnp.float32,
        precision: jax.lax.PrecisionLike = None,
        rngs: nnx.Rngs,
    ):
        self.in_features, self.out_features = in_features, out_features
        geometry = self._set_geometry(
            kernel_shape,
            in_features=in_features,
            out_features=out_features,
            strides=strides,
            padding=padding,
            padding_mode=padding_mode,
            input_dilation=input_dilation,
            kernel_dilation=kernel_dilation,
            feature_group_count=feature_group_count,
        )
        self.precision, self.dtype = precision, dtype
        init = kernel_init or conv_lecun_normal(self.kernel_shape, self.input_dilation)
        self._set_parameters(
            geometry.kernel_array_shape, init, bias_init, out_features, use_bias, param_dtype, rngs
        )

    def __call__(self, x: ArrayLike) -> jax.Array:
        """Convolves.

        Args:
          x: ``(*batch, *spatial, in_features)``, any number of batch axes.

        Returns:
          ``(*batch, *output_shape, out_features)``.

        Raises:
          GeometryError: `x` does not fit.
          TypeError: `x` has another dtype than the parameters, and the layer has no `dtype`.
        """
        x, kernel = self._operands(x)
        return self._biased(conv(x, kernel, **self._options()))


class ConvTranspose(_Layer):
    r"""A transposed convolution with a learned kernel and bias: $x = C^\mathsf{T} y + b$.

    It runs a convolution from its output side to its input side: what the *layer* takes in is what
    the forward convolution gives out. Features are therefore named by the layer, and everything
    else, kernel layout included, by the forward convolution:

    =====================  ========================  ===============================
    this layer             the forward convolution   axis of `kernel`
    =====================  ========================  ===============================
    ``in_features``        its output's features     last
    ``out_features``       its input's features      last but one (over groups)
    ``strides``            how far its windows move  how much the layer upsamples
    =====================  ========================  ===============================

    Args:
      in_features: Features that the layer takes.
      out_features: Features that the layer returns.
      kernel_shape: Taps of every spatial axis; its length is N.
      strides: Of the forward convolution, as the next five; see `jaxconv.ConvGeometry`.
      padding: Likewise. ``"SAME"`` returns strides times the input's size.
      padding_mode: Likewise.
      input_dilation: Likewise.
      kernel_dilation: Likewise.
      feature_group_count: Groups.
      output_padding: Which of the sizes that share a forward output to return, in cells beyond the
        smallest; a call's `input_shape` says the same by the result.
      use_bias: Whether there is a bias, on the layer's ``out_features``.
      kernel_init: Called as ``(key, shape, dtype)``; `conv_transpose_lecun_normal` by default.
      bias_init: Likewise; zeros by default.
      dtype: What the input and the parameters are cast to first. By default nothing is cast, and
        they must agree.
      param_dtype: Of the parameters.
      precision: As in `jax.lax.conv_general_dilated`.
      rngs: Source of the parameters' randomness.

    Raises:
      GeometryError: No convolution has these numbers.
      TypeError: A size is not an integer, or a dtype neither floating nor complex.

    References:
      Dumoulin & Visin, arXiv:1603.07285, section 4.

    >>> layer = ConvTranspose(8, 3, (3, 3), strides=2, padding="SAME", rngs=nnx.Rngs(0))
    >>> y = jnp.ones((5, 9, 6, 8), jnp.float32)
    >>> layer(y).shape, layer(y, input_shape=(17, 12)).shape, layer.kernel.shape
    ((5, 18, 12, 3), (5, 17, 12, 3), (3, 3, 3, 8))
    """

    _transposed = True

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_shape: Sequence[int],
        *,
        strides: IntPerAxis = 1,
        padding: Padding = "VALID",
        padding_mode: PaddingMode = "zeros",
        input_dilation: IntPerAxis = 1,
        kernel_dilation: IntPerAxis = 1,
        feature_group_count: int = 1,
        output_padding: IntPerAxis | None = None,
        use_bias: bool = True,
        kernel_init: Initializer | None = None,
        bias_init: Initializer = nnx.initializers.zeros,
        dtype: DTypeLike | None = None,
        param_dtype: DTypeLike = jnp.float32,
        precision: jax.lax.PrecisionLike = None,
        rngs: nnx.Rngs,
    ):
        self.in_features, self.out_features = in_features, out_features
        forward = self._set_geometry(
            kernel_shape,
            in_features=out_features,
            out_features=in_features,
            strides=strides,
            padding=padding,
            padding_mode=padding_mode,
            input_dilation=input_dilation,
            kernel_dilation=kernel_dilation,
            feature_group_count=feature_group_count,
        )
        if output_padding is not None:
            output_padding = per_axis("output_padding", output_padding, forward.ndim, least=0)
        self.output_padding = output_padding
        self.precision, self.dtype = precision, dtype
        init = kernel_init or conv_transpose_lecun_normal(
            self.kernel_shape, self.strides, self.feature_group_count
        )
        self._set_parameters(
            forward.kernel_array_shape, init, bias_init, out_features, use_bias, param_dtype, rngs
        )

    def __call__(self, y: ArrayLike, input_shape: Sequence[int] | None = None) -> jax.Array:
        """Multiplies by the transpose.

        Args:
          y: ``(*batch, *spatial, in_features)``, any number of batch axes.
          input_shape: Spatial shape of the result, such as that of the map that the forward
            convolution would have read; without it `output_padding` decides, or the smallest is
            returned (``"SAME"``: strides times the input's size).

        Returns:
          ``(*batch, *input_shape, out_features)``.

        Raises:
          GeometryError: `y` does not fit, or the forward convolution does not take `input_shape`
            to `y`'s size.
          TypeError: `y` has another dtype than the parameters, and the layer has no `dtype`.
        """
        y, kernel = self._operands(y)
        x = conv_transpose(
            y, kernel, input_shape=input_shape, output_padding=self.output_padding, **self._options()
        )
        return self._biased(x)
