"""Maps whose numbers are only copied, so that integers stay exact."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxconv.core.checks import ArrayOrList, as_array, check_dtypes


def exact_array(name: str, x: ArrayOrList) -> jax.Array:
    """Returns `x` as a JAX array in which every integer has its value.

    Without 64-bit types JAX makes int32 of NumPy's int64, and larger integers wrap around.

    Raises:
      TypeError: An integer does not fit into the dtype that JAX makes of `x`'s.
    """
    try:
        array = as_array(name, x)
    except OverflowError:  # of a list
        raise _does_not_fit(name, "", jax.dtypes.canonicalize_dtype(int)) from None
    if isinstance(x, np.ndarray | np.generic) and x.dtype != array.dtype and x.dtype.kind in "iu" and x.size:
        limits = np.iinfo(array.dtype)
        if x.min() < limits.min or x.max() > limits.max:
            raise _does_not_fit(name, f"is {x.dtype} and ", array.dtype)
    return array


def _does_not_fit(name: str, found: str, dtype: jnp.dtype) -> TypeError:
    way_out = 'allow 64 bits by jax.config.update("jax_enable_x64", True)'
    if dtype.itemsize == 8:
        way_out = "pass floats"
    return TypeError(
        f"`{name}` {found}holds integers that do not fit into {dtype}, to which JAX converts it; {way_out}."
    )


def check_selectable(name: str, x: jax.Array) -> None:
    """Checks the dtype of a map whose numbers are copied: integers and booleans too.

    Raises:
      TypeError: The dtype is another one, or has too few bits.
    """
    if not (jnp.issubdtype(x.dtype, jnp.integer) or x.dtype == bool):
        check_dtypes(**{name: x})


def lowest(dtype: jnp.dtype) -> np.ndarray:
    """Returns the number of a real dtype that no other is below, a scalar of that dtype.

    >>> lowest(jnp.dtype("float32")).item(), lowest(jnp.dtype("int8")).item()
    (-inf, -128)
    """
    if jnp.issubdtype(dtype, jnp.inexact):
        return np.array(-np.inf, dtype)
    return np.array(False if jnp.issubdtype(dtype, jnp.bool_) else jnp.iinfo(dtype).min, dtype)
