"""The same convolution in other libraries: the call that a reader would write there."""

from __future__ import annotations

from jaxconv.geometry import ConvGeometry

_LETTERS = {1: "W", 2: "HW", 3: "DHW"}


def calls(g: ConvGeometry) -> dict[str, str]:
    """Python for the convolution `g` in lax, flax.nnx and torch, on ``x`` and ``kernel``.

    Where a library has no equivalent, a comment says what is missing.

    >>> for library, code in calls(ConvGeometry((6,), (3,), strides=2, padding=1)).items():
    ...     print(f"{library}: {code}")
    lax: lax.conv_general_dilated(x, kernel, (2,), ((1, 1),), dimension_numbers=("NWC", "WIO", "NWC"))
    flax: nnx.Conv(1, 1, (3,), (2,), padding=((1, 1),), use_bias=False, rngs=rngs)
    torch: nn.Conv1d(1, 1, (3,), (2,), padding=(1,), bias=False)
    """
    return {"lax": _lax(g), "flax": _flax(g), "torch": _torch(g)}


def transposed_calls(g: ConvGeometry) -> dict[str, str]:
    """Python for the transpose of `g`, on ``y`` and the forward ``kernel``.

    >>> code = transposed_calls(ConvGeometry((6,), (3,), strides=2, padding=1))
    >>> print(code["flax"])
    nnx.ConvTranspose(1, 1, (3,), (2,), padding=((1, 2),), transpose_kernel=True, use_bias=False, rngs=rngs)
    >>> print(code["torch"])
    nn.ConvTranspose1d(1, 1, (3,), (2,), padding=(1,), output_padding=(1,), bias=False)
    """
    return {"lax": _lax_transposed(g), "flax": _flax_transposed(g), "torch": _torch_transposed(g)}


def _options(**options) -> str:
    """Keyword arguments, those left out that say nothing."""
    return "".join(
        f", {name}={value!r}"
        for name, value in options.items()
        if value not in (None, 1) and set(_flat(value)) != {1}
    )


def _flat(value) -> tuple:
    return value if isinstance(value, tuple) else (value,)


def _dimension_numbers(g: ConvGeometry) -> str:
    axes = _LETTERS.get(g.ndim, "0123456789"[: g.ndim])
    return f'("N{axes}C", "{axes}IO", "N{axes}C")'


_NUMPY_MODES = {"circular": "wrap", "reflect": "reflect", "replicate": "edge"}


def _padded(g: ConvGeometry) -> tuple[str, ConvGeometry]:
    """What to convolve instead of x where the padding holds no zeros, and the geometry left to do."""
    if g.padding_mode == "zeros":
        return "x", g
    x = "x"
    if max(g.input_dilation) > 1:
        config = ((0, 0, 0), *((0, 0, f - 1) for f in g.input_dilation), (0, 0, 0))
        x = f"lax.pad({x}, jnp.zeros((), x.dtype), {config})"
    width = ((0, 0), *((max(low, 0), max(high, 0)) for low, high in g.padding), (0, 0))
    x = f"jnp.pad({x}, {width}, mode={_NUMPY_MODES[g.padding_mode]!r})"
    if min(map(min, g.padding)) < 0:
        ends = ((max(-low, 0), min(high, 0) or "") for low, high in g.padding)
        x += f"[:, {', '.join(f'{low}:{high}' for low, high in ends)}]"
    return x, g.prepadded()


def _lax(g: ConvGeometry) -> str:
    x, g = _padded(g)
    options = _options(
        lhs_dilation=g.input_dilation,
        rhs_dilation=g.kernel_dilation,
        feature_group_count=g.feature_group_count,
    )
    return (
        f"lax.conv_general_dilated({x}, kernel, {g.strides}, {g.padding}{options}, "
        f"dimension_numbers={_dimension_numbers(g)})"
    )


