"""Data sets by name, as used in configurations."""

from __future__ import annotations

from collections.abc import Callable

from jaxconv.data.camvid_files import camvid
from jaxconv.data.coloured_shapes import shapes
from jaxconv.data.dataset import Dataset
from jaxconv.data.digit_mosaics import digits
from jaxconv.data.folders import folder
from jaxconv.data.single_digits import digit_images

DATASETS: dict[str, Callable[..., Dataset]] = {
    "camvid": camvid,
    "digits": digits,
    "digit_images": digit_images,
    "folder": folder,
    "shapes": shapes,
}
"""Data sets by name, each called as ``(split, folder, **options)``."""
