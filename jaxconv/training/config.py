"""One experiment as one frozen value: read from TOML, changed from the command line, written back."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

import tomli_w
from flax import nnx

from jaxconv.data import DATASETS, Augmentation, Dataset
from jaxconv.errors import JaxconvError
from jaxconv.limits import Seed, Within
from jaxconv.models import MODELS
from jaxconv.training.losses import LOSSES
from jaxconv.training.optimizers import OPTIMIZERS, SCHEDULES
from jaxconv.training.options import ConfigError, convert_options, convert_value, options_of, suggestion

Preprocessing = Literal["unit", "centred", "torchvision", "caffe"]
"""How pixels are scaled before the network sees them: see `jaxconv.training.state.preprocess`."""

CHOICES: dict[str, Mapping[str, Callable]] = {
    "model": MODELS,
    "data": DATASETS,
    "loss": LOSSES,
    "optimizer": OPTIMIZERS,
    "schedule": SCHEDULES,
}
"""Tables that name one of several things; their other keys are its options."""


@dataclass(frozen=True)
class Choice:
    """One of several things by name, with all its options, defaults included.

    Attributes:
      name: What the registry calls it.
      pairs: Option and value, sorted as in its signature.
    """

    name: str
    pairs: tuple[tuple[str, Any], ...] = ()

    @property
    def options(self) -> dict[str, Any]:
        """Keyword arguments."""
        return dict(self.pairs)


Steps = Annotated[int, Within(1, 2**31 - 1)]  # a state counts them in int32


@dataclass(frozen=True)
class Training:
    """How long, how much at once, in what precision, and what is looked at on the way.

    Attributes:
      steps: Of the optimiser.
      batch_size: Examples of a step, over all devices and processes.
      evaluate_every: Steps between two evaluations, each with a checkpoint; the last step has one too.
      patience: Evaluations without a better score after which the training stops early.
      precision: What the network computes in. Parameters and the optimiser's state are float32.
      preprocessing: What the network is given for pixels of 0 to 1.
      shrink: The network runs on examples averaged over this many pixels per axis; scores are those
        at the labels' own resolution all the same. It must divide `augmentation.crop`.
      clip_norm: Larger gradients are scaled down to this norm.
      ema: Decay of a running mean of the parameters, which is then what is evaluated.
      frozen: Parameters that stay as they are: the first parts of their paths.
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

    def __post_init__(self):
        for name, (annotation, _) in _fields(Training).items():
            convert_value(getattr(self, name), annotation, f"training.{name}")


