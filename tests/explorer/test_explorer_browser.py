"""The explorer in a browser: figures, links between drawings, keyboard, export, and who can use it."""

from __future__ import annotations

import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from explorer_browser import Visitor, open_browser

import jaxconv.explorer
from jaxconv import ConvGeometry, symbols
from jaxconv.claims.figures import FIGURES
from jaxconv.cli import main
from jaxconv.errors import GeometryError
from jaxconv.explorer import Explorer, page
from jaxconv.figures import GUIDE

pytestmark = pytest.mark.slow

PRINTED = {  # the numbers in the figures of arXiv:1603.07285
    "1.1": "12 12 17 10 17 19 9 6 14",
    "1.2": "6 17 3 8 17 13 6 4 4",
    "1.5": "1.7 1.7 1.7 1.0 1.2 1.8 1.1 0.8 1.3",
    "1.6": "3 3 3 3 3 3 3 2 3",
}
AXE = "axe-core@4.14.1"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("explorer") / "explorer.html"
    path.write_text(page(), "utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with open_browser() as running:
        yield running


@pytest.fixture
def visitor(browser: Any, address: str) -> Iterator[Visitor]:
    """A page at which nothing may go wrong."""
    visitor = Visitor(browser, address)
    yield visitor
    assert visitor.faults == []
    visitor.context.close()


def texts(page: Any, selector: str) -> list[str]:
    return [ascii_signs(text) for text in page.locator(selector).all_text_contents()]


def shown(page: Any, selector: str) -> str:
    return ascii_signs(page.locator(selector).inner_text())


def ascii_signs(text: str) -> str:
    return text.translate({0xA0: " ", 0x2212: "-", 0xD7: "x"})


def marks(page: Any, panel: int = 0) -> list[str]:
    """The fills of what lies over a matrix, its veil and bands left out."""
    selector = f'[data-panel="{panel}"] .matrix .marks rect:not([class])'
    return page.eval_on_selector_all(selector, "all => all.map(one => one.getAttribute('fill'))")


def test_every_preset_draws(visitor):
    page = visitor.open()
    names = page.eval_on_selector_all("#preset option", "all => all.map(one => one.value).filter(Boolean)")
    assert {figure.number for figure in FIGURES} <= set(names)
    assert set(GUIDE) - {"kernel"} <= set(names)  # the figure of the kernel has no geometry to load
    for name in names:
        page.select_option("#preset", name)
        assert page.locator("#refusal").inner_text() == ""
        assert page.locator(".drawing").count() >= 4, name
        assert visitor.faults == [], name


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.number)
def test_figures_have_the_sizes_of_their_captions(visitor, figure):
    page = visitor.open()
    page.select_option("#preset", figure.number)
    sizes = {"i": figure.i, "o": figure.o, "k": figure.k, "s": figure.s, "low": figure.p, "d": figure.d}
    assert {name: int(page.input_value(f"#{name}0")) for name in sizes} == sizes
    output = figure.o if figure.padding is None else figure.i
    (caption,) = texts(page, "[data-map=output] figcaption")
    assert caption.endswith(f"{output} x {output}")
    if figure.padding is not None:
        facts = " ".join(texts(page, "#facts dd"))
        assert f"pad {figure.padding[0]} low, pad {figure.padding[1]} high" in facts


@pytest.mark.parametrize("number", PRINTED)
def test_printed_numbers(visitor, number):
    page = visitor.open()
    page.select_option("#preset", number)
    found = [float(text) for text in texts(page, ".output [role=gridcell] text:first-of-type")]
    assert [round(value, 1) for value in found] == [float(text) for text in PRINTED[number].split()]


def test_symbols_are_those_of_the_library(visitor):
    page = visitor.open("i=4,4&k=3&values=symbols")
    table = [["0"] * 16 for _ in range(4)]
    for cell in page.locator(".matrix [role=gridcell]").all():
        row, column = (int(cell.get_attribute(name)) for name in ("data-r", "data-c"))
        table[row][column] = cell.text_content()
    assert table == [line.split() for line in symbols(ConvGeometry((4, 4), (3, 3))).splitlines()]


