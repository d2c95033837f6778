"""One layer of any library in this library's terms: the forward convolution's arguments and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike, DTypeLike

from jaxconv.convolution import conv, conv_transpose
from jaxconv.core.checks import check_dtype, check_dtypes, check_map, check_precision, check_single, split_map
from jaxconv.errors import GeometryError
from jaxconv.geometry import ConvGeometry, IntPerAxis, Padding, PaddingMode
from jaxconv.geometry.arguments import (
    at_least_one,
    check_output_padding,
    padding_per_axis,
    per_axis,
    resolve_padding,
)

_SAME = ("SAME", "SAME_LOWER")


@jax.tree_util.register_pytree_node_class
@dataclass(frozen=True, eq=False, init=False)
class Convolution:
    r"""A convolution with its numbers, or a transposed one: $y = C x + b$ or $x = C^\mathsf{T} y + b$.

    What the readers of this package return (`from_torch` and the others) and the writers take.
    Arguments and kernel are the *forward* convolution's, for a transposed layer too, as in
    `jaxconv.nn.ConvTranspose`. A pytree: `kernel` and `bias` are the leaves, the rest is static.

    Args:
      kernel: ``(*kernel_shape, in // groups, out)`` of the forward convolution. A
        `jax.ShapeDtypeStruct` will do where nothing is computed.
      bias: One number for each of the layer's `out_features`, or None.
      strides: An int, or one an axis; see `jaxconv.ConvGeometry`, as for the next five.
      padding: A word, an int, or an int or pair an axis. Stored in cells, but for a strided
        ``"SAME"`` or ``"SAME_LOWER"`` of a forward layer, which depends on the input's size.
      padding_mode: What the padding holds.
      input_dilation: Inserts zeros between inputs.
      kernel_dilation: Inserts zeros between taps.
      feature_group_count: Groups.
      transposed: Whether the layer multiplies by the transpose.
      output_padding: Of a transposed layer: which of the input sizes that share its y, in cells
        beyond the smallest. None takes the smallest.
      dtype: What the map and the numbers are cast to first. By default nothing is cast, and they
        must agree.
      precision: As in `jax.lax.conv_general_dilated`.

    Raises:
      GeometryError: No convolution has these numbers.
      TypeError: A size is not an integer, or the kernel neither floating nor complex.

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
    padding: Any  # a pair an axis, or a word
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
        kernel: jax.Array | np.ndarray | jax.ShapeDtypeStruct,
        bias: jax.Array | np.ndarray | jax.ShapeDtypeStruct | None = None,
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
        kernel, bias = _array(kernel), _array(bias)
        check_dtypes(kernel=kernel, **({} if bias is None else {"bias": bias}))
        if kernel.ndim < 3:
            raise GeometryError(
                f"a kernel is (*kernel_shape, in // groups, out) with a spatial axis, got {kernel.shape}."
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
        features = features[::-1] if transposed else features
        if bias is not None and bias.shape != features[1:]:
            raise GeometryError(f"the bias must be (out_features,) = {features[1:]}, got {bias.shape}.")
        in_cells = _transposed_in_cells if transposed else _in_cells
        padding, output_padding = in_cells(g, padding, output_padding)
        static = {**g.options, "padding": padding, "output_padding": output_padding}
        static |= {"transposed": bool(transposed), "precision": check_precision(precision)}
        static["dtype"] = None if dtype is None else check_dtype(dtype)
        for name, value in {"kernel": kernel, "bias": bias, **static}.items():
            object.__setattr__(self, name, value)

    @property
    def ndim(self) -> int:
        """N, the number of spatial axes."""
        return len(self.strides)

    @property
    def kernel_shape(self) -> tuple[int, ...]:
        """Taps of every axis."""
        return self.kernel.shape[-2 - self.ndim : -2]

    @property
    def spans(self) -> tuple[int, ...]:
        """Cells from the first tap to the last, of every axis."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel_shape, self.kernel_dilation, strict=True))

    @property
    def in_features(self) -> int:
        """Features that the layer takes."""
        return self._features[-1 if self.transposed else 0]

    @property
    def out_features(self) -> int:
        """Features that the layer returns."""
        return self._features[0 if self.transposed else -1]

    @property
    def _features(self) -> tuple[int, int]:
        return self.kernel.shape[-2] * self.feature_group_count, self.kernel.shape[-1]

    @property
    def depends_on_size(self) -> bool:
        """Whether the padding, or the output padding, is another for another input: see `at`."""
        if self.transposed:
            return self.output_padding is None and max(self.input_dilation) > 1
        return isinstance(self.padding, str)

    def pads_same(self, input_shape: Sequence[int] | None = None) -> bool:
        """Whether a forward layer's padding is that of ``"SAME"``: for such an input, or for every one."""
        if isinstance(self.padding, str) or (input_shape is None and max(self.strides) > 1):
            return self.padding == "SAME"
        sizes = (1,) * self.ndim if input_shape is None else input_shape
        stretched = (f * (i - 1) + 1 for i, f in zip(sizes, self.input_dilation, strict=True))
        axes = zip(stretched, self.spans, self.strides, strict=True)
        return self.padding == tuple(resolve_padding("SAME", *axis) for axis in axes)

    def geometry(self, input_shape: Sequence[int]) -> ConvGeometry:
        """The forward convolution's geometry.

        Args:
          input_shape: Spatial shape of what the *layer* takes in; for a transposed layer that is
            the forward convolution's output, and ``geometry(...).input_shape`` the layer's output.

        Raises:
          GeometryError: The kernel does not fit, or no input has this output.
        """
        shape = {"in_features": self._features[0], "out_features": self._features[1]}
        arguments = {**shape, **self._arguments()}
        if not self.transposed:
            return ConvGeometry(input_shape, self.kernel_shape, **arguments)
        return ConvGeometry.of_transposed(
            input_shape, self.kernel_shape, output_padding=self.output_padding, **arguments
        )

    def at(self, input_shape: Sequence[int]) -> Convolution:
        """The layer with what depends on its input's size settled for this one: padding in cells."""
        self.check_single()
        g = self.geometry(input_shape)
        return replace(self, padding=g.padding, output_padding=g.output_padding if self.transposed else None)

    def check_single(self) -> None:
        """The numbers are those of one layer, not of a batch of layers as `jax.vmap` returns it.

        Raises:
          GeometryError: They are those of several.
        """
        check_single("layers", "C(x)", self.kernel.shape, self.ndim + 2)
        if self.bias is not None:
            check_single("layers", "C(x)", self.bias.shape, 1)

    def _arguments(self) -> dict:
        names = ("strides", "padding", "padding_mode", "input_dilation", "kernel_dilation")
        return {name: getattr(self, name) for name in (*names, "feature_group_count")}

    def __call__(self, x: ArrayLike) -> jax.Array:
        """What the layer gives, bias included.

        Args:
          x: ``(*batch, *spatial, in_features)``, any number of batch axes, whatever the layout of
            the library that the layer came from.

        Returns:
          ``(*batch, *spatial, out_features)``.

        Raises:
          GeometryError: `x` does not fit, or this is a batch of layers.
          TypeError: `x` has another dtype than the kernel, and the layer has no `dtype`.
        """
        self.check_single()
        x = jnp.asarray(x)
        _, spatial = split_map("x", x.shape, self.ndim, "the kernel")
        check_map("x", x.shape, spatial, self.in_features)
        return _apply(self, x)

    def tree_flatten(self) -> tuple[tuple[Any, Any], tuple[Any, ...]]:
        """`kernel` and `bias` are the leaves."""
        return (self.kernel, self.bias), tuple(getattr(self, slot.name) for slot in fields(self)[2:])

    @classmethod
    def tree_unflatten(cls, static: tuple[Any, ...], leaves: tuple[Any, Any]) -> Convolution:
        """Without checks: jax fills in things that are no arrays."""
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


def _in_cells(g: ConvGeometry, padding: Padding, output_padding: IntPerAxis | None):
    """Padding of a forward layer: in cells, or a word where it depends on the input's size."""
    if output_padding is not None:
        raise GeometryError(f"only a transposed layer has an output_padding, got {output_padding}.")
    pads = padding_per_axis(padding, g.ndim)
    if pads[0] in _SAME and max(g.strides) > 1:
        return padding, None
    # Where every stride is 1, SAME adds span - 1 to an input of any size.
    return tuple(resolve_padding(pad, 1, axis.span, 1) for pad, axis in zip(pads, g.axes, strict=True)), None


def _transposed_in_cells(g: ConvGeometry, padding: Padding, output_padding: IntPerAxis | None):
    """Padding and output padding of a transposed layer, which depend on no size."""
    pads, a = padding_per_axis(padding, g.ndim), None
    if output_padding is not None:
        a = per_axis("output_padding", output_padding, g.ndim, least=0)
        for cells, stride in zip(a, g.strides, strict=True):
            check_output_padding(cells, stride)
    if pads[0] in _SAME:  # strides x the size of y
        if any(a or ()):
            raise GeometryError(f"padding {pads[0]!r} fixes the size already; drop output_padding={a}.")
        a = tuple(max(axis.stride - axis.span, 0) for axis in g.axes)
    return tuple(
        resolve_padding(pad, axis.stride, axis.span, axis.stride)
        for pad, axis in zip(pads, g.axes, strict=True)
    ), a


def _array(values: Any) -> Any:
    return values if values is None or isinstance(values, jax.ShapeDtypeStruct) else jnp.asarray(values)
