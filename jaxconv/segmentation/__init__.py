"""Losses, metrics and class balance for labelled pixels and images."""

from jaxconv.segmentation.balance import class_frequencies, median_frequency_weights
from jaxconv.segmentation.losses import cross_entropy, dice_loss, focal_loss
from jaxconv.segmentation.metrics import (
    confusion_matrix,
    frequency_weighted_iou,
    global_accuracy,
    iou,
    mean_class_accuracy,
    mean_iou,
    scores,
    top_k_accuracy,
    void_predictions,
)

__all__ = [
    "class_frequencies",
    "confusion_matrix",
    "cross_entropy",
    "dice_loss",
    "focal_loss",
    "frequency_weighted_iou",
    "global_accuracy",
    "iou",
    "mean_class_accuracy",
    "mean_iou",
    "median_frequency_weights",
    "scores",
    "top_k_accuracy",
    "void_predictions",
]
