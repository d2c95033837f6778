"""Messages about mistakes with configurations, runs, data and images."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import jax.numpy as jnp
import networks
import numpy as np
import pytest
from messages import BadCall, check
from PIL import Image
from rich.console import Console

from jaxconv.data import Classes, Example
from jaxconv.errors import ConfigError, DataError, GeometryError, OptionError
from jaxconv.training import Config, evaluate, load, open_data, predict, train
from jaxconv.training.checkpoints import Checkpoints
from jaxconv.training.checks import check_data, check_model
from jaxconv.training.config import shipped_config
from jaxconv.training.devices import batch_mesh
from jaxconv.training.export import export
from jaxconv.training.inference import label_files, name_images
from jaxconv.training.log import DivergenceError, TrainingLog, read_log, read_log_until
from jaxconv.training.loop import _starting_step
from jaxconv.training.options import convert_options
from jaxconv.training.run_folder import RunError, folder_lock, recorded_data, write_errors
from jaxconv.training.state import preprocess

QUIET = Console(quiet=True)


def configured(*changes: str, **tables: object) -> Config:
    """Returns the configuration of U-Net on CamVid with changes."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "config.toml"
        path.write_text(Config.of({"model": {"name": "unet"}, "data": {"name": "camvid"}, **tables}).toml())
        return Config.read(path, changes)


def bare(**tables: object) -> Config:
    return Config.of({"model": {"name": "unet"}, "data": {"name": "shapes"}, **tables})


class Images:
    """Forty images of 36x48 pixels and two classes."""

    classes, in_features, task = Classes(("a", "b"), ((0, 0, 0), (9, 9, 9))), 3, "segmentation"

    def __len__(self) -> int:
        return 40

    def __getitem__(self, index: int) -> Example:
        return Example(f"n{index}", np.zeros((36, 48, 3), np.float32), np.zeros((36, 48), np.int32))


class NoImages(Images):
    def __len__(self) -> int:
        return 0


class Grey(Images):
    in_features = 1


def network(seed: int = 0):
    return networks.convolutional(np.random.default_rng(seed))


def zeros(*shape: int, dtype: type = np.float32) -> np.ndarray:
    return np.zeros(shape, dtype)


def within(action: Callable[[Path], object]) -> Callable[[], object]:
    """Calls an action on the folder of a run that is deleted afterwards."""

    def call() -> object:
        with TemporaryDirectory() as folder:
            (Path(folder) / "run").mkdir()
            return action(Path(folder) / "run")

    return call


def eight_devices(action: Callable[[], object], processes: int = 1) -> Callable[[], object]:
    """Calls an action where jax has eight devices, whatever this machine has."""

    def call() -> object:
        count = mock.patch("jax.process_count", return_value=processes)
        with mock.patch("jax.devices", return_value=[None] * 8), count:
            return action()

    return call


def not_toml(run: Path) -> object:
    (run / "a.toml").write_text("[model\nname = 3")
    return Config.read(run / "a.toml")


def log_of(text: str, step: int = 0) -> Callable[[], object]:
    def read(run: Path) -> object:
        (run / "log.jsonl").write_text(text)
        return read_log_until(run / "log.jsonl", step) if step else read_log(run / "log.jsonl")

    return within(read)


def lost(run: Path) -> object:
    (run / "saved").touch()
    return load(run)


def not_begun(run: Path) -> object:
    (run / "checkpoints").mkdir()
    return load(run)


def incomplete(run: Path) -> object:
    (run / "checkpoints" / "3").mkdir(parents=True)
    return load(run)


def damaged_record(run: Path) -> object:
    (run / "environment.json").write_text("[]")
    return recorded_data(run)


def locked_twice(run: Path) -> object:
    with folder_lock(run, QUIET), folder_lock(run, QUIET):
        return None


def full_disk(run: Path) -> object:
    with write_errors(run):
        raise OSError(28, "No space left on device")


def diverged(run: Path) -> object:
    log = TrainingLog(run / "log.jsonl", [], 8, "mean_iou")
    try:
        log.write_step(1, {"loss": jnp.float32(2.5)}, 0.0)
        return log.write_step(2, {"loss": jnp.float32(np.nan)}, 0.0)
    finally:
        log.close()


