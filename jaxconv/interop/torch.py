"""PyTorch's layers: channels-first maps, kernels ``(out, in // groups, *kernel_shape)``.

`nn.ConvTransposeNd` takes the arguments and the kernel of the forward convolution, as this library does. Its
kernel ``(in, out // groups, *kernel_shape)``, in features of the layer, is the forward convolution's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np

from jaxconv.errors import GeometryError, needs_extra
from jaxconv.geometry import Padding
from jaxconv.geometry.arguments import PaddingPairs
from jaxconv.interop.call import Call, without_defaults
from jaxconv.interop.layer import Convolution
from jaxconv.interop.refusals import (
    check_computes_in_its_dtype,
    check_convolution,
    check_library,
    check_type,
    dilates_input,
    refuse,
)

if TYPE_CHECKING:
    import torch

_NORMS = ("torch.nn.utils.weight_norm.WeightNorm", "torch.nn.utils.spectral_norm.SpectralNorm")


def from_torch(layer: torch.nn.Module) -> Convolution:
    """Converts a PyTorch layer to a `Convolution`; its parameters are copied.

    Args:
      layer: `torch.nn.Conv1d`, `Conv2d`, `Conv3d`, `ConvTranspose1d`, `ConvTranspose2d` or
        `ConvTranspose3d`, with any of their options. Its parameters are those of a call in eval mode:
        weight norm and spectral norm, as parametrizations or as the older hooks, are applied, and the
        layer is not changed. Backward hooks, which only change gradients, are ignored.

    Returns:
      The layer as a `Convolution` on channels-last maps.

    Raises:
      GeometryError: ``output_padding`` is not below the stride (PyTorch also accepts it below the dilation):
        no forward convolution has that input size. Or the layer is lazy and has no kernel yet.
      MissingExtraError: PyTorch is not installed.
      TypeError: `layer` is another layer, or a hook may change what it computes.

    >>> import torch  # doctest: +SKIP
    >>> layer = from_torch(torch.nn.ConvTranspose1d(4, 2, 3, stride=2, padding=1))  # doctest: +SKIP
    >>> layer.geometry((5,)), layer.kernel.shape  # doctest: +SKIP
    (ConvGeometry((9,), (3,), in_features=2, out_features=4, strides=(2,), padding=((1, 1),)), (3, 2, 4))
    """
    check_library(layer, "torch")
    with needs_extra(__name__, "torch"):
        from torch import nn

    classes = [getattr(nn, f"Conv{kind}{n}d") for kind in ("", "Transpose") for n in (1, 2, 3)]
    check_type(layer, classes, ("__call__", "forward", "_conv_forward", "_output_padding"), "torch.nn")
    if isinstance(layer, nn.modules.lazy.LazyModuleMixin):
        raise GeometryError(
            "`layer` is lazy and has no kernel until it has seen an input: call it once first."
        )
    _check_hooks(layer)
    weight, bias = _as_called(layer)
    return Convolution(
        jnp.array(as_array(weight).transpose(*range(2, weight.ndim), 1, 0)),
        None if bias is None else jnp.array(as_array(bias)),
        strides=layer.stride,
        padding=cast(Padding, layer.padding.upper() if isinstance(layer.padding, str) else layer.padding),
        padding_mode=layer.padding_mode,
        kernel_dilation=layer.dilation,
        feature_group_count=layer.groups,
        transposed=layer.transposed,
        output_padding=layer.output_padding if layer.transposed else None,
    )


def to_torch(layer: Convolution) -> torch.nn.Module:
    """Converts a `Convolution` to a PyTorch layer on the CPU; its parameters are copied.

    Args:
      layer: A `Convolution` of at most three axes, without input dilation, with the same padding on both
        sides of an axis.

    Returns:
      `torch.nn.Conv1d`, `Conv2d`, `Conv3d` or their ``ConvTranspose``, for channels-first maps.

    Raises:
      GeometryError: PyTorch has no such layer.
      MissingExtraError: PyTorch is not installed.
      TypeError: `layer` is not a `Convolution`.
    """
    check_convolution(layer)
    with needs_extra(__name__, "torch"):
        import torch

    check_computes_in_its_dtype(layer, "torch.nn")
    kernel = as_tensor(layer.kernel)
    made = call(layer).call_in(torch.nn, dtype=kernel.dtype)
    with torch.no_grad():
        made.weight.copy_(kernel.permute(-1, -2, *range(layer.ndim)))
        if layer.bias is not None:
            made.bias.copy_(as_tensor(layer.bias))
    return made


def call(layer: Convolution, input_shape: tuple[int, ...] | None = None) -> Call:
    """Returns the constructor call that makes `layer`.

    Args:
      layer: The layer.
      input_shape: Spatial shape of its input; if given, padding that PyTorch refuses for it is refused too.

    Raises:
      GeometryError: PyTorch has no such layer.
    """
    if layer.ndim > 3:
        raise GeometryError(f"torch has no {layer.ndim}-dimensional convolution")
    refuse("torch", dilates_input(layer))
    if layer.depends_on_size:
        raise GeometryError(
            f"torch's padding cannot depend on the size of the input, as {layer.padding!r} with strides "
            "does: call `layer.at(input_shape)` first"
        )
    return (_transpose_call if layer.transposed else _forward_call)(layer, input_shape)


def _forward_call(layer: Convolution, input_shape: tuple[int, ...] | None) -> Call:
    padding: str | tuple[int, ...] = tuple(low for low, _ in layer.padding)
    if any(low != high for low, high in layer.padding):
        if not layer.pads_same():
            raise GeometryError("torch pads both sides alike: use F.pad first, then padding=0")
        padding = "same"  # one cell more on the high side; PyTorch takes the word where strides are 1
    _check_signs(layer.padding, "first")
    sizes = {"reflect": [i - 1 for i in input_shape or ()], "circular": input_shape or ()}
    limits = sizes.get(layer.padding_mode, ())
    if any(low > size for (low, _), size in zip(layer.padding, limits, strict=False)):
        raise GeometryError(
            f"torch's {layer.padding_mode} padding does not repeat: pad in steps with F.pad first"
        )
    mode = {} if layer.padding_mode == "zeros" else {"padding_mode": layer.padding_mode}
    return _call(layer, "Conv", padding, **mode)


def _transpose_call(layer: Convolution, _: tuple[int, ...] | None) -> Call:
    if layer.padding_mode != "zeros":
        raise GeometryError("nn.ConvTranspose has zero padding only")
    # High padding may be written as output padding: the layer is the same.
    outputs = layer.output_padding or (0,) * layer.ndim
    moved = [(low, a + low - high) for (low, high), a in zip(layer.padding, outputs, strict=True)]
    padding, a = zip(*moved, strict=True)
    _check_signs(layer.padding, "afterwards")
    if min(a) < 0:
        raise GeometryError("torch pads both sides alike: convolve with padding=0 and crop the result")
    if any(a >= max(s, d) for a, s, d in zip(a, layer.strides, layer.kernel_dilation, strict=True)):
        raise GeometryError("torch's output_padding must be below strides or dilation")
    return _call(layer, "ConvTranspose", padding, **({"output_padding": a} if any(a) else {}))


def _call(layer: Convolution, kind: str, padding: str | tuple[int, ...], **options: Any) -> Call:
    positional = (layer.in_features, layer.out_features, layer.kernel_shape, layer.strides)
    shared = without_defaults(
        dilation=layer.kernel_dilation,
        groups=layer.feature_group_count,
        bias=False if layer.bias is None else None,
    )
    return Call(f"nn.{kind}{layer.ndim}d", positional, {"padding": padding} | options | shared)


def _check_signs(padding: PaddingPairs, when: str) -> None:
    if min(map(min, padding)) < 0:
        raise GeometryError(f"torch refuses negative padding: crop with F.pad {when}")


def _check_hooks(layer: torch.nn.Module) -> None:
    """Checks that no hook but those of norms runs when the layer is called."""
    from torch.nn.modules import module as every

    hooks = [hook for hook in layer._forward_pre_hooks.values() if _name(type(hook)) not in _NORMS]
    for others in (layer._forward_hooks, every._global_forward_pre_hooks, every._global_forward_hooks):
        hooks += others.values()
    if hooks:
        raise TypeError(
            f"`layer` has a hook, {_name(hooks[0])}, which runs when it is called and may compute anything; "
            "remove it first, by the handle that registering it returned or by `torch.nn.utils.prune.remove`."
        )


def _name(hook: object) -> str:
    named: Any = hook if hasattr(hook, "__qualname__") else type(hook)
    return f"{named.__module__}.{named.__qualname__}"


def _as_called(layer: Any) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Returns the kernel and the bias of a call in eval mode, without changing the layer.

    The hooks of norms set the kernel when the layer is called, so that its current one may be older than its
    parameters. In training mode spectral norm changes its state whenever its kernel is computed.
    """
    import torch

    modes = {module: module.training for module in layer.modules()}
    try:
        for module in modes:
            module.training = False
        called = object.__new__(type(layer))
        vars(called).update(vars(layer))  # shares parameters and buffers, but not what hooks set
        with torch.no_grad():
            for norm in layer._forward_pre_hooks.values():
                norm(called, ())
            return called.weight, called.bias
    finally:
        for module, training in modes.items():
            module.training = training


def as_array(tensor: torch.Tensor) -> np.ndarray:
    """Converts a tensor to NumPy, with bfloat16 of ml_dtypes."""
    tensor = tensor.detach().cpu()
    if str(tensor.dtype) == "torch.bfloat16":
        return tensor.float().numpy().astype(ml_dtypes.bfloat16)
    return tensor.numpy()


def as_tensor(array: jax.Array) -> torch.Tensor:
    """Copies an array to a tensor."""
    import torch

    numbers = np.asarray(array)
    if numbers.dtype == ml_dtypes.bfloat16:
        return torch.tensor(numbers.astype(np.float32)).to(torch.bfloat16)
    return torch.tensor(numbers)
