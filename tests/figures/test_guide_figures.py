"""The figures of arXiv:1603.07285: printed integers by loops, frames, parameters, and the page."""

import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from jaxconv.figures import GUIDE, guide
from jaxconv.figures.display import Group, Rectangle
from jaxconv.figures.gallery import write_gallery
from jaxconv.figures.guide_figures import PRINTED_OUTPUTS, figure_of, guide_animation
from jaxconv.figures.numbers import PRINTED_INPUT, PRINTED_KERNEL, results
from jaxconv.geometry.scene import scenes

SVG = "{http://www.w3.org/2000/svg}"
X = np.array([[3, 3, 2, 1, 0], [0, 0, 1, 3, 1], [3, 1, 2, 2, 3], [2, 0, 0, 2, 2], [2, 0, 0, 0, 1]])
KERNEL = np.array([[0, 1, 2], [2, 2, 0], [0, 1, 2]])
FRAMES = {
    "kernel": 1, "1.1": 9, "1.2": 9, "1.3": 27, "1.4": 9, "1.5": 9, "1.6": 9, "2.1": 4, "2.2": 36, "2.3": 25,
    "2.4": 49, "2.5": 4, "2.6": 9, "2.7": 9, "2.8a": 1, "2.8b": 1, "4.1": 16, "4.2": 25, "4.3": 25, "4.4": 25,
    "4.5": 25, "4.6": 25, "4.7": 36, "5.1": 9, "matrix": 4,
}  # fmt: skip


def windows(x, stride=1, padding=0):
    """The 3 x 3 windows, row by row."""
    x = np.pad(x, padding)
    starts = range(0, len(x) - 2, stride)
    return [[x[i : i + 3, j : j + 3] for j in starts] for i in starts]


def test_printed_numbers():
    assert (np.reshape(PRINTED_INPUT, (5, 5)) == X).all()
    assert (np.reshape(PRINTED_KERNEL, (3, 3)) == KERNEL).all()
    plain, strided = windows(X), windows(X, 2, 1)
    expected = {
        "1.1": [[(window * KERNEL).sum() for window in row] for row in plain],
        "1.2": [[(window * KERNEL).sum() for window in row] for row in strided],
        "1.5": [[round(window.mean(), 1) for window in row] for row in plain],
        "1.6": [[window.max() for window in row] for row in plain],
    }
    for number, rows in expected.items():
        np.testing.assert_array_equal(np.array(PRINTED_OUTPUTS[number]), rows)


@pytest.mark.parametrize("number", ["1.1", "1.2"])
def test_scenes_give_the_printed_numbers(number):
    steps = scenes(GUIDE[number].geometry)
    y = results(steps, X[..., None], KERNEL[..., None, None])
    np.testing.assert_array_equal(y[..., 0], PRINTED_OUTPUTS[number])


@pytest.mark.parametrize("number", PRINTED_OUTPUTS)
def test_printed_numbers_are_drawn(number):
    last = guide_animation(number).frame(8).svg()
    texts = [text.text for text in ElementTree.fromstring(last).iter(f"{SVG}text")]
    for row in PRINTED_OUTPUTS[number]:
        for value in row:
            assert str(value) in texts


def test_guide_has_every_figure():
    assert list(GUIDE) == list(FRAMES)
    assert all(figure.caption.endswith(".") for figure in GUIDE.values())


@pytest.mark.parametrize("number", FRAMES)
def test_frames(number):
    drawn = guide_animation(number)
    assert drawn.frames == FRAMES[number]
    root = ElementTree.fromstring(drawn.svg())
    assert GUIDE[number].caption in root.get("aria-label")


def test_parameters_of_the_transposes():
    """Those of the captions; 4.6 and 4.7 have inputs of 3 x 3, where copies print 2 x 2."""
    assert {
        number: figure.parameters.split("; ")[1] for number, figure in GUIDE.items() if figure.transposed
    } == {
        "4.1": "i' = 2, k' = 3, s' = 1, p' = 2",
        "4.2": "i' = 6, k' = 4, s' = 1, p' = 1",
        "4.3": "i' = 5, k' = 3, s' = 1, p' = 1",
        "4.4": "i' = 7, k' = 3, s' = 1, p' = 0",
        "4.5": "i' = 2, stretched to 3, k' = 3, s' = 1, p' = 2",
        "4.6": "i' = 3, stretched to 5, k' = 3, s' = 1, p' = 1",
        "4.7": "i' = 3, stretched to 5, a = 1, k' = 3, s' = 1, p' = 1",
    }


