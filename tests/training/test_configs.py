"""Every configuration that comes with the library runs, has its published size, and states its cost."""

import re

import jax
import numpy as np
import pytest
import trainings
from flax import nnx
from PIL import Image

from jaxconv.data import CAMVID, Stream
from jaxconv.data.camvid_files import CAMVID_VOID
from jaxconv.training import Config, Trained, evaluate, open_data
from jaxconv.training.config import shipped_configs
from jaxconv.training.network import make_metadata
from jaxconv.training.state import build_model

pytestmark = pytest.mark.slow

NAMES = [
    "camvid_deconvnet", "camvid_fcn8s", "camvid_reseg", "camvid_reseg_released", "camvid_unet",
    "digits_fcn8s", "digits_renet", "digits_reseg", "digits_unet",
]  # fmt: skip

# Two steps at the written sizes would take minutes: the same networks with fewer blocks of four features, so
# that they share programs, on CamVid averaged over 6x6 pixels, two examples per step.
FCN = ["model.blocks=[[4, 1], [4, 1], [4, 1]]", "model.dense=4"]
RESEG = ["model.blocks=[[4, 1], [4, 1]]", "model.layers=1", "model.units=4", "model.filters=4"]
NARROW = {
    "camvid_deconvnet": ["model.blocks=[[4, 1], [4, 1]]", "model.dense=4"],
    "camvid_fcn8s": FCN,
    "camvid_reseg": RESEG,
    "camvid_reseg_released": RESEG,
    "camvid_unet": ["model.features=[4, 4]"],
    "digits_fcn8s": FCN,
    "digits_renet": ["model.units=4", "model.dense=[4]"],
    "digits_reseg": RESEG,
    "digits_unet": ["model.features=[4, 4]"],
}
SMALL_DATA = {
    "camvid": ["training.shrink=6", "augmentation.crop=[192, 288]"],
    "digits": ["data.examples=8", "data.held_out_examples=2", "data.canvas=[24, 32]"],
    "digit_images": [],
}


@pytest.fixture(scope="module")
def camvid_folder(tmp_path_factory):
    """Makes two random images per split, in the layout of the SegNet tutorial."""
    folder, rng = tmp_path_factory.mktemp("camvid"), np.random.default_rng(0)
    for split in ("train", "val"):
        for kind, shape, top in (("", (360, 480, 3), 256), ("annot", (360, 480), CAMVID_VOID + 1)):
            (folder / (split + kind)).mkdir()
            for name in ("0001TP_000001", "0016E5_000030"):
                coarse = rng.integers(top, size=(9, 12, *shape[2:]), dtype=np.uint8)
                pixels = coarse.repeat(40, axis=0).repeat(40, axis=1)
                Image.fromarray(pixels).save(folder / (split + kind) / f"{name}.png")
    return folder


def test_all_configurations_are_listed():
    assert list(shipped_configs()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_config_heads_have_command_cost_and_result(name):
    text = shipped_configs()[name].read_text()
    head = "\n".join(text.split("\n[")[0].splitlines())
    assert re.match(r"# \S.*\.\n", head), "a sentence first"
    command = re.search(r"^#   run +jaxconv train configs/(\w+)\.toml", head, re.M)
    assert command, "the command"
    assert command[1] == name
    for line in ("cost", "result"):
        assert re.search(rf"^#   {line} +\S", head, re.M), line


@pytest.mark.parametrize("name", NAMES)
def test_networks_at_their_configured_size(name):
    """The network has scores for images of the size of its data; only shapes are computed."""
    config = Config.read(shipped_configs()[name])
    camvid = config.data.name == "camvid"
    rows, columns, features, n = (360, 480, 3, len(CAMVID)) if camvid else (48, 48, 1, 11)
    if config.data.name == "digit_images":
        rows, columns, n = 8, 8, 10

    def logits(x):
        model = build_model(config, features, n, rngs=nnx.Rngs(0), pretrained=False)
        return model(x)

    found = jax.eval_shape(logits, jax.ShapeDtypeStruct((2, rows, columns, features), "float32"))
    pixels = () if config.data.name == "digit_images" else (rows, columns)
    assert found.shape == (2, *pixels, n)


@pytest.mark.parametrize("name", NAMES)
def test_two_steps_and_an_evaluation(name, camvid_folder):
    path = shipped_configs()[name]
    kind = Config.read(path).data.name
    small = [change for change in SMALL_DATA[kind] if "crop" not in change or "crop" in path.read_text()]
    config = Config.read(path, [*small, *NARROW[name]])
    folder = camvid_folder if kind == "camvid" else None
    train_set, val_set = (open_data(config, split, folder) for split in ("train", "val"))
    take, state, graphs = trainings.first_step(config, train_set)
    shrink = config.training.shrink
    stream = Stream(train_set, 2, augmentation=config.augmentation, seed=config.seed, shrink=shrink)
    for step in range(2):
        state, record = take(state, stream.batch(step))
        assert np.isfinite(float(record["loss"]))
    trained = Trained.of(config, make_metadata(config, train_set), graphs, state)
    found = evaluate(trained, val_set, batch_size=2)
    assert (trained.step, found["examples"]) == (2, len(val_set))
    assert 0 <= found["mean_iou" if train_set.task == "segmentation" else "top1"] <= 1
    if kind == "camvid":
        assert found["resolution"] == [360, 480]
        assert list(found["per_class_iou"]) == list(CAMVID.names)
