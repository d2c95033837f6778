"""The checks before a training starts, the cheap ones before every file is read."""

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from jaxconv.data import (
    VOID,
    Augmentation,
    Batch,
    Classes,
    Example,
    Stream,
    augment,
    camvid,
    downsample_example,
)
from jaxconv.errors import DataError, GeometryError, OptionError
from jaxconv.training import Config, ConfigError, open_data, train
from jaxconv.training.checks import CROP_EXAMPLES, check_crop, check_data, check_model, warn_of_void
from jaxconv.training.network import make_metadata
from jaxconv.training.run_folder import folder_lock


class Images:
    """Images of given sizes, which count how often they are read; a size of None is an unreadable image."""

    classes, in_features, task = Classes(("a", "b"), ((0, 0, 0), (9, 9, 9))), 3, "segmentation"

    def __init__(self, *sizes):
        self.sizes, self.reads = sizes, []

    def __len__(self):
        return len(self.sizes)

    def __getitem__(self, index):
        self.reads.append(index)
        if self.sizes[index] is None:
            raise DataError(f"n{index}: is empty.")
        rng = np.random.default_rng(index)
        image = rng.uniform(size=(*self.sizes[index], 3)).astype(np.float32)
        return Example(f"n{index}", image, rng.integers(2, size=self.sizes[index], dtype=np.int32))


def config(**tables):
    return Config.of({"model": {"name": "unet"}, "data": {"name": "camvid"}, **tables})


def cropping(*crop, shrink=1, scale=(1.0, 1.0)):
    return config(augmentation={"crop": crop, "scale": scale}, training={"shrink": shrink})