def test_hovering_links_the_drawings(visitor):
    page = visitor.open("i=6,6&k=3&s=2&p=1&view=both")
    g = ConvGeometry((6, 6), (3, 3), strides=2, padding=1)
    page.hover('[data-panel="0"] .output [data-at=y4]')
    assert "row 4 of C" in page.locator("#sum").inner_text()
    assert len(marks(page, 0)) == len(marks(page, 1)) == 9  # a row of C is a column of its transpose
    band = page.locator('[data-panel="0"] .matrix .band').bounding_box()
    row = page.locator('[data-panel="0"] .matrix [data-at="e4.7"]').bounding_box()
    assert abs(band["y"] - row["y"]) < 1
    page.hover('[data-panel="0"] .input [data-at=x0]')
    assert "column 0 of C" in page.locator("#sum").inner_text()
    assert len(marks(page, 0)) == 1
    page.hover('[data-panel="0"] .kernel [data-at=t4]')
    assert len(marks(page, 0)) == 9  # the band of the tap in the middle
    page.hover('[data-panel="1"] .matrix [data-at="e4.7"]')
    assert "column 4" in page.locator("#sum").inner_text()
    assert len(marks(page, 0)) == len(marks(page, 1)) == 1
    page.mouse.move(5, 5)
    assert "row 0 of C" in page.locator("#sum").inner_text()
    assert g.nnz == page.locator('[data-panel="0"] .matrix [role=gridcell]').count()


def test_a_click_pins_and_the_address_has_the_whole_state(visitor):
    page = visitor.open("i=5,5&k=3")
    page.click(".output [data-at=y4]")
    page.mouse.move(5, 5)
    assert "row 4 of C" in page.locator("#sum").inner_text()
    page.select_option("#mode", "circular")
    page.fill("#low0", "1")
    page.click("text=both")
    page.fill("#in", "2")
    page.click("button[data-values=symbols]")
    page.click('[data-panel="1"] .output [data-at=x3]')
    page.mouse.move(5, 5)
    fragment = page.evaluate("location.hash")
    assert "at=x3" in fragment
    stage, total = page.locator("#stage").inner_html(), page.locator("#sum").inner_html()
    page = visitor.open(fragment[1:])
    assert page.evaluate("location.hash") == fragment
    assert page.locator("#sum").inner_html() == total
    assert page.locator("#stage").inner_html() == stage


def test_the_sum_is_written_out(visitor):
    page = visitor.open("i=5,5&k=3&at=0")
    (text,) = texts(page, "#sum .terms")
    assert text == "y0,0 = 3·0 + 3·1 + 2·2 + 0·2 + 0·2 + 1·0 + 3·0 + 1·1 + 2·2 = 12"
    page.click("button[data-values=symbols]")
    assert "x00·w00 + x01·w01" in texts(page, "#sum .terms")[0]


def test_own_numbers(visitor):
    page = visitor.open("i=3&k=2&x=1,10,100&w=2,3")
    assert texts(page, ".output [role=gridcell] text:first-of-type") == ["32", "320"]
    page.fill("#own-x", "1 2")
    assert page.locator("#note-x").inner_text() == "2 numbers, repeated over 3 cells"
    page.fill("#own-x", "1 2 3 4 5")
    assert "of which the first are used for 3 cells" in page.locator("#note-x").inner_text()


