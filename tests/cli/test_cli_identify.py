"""`jaxconv identify`: the tables, the file, and what is refused."""

import json

import numpy as np
import pytest

from jaxconv import Convolution
from jaxconv.cli import main

MODULE = """
import jax.numpy as jnp
from jax import lax

kernel = jnp.array([1.0, 2.0, 4.0], jnp.float32).reshape(3, 1, 1)


def down(x):
    return lax.conv_general_dilated(x, kernel, (2,), "SAME", dimension_numbers=("NWC", "WIO", "NWC"))


def up(y):
    return lax.conv_transpose(y, kernel, (2,), "SAME")


class Layers:
    up = staticmethod(up)


def biased(y):
    return up(y) + 3


def two(x):
    return x, x


def window(x):
    return x * jnp.arange(1, 10, dtype=x.dtype)[:, None]
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "some_layers.py").write_text(MODULE)
    (tmp_path / "broken_layers.py").write_text("import no_such_package")


def test_tables(capsys):
    main("identify some_layers:up --input 5 --dtype float32 --transpose-of some_layers:down".split())
    text = capsys.readouterr().out
    for part in (
        "the transpose of a convolution, C-transposed",
        "ConvGeometry((10,), (3,), strides=(2,), padding=((0, 1),))",
        "given convolution  flipped kernel",
        "4, with 14 maps",
        "1 cell short",
        "relationship 13",
        "layers.Conv1DTranspose(1, (3,), (2,), padding='same', use_bias=False)",
    ):
        assert part in text


def test_calls_elsewhere_have_the_bias(capsys):
    main("identify some_layers:biased --input 5 --dtype float32".split())
    forward, transpose = capsys.readouterr().out.split("its transpose elsewhere")
    assert "(1,), use_bias=False" not in transpose
    assert "transpose_kernel=True) + bias" in transpose
    assert (
        "nnx.ConvTranspose(1, 1, (3,), (2,), padding=((2, 1),), transpose_kernel=True, rngs=rngs)"
        in transpose
    )
    assert "layers.Conv1DTranspose(1, (3,), (2,), padding='same')" in transpose
    assert "+ bias" not in forward.split("elsewhere")[1]


def test_alternatives_are_printed(capsys):
    main("identify some_layers:down --input 6 --dtype float32".split())
    text = capsys.readouterr().out
    assert "The same at (6,)" in text
    assert "padding='SAME'" in text
    assert "(7,)" in text


def test_json(tmp_path):
    main("identify some_layers:Layers.up --input 5 --dtype float32 --json deep/found.json".split())
    found = json.loads((tmp_path / "deep" / "found.json").read_text())
    assert found["kernel"] == [[[4.0]], [[2.0]], [[1.0]]]
    assert (found["transposed"], found["bias"], found["calls"]) == (True, None, 4)
    geometry = found["geometry"]
    layer = Convolution(
        np.array(found["kernel"]), strides=geometry["strides"], padding=geometry["padding"],
        output_padding=found["output_padding"], transposed=True,
    )  # fmt: skip
    assert layer.geometry((5,)).input_shape == tuple(geometry["input_shape"]) == (10,)
    assert found["transpose_of"]["SAME"]["equal"]
    assert found["transpose_of"]["VALID"]["extra_cells"] == [-1]


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("some_layers", "MODULE:FUNCTION must be module:name"),
        ("some_layers:nothing", "some_layers has no nothing"),
        ("no_such_layers:up", "importing no_such_layers raises ModuleNotFoundError"),
        ("broken_layers:up", "No module named 'no_such_package'"),
        ("some_layers:kernel", "must be a function or a layer, got an array of shape (3, 1, 1)"),
        ("some_layers:window", "some_layers:window: `f` is linear but depends on the position"),
        ("some_layers:two", "some_layers:two: `f` must return one array of numbers"),
        ("some_layers:up --transpose-of some_layers:up", "`forward` must be a forward convolution"),
        ("some_layers:up --transpose-of some_layers:window", "--transpose-of some_layers:window: `f`"),
    ],
)
def test_mistakes(command, words, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["identify", *command.split(), "--input", "9", "--dtype", "float32"])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert words in " ".join(error.split())
    assert error.isascii()  # a name between colons is not a symbol
