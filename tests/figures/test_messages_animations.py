"""Bad calls of the animations, and what their messages say."""

import numpy as np
import pytest
from messages import BadCall, check

from jaxconv import ConvGeometry, GeometryError, OptionError, SizeError
from jaxconv.figures import Theme, animate, animation, frame, guide, scenes
from jaxconv.figures.gallery import write_gallery

G = ConvGeometry((5, 4), (3, 2))
DEEP = ConvGeometry((5, 4), (3, 2), in_features=2, out_features=3)
CIRCULAR = ConvGeometry((5,), (3,), padding=1, padding_mode="circular")
CASES = [
    BadCall("suffix", lambda: animate(G, "a.mp4"), ("`path`", ".svg, .gif, .webp", "a.mp4"), OptionError),
    BadCall("no suffix", lambda: animate(G, "a"), ("`path`", ".svg"), OptionError),
    BadCall(
        "png of an animation", lambda: animate(G, "a.png"), ("`path`", "save_frames", "sheet"), OptionError
    ),
    BadCall("mistyped suffix", lambda: animate(G, "a.svgz"), ("did you mean '.svg'?",), OptionError),
    BadCall(
        "values", lambda: animation(G, values="number"), ("`values`", "did you mean 'numbers'?"), OptionError
    ),
    BadCall(
        "symbols with numbers",
        lambda: animation(G, values="symbols", x=np.ones((5, 4))),
        ("`values='symbols'`", "`x`"),
        OptionError,
    ),
    BadCall(
        "both", lambda: animation(G, both=True, transposed=True), ("`both`", "`transposed`"), OptionError
    ),
    BadCall("theme", lambda: animation(G, theme="drak"), ("`theme`", "did you mean 'dark'?"), OptionError),
    BadCall("colour", lambda: Theme(x="blue"), ("`x`", "'#1f6feb'", "'blue'"), OptionError),
    BadCall("taps", lambda: Theme(taps="#123456,#654321"), ("`taps`", "a tuple of colours"), OptionError),
    BadCall("milliseconds", lambda: animation(G, milliseconds=0), ("`milliseconds`", "from 20"), OptionError),
    BadCall("seconds", lambda: animation(G, milliseconds=0.6), ("`milliseconds`", "0.6"), OptionError),
    BadCall(
        "shape of x", lambda: animation(G, x=np.ones((4, 5))), ("`x`", "(5, 4, 1), or (5, 4)"), GeometryError
    ),
    BadCall(
        "channels first",
        lambda: animation(DEEP, x=np.ones((2, 5, 4))),
        ("`x`", "(5, 4, 2)", "last axis"),
        GeometryError,
    ),
    BadCall(
        "shape of the kernel",
        lambda: animation(DEEP, kernel=np.ones((3, 2))),
        ("`kernel`", "(3, 2, 2, 3)", "(3, 2)"),
        GeometryError,
    ),
    BadCall(
        "x of the transpose",
        lambda: animation(G, transposed=True, x=np.ones((5, 4))),
        ("`x`", "(3, 3, 1), or (3, 3)", "`transposed`"),
        GeometryError,
    ),
    BadCall("words for x", lambda: animation(G, x=[["a"]]), ("`x`", "numbers"), TypeError),
    BadCall("geometry", lambda: animation((5, 4)), ("`geometry`", "ConvGeometry", "(5, 4)"), TypeError),
    BadCall("frames", lambda: animation(ConvGeometry((99, 99), (3, 3))), ("9,409 frames", "500"), SizeError),
    BadCall(
        "cells", lambda: animation(ConvGeometry((99, 99), (60, 60), strides=20)), ("too large",), SizeError
    ),
    BadCall(
        "places of C",
        lambda: animation(ConvGeometry((20, 20), (2, 2)), matrix=True),
        ("`matrix=True`", "361 x 400"),
        SizeError,
    ),
    BadCall(
        "transpose of circular padding",
        lambda: animation(CIRCULAR, transposed=True),
        ("`transposed=True`", "equivalent direct convolution", "'circular'", "leave out `transposed`"),
        GeometryError,
    ),
    BadCall(
        "both with circular padding",
        lambda: animation(CIRCULAR, both=True),
        ("`both=True`", "equivalent direct convolution", "'circular'", "`matrix=True`"),
        GeometryError,
    ),
    BadCall(
        "an array as the geometry",
        lambda: animation(np.ones((5, 4))),
        ("`geometry`", "an array of shape (5, 4)", "swapped"),
        TypeError,
    ),
    BadCall("a number as the theme", lambda: animation(G, theme=1), ("`theme`", "got 1."), OptionError),
    BadCall("a geometry as a scene", lambda: frame(G), ("`scene`", "ConvGeometry", "`animation`"), TypeError),
    BadCall("no near theme", lambda: animation(G, theme="?"), ("`theme`", "got '?'."), OptionError),
    BadCall(
        "scenes",
        lambda: scenes(ConvGeometry((2000, 2000), (3, 3))),
        ("1,000,000", "`input_shape`"),
        SizeError,
    ),
    BadCall("frame", lambda: animation(G).frame(9), ("`number`", "from 0 to 8", "9"), OptionError),
    BadCall("columns", lambda: animation(G).sheet(0), ("`columns`", "at least 1"), OptionError),
    BadCall("template", lambda: animation(G).save_frames("a.svg"), ("`path`", "{frame}"), OptionError),
    BadCall("figure", lambda: guide("3.1", "a.svg"), ("`number`", "'draft 3.1'"), OptionError),
    BadCall(
        "unknown figure", lambda: guide("7.1", "a.svg"), ("`number`", "'7.1'", "5.1, matrix"), OptionError
    ),
    BadCall("two parts", lambda: guide("2.8", "a.svg"), ("`number`", "'2.8a' and '2.8b'"), OptionError),
    BadCall("formats", lambda: write_gallery([], "out", ["png"]), ("`formats`", "'png'"), OptionError),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_message(case):
    check(case)


def test_a_path_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        animate(G, tmp_path / "file" / "a.svg")
