"""Scores over a whole split, compared with scikit-learn and with counts by hand."""

import json
from dataclasses import dataclass, replace
from typing import Any

import jax
import numpy as np
import pytest
from networks import Network, classes, classifier, convolutional, images
from sklearn import metrics

from jaxconv.data import VOID, Example
from jaxconv.errors import DataError
from jaxconv.training import evaluate, predict
from jaxconv.training.inference import downsample_images
from jaxconv.training.report import draw_run


@dataclass(frozen=True)
class Data:
    """A list of examples as a data set."""

    examples: list
    classes: Any
    in_features: int = 3
    task: str = "segmentation"

    def __len__(self):
        return len(self.examples)

    def __getitem__(self, index):
        return self.examples[index]


def labelled(rng, network, *shapes):
    """Makes random images, and labels that the network predicts for about three pixels in five."""
    examples = []
    for number, shape in enumerate(shapes):
        image = images(rng, *shape, network.in_features)
        guess = rng.integers(0, len(network.classes.names), shape)
        label = np.where(rng.uniform(size=shape) < 0.6, predict(network, image), guess).astype(np.int32)
        label[rng.uniform(size=shape) < 0.1] = VOID
        examples.append(Example(str(number), image, label))
    return Data(examples, network.classes, network.in_features)


@pytest.mark.parametrize("shrink", [1, 2])
def test_every_example_counts_once_at_the_labels_size(shrink, rng):
    network = convolutional(rng, shrink=shrink)
    shapes = [(9, 12), (9, 12), (9, 12), (12, 9), (9, 12), (12, 9)]
    data, done = labelled(rng, network, *shapes), []
    found = evaluate(network, data, batch_size=2, progress=done.append)
    truth = np.concatenate([example.label.ravel() for example in data.examples])
    guess = np.concatenate([predict(network, example.image).ravel() for example in data.examples])
    counted = truth != VOID
    each = metrics.jaccard_score(truth[counted], guess[counted], average=None)
    share = np.bincount(truth[counted]) / counted.sum()
    expected = {
        "mean_iou": each.mean(),
        "global_accuracy": metrics.accuracy_score(truth[counted], guess[counted]),
        "mean_class_accuracy": metrics.balanced_accuracy_score(truth[counted], guess[counted]),
        "frequency_weighted_iou": share @ each,
    }
    assert {key: found[key] for key in expected} == pytest.approx(expected, rel=1e-12)
    assert found["per_class_iou"] == pytest.approx(
        dict(zip(network.classes.names, each, strict=True)), rel=1e-12
    )
    assert (found["task"], found["examples"], found["resolution"]) == ("segmentation", 6, "mixed")
    assert sum(done) == 6
    assert evaluate(network, labelled(rng, network, (9, 12)), batch_size=4)["resolution"] == [9, 12]


def test_one_program_serves_all_batches(rng):
    network = convolutional(rng, shrink=2)
    data = labelled(rng, network, *[(10, 14)] * 5)
    traced = []

    def counting(parameters, x):
        traced.append(x.shape)
        return network.function(parameters, x)

    jitted = jax.jit(counting)
    evaluate(replace(network, function=jitted), data, batch_size=2)
    assert traced == [(2, 5, 7, 3)]


def test_void_as_false_positive(rng):
    network = convolutional(rng)
    data = labelled(rng, network, (16, 16), (16, 16))
    found = evaluate(network, data, void_as_false_positive=True)
    pairs = [(example.label, predict(network, example.image)) for example in data.examples]
    truth, guess = (np.stack(part) for part in zip(*pairs, strict=True))
    for c, name in enumerate(network.classes.names):
        union = ((truth == c) | (guess == c)).sum()
        assert found["per_class_iou"][name] == pytest.approx(((truth == c) & (guess == c)).sum() / union)
    assert found["void_as_false_positive"]
    plainly = evaluate(network, data)
    assert found["mean_iou"] < plainly["mean_iou"]
    assert found["global_accuracy"] == plainly["global_accuracy"]


def test_classes_that_never_occur_are_null_in_json():
    def first_class(parameters, x):
        return jax.nn.one_hot(jax.numpy.zeros(x.shape[:3], int), 3, dtype="float32")

    network = Network(first_class, (), classes(3), 1)
    example = Example("a", np.zeros((4, 4, 1), np.float32), np.zeros((4, 4), np.int32))
    found = evaluate(network, Data([example], classes(3), 1))
    assert found["per_class_iou"] == {"class 0": 1.0, "class 1": None, "class 2": None}
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    nothing = Example("a", example.image, np.full((4, 4), VOID, np.int32))
    assert evaluate(network, Data([nothing], classes(3), 1))["mean_iou"] is None


def test_classification(rng):
    network = classifier(rng)
    examples = [Example(str(n), images(rng, 8, 8, 1), np.array(n % 6, np.int32)) for n in range(11)]
    found = evaluate(network, Data(examples, network.classes, 1, "classification"), batch_size=4)
    logits = np.asarray(network.logits(np.stack([example.image for example in examples])))
    truth = np.arange(11) % 6
    assert found["confusion"] == metrics.confusion_matrix(truth, logits.argmax(-1), labels=range(6)).tolist()
    assert found["top1"] == metrics.accuracy_score(truth, logits.argmax(-1))
    assert found["top5"] == metrics.top_k_accuracy_score(truth, logits, k=5, labels=range(6))
    assert found["examples"] == 11


def test_the_device_shrinks_as_the_loader_does(rng):
    from jaxconv.data import downsample_image

    image = images(rng, 11, 14, 3)
    for shrink in (1, 2, 3, 5):
        ours = np.asarray(downsample_images(image[None], shrink))[0]
        bound = 2 * shrink**2 * np.finfo(np.float32).eps
        assert abs(ours - downsample_image(image, shrink)).max() <= bound


def test_data_of_another_kind_are_refused(rng):
    network = convolutional(rng)
    with pytest.raises(DataError, match="has no examples"):
        evaluate(network, Data([], network.classes))
    example = labelled(rng, network, (4, 4)).examples
    for data, message in (
        (
            Data(example, classes(3)),
            "must have the classes .*: class 0, .* class 3; got class 0, class 1, class 2",
        ),
        (Data(example, network.classes, 1), "must have the number of features .*: 3; got 1"),
        (
            Data(example, network.classes, 3, "classification"),
            "must have the task .*: segmentation; got classification",
        ),
    ):
        with pytest.raises(DataError, match=message):
            evaluate(network, data)


def test_pictures_of_a_run(tmp_path, rng):
    network = convolutional(rng)
    data = labelled(rng, network, *[(16, 20)] * 3)
    line = {"step": 7, **evaluate(network, data)}
    written = draw_run(tmp_path, [{"step": 7, "loss": 1.0}, line], network, data, count=2)
    assert [path.name for path in written] == ["curves.png", "overlays.png"]
    assert all(path.stat().st_size > 5000 for path in written)
    digits = Data(
        [Example("a", images(rng, 8, 8, 1), np.array(2, np.int32))], classes(6), 1, "classification"
    )
    assert [path.name for path in draw_run(tmp_path, [], classifier(rng), digits)] == ["curves.png"]
