"""Words of the pictures: padding per axis, with signs, and the a of a transpose."""

import xml.etree.ElementTree as ElementTree

import pytest

from jaxconv import ConvGeometry
from jaxconv.figures import animation, scenes
from jaxconv.figures.plan import Panel
from jaxconv.figures.words import describe_convolution, padding_note

SVG = "{http://www.w3.org/2000/svg}"
CROPPED = ConvGeometry((5, 5), (2, 2), padding=((-1, 2), (0, -2)))
UNEVEN = ConvGeometry((4, 6), (3, 2), strides=(1, 2), padding=((1, 0), (2, 1)))
NOTES = [
    (ConvGeometry((5, 5), (3, 3)), False, ""),
    (ConvGeometry((5, 5), (3, 3), padding=2), False, "padding (dashed) 2"),
    (ConvGeometry((5,), (3,), padding=[(1, 2)]), False, "padding (dashed) 1 before, 2 after"),
    (
        CROPPED,
        False,
        "padding (dashed; negative crops) axis 0: \u22121 before, 2 after; axis 1: \u22122 after",
    ),
    (ConvGeometry((5, 5), (2, 2), padding=-1), False, "cropping 1"),
    (ConvGeometry((6, 6), (3, 3), padding=(1, 2)), False, "padding (dashed) axis 0: 1; axis 1: 2"),
    (
        ConvGeometry((4,), (3,), padding=1, padding_mode="circular"),
        False,
        "circular padding (dashed) 1",
    ),
    (
        ConvGeometry((6, 6), (3, 3), strides=2, padding=1),
        True,
        "1 zero inserted; padding (dashed) 1, and a = 1 after (shaded)",
    ),
    (ConvGeometry((6, 5), (1, 1), strides=2), True, "1 zero inserted; a = (1, 0) after (shaded)"),
    # Cropping removes the cell of a: the picture has none to shade.
    (ConvGeometry((5,), (1,), strides=2, padding=[(0, 1)]), True, "1 zero inserted"),
]


@pytest.mark.parametrize(("g", "transposed", "note"), NOTES, ids=str)
def test_note_of_the_padding(g, transposed, note):
    panel = Panel(scenes(g, transposed=transposed))
    assert padding_note(panel.shown, panel.output_padding) == note


def test_heading_lists_axes_like_code():
    assert describe_convolution(scenes(UNEVEN)[0]) == (
        "kernel 3 \N{MULTIPLICATION SIGN} 2, stride (1, 2), "
        "padding (axis 0: 1 before; axis 1: 2 before, 1 after)"
    )


@pytest.mark.parametrize("g", [CROPPED, UNEVEN], ids=str)
@pytest.mark.parametrize("transposed", [False, True])
def test_only_shapes_are_written_like_products(g, transposed):
    panel = Panel(scenes(g, transposed=transposed))
    numbers = describe_convolution(panel.scenes[0]).removeprefix("of ").partition(", ")[2]
    for text in (numbers, padding_note(panel.shown, panel.output_padding)):
        assert "\N{MULTIPLICATION SIGN}" not in text
        assert "-" not in text


def test_long_notes_are_broken_into_lines():
    drawn = animation(UNEVEN, transposed=True)
    assert drawn.display.width < 900
    texts = [text.text or "" for text in ElementTree.fromstring(drawn.svg()).iter(f"{SVG}text")]
    panel = Panel(scenes(UNEVEN, transposed=True))
    note = padding_note(panel.shown, panel.output_padding)
    assert note not in texts
    assert note in " ".join(texts)
