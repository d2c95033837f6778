"""VGG against the same network in PyTorch, and files of its weights: good ones, wrong ones, hostile ones."""

import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxconv import GeometryError
from jaxconv.errors import DataError, OptionError
from jaxconv.models import VGG, VGG_BLOCKS, DeconvNet, FCN16s, VGGFeatures
from jaxconv.models.weights import read_arrays

pytestmark = pytest.mark.peers

torch = pytest.importorskip("torch")

BLOCKS = (
    (3, 1),
    (4, 2),
)  # convolutions 0, 3 and 5 in torchvision's numbering, poolings 2 and 7
DENSE, WINDOW, CLASSES = 6, 3, 5
ONES = torch.ones(3)


def peer(blocks=BLOCKS, dense=DENSE, window=WINDOW, classes=CLASSES):
    """Builds VGG with the names of torchvision: `features`, then `classifier` on the flattened map."""
    layers, width = [], 3
    for features, count in blocks:
        for _ in range(count):
            layers += [torch.nn.Conv2d(width, features, 3, padding=1), torch.nn.ReLU()]
            width = features
        layers.append(torch.nn.MaxPool2d(2))
    classifier = [torch.nn.Linear(width * window**2, dense), torch.nn.ReLU(), torch.nn.Dropout()]
    classifier += [torch.nn.Linear(dense, dense), torch.nn.ReLU(), torch.nn.Dropout()]
    classifier.append(torch.nn.Linear(dense, classes))
    parts = {"features": torch.nn.Sequential(*layers), "flatten": torch.nn.Flatten()}
    torch.manual_seed(7)
    return torch.nn.Sequential(OrderedDict(parts, classifier=torch.nn.Sequential(*classifier))).eval()


def blank(model, *arguments, **options):
    """Builds a network of zeros, which is much faster than a random one."""
    sketch = nnx.eval_shape(lambda: model(*arguments, **options, rngs=nnx.Rngs(0)))
    graph, state = nnx.split(sketch)
    return nnx.merge(graph, jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), state))


def ours(weights=None, blocks=BLOCKS, window=WINDOW):
    model = blank(VGG, 3, CLASSES, blocks=blocks, dense=DENSE, window=window, dropout=0.0)
    if weights is not None:
        model.load(weights)
    return model


def run(model, x):
    return jax.jit(lambda x: model(x))(jnp.asarray(x))


def save(path, state):
    """Writes a state_dict the way the file's name says."""
    if path.suffix == ".npz":
        np.savez(path, **{name: value.numpy() for name, value in state.items()})
    elif path.suffix == ".safetensors":
        pytest.importorskip("safetensors.torch").save_file(state, path)
    else:
        torch.save(state, path, _use_new_zipfile_serialization="old" not in path.stem)
    return str(path)


@pytest.mark.parametrize("depth", VGG_BLOCKS)
def test_table_of_the_paper(depth):
    """Layers with parameters, and table 2's millions; shapes alone, without 500 MB."""
    model = nnx.eval_shape(lambda: VGG(3, 1000, blocks=VGG_BLOCKS[depth], rngs=nnx.Rngs(0)))
    sizes = [leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param))]
    assert len(sizes) == 2 * depth
    assert sum(sizes) // 1_000_000 == {11: 132, 13: 133, 16: 138, 19: 143}[depth]
    if depth == 16:
        assert sum(sizes) == 138_357_544


@pytest.mark.parametrize("name", ["a.safetensors", "a.npz", "a.pth", "old.pth"])
def test_weights_from_a_file_give_the_numbers_of_the_peer(tmp_path, rng, name):
    net = peer()
    model = ours(weights=save(tmp_path / name, net.state_dict()))
    x = rng.normal(size=(2, 12, 13, 3)).astype(np.float32)  # 13 // 2 // 2 = 3: a column is dropped
    with torch.no_grad():
        expected = net(torch.from_numpy(x.transpose(0, 3, 1, 2))).numpy()
    np.testing.assert_allclose(run(model, x), expected, atol=2e-6)


@pytest.mark.parametrize("depth", VGG_BLOCKS)
def test_every_depth_of_the_table_is_loaded(tmp_path, rng, depth):
    """At reduced widths: where poolings lie decides the names."""
    blocks = tuple(
        (width, count) for width, (_, count) in zip((2, 3, 4, 5, 6), VGG_BLOCKS[depth], strict=True)
    )
    net = peer(blocks, window=1)
    model = ours(save(tmp_path / "a.npz", net.state_dict()), blocks, window=1)
    x = rng.normal(size=(1, 32, 32, 3)).astype(np.float32)
    with torch.no_grad():
        expected = net(torch.from_numpy(x.transpose(0, 3, 1, 2))).numpy()
    np.testing.assert_allclose(run(model, x), expected, atol=2e-6)
    other = next(name for name in VGG_BLOCKS if name != depth)
    wrong = tuple((width, count) for (width, _), (_, count) in zip(blocks, VGG_BLOCKS[other], strict=True))
    with pytest.raises(DataError, match=r"misses features|unexpectedly, features"):
        blank(VGGFeatures, 3, wrong).load(str(tmp_path / "a.npz"))


