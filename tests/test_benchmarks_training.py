"""The training benchmark runs at a tiny size, and times only what agrees. Times are never asserted."""

import pytest

pytest.importorskip("torch")

from benchmarks import trainable, trainable_torch, training
from benchmarks.agreement import Disagreement

pytestmark = pytest.mark.peers

TINY = trainable.Size(8, 16, 16)


@pytest.mark.parametrize("network", training.NETWORKS)
def test_the_same_network(network):
    assert training.compare(network, TINY) > 10_000


def test_table(monkeypatch):
    """What the processes do, here."""

    def here(module, network, side, *arguments, variables):
        assert module == training.__name__
        assert (side == training.PLAIN) == (variables == {"JAXCONV_ONEDNN": "off"})
        *size, seconds = arguments
        return training.measure(network, side, trainable.Size(*map(int, size)), float(seconds))

    monkeypatch.setattr("benchmarks.timing.ROUNDS", 1)
    monkeypatch.setattr(training, "in_child", here)
    monkeypatch.setattr(training, "compare", lambda network, size: 7)  # tested above
    monkeypatch.setattr(training, "NETWORKS", ("unet",))
    table = training.table(quick=True, size=TINY, seconds=1e-3)
    assert [row.cells["what"] for row in table.rows] == ["forward", "step"]
    assert all(row.cells["PyTorch / ours"] > 0 for row in table.rows)
    assert set(table.rows[1].details) == set(training.SIDES)


def test_another_network_is_refused(monkeypatch):
    monkeypatch.setattr(trainable_torch.Theirs, "gradient_norm", lambda self: 0.0)
    with pytest.raises(Disagreement, match="unet: gradient of PyTorch: differs by"):
        training.compare("unet", TINY)
