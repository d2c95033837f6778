"""Which convolution is this function?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from jax.typing import DTypeLike

from jaxconv.core.checks import check_dtype
from jaxconv.errors import GeometryError, OptionError
from jaxconv.geometry.arguments import at_least_one, describe, real, shape_of
from jaxconv.interop.identification.box import Box
from jaxconv.interop.identification.join import Fit, axis_fits, joint_fits, more_axis_fits
from jaxconv.interop.identification.kernel import kernels
from jaxconv.interop.identification.layer import apply, layer_of
from jaxconv.interop.identification.linear import Samples, position, samples
from jaxconv.interop.identification.notes import notes
from jaxconv.interop.identification.refusal import refusal
from jaxconv.interop.identification.responses import Responses, axis_responses
from jaxconv.interop.identification.result import (
    Alternative,
    Identification,
    IdentifiedConvolution,
    identified,
)
from jaxconv.interop.identification.sizes import deciding_shape, deciding_shape_of_word, padding_word
from jaxconv.interop.layer import Convolution

MOST = 24  # alternatives that are returned


def identify(
    f: Callable[..., Any],
    input_shape: Sequence[int],
    in_features: int = 1,
    *,
    dtype: DTypeLike | None = None,
    rtol: float | None = None,
    seed: int = 0,
) -> IdentifiedConvolution:
    """Recovers the convolution that a function computes, from its responses to impulses.

    The function must be linear, apart from a bias, and read every position with the same weights. Then the
    result has its kernel, strides, padding, padding mode, dilations, groups and bias, and says whether it is
    a convolution or the transpose of one. Every other function is refused, with the reason.

    Where several convolutions are the same function at this size, the one with the fewest taps is returned,
    then the one with the most symmetric padding, and ``result.identification.alternatives`` has the others,
    each with a size that decides. Some are the same at every size, and only the smallest of these is
    returned: zeros at the border of a kernel are not taps; zeros between all taps are a dilation; a factor
    that strides and input dilation share is left out, with the taps that it leaves unread.

    A function that takes batches is called four times, with ``8 + sum(input_shape)`` maps and one for each
    input feature at a few positions (one if all strides are 1, ``prod(strides)`` otherwise, more where
    the input is hardly larger than the kernel). One that takes single maps is called once per map.

    Args:
      f: Function of channels-last maps ``(batch, *input_shape, in_features)``, or without the batch, that
        returns channels-last maps. A layer or model of PyTorch or Equinox is called in its own channels-first
        layout, and one of Keras in its ``data_format``. Every other object is called with a JAX array.
      input_shape: Spatial shape of the maps to call it with. A few cells more than twice the kernel suffice.
      in_features: Features of the maps.
      dtype: Dtype of the maps, floating or complex. By default that of the kernel or of the parameters of
        `f` if it shows them, else JAX's default.
      rtol: Largest rounding error of a result, as a share of the largest result; what is below counts as
        zero. By default 64 units of rounding of the dtype, 4 for half precision. Raise it for a
        function that computes in lower precision than it returns.
      seed: Seed of the random maps.

    Returns:
      A `Convolution` on channels-last maps with the attribute `identification`.

    Raises:
      GeometryError: `f` is not a convolution, is not linear, does not return feature maps of one shape and
        dtype, or `input_shape` is too small to tell.
      OptionError: `f` raises an error, or returns something else when it is called again.
      TypeError: `f` cannot be called, or does not return an array of floating or complex numbers.

    References:
      Dumoulin & Visin, arXiv:1603.07285, section 4: a transposed convolution as a direct one.

    >>> import jax.numpy as jnp
    >>> from jax import lax
    >>> kernel = jnp.array([1.0, 2.0, 3.0]).reshape(3, 1, 1)
    >>> layer = identify(lambda y: lax.conv_transpose(y, kernel, (2,), "SAME"), (5,))
    >>> layer.transposed, layer.kernel.ravel().tolist()  # lax flips the kernel
    (True, [3.0, 2.0, 1.0])
    >>> layer.geometry((5,))
    ConvGeometry((10,), (3,), strides=(2,), padding=((0, 1),))
    """
    box = _box(f, input_shape, in_features, dtype)
    if rtol is not None and not 0 < real("rtol", rtol) < 1:
        raise OptionError(f"`rtol` must lie between 0 and 1, got {rtol}.")
    rng = np.random.default_rng(seed)
    sampled = samples(box, rng, rtol)
    share = sampled.rtol
    if not abs(sampled.results).max():
        raise GeometryError(
            "`f` does not depend on its input: it returns the same for every map, which is a convolution of "
            "any geometry with a kernel of zeros."
        )
    responses = axis_responses(box, sampled.bias, sampled.height, rng, share)
    fits = [axis_fits(axis) for axis in responses]
    joint = joint_fits(fits) or joint_fits(
        [f + more_axis_fits(r) for f, r in zip(fits, responses, strict=True)]
    )
    if not joint:
        raise refusal(responses, fits, box.in_features)
    found = kernels(box, joint[: MOST + 1], sampled.bias, sampled.height)
    return _result(box, sampled, responses, joint, found, share)


def _box(f: Any, input_shape: Sequence[int], in_features: int, dtype: DTypeLike | None) -> Box:
    """Checks the arguments and returns the function as a `Box`."""
    if isinstance(f, type) or not callable(f):
        hint = "; pass an instance" if isinstance(f, type) else ""
        raise TypeError(f"`f` must be a function or a layer that can be called, got {describe(f)}{hint}.")
    shape = shape_of("input_shape", input_shape)
    features = at_least_one("in_features", in_features)
    return Box(f, shape, features, None if dtype is None else check_dtype(dtype))


def _result(
    box: Box,
    sampled: Samples,
    responses: Sequence[Responses],
    joint: Sequence[Fit],
    found: Sequence[np.ndarray],
    share: float,
) -> IdentifiedConvolution:
    """Checks the answer on random maps and returns it with its alternatives."""
    best, kernel = joint[0], found[0]
    error = _error(best, kernel, sampled, share)

    def make(fit: Fit, kernel: np.ndarray) -> Convolution:
        tolerance = share * float(abs(kernel).max())
        return layer_of(fit, kernel, sampled.bias, tolerance, (box.dtype, box.out_dtype))

    layer = make(best, kernel)
    others = []
    if (word := padding_word(best)) and (shape := deciding_shape_of_word(best, word)):
        others.append(Alternative(replace(layer, padding=word), shape))
    for fit, weights in zip(joint[1:], found[1:], strict=False):
        if shape := deciding_shape(best, fit, responses):
            others.append(Alternative(make(fit, weights), shape))
    geometry = layer.geometry(box.input_shape)
    return identified(
        layer,
        Identification(box.input_shape, geometry, tuple(others), notes(best), box.calls, box.maps, error),
    )


def _error(fit: Fit, kernel: np.ndarray, sampled: Samples, share: float) -> float:
    """Returns the error of a convolution on the random maps, as a share of the largest result.

    Raises:
      GeometryError: It is larger than rounding explains.
    """
    gap = abs(apply(fit.axes, kernel, sampled.maps.astype(kernel.dtype)) - sampled.results)
    largest = float(abs(sampled.results).max() + (0 if sampled.bias is None else abs(sampled.bias).max()))
    if gap.max() > 8 * share * largest:
        where = np.unravel_index(int(gap.argmax()), gap.shape)
        raise GeometryError(
            "`f` is not the convolution that its responses to impulses show: for a random map its output at "
            f"{position(where[1:])} differs by {gap.max():.3g} where the largest is {largest:.3g}. Does it "
            "mix the maps of a batch, as batch normalization does unless in evaluation mode? If it computes "
            "in lower precision than it returns, raise `rtol`."
        )
    return float(gap.max()) / largest
