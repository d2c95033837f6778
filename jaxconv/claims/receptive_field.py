"""Receptive fields: the inputs that change an output, and the closed form of their number."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from jaxconv.claims import oracle
from jaxconv.claims.cases import Cases, draw
from jaxconv.claims.claim import Trial, claim, exact
from jaxconv.geometry import ConvGeometry, receptive_field

LAYERS = 3


def _stacks(
    cases: Cases, input_dilations: tuple[int, ...], padding_modes: tuple[str, ...] = ("zeros",)
) -> Iterator[list[ConvGeometry]]:
    """Yields stacks of random layers along one axis, each for the output of the layer below."""
    rng = np.random.default_rng((cases.seed, len(input_dilations)))
    for _ in range(10 * cases.trials):
        stack: list[ConvGeometry] = []
        while len(stack) < LAYERS:
            fixed = {"input_shape": stack[-1].output_shape} if stack else {"input_shape": (9,)}
            g = draw(
                rng,
                1,
                **fixed,
                input_dilation=(int(rng.choice(input_dilations)),),
                padding_mode=str(rng.choice(padding_modes)) if fixed["input_shape"] > (1,) else "zeros",
            )
            stack.append(g.with_features(1, 1))
        yield stack


def _dependence(stack: list[ConvGeometry]) -> np.ndarray:
    """Returns whether an input changes an output, ``(outputs, inputs)``, by the product of dense layers."""
    product = np.eye(stack[0].matrix_shape[1])
    for g in stack:
        product = oracle.matrix(np.ones((*g.kernel_shape, 1, 1)), g) @ product
    return product > 0


@claim(
    "receptive-field",
    "a receptive field holds exactly the inputs that change the output",
    "definition of the receptive field",
    "integers",
)
def cells(cases: Cases) -> Iterator[Trial]:
    """Tries stacks with strides, both dilations (so transposes too) and every padding mode."""
    for stack in _stacks(cases, (1, 2, 3), tuple(oracle.NUMPY_MODES)):
        field = receptive_field(stack)
        inside = np.zeros((*stack[-1].output_shape, *stack[0].input_shape), bool)
        for output, row in enumerate(inside):
            row[list(field.cells((output,), clip=True)[0])] = True
        yield exact(bool((inside == _dependence(stack)).all()), f"stack = {stack!r}")


@claim(
    "receptive-field-size",
    "size = 1 + sum of (span - 1) times the strides below; jump = product of strides",
    "Araujo, Norris & Sim, Distill 2019",
    "integers",
)
def size(cases: Cases) -> Iterator[Trial]:
    """Compares the closed form with fields that are followed down layer by layer."""
    for stack in _stacks(cases, (1,)):
        size, jump, offset = 1, 1, 0
        for axis in (g.axes[0] for g in stack):
            size += (axis.span - 1) * jump
            offset -= axis.padding[0] * jump
            jump *= axis.stride
        field = receptive_field(stack)
        holds = (field.size, field.jump, field.offset) == ((size,), (jump,), (offset,))
        yield exact(holds, f"stack = {stack!r}")


@claim(
    "pooling-field",
    "an output of a PxP pooling after a KxK convolution of stride 1 depends on "
    "(P + K - 1)x(P + K - 1) inputs",
    "Araujo, Norris & Sim, Distill 2019",
    "integers",
)
def pooling(cases: Cases) -> Iterator[Trial]:
    """Compares the receptive field, and the number of inputs that change an output."""
    for p, k in ((2, 3), (3, 3), (2, 5), (4, 2), (1, 7)):
        convolution = ConvGeometry((16, 15), (k, k))
        stack = [convolution, ConvGeometry(convolution.output_shape, (p, p), strides=p)]
        counts = set(_dependence(stack).sum(1).tolist())
        holds = receptive_field(stack).size == (p + k - 1,) * 2 and counts == {(p + k - 1) ** 2}
        yield exact(holds, f"stack = {stack!r}")
