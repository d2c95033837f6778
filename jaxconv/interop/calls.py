"""The same convolution in other libraries: the call that a reader would write there."""

from __future__ import annotations

from collections.abc import Callable

import jax

from jaxconv.errors import GeometryError
from jaxconv.geometry import ConvGeometry
from jaxconv.geometry.axis import NUMPY_PAD_MODES
from jaxconv.interop import equinox, flax, keras, lax, torch
from jaxconv.interop.call import Call, Name
from jaxconv.interop.layer import Convolution


def calls(g: ConvGeometry, bias: bool = False) -> dict[str, str]:
    """Writes the convolution `g` in other libraries, as Python on ``x`` and ``kernel``.

    Where a library has no equivalent, a comment says what is missing.

    Args:
      g: The convolution.
      bias: Whether it adds a bias.

    Returns:
      Python code by library: ``"lax"``, ``"flax"``, ``"torch"``, ``"keras"`` and ``"equinox"``.

    >>> for library, code in calls(ConvGeometry((6,), (3,), strides=2, padding=1)).items():
    ...     print(f"{library}: {code}")
    lax: lax.conv_general_dilated(x, kernel, (2,), ((1, 1),), dimension_numbers=('NWC', 'WIO', 'NWC'))
    flax: nnx.Conv(1, 1, (3,), (2,), padding=((1, 1),), use_bias=False, rngs=rngs)
    torch: nn.Conv1d(1, 1, (3,), (2,), padding=(1,), bias=False)
    keras: # Keras has no padding in cells: use layers.ZeroPadding first, then 'valid'
    equinox: eqx.nn.Conv1d(1, 1, (3,), (2,), padding=((1, 1),), use_bias=False, key=key)
    """
    layer = _layer(g, bias=bias)
    return {"lax": _lax(g) + _added(bias), "flax": _flax(g, bias)} | _layers(layer, g)


def transposed_calls(g: ConvGeometry, bias: bool = False) -> dict[str, str]:
    """Writes the transpose of `g` in other libraries, as Python on ``y`` and the forward ``kernel``.

    Equinox's kernel is that of the equivalent direct convolution, as `jaxconv.to_equinox` makes it. Where a
    library has no equivalent, a comment says what is missing.

    Args:
      g: The forward convolution.
      bias: Whether the transpose adds a bias.

    Returns:
      Python code by library: ``"lax"``, ``"flax"``, ``"torch"``, ``"keras"`` and ``"equinox"``.

    >>> code = transposed_calls(ConvGeometry((6,), (3,), strides=2, padding=1))
    >>> print(code["flax"])
    nnx.ConvTranspose(1, 1, (3,), (2,), padding=((1, 2),), transpose_kernel=True, use_bias=False, rngs=rngs)
    >>> print(code["torch"])
    nn.ConvTranspose1d(1, 1, (3,), (2,), padding=(1,), output_padding=(1,), bias=False)
    >>> print(transposed_calls(ConvGeometry((6,), (3,), strides=2, padding="SAME"))["keras"])
    layers.Conv1DTranspose(1, (3,), (2,), padding='same', use_bias=False)
    """
    layer = _layer(g, transposed=True, bias=bias)
    code = {"lax": _lax_transposed(g) + _added(bias), "flax": _write_call(flax.call, layer)}
    return code | _layers(layer, g)


def _layer(g: ConvGeometry, transposed: bool = False, bias: bool = False) -> Convolution:
    """Returns the layer of a geometry, without numbers."""
    kernel = jax.ShapeDtypeStruct(g.kernel_array_shape, "float32")
    features = g.in_features if transposed else g.out_features
    b = jax.ShapeDtypeStruct((features,), "float32") if bias else None
    a = g.output_padding if transposed else None
    return Convolution(kernel, b, transposed=transposed, output_padding=a, **g.options)


def _added(bias: bool) -> str:
    """Writes how a bias is added to what lax returns."""
    return " + bias" if bias else ""


def _layers(layer: Convolution, g: ConvGeometry) -> dict[str, str]:
    """Writes the layer in libraries that have layers only; their padding may depend on the input's size."""
    libraries = {"torch": torch, "keras": keras, "equinox": equinox}
    return {name: _write_call(library.call, layer, g.input_shape) for name, library in libraries.items()}


def _pad_call(g: ConvGeometry) -> tuple[str, ConvGeometry]:
    """Writes the map to convolve, padded if the padding mode is not zeros, and returns the geometry left."""
    if g.padding_mode == "zeros":
        return "x", g
    x = "x"
    if max(g.input_dilation) > 1:
        config = ((0, 0, 0), *((0, 0, f - 1) for f in g.input_dilation), (0, 0, 0))
        x = f"lax.pad({x}, jnp.zeros((), x.dtype), {config})"
    width = ((0, 0), *((max(low, 0), max(high, 0)) for low, high in g.padding), (0, 0))
    x = f"jnp.pad({x}, {width}, mode={NUMPY_PAD_MODES[g.padding_mode]!r})"
    if min(map(min, g.padding)) < 0:
        ends = ((max(-low, 0), min(high, 0) or "") for low, high in g.padding)
        x += f"[:, {', '.join(f'{low}:{high}' for low, high in ends)}]"
    return x, g.prepadded()


def _write_call(make_call: Callable[..., Call], *arguments: object) -> str:
    """Writes the call that a function makes, or a comment with the reason why it cannot."""
    try:
        return str(make_call(*arguments))
    except GeometryError as error:
        return f"# {error}"


def _lax(g: ConvGeometry) -> str:
    """Writes the convolution for lax."""
    x, g = _pad_call(g)
    return _lax_call("lax.conv_general_dilated", x, lax.conv_arguments(_layer(g)))


def _lax_transposed(g: ConvGeometry) -> str:
    """Writes the transpose for lax."""
    try:
        return _lax_call("lax.conv_transpose", "y", lax.conv_transpose_arguments(_layer(g, transposed=True)))
    except GeometryError:  # the transpose of what it can write
        shape = f"(N, {', '.join(map(str, g.input_shape))}, {g.in_features})"
        return f"jax.linear_transpose(lambda x: {_lax(g)}, jax.ShapeDtypeStruct({shape}, y.dtype))(y)[0]"


def _lax_call(name: str, x: str, arguments: dict[str, object]) -> str:
    """Writes a call of lax, its first arguments without keywords."""
    strides, padding, *_ = arguments.values()
    options = dict(list(arguments.items())[2:])
    return str(Call(name, (Name(x), Name("kernel"), strides, padding), options))


def _flax(g: ConvGeometry, bias: bool) -> str:
    """Writes the convolution for flax."""
    try:
        return str(flax.call(_layer(g, bias=bias)))
    except GeometryError:  # of the padding: nothing else is missing
        x, g = _pad_call(g)
        return f"{flax.call(_layer(g, bias=bias))}  # on x = {x}"
