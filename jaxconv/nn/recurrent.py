r"""Recurrent sweeps: a cell carried along one axis of a feature map.

Everything that a step does not have to wait for is computed outside of the loop: the input's projection
is one product over all steps, and so is every part of the gradient except for the state's own.

With the state $h_t = \mathrm{cell}(h_{t-1}, x_t, a_t)$ and $a_t = h_{t-1} U$, let $A_t$, $B_t$, $D_t$ be the
cell's derivatives in its three arguments at step $t$. A tangent of the sweep follows

$$\dot h_t = \underbrace{A_t \dot h_{t-1} + D_t (\dot h_{t-1} U)}_{\text{in the loop}}
+ \underbrace{B_t \dot x_t + D_t (h_{t-1} \dot U)}_{\text{for all steps at once}},$$

and the transpose of the last term, the gradient of $U$, is one product over all steps,
$\sum_t h_{t-1}^\mathsf{T} D_t^\mathsf{T} \bar h_t$ with the gradient $\bar h_t$ in $h_t$.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax
from jax.nn.initializers import Initializer
from jax.typing import DTypeLike

from jaxconv.core.checks import ArrayOrList, as_array, check_dtype, check_dtypes, check_option
from jaxconv.core.sharding import vary_alike
from jaxconv.errors import GeometryError
from jaxconv.geometry.arguments import at_least_one, flag, integer
from jaxconv.nn.cells import CELLS, Arrays, CellName

Variant = Literal["paper", "released"]


def sweep(
    x: ArrayOrList, recurrent_kernel: ArrayOrList, *, cell: CellName = "gru", reverse: bool = False
) -> jax.Array:
    r"""Carries a recurrent cell along the leading axis; the state starts at zero.

    $h_t = \mathrm{cell}(h_{t-1}, x_t, h_{t-1} U)$

    Args:
      x: The projected input $x W + b$, ``(steps, *batch, gates * units)``, one gate after the other.
      recurrent_kernel: $U$, ``(units, gates * units)``, one gate after the other.
      cell: ``"gru"`` (gates r, u, c), ``"lstm"`` (gates i, f, g, o) or ``"tanh"`` (one gate).
      reverse: Whether to run from the last step to the first.

    Returns:
      $h$ of every step, ``(steps, *batch, units)``.

    Raises:
      GeometryError: `cell` is unknown, or the shapes of `x` and `recurrent_kernel` do not fit it.
      TypeError: The dtypes differ or are not floating, or `reverse` is not a bool.

    >>> x = jnp.ones((4, 2, 3 * 5), jnp.float32)
    >>> sweep(x, jnp.ones((5, 3 * 5), jnp.float32)).shape
    (4, 2, 5)
    """
    check_option("cell", cell, tuple(CELLS))
    reverse = flag("reverse", reverse)
    x, recurrent_kernel = as_array("x", x), as_array("recurrent_kernel", recurrent_kernel)
    check_dtypes(x=x, recurrent_kernel=recurrent_kernel)
    units, gates = recurrent_kernel.shape[0] if recurrent_kernel.ndim else 0, CELLS[cell].gates
    if recurrent_kernel.shape != (units, gates * units) or x.ndim < 2 or x.shape[-1] != gates * units:
        raise GeometryError(
            f"a {cell} cell has {gates} gates: `x` must be (steps, *batch, {gates} * units) and "
            f"`recurrent_kernel` (units, {gates} * units), got {x.shape} and {recurrent_kernel.shape}."
        )
    if x.shape[0] == 0:
        return x[..., :units]  # lax.scan cannot run no step
    return _sweep(_split_gates(x, gates), _split_gates(recurrent_kernel, gates), cell, reverse)


def _split_gates(columns: jax.Array, gates: int) -> Arrays:
    """Splits columns into one array per gate; XLA's CPU loops over slices of one array took twice as long."""
    return tuple(jnp.split(columns, gates, -1))


def _recurrent_products(h: jax.Array, kernels: Arrays) -> Arrays:
    """Multiplies a state by the recurrent kernel of each gate."""
    return tuple(h @ kernel for kernel in kernels)


@partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def _sweep(x: Arrays, kernels: Arrays, cell: CellName, reverse: bool) -> jax.Array:
    return _states(x, kernels, cell, reverse)[0]


