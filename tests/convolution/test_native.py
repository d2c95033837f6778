"""How oneDNN is found, and that whatever is wrong with one ends in a reason: no crash and no wrong number."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from messages import BadCall, check

from jaxconv import ConvGeometry, GeometryError, conv, explain
from jaxconv.convolution import native
from jaxconv.convolution.formulations import onednn
from jaxconv.convolution.native import handler, library, self_test

HAS_OBJECT = handler.OBJECT.exists()
needs_object = pytest.mark.skipif(not HAS_OBJECT, reason="jaxconv was built without its native part")


class TestEnvironmentVariable:
    """`JAXCONV_ONEDNN` decides by hand; what it names is used or refused, and nothing else is looked for."""

    @pytest.mark.parametrize("word", ["off", "OFF"])
    def test_off(self, monkeypatch, word):
        monkeypatch.setenv(library.VARIABLE, word)
        with pytest.raises(library.UnusableError, match="JAXCONV_ONEDNN=off"):
            library.load()

    def test_no_file(self, monkeypatch, tmp_path):
        monkeypatch.setenv(library.VARIABLE, str(tmp_path / "none.so"))
        with pytest.raises(library.UnusableError, match=r"none\.so.*JAXCONV_ONEDNN must be"):
            library.load()

    def test_a_text(self, monkeypatch, tmp_path):
        file = tmp_path / "libdnnl.so.3"
        file.write_text("not a library\n")
        monkeypatch.setenv(library.VARIABLE, str(file))
        with pytest.raises(library.UnusableError, match=r"libdnnl\.so\.3"):
            library.load()


def compiled(folder, code):
    """Compiles C code to a library; a program without a compiler has nothing to try."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler to make a library with")
    source, target = folder / "fake.c", folder / "libdnnl.so.3"
    source.write_text(code)
    subprocess.run([compiler, "-shared", "-fPIC", source, "-o", target], check=True)
    return str(target)


VERSION = """
struct version {{ int major, minor, patch; const char *hash; unsigned cpu, gpu; }};
static struct version it = {{ {major}, 7, 1, "", 2, 0 }};
const struct version *dnnl_version(void) {{ return &it; }}
int dnnl_get_effective_cpu_isa(void) {{ return {isa}; }}
"""


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("int nothing;", "has no function dnnl_version"),
        (VERSION.format(major=2, isa=0x27), r"oneDNN 2\.7\.1, where version 3 is needed"),
        (VERSION.format(major=4, isa=0x27), r"oneDNN 4\.7\.1, where version 3 is needed"),
    ],
    ids=["another library", "older", "newer"],
)
def test_other_libraries(monkeypatch, tmp_path, code, reason):
    monkeypatch.setenv(library.VARIABLE, compiled(tmp_path, code))
    with pytest.raises(library.UnusableError, match=reason):
        library.load()


@needs_object
@pytest.mark.parametrize(
    ("isa", "reason"),
    [(0x3, "the CPU has AVX, and oneDNN needs AVX2"), (0x27, "a oneDNN without dnnl_engine_create")],
    ids=["old CPU", "functions missing"],
)
def test_libraries_that_cannot_be_used_here(monkeypatch, tmp_path, isa, reason):
    monkeypatch.setattr(handler.platform, "machine", lambda: "x86_64")
    monkeypatch.setenv(library.VARIABLE, compiled(tmp_path, VERSION.format(major=3, isa=isa)))
    state = handler.connect()
    assert not state.available
    assert reason in state.reason
    assert (state.version, state.runtime) == ("3.7.1", "OpenMP")


def test_without_the_native_part(monkeypatch, tmp_path):
    monkeypatch.setattr(handler, "OBJECT", tmp_path / "none.so")
    handler._object.cache_clear()
    try:
        state = handler.connect()
        (tmp_path / "none.so").write_text("not a library")
        damaged = handler.connect()
    finally:
        handler._object.cache_clear()
    assert "built without its native part" in state.reason
    assert "the native part cannot be loaded" in damaged.reason
    assert not state.available
    assert not damaged.available


@needs_object
@pytest.mark.parametrize("failure", [ValueError("no"), "conv differs"], ids=["error", "difference"])
def test_a_failing_self_test_is_a_reason(monkeypatch, failure):
    def run():
        if isinstance(failure, str):
            return failure
        raise failure

    monkeypatch.setattr(self_test, "run", run)
    assert handler.try_handler() == f"its self-test failed: {failure}"


@needs_object
def test_a_handler_that_jaxlib_refuses_is_a_reason(monkeypatch):
    """As one that was compiled with the headers of a later jaxlib."""

    def refuse(*args, **kwargs):
        raise RuntimeError("API version (0.9) is incompatible")

    monkeypatch.setattr(jax.ffi, "register_ffi_target", refuse)
    assert "reinstall jaxconv): API version (0.9)" in handler.try_handler()


def test_the_self_test_sees_a_difference(monkeypatch):
    """Also where only one number of one member is off."""
    if not native.available():
        pytest.skip(f"no oneDNN to test: {native.state().reason}")
    assert self_test.run() == ""
    right = self_test.call
    for kind in native.Kind:
        wrong = lambda k, a, b, g, kind=kind: right(k, a, b, g).at[-1, -1, -1, -1].add(float(k == kind))  # noqa: E731
        monkeypatch.setattr(self_test, "call", wrong)
        assert self_test.run().startswith(kind.name.lower())


@pytest.fixture
def unavailable(monkeypatch):
    """Behaves as if no oneDNN was found."""
    states = handler._States()
    states.first = states.last = native.State(False, "no oneDNN (libdnnl.so.3) was found")
    monkeypatch.setattr(handler, "_states", states)