def test_segmentation_networks_start_from_a_file(tmp_path):
    """FCN takes fc6 and fc7 as well, or on request not; fc8 never."""
    net = peer()
    path = save(tmp_path / "a.pth", net.state_dict())
    model = FCN16s(3, 2, blocks=BLOCKS, dense=DENSE, window=WINDOW, weights=path, rngs=nnx.Rngs(0))
    fc6 = net.classifier[0].weight.detach().numpy().reshape(DENSE, 4, WINDOW, WINDOW)
    np.testing.assert_array_equal(model.dense[0].kernel[...], fc6.transpose(2, 3, 1, 0))
    first = net.features[0].weight.detach().numpy().transpose(2, 3, 1, 0)
    other, third = blank(FCN16s, 3, 2, blocks=BLOCKS, dense=7), blank(DeconvNet, 3, 2, blocks=BLOCKS)
    other.load(path, dense=False)
    third.load(path)
    for conv in (
        model.features.blocks[0].convs[0],
        other.features.blocks[0].convs[0],
        third.encoder[0].convs[0],
    ):
        np.testing.assert_array_equal(conv.kernel[...], first)
    with pytest.raises(DataError, match=r"classifier\.0\.bias \(6,\) for \(7,\)"):
        other.load(path)


def test_features_take_the_beginning_of_a_deeper_file(tmp_path, rng):
    net = peer()
    features = blank(VGGFeatures, 3, BLOCKS[:1])
    features.load(save(tmp_path / "a.npz", net.state_dict()))
    x = rng.normal(size=(9, 8, 3)).astype(np.float32)
    with torch.no_grad():
        expected = net.features[:2](torch.from_numpy(x.transpose(2, 0, 1))).numpy()
    np.testing.assert_allclose(run(features, x)[-1], expected.transpose(1, 2, 0), atol=2e-6)
    assert [[conv.kernel.shape for conv in block.convs] for block in features.blocks] == [[(3, 3, 3, 3)]]


def test_maps_are_those_before_pooling(rng):
    """Of odd sizes too, where nothing of the border is lost."""
    features = VGGFeatures(2, ((3, 1), (4, 1), (5, 1)), rngs=nnx.Rngs(0))
    maps = run(features, rng.normal(size=(9, 6, 2)).astype(np.float32))
    assert [y.shape for y in maps] == [(9, 6, 3), (5, 3, 4), (3, 2, 5)]
    np.testing.assert_allclose(maps[1], run(features.blocks[1], features.pool(maps[0])), atol=1e-6)
    assert features.pool(maps[0])[4, 0, 1] == maps[0][8, :2, 1].max()


def test_scores_of_a_large_image_are_the_mean_over_its_windows(rng, tmp_path):
    model = ours(save(tmp_path / "a.npz", peer().state_dict()))
    x = jnp.asarray(rng.normal(size=(16, 12, 3)).astype(np.float32))
    y = model.features.pool(model.features(x)[-1])
    expected = sum(_head(model, y[row : row + WINDOW]) for row in range(2)) / 2
    np.testing.assert_allclose(run(model, x), expected, atol=1e-5)


def _head(model, y):
    for layer in (model.fc6, model.fc7):
        y = jax.nn.relu(layer(y))
    return model.fc8(y)[0, 0]


def test_training_and_use_share_one_state():
    model = nnx.eval_shape(lambda: VGG(3, 2, blocks=BLOCKS, dense=4, norm="batch", rngs=nnx.Rngs(0)))
    training = nnx.state(model)
    model.eval()
    assert jax.tree.structure(training) == jax.tree.structure(nnx.state(model))


def test_small_images_and_empty_networks_are_refused():
    with pytest.raises(GeometryError, match=r"at least 12x12, got \(11, 40\)"):
        ours()(jnp.zeros((2, 11, 40, 3), jnp.float32))
    with pytest.raises(OptionError, match="at least one block"):
        VGGFeatures(3, ((4, 0),), rngs=nnx.Rngs(0))


def without(state, *names):
    return {name: value for name, value in state.items() if name not in names}


