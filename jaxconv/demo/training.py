"""A small FCN learns to label every pixel of mosaics of handwritten digits."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from jaxconv.errors import GeometryError
from jaxconv.models import FCN8s
from jaxconv.segmentation import (
    CLASS_NAMES,
    DigitMosaics,
    confusion_matrix,
    digit_mosaics,
    global_accuracy,
    iou,
    mean_iou,
)

FEATURES = (16, 32, 64, 96)
BATCH = 16
LEARNING_RATE = 1e-2
WEIGHT_DECAY = 1e-4
GLANCE = 64  # held-out mosaics judged along the way
LARGEST_GRADIENT = 1.0  # norm; larger ones are scaled down: without it the first steps may diverge


def train_and_show(
    out: Path,
    steps: int,
    *,
    seed: int = 0,
    canvas: tuple[int, int] = (48, 48),
    features: tuple[int, ...] = FEATURES,
    judged: int = 512,
) -> dict:
    """Trains, judges on held-out mosaics and draws ``training.png`` and ``predictions.png`` into `out`.

    Args:
      out: Folder.
      steps: Of the optimiser, 16 mosaics each.
      seed: Of parameters and mosaics.
      canvas: Rows and columns of a mosaic.
      features: Of the network's levels.
      judged: Held-out mosaics in the final score.

    Returns:
      What happened, in numbers.

    Raises:
      FloatingPointError: The loss is no longer finite; the message names the step.
    """
    from jaxconv.figures.demo import draw_predictions, draw_training

    train, held_out = digit_mosaics(canvas, seed=seed)
    blocks = tuple((width, 2) for width in features)
    model = FCN8s(1, len(CLASS_NAMES), blocks=blocks, dense=0, rngs=nnx.Rngs(seed))
    graph, parameters = nnx.split(model)
    started = time.perf_counter()
    parameters, losses, scores = fit(graph, parameters, train, held_out, steps, min(judged, GLANCE))
    seconds = time.perf_counter() - started
    confusion = judge(graph, parameters, held_out, judged)
    scores.append((steps, mean_iou(confusion)))
    note = f"the last point: {judged} mosaics, the others: {min(judged, GLANCE)}"
    draw_training(out / "training.png", losses, scores, note)
    images, labels = held_out.batch(0, min(judged, GLANCE))  # as many as were judged at once: no new program
    predictions = np.asarray(predict(graph, parameters, images))
    draw_predictions(
        out / "predictions.png", images[:6, ..., 0], labels[:6], predictions[:6], CLASS_NAMES, iou(confusion)
    )
    return {
        "mean_iou": mean_iou(confusion),
        "iou": dict(zip(CLASS_NAMES, iou(confusion).tolist(), strict=True)),
        "global_accuracy": global_accuracy(confusion),
        "held_out_mosaics": judged,
        "held_out_samples": len(held_out.samples),
        "training_samples": len(train.samples),
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(parameters)),
        "canvas": list(canvas),
        "features": list(features),
        "steps": steps,
        "batch": BATCH,
        "learning_rate": LEARNING_RATE,
        "final_loss": float(np.mean(losses[-50:])),
        "training_seconds": seconds,
    }


def fit(graph, parameters, train: DigitMosaics, held_out: DigitMosaics, steps: int, glance: int = GLANCE):
    """Minimises the cross-entropy of a pixel; AdamW, warmed up and then lowered along a cosine.

    Returns:
      The parameters, the loss of every step, and ``(step, mean IoU)`` on the first `glance`
      held-out mosaics along the way: to be looked at, nothing stops or is chosen by them.

    Raises:
      GeometryError: No steps.
      FloatingPointError: The loss is no longer finite.
    """
    if steps < 1:
        raise GeometryError(f"training takes at least one step, got steps={steps}.")
    schedule = optax.warmup_cosine_decay_schedule(0.0, LEARNING_RATE, max(steps // 20, 1), max(steps, 2))
    optimiser = optax.chain(
        optax.clip_by_global_norm(LARGEST_GRADIENT), optax.adamw(schedule, weight_decay=WEIGHT_DECAY)
    )
    state = optimiser.init(parameters)
    losses: list[float] = []
    scores: list[tuple[int, float]] = []
    loss = None
    with _progress() as progress:
        task = progress.add_task("training the FCN", total=steps, loss="")
        for step in range(steps):
            # jax computes while NumPy makes the next mosaics: the loss is read one step late.
            images, labels = train.batch(step, BATCH)
            if loss is not None:
                _record(losses, loss, progress, task)
            if step % max(steps // 10, 1) == 0:
                scores.append((step, mean_iou(judge(graph, parameters, held_out, glance))))
            parameters, state, loss = _update(graph, optimiser, parameters, state, images, labels)
        _record(losses, loss, progress, task)
    return parameters, losses, scores


@partial(jax.jit, static_argnums=(0, 1), donate_argnums=(2, 3))
def _update(graph, optimiser, parameters, state, images, labels):
    """One step; the loss is that before it."""

    def loss(parameters):
        logits = nnx.merge(graph, parameters)(images)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()

    value, gradient = jax.value_and_grad(loss)(parameters)
    # optax's own arithmetic mixes dtypes and ranks, which a caller's strict settings would refuse.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        updates, state = optimiser.update(gradient, state, parameters)
    return optax.apply_updates(parameters, updates), state, value


@partial(jax.jit, static_argnums=0)
def predict(graph, parameters, images: jax.Array) -> jax.Array:
    """The likeliest class of every pixel: ``(n, rows, columns, 1)`` to ``(n, rows, columns)``."""
    return jnp.argmax(nnx.merge(graph, parameters)(images), axis=-1)


def judge(graph, parameters, mosaics: DigitMosaics, count: int) -> np.ndarray:
    """The confusion matrix over the first `count` mosaics, ``(classes, classes)``."""
    confusion = np.zeros((len(CLASS_NAMES), len(CLASS_NAMES)), np.int64)
    size = min(count, GLANCE)
    for step in range(-(-count // size)):
        images, labels = mosaics.batch(step, size)
        kept = np.s_[
            : count - step * size
        ]  # the last batch is computed whole, so that one program serves all
        predictions = np.asarray(predict(graph, parameters, images))
        confusion += confusion_matrix(labels[kept], predictions[kept], len(CLASS_NAMES))
    return confusion


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[loss]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
    )


def _record(losses: list[float], loss, progress: Progress, task) -> None:
    value = float(loss)
    if not np.isfinite(value):
        raise FloatingPointError(
            f"the loss became {value} at step {len(losses)}, after {losses[-3:]}; lower the learning rate."
        )
    losses.append(value)
    progress.update(task, advance=1, loss=f"loss {np.mean(losses[-50:]):.4f}")