@dataclass(frozen=True)
class Config:
    """An experiment.

    Attributes:
      seed: Of the parameters, the order of the data, augmentation and dropout.
      model: One of `jaxconv.models.MODELS`.
      data: One of `jaxconv.data.DATASETS`.
      loss: What is minimised, one of `LOSSES`.
      optimizer: One of `OPTIMIZERS`.
      schedule: Of the learning rate, one of `SCHEDULES`.
      augmentation: Of the training examples.
      training: Steps, batch, precision.

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

    def __post_init__(self):
        self.augmentation.downsample(self.training.shrink)

    @classmethod
    def read(cls, path: Path | str, changes: Sequence[str] = ()) -> Config:
        """The configuration of a TOML file, with ``key=value`` changes on top.

        Args:
          path: The file.
          changes: Such as ``"training.steps=100"``; values are TOML's, and a bare word is a string.

        Raises:
          ConfigError: The file is not TOML, or what it says does not fit: see `convert_options`.
          OSError: There is no such file.
        """
        path = Path(path)
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:  # of TOML, of UTF-8, or an integer of thousands of digits
            raise ConfigError(f"{path} is not TOML: {error}.") from None
        try:
            return cls.of(_apply_changes(tables, changes))
        except JaxconvError as error:
            raise ConfigError(f"{path}: {error}") from None

    @classmethod
    def of(cls, tables: Mapping[str, Any]) -> Config:
        """The configuration that nested mappings describe.

        Raises:
          ConfigError: An unknown table, name or option, or a value of the wrong type or out of its range.
          OptionError: `training.shrink` does not divide `augmentation.crop`.
        """
        known = {one.name for one in fields(cls)}
        for name in tables:
            if name not in known:
                raise ConfigError(f"there is no table or key `{name}`{_suggest(name, sorted(known))}")
        for name in known - {"seed"}:
            if not isinstance(tables.get(name, {}), Mapping):
                raise ConfigError(f"`{name}` is a table, [{name}]; got {tables[name]!r}.")
        return cls(
            seed=convert_value(tables.get("seed", 0), Seed, "seed"),
            augmentation=_read_dataclass(Augmentation, tables, "augmentation"),
            training=_read_dataclass(Training, tables, "training"),
            **{name: _read_choice(name, registry, tables) for name, registry in CHOICES.items()},
        )

    def tables(self) -> dict[str, Any]:
        """Nested dicts of everything, defaults included: `Config.of` takes them back."""
        choices = {name: getattr(self, name) for name in CHOICES}
        chosen = {name: {"name": choice.name, **choice.options} for name, choice in choices.items()}
        rest = {"augmentation": asdict(self.augmentation), "training": asdict(self.training)}
        return _plain({"seed": self.seed, **chosen, **rest})

    def toml(self) -> str:
        """The text of a file that `Config.read` reads as this configuration."""
        return tomli_w.dumps(self.tables())

    def differences(self, other: Config) -> list[str]:
        """The keys in which two configurations differ, with both values."""
        mine, its = (_flatten(config.tables()) for config in (self, other))
        other_options = [  # those of another thing are another's anyway
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
    """What may have been meant by a key outside of every table."""
    for table, kind in (("training", Training), ("augmentation", Augmentation)):
        if name in {one.name for one in fields(kind)}:
            return f"; did you mean `{table}.{name}`?"
    return suggestion(name, known)


def _read_choice(table: str, registry: Mapping[str, Callable], tables: Mapping[str, Any]) -> Choice:
    given = dict(tables.get(table, {}))
    name = given.pop("name", DEFAULTS.get(table))
    if name is None:
        raise ConfigError(f"[{table}] needs a `name`: one of {', '.join(registry)}.")
    if not isinstance(name, str) or name not in registry:
        raise ConfigError(f"`{table}.name` is {name!r}{suggestion(str(name), registry)}")
    options = convert_options(given, options_of(registry[name]), table)
    return Choice(name, tuple(options.items()))


def _read_dataclass(kind: type, tables: Mapping[str, Any], table: str):
    options = convert_options(tables.get(table, {}), _fields(kind), table)
    try:
        return kind(**options)
    except ConfigError:
        raise
    except JaxconvError as error:  # of a class that does not know in which table it stands
        raise ConfigError(f"[{table}] {error}") from None


def _fields(kind: type) -> dict[str, tuple[Any, Any]]:
    """The fields of a dataclass: name to (annotation, default)."""
    hints = get_type_hints(kind, include_extras=True)
    return {one.name: (hints[one.name], one.default) for one in fields(kind)}


def _apply_changes(tables: Mapping[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """The tables with every ``table.key=value`` put in; names first, whatever their order."""
    result = {name: dict(value) if isinstance(value, dict) else value for name, value in tables.items()}
    parsed = [_parse_change(change) for change in changes]
    for path, key, value in sorted(parsed, key=lambda change: change[1] != "name"):
        if not path:
            result[key] = value
            continue
        table = result.setdefault(path, {})
        if not isinstance(table, dict):
            raise ConfigError(f"`{path}` is not a table, so `{path}.{key}` cannot be set.")
        if key == "name" and path in CHOICES:
            _rename(table, path, value)
        else:
            table[key] = value
    return result


def _parse_change(change: str) -> tuple[str, str, Any]:
    """``table.key=value`` as the table, the key and the value; no table for the seed."""
    name, equals, text = change.partition("=")
    path, _, key = name.strip().rpartition(".")
    if not equals or not key or "." in path or path == "seed":
        raise ConfigError(f"a change reads table.key=value, such as training.steps=100; got {change!r}.")
    return path, key, _parse_value(text)


def _rename(table: dict[str, Any], path: str, name: Any) -> None:
    """Another model, optimiser ...: of the options those stay that it has too."""
    if name != table.get("name", DEFAULTS.get(path)) and name in CHOICES[path]:
        known = options_of(CHOICES[path][name])
        for option in table.keys() - known.keys():
            del table[option]
    table["name"] = name


def _parse_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except ValueError:  # not TOML, or an integer of thousands of digits
        return text.strip()


def _plain(value: Any) -> Any:
    """Without tuples and None, for TOML and JSON."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    return "none" if value is None else value


def _flatten(tables: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tables.items():
        inner = value if isinstance(value, dict) else {None: value}
        flat |= {name if key is None else f"{name}.{key}": one for key, one in inner.items()}
    return flat


def build_model(
    config: Config, in_features: int, n_classes: int, *, rngs: nnx.Rngs, pretrained: bool = True
) -> nnx.Module:
    """The network of a configuration.

    Args:
      config: The configuration.
      in_features: Of the examples.
      n_classes: Of the data set.
      rngs: `flax.nnx.Rngs`, source of the parameters.
      pretrained: Whether a file of weights that the configuration names is read. A checkpoint
        replaces all parameters, and the file may be gone.
    """
    options = config.model.options
    if not pretrained and "weights" in options:
        options["weights"] = None
    return partial(MODELS[config.model.name], in_features, n_classes)(**options, rngs=rngs)


def open_data(config: Config, split: str, folder: Path | None = None) -> Dataset:
    """A split of the data set of a configuration.

    Args:
      config: The configuration.
      split: ``"train"``, ``"val"`` or ``"test"``.
      folder: Where the files are; None for data that are made.

    Raises:
      DataError: The folder is missing, or not laid out as the data set expects.
    """
    return DATASETS[config.data.name](split, folder, **config.data.options)


def shipped_configs() -> dict[str, Path]:
    """Every configuration by its name: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "configs"
    folder = inside if inside.is_dir() else package.parent / "configs"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def shipped_config(name: str) -> Path:
    """The file of a configuration.

    Raises:
      ConfigError: There is none of that name; the message names the nearest.

    >>> shipped_config("digits_unet").name
    'digits_unet.toml'
    """
    known = shipped_configs()
    if name not in known:
        raise ConfigError(f"no configuration is called {name!r}{suggestion(name, known)}")
    return known[name]
