"""The command that says which convolution a function is."""

from __future__ import annotations

import importlib
import json as json_format
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from jaxconv.cli.screen import console
from jaxconv.errors import GeometryError, OptionError
from jaxconv.geometry.arguments import describe

Dtype = Literal["float32", "float64", "float16", "bfloat16", "complex64", "complex128"]


def identify(
    function: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="MODULE:FUNCTION")],
    input: tuple[int, ...],
    in_features: int = 1,
    transpose_of: str | None = None,
    dtype: Dtype | None = None,
    rtol: float | None = None,
    json: Path | None = None,
) -> None:
    """Says which convolution a function or a layer is, from its responses to impulses.

    Args:
      function: Function of channels-last maps, or layer of PyTorch, Keras or Equinox in its own layout, as
        module:name. The module is looked for in the current folder first.
      input: Spatial shape of the maps to call it with; a few cells more than twice the kernel suffice.
      in_features: Features of these maps.
      transpose_of: Another function, module:name, a forward convolution: also say how far the first one is
        from its transpose.
      dtype: Dtype of the maps; by default that of the parameters, or JAX's default.
      rtol: Largest rounding error of an output, as a share of the largest; by default that of the dtype.
      json: File for the result, with the kernel.
    """
    import jax

    from jaxconv.interop import distance_from_transpose
    from jaxconv.interop import identify as recover
    from jaxconv.interop.identification.report import identification_json, identification_tables

    if json is not None:  # a file that cannot be written is refused before the work
        json.parent.mkdir(parents=True, exist_ok=True)
        json.touch()
    with jax.enable_x64(True) if dtype in ("float64", "complex128") else nullcontext():
        f = load("MODULE:FUNCTION", function)
        with named(function):
            layer = recover(f, input, in_features, dtype=dtype, rtol=rtol)
        distance = None
        if transpose_of is not None:
            g = layer.geometry(input)
            back = g.input_shape if layer.transposed else g.output_shape
            forward = load("--transpose-of", transpose_of)
            with named(f"--transpose-of {transpose_of}"):
                convolution = recover(forward, back, layer.out_features, dtype=dtype, rtol=rtol)
                distance = distance_from_transpose(layer, convolution, input)
    console.print(identification_tables(layer, distance))
    if json is not None:
        json.write_text(json_format.dumps(identification_json(layer, distance), indent=1))


@contextmanager
def named(target: str) -> Iterator[None]:
    """Adds the name of a function to what is wrong with it."""
    try:
        yield
    except (GeometryError, OptionError, TypeError) as error:
        raise OptionError(f"{target}: {error}") from error


def load(option: str, target: str) -> Any:
    """Imports a function.

    Args:
      option: Option that names it, for messages.
      target: Module and name, with a colon between them; the name may have dots.

    Raises:
      OptionError: The module or the name does not exist, or cannot be called.
    """
    module, _, name = target.partition(":")
    if not module or not name:
        raise OptionError(f"{option} must be module:name, such as layers:upsample; got {target}.")
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        found: Any = importlib.import_module(module)
    except Exception as error:
        raise OptionError(
            f"{option} {target}: importing {module} raises {type(error).__name__}: {error}"
        ) from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise OptionError(f"{option} {target}: {getattr(found, '__name__', module)} has no {part}.")
        found = getattr(found, part)
    if not callable(found):
        raise OptionError(f"{option} {target} must be a function or a layer, got {describe(found)}.")
    return found
