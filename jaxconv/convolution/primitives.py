r"""The products of a convolution, as three bilinear primitives, each a derivative of the others.

With $y = C(w)\,x$ they are ``conv(x, w)``, ``conv_transpose(y, w)`` and ``conv_kernel_vjp(x, y)``, computed
by the formulation that their static `method` names; derivatives choose for themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec
from jax.typing import DTypeLike

from jaxconv.convolution import auto, native
from jaxconv.convolution.formulations import onednn
from jaxconv.convolution.formulations.formulation import Formulation
from jaxconv.convolution.registry import CONV, CONV_KERNEL_VJP, CONV_TRANSPOSE, batch_of
from jaxconv.core.bilinear_primitives import BilinearPrimitive, Folding, register_family
from jaxconv.core.sharding import batch_spec, partitioned_automatically
from jaxconv.errors import GeometryError
from jaxconv.geometry import ConvGeometry

MethodFor = Callable[[ConvGeometry, int], str]


def _primitive(
    name: str,
    operands: str,
    formulations: Mapping[Any, Formulation],
    kind: native.Kind,
    method_for: MethodFor,
) -> BilinearPrimitive:
    """Makes a primitive; ``method="auto"`` stays open until the platform and the devices are known."""
    compute = partial(_computation, operands, formulations)
    return BilinearPrimitive(
        name,
        operands,
        compute(method_for),
        off_cpu=compute(auto.method_off_cpu),
        alone=compute(method_for, kind),
        only_alone=_refuse_onednn,
    )


def _computation(
    operands: str,
    formulations: Mapping[Any, Formulation],
    method_for: MethodFor,
    kind: native.Kind | None = None,
) -> Callable[..., jax.Array]:
    """Returns the function that computes a primitive where `method_for` chooses, and oneDNN for a `kind`."""

    def compute(
        a: jax.Array,
        b: jax.Array,
        *,
        geometry: ConvGeometry,
        method: str,
        precision: jax.lax.PrecisionLike,
        dtype: DTypeLike,
        devices: int = 1,
    ) -> jax.Array:
        if method == "auto":
            batch = batch_of(a)
            method = method_for(geometry, batch)
            if kind is not None and onednn.is_for(kind, geometry, batch, a.dtype, b.dtype, dtype):
                method = auto.method_with_onednn(kind, geometry, batch)
        work = _working_dtype(method, a.dtype, b.dtype, dtype)
        formulation = formulations[method]
        if devices > 1 and method == "onednn" and kind is not None:
            formulation = onednn.formulation(kind, devices)
        multiply = partial(formulation, g=geometry, precision=precision)
        spec = PartitionSpec() if operands == "xy" else batch_spec(a)
        result = partitioned_automatically(multiply, spec, a.astype(work), b.astype(work))
        if jnp.iscomplexobj(result) and not jnp.issubdtype(dtype, jnp.complexfloating):
            result = result.real  # the gradient in a real operand of a result preferred complex
        return result.astype(dtype)

    return compute


def _refuse_onednn(*, method: str, **static: Any) -> None:
    if method == "onednn":
        raise GeometryError(
            '`method`="onednn" computes on one CPU device, or on each one inside jax.shard_map: neither on '
            "other platforms, nor on arrays that jit shards over devices, nor in exported programs. "
            '`method`="auto" takes it where it can.'
        )


def _working_dtype(method: str, *dtypes: DTypeLike) -> jnp.dtype:
    """Returns one dtype for both operands: a cotangent may be wider than the other operand."""
    with jax.numpy_dtype_promotion("standard"):
        work = jnp.result_type(*dtypes)
    if work.itemsize == 2 and method not in ("direct", "zero_insertion", "vjp"):
        return jnp.dtype(jnp.float32)  # XLA's convolution does this by itself for 16-bit floats
    return work


def _widen(g: ConvGeometry, where: str, size: int) -> ConvGeometry:
    """Returns the geometry with `size` times as many inputs (I), outputs (O) or groups (G)."""
    wide_in = size if where in "IG" else 1
    wide_out = size if where in "OG" else 1
    groups = g.feature_group_count * (size if where == "G" else 1)
    return g.with_features(g.in_features * wide_in, g.out_features * wide_out, groups)


def _fold(name: str, where: str, array: jax.Array, dim: int, g: ConvGeometry) -> jax.Array:
    """Moves a mapped axis of x, w or y into its batch or feature axis."""
    array = jnp.moveaxis(array, dim, 0)
    size, groups = array.shape[0], g.feature_group_count
    if where == "N":
        return array.reshape(size * array.shape[1], *array.shape[2:])
    axis = array.ndim - 2 if name == "w" and where == "I" else array.ndim - 1
    split = groups if where != "G" and not (name == "w" and where == "I") else 1
    # (size, ..., split * rest, ...) -> (..., split * size * rest, ...)
    rest = array.shape[axis] // split
    array = array.reshape(*array.shape[:axis], split, rest, *array.shape[axis + 1 :])
    array = jnp.moveaxis(array, 0, axis)
    return array.reshape(*array.shape[: axis - 1], split * size * rest, *array.shape[axis + 2 :])


def _unfold(name: str, where: str, array: jax.Array, size: int, g: ConvGeometry) -> jax.Array:
    """Inverts `_fold`; the mapped axis comes first."""
    if where == "N":
        return array.reshape(size, array.shape[0] // size, *array.shape[1:])
    axis = array.ndim - 2 if name == "w" and where == "I" else array.ndim - 1
    split = g.feature_group_count if where != "G" and not (name == "w" and where == "I") else 1
    rest = array.shape[axis] // (split * size)
    array = array.reshape(*array.shape[:axis], split, size, rest, *array.shape[axis + 1 :])
    array = jnp.moveaxis(array, axis + 1, 0)
    return array.reshape(*array.shape[: axis + 1], split * rest, *array.shape[axis + 3 :])


CONV_PRIMITIVE = _primitive("jaxconv_conv", "xw", CONV, native.Kind.CONV, auto.method_for_conv)
CONV_TRANSPOSE_PRIMITIVE = _primitive(
    "jaxconv_conv_transpose",
    "yw",
    CONV_TRANSPOSE,
    native.Kind.CONV_TRANSPOSE,
    auto.method_for_conv_transpose,
)
CONV_KERNEL_VJP_PRIMITIVE = _primitive(
    "jaxconv_conv_kernel_vjp",
    "xy",
    CONV_KERNEL_VJP,
    native.Kind.CONV_KERNEL_VJP,
    auto.method_for_conv_kernel_vjp,
)
register_family(
    CONV_PRIMITIVE,
    CONV_TRANSPOSE_PRIMITIVE,
    CONV_KERNEL_VJP_PRIMITIVE,
    folding=Folding(_fold, _unfold, _widen),
    in_derivatives={"method": "auto"},
)
