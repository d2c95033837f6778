"""What several libraries lack, and which layers a reader takes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from jaxconv.errors import GeometryError
from jaxconv.interop.layer import Convolution


def check_type(layer, classes: Iterable[type], methods: Sequence[str], library: str) -> None:
    """The layer computes what one of `classes` computes: it is one, by that class's own `methods`.

    Raises:
      TypeError: It names the classes that are taken.
    """
    classes = tuple(classes)
    if isinstance(layer, classes):
        changed = [name for name in methods if name in vars(layer) or not _inherits(layer, classes, name)]
        if not changed:
            return
        reason = f"it has a `{changed[0]}` of its own, which may compute anything"
    else:
        names = ", ".join(dict.fromkeys(cls.__name__ for cls in classes))
        reason = f"of {library} it takes {names}"
    raise TypeError(f"no convolution in {type(layer).__module__}.{type(layer).__qualname__}: {reason}.")


def _inherits(layer, classes: tuple[type, ...], method: str) -> bool:
    return getattr(type(layer), method, None) in [getattr(cls, method, None) for cls in classes]


def check_convolution(layer) -> None:
    """What a writer takes.

    Raises:
      GeometryError: It is a batch of them, as `jax.vmap` returns it.
      TypeError: It is something else.
    """
    if not isinstance(layer, Convolution):
        raise TypeError(
            f"`layer` is a Convolution, as from_torch and the other readers return it, got "
            f"{type(layer).__name__}."
        )
    layer.check_single()


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
