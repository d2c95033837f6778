"""Pictures of labels and of training logs: that they show what they are given."""

import numpy as np
from networks import COLORS, images
from PIL import Image

from jaxconv.figures.curves import draw_curves
from jaxconv.figures.segmentation import VOID_DARK, VOID_LIGHT, WRONG, draw_predictions, overlay, paint

NAMES = ("sky", "road", "tree")


def test_labels_in_their_colours_and_void_in_stripes(rng):
    labels = rng.integers(0, 3, (20, 30))
    labels[3:9, 5:20] = 255
    painted = paint(labels, COLORS[:3])
    for c in range(3):
        assert (painted[labels == c] == np.array(COLORS[c]) / 255).all()
    stripes = {tuple(pixel) for pixel in painted[labels == 255]}
    assert stripes == {VOID_DARK, VOID_LIGHT}
    assert not stripes & {tuple(np.array(color) / 255) for color in COLORS}


def test_overlay_mixes_colour_and_grey(rng):
    image, labels = images(rng, 6, 7, 3), rng.integers(0, 3, (6, 7))
    mixed = overlay(image, labels, COLORS[:3], opacity=0.25)
    expected = 0.25 * np.array(COLORS)[labels] / 255 + 0.75 * image.mean(-1, keepdims=True)
    np.testing.assert_allclose(mixed, expected, rtol=1e-6)
    np.testing.assert_array_equal(overlay(image, labels, COLORS, opacity=0.0)[..., 0], image.mean(-1))


def test_wrong_pixels_are_marked(tmp_path, rng):
    x = [images(rng, 24, 32, 3), images(rng, 24, 32, 1)]
    truth = [rng.integers(0, 3, (24, 32)) for _ in x]
    truth[0][:5] = 255
    guess = [np.where(label == 255, 1, label) for label in truth]
    path = draw_predictions(tmp_path / "right.png", x, truth, guess, NAMES, COLORS[:3], title="all right")
    assert not has(path, WRONG)
    guess[1][10:14, 3:9] = (truth[1][10:14, 3:9] + 1) % 3
    scores = {"sky": 0.5, "road": None, "tree": 1.0}
    path = draw_predictions(
        tmp_path / "new" / "wrong.png", x, truth, guess, NAMES, COLORS[:3], class_iou=scores
    )
    assert has(path, WRONG)


def has(path, color):
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    return (abs(pixels - np.round(255 * np.array(color))).max(-1) <= 1).sum() > 50


def test_curves_of_any_log(tmp_path):
    steps = [{"step": n, "loss": 2.0 / (n + 1), "learning_rate": 1e-3, "data_wait": 0.02} for n in range(100)]
    scores = [{"step": n, "mean_iou": n / 200 if n else None} for n in range(0, 100, 20)]
    full = draw_curves(tmp_path / "curves.png", [*steps, *scores], title="a run")
    twice = [*steps[:50], *steps, *scores]  # of a repeated step the last line counts
    again = draw_curves(tmp_path / "again.png", twice, title="a run")
    assert full.read_bytes() == again.read_bytes()
    for name, records in {"empty": [], "one": steps[:1], "nan": [{"step": 1, "loss": float("nan")}]}.items():
        assert draw_curves(tmp_path / f"{name}.png", records, score="top1").stat().st_size > 1000
