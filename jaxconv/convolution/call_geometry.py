"""The geometry that a call of `conv`, `conv_transpose` or `conv_kernel_vjp` means, by shapes and options.

Outside of jit every call needs it, so that the last ones are kept: 1 us in place of 23.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from typing import Any, ParamSpec, cast

from jaxconv.core.checks import check_features, split_map
from jaxconv.errors import GeometryError
from jaxconv.geometry import ConvGeometry, IntPerAxis
from jaxconv.geometry.arguments import at_least_one, per_axis

P = ParamSpec("P")
KEPT = 1024  # geometries


def _kept(build: Callable[P, ConvGeometry]) -> Callable[P, ConvGeometry]:
    """Makes a function keep its last results, by arguments that are ints, words and tuples of them.

    Anything else is resolved anew: as keys, True and 1.0 would be equal to 1, which is accepted.
    """
    kept = cast("Callable[P, ConvGeometry]", lru_cache(KEPT)(build))

    @wraps(build)
    def resolve(*args: P.args, **kwargs: P.kwargs) -> ConvGeometry:
        exact = all(map(_is_exact, args)) and all(map(_is_exact, kwargs.values()))
        return (kept if exact else build)(*args, **kwargs)

    return resolve


def _is_exact(value: Any) -> bool:
    """Returns whether a value is an int, a word, None or a tuple of such: equal ones mean the same."""
    if type(value) is tuple:
        return all(map(_is_exact, value))
    return type(value) in (int, str, type(None))


@_kept
def geometry_of(
    x: tuple[int, ...], kernel: tuple[int, ...], *, kernel_name: str = "kernel", **options: Any
) -> ConvGeometry:
    """Builds the geometry of a convolution from the shapes of its map and its kernel array."""
    spatial = _spatial_shape("x", x, kernel, kernel_name)
    groups = at_least_one("feature_group_count", options["feature_group_count"])
    check_features("x", x, kernel, groups, kernel_name=kernel_name)
    return ConvGeometry(spatial, kernel[:-2], in_features=x[-1], out_features=kernel[-1], **options)


@_kept
def transposed_geometry_of(
    y: tuple[int, ...],
    kernel: tuple[int, ...],
    input_shape: Sequence[int] | None,
    output_padding: IntPerAxis | None,
    **options: Any,
) -> ConvGeometry:
    """Builds the forward geometry from the shapes of its output and its kernel array."""
    spatial = _spatial_shape("y", y, kernel)
    groups = at_least_one("feature_group_count", options["feature_group_count"])
    check_features("y", y, kernel, groups, transposed=True)
    options |= {"in_features": kernel[-2] * groups, "out_features": y[-1]}
    if input_shape is None:
        return ConvGeometry.of_transposed(spatial, kernel[:-2], output_padding=output_padding, **options)
    geometry = ConvGeometry.from_shapes(input_shape, spatial, kernel[:-2], **options)
    _check_output_padding(geometry, output_padding)
    return geometry


def _spatial_shape(
    name: str, shape: tuple[int, ...], kernel: tuple[int, ...], kernel_name: str = "kernel"
) -> tuple[int, ...]:
    """Returns the spatial part of a feature map's shape; the kernel says how many axes that has."""
    n = len(kernel) - 2
    if n < 1:
        raise GeometryError(
            f"`{kernel_name}` must be (*kernel_shape, in_features // groups, out_features) with at least one "
            f"spatial axis, got {kernel}."
        )
    return split_map(name, shape, n, "the kernel")[1]


def _check_output_padding(geometry: ConvGeometry, output_padding: IntPerAxis | None) -> None:
    """Checks that an output padding given beside an input shape agrees with it."""
    if output_padding is None:
        return
    a = per_axis("output_padding", output_padding, geometry.ndim, least=0)
    if a != geometry.output_padding:
        raise GeometryError(
            f"`input_shape`={geometry.input_shape} means `output_padding`={geometry.output_padding}, "
            f"got {a}; leave out one of the two."
        )
