"""The tables of other libraries run as printed, and nothing in README is left to fill in."""

import re
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import lax

from jaxconv import conv, conv_transpose
from jaxconv.claims import CLAIMS

README = Path(__file__).parent.parent.joinpath("README.md").read_text()
TABLE = re.compile(r"^\| (torch|lax|flax|jaxconv) \| (`.*`) \|$", re.MULTILINE)
OTHER_LIBRARIES = (Path(__file__).parent.parent / "docs" / "other_libraries.md").read_text()
ROWS = dict(TABLE.findall(OTHER_LIBRARIES))


@pytest.mark.parametrize("library", ["lax", "flax", "jaxconv"])
def test_rows_run(library, rng):
    x, y, k = (jnp.asarray(rng.normal(size=shape)) for shape in ((6, 1), (3, 1), (3, 1, 1)))
    scope = {"lax": lax, "nnx": nnx, "rngs": nnx.Rngs(0), "layout": ("NWC", "WIO", "NWC")}
    scope |= {"conv": conv, "conv_transpose": conv_transpose, "x": x[None], "y": y[None], "k": k}
    forward, backward = (eval(code, scope) for code in re.findall("`(.*?)`", ROWS[library]))
    if library == "flax":
        for layer in (forward, backward):
            layer.kernel, layer.dtype = nnx.Param(k), k.dtype
        forward, backward = forward(x[None]), backward(y[None])
    padded = np.pad(np.asarray(x)[:, 0], 1)
    weights = np.asarray(k)[:, 0, 0]
    expected = [padded[start : start + 3] @ weights for start in (0, 2, 4)]
    np.testing.assert_allclose(np.asarray(forward).ravel(), expected, rtol=1e-13)
    spread = np.zeros(8)
    for start, value in zip((0, 2, 4), np.asarray(y)[:, 0], strict=True):
        spread[start : start + 3] += value * weights
    np.testing.assert_allclose(np.asarray(backward).ravel(), spread[1:7], rtol=1e-13)


def test_the_number_of_claims():
    assert re.findall(r"tries (\d+) claims", README) == [str(len(CLAIMS))]


def test_readme_repeats_rows_of_the_full_table():
    assert set(ROWS) == {"torch", "lax", "flax", "jaxconv"}
    assert TABLE.findall(README) == [(library, ROWS[library]) for library in ("torch", "lax", "jaxconv")]


def test_nothing_is_left_open():
    assert not re.search(
        r"\b[A-Z]{9,}\b|TODO|\?\?\?", README.replace("SAME_LOWER", "").replace("CONTRIBUTING", "")
    )
