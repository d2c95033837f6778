"""An exported network runs in a process that does not import jaxconv."""

import json
import subprocess
import sys

import jax
import numpy as np
import pytest
from networks import classifier, convolutional, images

from jaxconv.errors import OptionError
from jaxconv.training import predict
from jaxconv.training.export import export, write_export

RUN = """
import sys
import numpy as np
from jax import export
network = export.deserialize(bytearray(open(sys.argv[1], "rb").read()))
np.save(sys.argv[3], np.asarray(network.call(np.load(sys.argv[2]))))
assert not [name for name in sys.modules if name.split(".")[0] in ("jaxconv", "flax")]
"""


def run_alone(folder, file, x):
    np.save(folder / "x.npy", x)
    paths = [str(file), str(folder / "x.npy"), str(folder / "y.npy")]
    subprocess.run([sys.executable, "-I", "-c", RUN, *paths], check=True)
    return np.load(folder / "y.npy")


def test_an_exported_network_runs_without_jaxconv(tmp_path, rng):
    network, x = convolutional(rng), images(rng, 3, 10, 12, 3)
    file, beside = write_export(network, tmp_path / "new" / "net.bin", (10, 12), output="probabilities")
    logits = np.asarray(network.logits(x)).astype(float)
    expected = np.exp(logits - logits.max(-1, keepdims=True))
    expected /= expected.sum(-1, keepdims=True)
    found = run_alone(tmp_path, file, x)
    assert found.dtype == np.float32
    assert found.shape == (3, 10, 12, 4)
    # An error of eps in a logit is one of eps |logit| in its exponential; below `tiny` all is flushed to 0.
    tiny = np.finfo(np.float32).tiny
    assert (
        abs(found - expected) <= 8 * np.finfo(np.float32).eps * (1 + abs(logits).max()) * expected + tiny
    ).all()
    description = json.loads(beside.read_text())
    assert description["classes"] == ["class 0", "class 1", "class 2", "class 3"]
    assert description["colors"][1] == [20, 160, 60]
    assert description["input"] == {"shape": ["b", 10, 12, 3], "dtype": "float32", "range": [0, 1]}
    assert description["output"] == {"what": "probabilities", "dtype": "float32", "shape": ["b", 10, 12, 4]}
    assert (description["shrink"], description["step"], description["platforms"]) == (
        1,
        7,
        ["cpu", "cuda", "tpu"],
    )


def test_labels_at_the_size_of_the_images(rng):
    network = convolutional(rng, shrink=2)
    exported = jax.export.deserialize(export(network, (11, 9)).serialize())
    assert exported.platforms == ("cpu", "cuda", "tpu")
    assert exported.nr_devices == 1
    for n in (1, 4):
        x = images(rng, n, 11, 9, 3)
        labels = np.asarray(exported.call(x))
        assert labels.dtype == np.int32
        np.testing.assert_array_equal(labels, predict(network, x))


def test_a_classifier(rng):
    network, x = classifier(rng), images(rng, 5, 8, 8, 1)
    exported = export(network, (8, 8), platforms=("cpu",))
    np.testing.assert_array_equal(np.asarray(exported.call(x)), predict(network, x))


def test_bad_sizes(rng):
    for size in ((0, 4), (4,)):
        with pytest.raises(OptionError, match="rows and columns"):
            export(convolutional(rng), size)
