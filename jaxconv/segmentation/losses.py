"""Losses of labelled pixels, and of labelled images, with void left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxconv.data import VOID
from jaxconv.errors import GeometryError, OptionError
from jaxconv.geometry.arguments import ints

Reduction = Literal["mean", "sum"]
Weights = jax.Array | Sequence[float] | None


def cross_entropy(
    logits: jax.Array,
    labels: jax.Array,
    *,
    class_weights: Weights = None,
    ignore_label: int = VOID,
    reduction: Reduction = "mean",
) -> jax.Array:
    r"""Cross-entropy of a softmax, $-w_y \log p_y$.

    Computed in float32 at least, whatever the logits are. A label that is neither a class nor
    `ignore_label` makes the loss NaN: inside jit nothing can be raised, and a run stops at NaN.

    Args:
      logits: ``(..., n_classes)``.
      labels: ``(...)`` integers of any dtype, the batch in front; classes and `ignore_label` are told
        apart exactly, also where the dtype does not hold them all.
      class_weights: ``(n_classes,)``; 1 each if None.
      ignore_label: Pixels so labelled count nowhere.
      reduction: "mean" over the pixels that count, each as much as its class weighs (as PyTorch's: divided
        by the sum of their weights); 0 if there are none. "sum" over the pixels, mean over the batch, as
        ReSeg's; images that are void throughout belong to the batch.

    Returns:
      A scalar.

    Raises:
      GeometryError: Shapes that do not go together.
      OptionError: An unknown reduction, or weights that are not one for each class.
      TypeError: Labels or `ignore_label` that are not integers, or logits that are not floats.

    >>> logits = jnp.array([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    >>> float(cross_entropy(logits, jnp.array([0, 255]))).__round__(4)
    0.2395
    """
    return focal_loss(
        logits, labels, gamma=0.0, class_weights=class_weights, ignore_label=ignore_label, reduction=reduction
    )


def focal_loss(
    logits: jax.Array,
    labels: jax.Array,
    *,
    gamma: float = 2.0,
    class_weights: Weights = None,
    ignore_label: int = VOID,
    reduction: Reduction = "mean",
) -> jax.Array:
    r"""Cross-entropy that counts easy pixels less: $-w_y (1 - p_y)^\gamma \log p_y$.

    Args:
      logits: As in `cross_entropy`, like everything but `gamma`.
      labels: As there.
      gamma: 0 is the cross-entropy.
      class_weights: As there.
      ignore_label: As there.
      reduction: As there.

    Raises:
      GeometryError: As `cross_entropy`.
      OptionError: `gamma` below 0, or what `cross_entropy` refuses.
      TypeError: As there.

    References:
      Lin et al., arXiv:1708.02002.

    >>> logits = jnp.array([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    >>> float(focal_loss(logits, jnp.array([0, 255]))).__round__(4)
    0.0109
    """
    if gamma < 0:
        raise OptionError(f"`gamma` is at least 0, which is the cross-entropy; got {gamma}.")
    if reduction not in ("mean", "sum"):
        raise OptionError(f"`reduction` is 'mean' or 'sum', got {reduction!r}.")
    logits, classes, counted, strange = _prepare(logits, labels, ignore_label)
    truth = _one_of(classes, logits)
    # A masked sum, not a gather: its gradient is no scatter, and explicit meshes take it as it is.
    losses = -jnp.where(truth, jax.nn.log_softmax(logits), 0).sum(axis=-1)
    if gamma:
        # Kept away from 0, where the power of a gamma below 1 has no slope.
        miss = jnp.maximum(-jnp.expm1(-losses), jnp.finfo(losses.dtype).eps)
        losses = losses * miss**gamma
    weights = counted.astype(logits.dtype)
    if class_weights is not None:
        weights *= jnp.where(truth, _class_weights(class_weights, logits), 0).sum(axis=-1)
    total = jnp.sum(weights * jnp.where(counted, losses, 0))
    if reduction == "sum":
        return jnp.where(strange, jnp.nan, total / (labels.shape[0] if labels.ndim else 1))
    divisor = jnp.sum(weights)
    return jnp.where(strange, jnp.nan, total / jnp.where(divisor > 0, divisor, 1))


def dice_loss(
    logits: jax.Array,
    labels: jax.Array,
    *,
    class_weights: Weights = None,
    ignore_label: int = VOID,
) -> jax.Array:
    r"""One minus the overlap of prediction and truth, mean over the classes.

    $1 - \frac{2 \sum p_c t_c}{\sum p_c + \sum t_c}$ with the sums over all pixels of the batch that are not
    void. Classes that do not occur in the batch's labels are left out.

    Args:
      logits: As in `cross_entropy`.
      labels: As there.
      class_weights: Of the classes in the mean.
      ignore_label: As there.

    Returns:
      A scalar, 0 to 1; 0 if no pixel counts.

    Raises:
      GeometryError: As `cross_entropy`.
      TypeError: As there.

    References:
      Milletari, Navab & Ahmadi, V-Net, arXiv:1606.04797 (there with squares below the line).

    >>> float(dice_loss(jnp.array([[9.0, -9.0], [0.0, 0.0]]), jnp.array([0, 1]))).__round__(4)
    0.2667
    """
    logits, classes, counted, strange = _prepare(logits, labels, ignore_label)
    pixels = tuple(range(labels.ndim))
    truths = (_one_of(classes, logits) & counted[..., None]).astype(logits.dtype)
    probabilities = jnp.where(counted[..., None], jax.nn.softmax(logits), 0)
    occurring = truths.sum(pixels)
    overlap = 2 * jnp.sum(probabilities * truths, pixels)
    whole = jnp.where(occurring > 0, probabilities.sum(pixels) + occurring, 1)
    weights = jnp.where(occurring > 0, _class_weights(class_weights, logits).reshape(-1), 0)
    total = jnp.sum(weights)
    loss = jnp.sum(weights * (1 - overlap / whole)) / jnp.where(total > 0, total, 1)
    return jnp.where(strange, jnp.nan, loss)


def _prepare(logits: jax.Array, labels: jax.Array, ignore_label: int):
    """Logits in float32 at least; int32 classes, 0 where the label is none; what counts; what is strange."""
    if logits.ndim != labels.ndim + 1 or logits.shape[:-1] != labels.shape:
        raise GeometryError(
            f"every label needs its scores: `logits` must be (..., n_classes) and `labels` (...), got "
            f"{logits.shape} and {labels.shape}."
        )
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise TypeError(f"`labels` must be integers, got {labels.dtype}; take .astype(jnp.int32).")
    if not jnp.issubdtype(logits.dtype, jnp.floating):
        raise TypeError(f"`logits` must be floats, got {logits.dtype}.")
    (void,) = ints("ignore_label", (ignore_label,))
    # Compared in the labels' own dtype with numbers that it holds: jax would wrap others around.
    limits, n = jnp.iinfo(labels.dtype), logits.shape[-1]
    holds_void = limits.min <= void <= limits.max
    is_void = labels == np.array(void, labels.dtype) if holds_void else jnp.zeros_like(labels, bool)
    known = ~is_void & (labels >= 0) & (labels <= min(n - 1, limits.max))
    classes = jnp.where(known, labels, 0).astype(jnp.int32)  # a class fits, and a dtype of 8 bits may not
    dtype = jnp.float32 if jnp.finfo(logits.dtype).bits < 32 else logits.dtype
    return logits.astype(dtype), classes, ~is_void, jnp.any(~is_void & ~known)


def _one_of(classes: jax.Array, logits: jax.Array) -> jax.Array:
    """``(..., n_classes)``: True at the class."""
    return classes[..., None] == jax.lax.broadcasted_iota(classes.dtype, logits.shape, logits.ndim - 1)


def _class_weights(class_weights: Weights, logits: jax.Array) -> jax.Array:
    """``(1, ..., 1, n_classes)``, to broadcast against the logits."""
    n = logits.shape[-1]
    weights = jnp.ones(n, logits.dtype) if class_weights is None else jnp.asarray(class_weights, logits.dtype)
    if weights.shape != (n,):
        raise OptionError(f"`class_weights` has one number for each of {n} classes, got {weights.shape}.")
    return weights.reshape((1,) * (logits.ndim - 1) + (n,))
