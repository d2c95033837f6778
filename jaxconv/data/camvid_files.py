"""CamVid: street scenes in eleven classes, in the folders of the SegNet tutorial."""

from __future__ import annotations

from pathlib import Path

from jaxconv.data.dataset import VOID, Classes, Split, check_split
from jaxconv.data.file_pairs import FilePairs, describe_contents, pair_files
from jaxconv.data.image_files import LabelCode
from jaxconv.errors import DataError

CAMVID = Classes(
    (
        "sky", "building", "pole", "road", "sidewalk", "tree",
        "sign symbol", "fence", "car", "pedestrian", "bicyclist",
    ),
    (
        (128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (60, 40, 222), (128, 128, 0),
        (192, 128, 128), (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192),
    ),
)  # fmt: skip
"""Classes and colours as in the SegNet tutorial."""
CAMVID_VOID = 11


def camvid(split: Split, folder: str | Path | None = None) -> FilePairs:
    """Reads CamVid at 480x360 with eleven classes.

    The folder has subfolders ``train``, ``val`` and ``test`` with images, PNG or JPEG, and ``trainannot``,
    ``valannot`` and ``testannot`` with PNG labels of the same names; only those of the requested split must
    exist. Label values are 0 to 10, and 11 for void.

    Args:
      split: ``"train"``, ``"val"`` or ``"test"``. In the split of the SegNet tutorial, val is one clip of
        the drive that train is taken from, so scores on val are higher than scores on test.
      folder: The folder that contains these subfolders.

    Returns:
      The data set; complete, it has 367 examples in train, 101 in val and 233 in test.

    Raises:
      OptionError: `split` is unknown.
      DataError: `folder` is missing or has another layout, or an image has no label.

    References:
      Brostow, Fauqueur & Cipolla, Semantic object classes in video, PRL 30, 2009.
      Badrinarayanan, Kendall & Cipolla, arXiv:1511.00561.
    """
    split = check_split(split)
    layout = f"{split}/ with images and {split}annot/ with PNG labels of the same names"
    if folder is None:
        raise DataError(f"CamVid needs a `folder` that holds {layout}; none was given.")
    folder = Path(folder)
    images, labels = folder / split, folder / f"{split}annot"
    if not (images.is_dir() and labels.is_dir()):
        raise DataError(f"CamVid's `folder` must hold {layout}; {describe_contents(folder)}.")
    values = {**{c: c for c in range(len(CAMVID))}, CAMVID_VOID: VOID}
    colors = {**dict(zip(CAMVID.colors, range(len(CAMVID)), strict=True)), (0, 0, 0): VOID}
    return FilePairs(CAMVID, LabelCode(values, colors), pair_files(images, labels))
