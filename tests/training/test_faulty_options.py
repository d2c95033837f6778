"""Wrong options are refused by name, before anything is read or compiled."""

import dataclasses
import math
from typing import Annotated, get_args, get_origin, get_type_hints

import pytest

from jaxconv.data import Augmentation
from jaxconv.errors import OptionError
from jaxconv.limits import Within
from jaxconv.training import Config, ConfigError
from jaxconv.training.config import CHOICES, Training
from jaxconv.training.options import options_of

BASE = """
[model]
name = "unet"
[data]
name = "shapes"
"""
# A change of a configuration of U-Net on shapes, and what the message says: the key, its range, what came.
FAULTS = {
    "seed=-1": "`seed` must be an integer from 0 to 4294967294, got -1",
    "seed=4294967295": "`seed` must be",
    "seed=9223372036854775808": "`seed` must be",
    "seed=1.5": "`seed` must be an integer .*, got 1.5",
    "seed=none": "`seed` must be an integer .*, got 'none'",
    "training.steps=0": "`training.steps` must be an integer from 1 to 2147483647, got 0",
    "training.steps=2147483648": "`training.steps` must be",
    "training.steps=1e3": "`training.steps` must be an integer .*, got 1000.0",
    "training.batch_size=-8": "`training.batch_size` must be .*, got -8",
    "training.batch_size=1000000": "`training.batch_size` must be .* to 65536, got 1000000",
    "training.evaluate_every=0": "`training.evaluate_every` must be",
    "training.patience=0": '`training.patience` must be .* or "none", got 0',
    "training.shrink=0": "`training.shrink` must be an integer from 1 to 64, got 0",
    "training.clip_norm=0": "`training.clip_norm` must be",
    "training.clip_norm=inf": "`training.clip_norm` must be .*, got inf",
    "training.clip_norm=-1.0": "`training.clip_norm` must be",
    "training.ema=1": '`training.ema` must be a number above 0 and below 1 or "none", got 1',
    "training.ema=nan": "`training.ema` must be .*, got nan",
    "training.precision=float64": '`training.precision` must be one of "float32", "bfloat16"',
    "training.preprocessing=imagenet": "`training.preprocessing` must be one of",
    "training.frozen=scores": "`training.frozen` must be a list, each a string, got 'scores'",
    "training.frozen=[1]": "`training.frozen` must be a list, each a string",
    "schedule.final=-3": "`schedule.final` must be a number from 0 to 1, got -3",
    "schedule.final=5": "`schedule.final` must be a number from 0 to 1, got 5",
    "schedule.learning_rate=0": "`schedule.learning_rate` must be a number from 1e-30 to 1e\\+30, got 0",
    "schedule.learning_rate=-0.1": "`schedule.learning_rate` must be",
    "schedule.learning_rate=1e300": "`schedule.learning_rate` must be",
    "schedule.learning_rate=nan": "`schedule.learning_rate` must be .*, got nan",
    "schedule.learning_rate=fast": "`schedule.learning_rate` must be a number .*, got 'fast'",
    "schedule.warmup=500": "`schedule.warmup` must be a number of at least 0 and below 1, got 500",
    "schedule.warmup=-0.1": "`schedule.warmup` must be",
    "schedule.warmup_steps=500": r"\[schedule\] has no option `warmup_steps`; did you mean `warmup`\?",
    "schedule.name=step": "`schedule.name` is 'step', which is unknown; choose from constant, cosine, poly",
    "optimizer.b1=1": "`optimizer.b1` must be a number of at least 0 and below 1, got 1",
    "optimizer.b2=-0.1": "`optimizer.b2` must be",
    "optimizer.eps=0": "`optimizer.eps` must be a number from 1e-30 to 1, got 0",
    "optimizer.weight_decay=-1e-4": "`optimizer.weight_decay` must be a number from 0 to 100, got -0.0001",
    "optimizer.weight_decay=inf": "`optimizer.weight_decay` must be",
    "loss.class_weights=[1, -1, 1, 1]": '`loss.class_weights` must be .*"median_frequency", or a list',
    "loss.class_weights=[1, nan, 1, 1]": "`loss.class_weights` must be",
    "loss.class_weights=median": "`loss.class_weights` must be",
    "loss.reduction=max": '`loss.reduction` must be one of "mean", "sum"',
    "augmentation.flip=1.5": r"\[augmentation\] `flip` must be a number from 0 to 1, got 1.5",
    "augmentation.brightness=-0.2": r"\[augmentation\] `brightness` must be",
    "augmentation.contrast=nan": "`augmentation.contrast` must be a number, got nan",
    "augmentation.saturation=2": r"\[augmentation\] `saturation` must be",
    "augmentation.crop=[0, 8]": r"\[augmentation\] `crop` must be .*, got \(0, 8\)",
    "augmentation.crop=8": "`augmentation.crop` must be a list of 2",
    "augmentation.crop=[8, 8, 3]": "`augmentation.crop` must be a list of 2",
    "augmentation.crop=[100000, 3]": r"\[augmentation\] `crop` must be",
    "augmentation.scale=[0.5, 2.0]": r"\[augmentation\] `scale` .* give `crop` too",
    "augmentation.scale=[1e-9, 1e-9]": r"\[augmentation\] `scale` must be .* from 0.05 to 20.0, got",
    "augmentation.scale=[2.0, 1.0]": r"\[augmentation\] `scale` must be \(smallest, largest\)",
    "augmentation.scale=[1.0, 1e9]": r"\[augmentation\] `scale` must be",
    "data.examples=0": "`data.examples` must be an integer from 1 to 10000000, got 0",
    "data.held_out_examples=-1": "`data.held_out_examples` must be",
    "data.canvas=[0, 8]": "`data.canvas` must be a list of 2, each an integer from 1 to 16384",
    "data.canvas=[1000000, 8]": "`data.canvas` must be",
    "data.count=-1": "`data.count` must be",
    "data.clutter=-1": "`data.clutter` must be",
    "data.radii=[nan, 3.0]": "`data.radii` must be",
    "data.seed=-1": "`data.seed` must be",
    "model.features=[]": r"`model.features` must be .* with a number of entries from 1 to 12, got \[\]",
    "model.features=[8, 0]": "`model.features` must be a list, each an integer from 1 to 65536",
    "model.features=[8, -8]": "`model.features` must be",
    "model.features=[10000000000]": "`model.features` must be",
    "model.features=[4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4]": "`model.features` must be",
    "model.depth=0": "`model.depth` must be an integer from 1 to 64, got 0",
    "model.depth=1000000": "`model.depth` must be",
    "model.dropout=1": "`model.dropout` must be a number of at least 0 and below 1, got 1",
    "model.norm=layer": "`model.norm` must be one of",
    "model.padding=valide": "`model.padding` must be one of",
}  # fmt: skip


