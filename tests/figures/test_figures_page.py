"""docs/figures.md: its examples run as printed, and its pictures stand by themselves."""

import doctest
import re
import runpy
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from jaxconv import ConvGeometry
from jaxconv.figures import GUIDE, animate, guide

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "figures.md"
PICTURES = sorted((DOCS / "figures").glob("*.svg"))


def test_examples_run_and_write_the_pictures_of_the_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert (failed, tried > 20) == (0, True)
    assert {path.name for path in PICTURES} <= {path.name for path in tmp_path.iterdir()}


def test_every_picture_of_the_page_is_there():
    shown = re.findall(r"\]\(figures/([\w.]+)\)", PAGE.read_text())
    assert sorted(shown) == [path.name for path in PICTURES]


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_pictures_are_small_and_self_contained(path):
    text = path.read_text()
    root = ElementTree.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert len(text) < 60_000
    assert not re.search(r"href|url\(|@import|<script|<image", text)
    assert re.findall(r"https?://[^\"' ]+", text) == ["http://www.w3.org/2000/svg"]
    assert float(root.get("width")) <= 1100


def test_the_gallery_prints_calls_that_draw_its_figures(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    animate_call = runpy.run_path(str(DOCS / "extensions" / "guide_gallery.py"))["animate_call"]
    calls = {number: animate_call(figure) for number, figure in GUIDE.items()}
    assert {number for number, call in calls.items() if call is None} == {
        "kernel", "1.4", "1.5", "1.6", "2.8a", "2.8b",
    }  # fmt: skip
    assert (
        calls["4.5"] == 'animate(ConvGeometry((5, 5), (3, 3), strides=(2, 2)), "mine.svg", transposed=True)'
    )
    for number in ("1.2", "4.7", "matrix"):
        eval(calls[number], {"animate": animate, "ConvGeometry": ConvGeometry})
        assert texts_of(tmp_path / "mine.svg") == texts_of(guide(number, tmp_path / "guide.svg"))


def texts_of(path):
    return [item.text for item in ElementTree.parse(path).iter() if item.tag.endswith("}text")]
