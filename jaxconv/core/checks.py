"""Checks of the arrays that meet a geometry; they read shapes and dtypes, so they also run under jit."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxconv.errors import GeometryError
from jaxconv.geometry import ConvGeometry
from jaxconv.geometry.arguments import did_you_mean


def check_dtypes(**operands: Any) -> None:
    """All floating or complex, and all alike: nothing is promoted silently.

    Raises:
      TypeError: It names the operands and their dtypes.
    """
    for name, operand in operands.items():
        if not jnp.issubdtype(operand.dtype, jnp.inexact):
            raise TypeError(
                f"`{name}` must be floating or complex, got {operand.dtype}; convert it, for example with "
                f"{name}.astype(jnp.float32)."
            )
        if operand.dtype.itemsize < 2:
            raise TypeError(
                f"`{name}` is of {operand.dtype}, too few bits to compute with; convert it, for example with "
                f"{name}.astype(jnp.bfloat16)."
            )
    if len({operand.dtype for operand in operands.values()}) > 1:
        found = ", ".join(f"{name}: {operand.dtype}" for name, operand in operands.items())
        raise TypeError(f"operands must share one dtype, got {found}; convert one with .astype.")


def check_kernel(shape: tuple[int, ...], geometry: ConvGeometry) -> None:
    """The kernel is ``(*kernel_shape, in_features // groups, out_features)``.

    Raises:
      GeometryError: It names both shapes.
    """
    if tuple(shape) != geometry.kernel_array_shape:
        raise GeometryError(
            f"the kernel must be (*kernel_shape, in_features // groups, out_features) = "
            f"{geometry.kernel_array_shape}, got {tuple(shape)}. {geometry}"
        )


def check_single(what: str, call: str, shape: tuple[int, ...], ndim: int) -> None:
    """The array belongs to one object, not to a batch of them as `jax.vmap` returns it.

    Raises:
      GeometryError: It has more than `ndim` axes; `call` is how one of `what` is used.
    """
    if len(shape) > ndim:
        raise GeometryError(
            f"this is a batch of {what}, as jax.vmap returns it: it holds an array of shape {tuple(shape)}, "
            f"that of one has {ndim} axes. Use it inside jax.vmap, as in "
            f"jax.vmap(lambda C, x: {call})(batch, xs), or take one, jax.tree.map(lambda a: a[0], batch)."
        )


def check_map(
    name: str, shape: tuple[int, ...], spatial: tuple[int, ...], features: int, batch: Any = None
) -> None:
    """A feature map is ``(*batch, *spatial, features)``; with `batch` given, exactly that one.

    Raises:
      GeometryError: It names both shapes.
    """
    expected = (*spatial, features)
    found = tuple(shape[: -len(expected)]), tuple(shape[-len(expected) :])
    if found[1] != expected or (batch is not None and found[0] != batch):
        wanted = ", ".join(map(str, expected if batch is None else (*batch, *expected)))
        lead = "*batch, " if batch is None else ""
        raise GeometryError(
            f"`{name}` must be a channels-last feature map ({lead}{wanted}), got {tuple(shape)}."
        )


def split_map(
    name: str, shape: tuple[int, ...], n: int, because: str
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The batch and the spatial part, of `n` axes, of a feature map's shape.

    Raises:
      GeometryError: There are too few axes; `because` names what asks for so many.
    """
    if len(shape) < n + 1:
        raise GeometryError(
            f"{because} has {n} spatial axes, so `{name}` must be (*batch, *spatial, features) with at "
            f"least {n + 1} axes, got {tuple(shape)}."
        )
    return tuple(shape[: -n - 1]), tuple(shape[-n - 1 : -1])


def check_option(name: str, value: Any, options: tuple[str, ...]) -> None:
    """The value is one of the options.

    Raises:
      GeometryError: It names the options, the nearest first.
    """
    if value not in options:
        raise GeometryError(f"`{name}` is one of {options}, got {value!r}{did_you_mean(value, options)}")


def check_precision(precision: Any) -> Any:
    """What lax takes as a precision, in a form that can be a static argument.

    Raises:
      GeometryError: It is none.
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
            f"`precision` is None, one of {options}, a pair of them or an algorithm of jax.lax, "
            f"got {precision!r}."
        ) from None


def check_dtype(dtype: Any, name: str = "dtype") -> jnp.dtype:
    """The dtype that an array is to have, as jax has it: `float` is float32, or float64 where that is on.

    Raises:
      TypeError: It is neither floating nor complex, or has 8 bits.
    """
    canonical = jax.dtypes.canonicalize_dtype(dtype)
    if not jnp.issubdtype(canonical, jnp.inexact) or canonical.itemsize < 2:
        raise TypeError(
            f"`{name}` must be floating or complex, of 16 bits or more, got {canonical}; take for example "
            "jnp.float32."
        )
    return canonical


def check_result_dtype(preferred: Any, operand: Any) -> jnp.dtype:
    """The dtype of a result: the operands' own unless another is preferred.

    Raises:
      TypeError: An integer dtype, or a real one for complex operands.
    """
    if preferred is None:
        return jnp.dtype(operand)
    dtype = jax.dtypes.canonicalize_dtype(preferred)
    if not jnp.issubdtype(dtype, jnp.inexact) or (
        jnp.issubdtype(operand, jnp.complexfloating) and not jnp.issubdtype(dtype, jnp.complexfloating)
    ):
        raise TypeError(
            f"`preferred_element_type` must be able to hold {operand} results: floating, and complex if they "
            f"are; got {dtype}."
        )
    return dtype
