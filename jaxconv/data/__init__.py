"""Data sets of labelled pixels, and batches of them."""

from jaxconv.data.augmentation import Augmentation, augment
from jaxconv.data.batches import Batch, Stream
from jaxconv.data.camvid_files import CAMVID, camvid
from jaxconv.data.coloured_shapes import Shapes, shapes
from jaxconv.data.dataset import SPLITS, VOID, Classes, Dataset, Example, Split, Task, check
from jaxconv.data.digit_mosaics import BACKGROUND, CLASS_NAMES, DigitMosaics, digits
from jaxconv.data.downsampling import shrink_image, shrunken
from jaxconv.data.file_pairs import Pairs
from jaxconv.data.folders import folder, read_classes
from jaxconv.data.image_files import LabelCode, images_in, read_image
from jaxconv.data.prefetch import Ahead
from jaxconv.data.registry import DATASETS
from jaxconv.data.single_digits import DigitImages, digit_images

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
    "camvid",
    "check",
    "digit_images",
    "digits",
    "folder",
    "images_in",
    "read_classes",
    "read_image",
    "shapes",
    "shrink_image",
    "shrunken",
]
