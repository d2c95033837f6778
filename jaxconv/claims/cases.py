"""Random geometries of every kind, with random numbers and the exact results by the definition."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from jaxconv.claims import oracle
from jaxconv.convolution import native
from jaxconv.convolution.formulations.onednn import reason_against
from jaxconv.convolution.padding import geometry_after_padding
from jaxconv.errors import GeometryError
from jaxconv.geometry import ConvGeometry

BATCH = 2

# Each kind fixes the arguments that its name says; all others are random.
KINDS: dict[str, dict[str, Any]] = {
    "2-D": {"ndim": 2},
    "1-D": {"ndim": 1},
    "3-D": {"ndim": 3},
    "strides": {"ndim": 2, "strides": (2, 3)},
    "kernel dilation": {"ndim": 2, "kernel_dilation": (2, 3), "kernel_shape": (2, 3)},
    "input dilation": {"ndim": 2, "input_dilation": (3, 2)},
    "both dilations": {"ndim": 1, "input_dilation": (2,), "kernel_dilation": (3,), "strides": (2,)},
    "cropping": {"ndim": 2, "padding": ((-1, 2), (3, -2)), "input_shape": (6, 7)},
    "wide padding": {"ndim": 1, "padding": ((7, 4),), "kernel_shape": (3,)},
    "groups": {"ndim": 2, "feature_group_count": 2, "in_features": 4, "out_features": 6},
    "depthwise": {"ndim": 2, "feature_group_count": 3, "in_features": 3, "out_features": 6},
    "circular": {"ndim": 2, "padding_mode": "circular", "padding": ((2, 1), (0, 4))},
    "reflect": {"ndim": 2, "padding_mode": "reflect", "padding": ((2, 1), (0, 4)), "input_dilation": (1, 2)},
    "replicate": {"ndim": 2, "padding_mode": "replicate", "padding": ((2, 1), (-1, 4)), "strides": (2, 1)},
    "complex": {"ndim": 2, "complex": True},
}


class CaseError(Exception):
    """A tried function raised an error; the message is Python code that makes the geometry."""


class Answer(NamedTuple):
    """An exact result by the definition, with the numbers that its rounding bound depends on."""

    exact: np.ndarray
    magnitude: np.ndarray  # the same sums of the magnitudes of the products
    terms: int  # number of products in a sum
    factors: tuple[np.ndarray, np.ndarray]


class Case:
    """A geometry with random x, kernel and y, and the exact results by the definition.

    Results are computed in double precision from the numbers as they are stored in `dtype`.
    """

    def __init__(self, geometry: ConvGeometry, dtype: np.dtype, rng: np.random.Generator):
        """Draws x, the kernel and y."""
        g = geometry
        self.geometry = g
        self.dtype = dtype
        self.x = normal(rng, (BATCH, *g.input_shape, g.in_features), dtype)
        self.kernel = normal(rng, g.kernel_array_shape, dtype)
        self.y = normal(rng, (BATCH, *g.output_shape, g.out_features), dtype)

    def run(self, function: Callable[..., Any], *arrays: np.ndarray) -> Any:
        """Calls the jitted function and returns its result with all arrays in double precision.

        Raises:
          CaseError: The function raised an error; the message has the example.
        """
        return run(function, *arrays, example=self.example)

    @cached_property
    def C(self) -> np.ndarray:
        """The dense matrix by the definition."""
        return oracle.matrix(double(self.kernel), self.geometry)

    @cached_property
    def abs_C(self) -> np.ndarray:
        """The dense matrix of the magnitudes of the kernel: taps that read the same cell do not cancel."""
        return oracle.matrix(abs(double(self.kernel)), self.geometry)

    @cached_property
    def forward(self) -> Answer:
        """The exact C x."""
        x = double(self.x).reshape(BATCH, -1)
        terms = self.kernel[..., 0].size
        shape = self.y.shape
        return Answer(
            (x @ self.C.T).reshape(shape),
            (abs(x) @ self.abs_C.T).reshape(shape),
            terms,
            (self.x, self.kernel),
        )

    @cached_property
    def backward(self) -> Answer:
        """The exact C-transposed y."""
        y = double(self.y).reshape(BATCH, -1)
        terms = self.kernel[..., 0, :].size
        shape = self.x.shape
        return Answer(
            (y @ self.C).reshape(shape), (abs(y) @ self.abs_C).reshape(shape), terms, (self.y, self.kernel)
        )

    @cached_property
    def kernel_gradient(self) -> Answer:
        """The exact gradient of <C x, y> in the kernel."""
        x, y, g = double(self.x), double(self.y), self.geometry
        terms = self.y[..., 0].size
        return Answer(
            oracle.kernel_gradient(x, y, g),
            oracle.kernel_gradient(abs(x), abs(y), g),
            terms,
            (self.x, self.y),
        )

    def methods(self, names: Sequence[Any]) -> list[Any]:
        """Returns the methods that compute this geometry here, "auto" last.

        oneDNN may be missing, takes some geometries only, and real numbers only.
        """
        g = geometry_after_padding(self.geometry)
        real = not np.issubdtype(self.dtype, np.complexfloating)
        onednn = real and not reason_against(g) and native.available()
        return [*(name for name in names if name != "onednn" or onednn), "auto"]

    def gap(self, got: np.ndarray, answer: Answer, method: str = "") -> float:
        """Returns the largest error of `got` in units of the rounding bound.

        The bound of a sum of n products is ``n eps`` times the sum of their magnitudes. The error of the fft
        depends on norms: its bound is ``eps log2(n)`` times the product of the norms. oneDNN is tried
        in float32, to which its operands are rounded first (see `taken_by`).
        """
        magnitude, terms = answer.magnitude, float(answer.terms)
        if method == "fft":
            norms = [float(np.linalg.norm(double(factor))) for factor in answer.factors]
            magnitude, terms = (
                np.full_like(magnitude, math.prod(norms)),
                np.log2(self.x.size + self.kernel.size),
            )
        dtype = np.dtype(np.float32) if method == "onednn" else self.dtype
        return gap(got, answer.exact, magnitude, terms, dtype)

    def example(self, note: str = "") -> str:
        """Returns Python code that makes the geometry."""
        return f"g = {self.geometry!r}" + (f"  # {note}" if note else "")


def gap(
    got: np.ndarray,
    expected: np.ndarray,
    magnitude: np.ndarray | float,
    terms: float,
    dtype: np.dtype,
) -> float:
    """Returns the largest |got - expected| over its bound ``c (terms + 2) eps magnitude``; it may be nan."""
    complex_products = 4 if np.issubdtype(dtype, np.complexfloating) else 1
    bound = complex_products * (terms + 2) * float(jnp.finfo(dtype).eps) * magnitude
    if got.shape != expected.shape:
        return float("inf")
    difference = abs(got - expected)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(difference == 0, 0.0, difference / bound)
    return float(ratio.max(initial=0.0))


def run(
    function: Callable[..., Any], *arrays: np.ndarray, example: Callable[[str], str], jit: bool = True
) -> Any:
    """Calls the jitted function and returns its result with all arrays in double precision.

    Args:
      function: Function to try.
      *arrays: Arguments of the function.
      example: Returns Python code that makes the geometry, with a note.
      jit: Whether to compile the function; without, its own programs for float32 serve 16-bit dtypes too.

    Raises:
      CaseError: The function raised an error; the message has the example.
    """
    try:
        compiled = jax.jit(function) if jit else function
        return jax.tree.map(double, compiled(*map(jnp.asarray, arrays)))
    except Exception as error:
        raise CaseError(example(f"raised {type(error).__name__}: {error}")) from error


def normal(rng: np.random.Generator, shape: Sequence[int] | np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Draws normal numbers, of a complex dtype for both parts."""
    shape = tuple(int(size) for size in shape)
    numbers = rng.normal(size=shape)
    if np.issubdtype(dtype, np.complexfloating):
        numbers = numbers + 1j * rng.normal(size=shape)
    return numbers.astype(dtype)


