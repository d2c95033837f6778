"""JAX's class of primitives, without what `jax.extend` loads beside it: Pallas, 15 ms of each import."""

from typing import TYPE_CHECKING

from jax import lax

if TYPE_CHECKING:
    from jax.extend.core import Primitive
else:
    Primitive = type(lax.add_p)

__all__ = ["Primitive"]
