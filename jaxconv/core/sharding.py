"""Makes the types of arrays agree that say how they are laid out on a mesh of devices.

Inside `jax.shard_map` an array's type names the mesh axes that it varies over; on a mesh with
explicit axes it names its sharding. On ordinary (automatic) meshes there is nothing to do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jax import lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec


def vary_alike(*arrays: jax.Array) -> tuple[jax.Array, ...]:
    """Returns the arrays, each varying over every manual mesh axis that any of them varies over."""
    axes = [_varying(array) for array in arrays]
    every = frozenset().union(*axes)
    return tuple(
        lax.pcast(array, tuple(sorted(every - own)), to="varying") if every - own else array
        for array, own in zip(arrays, axes, strict=True)
    )


def typed_like(array: jax.Array, shape: tuple[int, ...]) -> jax.ShapeDtypeStruct:
    """Returns the type of a result that varies over the same manual mesh axes as `array`, in its dtype."""
    mesh = jax.sharding.get_abstract_mesh()
    kind = getattr(jax.typeof(array), "manual_axis_type", None)
    if mesh.empty or not _varying(array):
        return jax.ShapeDtypeStruct(shape, array.dtype)
    sharding = NamedSharding(mesh, PartitionSpec())
    return jax.ShapeDtypeStruct(shape, array.dtype, sharding=sharding, manual_axis_type=kind)


def _varying(array: jax.Array) -> frozenset:
    kind = getattr(jax.typeof(array), "manual_axis_type", None)
    return getattr(kind, "varying", frozenset())


def partitioned_automatically(function: Callable, spec: PartitionSpec, *operands: Any) -> Any:
    """Calls `function`; on an explicit mesh XLA partitions it, and only its result is typed, by `spec`."""
    if not _mesh_is_explicit():
        return function(*operands)
    return jax.sharding.auto_axes(function, out_sharding=spec)(*operands)


def batch_spec(array: jax.Array) -> PartitionSpec:
    """Returns how an explicit mesh shards the leading axis of an array."""
    return PartitionSpec(*jax.typeof(array).sharding.spec[:1])


def reshard_like(array: jax.Array, aval: Any) -> jax.Array:
    """Returns the array with the explicit sharding of `aval`: a cotangent has the type of its primal."""
    return jax.sharding.reshard(array, aval.sharding.spec) if _mesh_is_explicit() else array


def _mesh_is_explicit() -> bool:
    mesh = jax.sharding.get_abstract_mesh()
    return not mesh.empty and AxisType.Explicit in mesh.axis_types
