"""PyTorch's layers: channels first, kernels ``(out, in // groups, *kernel_shape)``.

`nn.ConvTransposeNd` takes the forward convolution's arguments and kernel, as this library does; its
kernel ``(in, out // groups, *kernel_shape)`` is the forward convolution's with the layer's names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import jax.numpy as jnp
import ml_dtypes
import numpy as np

from jaxconv.errors import GeometryError
from jaxconv.geometry import Padding
from jaxconv.interop.call import Call, without_defaults
from jaxconv.interop.layer import Convolution
from jaxconv.interop.refusals import (
    check_computes_in_its_dtype,
    check_convolution,
    check_type,
    dilates_input,
    refuse,
)

if TYPE_CHECKING:
    import torch

_NORMS = ("torch.nn.utils.weight_norm.WeightNorm", "torch.nn.utils.spectral_norm.SpectralNorm")


def from_torch(layer: torch.nn.Module) -> Convolution:
    """A PyTorch layer in this library's terms; its numbers are copied.

    Args:
      layer: `torch.nn.Conv1d`, `Conv2d`, `Conv3d`, `ConvTranspose1d`, `ConvTranspose2d` or
        `ConvTranspose3d`, with any of their options. Its numbers are those of a call in eval mode:
        weight norm and spectral norm, as parametrizations or as the older hooks, are applied, and the
        layer stays as it is. Backward hooks, which change gradients alone, are left out.

    Returns:
      The layer as a `Convolution` on channels-last maps.

    Raises:
      GeometryError: Its ``output_padding`` reaches its stride, which PyTorch takes up to the
        dilation: no forward convolution has that input size. Or it has not seen an input yet.
      TypeError: It is none of these layers, or another hook may change what it computes.

    >>> import torch  # doctest: +SKIP
    >>> layer = from_torch(torch.nn.ConvTranspose1d(4, 2, 3, stride=2, padding=1))  # doctest: +SKIP
    >>> layer.geometry((5,)), layer.kernel.shape  # doctest: +SKIP
    (ConvGeometry((9,), (3,), in_features=2, out_features=4, strides=(2,), padding=((1, 1),)), (3, 2, 4))
    """
    from torch import nn

    classes = [getattr(nn, f"Conv{kind}{n}d") for kind in ("", "Transpose") for n in (1, 2, 3)]
    check_type(layer, classes, ("__call__", "forward", "_conv_forward", "_output_padding"), "torch.nn")
    if isinstance(layer, nn.modules.lazy.LazyModuleMixin):
        raise GeometryError("a lazy layer has no kernel until it has seen an input: call it once first.")
    _check_hooks(layer)
    weight, bias = _as_called(layer)
    return Convolution(
        jnp.array(_numbers(weight).transpose(*range(2, weight.ndim), 1, 0)),
        None if bias is None else jnp.array(_numbers(bias)),
        strides=layer.stride,
        padding=cast(Padding, layer.padding.upper() if isinstance(layer.padding, str) else layer.padding),
        padding_mode=layer.padding_mode,
        kernel_dilation=layer.dilation,
        feature_group_count=layer.groups,
        transposed=layer.transposed,
        output_padding=layer.output_padding if layer.transposed else None,
    )


def to_torch(layer: Convolution) -> torch.nn.Module:
    """The same layer in PyTorch, on the CPU.

    Args:
      layer: Of up to three axes, without input dilation, padded alike on both sides.

    Returns:
      `torch.nn.Conv1d`, `ConvTranspose1d` or their likes, for channels-first maps.

    Raises:
      GeometryError: PyTorch has no such layer.
    """
    import torch

    check_convolution(layer)
    check_computes_in_its_dtype(layer, "torch.nn")
    kernel = _tensor(layer.kernel)
    made = call(layer).call_in(torch.nn, dtype=kernel.dtype)
    with torch.no_grad():
        made.weight.copy_(kernel.permute(-1, -2, *range(layer.ndim)))
        if layer.bias is not None:
            made.bias.copy_(_tensor(layer.bias))
    return made


def call(layer: Convolution, input_shape: tuple[int, ...] | None = None) -> Call:
    """The constructor that makes `layer`; with `input_shape`, also what does not fit that is refused.

    Raises:
      GeometryError: There is none.
    """
    if layer.ndim > 3:
        raise GeometryError(f"torch has no {layer.ndim}-dimensional convolution")
    refuse("torch", dilates_input(layer))
    if layer.depends_on_size:
        raise GeometryError(
            f"torch's padding is the same for every input, that of {layer.padding!r} with strides is not: "
            "settle it by `.at(input_shape)`"
        )
    return (_transpose_call if layer.transposed else _forward_call)(layer, input_shape)


def _forward_call(layer: Convolution, input_shape) -> Call:
    padding: str | tuple[int, ...] = tuple(low for low, _ in layer.padding)
    if any(low != high for low, high in layer.padding):
        if not layer.pads_same():
            raise GeometryError("torch pads both sides alike: use F.pad first, then padding=0")
        padding = "same"  # one cell more on the high side, which it takes where strides are 1
    _check_signs(layer.padding, "first")
    sizes = {"reflect": [i - 1 for i in input_shape or ()], "circular": input_shape or ()}
    limits = sizes.get(layer.padding_mode, ())
    if any(low > size for (low, _), size in zip(layer.padding, limits, strict=False)):
        raise GeometryError(
            f"torch's {layer.padding_mode} padding does not repeat: pad in steps with F.pad first"
        )
    mode = {} if layer.padding_mode == "zeros" else {"padding_mode": layer.padding_mode}
    return _call(layer, "Conv", padding, **mode)


def _transpose_call(layer: Convolution, _) -> Call:
    if layer.padding_mode != "zeros":
        raise GeometryError("nn.ConvTranspose has zero padding only")
    # Cells of the high side may count as output padding: the same layer.
    outputs = layer.output_padding or (0,) * layer.ndim
    moved = [(low, a + low - high) for (low, high), a in zip(layer.padding, outputs, strict=True)]
    padding, a = zip(*moved, strict=True)
    _check_signs(layer.padding, "afterwards")
    if min(a) < 0:
        raise GeometryError("torch pads both sides alike: convolve with padding=0 and crop the result")
    if any(a >= max(s, d) for a, s, d in zip(a, layer.strides, layer.kernel_dilation, strict=True)):
        raise GeometryError("torch wants output_padding below strides or dilation")
    return _call(layer, "ConvTranspose", padding, **({"output_padding": a} if any(a) else {}))


def _call(layer: Convolution, kind: str, padding, **options) -> Call:
    positional = (layer.in_features, layer.out_features, layer.kernel_shape, layer.strides)
    shared = without_defaults(
        dilation=layer.kernel_dilation,
        groups=layer.feature_group_count,
        bias=False if layer.bias is None else None,
    )
    return Call(f"nn.{kind}{layer.ndim}d", positional, {"padding": padding} | options | shared)


def _check_signs(padding, when: str) -> None:
    if min(map(min, padding)) < 0:
        raise GeometryError(f"torch refuses negative padding: crop with F.pad {when}")


def _check_hooks(layer) -> None:
    """Nothing but the norms runs when the layer is called, of its own or of all modules."""
    from torch.nn.modules import module as every

    hooks = [hook for hook in layer._forward_pre_hooks.values() if _name(type(hook)) not in _NORMS]
    for others in (layer._forward_hooks, every._global_forward_pre_hooks, every._global_forward_hooks):
        hooks += others.values()
    if hooks:
        raise TypeError(
            f"the hook {_name(hooks[0])} runs when the layer is called and may compute anything; remove it "
            "first, by the handle that registering it returned or by `torch.nn.utils.prune.remove`."
        )


def _name(hook) -> str:
    named = hook if hasattr(hook, "__qualname__") else type(hook)
    return f"{named.__module__}.{named.__qualname__}"


def _as_called(layer):
    """Kernel and bias of a call in eval mode; the layer stays as it is.

    The norms' hooks set the kernel when the layer is called, so that what it holds may be older than
    its parameters. In training mode spectral norm changes its state whenever it is asked for a kernel.
    """
    import torch

    modes = {module: module.training for module in layer.modules()}
    try:
        for module in modes:
            module.training = False
        called = object.__new__(type(layer))
        vars(called).update(vars(layer))  # shares parameters and buffers; what hooks set is its own
        with torch.no_grad():
            for norm in layer._forward_pre_hooks.values():
                norm(called, ())
            return called.weight, called.bias
    finally:
        for module, training in modes.items():
            module.training = training


def _numbers(tensor) -> np.ndarray:
    """As NumPy's, which has no bfloat16 of its own."""
    tensor = tensor.detach().cpu()
    if str(tensor.dtype) == "torch.bfloat16":
        return tensor.float().numpy().astype(ml_dtypes.bfloat16)
    return tensor.numpy()


def _tensor(array):
    """A tensor of its own of an array's numbers."""
    import torch

    numbers = np.asarray(array)
    if numbers.dtype == ml_dtypes.bfloat16:
        return torch.tensor(numbers.astype(np.float32)).to(torch.bfloat16)
    return torch.tensor(numbers)