def test_own_numbers_that_are_not_numbers_are_named(visitor):
    page = visitor.open("i=3&k=2")
    usual = texts(page, ".output [role=gridcell] text:first-of-type")
    page = visitor.open('i=3&k=2&x=1,"<b>,3')
    for _ in range(2):
        assert page.get_attribute("#own-x", "aria-invalid") == "true"
        assert page.input_value("#own-x") == '1 "<b> 3'
        assert '""<b>" is not a number' in page.locator("#note-x").inner_text()
        assert texts(page, ".output [role=gridcell] text:first-of-type") == usual
        page = visitor.open(page.evaluate("location.hash")[1:])
    page.fill("#own-x", "")
    assert page.get_attribute("#own-x", "aria-invalid") == "false"
    assert "x=" not in page.evaluate("location.hash")


def test_a_preset_alone_is_its_geometry_and_another_geometry_has_none(visitor):
    page = visitor.open("preset=4.7&values=symbols")
    assert page.input_value("#preset") == "4.7"
    assert (page.input_value("#i0"), page.input_value("#low0")) == ("6", "1")
    assert page.get_attribute("button[data-view=transposed]", "aria-pressed") == "true"
    assert page.get_attribute("button[data-values=symbols]", "aria-pressed") == "true"
    fragment = page.evaluate("location.hash")
    assert "preset=4.7" in fragment
    page = visitor.open(fragment[1:])
    assert page.input_value("#preset") == "4.7"
    for wrong in ("i=7,7&k=3&preset=4.7", "i=5,5&k=3&preset=9.9", "preset=constructor"):
        page = visitor.open(wrong)
        assert page.input_value("#preset") == ""
        assert "preset" not in page.evaluate("location.hash")


def test_a_wrong_address_is_not_shown_as_right(visitor):
    page = visitor.open("i=5,5&k=3&mode=sideways&p=1")
    with pytest.raises(GeometryError, match="`padding_mode` must be one of") as refused:
        ConvGeometry((5, 5), (3, 3), padding_mode="sideways")  # type: ignore[arg-type]
    assert page.locator("#refusal").inner_text() == str(refused.value)
    page.select_option("#mode", "zeros")
    assert page.locator("#refusal").inner_text() == ""
    page = visitor.open("i=4,4,4,4&k=2")
    with pytest.raises(GeometryError, match="one to three") as refused:
        jaxconv.explorer.page(ConvGeometry((4,) * 4, (2,) * 4))
    assert page.locator("#refusal").inner_text() == str(refused.value)
    page.click("button[data-axes='2']")
    assert page.locator("#refusal").inner_text() == ""
    for at in ("y99", "z3", "t10", "e1.99"):
        page = visitor.open(f"i=5,5&k=3&at={at}")
        assert "row 0 of C" in page.locator("#sum").inner_text()
        assert "at=" not in page.evaluate("location.hash")


def test_the_commands_open_this_page_and_draw_it(visitor):
    def commands(fragment: str) -> list[str]:
        found = texts(visitor.open(fragment), "#code code")
        return [text for text in found if text.startswith("jaxconv ")]

    assert commands("i=6,6&k=3&s=2&view=both&values=symbols") == [
        "jaxconv explore --input 6 6 --kernel 3 --strides 2 --view both --values symbols",
        "jaxconv animate --input 6 6 --kernel 3 --strides 2 --both --matrix --values symbols --out conv.gif",
    ]
    assert commands("i=6&k=3")[1].endswith("--kernel 3 --matrix --values numbers --out conv.gif")
    assert len(commands("i=6&k=3&p=1&mode=circular&view=transposed")) == 1
    assert len(commands("i=600&k=3")) == 1
    assert commands("i=6&k=3&op=max") == []
    assert "convolutions only" in visitor.page.locator("#code").inner_text()


@pytest.mark.parametrize(
    "fragment", ["i=4&k=3&p=1&view=both", "i=144&k=1&view=transposed", "i=5,5&k=3&in=2&p=SAME"]
)
def test_the_command_for_a_gif_makes_one(visitor, tmp_path, monkeypatch, fragment):
    pytest.importorskip("tyro")
    command = texts(visitor.open(fragment), "#code code")[-1]
    monkeypatch.chdir(tmp_path)
    main(command.split()[1:])
    assert (tmp_path / "conv.gif").read_bytes().startswith(b"GIF89a")


