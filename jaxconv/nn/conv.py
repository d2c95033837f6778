"""Convolution and transposed convolution as flax.nnx layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jax.nn.initializers import Initializer
from jax.typing import DTypeLike

from jaxconv.convolution import conv, conv_transpose
from jaxconv.convolution.options import OPTION_NAMES, instead_of_geometry
from jaxconv.core.checks import ArrayOrList, as_array, check_dtype, split_map
from jaxconv.errors import GeometryError
from jaxconv.geometry import ConvGeometry, IntPerAxis, Padding, PaddingMode
from jaxconv.geometry.arguments import (
    PaddingWord,
    at_least_one,
    flag,
    padding_per_axis,
    padding_word,
    per_axis,
    shape_of,
)
from jaxconv.interop import Convolution
from jaxconv.interop.refusals import check_type
from jaxconv.nn.initializers import conv_lecun_normal, conv_transpose_lecun_normal

SIZES = ("in_features", "out_features", "kernel_shape")


class _Layer(nnx.Module):
    """What both layers have: the forward convolution's arguments, its kernel, and a bias."""

    in_features: int
    out_features: int
    kernel_shape: tuple[int, ...]
    strides: IntPerAxis
    padding: PaddingWord | tuple[PaddingWord | tuple[int, int], ...]
    padding_mode: PaddingMode
    input_dilation: IntPerAxis
    kernel_dilation: IntPerAxis
    feature_group_count: int
    geometry: ConvGeometry | None
    precision: jax.lax.PrecisionLike
    dtype: DTypeLike | None
    output_padding: tuple[int, ...] | None = None
    _transposed = False

    def _set_geometry(
        self,
        in_features: int | None,
        out_features: int | None,
        kernel_shape: Sequence[int] | None,
        geometry: ConvGeometry | None,
        **options: Any,
    ) -> ConvGeometry:
        """Stores the geometry's arguments, once all that needs no input is checked.

        Returns a forward geometry with the layer's kernel, on an input that every kernel fits: small,
        and padded until it does.
        """
        self.geometry = geometry
        if geometry is not None:
            kernel_shape, options = geometry.kernel_shape, geometry.options
            sizes = geometry.in_features, geometry.out_features
            in_features, out_features = sizes[::-1] if self._transposed else sizes
        self.in_features = at_least_one("in_features", _given("in_features", in_features))
        self.out_features = at_least_one("out_features", _given("out_features", out_features))
        kernel_shape = _given("kernel_shape", kernel_shape)
        if isinstance(kernel_shape, int):
            raise TypeError(
                "`kernel_shape` must be a tuple with one size per spatial axis, such as "
                f"({kernel_shape}, {kernel_shape}); got {kernel_shape}."
            )
        kernel_shape = shape_of("kernel_shape", kernel_shape)
        _check_groups(self.in_features, self.out_features, options["feature_group_count"])
        sizes = self.in_features, self.out_features
        forward_in, forward_out = sizes[::-1] if self._transposed else sizes
        padding: Padding = options.pop("padding")
        forward = ConvGeometry(
            (2,) * len(kernel_shape),
            kernel_shape,
            in_features=forward_in,
            out_features=forward_out,
            padding="FULL",
            **options,
        )
        self.kernel_shape = forward.kernel_shape
        for name in options:
            setattr(self, name, getattr(forward, name))
        resolved = padding_per_axis(padding, forward.ndim)
        self.padding = padding_word(padding) if isinstance(padding, str) else resolved
        return forward

    def _set_parameters(
        self,
        kernel_shape: tuple[int, ...],
        kernel_init: Initializer,
        bias_init: Initializer,
        use_bias: bool,
        dtype: DTypeLike,
        rngs: nnx.Rngs,
    ) -> None:
        check_dtype(dtype, "param_dtype")
        use_bias = flag("use_bias", use_bias)
        self._convolution(jax.ShapeDtypeStruct(kernel_shape, dtype), None)  # refuses what no call would take
        self.kernel = nnx.Param(kernel_init(rngs.params(), kernel_shape, dtype))
        self.bias = nnx.Param(bias_init(rngs.params(), (self.out_features,), dtype)) if use_bias else None

    def as_convolution(self) -> Convolution:
        """Returns the layer as `jaxconv.interop` knows it, from which other libraries' layers can be made.

        Raises:
          TypeError: The layer is of a subclass that computes something else.
        """
        check_type(self, (Conv, ConvTranspose), ("__call__", "_operands", "_add_bias"), "jaxconv.nn")
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
        """Returns the arguments that `conv` and `conv_transpose` share."""
        return {name: getattr(self, name) for name in (*OPTION_NAMES, "precision")}

    def _operands(self, name: str, x: ArrayOrList) -> tuple[jax.Array, jax.Array]:
        """Returns the input and the kernel, in the layer's `dtype` where it has one."""
        x, kernel = as_array(name, x), self.kernel[...]
        return (x, kernel) if self.dtype is None else (x.astype(self.dtype), kernel.astype(self.dtype))

    def _check_input(self, name: str, x: jax.Array) -> None:
        """Checks a map's features, and its size where the layer has a geometry."""
        _, spatial = split_map(name, x.shape, len(self.kernel_shape), "the layer's kernel")
        if x.shape[-1] != self.in_features:
            channels = x.ndim - len(spatial) - 1
            first = x.shape[channels] == self.in_features
            hint = f" jaxconv is channels-last: try jnp.moveaxis({name}, {channels}, -1)." if first else ""
            raise GeometryError(
                f"`{name}` has {x.shape[-1]} features on its last axis but the layer takes "
                f"{self.in_features}; got {name} of shape {x.shape}.{hint}"
            )
        if self.geometry is None:
            return
        shape = self.geometry.output_shape if self._transposed else self.geometry.input_shape
        if spatial != shape:
            raise GeometryError(
                f"`{name}` must be a map of the spatial shape {shape} that the layer's `geometry` fixes, got "
                f"{spatial} in {x.shape}; for maps of other sizes give the layer options instead."
            )

    def _add_bias(self, x: jax.Array) -> jax.Array:
        """Adds the bias, broadcast explicitly as strict rank promotion requires."""
        if self.bias is None:
            return x
        return x + jnp.broadcast_to(self.bias[...].astype(x.dtype), x.shape)


