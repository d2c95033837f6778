"""The configuration of an experiment: read from TOML, changed from the command line, written back."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_type_hints

import tomli_w

from jaxconv.data import DATASETS, Augmentation, Dataset
from jaxconv.errors import JaxconvError
from jaxconv.limits import Seed, Within
from jaxconv.models import MODELS
from jaxconv.training.losses import LOSSES
from jaxconv.training.optimizers import OPTIMIZERS, SCHEDULES
from jaxconv.training.options import (
    Choice,
    ConfigError,
    abbreviate,
    convert_options,
    convert_value,
    options_of,
    suggestion,
)

T = TypeVar("T")

Preprocessing = Literal["unit", "centred", "torchvision", "caffe"]
"""How pixels are scaled before the network sees them: see `jaxconv.training.state.preprocess`."""

CHOICES: dict[str, Mapping[str, Callable[..., Any]]] = {
    "model": MODELS,
    "data": DATASETS,
    "loss": LOSSES,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
}
"""Tables whose `name` chooses an entry of a registry; their other keys are its options."""


Steps = Annotated[int, Within(1, 2**31 - 1)]  # a state counts steps in int32


@dataclass(frozen=True)
class Training:
    """Options of [training]: steps, batch size, evaluation, precision.

    Attributes:
      steps: Number of steps of the optimiser.
      batch_size: Examples per step, over all devices and processes.
      evaluate_every: Steps between two evaluations. A checkpoint is saved after each, and after the last
        step.
      patience: Number of evaluations without a better score after which the training stops early; None
        to run all steps.
      precision: Dtype in which the network computes. Parameters and the optimiser's state are float32.
      preprocessing: How pixels from 0 to 1 are scaled for the network.
      shrink: Pixels per axis that are averaged into one pixel of the network's input. Scores are computed
        at the resolution of the labels nevertheless. It must divide `augmentation.crop`.
      clip_norm: Norm to which larger gradients are scaled down; None for no limit.
      ema: Decay of a running mean of the parameters, which is evaluated in their place; None for no mean.
      frozen: Parameters that are not trained, by the first parts of their paths.

    Raises:
      ConfigError: A value is of the wrong type or out of its range.
    """

    steps: Steps = 1000
    batch_size: Annotated[int, Within(1, 2**16)] = 16
    evaluate_every: Steps = 250
    patience: Steps | None = None
    precision: Literal["float32", "bfloat16"] = "float32"
    preprocessing: Preprocessing = "unit"
    shrink: Annotated[int, Within(1, 64)] = 1
    clip_norm: Annotated[float, Within(1e-12, 1e12)] | None = None
    ema: Annotated[float, Within(0, 1, "()")] | None = None
    frozen: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, (annotation, _) in _fields(Training).items():
            convert_value(getattr(self, name), annotation, f"training.{name}")


@dataclass(frozen=True)
class Config:
    """The configuration of an experiment.

    Attributes:
      seed: Seed of the parameters, the order of the data, augmentation and dropout.
      model: Network, one of `jaxconv.models.MODELS`.
      data: Data set, one of `jaxconv.data.DATASETS`.
      loss: Loss, one of `LOSSES`.
      optimizer: Optimiser, one of `OPTIMIZERS`.
      schedule: Schedule of the learning rate, one of `SCHEDULES`.
      augmentation: Augmentation of the training examples.
      training: Steps, batch size, evaluation, precision.

    Raises:
      OptionError: `training.shrink` does not divide `augmentation.crop`.

    >>> config = Config.of({"model": {"name": "unet"}, "data": {"name": "shapes"}})
    >>> config.model.name, config.training.batch_size
    ('unet', 16)
    """

    model: Choice
    data: Choice
    loss: Choice
    optimizer: Choice
    schedule: Choice
    seed: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)
    training: Training = field(default_factory=Training)

    def __post_init__(self) -> None:
        self.augmentation.downsample(self.training.shrink)

    @classmethod
    def read(cls, path: Path | str, changes: Sequence[str] = ()) -> Config:
        """Reads the configuration of a TOML file, and applies changes to it.

        Args:
          path: TOML file.
          changes: Changes such as ``"training.steps=100"``; values are written as in TOML, and a word
            without quotes is a string.

        Raises:
          ConfigError: The file is not TOML, a table, name or option is unknown, or a value is of the
            wrong type or out of its range.
          OSError: The file cannot be read.
        """
        path = Path(path)
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:  # not TOML, not UTF-8, or an integer of thousands of digits
            raise ConfigError(f"{path} is not TOML: {error}.") from None
        try:
            return cls.of(_apply_changes(tables, changes))
        except JaxconvError as error:
            raise ConfigError(f"{path}: {error}") from None

    @classmethod
    def of(cls, tables: Mapping[str, Any]) -> Config:
        """Builds a configuration from nested mappings.

        Args:
          tables: Tables as in a TOML file, table to option to value.

        Raises:
          ConfigError: A table, name or option is unknown, or a value is of the wrong type or out of its
            range.
          OptionError: `training.shrink` does not divide `augmentation.crop`.
        """
        known = {one.name for one in fields(cls)}
        for name in tables:
            if name not in known:
                hint = _suggest(name, sorted(known))
                raise ConfigError(f"`{name}` is not a table or key of a configuration{hint}")
        for name in known - {"seed"}:
            if not isinstance(tables.get(name, {}), Mapping):
                raise ConfigError(f"`{name}` must be a table, [{name}]; got {abbreviate(tables[name])}.")
        return cls(
            seed=convert_value(tables.get("seed", 0), Seed, "seed"),
            augmentation=_read_dataclass(Augmentation, tables, "augmentation"),
            training=_read_dataclass(Training, tables, "training"),
            **{name: _read_choice(name, registry, tables) for name, registry in CHOICES.items()},
        )

    def tables(self) -> dict[str, Any]:
        """Returns nested dicts of all values, defaults included, which `Config.of` accepts."""
        choices = {name: getattr(self, name) for name in CHOICES}
        chosen = {name: {"name": choice.name, **choice.options} for name, choice in choices.items()}
        rest = {"augmentation": asdict(self.augmentation), "training": asdict(self.training)}
        return _plain({"seed": self.seed, **chosen, **rest})

    def toml(self) -> str:
        """Returns the configuration as the text of a TOML file, which `Config.read` accepts."""
        return tomli_w.dumps(self.tables())

    def differences(self, other: Config) -> list[str]:
        """Returns the keys in which two configurations differ, with both values.

        Args:
          other: The configuration to compare with.
        """
        mine, its = (_flatten(config.tables()) for config in (self, other))
        other_options = [  # options of different models, losses, ... are not compared
            f"{table}." for table in CHOICES if getattr(self, table).name != getattr(other, table).name
        ]
        return [
            f"{key} is {mine.get(key, 'absent')!r}, was {its.get(key, 'absent')!r}"
            for key in dict.fromkeys([*mine, *its])
            if mine.get(key) != its.get(key)
            and (key.endswith(".name") or not key.startswith(tuple(other_options)))
        ]


DEFAULTS = {"loss": "cross_entropy", "optimizer": "adamw", "schedule": "cosine"}


def _suggest(name: str, known: Sequence[str]) -> str:
    """Returns the end of a message about an unknown key outside of every table."""
    for table, kind in (("training", Training), ("augmentation", Augmentation)):
        if name in {one.name for one in fields(kind)}:
            return f"; did you mean `{table}.{name}`?"
    return suggestion(name, known)


def _read_choice(table: str, registry: Mapping[str, Callable[..., Any]], tables: Mapping[str, Any]) -> Choice:
    """Reads a table whose `name` chooses an entry of a registry."""
    given = dict(tables.get(table, {}))
    name = given.pop("name", DEFAULTS.get(table))
    if name is None:
        raise ConfigError(f"[{table}] needs a `name`: one of {', '.join(registry)}.")
    if not isinstance(name, str) or name not in registry:
        raise ConfigError(
            f"`{table}.name` is {abbreviate(name)}, which is unknown{suggestion(str(name), registry)}"
        )
    options = convert_options(given, options_of(registry[name]), table)
    return Choice(name, tuple(options.items()))


def _read_dataclass(kind: type[T], tables: Mapping[str, Any], table: str) -> T:
    """Reads a table whose keys are the fields of a dataclass."""
    options = convert_options(tables.get(table, {}), _fields(kind), table)
    try:
        return kind(**options)
    except ConfigError:
        raise
    except JaxconvError as error:  # of a class that does not know the name of its table
        raise ConfigError(f"[{table}] {error}") from None


def _fields(kind: type) -> dict[str, tuple[Any, Any]]:
    """Returns the fields of a dataclass: name to (annotation, default)."""
    hints = get_type_hints(kind, include_extras=True)
    return {one.name: (hints[one.name], one.default) for one in fields(kind)}  # type: ignore[arg-type]


def _apply_changes(tables: Mapping[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """Returns the tables with every change ``table.key=value`` applied; changes of names come first."""
    result = {name: dict(value) if isinstance(value, dict) else value for name, value in tables.items()}
    parsed = [_parse_change(change) for change in changes]
    for path, key, value in sorted(parsed, key=lambda change: change[1] != "name"):
        if not path:
            result[key] = value
            continue
        table = result.setdefault(path, {})
        if not isinstance(table, dict):
            raise ConfigError(f"`{path}` is not a table in the file, so `{path}.{key}` cannot be set.")
        if key == "name" and path in CHOICES:
            _rename(table, path, value)
        else:
            table[key] = value
    return result


def _parse_change(change: str) -> tuple[str, str, Any]:
    """Splits ``table.key=value`` into table, key and value; the table of ``seed=1`` is empty."""
    name, equals, text = change.partition("=")
    path, _, key = name.strip().rpartition(".")
    if not equals or not key or "." in path or path == "seed":
        raise ConfigError(
            f"a change must have the form table.key=value, such as training.steps=100; got "
            f"{abbreviate(change)}."
        )
    return path, key, _parse_value(text)


def _rename(table: dict[str, Any], path: str, name: Any) -> None:
    """Sets the `name` of a table, and drops the options that the new model, optimiser, ... does not have."""
    if name != table.get("name", DEFAULTS.get(path)) and name in CHOICES[path]:
        known = options_of(CHOICES[path][name])
        for option in table.keys() - known.keys():
            del table[option]
    table["name"] = name


def _parse_value(text: str) -> Any:
    """Parses a value of TOML; any other text is a string."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except ValueError:  # not TOML, or an integer of thousands of digits
        return text.strip()