def test_the_output_size_solves_for_the_input(visitor):
    page = visitor.open("i=6,6&k=3&s=2&p=1:1")
    assert texts(page, "#sizes button") == ["i = 5", "i = 6"]
    page.fill("#o0", "5")
    assert page.input_value("#i0") == "10"  # a = 1, as before
    page.click("#sizes button >> nth=0")
    assert (page.input_value("#i0"), page.input_value("#o0")) == ("9", "5")
    page = visitor.open("i=4&k=1&f=3")
    page.fill("#o0", "5")
    assert "no input size has 5 outputs" in page.locator("#refusal").inner_text()
    page.focus("#k0")
    assert page.locator("#refusal").inner_text() == ""
    assert page.input_value("#o0") == "10"
    page.fill("#k0", "")
    page.focus("#s0")
    assert page.input_value("#k0") == "1"


def test_refusals_show_the_message_of_the_library(visitor):
    page = visitor.open("i=5,5&k=3")
    page.fill("#k0", "9")
    with pytest.raises(GeometryError, match="spans 9 cells") as refused:
        ConvGeometry((5, 5), (9, 9))
    assert page.locator("#refusal").inner_text() == str(refused.value)
    page.fill("#k0", "2")
    assert page.locator("#refusal").inner_text() == ""


def test_the_relationship_with_its_numbers(visitor):
    page = visitor.open("i=6,6&k=3&s=2&p=1&view=both")
    facts = shown(page, "#facts")
    assert "o = ⌊(i + 2p - k) / s⌋ + 1\n= ⌊(6 + 2 · 1 - 3) / 2⌋ + 1 = 3" in facts
    assert "relationship 6" in facts
    assert "relationship 14" in facts
    assert "1, 2: uneven" in facts
    page = visitor.open("i=5,5&k=3&op=max")
    assert "relationship 7" in page.locator("#facts").inner_text()


def test_axes_and_words(visitor):
    page = visitor.open("i=5,5&k=3")
    page.click("button[data-axes='3']")
    assert page.locator("#facts").inner_text().count("axes 0, 1 and 2") == 1
    page.uncheck("#linked")
    page.fill("#k2", "2")
    page.select_option("#word", "SAME")
    assert [page.input_value(f"#{side}2") for side in ("low", "high")] == ["0", "1"]
    assert "p=SAME" in page.evaluate("location.hash")
    page.click("button[data-axes='1']")
    assert page.locator("#linked").count() == 0


def test_what_is_too_large_is_outlined(visitor):
    page = visitor.open("i=1000,1000&k=7&s=2&p=3")
    assert "Too large to draw" in page.locator("#stage").inner_text()
    assert "250,000 x 1,000,000" in shown(page, "#facts")
    page = visitor.open("i=1000000000000&k=100000000001&s=10")
    assert "90,000,000,000 x 1,000,000,000,000" in shown(page, "#facts")
    page = visitor.open("i=16,16&k=3&p=1")  # C has more than 4096 places: a picture, not a grid
    assert page.locator(".matrix [role=gridcell]").count() == 0
    assert page.locator(".matrix [role=img]").count() == 1


def test_the_keyboard_walks_a_map(visitor):
    page = visitor.open("i=5,5&k=3&at=0")
    at = "document.activeElement.dataset.at"
    page.focus(".output [data-at=y0]")
    steps = {"ArrowRight": "y1", "ArrowDown": "y4", "End": "y5", "Home": "y3", "ArrowUp": "y0"}
    for key, where in steps.items():
        page.keyboard.press(key)
        assert page.evaluate(at) == where
        assert page.locator("#sum").inner_text().startswith("output cell")
        row = where[1:]
        assert f"row {row}:" in page.locator("#live").text_content()
    page.focus('.matrix [data-at="e0.0"]')
    page.keyboard.press("ArrowDown")
    assert page.evaluate(at) == "e1.1"
    page.keyboard.press("End")
    assert page.evaluate(at) == "e1.13"
    assert page.locator("[role=gridcell][tabindex='0']").count() == 4  # one stop for each grid


