"""A layer of any library: the arguments, the kernel and the bias of its forward convolution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, cast

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from jaxconv.convolution import conv, conv_transpose
from jaxconv.core.checks import (
    ArrayOrList,
    as_array,
    check_dtype,
    check_dtypes,
    check_features,
    check_precision,
    check_single,
    split_map,
)
from jaxconv.errors import GeometryError
from jaxconv.geometry import ConvGeometry, IntPerAxis, Padding, PaddingMode
from jaxconv.geometry.arguments import (
    at_least_one,
    flag,
    resolve_padding,
)
from jaxconv.interop.padding import in_cells, spans, transposed_in_cells


@jax.tree_util.register_pytree_node_class
@dataclass(frozen=True, eq=False, init=False)
class Convolution:
    r"""A convolution layer $y = C x + b$, or a transposed one $x = C^\mathsf{T} y + b$, with its parameters.

    The readers of this package (`from_torch` and the others) return one, and the writers take one. All
    arguments and the kernel are those of the *forward* convolution, for a transposed layer too, as in
    `jaxconv.nn.ConvTranspose`. It is a pytree: `kernel` and `bias` are the leaves, the rest is static.

    Args:
      kernel: Kernel ``(*kernel_shape, in // groups, out)`` of the forward convolution, floating or complex. A
        `jax.ShapeDtypeStruct` suffices where nothing is computed.
      bias: Bias ``(out_features,)`` of the layer, of the kernel's dtype, or None.
      strides: Strides of the forward convolution, an int or one int per spatial axis.
      padding: ``"SAME"``, ``"VALID"`` or another word of `jaxconv.ConvGeometry`, an int, or per spatial axis
        an int or a ``(low, high)`` pair. It is stored in cells, except for a strided ``"SAME"`` or
        ``"SAME_LOWER"`` of a forward layer, which depends on the size of the input.
      padding_mode: ``"zeros"``, ``"circular"``, ``"reflect"`` or ``"replicate"``: what the padding holds.
      input_dilation: Distance between neighbouring inputs once zeros are inserted, an int or one int per
        spatial axis.
      kernel_dilation: Distance between neighbouring taps, in cells; 1 means adjacent. An int or one int per
        spatial axis.
      feature_group_count: Number of groups.
      transposed: Whether the layer multiplies by the transpose.
      output_padding: For a transposed layer, which of the possible output sizes it has, in cells beyond the
        smallest: an int or one int per spatial axis. None means the smallest.
      dtype: Dtype to which the map and the parameters are cast. By default nothing is cast, and their dtypes
        must agree.
      precision: Precision of the products, as in `jax.lax.conv_general_dilated`.

    Raises:
      GeometryError: Shapes or options contradict each other.
      TypeError: A size is not an integer, a flag is not a boolean, or the kernel is neither floating nor
        complex.

    References:
      Dumoulin & Visin, arXiv:1603.07285, sections 2 and 4.

    >>> kernel = jnp.array([1.0, 2.0, 3.0]).reshape(3, 1, 1)
    >>> layer = Convolution(kernel, strides=2, padding=1, transposed=True, output_padding=1)
    >>> layer.geometry((3,))
    ConvGeometry((6,), (3,), strides=(2,), padding=((1, 1),))
    >>> layer(jnp.array([[1.0], [10.0], [100.0]])).ravel().tolist()
    [2.0, 13.0, 20.0, 130.0, 200.0, 300.0]
    """

    kernel: jax.Array
    bias: jax.Array | None
    strides: tuple[int, ...]
    padding: Any  # one pair per axis, or a word
    padding_mode: PaddingMode
    input_dilation: tuple[int, ...]
    kernel_dilation: tuple[int, ...]
    feature_group_count: int
    transposed: bool
    output_padding: tuple[int, ...] | None
    dtype: Any
    precision: jax.lax.PrecisionLike

    def __init__(
        self,
        kernel: ArrayOrList | jax.ShapeDtypeStruct,
        bias: ArrayOrList | jax.ShapeDtypeStruct | None = None,
        *,
        strides: IntPerAxis = 1,
        padding: Padding = "VALID",
        padding_mode: PaddingMode = "zeros",
        input_dilation: IntPerAxis = 1,
        kernel_dilation: IntPerAxis = 1,
        feature_group_count: int = 1,
        transposed: bool = False,
        output_padding: IntPerAxis | None = None,
        dtype: DTypeLike | None = None,
        precision: jax.lax.PrecisionLike = None,
    ):
        kernel = _array("kernel", kernel)
        bias = None if bias is None else _array("bias", bias)
        check_dtypes(kernel=kernel, **({} if bias is None else {"bias": bias}))
        if kernel.ndim < 3:
            raise GeometryError(
                f"`kernel` must be (*kernel_shape, in // groups, out) with a spatial axis, got shape "
                f"{tuple(kernel.shape)}."
            )
        features = (
            kernel.shape[-2] * at_least_one("feature_group_count", feature_group_count),
            kernel.shape[-1],
        )
        g = ConvGeometry(
            (2,) * (kernel.ndim - 2),  # small, and padded until every kernel fits
            kernel.shape[:-2],
            in_features=features[0],
            out_features=features[1],
            strides=strides,
            padding="FULL",
            padding_mode=padding_mode,
            input_dilation=input_dilation,
            kernel_dilation=kernel_dilation,
            feature_group_count=feature_group_count,
        )
        transposed = flag("transposed", transposed)
        features = features[::-1] if transposed else features
        if bias is not None and bias.shape != features[1:]:
            raise GeometryError(
                f"`bias` must be (out_features,) = {features[1:]}, got shape {tuple(bias.shape)}."
                + _hint_at_channels_first(kernel.shape, bias.shape == kernel.shape[:1])
            )
        resolve = transposed_in_cells if transposed else in_cells
        cells, output_cells = resolve(g, padding, output_padding)
        static = {**g.options, "padding": cells, "output_padding": output_cells}
        static |= {"transposed": transposed, "precision": check_precision(precision)}
        static["dtype"] = None if dtype is None else check_dtype(dtype)
        for name, value in {"kernel": kernel, "bias": bias, **static}.items():
            object.__setattr__(self, name, value)

    @property
    def ndim(self) -> int:
        """N, the number of spatial axes."""
        return len(self.strides)

    @property
    def kernel_shape(self) -> tuple[int, ...]:
        """Number of taps of every axis."""
        return self.kernel.shape[-2 - self.ndim : -2]

    @property
    def spans(self) -> tuple[int, ...]:
        """Number of cells from the first tap to the last, for every axis."""
        return spans(self.kernel_shape, self.kernel_dilation)

    @property
    def in_features(self) -> int:
        """Number of features that the layer takes."""
        return self._features[-1 if self.transposed else 0]

    @property
    def out_features(self) -> int:
        """Number of features that the layer returns."""
        return self._features[0 if self.transposed else -1]

    @property
    def _features(self) -> tuple[int, int]:
        return self.kernel.shape[-2] * self.feature_group_count, self.kernel.shape[-1]

    @property
    def depends_on_size(self) -> bool:
        """Whether the padding or the output padding depends on the size of the input; see `at`."""
        if self.transposed:
            return self.output_padding is None and max(self.input_dilation) > 1
        return isinstance(self.padding, str)

    def pads_same(self, input_shape: Sequence[int] | None = None) -> bool:
        """Returns whether the padding of a forward layer is that of ``"SAME"``.

        Args:
          input_shape: Spatial shape of the input; by default it must hold for every input.
        """
        if isinstance(self.padding, str) or (input_shape is None and max(self.strides) > 1):
            return self.padding == "SAME"
        sizes = (1,) * self.ndim if input_shape is None else input_shape
        stretched = (f * (i - 1) + 1 for i, f in zip(sizes, self.input_dilation, strict=True))
        axes = zip(stretched, self.spans, self.strides, strict=True)
        return self.padding == tuple(resolve_padding("SAME", *axis) for axis in axes)

    def geometry(self, input_shape: Sequence[int]) -> ConvGeometry:
        """Returns the geometry of the forward convolution.

        Args:
          input_shape: Spatial shape of the input of the *layer*. For a transposed layer that is the output
            of the forward convolution, and ``geometry(...).input_shape`` is the output of the layer.

        Raises:
          GeometryError: The kernel does not fit into the input, or the forward convolution of a transposed
            layer has no such output.
        """
        shape = {"in_features": self._features[0], "out_features": self._features[1]}
        arguments = {**shape, **self._arguments()}
        if not self.transposed:
            return ConvGeometry(input_shape, self.kernel_shape, **arguments)
        return ConvGeometry.of_transposed(
            input_shape, self.kernel_shape, output_padding=self.output_padding, **arguments
        )

    def at(self, input_shape: Sequence[int]) -> Convolution:
        """Returns the layer with its padding in cells, as it is for one size of the input.

        Args:
          input_shape: Spatial shape of the input of the layer.

        Raises:
          GeometryError: The layer does not take such an input, or this is a batch of layers.
        """
        self.check_single()
        g = self.geometry(input_shape)
        return replace(self, padding=g.padding, output_padding=g.output_padding if self.transposed else None)

    def check_single(self) -> None:
        """Checks that this is one layer, not a batch of layers as `jax.vmap` returns it.

        Raises:
          GeometryError: It is a batch.
        """
        check_single("layers", "C(x)", self.kernel.shape, self.ndim + 2)
        if self.bias is not None:
            check_single("layers", "C(x)", self.bias.shape, 1)

    def _arguments(self) -> dict[str, Any]:
        names = ("strides", "padding", "padding_mode", "input_dilation", "kernel_dilation")
        return {name: getattr(self, name) for name in (*names, "feature_group_count")}

    def __call__(self, x: ArrayOrList) -> jax.Array:
        """Applies the layer.

        Args:
          x: Channels-last feature map ``(*batch, *spatial, in_features)`` with any number of batch axes,
            whatever the layout of the library that the layer came from.

        Returns:
          ``(*batch, *spatial, out_features)``.

        Raises:
          GeometryError: The shape of `x` does not fit the layer, or this is a batch of layers.
          TypeError: `x` has another dtype than the kernel, and the layer has no `dtype`.
        """
        self.check_single()
        x = as_array("x", x)
        split_map("x", x.shape, self.ndim, "`kernel`")
        check_features("x", x.shape, self.kernel.shape, self.feature_group_count, transposed=self.transposed)
        return _apply(self, x)

    def tree_flatten(self) -> tuple[tuple[Any, Any], tuple[Any, ...]]:
        """Returns the leaves, `kernel` and `bias`, and the rest."""
        return (self.kernel, self.bias), tuple(getattr(self, slot.name) for slot in fields(self)[2:])

    @classmethod
    def tree_unflatten(cls, static: tuple[Any, ...], leaves: tuple[Any, Any]) -> Convolution:
        """Rebuilds the layer without checks: JAX also passes leaves that are not arrays."""
        layer = object.__new__(cls)
        for slot, value in zip(fields(cls), (*leaves, *static), strict=True):
            object.__setattr__(layer, slot.name, value)
        return layer


@jax.jit
def _apply(layer: Convolution, x: jax.Array) -> jax.Array:
    kernel, bias = layer.kernel, layer.bias
    if layer.dtype is not None:
        x, kernel = x.astype(layer.dtype), kernel.astype(layer.dtype)
    options = {**layer._arguments(), "precision": layer.precision}
    if layer.transposed:
        y = conv_transpose(x, kernel, output_padding=layer.output_padding, **options)
    else:
        y = conv(x, kernel, **options)
    return y if bias is None else y + jnp.broadcast_to(bias.astype(y.dtype), y.shape)


def _hint_at_channels_first(kernel_shape: tuple[int, ...], likely: bool) -> str:
    """Returns the end of a message about a kernel that may have another library's layout."""
    if not likely or kernel_shape[0] == kernel_shape[-1]:
        return ""
    return (
        f" `kernel` has shape {tuple(kernel_shape)}; if it is (out, in // groups, *kernel_shape), as in "
        "PyTorch, pass jnp.moveaxis(kernel, (0, 1), (-1, -2))."
    )


def _array(name: str, values: Any) -> jax.Array:
    if isinstance(values, ConvGeometry):
        raise TypeError(f"`{name}` must be an array, got a ConvGeometry; pass **geometry.options.")
    return cast(jax.Array, values) if isinstance(values, jax.ShapeDtypeStruct) else as_array(name, values)
