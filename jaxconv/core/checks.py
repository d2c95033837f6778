"""Checks of the arrays that meet a geometry; they read shapes and dtypes, so they also run under jit."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import ArrayLike

from jaxconv.errors import GeometryError, JaxconvError
from jaxconv.geometry import ConvGeometry
from jaxconv.geometry.arguments import describe, did_you_mean

# What `jnp.asarray` takes: arrays, numbers, and lists of them.
ArrayOrList = ArrayLike | list[Any] | tuple[Any, ...]


def as_array(name: str, value: ArrayOrList) -> jax.Array:
    """Returns an argument as an array.

    Raises:
      TypeError: `value` is not an array of numbers, or a list of them; the message names the argument.
    """
    if isinstance(value, jax.Array):
        return value
    try:
        return jnp.asarray(value)
    except (TypeError, ValueError) as error:
        if isinstance(value, list | tuple):
            found = f"a {type(value).__name__} of unequal lengths or of entries that are not numbers"
        else:
            found = f"{describe(value)} of type {type(value).__name__}"
        raise TypeError(f"`{name}` must be an array of numbers, got {found}.") from error


def check_dtypes(**operands: Any) -> None:
    """Checks that all operands are floating or complex, and of one dtype: nothing is promoted silently.

    Args:
      **operands: Arrays, or other objects with a `dtype`, by the names that messages call them.

    Raises:
      TypeError: An operand is an integer array, or has fewer than 16 bits, or the dtypes differ.
    """
    for name, operand in operands.items():
        if not jnp.issubdtype(operand.dtype, jnp.inexact):
            raise TypeError(
                f"`{name}` must be floating or complex, got {operand.dtype}; convert it, for example with "
                f"{name}.astype(jnp.float32)."
            )
        if operand.dtype.itemsize < 2:
            raise TypeError(
                f"`{name}` has dtype {operand.dtype}, too few bits to compute with; convert it, for example "
                f"with {name}.astype(jnp.bfloat16)."
            )
    if len({operand.dtype for operand in operands.values()}) > 1:
        names = list(operands)
        dtypes = " and ".join(str(operand.dtype) for operand in operands.values())
        raise TypeError(
            f"{' and '.join(f'`{name}`' for name in names)} must share one dtype, got {dtypes}; convert one, "
            f"for example with jnp.asarray({names[-1]}, {names[0]}.dtype)."
        )


def check_features(
    name: str,
    shape: tuple[int, ...],
    kernel_shape: tuple[int, ...],
    feature_group_count: int = 1,
    *,
    transposed: bool = False,
    kernel_name: str = "kernel",
) -> None:
    """Checks that a feature map has the features that a kernel takes, before a geometry is made of the two.

    Args:
      name: Name of the map, for the message.
      shape: Shape of the map, ``(*batch, *spatial, features)``.
      kernel_shape: Shape of the kernel, ``(*kernel_shape, in_features // groups, out_features)``.
      feature_group_count: Number of groups of features.
      transposed: Whether the map is the output of the forward convolution.
      kernel_name: Argument that `kernel_shape` comes from: ``"kernel"``, or ``"kernel_shape"`` if the
        caller passes a shape.

    Raises:
      GeometryError: The map has other features; the message has the likeliest mistake.
    """
    n = len(kernel_shape) - 2
    if n < 1 or len(shape) < n + 1:
        return
    expected = kernel_shape[-1] if transposed else kernel_shape[-2] * feature_group_count
    if shape[-1] == expected:
        return
    in_groups = f" (in {feature_group_count} groups)" if feature_group_count > 1 and not transposed else ""
    of_shape = "of shape " if kernel_name == "kernel" else ""
    raise GeometryError(
        f"`{name}` has {shape[-1]} features on its last axis but `{kernel_name}` takes "
        f"{expected}{in_groups}; got {name} of shape {tuple(shape)} and {kernel_name} "
        f"{of_shape}{tuple(kernel_shape)}."
        + _features_hint(name, shape, kernel_shape, kernel_name, feature_group_count, expected, transposed)
    )


def _features_hint(
    name: str,
    shape: tuple[int, ...],
    kernel_shape: tuple[int, ...],
    kernel_name: str,
    groups: int,
    expected: int,
    transposed: bool,
) -> str:
    """Returns the likeliest reason why features differ, as the end of a message."""
    n, (inputs, outputs) = len(kernel_shape) - 2, kernel_shape[-2:]
    channels, first = shape[-1], shape[-n - 1]
    move_map = f"jnp.moveaxis({name}, {len(shape) - n - 1}, -1)"
    torch_features = kernel_shape[0] if transposed else kernel_shape[1] * groups
    looks_like_torch = _looks_like_torch(kernel_shape)
    if first == expected:
        return f" jaxconv is channels-last: try {move_map}."
    if looks_like_torch and torch_features == channels:
        return _torch_kernel_hint(kernel_shape, kernel_name)
    if looks_like_torch and torch_features == first:
        hint = _torch_kernel_hint(kernel_shape, kernel_name)
        return f" jaxconv is channels-last: try {move_map}.{hint}"
    if (
        kernel_name == "kernel"
        and len(shape) > 2
        and shape[-2] * groups == outputs
        and _larger(kernel_shape[:-2], shape[-n - 1 : -1])
    ):
        return f" Are `{name}` and `kernel` swapped?"
    if (inputs * groups if transposed else outputs) == channels:
        swapped = (*kernel_shape[:-2], outputs, inputs)
        call = "jnp.swapaxes(kernel, -1, -2)" if kernel_name == "kernel" else swapped
        return f" The features of `{kernel_name}` may be swapped: try {call}."
    hint = f" If {name} has one feature, add its axis: try {name}[..., None]." if expected == 1 else ""
    if not transposed and groups == 1 and channels % inputs == 0 and outputs % (channels // inputs) == 0:
        hint += f" Or is feature_group_count={channels // inputs} meant?"
    return hint


def _torch_kernel_hint(kernel_shape: tuple[int, ...], kernel_name: str = "kernel") -> str:
    """Returns how to convert a kernel, or the shape of one, that has the layout of PyTorch."""
    moved = (*kernel_shape[2:], kernel_shape[1], kernel_shape[0])
    call = "jnp.moveaxis(kernel, (0, 1), (-1, -2))" if kernel_name == "kernel" else moved
    return f" `{kernel_name}` looks like PyTorch's (out, in // groups, *kernel_shape): try {call}."


def _looks_like_torch(kernel_shape: tuple[int, ...]) -> bool:
    """Returns whether (out, in, *taps) is likelier than (*taps, in, out): smaller taps, or equal ones."""
    ours, theirs = kernel_shape[:-2], kernel_shape[2:]
    return max(theirs) < max(ours) or (len(set(theirs)) == 1 < len(set(ours)))


def _larger(kernel: tuple[int, ...], cells: tuple[int, ...]) -> bool:
    """Returns whether a kernel is larger than a map on some axis."""
    return any(k > i for k, i in zip(kernel, cells, strict=True))


def check_geometry(geometry: Any) -> None:
    """Checks that an argument called `geometry` is a `ConvGeometry`.

    Raises:
      TypeError: It is not.
    """
    if not isinstance(geometry, ConvGeometry):
        if hasattr(geometry, "dtype"):
            hint = "; are two arguments swapped?"
        else:
            hint = "; make one, for example jaxconv.ConvGeometry((6, 6), (3, 3), strides=2)."
        raise TypeError(f"`geometry` must be a jaxconv.ConvGeometry, got {describe(geometry)}{hint}")


def check_kernel(shape: tuple[int, ...], geometry: ConvGeometry) -> None:
    """Checks that a kernel is ``(*kernel_shape, in_features // groups, out_features)`` of a geometry.

    Raises:
      GeometryError: It has another shape; the message has both, and another library's layout by its name.
    """
    if tuple(shape) != geometry.kernel_array_shape:
        raise GeometryError(
            f"`kernel` must be (*kernel_shape, in_features // groups, out_features) = "
            f"{geometry.kernel_array_shape}, got {tuple(shape)}.{_kernel_hint(tuple(shape), geometry)}"
        )


def _kernel_hint(shape: tuple[int, ...], geometry: ConvGeometry) -> str:
    *taps, inputs, outputs = geometry.kernel_array_shape
    if shape == (outputs, inputs, *taps):
        return _torch_kernel_hint(shape)
    if shape == (*taps, outputs, inputs):
        return " Its last two axes are swapped: try jnp.swapaxes(kernel, -1, -2)."
    if shape == tuple(taps) and inputs == outputs == 1:
        return " It has no axes for features: try kernel[..., None, None]."
    if len(shape) != len(taps) + 2 or shape[:-2] != tuple(taps):
        return ""
    groups, hint = geometry.feature_group_count, ""
    if shape[-1] == outputs:
        hint = f" There are {geometry.in_features} in_features in {groups} group(s)."
    if shape[-1] % groups == 0:
        hint += f" If the kernel is right, make the geometry with in_features={shape[-2] * groups}, "
        hint += f"out_features={shape[-1]}."
    return hint


def check_single(what: str, call: str, shape: tuple[int, ...], ndim: int) -> None:
    """Checks that an array belongs to one object, not to a batch of them as `jax.vmap` returns it.

    Args:
      what: Noun for the objects in the plural, for the message, such as ``"matrices"``.
      call: Expression that uses one of them as ``C``, for the message, such as ``"C @ x"``.
      shape: Shape of the array.
      ndim: Number of axes of the array of one object.

    Raises:
      GeometryError: The array has more than `ndim` axes.
    """
    if len(shape) > ndim:
        raise GeometryError(
            f"this is a batch of {what}, as jax.vmap returns it: it holds an array of shape {tuple(shape)}, "
            f"where one of them has {ndim} axes. Use it inside jax.vmap, as in "
            f"jax.vmap(lambda C, x: {call})(batch, xs), or take one, jax.tree.map(lambda a: a[0], batch)."
        )


def check_map(
    name: str,
    shape: tuple[int, ...],
    spatial: tuple[int, ...],
    features: int,
    batch: tuple[int, ...] | None = None,
    *,
    hint: str = "",
) -> None:
    """Checks that an array is a feature map ``(*batch, *spatial, features)``.

    Args:
      name: Name of the map, for the message.
      shape: Shape of the map.
      spatial: Expected spatial shape.
      features: Expected number of features.
      batch: Expected batch axes; by default any are allowed.
      hint: The likeliest mistake, if the caller knows it, for the end of the message.

    Raises:
      GeometryError: The map has another shape; the message has both, and the likeliest mistake.
    """
    expected = (*spatial, features)
    found = tuple(shape[: -len(expected)]), tuple(shape[-len(expected) :])
    if found[1] != expected or (batch is not None and found[0] != batch):
        wanted = ", ".join(map(str, expected if batch is None else (*batch, *expected)))
        lead = "*batch, " if batch is None else ""
        raise GeometryError(
            f"`{name}` must be a channels-last feature map ({lead}{wanted}), got {tuple(shape)}."
            + (hint or _map_hint(name, tuple(shape), spatial, features))
        )


def _map_hint(name: str, shape: tuple[int, ...], spatial: tuple[int, ...], features: int) -> str:
    n = len(spatial)
    if shape[-n - 1 :] == (features, *spatial):
        return f" It is channels-first: try jnp.moveaxis({name}, {len(shape) - n - 1}, -1)."
    if shape[-n:] == tuple(spatial) and features == 1:
        return f" It has no axis for the feature: try {name}[..., None]."
    return ""


def split_map(
    name: str, shape: tuple[int, ...], n: int, because: str
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Returns the batch axes and the `n` spatial axes of a feature map's shape.

    Args:
      name: Name of the map, for the message.
      shape: Shape of the map.
      n: Number of spatial axes.
      because: What has so many spatial axes, for the message.

    Raises:
      GeometryError: The map has fewer than ``n + 1`` axes.
    """
    if len(shape) < n + 1:
        hint = f" Does it lack the features axis? Try {name}[..., None]." if len(shape) == n else ""
        raise GeometryError(
            f"{because} has {n} spatial axes, so `{name}` must be (*batch, *spatial, features) with at "
            f"least {n + 1} axes, got {tuple(shape)}.{hint}"
        )
    return tuple(shape[: -n - 1]), tuple(shape[-n - 1 : -1])


def check_option(
    name: str, value: Any, options: tuple[str, ...], *, error: type[JaxconvError] = GeometryError
) -> None:
    """Checks that a value is one of the options.

    Args:
      name: Name of the argument, for the message.
      value: The argument.
      options: The words that it may be.
      error: Class of the error for another word; `OptionError` where it is not a geometry's.

    Raises:
      GeometryError: It is not; or the class given as `error`. The message has all options and the nearest
        one.
    """
    if value not in options:
        raise error(
            f"`{name}` must be one of {', '.join(map(repr, options))}; got {describe(value)}"
            f"{did_you_mean(value, options, otherwise='.')}"
        )


def check_precision(precision: Any) -> Any:
    """Returns a precision as lax takes it, in a form that can be a static argument.

    Raises:
      GeometryError: It is not a precision.
    """
    if isinstance(precision, list | tuple):
        return tuple(check_precision(one) for one in precision)
    if precision is None or isinstance(precision, lax.DotAlgorithm | lax.DotAlgorithmPreset):
        return precision
    try:
        return lax.Precision(precision)
    except ValueError:
        options = ", ".join(repr(option.name.lower()) for option in lax.Precision)
        raise GeometryError(
            f"`precision` must be None, one of {options}, a pair of them, or an algorithm of jax.lax; "
            f"got {describe(precision)}."
        ) from None


def check_dtype(dtype: Any, name: str = "dtype") -> jnp.dtype:
    """Returns a dtype as JAX has it: `float` is float32, or float64 where JAX's x64 mode is on.

    Args:
      dtype: The dtype that an array is to have.
      name: Name of the argument, for the message.

    Raises:
      TypeError: The dtype is not floating or complex, or has 8 bits.
    """
    canonical = _canonical_dtype(dtype, name)
    if not jnp.issubdtype(canonical, jnp.inexact) or canonical.itemsize < 2:
        raise TypeError(
            f"`{name}` must be floating or complex, of 16 bits or more, got {canonical}; take for example "
            "jnp.float32."
        )
    return canonical


def check_result_dtype(preferred: Any, operand: Any) -> jnp.dtype:
    """Returns the dtype of a result: the dtype of the operands unless another is preferred.

    Raises:
      TypeError: The preferred dtype is not floating, or is real where the operands are complex.
    """
    if preferred is None:
        return jnp.dtype(operand)
    dtype = _canonical_dtype(preferred, "preferred_element_type")
    if not jnp.issubdtype(dtype, jnp.inexact) or (
        jnp.issubdtype(operand, jnp.complexfloating) and not jnp.issubdtype(dtype, jnp.complexfloating)
    ):
        kind = "complex" if jnp.issubdtype(operand, jnp.complexfloating) else "floating or complex"
        raise TypeError(
            f"`preferred_element_type` must be {kind} for operands of {jnp.dtype(operand)}, got {dtype}."
        )
    return dtype


def _canonical_dtype(dtype: Any, name: str) -> jnp.dtype:
    try:
        return jax.dtypes.canonicalize_dtype(dtype)
    except TypeError:
        raise TypeError(f"`{name}` must be a dtype such as jnp.float32, got {describe(dtype)}.") from None