def test_time(visitor):
    page = visitor.open("i=5,5&k=3&at=0&speed=8")
    count = page.locator("#count")
    page.keyboard.press("ArrowRight")
    assert count.inner_text() == "2 of 9"
    page.keyboard.press("End")
    assert count.inner_text() == "9 of 9"
    page.keyboard.press(" ")
    page.wait_for_function("document.getElementById('count').textContent === '2 of 9'")
    assert page.get_attribute("#play", "aria-label") == "Pause"
    page.keyboard.press(" ")
    assert page.get_attribute("#play", "aria-label") == "Play"
    page.fill("#frame", "6")
    assert count.inner_text() == "7 of 9"
    assert "at=6" in page.evaluate("location.hash")


def test_keys_step_wherever_they_mean_nothing_else(visitor):
    page = visitor.open("i=5,5&k=3&at=0")
    count = page.locator("#count")
    page.focus("button[data-view=direct]")
    page.keyboard.press("ArrowRight")
    assert count.inner_text() == "2 of 9"
    assert "at=1" in page.evaluate("location.hash")
    page.keyboard.press("End")
    assert count.inner_text() == "9 of 9"
    page.focus("button[data-values=symbols]")
    page.keyboard.press(" ")  # presses the button
    assert page.get_attribute("button[data-values=symbols]", "aria-pressed") == "true"
    assert page.get_attribute("#play", "aria-label") == "Play"
    for selector in ("#i0", "#mode", "summary:visible", "#sum", "#linked"):
        page.focus(selector)
        page.keyboard.press("Home")
        assert count.inner_text() == "9 of 9", selector


def test_a_refused_geometry_leaves_nothing_to_step_through(visitor):
    page = visitor.open("i=5,5&k=3&at=0")
    page.fill("#k0", "9")
    page.focus("button[data-view=direct]")
    for key in ("ArrowRight", "End"):
        page.keyboard.press(key)
    page.hover(".output [data-at=y4]", force=True)
    page.click("button[data-step='1']")
    assert "spans 9 cells" in page.locator("#refusal").inner_text()
    assert page.locator("#share button:disabled").count() == 3
    page.fill("#k0", "2")
    assert page.locator("#share button:disabled").count() == 0


def test_motion_only_where_it_is_wanted(browser, address):
    for motion, label in (("reduce", "Play"), ("no-preference", "Pause")):
        visitor = Visitor(browser, address, reduced_motion=motion)
        page = visitor.open()
        page.select_option("#preset", "2.2")
        assert page.get_attribute("#play", "aria-label") == label
        visitor.context.close()


def test_code_can_be_copied(browser, address):
    visitor = Visitor(browser, address, permissions=["clipboard-read", "clipboard-write"])
    page = visitor.open("i=6&k=3&s=2&p=1")
    button = page.locator("[aria-label='Copy the code for lax']")
    button.click()
    button.filter(has_text="copied").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("lax.conv_general_dilated(x, kernel, (2,), ((1, 1),)")
    assert "Keras has no padding in cells" in page.locator("#code").inner_text()
    visitor.context.close()


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_pictures_can_be_saved(visitor, tmp_path, kind):
    page = visitor.open("i=6,6&k=3&s=2&p=1&view=both&at=4")
    with page.expect_download() as saved:
        page.click(f"#{kind}")
    path = tmp_path / f"picture.{kind}"
    saved.value.save_as(path)
    if kind == "png":
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size > 20_000
    else:
        text = path.read_text()
        root = ElementTree.fromstring(text)
        assert len(root.findall("{http://www.w3.org/2000/svg}svg")) == 8