class Saved(Checkpoints):
    """Checkpoints of another training, the last at step 3."""

    recover = check_not_lost = lambda self: None

    def find_step(self, which: str = "last") -> int:
        return 3

    def check_earlier(self, step: int) -> None:
        pass

    def read_metadata(self, step: int) -> dict:
        return {"config": bare(seed=1).tables(), "examples": 5, "devices": 1}


def resumed(which: str | None) -> Callable[[], object]:
    metadata = {"config": bare().tables(), "examples": 6, "devices": 1}
    return within(lambda run: _starting_step(run, Saved(run), metadata, which, QUIET))


def two_of_one_name(run: Path) -> object:
    for name in ("x", "y"):
        (run / name).mkdir()
        Image.new("RGB", (2, 2)).save(run / name / "a.png")
    return name_images([run / "x" / "a.png", run / "y" / "a.png"], run / "out")


def small_tiles(run: Path) -> object:
    Image.new("RGB", (50, 40)).save(run / "a.png")
    return next(label_files(network(), {"a": run / "a.png"}, run / "out", max_pixels=100))


def changed(*changes: str) -> Callable[[], object]:
    return lambda: configured(*changes)


CASES = [
    # A configuration.
    BadCall("a file that is not TOML", within(not_toml), ("a.toml is not TOML", "line 1"), ConfigError),
    BadCall("no model", lambda: Config.of({}), ("[model] needs a `name`", "unet"), ConfigError),
    BadCall("another model", changed("model.name=unit"), ("`model.name`", "'unit'", "`unet`?"), ConfigError),
    BadCall("a table of no name", changed("trainin.steps=3"), ("`trainin`", "`training`?"), ConfigError),
    BadCall("a key outside of its table", changed("steps=3"), ("`steps`", "`training.steps`?"), ConfigError),
    BadCall("another option", changed("training.step=3"), ("[training]", "`step`", "`steps`?"), ConfigError),
    BadCall("a table as a number", lambda: bare(training=3), ("`training` must be a table",), ConfigError),
    BadCall("a table that is none", changed("training=3", "training.steps=1"), ("`training`",), ConfigError),
    BadCall("a change without =", changed("training.steps"), ("training.steps=100", "got"), ConfigError),
    BadCall(
        "steps below 1", changed("training.steps=0"), ("`training.steps`", "from 1", "got 0"), ConfigError
    ),
    BadCall(
        "steps as a fraction", changed("training.steps=1e3"), ("`training.steps`", "integer"), ConfigError
    ),
    BadCall(
        "a number as a string", lambda: bare(training={"steps": "100"}), ("`training.steps`",), ConfigError
    ),
    BadCall(
        "a rate as a string",
        changed("schedule.learning_rate='0.1'"),
        ("`schedule.learning_rate`",),
        ConfigError,
    ),
    BadCall(
        "a bool as a word",
        changed("optimizer.name=sgd", "optimizer.nesterov=no"),
        ("`optimizer.nesterov` must be true or false, got 'no'",),
        ConfigError,
    ),
    BadCall(
        "a bool as a number",
        changed("optimizer.name=sgd", "optimizer.nesterov=1"),
        ("`optimizer.nesterov` must be true or false, got 1",),
        ConfigError,
    ),
    BadCall(
        "a probability as a string",
        changed("augmentation.flip='0.5'"),
        ("`augmentation.flip`", "number"),
        ConfigError,
    ),
    BadCall(
        "a probability above 1", changed("augmentation.flip=2"), ("[augmentation]", "`flip`"), ConfigError
    ),
    BadCall(
        "a crop as a number",
        changed("augmentation.crop=8"),
        ("`augmentation.crop`", "list of 2"),
        ConfigError,
    ),
    BadCall(
        "a word of no choice",
        changed("training.precision=float16"),
        ("`training.precision`", '"bfloat16"'),
        ConfigError,
    ),
    BadCall("a seed below 0", changed("seed=-1"), ("`seed`", "from 0", "got -1"), ConfigError),
    BadCall(
        "a list of thousands",
        changed(f"model.features={[8] * 5000}"),
        ("`model.features`", "..."),
        ConfigError,
    ),
    BadCall(
        "an option of a function",
        lambda: convert_options({"rate": 1}, {"momentum": (float, 0.9)}, "optimizer"),
        ("[optimizer]", "`rate`", "momentum"),
        ConfigError,
    ),
    BadCall(
        "another shipped configuration",
        lambda: shipped_config("digit_unet"),
        ("'digit_unet'", "`digits_unet`?"),
        ConfigError,
    ),
    # A configuration and its data.
    BadCall(
        "a crop beyond the images",
        lambda: check_data(configured("augmentation.crop=[60, 40]"), Images(), Images(), files=True),
        ("`augmentation.crop` is 60x40", "36x48", "lower it"),
        ConfigError,
    ),
    BadCall(
        "weights of other classes",
        lambda: check_data(configured("loss.class_weights=[1, 2, 3]"), Images(), Images(), files=True),
        ("`loss.class_weights`", "2 classes (a, b)", "got [1.0, 2.0, 3.0]"),
        ConfigError,
    ),
    BadCall(
        "frozen parameters of no name",
        lambda: check_model(configured("training.frozen=['front']"), Images()),
        ("`training.frozen`", "'front'"),
        ConfigError,
    ),
    BadCall(
        "a classifier on pixels",
        lambda: check_model(configured("model.name=renet"), Images()),
        ("`model.name` 'renet'", "`data.name` 'camvid'", "whole images"),
        ConfigError,
    ),
    BadCall(
        "colours of grey images",
        lambda: preprocess(zeros(2, 2, 1), "caffe"),
        ("`training.preprocessing` 'caffe'", "1 features", '"unit"'),
        ConfigError,
    ),
    BadCall(
        "a batch that devices do not divide",
        eight_devices(lambda: batch_mesh(7)),
        ("`training.batch_size`", "multiple of 8", "got 7"),
        ConfigError,
    ),
    BadCall(
        "more devices than there are",
        eight_devices(lambda: batch_mesh(18, 9)),
        ("`devices` (--devices)", "from 1 to 8", "got 9"),
        ConfigError,
    ),
    BadCall(
        "no devices",
        eight_devices(lambda: batch_mesh(8, 0)),
        ("`devices` must be at least 1", "got 0"),
        ConfigError,
    ),
    BadCall(
        "devices by a word",
        within(lambda run: train(bare(), run / "new", devices="all", console=QUIET)),
        ("`devices` must be an integer", "'all'"),
        TypeError,
    ),
    BadCall(
        "chosen devices that do not divide the batch",
        eight_devices(lambda: batch_mesh(8, 3)),
        ("`training.batch_size`", "multiple of 3", "got 8", "--devices"),
        ConfigError,
    ),
    BadCall(
        "some devices of several processes",
        eight_devices(lambda: batch_mesh(8, 4), processes=2),
        ("`devices` (--devices)", "one process", "Leave it out"),
        ConfigError,
    ),
    BadCall(
        "a folder that is not there",
        lambda: open_data(configured(), "train", Path("/nowhere")),
        ("/nowhere",),
        DataError,
    ),
    # A run.
    BadCall("a folder of no run", within(load), ("is not the folder of a run", "`checkpoints`"), ConfigError),
    BadCall(
        "no folder",
        lambda: load("/nowhere"),
        ("/nowhere is not the folder of a run", "does not exist"),
        ConfigError,
    ),
    BadCall(
        "a run that has saved nothing",
        within(not_begun),
        ("no checkpoint yet", "`training.evaluate_every`"),
        ConfigError,
    ),
    BadCall("lost checkpoints", within(lost), ("are missing", "restore", "--out"), RunError),
    BadCall(
        "an incomplete checkpoint",
        within(incomplete),
        ("checkpoints/3 is damaged", "SHA256SUMS is missing", "restore"),
        RunError,
    ),
    BadCall(
        "a folder with a run", resumed(None), ("already contains a run", "--resume", "--out"), ConfigError
    ),
    BadCall(
        "other settings",
        resumed("last"),
        ("other settings", "seed is 0, was 1", "`examples` is 6, was 5"),
        ConfigError,
    ),
    BadCall("a folder in use", within(locked_twice), ("is in use", "--out"), ConfigError),
    BadCall("a full disk", within(full_disk), ("No space left on device", "--resume"), RunError),
    BadCall("a damaged record", within(damaged_record), ("environment.json is damaged", "--data"), RunError),
    BadCall(
        "a lost log",
        within(lambda run: read_log(run / "log.jsonl")),
        ("log.jsonl cannot be read", "restore it from a copy", "another --out", "evaluate"),
        RunError,
    ),
    BadCall(
        "a damaged log", log_of("[]\n[]\n"), ("line 1 does not describe a step", "another --out"), RunError
    ),
    BadCall(
        "a log that lacks steps",
        log_of('{"kind": "step", "step": 1, "seconds": 1, "loss": 1}\n', 3),
        ("from 1 to 3", "2 missing, first 2", "another --out"),
        RunError,
    ),
    BadCall(
        "a loss that is not finite",
        within(diverged),
        ("loss became nan at step 2", "2.5", "`schedule.learning_rate`"),
        DivergenceError,
    ),
    BadCall(
        "a training into a file",
        within(lambda run: ((run / "a").touch(), train(bare(), run / "a", console=QUIET))),
        ("cannot be written", "--out"),
        RunError,
    ),
    # Images and data sets.
    BadCall(
        "bytes",
        lambda: predict(network(), zeros(4, 4, 3, dtype=np.uint8)),
        ("`images` must be floating", "uint8", "255"),
        TypeError,
    ),
    BadCall(
        "an image without a feature axis",
        lambda: predict(network(), zeros(4, 3)),
        ("`images`", "(*batch, rows, columns, features)", "(4, 3)", "images[..., None]"),
        GeometryError,
    ),
    BadCall(
        "an image with the features first",
        lambda: predict(network(), zeros(3, 8, 9)),
        ("3 features", "has 9", "moveaxis(images, -3, -1)"),
        DataError,
    ),
    BadCall("five features", lambda: predict(network(), zeros(4, 4, 5)), ("3 features", "has 5"), DataError),
    BadCall(
        "tiles too small for their halo",
        lambda: predict(network(), zeros(300, 300, 3), max_pixels=256**2),
        ("`max_pixels` (--max-pixels)", "82944", "`halo` (--halo) of 128", "got 65536"),
        OptionError,
    ),
    BadCall(
        "tiles too small without a halo",
        lambda: predict(network(), zeros(40, 40, 3), max_pixels=100, halo=0),
        ("`max_pixels`", "1024", "got 100"),
        OptionError,
    ),
    BadCall(
        "max_pixels of 0",
        lambda: predict(network(), zeros(4, 4, 3), max_pixels=0),
        ("`max_pixels`",),
        OptionError,
    ),
    BadCall("a halo below 0", lambda: predict(network(), zeros(4, 4, 3), halo=-1), ("`halo`",), OptionError),
    BadCall(
        "files in tiles too small",
        within(small_tiles),
        ("`max_pixels` (--max-pixels)", "got 100"),
        OptionError,
    ),
    BadCall(
        "two images of one name",
        within(two_of_one_name),
        ("x/a.png", "y/a.png", "same name", "--out"),
        DataError,
    ),
    BadCall("no images", lambda: name_images([], Path("out")), ("no images were given",), DataError),
    BadCall(
        "a folder without images",
        within(lambda run: name_images([run], run / "out")),
        ("no image found", ".png"),
        DataError,
    ),
    BadCall(
        "an image that is not there",
        lambda: name_images([Path("/nowhere.png")], Path("out")),
        ("/nowhere.png does not exist",),
        FileNotFoundError,
    ),
    BadCall(
        "no examples", lambda: evaluate(network(), NoImages()), ("`dataset` has no examples",), DataError
    ),
    BadCall(
        "other features",
        lambda: evaluate(network(), Grey()),
        ("`dataset` must have the number of features", "3; got 1"),
        DataError,
    ),
    BadCall(
        "other classes",
        lambda: evaluate(network(), Images()),
        ("`dataset` must have the classes", "got a, b"),
        DataError,
    ),
    BadCall("a size without pixels", lambda: export(network(), (0, 4)), ("`size`", "(0, 4)"), OptionError),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_message(case):
    check(case)
