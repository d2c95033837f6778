"""Data sets of labelled pixels or images, and batches of them."""

from jaxconv.data.augmentation import Augmentation, augment
from jaxconv.data.batches import Batch, Stream
from jaxconv.data.camvid_files import CAMVID, camvid
from jaxconv.data.coloured_shapes import Shapes, shapes
from jaxconv.data.dataset import SPLITS, VOID, Classes, Dataset, Example, Split, Task, check_dataset
from jaxconv.data.digit_mosaics import BACKGROUND, CLASS_NAMES, DigitMosaics, digits
from jaxconv.data.downsampling import downsample_example, downsample_image
from jaxconv.data.file_pairs import FilePairs
from jaxconv.data.folders import folder, read_classes
from jaxconv.data.image_files import LabelCode, list_images, read_image
from jaxconv.data.prefetch import Prefetcher
from jaxconv.data.registry import DATASETS
from jaxconv.data.single_digits import DigitImages, digit_images

__all__ = [
    "BACKGROUND",
    "CAMVID",
    "CLASS_NAMES",
    "DATASETS",
    "SPLITS",
    "VOID",
    "Augmentation",
    "Batch",
    "Classes",
    "Dataset",
    "DigitImages",
    "DigitMosaics",
    "Example",
    "FilePairs",
    "LabelCode",
    "Prefetcher",
    "Shapes",
    "Split",
    "Stream",
    "Task",
    "augment",
    "camvid",
    "check_dataset",
    "digit_images",
    "digits",
    "downsample_example",
    "downsample_image",
    "folder",
    "list_images",
    "read_classes",
    "read_image",
    "shapes",
]