def test_without_it_auto_chooses_as_ever(unavailable):
    g = ConvGeometry((9, 8), (3, 3), in_features=16, out_features=16)
    assert not any(onednn.is_for(kind, g, 2, np.float32) for kind in native.Kind)
    assert [rule.method for rule in explain(g).rules().values()] == ["direct", "direct", "split_im2col"]


def test_by_name_without_it_is_an_error_that_names_the_way(unavailable):
    x, kernel = jnp.ones((5, 6, 2), np.float32), jnp.ones((3, 3, 2, 3), np.float32)
    for call in (lambda: conv(x, kernel, method="onednn"), lambda: jax.eval_shape(
        lambda: conv(x, kernel, method="onednn"))):  # fmt: skip
        with pytest.raises(GeometryError, match=r"no oneDNN .*pip install 'jaxconv\[onednn\]'.*jaxconv info"):
            call()


X, KERNEL = jnp.ones((2, 6, 7, 4), np.float32), jnp.ones((3, 3, 4, 8), np.float32)
CASES = [
    BadCall(
        "input dilation",
        lambda: conv(X, KERNEL, input_dilation=2, method="onednn"),
        ('`method`="onednn"', "an input dilation of 1", "got (2, 2)", '"auto"'),
        GeometryError,
    ),
    BadCall(
        "volumes with much padding, whose gradient oneDNN 3.2 gets wrong",
        lambda: conv(
            jnp.ones((3, 5, 5, 2)), jnp.ones((4, 1, 4, 2, 2)), padding=((3, 2), 0, 3), method="onednn"
        ),
        ('`method`="onednn"', "at most half a window on the first of three axes", "((3, 2), (0, 0), (3, 3))"),
        GeometryError,
    ),
    BadCall(
        "crops",
        lambda: conv(X, KERNEL, padding=((0, -1), 0), method="onednn"),
        ('`method`="onednn"', "padding that is not negative", "(0, -1)"),
        GeometryError,
    ),
    BadCall(
        "four axes",
        lambda: conv(jnp.ones((3, 3, 3, 3, 1)), jnp.ones((2, 2, 2, 2, 1, 1)), method="onednn"),
        ('`method`="onednn"', "at most 3 spatial axes, got 4"),
        GeometryError,
    ),
    BadCall(
        "a stride past 32 bits",
        lambda: conv(X, KERNEL, strides=(1, 2**31 - 1), method="onednn"),
        ('`method`="onednn"', "less than 2 GB", "2147483647", '"auto"'),
        GeometryError,
    ),
    BadCall(
        "a dilation past 32 bits",
        lambda: conv(X, KERNEL[:, :1], kernel_dilation=(1, 2**32), method="onednn"),
        ('`method`="onednn"', "less than 2 GB", "4294967296"),
        GeometryError,
    ),
    BadCall(
        "double precision",
        lambda: conv(X.astype(np.float64), KERNEL.astype(np.float64), method="onednn"),
        ('`method`="onednn"', "float32", "float64"),
        GeometryError,
    ),
    BadCall(
        "a result in double precision",
        lambda: conv(X, KERNEL, preferred_element_type=np.float64, method="onednn"),
        ('`method`="onednn"', "float32", "a result of float64"),
        GeometryError,
    ),
    BadCall(
        "complex numbers",
        lambda: conv(X.astype(np.complex64), KERNEL.astype(np.complex64), method="onednn"),
        ('`method`="onednn"', "float32", "complex64"),
        GeometryError,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_messages_of_what_it_does_not_take(case):
    """The same whether there is a oneDNN or not."""
    check(case)


@pytest.mark.slow
def test_a_bad_library_changes_no_number(tmp_path):
    """In a process of its own: `jaxconv info` says why, and convolutions are right."""
    file = tmp_path / "libdnnl.so.3"
    file.write_text("not a library\n")
    code = """
import jax.numpy as jnp, jaxconv
from jaxconv.cli import main
print(jaxconv.conv(jnp.ones((1, 4, 4, 2)), jnp.ones((3, 3, 2, 2))).ravel().tolist())
main(["info"])
"""
    command = [sys.executable, "-c", code]
    environment = {**os.environ, library.VARIABLE: str(file)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(str([18.0] * 8))
    assert f"not used: {file}" in done.stdout


@pytest.mark.slow
def test_a_cpu_without_avx2_is_a_reason():
    """oneDNN itself is told to do without; the variable is its own."""
    if not native.available() or "x86" not in handler.platform.machine():
        pytest.skip("no oneDNN for x86-64")
    code = "from jaxconv.convolution import native; print(native.found().reason)"
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "the CPU has AVX, and oneDNN needs AVX2 to be fast\n"


def test_loading_waits_for_the_first_program():
    """`import jaxconv`, a trace and an export load neither the library nor the handler."""
    code = """
import jax, jax.numpy as jnp, jaxconv
from jaxconv.convolution.native import handler
x, w = jax.ShapeDtypeStruct((1, 8, 8, 4), "float32"), jax.ShapeDtypeStruct((3, 3, 4, 4), "float32")
jax.make_jaxpr(jaxconv.conv)(x, w)
jax.export.export(jax.jit(jaxconv.conv))(x, w)
assert handler._states.first is None
jax.jit(jaxconv.conv).lower(x, w)
assert handler._states.first is not None
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_source_of_the_handler_is_part_of_the_package():
    assert {"handler.cpp", "plan.h", "dnnl.h"} <= {
        file.name for file in Path(native.__file__).parent.iterdir()
    }
