"""A short demo: its parts run, and it writes its pictures and its page."""

import base64
import json
import re
import subprocess
import sys
from functools import partial

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import jaxconv
from jaxconv.demo import photograph, pipeline, segmentation
from jaxconv.demo.report import html_report
from jaxconv.errors import DataError, FailureError, OptionError
from jaxconv.figures import draw_matrix, matrix_figure


def is_picture(path):
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB"))
    return min(pixels.shape[:2]) > 200 and pixels.std() > 5


@pytest.mark.slow
def test_the_files_of_a_short_demo(tmp_path, monkeypatch):
    few = lambda **options: jaxconv.claims.verify(["relationship-14"], seed=options["seed"])  # noqa: E731
    monkeypatch.setattr(pipeline, "verify", few)
    monkeypatch.setattr(pipeline, "show_photograph", lambda out: photograph.show_photograph(out, shrink=8))
    small = ["data.canvas=[24, 28]", "data.held_out_examples=5", "model.blocks=[[4, 1], [4, 1], [4, 1]]"]
    small += ["training.evaluate_every=3", "model.dense=4"]
    monkeypatch.setattr(pipeline, "train_and_test", partial(segmentation.train_and_test, changes=small))
    metrics = pipeline.run(tmp_path / "new" / "demo", steps=3)
    out = tmp_path / "new" / "demo"
    for name in ("matrix", "photograph", "predictions", "curves"):
        assert is_picture(out / f"{name}.png"), name
    assert json.loads((out / "metrics.json").read_text()) == metrics
    page = (out / "summary.md").read_text(encoding="utf-8")
    assert f"**{metrics['fcn']['mean_iou']:.3f}**" in page
    pictures = "animation.svg", "matrix.png", "photograph.png", "predictions.png", "curves.png"
    for name in pictures:
        assert f"]({name})" in page
    report = (out / "report.html").read_text(encoding="utf-8")
    sources = re.findall(r'src="([^"]+)"', report)
    assert len(sources) == len(pictures)  # each picture is in the page, and the page asks for nothing else
    for source, name in zip(sources, pictures, strict=True):
        assert base64.b64decode(source.partition(",")[2]) == (out / name).read_bytes()
    assert not re.search(r"<(script|link|iframe|object)|url\(", report)
    links = re.findall(r'href="([^"]+)"', report)
    assert "explorer.html" in links
    assert all((out / link).exists() for link in links if not link.startswith("https:"))
    assert metrics["claims"]["held"] == 1
    assert metrics["fcn"]["samples"] == {"train": 1347, "val": 225, "test": 225}
    assert 0 <= metrics["fcn"]["mean_iou"] < 1


PICTURES = [  # name of a file, the same in Markdown, media type
    ("a picture.png", "a%20picture.png", "image/png"),
    ("50% \N{MULTIPLICATION SIGN} 2.svg", "<50%25 \N{MULTIPLICATION SIGN} 2.svg>", "image/svg+xml"),
    ("R&D.webp", "R&D.webp", "image/webp"),
]


def test_a_report_quotes_its_title_and_finds_its_pictures(tmp_path):
    for name, _, _ in PICTURES:
        (tmp_path / name).write_bytes(name.encode())
    report = html_report(
        "# a < b & c\n\n" + "".join(f"![]({quoted})\n" for _, quoted, _ in PICTURES), tmp_path
    )
    assert "<title>a &lt; b &amp; c</title>" in report
    found = re.findall(r'src="data:([^;]+);base64,([^"]+)"', report)
    assert [(base64.b64decode(data).decode(), media_type) for media_type, data in found] == [
        (name, media_type) for name, _, media_type in PICTURES
    ]


@pytest.mark.parametrize("name", ["table.csv", "picture", "picture.nothing"])
def test_a_report_refuses_files_that_are_not_images(name, tmp_path):
    (tmp_path / name).write_bytes(b"1")
    with pytest.raises(DataError, match=name):
        html_report(f"# Title\n\n![]({name})\n", tmp_path)


def test_a_failed_claim_stops_the_demo(tmp_path, monkeypatch):
    report = jaxconv.claims.verify(["relationship-14"])
    broken = type(report.rows[0])(**{**vars(report.rows[0]), "ok": False})
    failed = type(report)(**{**vars(report), "rows": (broken,)})
    monkeypatch.setattr(pipeline, "verify", lambda **options: failed)
    with pytest.raises(FailureError, match="relationship-14"):
        pipeline.run(tmp_path)
    assert not list(tmp_path.iterdir())


