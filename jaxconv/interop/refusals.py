"""What several libraries lack, and which layers a reader takes."""

from __future__ import annotations

from collections.abc import Iterable

from jaxconv.errors import GeometryError
from jaxconv.interop.layer import Convolution


def check_type(layer, classes: Iterable[type], method: str, library: str) -> None:
    """The layer computes what one of `classes` computes: it is one, by that class's own `method`.

    Raises:
      TypeError: It names the classes that are taken.
    """
    classes = tuple(classes)
    theirs = {getattr(cls, method) for cls in classes}
    if isinstance(layer, classes) and getattr(type(layer), method) in theirs:
        return
    names = ", ".join(dict.fromkeys(cls.__name__ for cls in classes))
    if isinstance(layer, classes):
        reason = f"it has a `{method}` of its own, which may compute anything"
    else:
        reason = f"of {library} it takes {names}"
    raise TypeError(f"no convolution in {type(layer).__module__}.{type(layer).__qualname__}: {reason}.")


def check_convolution(layer) -> None:
    """What a writer takes.

    Raises:
      TypeError: It is something else.
    """
    if not isinstance(layer, Convolution):
        raise TypeError(
            f"`layer` is a Convolution, as from_torch and the other readers return it, got "
            f"{type(layer).__name__}."
        )


def refuse(library: str, *missing: tuple[str, bool]) -> None:
    """Says which of the things that a layer needs the library lacks.

    Raises:
      GeometryError: It needs some.

    >>> refuse("nnx.ConvTranspose", ("groups", True), ("input dilation", False))
    Traceback (most recent call last):
        ...
    jaxconv.errors.GeometryError: nnx.ConvTranspose has no groups
    """
    needed = [name for name, there in missing if there]
    if needed:
        raise GeometryError(f"{library} has no {' and no '.join(needed)}")


def dilates_input(layer: Convolution) -> tuple[str, bool]:
    """For `refuse`."""
    return "input dilation: insert the zeros first", max(layer.input_dilation) > 1


def check_computes_in_its_dtype(layer: Convolution, library: str) -> None:
    """The layer computes in its kernel's own dtype.

    Raises:
      GeometryError: It does not, and the library has no option for it.
    """
    if layer.dtype not in (None, layer.kernel.dtype):
        raise GeometryError(
            f"{library} computes in its kernel's dtype, {layer.kernel.dtype}, not in {layer.dtype}; convert "
            "the kernel"
        )
