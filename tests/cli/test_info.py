"""`jaxconv info`: versions, devices, and what was found of oneDNN."""

import json
import platform

import jax
import pytest

import jaxconv
from jaxconv.cli import main
from jaxconv.cli.info import onednn_line
from jaxconv.convolution import native


def test_prints_versions_devices_and_onednn(capsys, tmp_path):
    main(["info", "--json", str(tmp_path / "new" / "info.json")])
    text = capsys.readouterr().out
    found = json.loads((tmp_path / "new" / "info.json").read_text())
    assert found["versions"]["jaxconv"] == jaxconv.__version__
    assert found["versions"]["jax"] == jax.__version__
    assert found["python"] == platform.python_version()
    assert len(found["devices"]) == jax.device_count()
    assert found["onednn"]["available"] == native.available()
    for part in (jaxconv.__version__, jax.__version__, "cpu", onednn_line(found["onednn"])):
        assert part in text


@pytest.mark.parametrize(
    ("state", "line"),
    [
        (native.State(True, "", "/lib/libdnnl.so.3", "3.7.1", "OpenMP"), "3.7.1 (OpenMP), /lib/libdnnl.so.3"),
        (native.State(False, "JAXCONV_ONEDNN=off"), "not used: JAXCONV_ONEDNN=off"),
        (
            native.State(False, "no oneDNN (libdnnl.so.3) was found"),
            "not used: no oneDNN (libdnnl.so.3) was found; "
            "pip install 'jaxconv[onednn]', or see docs/onednn.md",
        ),
        (
            native.State(False, "the CPU has AVX", "/lib/libdnnl.so.3", "3.7.1", "OpenMP"),
            "not used: the CPU has AVX (found 3.7.1 (OpenMP), /lib/libdnnl.so.3)",
        ),
    ],
    ids=["available", "off", "missing", "unusable"],
)
def test_one_line_on_onednn(state, line):
    assert onednn_line(vars(state)) == line
