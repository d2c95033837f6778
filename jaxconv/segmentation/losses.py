"""Losses of labelled pixels, or of labelled images; void pixels are left out."""

from __future__ import annotations

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from jaxconv.data import VOID
from jaxconv.errors import GeometryError, OptionError
from jaxconv.geometry.arguments import integer

Reduction = Literal["mean", "sum"]


def cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    class_weights: ArrayLike | None = None,
    ignore_label: int = VOID,
    reduction: Reduction = "mean",
) -> jax.Array:
    r"""Computes the cross-entropy of the softmax, $-w_y \log p_y$.

    It is computed in float32 or wider, whatever the dtype of the logits. A label that is neither a class
    nor `ignore_label` makes the loss NaN: inside jit no error can be raised, and a training run stops at
    NaN.

    Args:
      logits: Scores before the softmax, ``(..., n_classes)`` floats.
      labels: ``(...)`` integers of any dtype, the batch axis first: a class from 0 to ``n_classes - 1``, or
        `ignore_label`.
      class_weights: ``(n_classes,)``, the weight of each class; by default 1 each.
      ignore_label: The label of void pixels, which do not count; also one that the dtype of `labels` cannot
        hold.
      reduction: "mean": the mean over the pixels that count, weighted by the weights of their classes, as
        in PyTorch; 0 if no pixel counts. "sum": the sum over the pixels, divided by the size of the batch,
        as in the released code of ReSeg (arXiv:1511.07053); images without a labelled pixel count as part
        of the batch.

    Returns:
      A scalar.

    Raises:
      GeometryError: `logits` and `labels` have shapes that do not fit.
      OptionError: `reduction` is unknown, or `class_weights` does not have one number per class.
      TypeError: `labels` or `ignore_label` are not integers, or `logits` are not floats.

    >>> logits = jnp.array([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    >>> float(cross_entropy(logits, jnp.array([0, 255]))).__round__(4)
    0.2395
    """
    return focal_loss(
        logits, labels, gamma=0.0, class_weights=class_weights, ignore_label=ignore_label, reduction=reduction
    )


def focal_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    gamma: float = 2.0,
    class_weights: ArrayLike | None = None,
    ignore_label: int = VOID,
    reduction: Reduction = "mean",
) -> jax.Array:
    r"""Computes a cross-entropy that gives easy pixels less weight: $-w_y (1 - p_y)^\gamma \log p_y$.

    It is computed in float32 or wider; a label that is neither a class nor `ignore_label` makes it NaN.

    Args:
      logits: Scores before the softmax, ``(..., n_classes)`` floats.
      labels: ``(...)`` integers of any dtype, the batch axis first: a class from 0 to ``n_classes - 1``, or
        `ignore_label`.
      gamma: Exponent, at least 0; 0 gives the cross-entropy.
      class_weights: ``(n_classes,)``, the weight of each class; by default 1 each.
      ignore_label: The label of void pixels, which do not count; also one that the dtype of `labels` cannot
        hold.
      reduction: "mean": the mean over the pixels that count, weighted by the weights of their classes, as
        in PyTorch; 0 if no pixel counts. "sum": the sum over the pixels, divided by the size of the batch,
        as in the released code of ReSeg (arXiv:1511.07053); images without a labelled pixel count as part
        of the batch.

    Returns:
      A scalar.

    Raises:
      GeometryError: `logits` and `labels` have shapes that do not fit.
      OptionError: `gamma` is below 0, `reduction` is unknown, or `class_weights` does not have one number
        per class.
      TypeError: `labels` or `ignore_label` are not integers, or `logits` are not floats.

    References:
      Lin et al., arXiv:1708.02002.

    >>> logits = jnp.array([[2.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    >>> float(focal_loss(logits, jnp.array([0, 255]))).__round__(4)
    0.0109
    """
    if gamma < 0:
        raise OptionError(f"`gamma` must be at least 0, where 0 gives the cross-entropy; got {gamma}.")
    if reduction not in ("mean", "sum"):
        raise OptionError(f"`reduction` must be 'mean' or 'sum', got {reduction!r}.")
    scores, classes, valid, invalid = _prepare(logits, labels, ignore_label)
    truth = _one_hot(classes, scores)
    # A masked sum, not a gather: its gradient needs no scatter, and explicit meshes accept it.
    losses = -jnp.where(truth, jax.nn.log_softmax(scores), 0).sum(axis=-1)
    if gamma:
        # Stays above 0, where the power of a gamma below 1 has an infinite slope.
        miss = jnp.maximum(-jnp.expm1(-losses), jnp.finfo(losses.dtype).eps)
        losses = losses * miss**gamma
    weights = valid.astype(scores.dtype)
    if class_weights is not None:
        weights *= jnp.where(truth, _class_weights(class_weights, scores), 0).sum(axis=-1)
    total = jnp.sum(weights * jnp.where(valid, losses, 0))
    if reduction == "sum":
        return jnp.where(invalid, jnp.nan, total / (classes.shape[0] if classes.ndim else 1))
    divisor = jnp.sum(weights)
    return jnp.where(invalid, jnp.nan, total / jnp.where(divisor > 0, divisor, 1))


