"""Formulations inside small networks, where the memory of one layer affects the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.agreement import check_agreement
from benchmarks.programs import compile_way
from benchmarks.table import Megabytes, Row, Table, ratio
from benchmarks.timing import timings
from benchmarks.ways import lax_conv, lax_transpose
from jaxconv import ConvGeometry, conv, conv_transpose


class Layer(NamedTuple):
    """One layer: a kernel, features, a stride, groups, and whether it is a transposed convolution (up)."""

    kernel: int
    inputs: int
    outputs: int
    stride: int = 1
    groups: int = 1
    up: bool = False

    @property
    def kernel_shape(self) -> tuple[int, ...]:
        """Shape of the kernel of the forward convolution, of which an `up` layer is the transpose."""
        inputs, outputs = (self.outputs, self.inputs) if self.up else (self.inputs, self.outputs)
        return (self.kernel, self.kernel, inputs // self.groups, outputs)


class Network(NamedTuple):
    """Layers with a ReLU after each, and the shape of the input."""

    name: str
    shape: tuple[int, ...]
    layers: tuple[Layer, ...]


def _separable(inputs: int, outputs: int) -> tuple[Layer, Layer]:
    return Layer(3, inputs, inputs, groups=inputs), Layer(1, inputs, outputs)


NETWORKS = (
    Network(
        "four 3x3 layers",
        (4, 96, 128, 16),
        (Layer(3, 16, 16), Layer(3, 16, 32), Layer(3, 32, 32), Layer(3, 32, 16)),
    ),
    Network(
        "down and up (U-Net)",
        (4, 64, 64, 8),
        (
            Layer(3, 8, 16),
            Layer(2, 16, 32, stride=2),
            Layer(3, 32, 32),
            Layer(2, 32, 16, stride=2, up=True),
            Layer(3, 16, 8),
        ),
    ),
    Network(
        "depthwise separable",
        (4, 56, 56, 32),
        (*_separable(32, 64), *_separable(64, 64), *_separable(64, 32)),
    ),
)


def table(*, quick: bool = False, networks: Sequence[Network] = NETWORKS, seconds: float = 2.0) -> Table:
    """Measures every network, one row per network."""
    return Table(
        "network",
        "Milliseconds of one value_and_grad in all kernels and in the input; MB: XLA's temporaries.",
        [_row(network, seconds / 4 if quick else seconds) for network in networks],
        ["Both are the same Python function; only the convolution differs."],
    )


def _row(network: Network, seconds: float) -> Row:
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.standard_normal(network.shape, np.float32))
    kernels = [
        jnp.asarray(rng.standard_normal(shape, np.float32) * np.float32(np.prod(shape[:-1]) ** -0.5))
        for shape in (layer.kernel_shape for layer in network.layers)
    ]
    step = {
        name: jax.value_and_grad(partial(_loss, network.layers, multiply), argnums=(0, 1))
        for name, multiply in (("jaxconv", _ours), ("lax", _lax))
    }
    ways = {name: compile_way(function, kernels, x) for name, function in step.items()}
    expected = jax.tree.leaves(ways["lax"].call())

    def check(name: str, result: object) -> None:
        for leaf, expected_leaf in zip(jax.tree.leaves(result), expected, strict=True):
            check_agreement(
                f"{network.name} by {name}", leaf, expected_leaf, terms=int(np.prod(network.shape))
            )

    times = timings({name: way.call for name, way in ways.items()}, seconds=seconds, check=check)
    cells = {"case": network.name, **times, "lax / ours": ratio(times["jaxconv"], times["lax"])}
    for label, name in (("MB", "jaxconv"), ("lax MB", "lax")):
        cells[label] = None if ways[name].temporary is None else Megabytes(ways[name].temporary / 1e6)
    return Row(cells)


def _loss(
    layers: tuple[Layer, ...], multiply: Callable[..., jax.Array], kernels: list[jax.Array], x: jax.Array
) -> jax.Array:
    for layer, kernel in zip(layers, kernels, strict=True):
        x = jax.nn.relu(multiply(_geometry(layer, x.shape), layer.up, x, kernel))
    return (x * x).mean()


def _geometry(layer: Layer, shape: tuple[int, ...]) -> ConvGeometry:
    """Returns the geometry of the forward convolution, from the shape of the input of the layer."""
    taps = (layer.kernel, layer.kernel)
    spatial = tuple(size * layer.stride for size in shape[1:-1]) if layer.up else shape[1:-1]
    inputs, outputs = (layer.outputs, layer.inputs) if layer.up else (layer.inputs, layer.outputs)
    return ConvGeometry(
        spatial,
        taps,
        in_features=inputs,
        out_features=outputs,
        strides=layer.stride,
        padding="SAME",
        feature_group_count=layer.groups,
    )


def _ours(g: ConvGeometry, up: bool, x: jax.Array, kernel: jax.Array) -> jax.Array:
    if up:
        return conv_transpose(x, kernel, geometry=g)
    return conv(x, kernel, geometry=g)


def _lax(g: ConvGeometry, up: bool, x: jax.Array, kernel: jax.Array) -> jax.Array:
    return lax_transpose(g, x, kernel) if up else lax_conv(g, x, kernel)
