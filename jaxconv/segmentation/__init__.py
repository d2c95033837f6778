"""Data sets of labelled pixels, batches of them, and how well labels are guessed."""

from collections.abc import Callable

from jaxconv.segmentation.ahead import Ahead
from jaxconv.segmentation.augmentation import Augmentation, augment
from jaxconv.segmentation.balance import class_frequencies, median_frequency_weights
from jaxconv.segmentation.camvid import CAMVID, camvid
from jaxconv.segmentation.datasets import SPLITS, VOID, Classes, Dataset, Example, Split, Task, check
from jaxconv.segmentation.digit_images import DigitImages, digit_images
from jaxconv.segmentation.digits import BACKGROUND, CLASS_NAMES, DigitMosaics, digit_mosaics, digits
from jaxconv.segmentation.files import LabelCode, images_in, read_image
from jaxconv.segmentation.folder import folder, read_classes
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
from jaxconv.segmentation.pairs import Pairs
from jaxconv.segmentation.shapes import Shapes, shapes
from jaxconv.segmentation.shrinking import shrink_image, shrunken
from jaxconv.segmentation.stream import Batch, Stream, batches, prefetch

DATASETS: dict[str, Callable] = {
    "camvid": camvid,
    "digits": digits,
    "digit_images": digit_images,
    "folder": folder,
    "shapes": shapes,
}
"""Data sets by name, each called as ``(split, folder, **options)``."""

__all__ = [
    "BACKGROUND",
    "CAMVID",
    "CLASS_NAMES",
    "DATASETS",
    "SPLITS",
    "VOID",
    "Ahead",
    "Augmentation",
    "Batch",
    "Classes",
    "Dataset",
    "DigitImages",
    "DigitMosaics",
    "Example",
    "LabelCode",
    "Pairs",
    "Shapes",
    "Split",
    "Stream",
    "Task",
    "augment",
    "batches",
    "camvid",
    "check",
    "class_frequencies",
    "confusion_matrix",
    "cross_entropy",
    "dice_loss",
    "digit_images",
    "digit_mosaics",
    "digits",
    "focal_loss",
    "folder",
    "frequency_weighted_iou",
    "global_accuracy",
    "images_in",
    "iou",
    "mean_class_accuracy",
    "mean_iou",
    "median_frequency_weights",
    "prefetch",
    "read_classes",
    "read_image",
    "scores",
    "shapes",
    "shrink_image",
    "shrunken",
    "top_k_accuracy",
    "void_predictions",
]
