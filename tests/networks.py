"""Small networks with the attributes of `jaxconv.training.Trained`, exact in float32."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxconv import conv, conv_transpose

COLORS = ((200, 30, 40), (20, 160, 60), (30, 60, 220), (240, 220, 40), (120, 0, 130), (0, 200, 210))


@dataclass(frozen=True)
class Network:
    """A stand-in for a trained network; `function` takes parameters and images to logits."""

    function: Any
    parameters: Any
    classes: Any
    in_features: int = 3
    task: str = "segmentation"
    shrink: int = 1
    step: int = 7
    rest: Any = ()

    def call(self, parameters, rest, images):
        return self.function(parameters, images)

    def logits(self, images):
        return jax.jit(self.function)(self.parameters, jnp.asarray(images))


def convolutional(rng, *, in_features=3, n_classes=4, shrink=1):
    """Builds a network of a downsampling, an upsampling and a parallel convolution: 7 pixels, steps of 2.

    Kernels hold small integers, so on images of multiples of 1/256 every sum is exact in float32.
    """
    shapes = {
        "down": (3, 3, in_features, 3),
        "up": (3, 3, n_classes, 3),
        "near": (3, 3, in_features, n_classes),
    }
    kernels = {name: jnp.asarray(rng.integers(-3, 4, shape), jnp.float32) for name, shape in shapes.items()}
    return Network(_convolutional, kernels, classes(n_classes), in_features, shrink=shrink)


def _convolutional(kernels, x):
    small = jax.nn.relu(conv(x, kernels["down"], strides=2, padding=1))
    up = conv_transpose(small, kernels["up"], input_shape=x.shape[1:3], strides=2, padding=1)
    return up + conv(x, kernels["near"], padding=1)


def classifier(rng, *, in_features=1, n_classes=6):
    """Builds a classifier that weights the mean of every feature."""
    kernel = jnp.asarray(rng.normal(size=(in_features, n_classes)), jnp.float32)
    return Network(_classify, kernel, classes(n_classes), in_features, task="classification")


def _classify(kernel, x):
    return x.mean((1, 2)) @ kernel + jnp.linspace(0, 0.1, kernel.shape[1], dtype=jnp.float32)[None]


def classes(n):
    return SimpleNamespace(names=tuple(f"class {i}" for i in range(n)), colors=COLORS[:n])


def images(rng, *shape):
    """Draws random images of multiples of 1/256, float32."""
    return rng.integers(0, 257, shape).astype(np.float32) / np.float32(256)
