"""Data sets by name: splits share nothing, and an index is always the same example."""

import inspect
import typing

import numpy as np
import pytest

from jaxconv.data import DATASETS, SPLITS, check_dataset
from jaxconv.errors import OptionError

SMALL = {"digits": {"held_out_examples": 5}, "digit_images": {}, "shapes": {"held_out_examples": 5}}


@pytest.mark.parametrize("name", SMALL)
def test_an_index_is_one_example(name):
    first, again = (DATASETS[name]("val", **SMALL[name]) for _ in range(2))
    assert len(first) == (225 if name == "digit_images" else 5)
    check_dataset(first)
    again[0]
    for index in (3, -1):
        np.testing.assert_array_equal(first[index].image, again[index].image)
        np.testing.assert_array_equal(first[index].label, again[index].label)
        assert first[index].name == again[index].name
    assert len({first[index].image.tobytes() for index in range(5)}) == 5
    with pytest.raises(IndexError, match="of a data set of"):
        first[len(first)]


@pytest.mark.parametrize("name", SMALL)
def test_splits_share_nothing(name):
    images = [
        example.image.tobytes()
        for split in SPLITS
        for example, _ in zip(DATASETS[name](split), range(50), strict=False)
    ]
    assert len(set(images)) == 150


@pytest.mark.parametrize("name", DATASETS)
def test_options_can_be_checked_against_the_signature(name):
    hints = typing.get_type_hints(DATASETS[name])
    for option in list(inspect.signature(DATASETS[name]).parameters.values())[2:]:
        assert option.kind is option.KEYWORD_ONLY
        assert option.default is not option.empty
        assert option.name in hints


def test_generated_data_refuse_a_folder(tmp_path):
    for name in ("digits", "digit_images", "shapes"):
        with pytest.raises(OptionError, match=name):
            DATASETS[name]("train", tmp_path)
        with pytest.raises(OptionError, match="train, val, test"):
            DATASETS[name]("dev")
