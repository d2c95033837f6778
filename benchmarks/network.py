"""Formulations inside small networks, where the memory of one layer affects the next."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.agreement import check_agreement
from benchmarks.memory import answer, in_child
from benchmarks.network_torch import arrays, torch_steps
from benchmarks.programs import Way, compile_way
from benchmarks.table import Megabytes, Row, Table, ratio
from benchmarks.timing import Timing, timings
from benchmarks.ways import lax_conv, lax_transpose
from jaxconv import ConvGeometry, conv, conv_transpose
from jaxconv.convolution import native
from jaxconv.convolution.native.library import VARIABLE


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
    Network(
        "depthwise separable, four 3x3 layers",
        (4, 96, 128, 16),
        (*_separable(16, 32), *_separable(32, 64), *_separable(64, 32), *_separable(32, 16)),
    ),
)


def table(*, quick: bool = False, networks: Sequence[Network] = NETWORKS, seconds: float = 2.0) -> Table:
    """Measures every network, one row per network."""
    return Table(
        "network",
        "Milliseconds of one value_and_grad in all kernels and in the input; MB: XLA's temporaries. Plain: "
        "without oneDNN.",
        [_row(network, seconds / 4 if quick else seconds) for network in networks],
        [
            "jaxconv and lax are the same Python function; only the convolution differs. The time of PyTorch "
            "is that of the faster of its two layouts. Plain is measured in a process of its own.",
        ],
    )


def _row(network: Network, seconds: float) -> Row:
    kernels, x = _operands(network)
    ways = {name: _compile(network, multiply) for name, multiply in (("jaxconv", _ours), ("lax", _lax))}
    torch = torch_steps(_products(network), kernels, x)
    expected = jax.tree.leaves(ways["lax"].call())

    def check(name: str, result: Any) -> None:
        leaves = arrays(result) if name in torch else jax.tree.leaves(result)
        for leaf, expected_leaf in zip(leaves, expected, strict=True):
            check_agreement(
                f"{network.name} by {name}", leaf, expected_leaf, terms=int(np.prod(network.shape))
            )

    calls = {name: way.call for name, way in ways.items()} | torch
    times = timings(calls, seconds=seconds, check=check)
    ours, lax = times["jaxconv"], times["lax"]
    best = min((times[name] for name in torch), key=lambda timing: timing.median, default=None)
    plain = _plain(network, seconds) if native.available() else ours
    cells: dict[str, Any] = {
        "case": network.name,
        "jaxconv": ours,
        "plain": plain,
        "lax": lax,
        "PyTorch": best,
    }
    cells |= {"lax / ours": ratio(ours, lax), "PyTorch / ours": ratio(ours, best)}
    cells |= {"lax / plain": ratio(plain, lax), "PyTorch / plain": ratio(plain, best)}
    for label, name in (("MB", "jaxconv"), ("lax MB", "lax")):
        cells[label] = None if ways[name].temporary is None else Megabytes(ways[name].temporary / 1e6)
    return Row(cells)


def _operands(network: Network) -> tuple[list[np.ndarray], np.ndarray]:
    """Draws the kernels and the input."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal(network.shape, np.float32)
    shapes = [layer.kernel_shape for layer in network.layers]
    return [
        rng.standard_normal(shape, np.float32) * np.float32(np.prod(shape[:-1]) ** -0.5) for shape in shapes
    ], x


def _compile(network: Network, multiply: Callable[..., jax.Array]) -> Way:
    kernels, x = _operands(network)
    step = jax.value_and_grad(partial(_loss, network.layers, multiply), argnums=(0, 1))
    return compile_way(step, [jnp.asarray(kernel) for kernel in kernels], jnp.asarray(x))


def _products(network: Network) -> list[tuple[ConvGeometry, bool]]:
    """Returns the forward geometry of each layer, and whether it is transposed."""
    shape, products = network.shape, []
    for layer in network.layers:
        g = _geometry(layer, shape)
        products.append((g, layer.up))
        shape = (shape[0], *(g.input_shape if layer.up else g.output_shape), layer.outputs)
    return products


def _plain(network: Network, seconds: float) -> Timing:
    """Measures jaxconv without oneDNN, in a process of its own."""
    arguments = json.dumps(network), str(seconds)
    return Timing(*in_child("benchmarks.network", *arguments, variables={VARIABLE: "off"}))


def main(network: str, seconds: str) -> None:
    """Measures jaxconv on a network given as JSON, in this process."""
    name, shape, layers = json.loads(network)
    way = _compile(Network(name, tuple(shape), tuple(Layer(*layer) for layer in layers)), _ours)
    answer(timings({"jaxconv": way.call}, seconds=float(seconds))["jaxconv"])


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


if __name__ == "__main__":
    main(*sys.argv[1:])
