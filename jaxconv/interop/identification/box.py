"""A function whose inside is not known, called with batches of maps; what it returns is checked."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxconv.errors import GeometryError, OptionError
from jaxconv.interop.identification.layouts import caller, default_dtype, library, to_numpy

ABOUT_SHAPES = ("channel", "feature", "dimension", "shape", "size")  # words of errors
NUMBERS = 2**24  # in the maps of one call, or in its results


class Box:
    """A function of channels-last maps that is called with batches, or map by map if it takes no batch.

    Args:
      f: Function, or layer of a library that `caller` knows.
      input_shape: Spatial shape of its input.
      in_features: Features of its input.
      dtype: Dtype of its input; by default that of its parameters, or JAX's default.

    Attributes:
      calls: Number of calls until now.
      maps: Number of maps in these calls.
      batched: Whether it takes batches; None before the first call.
      output_shape: Shape ``(*output_shape, out_features)`` of a result; empty before the first call.
      out_dtype: Dtype of the results; None before the first call.
    """

    def __init__(self, f: Any, input_shape: tuple[int, ...], in_features: int, dtype: Any) -> None:
        self._call, self._library = caller(f), library(f)
        self.input_shape, self.in_features = input_shape, in_features
        self.dtype = jnp.dtype(default_dtype(f) if dtype is None else dtype)
        self.calls = self.maps = 0
        self.batched: bool | None = None
        self.output_shape: tuple[int, ...] = ()
        self.out_dtype: np.dtype | None = None

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Returns the results for a batch of maps.

        Args:
          x: Maps ``(batch, *input_shape, in_features)``, at least one.

        Raises:
          GeometryError: A result is not a feature map, or has another shape or dtype than the first.
          OptionError: The function raises an error.
          TypeError: It does not return an array of floating or complex numbers.
        """
        x = x.astype(self.dtype)
        if self.batched is None:
            return self._first_call(x)
        step = max(NUMBERS // max(math.prod(x.shape[1:]), math.prod(self.output_shape)), 1)
        parts = [self._batch(x[i : i + step]) for i in range(0, len(x), step)]
        return np.concatenate(parts)

    def _first_call(self, x: np.ndarray) -> np.ndarray:
        """Finds out whether the function takes a batch, with two maps or more."""
        try:
            y, self.batched = self._call_once(x), True
            self._check_axes(y, x)
        except (GeometryError, OptionError, TypeError) as refused:
            if self._library:  # whose layers take batches
                raise
            try:
                alone = self._call_once(x[0])
                self._check_axes(alone[None], x[:1])
            except (GeometryError, OptionError, TypeError):
                raise refused from None
            self.batched = False
            y = np.stack([alone, *(self._call_once(one) for one in x[1:])])
        self.output_shape, self.out_dtype = y.shape[1:], y.dtype
        self._check(y, x)
        return y

    def _batch(self, x: np.ndarray) -> np.ndarray:
        if self.batched:
            y = self._call_once(x)
            self._check(y, x)
            return y
        results = [self._call_once(one) for one in x]
        for y in results:
            self._check(y[None], x[:1])
        return np.stack(results)

    def _call_once(self, x: np.ndarray) -> np.ndarray:
        self.calls += 1
        self.maps += 1 if x.ndim == len(self.input_shape) + 1 else len(x)
        try:
            result = self._call(x)
        except Exception as error:
            layout = f", in the layout of {self._library}" if self._library else ""
            raise OptionError(
                f"`f` raises {type(error).__name__} for maps of shape {x.shape} and dtype {x.dtype}{layout}: "
                f"{_short(error)}{self._hint(str(error))}"
            ) from error
        try:
            y = to_numpy(result)
        except (TypeError, ValueError):
            raise TypeError(
                f"`f` must return one array of numbers, got an object of type {type(result).__name__}."
            ) from None
        if not jnp.issubdtype(y.dtype, jnp.inexact):
            raise TypeError(
                f"`f` must return floating or complex numbers for maps of dtype {x.dtype}, got {y.dtype}."
            )
        return y

    def _hint(self, message: str) -> str:
        """Guesses what to do about an error of the function."""
        if not self._library and ("ArrayImpl" in message or "torch" in message):
            return (
                ". `f` is called with JAX arrays; wrap a function of PyTorch tensors: "
                "lambda x: f(torch.tensor(numpy.array(x)).movedim(-1, 1)).movedim(1, -1)."
            )
        if self.in_features == 1 and any(word in message.lower() for word in ABOUT_SHAPES):
            shape = " x ".join(map(str, self.input_shape))
            return f". Each map is {shape} cells with 1 feature: give `in_features` if `f` takes more."
        return ""

    def _check_axes(self, y: np.ndarray, x: np.ndarray) -> None:
        if y.ndim != x.ndim or len(y) != len(x) or 0 in y.shape:
            n = len(self.input_shape)
            raise GeometryError(
                f"`f` must return feature maps (batch, *spatial, features) with {n} spatial "
                f"{'axis' if n == 1 else 'axes'}, each with a cell; it returns shape {y.shape} for maps of "
                f"shape {x.shape}."
            )

    def _check(self, y: np.ndarray, x: np.ndarray) -> None:
        if y.shape != (len(x), *self.output_shape) or y.dtype != self.out_dtype:
            raise GeometryError(
                "`f` must return one shape and dtype for all maps of one shape; it returned maps of shape "
                f"{self.output_shape} and dtype {self.out_dtype}, then shape {y.shape[1:]} and {y.dtype}."
            )
        if not np.isfinite(y).all():
            raise GeometryError("`f` must return finite numbers; it returns NaN or infinity.")


def _short(error: Exception) -> str:
    """Returns the first line of a message, and no more than fits."""
    line = (str(error) or "without a message").splitlines()[0]
    return line.rstrip(" .:") if len(line) <= 200 else f"{line[:200]}..."
