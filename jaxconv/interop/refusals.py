"""Checks of the layers that readers and writers take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from jaxconv.errors import GeometryError
from jaxconv.interop.layer import Convolution

# The reader of every library's layers.
_READERS = {
    "torch": "from_torch",
    "flax": "from_flax",
    "jaxconv": "from_flax",
    "keras": "from_keras",
    "equinox": "from_equinox",
}


def check_library(layer: object, library: str) -> None:
    """Checks that a layer is not one that another reader takes; the library itself is not imported.

    Args:
      layer: The layer.
      library: Name of the package whose layers the reader takes.

    Raises:
      TypeError: It is a `Convolution`, or a layer of a package that has another reader.
    """
    if isinstance(layer, Convolution):
        found = "a Convolution; it needs no conversion"
    elif not isinstance(layer, type) and (reader := _other_reader(layer, {library})):
        found = f"{_class_name(type(layer))}; use {reader}"
    else:
        return
    raise TypeError(f"`layer` must be a layer of {library}, got {found}.")


def _other_reader(layer: object, libraries: set[str]) -> str | None:
    """Returns the name of the function that reads the layer, if it is not of one of the libraries."""
    root = type(layer).__module__.partition(".")[0]
    reader = _READERS.get(root, "")
    return None if {root, reader.removeprefix("from_")} & libraries else reader or None


def check_type(layer: object, classes: Iterable[type], methods: Sequence[str], library: str) -> None:
    """Checks that a layer computes what one of `classes` computes, with none of `methods` overridden.

    Args:
      layer: The layer.
      classes: The layers that the reader takes.
      methods: Names of the methods that compute the result.
      library: Where the classes are, for the message.

    Raises:
      TypeError: It does not; the message names the classes that are taken.
    """
    classes = tuple(classes)
    if isinstance(layer, classes):
        changed = [name for name in methods if name in vars(layer) or not _inherits(layer, classes, name)]
        if changed:
            raise TypeError(
                f"`layer` must compute a plain convolution, but {_class_name(type(layer))} overrides "
                f"`{changed[0]}`, which may compute anything."
            )
        return
    names = ", ".join(dict.fromkeys(cls.__name__ for cls in classes))
    raise TypeError(f"`layer` must be one of {names} of {library}, got {_describe_layer(layer, classes)}.")


def _describe_layer(layer: object, classes: tuple[type, ...]) -> str:
    """Returns what was given, and the likeliest mistake."""
    if isinstance(layer, Convolution):
        return "a Convolution; it needs no conversion"
    if isinstance(layer, type):
        hint = "; pass an instance" if issubclass(layer, classes) else ""
        return f"the class {_class_name(layer)}{hint}"
    name = _class_name(type(layer))
    other = _other_reader(layer, {cls.__module__.partition(".")[0] for cls in classes})
    if other:
        return f"{name}; use {other}"
    if type(layer).__name__ in ("Sequential", "ModuleList", "Functional", "Model"):
        return f"{name}; pass one of its layers"
    if type(layer).__name__ in ("Linear", "Dense"):
        return f"{name}; see dense_to_conv for its weights"
    return f"{name}"


def _class_name(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"


def _inherits(layer: object, classes: tuple[type, ...], method: str) -> bool:
    return getattr(type(layer), method, None) in [getattr(cls, method, None) for cls in classes]


def check_convolution(layer: object) -> None:
    """Checks that a writer's argument is a single `Convolution`.

    Raises:
      GeometryError: It is a batch of them, as `jax.vmap` returns it.
      TypeError: It is something else.
    """
    if not isinstance(layer, Convolution):
        reader = _READERS.get(type(layer).__module__.partition(".")[0])
        hint = f"; convert it first, by {reader}(layer)" if reader else ""
        raise TypeError(
            f"`layer` must be a Convolution, as from_torch and the other readers return it, got "
            f"{type(layer).__name__}{hint}."
        )
    layer.check_single()


def refuse(library: str, *missing: tuple[str, bool]) -> None:
    """Refuses a layer that needs what a library does not have.

    Args:
      library: Name of the library or of its layer.
      *missing: Pairs of a name and whether the layer needs what it names.

    Raises:
      GeometryError: The layer needs some of it.

    >>> refuse("nnx.ConvTranspose", ("groups", True), ("input dilation", False))
    Traceback (most recent call last):
        ...
    jaxconv.errors.GeometryError: nnx.ConvTranspose has no groups
    """
    needed = [name for name, is_needed in missing if is_needed]
    if needed:
        raise GeometryError(f"{library} has no {' and no '.join(needed)}")


def dilates_input(layer: Convolution) -> tuple[str, bool]:
    """Returns input dilation and whether the layer has it, for `refuse`."""
    return "input dilation: insert the zeros first", max(layer.input_dilation) > 1


def check_computes_in_its_dtype(layer: Convolution, library: str) -> None:
    """Checks that the layer computes in the dtype of its kernel.

    Raises:
      GeometryError: It does not, and the library has no option for that.
    """
    if layer.dtype not in (None, layer.kernel.dtype):
        raise GeometryError(
            f"{library} computes in the dtype of its kernel, {layer.kernel.dtype}, not in {layer.dtype}; "
            "convert the kernel of `layer`"
        )