def dice_loss(
    logits: ArrayLike,
    labels: ArrayLike,
    *,
    class_weights: ArrayLike | None = None,
    ignore_label: int = VOID,
) -> jax.Array:
    r"""Computes one minus the overlap of prediction and truth, as the mean over the classes.

    For class c this is $1 - \frac{2 \sum p_c t_c}{\sum p_c + \sum t_c}$, where the sums run over all pixels
    of the batch that are not void. Classes that do not occur in the labels of the batch are left out. A
    label that is neither a class nor `ignore_label` makes the loss NaN.

    Args:
      logits: Scores before the softmax, ``(..., n_classes)`` floats.
      labels: ``(...)`` integers of any dtype, the batch axis first: a class from 0 to ``n_classes - 1``, or
        `ignore_label`.
      class_weights: ``(n_classes,)``, the weight of each class in the mean; by default 1 each.
      ignore_label: The label of void pixels, which do not count; also one that the dtype of `labels` cannot
        hold.

    Returns:
      A scalar from 0 to 1; 0 if no pixel counts.

    Raises:
      GeometryError: `logits` and `labels` have shapes that do not fit.
      OptionError: `class_weights` does not have one number per class.
      TypeError: `labels` or `ignore_label` are not integers, or `logits` are not floats.

    References:
      Milletari, Navab & Ahmadi, V-Net, arXiv:1606.04797 (with squares in the denominator).

    >>> float(dice_loss(jnp.array([[9.0, -9.0], [0.0, 0.0]]), jnp.array([0, 1]))).__round__(4)
    0.2667
    """
    scores, classes, valid, invalid = _prepare(logits, labels, ignore_label)
    pixels = tuple(range(classes.ndim))
    truths = (_one_hot(classes, scores) & valid[..., None]).astype(scores.dtype)
    probabilities = jnp.where(valid[..., None], jax.nn.softmax(scores), 0)
    truth_sum = truths.sum(pixels)
    overlap = 2 * jnp.sum(probabilities * truths, pixels)
    both = jnp.where(truth_sum > 0, probabilities.sum(pixels) + truth_sum, 1)
    weights = jnp.where(truth_sum > 0, _class_weights(class_weights, scores).reshape(-1), 0)
    total = jnp.sum(weights)
    loss = jnp.sum(weights * (1 - overlap / both)) / jnp.where(total > 0, total, 1)
    return jnp.where(invalid, jnp.nan, loss)


class _Pixels(NamedTuple):
    """The arguments of a loss, ready to compute with."""

    scores: jax.Array  # (..., n_classes), float32 or wider
    classes: jax.Array  # (...) int32; 0 where the label is not a class
    valid: jax.Array  # (...) bool: not void
    invalid: jax.Array  # () bool: some label is neither a class nor void