def _given(name: str, value: Any) -> Any:
    """Returns a size that may be left out beside `geometry` only."""
    if value is None:
        raise TypeError(
            f"`{name}` is missing: a layer needs `in_features`, `out_features` and `kernel_shape`, "
            "or `geometry` instead."
        )
    return value


def _check_groups(in_features: int, out_features: int, feature_group_count: int) -> None:
    """Checks that groups divide the features, which a transposed layer names the other way round."""
    groups = at_least_one("feature_group_count", feature_group_count)
    for name, count in (("in_features", in_features), ("out_features", out_features)):
        if count % groups:
            raise GeometryError(
                f"`{name}` must be divisible by feature_group_count={groups}, got {count}; "
                "change one of the two."
            )


class Conv(_Layer):
    r"""A convolution with a learned kernel and bias: $y = C x + b$.

    Attributes are the arguments, and `kernel` ``(*kernel_shape, in_features // groups, out_features)``
    and `bias` ``(out_features,)`` or None.

    Args:
      in_features: Number of features of the input.
      out_features: Number of features of the output.
      kernel_shape: Taps of the kernel per spatial axis; its length is the number N of spatial axes.
      strides: Stride of the window, an int or one int per spatial axis.
      padding: ``"VALID"``, ``"SAME"`` or another word (see `jaxconv.ConvGeometry`), an int, or per spatial
        axis an int or a ``(low, high)`` pair, in cells. ``"VALID"`` by default; flax's default is
        ``"SAME"``.
      padding_mode: What the padding cells show: ``"zeros"``, ``"circular"``, ``"reflect"`` or
        ``"replicate"``.
      input_dilation: Distance between neighbouring inputs once zeros are inserted, in cells, an int or one
        int per spatial axis; 1 inserts none.
      kernel_dilation: Distance between neighbouring taps, in cells, an int or one int per spatial axis; 1
        means adjacent.
      feature_group_count: Number of groups; an output feature reads the inputs of its own group only.
      geometry: Geometry of the convolution, in place of `in_features`, `out_features`, `kernel_shape`,
        `strides`, `padding`, `padding_mode`, `input_dilation`, `kernel_dilation` and
        `feature_group_count`. It also fixes the spatial shape of the input.
      use_bias: Whether there is a bias, one number per output feature.
      kernel_init: Initializer of the kernel, called as ``(key, shape, dtype)``; `conv_lecun_normal` by
        default.
      bias_init: Initializer of the bias, called as ``(key, shape, dtype)``; zeros by default.
      dtype: Dtype that the input and the parameters are cast to first. By default nothing is cast, and
        they must agree.
      param_dtype: Dtype of the parameters.
      precision: Precision of the products, as `jax.lax.conv_general_dilated` takes it; None for the
        default of JAX's configuration.
      rngs: Source of the parameters' randomness.

    Raises:
      GeometryError: No convolution has these numbers, or an argument is given beside `geometry`.
      TypeError: A size is missing or not an integer, `use_bias` is not a bool, or a dtype is neither
        floating nor complex.

    >>> layer = Conv(3, 8, (3, 3), strides=2, padding="SAME", rngs=nnx.Rngs(0))
    >>> layer(jnp.ones((5, 17, 12, 3), jnp.float32)).shape, layer.kernel.shape
    ((5, 9, 6, 8), (3, 3, 3, 8))
    >>> g = ConvGeometry((17, 12), (3, 3), in_features=3, out_features=8, strides=2, padding="SAME")
    >>> Conv(geometry=g, rngs=nnx.Rngs(0))(jnp.ones((5, 17, 12, 3), jnp.float32)).shape
    (5, 9, 6, 8)
    """

    @instead_of_geometry(*SIZES, *OPTION_NAMES)
    def __init__(
        self,
        in_features: int | None = None,
        out_features: int | None = None,
        kernel_shape: Sequence[int] | None = None,
        *,
        strides: IntPerAxis = 1,
        padding: Padding = "VALID",
        padding_mode: PaddingMode = "zeros",
        input_dilation: IntPerAxis = 1,
        kernel_dilation: IntPerAxis = 1,
        feature_group_count: int = 1,
        geometry: ConvGeometry | None = None,
        use_bias: bool = True,
        kernel_init: Initializer | None = None,
        bias_init: Initializer = nnx.initializers.zeros,
        dtype: DTypeLike | None = None,
        param_dtype: DTypeLike = jnp.float32,
        precision: jax.lax.PrecisionLike = None,
        rngs: nnx.Rngs,
    ) -> None:
        forward = self._set_geometry(
            in_features,
            out_features,
            kernel_shape,
            geometry,
            strides=strides,
            padding=padding,
            padding_mode=padding_mode,
            input_dilation=input_dilation,
            kernel_dilation=kernel_dilation,
            feature_group_count=feature_group_count,
        )
        self.precision, self.dtype = precision, dtype
        init = kernel_init or conv_lecun_normal(self.kernel_shape, self.input_dilation)
        self._set_parameters(forward.kernel_array_shape, init, bias_init, use_bias, param_dtype, rngs)

    def __call__(self, x: ArrayOrList) -> jax.Array:
        """Computes the convolution and adds the bias.

        Args:
          x: Feature map ``(*batch, *spatial, in_features)`` with any number of batch axes.

        Returns:
          Feature map ``(*batch, *output_shape, out_features)``.

        Raises:
          GeometryError: The shape of `x` does not fit.
          TypeError: `x` has another dtype than the parameters, and the layer has no `dtype`.
        """
        x, kernel = self._operands("x", x)
        self._check_input("x", x)
        return self._add_bias(conv(x, kernel, **self._options()))