def test_photograph_agrees_with_loops():
    """Both products at some pixels, computed with loops."""
    x = photograph.load_photograph(shrink=16)
    assert x.shape == (26, 40, 3)
    assert 0.2 < x.mean() < 0.8
    for found in photograph.filter_photograph(x):
        kernel, y = found["kernel"], found["filtered"]
        assert found["numbers"]["gap_of_conv"] <= 1
        assert found["numbers"]["gap_of_conv_transpose"] <= 1
        padded = np.pad(x.astype(np.float64), ((1, 2), (1, 2), (0, 0)))  # SAME, even sizes: the odd cell high
        for row, column in ((0, 0), (5, 7), (12, 19)):
            window = padded[2 * row : 2 * row + 5, 2 * column : 2 * column + 5]
            expected = (window * kernel[..., None]).sum((0, 1))
            np.testing.assert_allclose(y[row, column], expected, atol=1e-5)
        back = np.zeros(padded.shape)
        for row, column in np.ndindex(13, 20):
            back[2 * row : 2 * row + 5, 2 * column : 2 * column + 5] += kernel[..., None] * y[row, column]
        np.testing.assert_allclose(found["upsampled"], found["brightness"] * back[1:-2, 1:-2], atol=1e-4)


def test_a_gap_is_measured():
    """A wrong result has a gap above 1."""
    x = jnp.asarray(photograph.load_photograph(shrink=16))
    g = jaxconv.ConvGeometry(
        x.shape[:2], (5, 5), in_features=3, out_features=3, strides=2, feature_group_count=3
    )
    C = jaxconv.conv_matrix(jnp.ones(g.kernel_array_shape, jnp.float32), g)
    y = C(x)
    assert photograph._gap(y, y, C, x).max() == 0
    assert photograph._gap(y, y * jnp.float32(1.0001), C, x).min() > 1


def test_filters_show_a_missing_flip():
    for kernel in photograph.filters().values():
        assert abs(kernel - kernel[::-1, ::-1]).max() > 0.02
    blur, edges = photograph.filters().values()
    for row, column in np.ndindex(2, 2):
        assert blur[row::2, column::2].sum() == pytest.approx(0.25, abs=1e-6)
    assert edges.sum() == pytest.approx(0, abs=1e-6)


MATRICES = [
    jaxconv.ConvGeometry((4, 4), (3, 3)),
    jaxconv.ConvGeometry((5,), (3,), padding=2, padding_mode="circular"),
    jaxconv.ConvGeometry((9, 7), (3, 2), in_features=2, out_features=4, strides=2, feature_group_count=2),
    jaxconv.ConvGeometry((40, 60), (5, 5), padding="SAME"),
]


@pytest.mark.parametrize("colour", ["value", "tap"])
@pytest.mark.parametrize("g", MATRICES, ids=str)
def test_matrix_pictures(g, colour, tmp_path, rng):
    C = jaxconv.conv_matrix(jnp.asarray(rng.normal(size=g.kernel_array_shape)), g)
    assert is_picture(draw_matrix(C, tmp_path / "deep" / "C.png", colour=colour, transpose=g.ndim > 1))


@pytest.mark.parametrize("order", ["channels_last", "channels_first"])
def test_the_picture_shows_the_matrix(order, rng):
    """While every entry has its own tile, the tiles are C and C-transposed, and masked where C is empty."""
    g = MATRICES[2]
    C = jaxconv.conv_matrix(jnp.asarray(rng.normal(size=g.kernel_array_shape)), g)
    axes = matrix_figure(C, order=order).axes
    for ax, matrix in zip(axes, (C, C.T), strict=False):
        shown = ax.images[0].get_array()
        dense = matrix.to_scipy("csr", order).toarray()
        np.testing.assert_array_equal(shown.filled(0), dense)
        assert (~shown.mask).sum() == matrix.nnz


def test_taps_are_named(rng):
    g = jaxconv.ConvGeometry((4, 4), (3, 3))
    C = jaxconv.conv_matrix(jnp.asarray(rng.normal(size=g.kernel_array_shape)), g)
    words = [text.get_text() for text in matrix_figure(C, colour="tap", transpose=False).axes[0].texts]
    assert words[:9] == ["w00", "w01", "w02", "w10", "w11", "w12", "w20", "w21", "w22"]
    assert len(words) == g.nnz


def test_complex_matrices_and_unknown_colours(rng, tmp_path):
    g = jaxconv.ConvGeometry((6,), (3,))
    C = jaxconv.conv_matrix(jnp.asarray(rng.normal(size=(3, 1, 1)) + 1j * rng.normal(size=(3, 1, 1))), g)
    assert is_picture(draw_matrix(C, tmp_path / "C.png"))
    with pytest.raises(OptionError, match="colour"):
        draw_matrix(C, tmp_path / "D.png", colour="rainbow")


def test_the_same_picture_has_the_same_bytes(tmp_path):
    C = jaxconv.conv_matrix(jnp.ones((3, 3, 1, 1), jnp.float32), MATRICES[0])
    first, second = (draw_matrix(C, tmp_path / name).read_bytes() for name in ("a.png", "b.png"))
    assert first == second


def test_import_stays_light():
    code = "import sys, jaxconv; print(*{'matplotlib', 'flax', 'optax', 'sklearn', 'rich'} & {*sys.modules})"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not found.stdout.strip()