def test_an_animation_shows_one_output_after_the_other(visitor, tmp_path):
    page = visitor.open("i=5,5&k=3&speed=2")
    with page.expect_download() as saved:
        page.click("#animation")
    path = tmp_path / "animated.svg"
    saved.value.save_as(path)
    root = ElementTree.fromstring(path.read_text())
    frames = root.findall(".//*[@class='frame']")
    assert len(frames) == 4 * 9  # of input, kernel, output and C, each as often as there are outputs
    assert {frame.get("style") for frame in frames} == {f"animation-delay:{i / 2:g}s" for i in range(9)}
    assert "show 4.5s steps(1) infinite" in path.read_text()
    visitor.page.goto(path.as_uri())
    visible = "all => all.filter(one => getComputedStyle(one).visibility === 'visible').length"
    assert visitor.page.eval_on_selector_all(".frame", visible) == 4  # without motion the first


@pytest.mark.parametrize("button", ["svg", "animation"])
def test_saved_drawings_follow_the_scheme(browser, address, tmp_path, button):
    """A picture that was saved on a light page is dark where the system is dark."""
    visitor = Visitor(browser, address)
    page = visitor.open("i=5,5&k=3")
    with page.expect_download() as saved:
        page.click(f"#{button}")
    path = tmp_path / "picture.svg"
    saved.value.save_as(path)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.goto(path.as_uri())
        paper, ink = (
            page.eval_on_selector(selector, "one => getComputedStyle(one).fill")
            for selector in (".paper", ".output .cell text")
        )
        assert (luminance(paper) < luminance(ink)) == (scheme == "dark")
    without_variables = re.sub(r"[^;{}]*var[(][^;}]*", "", path.read_text())
    path.write_text(without_variables)
    page.goto(path.as_uri())
    paper = page.eval_on_selector(".paper", "one => getComputedStyle(one).fill")
    assert luminance(paper) > 0.9  # of the page from which it was saved
    assert visitor.faults == []
    visitor.context.close()


def test_in_a_notebook(browser):
    visitor = Visitor(browser, "about:blank")
    explorer = Explorer(ConvGeometry((6,), (3,), strides=2), view="both")
    visitor.page.set_content(f"<p>A cell.</p>{explorer._repr_html_()}")
    frame = visitor.page.frame_locator("iframe")
    frame.locator(".output [data-at=y1]").first.hover()
    assert "row 1 of C" in frame.locator("#sum").inner_text()
    frame.locator("#k0").fill("2")
    assert "3 x 6" in ascii_signs(frame.locator("#facts").inner_text())
    assert visitor.faults == []
    visitor.context.close()


STATES = [
    "i=6,6&k=3&s=2&p=1&view=both&at=4",
    "i=5,5&k=3&in=2&out=3&values=symbols&at=t4",
    "i=3,4,4&k=2&view=transposed",
    "i=5,5&k=9",
    "i=16,16&k=3&p=1",
]
LOOKS = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
}


# Not innerWidth, which grows with what is too wide on a phone.
FITS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"


@pytest.mark.parametrize("width", [320, 360, 390])
def test_narrow_phones_show_the_whole_width(browser, address, width):
    visitor = Visitor(browser, address, **LOOKS["phone"] | {"viewport": {"width": width, "height": 700}})
    for state in (*STATES, "i=5,5&k=3&op=max", "i=1000,1000&k=7&s=2&p=3"):
        page = visitor.open(state)
        assert page.evaluate("document.documentElement.clientWidth") == width
        assert page.evaluate(FITS), state
        sides = page.eval_on_selector_all(
            "#time *", "all => all.map(one => one.getBoundingClientRect().right)"
        )
        assert max(sides, default=0) <= width, state
    assert visitor.faults == []
    visitor.context.close()