def _lax_transposed(g: ConvGeometry) -> str:
    if g.padding_mode != "zeros" or g.feature_group_count > 1 or max(g.input_dilation) > 1:
        shape = f"(N, {', '.join(map(str, g.input_shape))}, {g.in_features})"
        return f"jax.linear_transpose(lambda x: {_lax(g)}, jax.ShapeDtypeStruct({shape}, y.dtype))(y)[0]"
    options = _options(rhs_dilation=g.kernel_dilation)
    return (
        f"lax.conv_transpose(y, kernel, {g.strides}, {g.transposed().padding}{options}, "
        f"dimension_numbers={_dimension_numbers(g)}, transpose_kernel=True)"
    )


def _flax(g: ConvGeometry) -> str:
    x, g = _padded(g)
    options = _options(
        input_dilation=g.input_dilation,
        kernel_dilation=g.kernel_dilation,
        feature_group_count=g.feature_group_count,
    )
    layer = (
        f"nnx.Conv({g.in_features}, {g.out_features}, {g.kernel_shape}, {g.strides}, padding={g.padding}"
        f"{options}, use_bias=False, rngs=rngs)"
    )
    return layer if x == "x" else f"{layer}  # on x = {x}"


def _flax_transposed(g: ConvGeometry) -> str:
    missing = [
        name
        for name, there in (
            (f"{g.padding_mode} padding", g.padding_mode != "zeros"),
            ("groups", g.feature_group_count > 1),
            ("input dilation", max(g.input_dilation) > 1),
        )
        if there
    ]
    if missing:
        return f"# nnx.ConvTranspose has no {' and no '.join(missing)}"
    options = _options(kernel_dilation=g.kernel_dilation)
    return (
        f"nnx.ConvTranspose({g.out_features}, {g.in_features}, {g.kernel_shape}, {g.strides}, "
        f"padding={g.transposed().padding}{options}, transpose_kernel=True, use_bias=False, rngs=rngs)"
    )


def _torch_problem(g: ConvGeometry, transposed: bool) -> str | None:
    if g.ndim > 3:
        return f"torch has no {g.ndim}-dimensional convolution"
    if max(g.input_dilation) > 1:
        return "torch has no input dilation: insert the zeros first"
    if transposed and g.padding_mode != "zeros":
        return "nn.ConvTranspose has zero padding only"
    if any(min(pair) < 0 for pair in g.padding):
        return "torch refuses negative padding: crop with F.pad" + (" afterwards" if transposed else " first")
    if any(low != high for low, high in g.padding):
        after = (
            "convolve with padding=0 and crop the result" if transposed else "use F.pad first, then padding=0"
        )
        return f"torch pads both sides alike: {after}"
    sizes = {"reflect": [i - 1 for i in g.input_shape], "circular": g.input_shape}.get(g.padding_mode, ())
    if any(low > size for (low, _), size in zip(g.padding, sizes, strict=False)):
        return f"torch's {g.padding_mode} padding does not repeat: pad in steps with F.pad first"
    if transposed and any(
        a >= max(s, d) for a, s, d in zip(g.output_padding, g.strides, g.kernel_dilation, strict=True)
    ):
        return "torch wants output_padding below strides or dilation"
    return None


def _torch(g: ConvGeometry) -> str:
    if problem := _torch_problem(g, transposed=False):
        return f"# {problem}"
    options = _options(
        dilation=g.kernel_dilation,
        groups=g.feature_group_count,
        padding_mode=None if g.padding_mode == "zeros" else g.padding_mode,
    )
    padding = tuple(low for low, _ in g.padding)
    return (
        f"nn.Conv{g.ndim}d({g.in_features}, {g.out_features}, {g.kernel_shape}, {g.strides}, "
        f"padding={padding}{options}, bias=False)"
    )


def _torch_transposed(g: ConvGeometry) -> str:
    if problem := _torch_problem(g, transposed=True):
        return f"# {problem}"
    options = _options(dilation=g.kernel_dilation, groups=g.feature_group_count)
    padding = tuple(low for low, _ in g.padding)
    a = f", output_padding={g.output_padding}" if any(g.output_padding) else ""
    return (
        f"nn.ConvTranspose{g.ndim}d({g.out_features}, {g.in_features}, {g.kernel_shape}, {g.strides}, "
        f"padding={padding}{a}{options}, bias=False)"
    )