def read(tmp_path, *changes):
    path = tmp_path / "small.toml"
    path.write_text(BASE)
    return Config.read(path, changes)


def test_an_integer_that_python_does_not_read(tmp_path):
    with pytest.raises(ConfigError, match=r"`training\.steps` must be an integer .*, got '1000.*\.\.\."):
        read(tmp_path, f"training.steps=1{'0' * 5000}")
    (tmp_path / "long.toml").write_text(f"{BASE}[training]\nsteps = 1{'0' * 5000}\n")
    with pytest.raises(ConfigError, match=r"long\.toml is not TOML: Exceeds the limit"):
        Config.read(tmp_path / "long.toml")


@pytest.mark.parametrize("change", FAULTS)
def test_a_fault_is_one_line_that_names_it(tmp_path, change):
    with pytest.raises(ConfigError, match=FAULTS[change]) as error:
        read(tmp_path, change)
    assert str(error.value).startswith(str(tmp_path / "small.toml"))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


OTHERS = {
    ("model.name=fcn8s", "model.window=0"): "`model.window` must be an integer from 1 to 255, got 0",
    ("model.name=fcn8s", "model.dense=-1"): "`model.dense` must be",
    ("model.name=fcn8s", "model.blocks=[[8, 0]]"): "`model.blocks` must be",
    ("model.name=vgg16", "model.dense=0"): "`model.dense` must be",
    ("model.name=renet", "model.patches=[[0, 2]]"): "`model.patches` must be",
    ("model.name=renet", "model.units=0"): "`model.units` must be",
    ("model.name=reseg", "model.patch=[2, -2]"): "`model.patch` must be",
    ("model.name=reseg", "model.layers=-1"): "`model.layers` must be an integer from 0 to 64, got -1",
    ("loss.name=focal", "loss.gamma=-1"): "`loss.gamma` must be a number from 0 to 100, got -1",
    ("loss.name=dice", "loss.reduction=sum"): r"\[loss\] has no option `reduction`",
    ("optimizer.name=sgd", "optimizer.momentum=1"): "`optimizer.momentum` must be",
    ("schedule.name=polynomial", "schedule.power=-1"): "`schedule.power` must be",
    ("data.name=digits", "data.scales=[0.5, 2.0]"): "`data.scales` must be",
    ("augmentation.crop=[33, 32]", "training.shrink=2"): (
        r"`augmentation.crop` counts pixels of the file.*multiples of 2, got \[33, 32\]; \[32, 32\] would do"
    ),
    ("augmentation.crop=[2, 2]", "training.shrink=3"): r"got \[2, 2\]; \[3, 3\] would do",
}  # fmt: skip