@pytest.mark.parametrize("shrink", [1, 2, 3, 5])
def test_a_crop_counts_pixels_of_the_file(shrink):
    """The network sees the crop over `shrink`, without void pixels."""
    images = Images((45, 90))
    crop = (30, 60)
    stream = Stream(images, 3, augmentation=Augmentation(crop=crop), shrink=shrink)
    found = stream.batch(0)
    rows, columns = (size // shrink for size in crop)
    assert found.images.shape == (3, rows, columns, 3)
    assert not (found.labels == VOID).any()
    small = downsample_example(images[0], shrink)
    for image in found.images:
        places = [
            (r, c)
            for r in range(small.image.shape[0] - rows + 1)
            for c in range(small.image.shape[1] - columns + 1)
            if np.array_equal(small.image[r : r + rows, c : c + columns], image)
        ]
        assert len(places) == 1


def test_the_crop_of_the_recorded_training_is_unchanged():
    """336x432 pixels averaged over 3x3 are the 112x144 pixels of the training whose result is recorded."""
    images = Images((360, 480))
    new = Augmentation(flip=0.5, scale=(0.75, 1.5), crop=(336, 432), brightness=0.2)
    old = Augmentation(flip=0.5, scale=(0.75, 1.5), crop=(112, 144), brightness=0.2)
    stream = Stream(images, 2, augmentation=new, seed=7, shrink=3)
    batch = stream.batch(4)
    for row in range(2):
        rng = np.random.default_rng((7, 2, 4, row))
        expected = augment(downsample_example(images[0], 3), old, rng)
        np.testing.assert_array_equal(batch.images[row], expected.image)
        np.testing.assert_array_equal(batch.labels[row], expected.label)


def test_a_crop_that_shrink_does_not_divide():
    with pytest.raises(OptionError, match=r"multiples of 3, got \[320, 448\]; \[318, 447\] would do"):
        Stream(Images((360, 480)), 2, augmentation=Augmentation(crop=(320, 448)), shrink=3)


@pytest.mark.parametrize(
    ("crop", "sizes", "options"),
    [
        ((360, 480), [(360, 480)], {}),
        ((360, 480), [(360, 480)], {"shrink": 2}),
        ((364, 483), [(360, 480)], {"shrink": 7}),  # as many cells as the images have, the last ones narrower
        ((16, 16), [(8, 8)], {"scale": (2.0, 3.0)}),  # every example is enlarged
        ((300, 500), [(500, 300), (300, 500)], {}),  # one of them is large enough
        ((20, 20), [None, (20, 20)], {}),
        ((20, 20), [None, None], {}),  # `check` says what is wrong
    ],
    ids=str,
)
def test_crops_that_images_fill(crop, sizes, options):
    check_crop(cropping(*crop, **options), Images(*sizes))


@pytest.mark.parametrize(
    ("crop", "sizes", "options"),
    [
        ((3000, 3), [(360, 480)], {}),
        ((361, 480), [(360, 480)], {}),
        ((360, 481), [(360, 480)], {"scale": (0.5, 2.0)}),  # most of the time a part would be void
        ((640, 896), [(360, 480)], {"shrink": 2}),  # twice the file, as it was understood once
        ((300, 300), [(360, 200), (200, 360)], {}),
        ((17, 16), [(8, 8)], {"scale": (2.0, 3.0)}),
    ],
    ids=str,
)
def test_crops_that_no_image_fills(crop, sizes, options):
    images = Images(*sizes * 20)
    rows, columns = sizes[0]
    with pytest.raises(
        ConfigError,
        match=rf"`augmentation.crop` is {crop[0]}x{crop[1]} pixels, but n0 has {rows}x{columns} \(rows x",
    ):
        check_crop(cropping(*crop, **options), images)
    assert len(images.reads) <= CROP_EXAMPLES


def test_a_crop_that_fits_reads_one_image():
    images = Images(*[(360, 480)] * 50)
    check_crop(cropping(320, 448), images)
    assert images.reads == [0]


@pytest.mark.parametrize(
    ("tables", "error", "words"),
    [
        ({"model": {"name": "fcn8s", "window": 2}}, OptionError, "`window` must be odd"),
        (
            {"model": {"name": "fcn8s", "blocks": [[4, 1]]}},
            OptionError,
            "scores the pooled maps of its last 3 blocks",
        ),
        (
            {"model": {"name": "reseg", "front_end": "none", "blocks": [[4, 1]]}},
            OptionError,
            "`blocks` must be empty for the front end 'none'",
        ),
        (
            {"model": {"name": "reseg", "layers": 0, "patch": [2, 2]}},
            OptionError,
            "`patch` belongs to the first ReNet layer",
        ),
        ({"model": {"name": "vgg16"}}, GeometryError, "at least 224x224"),
        ({"model": {"name": "renet"}}, ConfigError, "'renet' classifies whole images"),
        ({"model": {"name": "deconvnet", "window": 9}}, GeometryError, "at least 65x65"),
        (
            {"training": {"frozen": ["front"]}},
            ConfigError,
            "has 'front', but no parameter's path",
        ),
        (
            {"loss": {"class_weights": [1.0, 2.0, 3.0]}},
            ConfigError,
            "one number for each of the 2 classes",
        ),
        ({"loss": {"class_weights": [0.0, 0.0]}}, ConfigError, "not all 0"),
        ({"augmentation": {"crop": [60, 40]}}, ConfigError, "n0 has 36x48"),
    ],
    ids=str,
)
def test_cheap_checks_come_before_the_files(tables, error, words):
    """At most the first images are read."""
    images = Images(*[(36, 48)] * 40)
    with pytest.raises(error, match=words):
        check_data(config(**tables), images, images, files=True)
    assert len(images.reads) <= CROP_EXAMPLES


def test_a_network_that_fits_its_data():
    check_model(cropping(16, 24, shrink=2), Images((36, 48)))


def test_colours_for_grey_images():
    digits = config(data={"name": "digits"}, training={"preprocessing": "torchvision"})
    with pytest.raises(ConfigError, match="is for red, green and blue, but the images have 1 features"):
        check_model(digits, open_data(digits, "train"))


@pytest.mark.parametrize(("void", "warned"), [(0.0, False), (0.5, False), (0.65, True), (1.0, True)])
def test_a_batch_of_void_prints_a_warning(void, warned):
    labels = np.zeros((2, 10, 10), np.int32)
    labels.reshape(-1)[: round(200 * void)] = VOID
    console = Console(record=True, width=300, quiet=False, file=open("/dev/null", "w"))
    with console.file:
        warn_of_void(Batch(np.zeros((2, 10, 10, 3), np.float32), labels), console)
        lines = console.export_text().splitlines()
    assert len(lines) == warned
    if warned:
        assert f"{void:.0%} of the first batch's pixels are void" in lines[0]
        assert "augmentation.crop" in lines[0]


def test_labels_of_whole_images_are_never_void():
    warn_of_void(Batch(np.zeros((2, 8, 8, 1), np.float32), np.array([3, 4], np.int32)), Console(quiet=True))


@pytest.fixture
def streets(tmp_path):
    """Makes a data set of four pairs in train and one in val, of 36x48 pixels."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 4), ("val", 1)):
        for kind, shape, top in (("", (36, 48, 3), 256), ("annot", (36, 48), 11)):
            (tmp_path / (split + kind)).mkdir()
            for n in range(count):
                array = rng.integers(top, size=shape, dtype=np.uint8)
                Image.fromarray(array).save(tmp_path / (split + kind) / f"s{n}.png")
    return tmp_path


def test_a_training_of_void_is_refused(streets, tmp_path):
    for path in (streets / "trainannot").iterdir():
        Image.new("L", (48, 36), 11).save(path)
    with pytest.raises(DataError, match=r"every pixel of all 4 examples is void.*nothing to learn from"):
        train(config(), tmp_path / "run", data=streets, console=Console(quiet=True))
    assert not (tmp_path / "run").exists()


def test_a_training_with_too_large_a_crop_is_refused_before_the_files_are_read(streets, tmp_path):
    for path in sorted((streets / "train").iterdir())[1:]:
        path.write_bytes(b"")  # would be the complaint if they were read
    with pytest.raises(ConfigError, match="is 3000x3 pixels, but s0 has 36x48"):
        train(cropping(3000, 3), tmp_path / "run", data=streets, console=Console(quiet=True))
    assert not (tmp_path / "run").exists()


def test_the_size_of_a_run_is_that_of_its_crop(streets):
    """The default size of `export` is in pixels of the file, whatever `shrink` is."""
    dataset = camvid("train", streets)
    assert make_metadata(cropping(16, 24, shrink=2), dataset)["size"] == [16, 24]
    assert make_metadata(config(), dataset)["size"] == [36, 48]


def test_a_folder_in_use_is_refused_before_the_files_are_read(streets, tmp_path):
    for path in (streets / "train").iterdir():
        path.write_bytes(b"")  # would be the complaint if they were read
    with (
        folder_lock(tmp_path / "run", Console(quiet=True)),
        pytest.raises(ConfigError, match=r"run is in use: process \d+ on .* trains there"),
    ):
        train(config(), tmp_path / "run", data=streets, console=Console(quiet=True))