@pytest.mark.parametrize("look", LOOKS)
def test_looks(browser, address, tmp_path, look):
    """Nothing is wider than the screen, and the picture is not blank."""
    from PIL import Image

    visitor = Visitor(browser, address, **LOOKS[look])
    for number, state in enumerate(STATES):
        page = visitor.open(state)
        assert page.evaluate(FITS), state
        path = tmp_path / f"{number}.png"
        page.screenshot(path=path, full_page=True)
        with Image.open(path) as picture:
            levels = picture.convert("L").histogram()
        brightest = max(range(256), key=levels.__getitem__)
        assert (brightest < 64) == (look == "dark")
        assert sum(1 for level in levels if level) > 100
    assert visitor.faults == []
    visitor.context.close()


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core, which npm brings."""
    folder = tmp_path_factory.mktemp("axe")
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed, which brings axe-core")
    try:
        done = subprocess.run([npm, "pack", AXE], cwd=folder, capture_output=True, text=True, timeout=90)
    except subprocess.TimeoutExpired:
        pytest.skip("npm does not answer, which brings axe-core")
    if done.returncode:
        pytest.skip(f"npm cannot bring {AXE}: {done.stderr.strip().splitlines()[-1:]}")
    (archive,) = folder.glob("*.tgz")
    shutil.unpack_archive(archive, folder, filter="data")
    return (Path(folder) / "package" / "axe.min.js").read_text()


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing(browser, address, axe, look):
    visitor = Visitor(browser, address, **LOOKS[look])
    for state in STATES:
        page = visitor.open(state)
        page.evaluate(axe)
        found = page.evaluate("axe.run().then(result => result.violations)")
        assert [(one["id"], [node["html"][:200] for node in one["nodes"][:3]]) for one in found] == [], state
    visitor.context.close()


def test_everything_has_a_name_and_a_role(visitor):
    for state in STATES[:3]:
        page = visitor.open(state)
        unnamed = page.eval_on_selector_all(
            "input, select, button",
            "all => all.filter(one => !one.getAttribute('aria-label') && !one.labels?.length "
            "&& !one.textContent.trim()).map(one => one.outerHTML)",
        )
        assert unnamed == []
        orphans = page.eval_on_selector_all(
            "[role=gridcell]",
            "all => all.filter(one => !one.closest('[role=row]') || !one.closest('[role=grid]') "
            "|| !one.getAttribute('aria-label')).length",
        )
        assert orphans == 0
        for grid in page.locator("[role=grid]").all():
            rows, columns = (int(grid.get_attribute(f"aria-{name}count")) for name in ("row", "col"))
            row = grid.locator("[role=row]").last.get_attribute("aria-rowindex")
            indices = grid.locator("[role=gridcell]").evaluate_all(
                "all => all.map(one => Number(one.ariaColIndex))"
            )
            assert int(row) <= rows
            assert 1 <= min(indices) <= max(indices) <= columns
    grid = visitor.open("i=4,4&k=3").locator(".matrix [role=grid]")
    assert [grid.get_attribute(f"aria-{name}count") for name in ("row", "col")] == ["4", "16"]
    assert grid.locator("[data-at='e3.5']").get_attribute("aria-colindex") == "6"


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2 of a colour as CSS computes it."""
    channels = [float(text) / 255 for text in re.findall(r"[\d.]+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_in_cells_has_contrast(browser, address, scheme):
    """Which axe-core does not check: text in drawings on the colour of its cell."""
    visitor = Visitor(browser, address, color_scheme=scheme)
    page = visitor.open("i=5,5&k=4&view=both&values=symbols")
    pairs = page.evaluate(
        """[...document.querySelectorAll('.drawing [role=gridcell]')].map(cell => {
          const [box, text] = [cell.querySelector('rect'), cell.querySelector('text')];
          return text ? [getComputedStyle(box).fill, getComputedStyle(text).fill] : null;
        }).filter(Boolean)"""
    )
    assert len(pairs) > 60
    for fill, ink in pairs:
        low, high = sorted([luminance(fill), luminance(ink)])
        assert (high + 0.05) / (low + 0.05) >= 4.5, (fill, ink)
    visitor.context.close()
