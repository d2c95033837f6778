"""The explorer's page as text: its size, its state, and how Python and the command line make it."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sys
import webbrowser
from pathlib import Path

import pytest
from test_explorer_arithmetic import CASES

import jaxconv
from jaxconv import ConvGeometry
from jaxconv.cli import main
from jaxconv.errors import GeometryError, OptionError
from jaxconv.explorer import Explorer, page
from jaxconv.explorer.compact import compact_script, compact_style
from jaxconv.explorer.document import MODULES, joined

HERE = Path(__file__).parent


def state_of(text: str) -> str:
    (state,) = re.findall(r'id="initial-state">(.*)</script>', text)
    return json.loads(state)


def test_the_page_is_small_and_alone():
    text = page(ConvGeometry((6, 6), (3, 3), strides=2, padding=1), view="both")
    assert len(text.encode()) < 104_000
    assert "%MODULES%" not in text
    assert "%STATE%" not in text
    assert not re.search(r'(src|href)="(?!data:|https://arxiv)', text)
    assert "import {" not in text


def test_the_state_is_the_geometry():
    assert state_of(page()) == ""
    g = ConvGeometry(
        (6, 7), (3, 2), strides=(2, 1), padding=((1, 0), (-1, 2)), padding_mode="reflect", in_features=4,
        out_features=6, feature_group_count=2, kernel_dilation=(1, 2), input_dilation=(2, 1),
    )  # fmt: skip
    words = "i=6,7&k=3,2&s=2,1&d=1,2&f=2,1&p=1:0,-1:2&mode=reflect&in=4&out=6&groups=2"
    assert state_of(page(g, view="both", values="symbols")) == f"{words}&view=both&values=symbols"


def test_refusals():
    with pytest.raises(GeometryError, match="`geometry` must have one to three spatial axes"):
        page(ConvGeometry((4,) * 4, (2,) * 4))
    with pytest.raises(OptionError, match="`view` must be one of"):
        page(view="reverse")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="`values` must be one of"):
        Explorer(values="letters")  # type: ignore[arg-type]


def test_notebooks_show_a_frame():
    shown = Explorer(ConvGeometry((6,), (3,)), height=500)._repr_html_()
    (source,) = re.findall(r'srcdoc="([^"]*)"', shown)
    assert html.unescape(source) == page(ConvGeometry((6,), (3,)))
    assert 'height="500"' in shown


def test_the_command_writes_a_file(tmp_path, capsys, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    path = tmp_path / "deep" / "explorer.html"
    main([*"explore --input 6 6 --kernel 3 --strides 2 --padding 1 --view both --out".split(), str(path)])
    assert capsys.readouterr().out.strip() == str(path)
    assert path.read_text("utf-8") == page(ConvGeometry((6, 6), (3, 3), strides=2, padding=1), view="both")
    assert opened == []


def test_the_command_opens_a_browser(capsys, monkeypatch):
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    main(["explore"])
    path = Path(capsys.readouterr().out.strip())
    try:
        assert opened == [path.as_uri()]
        assert state_of(path.read_text("utf-8")) == "i=5,5&k=3,3"
    finally:
        shutil.rmtree(path.parent)


def test_nothing_loads_the_room():
    code = "import sys, jaxconv; print([name for name in sys.modules if name.startswith('jaxconv.explorer')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_file_of_the_page_is_in_the_package():
    folder = Path(jaxconv.__file__).parent / "explorer"
    assert {path.stem for path in folder.glob("*.mjs")} == set(MODULES)
    assert (folder / "page.html").exists()


def test_modules_import_what_exists_and_is_used():
    """The page joins the modules, so that a browser would not notice."""
    folder = Path(jaxconv.__file__).parent / "explorer"
    texts = {name: (folder / f"{name}.mjs").read_text() for name in MODULES}
    exports = {name: set(re.findall(r"^export \w+ (\w+)", text, re.M)) for name, text in texts.items()}
    for name, text in texts.items():
        for names, source in re.findall(r"^import \{([^}]*)\} from \"\./(\w+)\.mjs\";", text, re.M):
            assert MODULES.index(source) < MODULES.index(name)
            body = text[text.rindex("\nimport ") :]
            for imported in re.findall(r"\w+", names):
                assert imported in exports[source], f"{name} imports {imported} from {source}"
                assert len(re.findall(rf"\b{imported}\b", body + text)) > 1


def test_compact_text_is_the_same_program(tmp_path):
    """The whole arithmetic, once as it is written and once as the page has it."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    text = joined("arithmetic", "calls", HERE / "compute.mjs")
    run = f"\nprocess.stdout.write(JSON.stringify(compute({json.dumps(CASES[:300])})));"
    results = []
    for name, program in (("as_written", text), ("compact", compact_script(text))):
        path = tmp_path / f"{name}.mjs"
        path.write_text(program + run)
        done = subprocess.run(["node", path], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        results.append(done.stdout)
    assert results[0] == results[1]
    assert len(compact_script(text)) < 0.9 * len(text)


def test_compact_text_keeps_what_means_something():
    assert compact_script("const a = b - -c + +d;") == "const a=b- -c+ +d;"
    assert compact_script("const r = /[/ ]+ \\/ x/g; // a comment") == "const r=/[/ ]+ \\/ x/g;"
    assert compact_script("f(`a ${ g(`b  ${ {c: 1}.c } `) } d`);") == "f(`a ${g(`b  ${{c:1}.c} `)} d`);"
    assert compact_script("const s = \"a  //  b\" + '/* c */';") == "const s=\"a  //  b\"+'/* c */';"
    assert compact_script("return typeof x\n") == "return typeof x"
    assert compact_style("a > b , c { color : red ; }") == "a > b,c{color :red;}"
