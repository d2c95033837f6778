"""The configurations that come with the library."""

from __future__ import annotations

from pathlib import Path

from jaxconv.errors import ConfigError
from jaxconv.training.options import nearest


def shipped_configs() -> dict[str, Path]:
    """Every configuration by its name: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "configs"
    folder = inside if inside.is_dir() else package.parent / "configs"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def shipped_config(name: str) -> Path:
    """The file of a configuration.

    Raises:
      ConfigError: There is none of that name; the message has the nearest.

    >>> shipped_config("digits_unet").name
    'digits_unet.toml'
    """
    known = shipped_configs()
    if name not in known:
        raise ConfigError(f"no configuration is called {name!r}; {nearest(name, known)}")
    return known[name]
