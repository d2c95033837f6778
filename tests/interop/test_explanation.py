"""What `jaxconv.explain` says, and that it makes no arrays."""

import subprocess
import sys

import pytest

from jaxconv import ConvGeometry, OptionError
from jaxconv.convolution import auto, native
from jaxconv.convolution.native import handler
from jaxconv.interop.explanation import explain


@pytest.fixture(autouse=True)
def without_onednn(monkeypatch):
    """The rules that hold everywhere; tests/convolution/test_onednn.py has those beside a oneDNN."""
    states = handler._States()
    states.first = states.last = native.State(False, "switched off by a test")
    monkeypatch.setattr(handler, "_states", states)


DEPTHWISE = ConvGeometry((56, 56), (3, 3), in_features=64, out_features=64, feature_group_count=64)


def test_text_names_sizes_calls_and_rules():
    text = str(explain(DEPTHWISE, batch=4))
    for part in (
        repr(DEPTHWISE),
        "relationship 1: ",
        "matrix C            186,624 x 200,704 with 1,679,616 entries (0.00448%)",
        "nn.Conv2d(64, 64, (3, 3), (1, 1), padding=(0, 0), groups=64, bias=False)",
        'method="auto" for a batch of 4 maps',
        "every input feature is a",
        "3x3 over 4x56x56x64: direct 17.6",
        "excluded: 3x3x3, 1 to 1",
        "all three       │ others   │ direct │ no other rule applies",
    ):
        assert part in text
    assert repr(explain(DEPTHWISE, batch=4)) == text
    assert max(map(len, text.splitlines())) <= 120


def test_rules_follow_the_batch():
    g = ConvGeometry((96, 128), (3, 3), in_features=3, out_features=16, padding="SAME")
    assert explain(g, batch=4).rules()["conv"].method == "im2col"
    assert explain(g, batch=64).rules()["conv"].method == "direct"


def test_rules_are_those_of_the_padded_map():
    """Other padding modes pad first: the convolution that is left has a larger input."""
    g = ConvGeometry((40,), (3,), padding=2, padding_mode="circular", in_features=4, out_features=2)
    rules = explain(g, batch=3).rules()
    assert rules["conv"].method == auto.method_for_conv(g.prepadded(), 3)
    assert rules["conv_transpose"].method == auto.method_for_conv_transpose(g.prepadded(), 3)
    assert rules["conv_kernel_vjp"].method == auto.method_for_conv_kernel_vjp(g.prepadded(), 3)


def test_other_platforms():
    assert explain(DEPTHWISE).rule_off_cpu().method == "direct"
    assert explain(ConvGeometry((128, 128), (31, 31))).rule_off_cpu().method == "fft"


def test_mistakes_are_refused():
    with pytest.raises(
        TypeError, match=r"`geometry` must be a jaxconv\.ConvGeometry, got \(6, 6\); make one"
    ):
        explain((6, 6))
    with pytest.raises(OptionError, match="`batch` must be at least 1"):
        explain(DEPTHWISE, batch=0)
    with pytest.raises(TypeError, match="`batch` must be an integer"):
        explain(DEPTHWISE, batch=2.0)


def test_no_array_is_made():
    """No backend is started, which an array would need."""
    code = """
from jaxconv import ConvGeometry
from jaxconv.interop.explanation import explain
print(explain(ConvGeometry((6,), (3,), padding=1)))
from jax._src import xla_bridge
assert not xla_bridge._backends
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
