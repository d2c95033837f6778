"""Oracles of the tests: Python loops and `numpy.pad`, without any code of the library.

A geometry is read only as a record of the numbers that its caller gave, and of its resolved padding, which
tests/geometry/test_geometry.py compares with lax. Sizes are found by counting windows.
"""

import zlib

import jax.numpy as jnp
import numpy as np

NUMPY_PAD = {"circular": "wrap", "reflect": "reflect", "replicate": "edge"}


def spans(taps, dilation):
    """Counts the cells from the first tap to the last."""
    return len(range(0, (taps - 1) * dilation + 1))


def padded_cells(size, dilation, padding, mode="zeros"):
    """Returns the input cell that every padded position shows; -1 for a zero."""
    stretched = np.full(len(range(0, (size - 1) * dilation + 1)), -1)
    stretched[::dilation] = range(size)
    low, high = padding
    width = (max(low, 0), max(high, 0))
    if mode == "zeros":
        cells = np.pad(stretched, width, constant_values=-1)
    else:
        cells = np.pad(stretched, width, mode=NUMPY_PAD[mode])
    return cells[max(-low, 0) : len(cells) - max(-high, 0)].tolist()


def window_starts(padded, span, stride):
    """Returns where the windows of an axis begin: as many as fit."""
    return [start for start in range(0, padded, stride) if start + span <= padded]


def axis_reads(axis):
    """Returns, for every output of one axis, the input cell under every tap; -1 for a zero."""
    cells = padded_cells(axis.size, axis.input_dilation, axis.padding, axis.padding_mode)
    starts = window_starts(len(cells), spans(axis.kernel, axis.dilation), axis.stride)
    return [[cells[start + tap * axis.dilation] for tap in range(axis.kernel)] for start in starts]


def dense(g, kernel):
    """Builds C of any geometry, one multiplication of the convolution's definition at a time."""
    by_axis = [axis_reads(axis) for axis in g.axes]
    out_shape, groups = tuple(map(len, by_axis)), g.feature_group_count
    inputs, outputs = g.in_features // groups, g.out_features // groups
    C = np.zeros((*out_shape, g.out_features, *g.input_shape, g.in_features), kernel.dtype)
    for out in np.ndindex(out_shape):
        for taps in np.ndindex(g.kernel_shape):
            cell = tuple(reads[o][t] for reads, o, t in zip(by_axis, out, taps, strict=True))
            if -1 in cell:
                continue
            for j in range(g.out_features):
                first = j // outputs * inputs
                C[(*out, j, *cell, slice(first, first + inputs))] += kernel[(*taps, slice(None), j)]
    return C.reshape(np.prod(out_shape) * g.out_features, -1)


