"""The commands that draw."""

import re

import pytest
from PIL import Image

from jaxconv import ConvGeometry
from jaxconv.cli import main
from jaxconv.figures import GUIDE, animation


def test_figures_are_listed_and_drawn(tmp_path, capsys):
    main(["figures"])
    listed = capsys.readouterr().out
    assert [line.split()[0] for line in listed.splitlines()] == list(GUIDE)
    main(["figures", "2.1", "draft 5.1", "--out", str(tmp_path), "--format", "svg, webp"])
    written = capsys.readouterr().out.split()
    assert [path.rpartition("/")[2] for path in written] == [
        "2.1.svg", "2.1.webp", "4.1.svg", "4.1.webp", "index.html"
    ]  # fmt: skip
    for wrong, words in {
        "figures 2.8": "'2.8a' and '2.8b'",
        "figures 7.1": "The numbers are kernel, 1.1",
        "figures 2.1 --format mp4": "`formats` must be some of svg, gif, webp",
        "figures 2.1 --all": "leave out the numbers, or leave out --all",
    }.items():
        with pytest.raises(SystemExit) as stop:
            main(wrong.split())
        assert stop.value.code == 2
        assert re.fullmatch(rf"jaxconv: .*{re.escape(words)}.*\n", capsys.readouterr().err)


def test_animate_draws_any_geometry(tmp_path, capsys):
    options = "--input 6 --kernel 3 --strides 2 --padding 1 --both --matrix --values symbols".split()
    main(["animate", *options, "--out", str(tmp_path / "a.svg")])
    assert capsys.readouterr().out == f"{tmp_path / 'a.svg'}\n"
    g = ConvGeometry((6,), (3,), strides=2, padding=1)
    assert (tmp_path / "a.svg").read_text() == animation(g, both=True, matrix=True, values="symbols").svg()
    main(
        [
            "animate",
            *"--input 4 5 --kernel 2 --transposed --milliseconds 80".split(),
            "--out",
            str(tmp_path / "a.gif"),
        ]
    )
    with Image.open(tmp_path / "a.gif") as image:
        assert image.n_frames == 20
    with pytest.raises(SystemExit) as stop:
        main(["animate", *options, "--out", "a.mp4"])
    assert stop.value.code == 2
    assert "`path` must end in one of .svg" in capsys.readouterr().err
