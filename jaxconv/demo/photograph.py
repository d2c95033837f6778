"""Filters a photograph by C and upsamples it by C-transposed, with and without storing C."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxconv.convolution import conv, conv_transpose
from jaxconv.errors import needs_extra
from jaxconv.geometry import ConvGeometry
from jaxconv.matrix import ConvMatrix, conv_matrix

STRIDE = 2


def load_photograph(shrink: int = 1) -> np.ndarray:
    """Loads scikit-learn's photograph of a Chinese palace, averaged over blocks of ``shrink x shrink``.

    Args:
      shrink: Pixels per axis that are averaged into one.

    Returns:
      ``(427 // shrink, 640 // shrink, 3)`` float32, 0 to 1.
    """
    with needs_extra("the photograph", "train"):
        from sklearn.datasets import load_sample_image

    photograph = load_sample_image("china.jpg").astype(np.float32) / 255
    rows, columns = (size // shrink for size in photograph.shape[:2])
    blocks = photograph[: rows * shrink, : columns * shrink].reshape(rows, shrink, columns, shrink, 3)
    return blocks.mean((1, 3), dtype=np.float32)


def filters() -> dict[str, np.ndarray]:
    """Returns two 5x5 filters that every flip changes, by name.

    The first is a slanted Gaussian off the centre, the second its derivative across the slant, an edge
    filter. With stride 2 the transpose writes every fourth pixel with the same quarter of the taps. Each
    quarter of the Gaussian sums to 1/4, so that a constant image stays constant; unequal quarters would
    leave a checkerboard (Odena et al., Deconvolution and Checkerboard Artifacts, Distill 2016).
    """
    down, right = np.mgrid[-2:3, -2:3] + np.array([0.25, -0.15])[:, None, None]
    angle = np.deg2rad(30)
    along = right * np.cos(angle) + down * np.sin(angle)
    across = down * np.cos(angle) - right * np.sin(angle)
    blur = np.exp(-(along**2) / (2 * 1.15**2) - across**2 / (2 * 0.85**2))
    for row, column in np.ndindex(STRIDE, STRIDE):
        blur[row::STRIDE, column::STRIDE] /= STRIDE**2 * blur[row::STRIDE, column::STRIDE].sum()
    edges = across * blur
    edges -= blur * edges.sum()  # 0 where the photograph is constant
    return {"slanted blur": blur.astype(np.float32), "slanted edges": edges.astype(np.float32)}


def filter_photograph(photograph: np.ndarray) -> list[dict[str, Any]]:
    """Computes the results of each filter with and without storing C, and their gap.

    Every colour is filtered separately (three groups) at every second pixel, y = C x, and upsampled to the
    size of the photograph by the transpose of the same matrix.

    Args:
      photograph: Photograph, ``(rows, columns, 3)`` float32.

    Returns:
      For each filter what `jaxconv.demo.figure.draw_photograph` draws, and ``numbers`` for
      ``metrics.json``.
    """
    x = jnp.asarray(photograph)
    found = []
    for name, filter_ in filters().items():
        kernel = jnp.asarray(np.repeat(filter_[..., None, None], 3, axis=-1))
        options: dict[str, Any] = {"strides": STRIDE, "padding": "SAME", "feature_group_count": 3}
        geometry = ConvGeometry(x.shape[:2], filter_.shape, in_features=3, out_features=3, **options)
        C = conv_matrix(kernel, geometry)
        y = (C @ x.ravel()).reshape(*geometry.output_shape, 3)
        back = (C.T @ y.ravel()).reshape(x.shape)
        bounds = conv_matrix(abs(kernel), geometry)
        gap = _gap(y, conv(x, kernel, **options), bounds, x)
        gap_back = _gap(back, conv_transpose(y, kernel, input_shape=x.shape[:2], **options), bounds.T, y)
        signed = bool((filter_ < 0).any())
        brightness = 1 if signed else STRIDE**2  # y has a quarter of the pixels of the result
        found.append(
            {
                "name": name,
                "kernel": filter_,
                "signed": signed,
                "brightness": brightness,
                "filtered": np.asarray(y),
                "upsampled": brightness * np.asarray(back),
                "gap": gap_back,
                "largest_gap": max(gap.max(), gap_back.max()),
                "numbers": {
                    "filter": name,
                    "geometry": repr(geometry),
                    "matrix_shape": list(C.shape),
                    "entries": C.nnz,
                    "gap_of_conv": float(gap.max()),
                    "gap_of_conv_transpose": float(gap_back.max()),
                },
            }
        )
    return found


def _gap(by_matrix: jax.Array, by_function: jax.Array, bounds: ConvMatrix, data: jax.Array) -> np.ndarray:
    r"""Returns the gap between two results, in units of its rounding bound.

    A sum of n products, added in any order, has an error of at most $n u |C||x|$ to first order, where u
    is half of the machine epsilon (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1);
    two such sums differ by at most twice that, $n \epsilon |C||x|$. A gap above 1 is a mistake.
    """
    g = bounds.geometry
    most = [
        -(-k // STRIDE) if bounds.transposed else k for k in g.kernel_shape
    ]  # products per output, per axis
    terms = math.prod(most)
    bound = np.asarray(bounds @ abs(data).ravel(), np.float64).reshape(by_matrix.shape)
    bound *= terms * np.finfo(np.asarray(data).dtype).eps
    gap = abs(np.asarray(by_matrix, np.float64) - np.asarray(by_function, np.float64))
    return np.divide(gap, bound, out=np.where(gap > 0, np.inf, 0.0), where=bound > 0)


def show_photograph(out: Path, shrink: int = 1) -> list[dict[str, Any]]:
    """Filters the photograph and draws ``photograph.png``.

    Args:
      out: Folder of the picture.
      shrink: Pixels per axis of the photograph that are averaged into one.

    Returns:
      Numbers of each filter, for ``metrics.json``.
    """
    from jaxconv.demo.figure import draw_photograph
    from jaxconv.figures.canvas import by

    photograph = load_photograph(shrink)
    found = filter_photograph(photograph)
    numbers = [one["numbers"] for one in found]
    caption = (
        f"$C$ is {by(*numbers[0]['matrix_shape'])} with {numbers[0]['entries']:,} entries.\n"
        "$y = C\\,x$ filters each colour and keeps every second pixel;\n"
        r"$C^\mathsf{T} y$ writes each pixel of $y$ back through the same taps."
        "\n"
        "conv and conv_transpose give the same without storing $C$:\n"
        "the last column shows how far apart the two results are,\n"
        r"in units of $n\,\epsilon\,|C|\,|x|$, what rounding $n$ terms may do."
    )
    draw_photograph(out / "photograph.png", photograph, found, caption)
    return numbers