def kernel_shape(g):
    """Returns the shape of the kernel, with features."""
    return (*g.kernel_shape, g.in_features // g.feature_group_count, g.out_features)


def terms(g):
    """Counts the taps that each entry of C sums; 0 outside of the entries."""
    return dense(g, np.ones(kernel_shape(g)))


def kernel_matrix(g, x):
    """Builds the matrix A with ``A @ kernel.ravel() == conv(x, kernel).ravel()``, column by column."""
    basis = np.eye(np.prod(kernel_shape(g)), dtype=x.dtype).reshape(-1, *kernel_shape(g))
    return np.stack([dense(g, kernel) @ x.ravel() for kernel in basis], 1)


def flipped(g, kernel):
    """Builds the kernel of the transpose's equivalent direct convolution, entry by entry."""
    groups = g.feature_group_count
    inputs, outputs = g.in_features // groups, g.out_features // groups
    new = np.zeros((*g.kernel_shape, outputs, g.in_features), kernel.dtype)
    for taps in np.ndindex(g.kernel_shape):
        mirror = tuple(k - 1 - t for k, t in zip(g.kernel_shape, taps, strict=True))
        for group in range(groups):
            for i in range(inputs):
                for j in range(outputs):
                    new[(*mirror, j, group * inputs + i)] = kernel[(*taps, i, group * outputs + j)]
    return new


def numbers(shape, dtype=np.float64, seed=""):
    """Draws random numbers, the same for the same shape and seed."""
    rng = np.random.default_rng(zlib.crc32(f"{shape}{seed}".encode()))
    values = rng.normal(size=shape)
    if np.issubdtype(dtype, np.complexfloating):
        values = values + 1j * rng.normal(size=shape)
    return values.astype(dtype)


def operands(g, dtype=np.float64, batch=()):
    """Draws x, kernel and y for a geometry."""
    return (
        numbers((*batch, *g.input_shape, g.in_features), dtype, f"x{g}"),
        numbers(kernel_shape(g), dtype, f"k{g}"),
        numbers((*batch, *g.output_shape, g.out_features), dtype, f"y{g}"),
    )


def options(g):
    """Returns the keyword arguments of `conv` and its family for a geometry."""
    names = ("strides", "padding", "padding_mode", "input_dilation", "kernel_dilation", "feature_group_count")
    return {name: getattr(g, name) for name in names}


def apply(C, x, batch_axes, shape):
    """Multiplies every feature map of a batch by C, to feature maps of the given shape."""
    batch = x.shape[:batch_axes]
    return (x.reshape(*batch, C.shape[1]) @ C.T).reshape(*batch, *shape)


class Expected:
    """The expected results of `conv` and its family, and the bounds of their rounding errors.

    For each result: the value, the sum of the magnitudes of its terms (``|C||x|``), and the number of
    its terms.
    """

    def __init__(self, g, x, kernel, y):
        self.g, self.norms = g, {"x": x, "kernel": kernel, "y": y}
        self.batch_axes = x.ndim - len(g.input_shape) - 1
        self.C, magnitude, count = dense(g, kernel), dense(g, abs(kernel)), terms(g)
        x_shape, y_shape = x.shape[self.batch_axes :], y.shape[self.batch_axes :]
        conv = lambda C, x: apply(C, x, self.batch_axes, y_shape)  # noqa: E731
        back = lambda C, y: apply(C.T, y, self.batch_axes, x_shape)  # noqa: E731
        self.conv = conv(self.C, x), conv(magnitude, abs(x)), conv(count, np.ones(x.shape))
        self.transpose = back(self.C, y), back(magnitude, abs(y)), back(count, np.ones(y.shape))

    @property
    def kernel_vjp(self):
        """The result of ``conv_kernel_vjp``, which sums over the batch."""
        x, y = (self.norms[name].reshape(-1, *self.norms[name].shape[self.batch_axes :]) for name in "xy")
        gradient = lambda x, y: sum(  # noqa: E731
            (kernel_matrix(self.g, one).T @ other.ravel() for one, other in zip(x, y, strict=True)),
            np.zeros(np.prod(kernel_shape(self.g)), x.dtype),
        ).reshape(kernel_shape(self.g))
        return gradient(x, y), gradient(abs(x), abs(y)), gradient(np.ones(x.shape), np.ones(y.shape))


def assert_rounds_to(got, expected, *, dtype=None, storage=None, c=4, what=""):
    """Asserts ``|got - expected| <= c n eps (|C||x|)`` for n terms; `storage` is eps of a final rounding."""
    value, magnitude, count = expected
    got = np.asarray(got)
    assert got.shape == value.shape, f"{what}: shape {got.shape}, expected {value.shape}"
    eps = jnp.finfo(dtype or value.dtype).eps
    bound = c * np.maximum(count, 1) * eps * magnitude
    if storage is not None:
        bound = bound + float(storage) * abs(value)
    wide = np.complex128 if np.iscomplexobj(value) else np.float64
    gap = abs(got.astype(wide) - value)
    assert (gap <= bound).all(), f"{what}: off by {np.max(gap / np.where(bound, bound, 1e-300)):.3g} bounds"


def assert_is_product(got, C, x, what=""):
    """Asserts that ``got``, of any shape, is C x up to rounding."""
    C, x = np.asarray(C), np.asarray(x).ravel()
    terms = np.full(len(C), C.shape[1])
    assert_rounds_to(np.ravel(got), (C @ x, abs(C) @ abs(x), terms), what=what)


def assert_fft_rounds_to(got, expected, size, *factors, dtype=None, storage=None, c=8, what=""):
    """Asserts ``|got - expected| <= c eps log2(n) |k||x|`` in norms, for an FFT of n cells."""
    value = expected[0]
    scale = np.log2(max(size, 2)) * np.prod([np.linalg.norm(factor) for factor in factors])
    expected = value, np.full(value.shape, scale), np.ones(value.shape)
    assert_rounds_to(got, expected, dtype=dtype, storage=storage, c=c, what=what)