def _prepare(logits: ArrayLike, labels: ArrayLike, ignore_label: int) -> _Pixels:
    """Checks the arguments of a loss and finds the classes and the void pixels."""
    scores = jnp.asarray(logits)
    # NumPy's labels stay NumPy's: jax would cut int64 to 32 bits.
    classes = labels if isinstance(labels, jax.Array) else np.asarray(labels)
    _check_dtypes(scores, classes)
    check_label_shape(scores.shape, classes.shape)
    void = integer("ignore_label", ignore_label)
    # Compared in the dtype of the labels, with numbers that it can hold: jax would wrap others around.
    limits, n = jnp.iinfo(classes.dtype), scores.shape[-1]
    can_hold_void = limits.min <= void <= limits.max
    is_void = classes == np.array(void, classes.dtype) if can_hold_void else jnp.zeros_like(classes, bool)
    is_class = ~is_void & (classes >= 0) & (classes <= min(n - 1, limits.max))
    dtype = jnp.float32 if jnp.finfo(scores.dtype).bits < 32 else scores.dtype
    # int32 holds every class, which a dtype of 8 bits may not.
    return _Pixels(
        scores.astype(dtype),
        jnp.where(is_class, classes, 0).astype(jnp.int32),
        ~is_void,
        jnp.any(~is_void & ~is_class),
    )


def _check_dtypes(logits: jax.Array, labels: jax.Array | np.ndarray) -> None:
    labels_fit, logits_fit = (
        jnp.issubdtype(labels.dtype, jnp.integer),
        jnp.issubdtype(logits.dtype, jnp.floating),
    )
    if not (labels_fit or logits_fit) and jnp.issubdtype(labels.dtype, jnp.floating):
        raise TypeError(
            f"`logits` must be floats and `labels` integers, got {logits.dtype} and {labels.dtype}; they "
            "look swapped: pass `logits` first."
        )
    if not labels_fit:
        raise TypeError(
            f"`labels` must be integers, got {labels.dtype}; convert them with .astype(jnp.int32)."
        )
    if not logits_fit:
        raise TypeError(
            f"`logits` must be floats, the scores of every class before the softmax, got {logits.dtype}."
        )


def check_label_shape(logits: tuple[int, ...], labels: tuple[int, ...]) -> None:
    """Raises GeometryError unless there is one label for every vector of scores."""
    if len(logits) > 0 and logits[:-1] == labels:
        return
    if logits and labels == logits:
        hint = "if `labels` are one-hot, take labels.argmax(-1)"
    elif labels == (*logits[:-1], 1):
        hint = "drop the last axis, labels[..., 0]"
    elif len(logits) > 2 and (logits[0], *logits[2:]) == labels:
        hint = "the logits look channels-first: take jnp.moveaxis(logits, 1, -1)"
    else:
        hint = "there must be one label for every vector of scores"
    raise GeometryError(
        f"`logits` must be (..., n_classes) and `labels` (...), got {logits} and {labels}; {hint}."
    )


def _one_hot(classes: jax.Array, scores: jax.Array) -> jax.Array:
    """Returns ``(..., n_classes)`` bool: True at the class."""
    return classes[..., None] == jax.lax.broadcasted_iota(classes.dtype, scores.shape, scores.ndim - 1)


def _class_weights(class_weights: ArrayLike | None, scores: jax.Array) -> jax.Array:
    """Returns the weights as ``(1, ..., 1, n_classes)``, to broadcast against the scores."""
    n = scores.shape[-1]
    weights = jnp.ones(n, scores.dtype) if class_weights is None else jnp.asarray(class_weights, scores.dtype)
    if weights.shape != (n,):
        raise OptionError(
            f"`class_weights` must have one number for each of the {n} classes, shape ({n},); got shape "
            f"{weights.shape}."
        )
    return weights.reshape((1,) * (scores.ndim - 1) + (n,))
