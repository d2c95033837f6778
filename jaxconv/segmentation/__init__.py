"""Data sets of labelled pixels, and how well labels are guessed."""

from jaxconv.segmentation.digits import BACKGROUND, CLASS_NAMES, DigitMosaics, digit_mosaics
from jaxconv.segmentation.metrics import confusion_matrix, global_accuracy, iou, mean_iou

__all__ = [
    "BACKGROUND",
    "CLASS_NAMES",
    "DigitMosaics",
    "confusion_matrix",
    "digit_mosaics",
    "global_accuracy",
    "iou",
    "mean_iou",
]
