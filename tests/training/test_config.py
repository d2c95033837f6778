"""Configurations: read, changed, written back, and refused where they do not fit."""

import dataclasses

import pytest

from jaxconv.training import Config, ConfigError

SMALL = """
seed = 7
[model]
name = "unet"
features = [4, 8]
[data]
name = "shapes"
canvas = [16, 24]
[loss]
class_weights = [1, 2, 3, 4]
[optimizer]
name = "sgd"
momentum = 0.5
[schedule]
learning_rate = 1
[augmentation]
flip = 0.5
crop = [16, 16]
[training]
steps = 30
patience = 2
frozen = ["scores"]
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path


def test_values_of_a_file(path):
    config = Config.read(path)
    assert config.seed == 7
    assert config.model.name == "unet"
    assert config.model.options["features"] == (4, 8)
    assert config.loss.options == {"class_weights": (1.0, 2.0, 3.0, 4.0), "reduction": "mean"}
    assert config.optimizer.options == {"momentum": 0.5, "nesterov": False, "weight_decay": 0.0}
    assert (config.schedule.name, config.schedule.options["learning_rate"]) == ("cosine", 1.0)
    assert config.augmentation.crop == (16, 16)
    assert (config.training.patience, config.training.frozen) == (2, ("scores",))
    assert config.training.clip_norm is None


def test_a_written_configuration_reads_as_the_same(path):
    config = Config.read(path)
    assert Config.of(config.tables()) == config
    path.write_text(config.toml())
    assert Config.read(path) == config
    assert hash(Config.read(path)) == hash(config)
    assert config.differences(Config.read(path)) == []


def test_a_configuration_is_frozen(path):
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config.read(path).seed = 1


def test_changes(path):
    changes = [
        "seed=9", "training.steps = 12", "model.features=[2, 4, 6]", "training.precision=bfloat16",
        "training.patience=none", "training.clip_norm=0.5", "schedule.name=polynomial",
    ]  # fmt: skip
    config = Config.read(path, changes)
    assert (config.seed, config.training.steps, config.training.precision) == (9, 12, "bfloat16")
    assert (config.training.patience, config.training.clip_norm) == (None, 0.5)
    assert config.model.options["features"] == (2, 4, 6)
    assert config.schedule.options["power"] == 0.9
    assert config.differences(Config.read(path)) == [
        "seed is 9, was 7",
        "model.features is [2, 4, 6], was [4, 8]",
        "schedule.name is 'polynomial', was 'cosine'",
        "training.steps is 12, was 30",
        "training.patience is 'none', was 2",
        "training.precision is 'bfloat16', was 'float32'",
        "training.clip_norm is 0.5, was 'none'",
    ]


def test_a_new_name_keeps_the_options_that_it_has_too(path):
    """Whether the name changes or not, and in any order of the changes."""
    config = Config.read(path, ["schedule.name=polynomial"])
    assert config.schedule.options["learning_rate"] == 1.0
    same = Config.read(path, ["loss.name=cross_entropy", "schedule.name=cosine"])
    assert same == Config.read(path)
    for changes in (["optimizer.name=sgd", "optimizer.momentum=0.25"],) * 2:
        assert Config.read(path, changes).optimizer.options["momentum"] == 0.25
        changes.reverse()
    for changes in (["loss.name=focal", "loss.gama=3.0"], ["loss.gama=3.0", "loss.name=focal"]):
        with pytest.raises(ConfigError, match="did you mean `gamma`"):  # and not dropped on the way
            Config.read(path, changes)


def test_another_name_drops_the_options_of_the_first(path):
    config = Config.read(path, ["model.name=fcn8s", "optimizer.name=sgd"])
    assert "features" not in config.model.options
    assert config.optimizer.options["momentum"] == 0.5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("training.step=3", r"\[training\] has no option `step`; did you mean `steps`\?"),
        ("augmentation.flips=1", r"\[augmentation\] has no option `flips`; did you mean `flip`\?"),
        ("model.feature=[1]", r"\[model\] has no option `feature`; did you mean `features`\?"),
        ("optimizer.momentun=0.1", r"\[optimizer\] has no option `momentun`; did you mean `momentum`\?"),
        ("trainin.steps=3", r"`trainin` is not a table or key of a configuration; did you mean `training`\?"),
        ("model.name=unit", r"`model.name` is 'unit', which is unknown; did you mean `unet`\?"),
        ("data.name=camvit", r"`data.name` is 'camvit', which is unknown; did you mean `camvid`\?"),
        ("loss.name=xyz", r"`loss.name` is 'xyz', which is unknown; choose from cross_entropy, dice, focal"),
        ("training.steps=3.5", r"`training.steps` must be an integer from 1 to 2147483647, got 3.5"),
        ("training.steps=true", r"`training.steps` must be an integer from 1 to 2147483647, got True"),
        ("seed=first", r"`seed` must be an integer from 0 to 4294967294, got 'first'"),
        ("training=3", r"`training` must be a table, \[training\]; got 3"),
        (
            "model.features=8",
            r"`model.features` must be a list, each an integer from 1 to 65536, .* from 1 to 12, got 8",
        ),
        ("training.precision=float16", r'must be one of "float32", "bfloat16", got \'float16\''),
        ("training.steps", r"a change must have the form table.key=value"),
        ("a.b.c=1", r"a change must have the form table.key=value"),
        ("seed.x=1", r"a change must have the form table.key=value"),
        ("steps=5", r"did you mean `training.steps`\?"),
    ],
    ids=str,
)
def test_wrong_values_are_refused(path, change, words):
    with pytest.raises(ConfigError, match=words) as error:
        Config.read(path, [change])
    assert str(error.value).startswith(str(path))


def test_not_toml(path):
    path.write_text("[model\nname = 3")
    with pytest.raises(ConfigError, match=r"small\.toml is not TOML: .*line 1"):
        Config.read(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="is not TOML"):
        Config.read(path)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.toml"):
        Config.read(tmp_path / "absent.toml")


def test_a_model_and_data_must_be_named():
    with pytest.raises(ConfigError, match=r"\[model\] needs a `name`: one of deconvnet, fcn8s"):
        Config.of({"data": {"name": "shapes"}})
    with pytest.raises(ConfigError, match=r"\[data\] needs a `name`"):
        Config.of({"model": {"name": "unet"}})


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        *(
            (key, 0, f"`training.{key}` must be an integer from 1 to .*, got 0")
            for key in ("steps", "batch_size", "patience")
        ),
        *(
            (key, -1, f"`training.{key}` must be an integer from 1 to .*, got -1")
            for key in ("evaluate_every", "shrink")
        ),
        ("clip_norm", 0.0, "`training.clip_norm` must be a number from 1e-12 to .*, got 0.0"),
        ("clip_norm", float("nan"), "`training.clip_norm` must be a number from 1e-12 to .*, got nan"),
        ("ema", 1.0, "`training.ema` must be a number above 0 and below 1 or .none., got 1.0"),
        ("ema", 0.0, "`training.ema` must be a number above 0 and below 1 or .none., got 0.0"),
    ],
)
def test_limits_of_a_training(key, value, words):
    with pytest.raises(ConfigError, match=words):
        Config.of({"model": {"name": "unet"}, "data": {"name": "shapes"}, "training": {key: value}})