class ConvTranspose(_Layer):
    r"""A transposed convolution with a learned kernel and bias: $x = C^\mathsf{T} y + b$.

    It runs a convolution from its output side to its input side: the input of the *layer* is the
    output of the forward convolution. Features are therefore named by the layer, and everything
    else, kernel layout included, by the forward convolution:

    =====================  ========================  ===============================
    this layer             the forward convolution   axis of `kernel`
    =====================  ========================  ===============================
    ``in_features``        its output's features     last
    ``out_features``       its input's features      last but one (over groups)
    ``strides``            how far its windows move  how much the layer upsamples
    =====================  ========================  ===============================

    Args:
      in_features: Number of features of the layer's input.
      out_features: Number of features of the layer's output.
      kernel_shape: Taps of the kernel per spatial axis; its length is the number N of spatial axes.
      strides: Stride of the forward convolution, an int or one int per spatial axis: the upsampling factor.
      padding: Padding of the forward convolution: ``"VALID"``, ``"SAME"`` or another word (see
        `jaxconv.ConvGeometry`), an int, or per spatial axis an int or a ``(low, high)`` pair, in cells.
        ``"SAME"`` returns strides times the input's size.
      padding_mode: What the padding cells of the forward convolution show: ``"zeros"``, ``"circular"``,
        ``"reflect"`` or ``"replicate"``. The transpose adds each padding cell to the cell that it showed.
      input_dilation: Distance between the forward convolution's neighbouring inputs once zeros are
        inserted, in cells, an int or one int per spatial axis; 1 inserts none.
      kernel_dilation: Distance between neighbouring taps, in cells, an int or one int per spatial axis; 1
        means adjacent.
      feature_group_count: Number of groups; an output feature of the forward convolution reads the inputs
        of its own group only.
      output_padding: Cells beyond the smallest result, an int or one int per spatial axis: picks one of
        the sizes that share a forward output. A call's `input_shape` says the same by the result.
      geometry: Geometry of the forward convolution, in place of `in_features`, `out_features`,
        `kernel_shape`, `strides`, `padding`, `padding_mode`, `input_dilation`, `kernel_dilation`,
        `feature_group_count` and `output_padding`. Its `in_features` are the layer's `out_features`. It
        also fixes the spatial shapes of the layer's input and output.
      use_bias: Whether there is a bias, one number per output feature.
      kernel_init: Initializer of the kernel, called as ``(key, shape, dtype)``;
        `conv_transpose_lecun_normal` by default.
      bias_init: Initializer of the bias, called as ``(key, shape, dtype)``; zeros by default.
      dtype: Dtype that the input and the parameters are cast to first. By default nothing is cast, and
        they must agree.
      param_dtype: Dtype of the parameters.
      precision: Precision of the products, as `jax.lax.conv_general_dilated` takes it; None for the
        default of JAX's configuration.
      rngs: Source of the parameters' randomness.

    Raises:
      GeometryError: No convolution has these numbers, or an argument is given beside `geometry`.
      TypeError: A size is missing or not an integer, `use_bias` is not a bool, or a dtype is neither
        floating nor complex.

    References:
      Dumoulin & Visin, arXiv:1603.07285, section 4.

    >>> layer = ConvTranspose(8, 3, (3, 3), strides=2, padding="SAME", rngs=nnx.Rngs(0))
    >>> y = jnp.ones((5, 9, 6, 8), jnp.float32)
    >>> layer(y).shape, layer(y, input_shape=(17, 12)).shape, layer.kernel.shape
    ((5, 18, 12, 3), (5, 17, 12, 3), (3, 3, 3, 8))
    >>> g = ConvGeometry((17, 12), (3, 3), in_features=3, out_features=8, strides=2, padding="SAME")
    >>> ConvTranspose(geometry=g, rngs=nnx.Rngs(0))(y).shape
    (5, 17, 12, 3)
    """

    _transposed = True

    @instead_of_geometry(*SIZES, "output_padding", *OPTION_NAMES)
    def __init__(
        self,
        in_features: int | None = None,
        out_features: int | None = None,
        kernel_shape: Sequence[int] | None = None,
        *,
        strides: IntPerAxis = 1,
        padding: Padding = "VALID",
        padding_mode: PaddingMode = "zeros",
        input_dilation: IntPerAxis = 1,
        kernel_dilation: IntPerAxis = 1,
        feature_group_count: int = 1,
        output_padding: IntPerAxis | None = None,
        geometry: ConvGeometry | None = None,
        use_bias: bool = True,
        kernel_init: Initializer | None = None,
        bias_init: Initializer = nnx.initializers.zeros,
        dtype: DTypeLike | None = None,
        param_dtype: DTypeLike = jnp.float32,
        precision: jax.lax.PrecisionLike = None,
        rngs: nnx.Rngs,
    ) -> None:
        forward = self._set_geometry(
            in_features,
            out_features,
            kernel_shape,
            geometry,
            strides=strides,
            padding=padding,
            padding_mode=padding_mode,
            input_dilation=input_dilation,
            kernel_dilation=kernel_dilation,
            feature_group_count=feature_group_count,
        )
        if geometry is not None:
            output_padding = geometry.output_padding
        if output_padding is not None:
            output_padding = per_axis("output_padding", output_padding, forward.ndim, least=0)
        self.output_padding = output_padding
        self.precision, self.dtype = precision, dtype
        init = kernel_init or conv_transpose_lecun_normal(
            self.kernel_shape, self.strides, self.feature_group_count
        )
        self._set_parameters(forward.kernel_array_shape, init, bias_init, use_bias, param_dtype, rngs)

    def __call__(self, y: ArrayOrList, input_shape: Sequence[int] | None = None) -> jax.Array:
        """Computes the transposed convolution and adds the bias.

        Args:
          y: Feature map ``(*batch, *spatial, in_features)`` with any number of batch axes.
          input_shape: Spatial shape of the result, such as that of the map that the forward
            convolution would have read. Without it `output_padding` decides, or the smallest result is
            returned (``"SAME"``: strides times the input's size).

        Returns:
          Feature map ``(*batch, *input_shape, out_features)``.

        Raises:
          GeometryError: The shape of `y` does not fit, or the forward convolution does not take
            `input_shape` to the size of `y`.
          TypeError: `y` has another dtype than the parameters, and the layer has no `dtype`.
        """
        y, kernel = self._operands("y", y)
        self._check_input("y", y)
        if self.geometry is not None and input_shape is not None:
            if shape_of("input_shape", input_shape) != self.geometry.input_shape:
                raise GeometryError(
                    f"`input_shape` must be {self.geometry.input_shape}, which the layer's `geometry` fixes, "
                    f"or left out; got {tuple(input_shape)}."
                )
        x = conv_transpose(
            y, kernel, input_shape=input_shape, output_padding=self.output_padding, **self._options()
        )
        return self._add_bias(x)