def double(array: ArrayLike) -> np.ndarray:
    """Returns the array in double precision, real or complex."""
    array = np.asarray(array)
    return array.astype(np.complex128 if np.iscomplexobj(array) else np.float64)


def taken_by(method: str, a: jax.Array, b: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns operands in the dtype in which a method is tried: float32 for oneDNN, their own for others."""
    if method == "onednn":
        return a.astype(np.float32), b.astype(np.float32)
    return a, b


class Cases:
    """The cases that a claim is tried on, with the dtype, the number of trials and the seed."""

    def __init__(self, dtype: str, trials: int, seed: int):
        """Draws no numbers yet; every claim has generators of its own, independent of other claims."""
        self.dtype = np.dtype(jnp.dtype(dtype))
        self.trials = trials
        self.seed = seed
        self._cases: list[Case] = []

    def __iter__(self) -> Iterator[Case]:
        """Yields `trials` cases, cycling through the kinds; the same for every claim."""
        kinds = list(KINDS)
        for index in range(self.trials):
            if index == len(self._cases):
                rng = np.random.default_rng((self.seed, index))
                kind = dict(KINDS[kinds[index % len(kinds)]])
                dtype = _complex_of(self.dtype) if kind.pop("complex", False) else self.dtype
                self._cases.append(Case(draw(rng, **kind), dtype, rng))
            yield self._cases[index]

    def zero_padded(self) -> Iterator[Case]:
        """Yields the cases with zero padding, which lax has too."""
        return (case for case in self if case.geometry.padding_mode == "zeros")


def draw(rng: np.random.Generator, ndim: int, **fixed: Any) -> ConvGeometry:
    """Draws a random geometry with some arguments of ConvGeometry fixed."""

    def ints(low: int, high: int) -> tuple[int, ...]:
        return tuple(int(v) for v in rng.integers(low, high, ndim, endpoint=True))

    largest = {1: 12, 2: 7, 3: 4}[ndim]
    while True:
        arguments: dict[str, Any] = {
            "input_shape": ints(2, largest),
            "kernel_shape": ints(1, 3),
            "in_features": int(rng.integers(1, 3, endpoint=True)),
            "out_features": int(rng.integers(1, 3, endpoint=True)),
            "strides": ints(1, 3),
            "padding": tuple(zip(ints(0, 3), ints(0, 3), strict=True)),
            "kernel_dilation": ints(1, 2),
        } | fixed
        try:
            g = ConvGeometry(**arguments)
        except GeometryError:
            continue
        if g.nnz:
            return g


def _complex_of(dtype: np.dtype) -> np.dtype:
    return np.dtype(np.complex128 if dtype.itemsize >= 8 else np.complex64)
