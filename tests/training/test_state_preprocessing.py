"""The scaling of pixels for networks, compared with the published constants."""

import numpy as np
import pytest

from jaxconv.errors import ConfigError
from jaxconv.training.state import preprocess

EPS = float(np.finfo(np.float32).eps)


@pytest.fixture
def x(rng):
    return np.float32(rng.uniform(size=(2, 3, 4, 3)))


def test_unit_and_centred(x):
    np.testing.assert_array_equal(preprocess(x, "unit"), x)
    assert (abs(preprocess(x, "centred") - (2 * x.astype(np.float64) - 1)) <= 2 * EPS).all()
    assert preprocess(x[..., :1], "centred").shape == (2, 3, 4, 1)


def test_torchvision_matches_torchvision(x):
    """Its Normalize(mean, std), feature by feature."""
    found = np.asarray(preprocess(x, "torchvision"))
    for f, (mean, std) in enumerate([(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)]):
        expected = (x[..., f].astype(np.float64) - mean) / std
        assert (abs(found[..., f] - expected) <= 4 * EPS / std).all()


def test_caffe_is_blue_green_red_of_bytes(x):
    found = np.asarray(preprocess(x, "caffe"))
    for f, (source, mean) in enumerate([(2, 103.939), (1, 116.779), (0, 123.68)]):
        expected = 255 * x[..., source].astype(np.float64) - mean
        assert (abs(found[..., f] - expected) <= 4 * EPS * 255).all()


@pytest.mark.parametrize("kind", ["unit", "centred", "torchvision", "caffe"])
def test_shape_and_dtype_stay(kind, x):
    for dtype in (np.float32, np.float64):
        found = preprocess(x.astype(dtype), kind)
        assert (found.shape, found.dtype) == (x.shape, dtype)


@pytest.mark.parametrize("kind", ["torchvision", "caffe"])
def test_colours_need_three_features(kind, x):
    with pytest.raises(ConfigError, match=rf"'{kind}' is for red, green and blue, .* have 1 features"):
        preprocess(x[..., :1], kind)