@_sweep.defjvp
def _sweep_jvp(
    cell: CellName, reverse: bool, primals: tuple[Arrays, Arrays], tangents: tuple[Arrays, Arrays]
) -> tuple[jax.Array, jax.Array]:
    """Computes a linear sweep, whose coefficients and inputs are known for all steps before it starts.

    Once all states are known, the cell is linearised at all steps at once, and what the tangents of
    the input and the kernel add to a step is one product over all steps. Only the state's own
    tangent is carried. The kernel's gradient, the transpose of that, is one product too, where plain
    autodiff of the loop adds to it inside of every step.
    """
    (x, kernels), (dx, dkernels) = primals, tangents
    states = _states(x, kernels, cell, reverse)
    before = tuple(_previous_states(state, reverse) for state in states)
    products, dproducts = (_recurrent_products(before[0], k) for k in (kernels, dkernels))
    linear = jax.vmap(lambda *at: jax.linearize(CELLS[cell].step, *at)[1])(before, x, products)
    no_state = jax.tree.map(jnp.zeros_like, before)
    sources = jax.vmap(lambda linear, *tangents: linear(*tangents))(linear, no_state, dx, dproducts)

    def step(dstate: Arrays, inputs: tuple[Callable[..., Arrays], Arrays]) -> tuple[Arrays, jax.Array]:
        linear, source = inputs
        no_input = tuple(jnp.zeros_like(dstate[0]) for _ in kernels)
        carry = linear(dstate, no_input, _recurrent_products(dstate[0], kernels))
        dstate = tuple(a + b for a, b in zip(carry, source, strict=True))
        return dstate, dstate[0]

    start = tuple(jnp.zeros_like(source[0]) for source in sources)
    start = tuple(vary_alike(zero, *jax.tree.leaves((linear, sources, kernels)))[0] for zero in start)
    return states[0], lax.scan(step, start, (linear, sources), reverse=reverse)[1]


def _states(x: Arrays, kernels: Arrays, cell: CellName, reverse: bool) -> Arrays:
    """Computes the states after every step."""
    kernel = jnp.concatenate(kernels, -1)  # one product is faster than one per gate, if nothing is transposed

    def step(state: Arrays, x: Arrays) -> tuple[Arrays, Arrays]:
        state = CELLS[cell].step(state, x, _split_gates(state[0] @ kernel, len(kernels)))
        return state, state

    start, *_ = vary_alike(jnp.zeros_like(x[0][0]), *x, *kernels)
    return lax.scan(step, (start,) * CELLS[cell].states, x, reverse=reverse)[1]


def _previous_states(state: jax.Array, reverse: bool) -> jax.Array:
    """Returns the state that each step starts from."""
    start = jnp.zeros_like(state[:1])
    return jnp.concatenate([state[1:], start] if reverse else [start, state[:-1]])


class Sweep(nnx.Module):
    r"""A recurrent layer that sweeps in one direction.

    Attributes are `kernel` ``(in_features, gates * units)``, `recurrent_kernel`
    ``(units, gates * units)`` and `bias` ``(gates * units,)``, one gate after the other as in `sweep`.

    Args:
      in_features: Number of features of the input.
      units: Number of features of the output.
      cell: Recurrent cell: ``"gru"``, ``"lstm"`` or ``"tanh"``; see `sweep`.
      reverse: Whether to run from the last position to the first.
      kernel_init: Initializer of both kernels, called as ``(key, shape, dtype)``; by default normal with
        standard deviation 0.1, as in ReSeg's published code.
      bias_init: Initializer of the bias, called as ``(key, shape, dtype)``; zeros by default.
      param_dtype: Dtype of the parameters.
      rngs: Source of the parameters' randomness.

    Raises:
      GeometryError: `cell` is unknown, or a size is below 1.
      TypeError: A size is not an integer, `reverse` is not a bool, or `param_dtype` is neither floating
        nor complex.

    >>> layer = Sweep(3, 8, cell="lstm", rngs=nnx.Rngs(0))
    >>> layer(jnp.ones((2, 5, 7, 3), jnp.float32)).shape
    (2, 5, 7, 8)
    """

    def __init__(
        self,
        in_features: int,
        units: int,
        *,
        cell: CellName = "gru",
        reverse: bool = False,
        kernel_init: Initializer | None = None,
        bias_init: Initializer = nnx.initializers.zeros,
        param_dtype: DTypeLike = jnp.float32,
        rngs: nnx.Rngs,
    ) -> None:
        check_option("cell", cell, tuple(CELLS))
        columns = CELLS[cell].gates * at_least_one("units", units)
        in_features = at_least_one("in_features", in_features)
        check_dtype(param_dtype, "param_dtype")
        init = kernel_init or nnx.initializers.normal(0.1)
        self.cell, self.reverse = cell, flag("reverse", reverse)
        self.kernel = nnx.Param(init(rngs.params(), (in_features, columns), param_dtype))
        self.recurrent_kernel = nnx.Param(init(rngs.params(), (units, columns), param_dtype))
        self.bias = nnx.Param(bias_init(rngs.params(), (columns,), param_dtype))

    def __call__(self, x: ArrayOrList, axis: int = -2) -> jax.Array:
        """Carries the cell along one axis of a map.

        Args:
          x: Feature map ``(*batch, *spatial, in_features)``.
          axis: Axis to sweep along; any but the last one, which holds the features.

        Returns:
          ``(*batch, *spatial, units)``.

        Raises:
          GeometryError: `x` has other features or no axis of that number.
          TypeError: `x` has another dtype than the parameters.
        """
        return jnp.moveaxis(self.along_first(_move_to_front(x, axis, self.kernel.shape[0])), 0, axis)

    def along_first(self, x: ArrayOrList) -> jax.Array:
        """Carries the cell along the leading axis, as loops run, so that nothing moves in memory."""
        x, kernel = as_array("x", x), self.kernel[...]
        check_dtypes(x=x, kernel=kernel)
        _check_features(x, kernel.shape[0])
        projected = x @ kernel
        projected = projected + jnp.broadcast_to(self.bias[...], projected.shape)
        return sweep(projected, self.recurrent_kernel[...], cell=self.cell, reverse=self.reverse)


