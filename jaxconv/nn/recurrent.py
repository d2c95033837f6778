"""Recurrent sweeps: a cell carried along one axis of a feature map.

Everything that a step does not have to wait for stands outside of the loop: the input's projection is
one product over all steps, and so is every part of the gradient except for the state's own.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jax import lax
from jax.nn.initializers import Initializer
from jax.typing import ArrayLike, DTypeLike

from jaxconv.core.checks import check_dtype, check_dtypes, check_option
from jaxconv.core.sharding import vary_alike
from jaxconv.errors import GeometryError
from jaxconv.geometry.arguments import at_least_one
from jaxconv.nn.cells import CELLS, Arrays, CellName

Variant = Literal["paper", "released"]


def sweep(
    x: ArrayLike, recurrent_kernel: ArrayLike, *, cell: CellName = "gru", reverse: bool = False
) -> jax.Array:
    r"""Carries a cell along the leading axis; the state starts at zero.

    $h_t = \mathrm{cell}(h_{t-1}, x_t, h_{t-1} U)$

    Args:
      x: ``(steps, *batch, gates * units)``, the projected input: $x W + b$, gate after gate.
      recurrent_kernel: $U$, ``(units, gates * units)``.
      cell: ``"gru"`` (gates r, u, c), ``"lstm"`` (i, f, g, o) or ``"tanh"``.
      reverse: From the last step to the first.

    Returns:
      $h$ of every step, ``(steps, *batch, units)``.

    Raises:
      GeometryError: No such cell, or features that do not fit the kernel.
      TypeError: The dtypes differ, or are not floating.

    >>> x = jnp.ones((4, 2, 3 * 5), jnp.float32)
    >>> sweep(x, jnp.ones((5, 3 * 5), jnp.float32)).shape
    (4, 2, 5)
    """
    check_option("cell", cell, tuple(CELLS))
    x, recurrent_kernel = jnp.asarray(x), jnp.asarray(recurrent_kernel)
    check_dtypes(x=x, recurrent_kernel=recurrent_kernel)
    units, gates = recurrent_kernel.shape[0] if recurrent_kernel.ndim else 0, CELLS[cell].gates
    if recurrent_kernel.shape != (units, gates * units) or x.ndim < 2 or x.shape[-1] != gates * units:
        raise GeometryError(
            f"a {cell} cell has {gates} gates: `x` is (steps, *batch, {gates} * units), "
            f"`recurrent_kernel` (units, {gates} * units), got {x.shape} and {recurrent_kernel.shape}."
        )
    if x.shape[0] == 0:
        return x[..., :units]  # a loop needs a step
    return _sweep(_gates(x, gates), _gates(recurrent_kernel, gates), cell, reverse)


def _gates(columns: jax.Array, gates: int) -> Arrays:
    """The gates apart: XLA's CPU loops over slices of one array took twice as long."""
    return tuple(jnp.split(columns, gates, -1))


def _remembered(h: jax.Array, kernels: Arrays) -> Arrays:
    return tuple(h @ kernel for kernel in kernels)


@partial(jax.custom_jvp, nondiff_argnums=(2, 3))
def _sweep(x: Arrays, kernels: Arrays, cell: CellName, reverse: bool) -> jax.Array:
    return _states(x, kernels, cell, reverse)[0]


@_sweep.defjvp
def _sweep_jvp(cell: CellName, reverse: bool, primals, tangents):
    """A linear sweep, whose coefficients and inputs are known for all steps before it starts.

    Once all states are known, the cell is linearised at all steps at once, and what the tangents of
    the input and the kernel add to a step is one product over all steps. Only the state's own
    tangent is carried. The kernel's gradient, the transpose of that, is one product too, where plain
    autodiff of the loop adds to it inside of every step.
    """
    (x, kernels), (dx, dkernels) = primals, tangents
    states = _states(x, kernels, cell, reverse)
    before = tuple(_delayed(state, reverse) for state in states)
    remembered, driven = _remembered(before[0], kernels), _remembered(before[0], dkernels)
    linear = jax.vmap(lambda *at: jax.linearize(CELLS[cell].step, *at)[1])(before, x, remembered)
    still = jax.tree.map(jnp.zeros_like, before)
    added = jax.vmap(lambda linear, *tangents: linear(*tangents))(linear, still, dx, driven)

    def step(dstate, inputs):
        linear, added = inputs
        no_input = tuple(jnp.zeros_like(dstate[0]) for _ in kernels)
        carried = linear(dstate, no_input, _remembered(dstate[0], kernels))
        dstate = tuple(a + b for a, b in zip(carried, added, strict=True))
        return dstate, dstate[0]

    start = tuple(jnp.zeros_like(one[0]) for one in added)
    start = tuple(vary_alike(one, *jax.tree.leaves((linear, added, kernels)))[0] for one in start)
    return states[0], lax.scan(step, start, (linear, added), reverse=reverse)[1]