def _plain(value: Any) -> Any:
    """Converts tuples to lists and None to ``"none"``, for TOML and JSON."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    return "none" if value is None else value


def _flatten(tables: Mapping[str, Any]) -> dict[str, Any]:
    """Returns ``table.key`` to value."""
    flat: dict[str, Any] = {}
    for name, value in tables.items():
        inner = value if isinstance(value, dict) else {None: value}
        flat |= {name if key is None else f"{name}.{key}": one for key, one in inner.items()}
    return flat


def open_data(config: Config, split: str, folder: Path | None = None) -> Dataset:
    """Opens a split of the data set of a configuration.

    Args:
      config: Configuration of the training.
      split: ``"train"``, ``"val"`` or ``"test"``.
      folder: Folder of the files; None for data sets that are generated.

    Raises:
      DataError: The folder is missing, or does not have the layout of the data set.
    """
    return DATASETS[config.data.name](split, folder, **config.data.options)


def shipped_configs() -> dict[str, Path]:
    """Returns name to file of the library's configurations, in the installed package or beside it."""
    package = Path(__file__).parents[1]
    inside = package / "configs"
    folder = inside if inside.is_dir() else package.parent / "configs"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def shipped_config(name: str) -> Path:
    """Returns the file of a configuration that comes with the library.

    Args:
      name: Name of the file without suffix.

    Raises:
      ConfigError: No configuration has that name; the message names the nearest one.

    >>> shipped_config("digits_unet").name
    'digits_unet.toml'
    """
    known = shipped_configs()
    if name not in known:
        raise ConfigError(
            f"{name!r} is not a configuration that comes with the library{suggestion(name, known)}"
        )
    return known[name]
