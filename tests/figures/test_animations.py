"""Animations: frames, motion, formats, reproducible bytes, and what is written into the cells."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import numpy as np
import oracles
import pytest
from PIL import Image

from jaxconv import ConvGeometry
from jaxconv.figures import DARK, LIGHT, Theme, animate, animation, frame, scenes
from jaxconv.figures.raster import pixels
from jaxconv.figures.svg import svg

SVG = "{http://www.w3.org/2000/svg}"
STRIDED = ConvGeometry((5, 5), (3, 3), strides=2, padding=1)
GEOMETRIES = {
    "1-D": ConvGeometry((7,), (3,), strides=2, padding=1),
    "2-D": ConvGeometry((4, 6), (3, 2), strides=(1, 2), padding=((1, 0), (2, 1))),
    "3-D": ConvGeometry((2, 3, 3), (2, 2, 2), padding=((1, 0), (0, 0), (0, 0))),
    "4-D": ConvGeometry((2, 2, 2, 2), (1, 2, 1, 2)),
    "dilated both ways": ConvGeometry((3, 4), (2, 2), kernel_dilation=(2, 1), input_dilation=(2, 3)),
    "cropped": ConvGeometry((5, 5), (2, 2), padding=((-1, 1), (0, -2))),
    "features": ConvGeometry((3, 3), (2, 2), in_features=2, out_features=3),
    "groups": ConvGeometry((3, 3), (2, 2), in_features=4, out_features=2, feature_group_count=2),
    "circular": ConvGeometry((4, 3), (3, 3), padding=1, padding_mode="circular"),
    "reflect": ConvGeometry((4, 3), (3, 3), padding=1, padding_mode="reflect"),
    "replicate": ConvGeometry((4, 3), (3, 3), padding=1, padding_mode="replicate"),
}


def places(text, width):
    """Where each moving outline of a thickness stands in every frame, read as a browser reads the file."""
    root = ElementTree.fromstring(text)
    style = root.find(f"{SVG}style").text
    found = []
    for group in root.iter(f"{SVG}g"):
        outlines = [path for path in group.findall(f"{SVG}path") if path.get("stroke-width") == width]
        if not outlines or group.get("class") is None:
            continue
        name, seconds = re.search(rf"\.{group.get('class')}{{animation:(\w+) ([\d.]+)s", style).groups()
        steps = re.search(rf"@keyframes {name}{{(.*)}}", style)[1]
        keys = re.findall(r"([\d.]+)%{transform:translate\((-?[\d.]+)px,(-?[\d.]+)px\)}", steps)
        corners = re.findall(r"M(-?[\d.]+) (-?[\d.]+)h", outlines[0].get("d"))
        found.append(([(float(p), float(x), float(y)) for p, x, y in keys], float(seconds), corners))
    return found


def at(keys, share):
    """The offset that holds at a share of the time."""
    return [(x, y) for percent, x, y in keys if percent <= 100 * share][-1]


@pytest.mark.parametrize("transposed", [False, True])
def test_window_offsets_match_loops(transposed):
    g = ConvGeometry((4, 5), (3, 2), strides=(2, 1), padding=1)
    drawn = animation(g, transposed=transposed, milliseconds=250)
    shown = g.equivalent_direct() if transposed else g
    outputs = list(np.ndindex(*shown.output_shape))
    ((keys, seconds, _),) = places(drawn.svg(), "2.2")
    assert drawn.frames == len(outputs)
    assert seconds == 0.25 * len(outputs)
    found = [at(keys, (n + 0.5) / len(outputs)) for n in range(len(outputs))]
    cell = found[1][0] / shown.strides[1]
    assert cell > 10
    expected = [(column * shown.strides[1] * cell, row * shown.strides[0] * cell) for row, column in outputs]
    assert found == expected
    ((marks, _, _),) = places(drawn.svg(), "2.8")  # the output cell
    assert [at(marks, (n + 0.5) / len(outputs)) for n in range(len(outputs))] == [
        (column * cell, row * cell) for row, column in outputs
    ]


def test_highlighted_row_is_the_row_of_the_frame():
    drawn = animation(STRIDED, matrix=True)
    rows, _ = STRIDED.matrix_shape
    ((keys, _, _),) = [found for found in places(drawn.svg(), "2")]
    steps = [at(keys, (n + 0.5) / rows)[1] for n in range(rows)]
    assert steps == [n * steps[1] for n in range(rows)]
    assert steps[1] > 2


@pytest.mark.parametrize("values", [None, "numbers", "symbols"])
@pytest.mark.parametrize("name", GEOMETRIES)
def test_every_geometry_is_drawn(name, values):
    g = GEOMETRIES[name]
    ways = [{"transposed": False}]
    if g.padding_mode == "zeros":
        ways += [{"transposed": True}, {"both": True}]
    for way in ways:
        drawn = animation(g, values=values, matrix=True, **way)
        counts = g.matrix_shape if way.get("both") else g.matrix_shape[way["transposed"] :][:1]
        assert drawn.frames == max(counts)
        texts = ["".join(text.itertext()) for text in ElementTree.fromstring(drawn.svg()).iter(f"{SVG}text")]
        shapes = [g.input_shape, g.output_shape]
        for word, shape in zip(
            ("Input", "Output"), shapes[::-1] if way.get("transposed") else shapes, strict=True
        ):
            label = f"{word} " + " \N{MULTIPLICATION SIGN} ".join(map(str, shape))
            assert any(text.startswith(label) for text in texts), label


@pytest.mark.parametrize("name", ["1-D", "2-D", "features", "groups", "circular"])
def test_outputs_match_loops(name, rng):
    g = GEOMETRIES[name]
    x = rng.integers(-3, 4, size=(*g.input_shape, g.in_features))
    kernel = rng.integers(-3, 4, size=g.kernel_array_shape)
    expected = oracles.dense(g, kernel) @ x.ravel()
    sums = sums_of(animation(g, x=x, kernel=kernel).svg())
    if g.in_features == 1:
        assert [int(text.split(" = ")[0]) for text in sums] == expected.tolist()
        assert [evaluated(text.split(" = ")[1]) for text in sums] == expected.tolist()
    last = animation(g, x=x, kernel=kernel).frame(g.matrix_shape[0] - 1).svg()
    written = [text.text for text in ElementTree.fromstring(last).iter(f"{SVG}text")]
    for value in expected.tolist():
        assert str(value) in written


def sums_of(text):
    """The sums below the maps, in order."""
    return [one.text for one in ElementTree.fromstring(text).iter(f"{SVG}text") if " = " in (one.text or "")]


def evaluated(text):
    """The value of a sum that a picture prints."""
    return eval(text.replace("\N{DOT OPERATOR}", "*"), {})


def test_both_gives_the_transpose_the_output_of_the_convolution(rng):
    g = ConvGeometry((4,), (2,), strides=2)
    x, kernel = rng.integers(1, 9, size=4), rng.integers(1, 9, size=2)
    C = oracles.dense(g, kernel.reshape(2, 1, 1))
    expected = [*(C @ x), *(C.T @ (C @ x))]
    sums = sums_of(animation(g, both=True, x=x, kernel=kernel).svg())
    assert [int(text.split(" = ")[0]) for text in sums] == expected


def test_symbols_name_the_products():
    g = ConvGeometry((3,), (2,))
    assert sums_of(animation(g, values="symbols").svg()) == ["y0 = w0 x0 + w1 x1", "y1 = w0 x1 + w1 x2"]
    assert sums_of(animation(g, values="symbols", transposed=True).svg()) == [
        "z0 = w0 y0",
        "z1 = w1 y0 + w0 y1",
        "z2 = w1 y1",
    ]


@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_rasters_have_a_frame_per_output(tmp_path, suffix):
    path = animate(STRIDED, tmp_path / "new" / f"a.{suffix}", milliseconds=120)
    with Image.open(path) as image:
        assert image.n_frames == 9
        image.load()
        assert image.info["duration"] == 120
        assert image.info["loop"] == 0
        size = image.size
        corner = "#{:02x}{:02x}{:02x}".format(*image.convert("RGB").getpixel((1, 1)))
    assert corner == LIGHT.paper
    assert size == (animation(STRIDED).display.width, animation(STRIDED).display.height)


def test_webp_files_are_exact_and_smaller_than_gif(tmp_path):
    drawn = animation(STRIDED, values="numbers")
    with Image.open(drawn.save(tmp_path / "a.webp")) as image:
        for number, expected in enumerate(pixels(drawn.display, LIGHT)):
            image.seek(number)
            assert image.convert("RGB").tobytes() == expected.tobytes()
    for name in ("2-D", "features"):
        drawn = animation(GEOMETRIES[name])
        webp, gif = (drawn.save(tmp_path / f"{name}.{suffix}").stat().st_size for suffix in ("webp", "gif"))
        assert webp < gif


@pytest.mark.parametrize("suffix", ["svg", "gif", "webp"])
def test_same_call_writes_same_bytes(tmp_path, suffix):
    g = ConvGeometry((3, 3), (2, 2))
    options = {"both": True, "matrix": True, "values": "numbers"}
    first, second = (animate(g, tmp_path / f"{n}.{suffix}", **options).read_bytes() for n in "ab")
    assert first == second


def test_raster_and_vector_show_the_same_window(tmp_path):
    """The pixel in the middle of the first tap has its colour, in the frame that covers it."""
    g = ConvGeometry((3, 3), (2, 2))
    drawn = animation(g)
    path = drawn.save(tmp_path / "a.webp")
    ((keys, _, corners),) = places(drawn.svg(), "2.2")
    with Image.open(path) as image:
        for number in range(4):
            image.seek(number)
            dx, dy = at(keys, (number + 0.5) / 4)
            pixel = image.convert("RGB").getpixel(
                (float(corners[0][0]) + dx + 15, float(corners[0][1]) + dy + 15)
            )
            assert "#{:02x}{:02x}{:02x}".format(*pixel) == LIGHT.tap(0, 4)


def test_svg_has_dark_mode_and_reduced_motion():
    text = animation(STRIDED, values="numbers").svg()
    assert re.search(r"@media \(prefers-color-scheme:dark\){[^@]*" + DARK.paper, text)
    assert re.search(r"@media \(prefers-reduced-motion:reduce\){#\w+ \*{animation:none!important}}", text)
    assert not re.search(r"href|url\(|<script|<image", text)
    for theme, colours in (("light", LIGHT), ("dark", DARK)):
        text = animation(STRIDED, theme=theme).svg()
        assert "prefers-color-scheme" not in text
        assert colours.paper in text
    assert "@keyframes" not in animation(STRIDED).frame(3).svg()


def test_picture_without_motion_shows_all_outputs():
    """What a reader sees who prefers reduced motion."""
    root = ElementTree.fromstring(animation(ConvGeometry((3,), (2,)), x=[1, 2, 4], kernel=[8, 16]).svg())
    hidden = {
        text for group in root.iter(f"{SVG}g") if group.get("visibility") == "hidden" for text in group.iter()
    }
    seen = [text.text for text in root.iter(f"{SVG}text") if text not in hidden]
    assert {"40", "80"} <= set(seen)
    blank = [path for path in root.iter(f"{SVG}path") if path.get("class") == "f-paper s-line"]
    assert len(blank) == 1
    assert blank[0] in hidden


def test_two_pictures_on_one_page_do_not_share_names():
    first, second = (animation(ConvGeometry((n,), (2,))).svg() for n in (3, 4))
    names = [re.search(r'id="(\w+)"', text)[1] for text in (first, second)]
    assert names[0] != names[1]
    rules = re.findall(r"^([#@].*?){", first, re.MULTILINE)
    assert all(rule.startswith((f"#{names[0]} ", "@media", f"@keyframes {names[0]}")) for rule in rules)


def test_frames_and_sheets(tmp_path):
    drawn = animation(STRIDED)
    paths = drawn.save_frames(tmp_path / "{frame}.png")
    assert [path.name for path in paths] == [f"{n}.png" for n in range(9)]
    with Image.open(paths[0]) as image:
        assert image.size == (2 * drawn.display.width, 2 * drawn.display.height)
    assert len({path.read_bytes() for path in paths}) == 9
    sheet = drawn.sheet(columns=3)
    assert sheet.frames == 1
    assert sheet.display.width > 3 * drawn.display.width
    assert sheet.svg().count(">Input 5 \N{MULTIPLICATION SIGN} 5<") == 9
    assert frame(scenes(STRIDED)[4]).svg() == drawn.frame(4).svg()
    assert drawn._repr_svg_() == drawn.svg()


def test_theme_colours_are_drawn():
    theme = Theme(x="#123456", taps=("#654321",))
    text = animation(STRIDED, theme=theme).svg()
    assert "#123456" in text
    assert "#654321" in text


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_text_has_enough_contrast(theme):
    """The contrast of WCAG 2, 4.5 for text."""
    for background in (theme.paper, theme.x, theme.y, theme.empty, *(theme.tap(n, 9) for n in range(9))):
        assert contrast(theme.ink, background) >= 4.5
    for background in (theme.paper, theme.empty):
        assert contrast(theme.muted, background) >= 4.5


def contrast(one, other):
    def luminance(colour):
        channels = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_titles_are_escaped():
    text = svg(animation(STRIDED).display, LIGHT, title='a < b & "c"')
    root = ElementTree.fromstring(text)
    assert root.get("aria-label") == root.find(f"{SVG}title").text == 'a < b & "c"'


def test_importing_jaxconv_draws_nothing():
    code = "import sys, jaxconv; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert not {
        name for name in loaded if name.startswith(("jaxconv.figures", "jaxconv.geometry.scene", "PIL"))
    }