def _states(x: Arrays, kernels: Arrays, cell: CellName, reverse: bool) -> Arrays:
    """The states after every step."""
    together = jnp.concatenate(kernels, -1)  # one product is faster than one a gate, if nothing is transposed

    def step(state, x):
        state = CELLS[cell].step(state, x, _gates(state[0] @ together, len(kernels)))
        return state, state

    start, *_ = vary_alike(jnp.zeros_like(x[0][0]), *x, *kernels)
    return lax.scan(step, (start,) * CELLS[cell].states, x, reverse=reverse)[1]


def _delayed(state: jax.Array, reverse: bool) -> jax.Array:
    """The state that each step starts from."""
    start = jnp.zeros_like(state[:1])
    return jnp.concatenate([state[1:], start] if reverse else [start, state[:-1]])


class Sweep(nnx.Module):
    r"""A recurrent layer that sweeps in one direction.

    Attributes are `kernel` ``(in_features, gates * units)``, `recurrent_kernel`
    ``(units, gates * units)`` and `bias` ``(gates * units,)``, gate after gate as in `sweep`.

    Args:
      in_features: Features of the input.
      units: Features of the output.
      cell: See `sweep`.
      reverse: From the last cell to the first.
      kernel_init: Of both kernels; normal with standard deviation 0.1 by default, as in ReSeg.
      bias_init: Zeros by default.
      param_dtype: Of the parameters.
      rngs: Source of the parameters' randomness.

    Raises:
      GeometryError: No such cell, no unit or no feature.
      TypeError: A size is not an integer, or `param_dtype` neither floating nor complex.

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
    ):
        check_option("cell", cell, tuple(CELLS))
        columns = CELLS[cell].gates * at_least_one("units", units)
        in_features = at_least_one("in_features", in_features)
        check_dtype(param_dtype, "param_dtype")
        init = kernel_init or nnx.initializers.normal(0.1)
        self.cell, self.reverse = cell, reverse
        self.kernel = nnx.Param(init(rngs.params(), (in_features, columns), param_dtype))
        self.recurrent_kernel = nnx.Param(init(rngs.params(), (units, columns), param_dtype))
        self.bias = nnx.Param(bias_init(rngs.params(), (columns,), param_dtype))

    def __call__(self, x: ArrayLike, axis: int = -2) -> jax.Array:
        """Sweeps along an axis.

        Args:
          x: A feature map, ``(*batch, *spatial, in_features)``.
          axis: Which to sweep along; any but the features'.

        Returns:
          ``(*batch, *spatial, units)``.

        Raises:
          GeometryError: `x` has other features, or no such axis.
          TypeError: `x` has another dtype than the parameters.
        """
        return jnp.moveaxis(self.along_first(_swept_first(x, axis)), 0, axis)

    def along_first(self, x: ArrayLike) -> jax.Array:
        """The same along the leading axis: what sweeps run along, so that nothing moves in memory."""
        x, kernel = jnp.asarray(x), self.kernel[...]
        check_dtypes(x=x, kernel=kernel)
        if x.ndim < 2 or x.shape[-1] != kernel.shape[0]:
            raise GeometryError(
                f"the sweep projects {kernel.shape[0]} features, got a map of shape {x.shape}."
            )
        projected = x @ kernel
        projected = projected + jnp.broadcast_to(self.bias[...], projected.shape)
        return sweep(projected, self.recurrent_kernel[...], cell=self.cell, reverse=self.reverse)


def _swept_first(x: ArrayLike, axis: int) -> jax.Array:
    """The map with the axis to sweep along in front."""
    x = jnp.asarray(x)
    if not -x.ndim <= axis < x.ndim or axis % x.ndim == x.ndim - 1:
        raise GeometryError(
            f"a sweep goes along an axis of a map (*batch, *spatial, features), any but the last; got "
            f"axis={axis} for {x.shape}."
        )
    return jnp.moveaxis(x, axis, 0)


class BidirectionalSweep(nnx.Module):
    """Two sweeps along one axis in opposite directions, their features side by side: forward, backward.

    Args:
      in_features: Features of the input.
      units: Features of each direction.
      cell: See `sweep`.
      variant: Whether both directions read the input, ``"paper"``, or the backward sweep reads what
        the forward sweep returned, ``"released"`` (ReSeg's published code).
      param_dtype: Of the parameters.
      rngs: Source of the parameters' randomness.

    Raises:
      GeometryError: No such cell or variant, or no unit.

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
    ):
        check_option("variant", variant, ("paper", "released"))
        self.variant = variant
        second = in_features if variant == "paper" else units
        self.forward = Sweep(in_features, units, cell=cell, param_dtype=param_dtype, rngs=rngs)
        self.backward = Sweep(second, units, cell=cell, reverse=True, param_dtype=param_dtype, rngs=rngs)

    def __call__(self, x: ArrayLike, axis: int = -2) -> jax.Array:
        """``(*batch, *spatial, in_features)`` to ``(*batch, *spatial, 2 * units)``; see `Sweep`."""
        x = _swept_first(x, axis)
        forward = self.forward.along_first(x)
        backward = self.backward.along_first(x if self.variant == "paper" else forward)
        return jnp.moveaxis(jnp.concatenate([forward, backward], -1), 0, axis)