def test_output_padding_is_at_the_bottom_and_right():
    """Figure 4.7; some copies say top and right."""
    shown = scenes(GUIDE["4.7"].geometry, transposed=True)[0].shown
    assert shown.padding == ((1, 2), (1, 2))


def marked_outputs(picture):
    """The output cell that each panel marks in a picture of one frame, as (row, column)."""
    found = []
    for panel in picture.items:
        (mark,) = [
            (group, item)
            for group in panel.items
            if isinstance(group, Group)
            for item in group.items
            if isinstance(item, Rectangle) and item.thickness == 2.8
        ]
        x, y = mark[0].at(0)
        found.append((y / mark[1].height, x / mark[1].width))
    return found


def test_both_strides_of_figure_1_4_reach_the_retained_outputs_together():
    display = guide_animation("1.4").display
    found = [marked_outputs(display.frame(frame)) for frame in range(9)]
    assert [unit for _, unit in found] == list(np.ndindex(3, 3))
    for frame, output in zip((0, 2, 6, 8), np.ndindex(2, 2), strict=True):
        strided, unit = found[frame]
        assert strided == output
        assert unit == (2 * output[0], 2 * output[1])
    assert [strided for strided, _ in found] == sorted(strided for strided, _ in found)
    assert len({strided for strided, _ in found[2:6]}) == 1  # stands still between two retained outputs


def test_figure_4_7_names_and_shades_the_output_padding():
    drawn = guide_animation("4.7")
    texts = [text.text for text in ElementTree.fromstring(drawn.svg()).iter(f"{SVG}text")]
    assert "1 zero inserted; padding (dashed) 1, and a = 1 after (shaded)" in texts
    (panel,) = drawn.display.items
    rectangles = [item for item in panel.items if isinstance(item, Rectangle)]
    shaded = {(item.x, item.y) for item in rectangles if item.fill == "empty" and item.line is None}
    dashed = [item for item in rectangles if item.dashes]
    right, bottom = max(item.x for item in dashed), max(item.y for item in dashed)
    assert shaded == {(item.x, item.y) for item in dashed if right == item.x or bottom == item.y}
    assert len(shaded) == 2 * 8 - 1


def test_numbers_of_the_draft():
    assert figure_of("draft 2.3") is GUIDE["1.1"]
    assert figure_of("2.3") is GUIDE["2.3"]
    assert figure_of("draft 5.7") is GUIDE["4.7"]
    assert figure_of("Figure 5.1") is GUIDE["5.1"]
    drafts = [figure.draft for figure in GUIDE.values() if figure.draft]
    assert len(set(drafts)) == len(drafts) == 22


class Page(HTMLParser):
    """Images and links of a page."""

    def __init__(self, text):
        super().__init__()
        self.images, self.links, self.ids = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if tag == "img":
            self.images.append(found["src"])
            assert found["alt"]
        elif tag == "a":
            self.links.append(found["href"])
        elif tag == "figure":
            self.ids.append(found["id"])


def test_the_page_shows_every_figure_and_its_caption(tmp_path):
    chosen = [GUIDE[number] for number in ("2.7", "4.7", "kernel")]
    page, *files = write_gallery(chosen, tmp_path / "new", ["svg", "gif"])
    text = page.read_text()
    found = Page(text)
    assert found.ids == ["2.7", "4.7", "kernel"]
    assert found.images == ["2.7.svg", "4.7.svg", "kernel.svg"]
    assert {path.name for path in files} == {link for link in found.links if not link.startswith("https")}
    assert all(figure.caption in text for figure in chosen)
    assert "prefers-color-scheme: dark" in text
    with Image.open(tmp_path / "new" / "4.7.gif") as image:
        assert image.n_frames == 36


def test_figures_without_motion_can_be_png(tmp_path):
    with Image.open(guide("2.8a", tmp_path / "a.png")) as image:
        assert image.size[0] > 500
