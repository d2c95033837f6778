"""How a notebook shows C: every entry with its value and tap, and a table where a picture cannot be."""

import re
import xml.etree.ElementTree as ET

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxconv import ConvGeometry, conv_matrix
from jaxconv.matrix.notebook import MAX_ENTRIES, MAX_LINES

PICTURES = [
    ConvGeometry((8,), (3,)),
    ConvGeometry((6, 6), (3, 3)),
    ConvGeometry((5, 4), (3, 2), in_features=2, out_features=2, strides=2, padding=1),
    ConvGeometry((5,), (3,), padding=2, padding_mode="circular"),  # taps meet: their values add up
    ConvGeometry((40,), (11,), strides=3),  # taps of two digits
]
TOOLTIP = re.compile(r"row (\d+), column (\d+): (\S+), tap \((.*)\)")


def matrix(g, rng, dtype=np.float64):
    return conv_matrix(jnp.asarray(rng.normal(size=g.kernel_array_shape).astype(dtype)), g)


def svg(C):
    """The picture as an XML tree, which also shows that it is well formed."""
    text = C._repr_html_()
    return ET.fromstring(text[text.index("<svg") : text.index("</svg>") + len("</svg>")])


def tooltips(C):
    found = [TOOLTIP.fullmatch(title.text) for title in svg(C).iter("{http://www.w3.org/2000/svg}title")]
    return {
        (int(row), int(column)): (complex(value), tap)
        for row, column, value, tap in map(re.Match.groups, found)
    }


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("g", PICTURES, ids=str)
def test_a_picture_shows_every_entry(g, transposed, rng):
    C = matrix(g, rng).T if transposed else matrix(g, rng)
    dense, shown = C.to_scipy("csr").toarray(), tooltips(C)
    assert len(shown) == C.nnz
    for (row, column), (value, _) in shown.items():
        assert value == pytest.approx(dense[row, column], rel=1e-5)


def test_a_picture_names_the_taps(rng):
    shown = tooltips(matrix(ConvGeometry((4, 4), (2, 3)), rng))
    assert [shown[0, column][1] for column in (0, 1, 2, 4, 5, 6)] == [
        "0, 0",
        "0, 1",
        "0, 2",
        "1, 0",
        "1, 1",
        "1, 2",
    ]
    texts = [
        text.text
        for text in svg(matrix(ConvGeometry((12,), (11,)), rng)).iter("{http://www.w3.org/2000/svg}text")
    ]
    assert texts[:11] == [str(tap) for tap in range(11)]


def test_equal_values_have_equal_colours_and_signs_differ(rng):
    C = conv_matrix(jnp.array([-1.0, 0.0, 1.0]).reshape(3, 1, 1), ConvGeometry((5,), (3,)))
    squares = [group[1].get("fill") for group in svg(C).iter("{http://www.w3.org/2000/svg}g")]
    assert squares == ["#2166ac", "#ffffff", "#b2182b"] * 3


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "complex64"])
def test_pictures_of_other_dtypes(dtype, rng):
    C = matrix(PICTURES[3], rng, jnp.dtype(dtype))
    dense = np.asarray(C.todense())
    for (row, column), (value, _) in tooltips(C).items():
        assert value == pytest.approx(complex(dense[row, column]), rel=2e-2)  # of bfloat16 two digits
    assert dtype in C._repr_html_()
    assert ("magnitude" in C._repr_html_()) == (dtype == "complex64")


def test_values_that_are_not_finite(rng):
    C = conv_matrix(jnp.array([jnp.nan, 1.0, jnp.inf]).reshape(3, 1, 1), ConvGeometry((5,), (3,)))
    assert {str(value) for value, _ in tooltips(C).values()} == {"(nan+0j)", "(1+0j)", "(inf+0j)"}
    zeros = conv_matrix(jnp.zeros((3, 1, 1)), ConvGeometry((5,), (3,)))
    assert len(tooltips(zeros)) == zeros.nnz


@pytest.mark.parametrize(
    "g",
    [
        ConvGeometry((MAX_LINES + 1,), (1,)),
        ConvGeometry((MAX_LINES,), (40,), padding=20),
        ConvGeometry((2,), (1,), padding=((-2, 3),)),  # no entry
    ],
    ids=["wide", "full", "empty"],
)
def test_other_matrices_have_a_table(g, rng):
    C = matrix(g, rng)
    assert max(C.shape) > MAX_LINES or not 0 < C.nnz <= MAX_ENTRIES
    text = C._repr_html_()
    assert "<svg" not in text
    for words in (f"{C.shape[0]} &times; {C.shape[1]}", f"{C.nnz:,} (", f"{C.nbytes:,} bytes", "float64"):
        assert words in text
    ET.fromstring(text.replace("&times;", "x"))


def test_traced_batched_and_mapped_matrices_have_a_table(rng):
    C = matrix(PICTURES[0], rng)
    seen = []
    jax.jit(lambda C: seen.append(C._repr_html_()))(C)
    batch = jax.vmap(lambda kernel: conv_matrix(kernel, C.geometry))(jnp.ones((4, 3, 1, 1)))
    jax.vmap(lambda C: (seen.append(C._repr_html_()), C)[1])(batch)
    assert all("float64, traced" in text for text in seen)
    seen += [batch._repr_html_(), jax.tree.map(lambda _: None, C)._repr_html_()]
    assert "4 matrices" in seen[2]
    assert "NoneType" in seen[3]
    assert not any("<svg" in text for text in seen)


def test_a_matrix_that_a_jitted_function_closes_over_is_a_picture(rng):
    C, seen = matrix(PICTURES[0], rng), []
    jax.jit(lambda: seen.append(C._repr_html_()))()
    assert "<svg" in seen[0]


def test_the_html_has_no_scripts_or_style_sheets(rng):
    for C in (matrix(PICTURES[1], rng), matrix(ConvGeometry((80,), (3,)), rng)):
        assert not re.search(r"<script|<style|onload|http(?!://www\.w3\.org)", C._repr_html_())
