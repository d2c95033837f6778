"""The command that prints spectra of the kernels of a file."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from flax import nnx
from PIL import Image
from safetensors.numpy import save_file

from jaxconv import ConvGeometry, nn
from jaxconv.cli import main
from jaxconv.linalg import norm_interval, operator_norm


def kernels():
    rng = np.random.default_rng(0)
    return {
        "first": rng.normal(size=(3, 3, 2, 3)).astype(np.float32),
        "second": rng.normal(size=(3, 3, 3, 1)).astype(np.float32),
    }


def test_a_table_a_report_and_a_picture(tmp_path, capsys):
    np.savez(tmp_path / "k.npz", **kernels(), bias=np.ones(3, np.float32))
    options = "--input 6 --padding-mode circular".split()
    files = ["--json", str(tmp_path / "k.json"), "--out", str(tmp_path / "k.png")]
    main(["spectrum", str(tmp_path / "k.npz"), *options, *files])
    printed = capsys.readouterr().out
    layers = json.loads((tmp_path / "k.json").read_text())["layers"]
    assert [layer["layer"] for layer in layers] == ["first", "second"]
    for layer, kernel in zip(layers, kernels().values(), strict=True):
        g = ConvGeometry((6, 6), (3, 3), in_features=kernel.shape[2], out_features=kernel.shape[3],
                         padding="SAME", padding_mode="circular")  # fmt: skip
        assert layer["norm"] == pytest.approx(float(operator_norm(kernel, g)), rel=1e-6)
        assert (layer["low"], layer["high"]) == tuple(map(float, norm_interval(kernel, g)))
        assert layer["low"] <= layer["norm"] <= layer["high"]
        reshaped = np.linalg.norm(kernel.reshape(-1, kernel.shape[-1]), 2)
        assert layer["reshaped"] == pytest.approx(reshaped, rel=1e-6)
        assert (layer["rank"], layer["size"]) == (min(g.matrix_shape),) * 2
        assert layer["overlap"] == [9, 9]
        assert f"{layer['norm']:.4g}" in printed
    with Image.open(tmp_path / "k.png") as image:
        assert image.width > image.height > 100


def test_other_files_layouts_and_sizes(tmp_path, capsys):
    kernel = kernels()["first"]
    np.save(tmp_path / "k.npy", kernel)
    save_file(
        {"conv.weight": np.ascontiguousarray(np.moveaxis(kernel, (-1, -2), (0, 1)))},
        tmp_path / "k.safetensors",
    )
    reports = []
    for name, options in (("k.npy", []), ("k.safetensors", ["--layout", "torch"])):
        main(["spectrum", str(tmp_path / name), "--input", "5", "6", "--padding", "1", *options,
              "--json", str(tmp_path / "r.json")])  # fmt: skip
        reports.append(json.loads((tmp_path / "r.json").read_text())["layers"][0])
        assert reports[-1].pop("layer") in ("k", "conv.weight")
    assert reports[0] == reports[1]
    assert reports[0]["overlap"] == [4, 9]
    capsys.readouterr()
    main(["spectrum", str(tmp_path / "k.npy"), "--input", "40"])
    assert "singular" not in capsys.readouterr().out  # C is too large for a rank: left out


def test_the_layers_of_a_run_know_their_geometry(tmp_path, capsys, monkeypatch):
    class Network(nnx.Module):
        def __init__(self):
            rngs = nnx.Rngs(0)
            self.down = nn.Conv(1, 2, (3, 3), strides=2, padding=1, rngs=rngs)
            self.up = nn.ConvTranspose(2, 1, (2, 2), strides=2, rngs=rngs)

    model = Network()
    graph, parameters, rest = nnx.split(model, nnx.Param, ...)
    stand_in = SimpleNamespace(graph=graph, parameters=parameters, rest=rest)
    monkeypatch.setattr("jaxconv.training.load", lambda run: stand_in)
    main(["spectrum", str(tmp_path), "--input", "8", "--json", str(tmp_path / "r.json")])
    capsys.readouterr()
    down, up = json.loads((tmp_path / "r.json").read_text())["layers"]
    assert (down["layer"], down["input_shape"], down["overlap"]) == ("down", [8, 8], [1, 4])
    assert (up["layer"], up["input_shape"], up["overlap"]) == ("up", [16, 16], [1, 1])
    kernel = np.asarray(model.down.kernel[...])
    g = ConvGeometry((8, 8), (3, 3), out_features=2, strides=2, padding=1)
    assert down["norm"] == pytest.approx(float(operator_norm(kernel, g)), rel=1e-6)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("none.npz", "does not exist"),
        ("k.npz --input 0", "--input must be one or more sizes of at least 1"),
        ("k.npz --input 2 --padding VALID", "first of shape (3, 3, 2, 3): the kernel spans 3 cells"),
        ("k.npz --padding circular", "--padding-mode circular"),
        ("bias.npz", "has no kernel"),
    ],
)
def test_refusals(tmp_path, capsys, options, words):
    np.savez(tmp_path / "k.npz", **kernels())
    np.savez(tmp_path / "bias.npz", bias=np.ones(3))
    name, *rest = options.split()
    with pytest.raises(SystemExit) as stop:
        main(["spectrum", str(tmp_path / name), *rest])
    assert stop.value.code == 2
    assert words in capsys.readouterr().err