@pytest.mark.parametrize("changes", OTHERS, ids=" ".join)
def test_a_fault_of_another_choice_or_of_two_options(tmp_path, changes):
    with pytest.raises(ConfigError, match=OTHERS[changes]):
        read(tmp_path, *changes)


def numbers(annotation):
    """Returns functions from a number to a value of the annotation that has the number in every place."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in (int, float):
        return [lambda number: number]
    if origin is Annotated:
        return numbers(arguments[0])
    if origin is tuple:
        count = 1 if arguments[-1] is Ellipsis else len(arguments)
        return [lambda number, one=one: [one(number)] * count for one in numbers(arguments[0])]
    return [one for argument in arguments for one in numbers(argument)]


def every_numeric_option():
    """Yields ``(tables of a configuration, table, option, value of a number)`` for every number option."""
    tables = {"model": {"name": "unet"}, "data": {"name": "shapes"}}
    for table, registry in CHOICES.items():
        for name, choice in registry.items():
            for option, (annotation, _) in options_of(choice).items():
                for value in numbers(annotation):
                    yield {**tables, table: {"name": name}}, table, option, value
    for table, kind in (("training", Training), ("augmentation", Augmentation)):
        for option, annotation in get_type_hints(kind, include_extras=True).items():
            for value in numbers(annotation):
                yield {**tables, table: {}}, table, option, value


EVERY = list(every_numeric_option())


def test_every_option_is_in_the_sweep():
    found = {(table, option) for _, table, option, _ in EVERY}
    assert len(found) >= 44
    for known in (("model", "blocks"), ("schedule", "final"), ("augmentation", "crop"), ("loss", "gamma")):
        assert known in found


@pytest.mark.parametrize("number", [-1, math.nan, math.inf, -math.inf, 10**31, 10**400, -(10**400), 1e300])
def test_every_number_option_refuses_impossible_numbers(number):
    """Negative, not a number, infinite, huge: in every option of every model, data set and optimiser."""
    for tables, table, option, value in EVERY:
        given = {**tables, table: {**tables[table], option: value(number)}}
        with pytest.raises(ConfigError, match=rf"`{table}\.{option}`|\[{table}\] `{option}`"):
            Config.of(given)


def test_every_default_is_inside_its_range():
    """A default that a configuration writes is accepted when it is read."""
    for tables, *_ in EVERY:
        config = Config.of(tables)
        assert Config.of(config.tables()) == config


def test_a_training_made_in_python_is_checked_too():
    training = Training()
    with pytest.raises(ConfigError, match=r"`training\.steps` must be"):
        dataclasses.replace(training, steps=0)
    with pytest.raises(ConfigError, match=r"`training\.ema` must be"):
        Training(ema=math.nan)
    config = Config.of({"model": {"name": "unet"}, "data": {"name": "shapes"}})
    with pytest.raises(OptionError, match="counts pixels of the file"):
        dataclasses.replace(config, augmentation=Augmentation(crop=(9, 8)), training=Training(shrink=2))


@pytest.mark.parametrize(
    ("limit", "inside", "outside", "words"),
    [
        (Within(1, 9), (1, 9, 4.5), (0, 10, math.nan, -math.inf, 10**400), "from 1 to 9"),
        (Within(0, 1, "[)"), (0, 0.999), (-1e-9, 1, math.nan), "of at least 0 and below 1"),
        (Within(0, 1, "()"), (1e-300, 0.5), (0, 1, math.nan), "above 0 and below 1"),
    ],
    ids=str,
)
def test_ranges(limit, inside, outside, words):
    assert all(number in limit for number in inside)
    assert not any(number in limit for number in outside)
    assert str(limit) == words