def _check_features(x: jax.Array, features: int) -> None:
    """Checks that a map has an axis to sweep along and as many features as the layer projects."""
    if x.ndim < 2 or x.shape[-1] != features:
        raise GeometryError(
            f"`x` must be a channels-last feature map with {features} features on its last axis, got "
            f"{x.shape}."
        )


def _move_to_front(x: ArrayOrList, axis: int, features: int) -> jax.Array:
    """Moves the axis to sweep along to the front of a map, whose shape is checked first."""
    x, axis = as_array("x", x), integer("axis", axis)
    _check_features(x, features)
    if not -x.ndim <= axis < x.ndim or axis % x.ndim == x.ndim - 1:
        raise GeometryError(
            "`axis` must be an axis of the map (*batch, *spatial, features), any but the last; got "
            f"axis={axis} for {x.shape}."
        )
    return jnp.moveaxis(x, axis, 0)


class BidirectionalSweep(nnx.Module):
    """Two sweeps along one axis in opposite directions, their features side by side: forward, backward.

    Args:
      in_features: Number of features of the input.
      units: Number of features of each direction.
      cell: Recurrent cell: ``"gru"``, ``"lstm"`` or ``"tanh"``; see `sweep`.
      variant: ``"paper"``: both directions read the input. ``"released"``, as in ReSeg's published code:
        the backward sweep reads what the forward sweep returned.
      param_dtype: Dtype of the parameters.
      rngs: Source of the parameters' randomness.

    Raises:
      GeometryError: `cell` or `variant` is unknown, or a size is below 1.
      TypeError: A size is not an integer, or `param_dtype` is neither floating nor complex.

    References:
      Schuster & Paliwal, Bidirectional recurrent neural networks, 1997.

    >>> layer = BidirectionalSweep(3, 4, rngs=nnx.Rngs(0))
    >>> layer(jnp.ones((2, 5, 7, 3), jnp.float32), axis=1).shape
    (2, 5, 7, 8)
    """

    def __init__(
        self,
        in_features: int,
        units: int,
        *,
        cell: CellName = "gru",
        variant: Variant = "paper",
        param_dtype: DTypeLike = jnp.float32,
        rngs: nnx.Rngs,
    ) -> None:
        check_option("variant", variant, ("paper", "released"))
        self.variant = variant
        second = in_features if variant == "paper" else units
        self.forward = Sweep(in_features, units, cell=cell, param_dtype=param_dtype, rngs=rngs)
        self.backward = Sweep(second, units, cell=cell, reverse=True, param_dtype=param_dtype, rngs=rngs)

    def __call__(self, x: ArrayOrList, axis: int = -2) -> jax.Array:
        """Carries both cells along one axis of a map.

        Args:
          x: Feature map ``(*batch, *spatial, in_features)``.
          axis: Axis to sweep along; any but the last one, which holds the features.

        Returns:
          ``(*batch, *spatial, 2 * units)``.

        Raises:
          GeometryError: `x` has other features or no axis of that number.
          TypeError: `x` has another dtype than the parameters.
        """
        x = _move_to_front(x, axis, self.forward.kernel.shape[0])
        forward = self.forward.along_first(x)
        backward = self.backward.along_first(x if self.variant == "paper" else forward)
        return jnp.moveaxis(jnp.concatenate([forward, backward], -1), 0, axis)
