"""How a function or a layer of another library is called with channels-last maps in NumPy.

A layer is recognised by the library of its class or of a class that it inherits from; nothing is imported
for that. Every other object is called as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Call = Callable[[np.ndarray], Any]


def library(f: Any) -> str:
    """Returns the library of a layer that has a layout of its own: torch, keras, equinox, or empty."""
    if type(f).__module__.startswith("jaxconv."):
        return ""
    libraries = {cls.__module__.partition(".")[0] for cls in type(f).__mro__}
    return next((name for name in ("torch", "keras", "equinox") if name in libraries), "")


def caller(f: Any) -> Call:
    """Returns a function of a batch of channels-last maps in NumPy that calls `f` in its own layout."""
    name = library(f)
    if name == "torch":
        return _torch_caller(f)
    if name == "keras":
        return _keras_caller(f)
    if name == "equinox":  # one channels-first map per call, the convention of Equinox
        vmapped = jax.vmap(f)
        return lambda x: _channels_last(np.asarray(vmapped(jnp.asarray(_channels_first(x)))))
    return lambda x: f(jnp.asarray(x))


def default_dtype(f: Any) -> Any:
    """Returns the dtype of the maps that `f` takes, as far as its parameters show."""
    if library(f) == "torch" and hasattr(f, "parameters"):
        numbers = [p for p in f.parameters() if p.is_floating_point() or p.is_complex()]
        dtypes = [str(p.dtype).removeprefix("torch.") for p in numbers]
        return jnp.dtype(dtypes[0] if dtypes else "float32")
    for name in ("kernel", "weight", "values"):
        dtype: Any = getattr(getattr(f, name, None), "dtype", None)
        try:
            if dtype is not None and jnp.issubdtype(dtype, jnp.inexact):
                return jnp.dtype(dtype)
        except TypeError:  # another library's dtype
            continue
    return jnp.zeros(()).dtype


def to_numpy(y: Any) -> np.ndarray:
    """Returns the result of any library as a NumPy array.

    Raises:
      TypeError: It is not an array of numbers, or is several.
    """
    if isinstance(y, (tuple, list, dict)):
        raise TypeError
    if type(y).__module__.partition(".")[0] == "torch":
        from jaxconv.interop.torch import as_array

        return as_array(y)
    if hasattr(y, "detach"):  # a tensor of Keras on PyTorch
        y = y.detach().cpu()
    array = np.asarray(y)
    if array.dtype == object or array.dtype.kind in "USmM":
        raise TypeError
    return array


def _torch_caller(module: Any) -> Call:
    """Calls a PyTorch module on channels-first maps, on its own device."""
    import torch

    from jaxconv.interop.torch import as_array, as_tensor

    first = next(module.parameters(), None)
    device = None if first is None else first.device

    def call(x: Any) -> Any:
        with torch.no_grad():
            y = module(as_tensor(_channels_first(x)).to(device))
        return _channels_last(as_array(y)) if isinstance(y, torch.Tensor) else y

    return call


def _keras_caller(layer: Any) -> Call:
    """Calls a Keras layer or model in its ``data_format``."""
    import keras

    first = getattr(layer, "data_format", None) == "channels_first"

    def call(x: np.ndarray) -> Any:
        y = layer(keras.ops.convert_to_tensor(_channels_first(x) if first else x))
        return _channels_last(keras.ops.convert_to_numpy(y)) if first else keras.ops.convert_to_numpy(y)

    return call


def _channels_first(x: np.ndarray) -> Any:
    return np.ascontiguousarray(np.moveaxis(x, -1, 1))


def _channels_last(y: np.ndarray) -> np.ndarray:
    return np.moveaxis(y, 1, -1) if y.ndim > 1 else y
