"""Equinox's layers: channels-first maps without a batch axis, kernels ``(out, in // groups, *kernel_shape)``.

`eqx.nn.ConvTranspose` takes the arguments of the forward convolution, but the kernel of the direct
convolution of the stretched y.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import jax
import jax.numpy as jnp

from jaxconv.convolution import transposed_kernel
from jaxconv.errors import GeometryError, needs_extra
from jaxconv.interop.call import Call, Name, without_defaults
from jaxconv.interop.layer import Convolution
from jaxconv.interop.padding import spans
from jaxconv.interop.refusals import (
    check_computes_in_its_dtype,
    check_convolution,
    check_library,
    check_type,
    dilates_input,
    refuse,
)

if TYPE_CHECKING:
    import equinox as eqx


@overload
def from_equinox(layer: eqx.nn.Conv) -> Convolution: ...
@overload
def from_equinox(layer: eqx.nn.ConvTranspose) -> Convolution: ...
def from_equinox(layer: Any) -> Convolution:
    """Converts an Equinox layer to a `Convolution`.

    Args:
      layer: `equinox.nn.Conv`, `equinox.nn.ConvTranspose` or a subclass such as `equinox.nn.Conv2d`.

    Returns:
      The layer as a `Convolution` on channels-last maps with any number of batch axes.

    Raises:
      MissingExtraError: Equinox is not installed.
      TypeError: `layer` is another layer.

    >>> import equinox as eqx
    >>> layer = from_equinox(eqx.nn.ConvTranspose2d(8, 3, 4, 2, padding="SAME", key=jax.random.key(0)))
    >>> layer.kernel.shape, layer.padding, layer.geometry((9, 6)).input_shape
    ((4, 4, 3, 8), ((1, 1), (1, 1)), (18, 12))
    """
    check_library(layer, "equinox")
    with needs_extra(__name__, "lineax"):
        import equinox as eqx

    check_type(layer, (eqx.nn.Conv, eqx.nn.ConvTranspose), ("__call__",), "equinox.nn")
    transposed = isinstance(layer, eqx.nn.ConvTranspose)
    kernel = jnp.moveaxis(layer.weight, (0, 1), (-1, -2))
    options = {"padding": layer.padding, "output_padding": None}
    if transposed:
        kernel = transposed_kernel(kernel, layer.groups)
        options = _read_transposed(layer)
    return Convolution(
        kernel,
        layer.bias.reshape(-1) if layer.use_bias else None,
        strides=layer.stride,
        padding_mode=layer.padding_mode.lower(),
        kernel_dilation=layer.dilation,
        feature_group_count=layer.groups,
        transposed=transposed,
        **options,
    )


def _read_transposed(layer: eqx.nn.ConvTranspose) -> dict[str, Any]:
    """Returns the padding and output padding of the forward convolution.

    A padding word gives ``strides x size - output_padding`` outputs.
    """
    if layer.padding == "VALID" or not isinstance(layer.padding, str):
        return {"padding": layer.padding, "output_padding": layer.output_padding}
    lengths = spans(layer.kernel_size, layer.dilation)
    excess = [span - s + a for span, s, a in zip(lengths, layer.stride, layer.output_padding, strict=True)]
    totals = [max(e, 0) for e in excess]
    pairs = [(total // 2, total - total // 2) for total in totals]
    if layer.padding == "SAME_LOWER":
        pairs = [(high, low) for low, high in pairs]
    return {"padding": tuple(pairs), "output_padding": tuple(max(-e, 0) for e in excess)}


def to_equinox(layer: Convolution) -> eqx.nn.Conv | eqx.nn.ConvTranspose:
    """Converts a `Convolution` to an Equinox layer.

    Args:
      layer: A `Convolution` without input dilation.

    Returns:
      `equinox.nn.Conv1d`, `ConvTranspose1d` and so on; beyond three axes `equinox.nn.Conv` or
      `equinox.nn.ConvTranspose`.

    Raises:
      GeometryError: Equinox has no such layer.
      MissingExtraError: Equinox is not installed.
      TypeError: `layer` is not a `Convolution`.

    >>> to_equinox(Convolution(jnp.ones((3, 1, 1)), strides=2, padding=1, transposed=True)).padding
    ((1, 1),)
    """
    check_convolution(layer)
    with needs_extra(__name__, "lineax"):
        import equinox as eqx

    check_computes_in_its_dtype(layer, "equinox.nn")
    kernel, bias = layer.kernel, layer.bias
    if layer.transposed:
        kernel = transposed_kernel(kernel, layer.feature_group_count)
    made = call(layer).call_in(eqx.nn, key=jax.random.key(0), dtype=kernel.dtype)
    made = eqx.tree_at(lambda made: made.weight, made, jnp.moveaxis(kernel, (-1, -2), (0, 1)))
    if bias is None:
        return made
    return eqx.tree_at(lambda made: made.bias, made, bias.reshape(-1, *(1,) * layer.ndim))


def call(layer: Convolution, input_shape: tuple[int, ...] | None = None) -> Call:
    """Returns the constructor call that makes `layer`, with ``key`` for its random key.

    Args:
      layer: The layer.
      input_shape: Not used; every library's `call` takes it.

    Raises:
      GeometryError: Equinox has no such layer.
    """
    refuse("equinox", dilates_input(layer))
    options = _transpose_options(layer) if layer.transposed else _forward_options(layer)
    kind = "ConvTranspose" if layer.transposed else "Conv"
    features = layer.in_features, layer.out_features, layer.kernel_shape, layer.strides
    options |= without_defaults(
        dilation=layer.kernel_dilation,
        groups=layer.feature_group_count,
        padding_mode=None if layer.padding_mode == "zeros" else layer.padding_mode.upper(),
        use_bias=False if layer.bias is None else None,
    )
    options["key"] = Name("key")
    if layer.ndim > 3:
        return Call(f"eqx.nn.{kind}", (layer.ndim, *features), options)
    return Call(f"eqx.nn.{kind}{layer.ndim}d", features, options)


def _forward_options(layer: Convolution) -> dict[str, Any]:
    cropped = not layer.depends_on_size and min(map(min, layer.padding)) < 0
    if cropped and layer.padding_mode != "zeros":
        raise GeometryError(f"equinox cannot crop with {layer.padding_mode} padding: crop first")
    return {"padding": layer.padding}


def _transpose_options(layer: Convolution) -> dict[str, Any]:
    a = layer.output_padding or (0,) * layer.ndim
    if layer.padding_mode == "zeros":
        return {"padding": layer.padding, **({"output_padding": a} if any(a) else {})}
    refuse("eqx.nn.ConvTranspose", (f"{layer.padding_mode} padding", layer.padding_mode != "circular"))
    for word in ("SAME", "SAME_LOWER"):
        same = Convolution(layer.kernel, strides=layer.strides, padding=word, transposed=True,
                           kernel_dilation=layer.kernel_dilation,
                           feature_group_count=layer.feature_group_count)  # fmt: skip
        if (layer.padding, a) == (same.padding, same.output_padding):
            return {"padding": word}
    raise GeometryError("eqx.nn.ConvTranspose has circular padding only with 'SAME' and 'SAME_LOWER'")