WRONG = {
    "missing": (
        lambda state: without(state, "features.3.bias", "classifier.6.weight"),
        r"misses classifier\.6\.weight, features\.3\.bias",
    ),
    "unexpected": (lambda state: state | {"head.weight": ONES}, r"unexpectedly, head\.weight"),
    "deeper": (lambda state: state | {"features.7.weight": ONES}, r"unexpectedly, features\.7\.weight"),
    "shape": (lambda state: state | {"features.5.bias": ONES}, r"features\.5\.bias \(3,\) for \(4,\)"),
    "classes": (lambda state: state | {"classifier.6.bias": ONES}, r"classifier\.6\.bias \(3,\) for \(5,\)"),
    "nan": (lambda state: state | {"features.0.bias": ONES / 0}, r"NaN or infinity in features\.0\.bias"),
    "bn": (lambda state: state | {"features.1.running_mean": ONES}, "without `_bn`"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_contents_are_named(tmp_path, case):
    change, message = WRONG[case]
    path = save(tmp_path / "a.npz", change(peer().state_dict()))
    with pytest.raises(DataError, match=message) as caught:
        ours(weights=path)
    assert path in str(caught.value)


def test_a_refused_file_changes_nothing(tmp_path):
    model = ours()
    before = jax.tree.map(jnp.copy, nnx.state(model, nnx.Param))
    with pytest.raises(DataError, match=r"classifier\.6\.bias"):
        model.load(save(tmp_path / "a.npz", WRONG["classes"][0](peer().state_dict())))
    assert all(map(np.array_equal, jax.tree.leaves(before), jax.tree.leaves(nnx.state(model, nnx.Param))))


@pytest.mark.parametrize("name", ["a.safetensors", "a.npz", "a.pth", "old.pth"])
def test_truncated_files_are_named(tmp_path, name):
    path = tmp_path / name
    content = Path(save(path, peer().state_dict())).read_bytes()
    for size in (0, 10, len(content) // 2, len(content) - 5):
        path.write_bytes(content[:size])
        with pytest.raises(DataError, match=name):
            read_arrays(path)


def test_files_of_another_kind(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        read_arrays(tmp_path / "none.npz")
    with pytest.raises(DataError, match=r"\.safetensors.*convert"):
        read_arrays(tmp_path / "a.h5")
    with zipfile.ZipFile(tmp_path / "zip.pth", "w") as archive:
        archive.writestr("readme", "no tensors")
    with pytest.raises(DataError, match=r"zip\.pth.*not one that torch\.save wrote"):
        read_arrays(tmp_path / "zip.pth")
    torch.save({"epoch": 3, "state_dict": peer().state_dict()}, tmp_path / "checkpoint.pth")
    with pytest.raises(DataError, match="'epoch' is not a tensor"):
        read_arrays(tmp_path / "checkpoint.pth")


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64", "int64", "bool"])
@pytest.mark.parametrize("old", [False, True])
def test_torch_files_hold_views_of_any_dtype(tmp_path, dtype, old):
    tensor = torch.arange(24).reshape(4, 6).to(getattr(torch, dtype))
    state = {"part": tensor[1:, ::2].T, "whole": tensor, "scalar": tensor[2, 3], "empty": tensor[:0]}
    state["parameter"] = torch.nn.Parameter(tensor[0], requires_grad=False)
    torch.save(state, tmp_path / "a.pt", _use_new_zipfile_serialization=not old)
    arrays = read_arrays(tmp_path / "a.pt")
    assert arrays.keys() == state.keys()
    for name, array in arrays.items():
        assert str(array.dtype) == dtype
        np.testing.assert_array_equal(array.astype(float), state[name].detach().double().numpy())


class Attack:
    """Runs a command where an ordinary pickle loads it."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.system, (f"touch {self.target}",)


class Outside:
    """A tensor that claims more memory than its storage has."""

    def __init__(self, storage, offset, shape, strides):
        self.arguments = (storage, offset, shape, strides, False, OrderedDict())

    def __reduce__(self):
        return torch._utils._rebuild_tensor_v2, self.arguments


def test_no_code_in_a_file_runs(tmp_path):
    target = tmp_path / "was_here"
    torch.save({"a": torch.ones(2), "b": Attack(target)}, tmp_path / "new.pth")
    torch.save({"b": Attack(target)}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    (tmp_path / "bare.pth").write_bytes(pickle.dumps(Attack(target)))
    for name in ("new", "old"):
        with pytest.raises(DataError, match=rf"{name}\.pth.*system"):
            read_arrays(tmp_path / f"{name}.pth")
    with pytest.raises(DataError, match=r"bare\.pth"):
        read_arrays(tmp_path / "bare.pth")
    assert not target.exists()


@pytest.mark.parametrize(
    "view",
    [(0, (9,), (1,)), (3, (2,), (1,)), (-1, (2,), (1,)), (0, (2,), (-1,)), (0, (10**9,), (0,))],
    ids=str,
)
def test_memory_outside_of_a_storage_is_never_read(tmp_path, view):
    storage = torch.ones(4).untyped_storage()
    typed = torch.storage.TypedStorage(wrap_storage=storage, dtype=torch.float32, _internal=True)
    torch.save({"a": Outside(typed, *view)}, tmp_path / "a.pth")
    with pytest.raises(DataError, match="outside of its storage"):
        read_arrays(tmp_path / "a.pth")
