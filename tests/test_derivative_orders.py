"""Every derivative rule to third order, in both modes, against plain autodiff of dense sums."""

from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from poolings import CASES, IDS, windows

from jaxconv import (
    ConvGeometry,
    avg_pool,
    conv,
    conv_kernel_vjp,
    conv_matrix,
    conv_transpose,
    fold,
    lp_pool,
    max_pool,
    resize,
    unfold,
    unpool,
)
from jaxconv.models import DeconvNet
from jaxconv.nn import sweep
from jaxconv.segmentation import cross_entropy, focal_loss

pytestmark = pytest.mark.slow

ORDERS = ("ff", "fr", "rf", "rr", "fff", "rrf")  # forward or reverse, the inner first


def derivatives(function, x, v, orders):
    """Returns second and third derivatives of a function of one vector, along v."""
    ways = {
        "f": lambda f: lambda x: jax.jvp(f, (x,), (v,))[1],
        "r": lambda f: lambda x: jax.grad(f)(x) @ v,
    }
    return {order: reduce(lambda f, way: ways[way](f), order, function)(x) for order in orders}


def agree(function, oracle, x, rng, orders=ORDERS):
    """Compares derivatives of a scalar of degree 4 made of each function: no third one is constant."""
    v = jnp.asarray(rng.normal(size=x.shape))
    weights = jnp.asarray(rng.normal(size=np.prod(jax.eval_shape(oracle, x).shape, dtype=int)))

    def scalar(f):
        return lambda x: weights @ f(x).ravel() ** 4

    got, expected = jax.jit(lambda x: [derivatives(scalar(f), x, v, orders) for f in (function, oracle)])(x)
    for name, value in expected.items():
        assert abs(value) > 1e-6  # a derivative that vanishes would not show a rule that drops it
        np.testing.assert_allclose(got[name], value, rtol=1e-9, err_msg=name)


# One axis, (6,) to (3,): entry (o, t, i) is 1 where output o reads cell i with tap t.
GEOMETRY = ConvGeometry((6,), (3,), strides=2, padding=1)
READS = jnp.asarray([[[float(o * 2 + t - 1 == i) for i in range(6)] for t in range(3)] for o in range(3)])
ARGUMENTS = GEOMETRY.options


def column(x):
    return x[:, None]


def taps(w):
    return w[:, None, None]


BILINEAR = {  # of vectors of these sizes, as one vector
    "conv": (lambda x, w: conv(column(x), taps(w), **ARGUMENTS), "oti,i,t->o", (6, 3)),
    "conv_transpose": (
        lambda y, w: conv_transpose(column(y), taps(w), input_shape=(6,), **ARGUMENTS),
        "oti,o,t->i",
        (3, 3),
    ),
    "conv_kernel_vjp": (
        lambda x, y: conv_kernel_vjp(column(x), column(y), (3, 1, 1), **ARGUMENTS),
        "oti,i,o->t",
        (6, 3),
    ),
    "conv_matrix": (lambda x, w: conv_matrix(taps(w), GEOMETRY) @ x, "oti,i,t->o", (6, 3)),
    "conv_matrix.T": (lambda y, w: conv_matrix(taps(w), GEOMETRY).T @ y, "oti,o,t->i", (3, 3)),
}


@pytest.mark.parametrize("name", BILINEAR)
def test_bilinear_rules(name, rng):
    function, sums, sizes = BILINEAR[name]
    first = sizes[0]
    agree(
        lambda x: function(x[:first], x[first:]),
        lambda x: jnp.einsum(sums, READS, x[:first], x[first:]),
        jnp.asarray(rng.normal(size=sum(sizes))),
        rng,
    )


LINEAR = {
    "resize": (lambda x: resize(column(x), (4,), "bicubic"), 6),
    "resize antialiased": (lambda x: resize(column(x), (3,), "bilinear", antialias=True), 6),
    "unfold": (lambda x: unfold(column(x), (3,), strides=2), 6),
    "fold": (lambda x: fold(x.reshape(2, 3), (5,), (3,), strides=2), 6),
    "avg_pool": (lambda x: avg_pool(column(x), (3,), strides=1, padding=1, count_include_pad=False), 6),
    "unpool": (lambda y: unpool(column(y), jnp.array([[4], [0], [4]]), (5,)), 3),
}


@pytest.mark.parametrize("name", LINEAR)
def test_linear_rules(name, rng):
    """A linear function is the matrix of what it makes of the unit vectors."""
    function, size = LINEAR[name]
    columns = [function(unit).ravel() for unit in jnp.eye(size)]
    agree(function, lambda x: jnp.stack(columns, 1) @ x, jnp.asarray(rng.normal(size=size)), rng)


SOME = [1, 2, 4, 7, 9, 12, 13]  # of CASES: few and many taps, global, padded, dilated, overlapping


@pytest.mark.parametrize(
    ("case", "switches"),
    [*((case, True) for case in SOME), *((case, False) for case in SOME[:3])],
    ids=[*(f"switches-{IDS[case]}" for case in SOME), *(IDS[case] for case in SOME[:3])],
)
def test_max_pooling(case, switches, rng):
    """S has one entry per row, which does not change while no two numbers are close to each other."""
    shape, window, options = CASES[case]
    x = jnp.asarray(rng.permutation(np.prod(shape)) / 8 + 0.5)
    cells_of, _ = windows(shape, window, **options)
    S = np.zeros((cells_of.size, x.size))
    for row, cells in zip(S, cells_of.ravel(), strict=True):
        row[max((int(np.ravel_multi_index(cell, shape)) for cell in cells), key=lambda c: float(x[c]))] = 1

    def pool(x):
        y = max_pool(x.reshape(*shape, 1), window, return_switches=switches, **options)
        return y[0] if switches else y

    agree(pool, lambda x: jnp.asarray(S) @ x, x, rng)


def test_the_hessian_of_a_maximum():
    """The squares of the winners, 2 and 4."""
    x = jnp.array([1.0, 2.0, 4.0, 3.0])

    def loss(x):
        return (max_pool(column(x), (2,), return_switches=True)[0] ** 2).sum()

    ways = (jax.jacfwd, jax.jacrev)
    for outer in ways:
        for inner in ways:
            assert np.array_equal(jax.jit(outer(inner(loss)))(x), np.diag([0.0, 2, 2, 0]))


@pytest.mark.parametrize("p", [1, 2, 3.5])
def test_lp_pooling(p, rng):
    x = jnp.asarray(rng.uniform(1, 2, 6) * rng.choice([-1, 1], 6))
    agree(
        lambda x: lp_pool(column(x), (3,), strides=2, padding=1, p=p),
        lambda x: jnp.stack([(abs(x[max(o - 1, 0) : o + 2]) ** p).sum() ** (1 / p) for o in (0, 2, 4)]),
        x,
        rng,
    )


def gru(x, h, U):
    """Computes one step from the definition: gates r, u, c."""
    n = h.size
    r, u = (jax.nn.sigmoid(x[k * n : (k + 1) * n] + h @ U[:, k * n : (k + 1) * n]) for k in range(2))
    c = jnp.tanh(x[2 * n :] + r * (h @ U[:, 2 * n :]))
    return u * c + (1 - u) * h


def lstm(x, state, U):
    """Computes one step from the definition: gates i, f, g, o; the state is (h, c)."""
    h, c = state
    n = h.size
    i, f, g, o = (x[k * n : (k + 1) * n] + h @ U[:, k * n : (k + 1) * n] for k in range(4))
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def by_steps(x, U, cell, reverse):
    """Computes the states in a Python loop."""
    states, h = [None] * len(x), jnp.zeros(len(U))
    state = (h, h)
    for t in reversed(range(len(x))) if reverse else range(len(x)):
        if cell == "lstm":
            state = lstm(x[t], state, U)
            h = state[0]
        else:
            h = gru(x[t], h, U) if cell == "gru" else jnp.tanh(x[t] + h @ U)
        states[t] = h
    return jnp.stack(states)


@pytest.mark.parametrize(
    ("cell", "gates", "reverse"), [("gru", 3, True), ("lstm", 4, False), ("tanh", 1, True)]
)
def test_sweeps(cell, gates, reverse, rng):
    steps, units = 2, 2
    split = steps * gates * units

    def apart(v):
        return v[:split].reshape(steps, gates * units), v[split:].reshape(units, gates * units)

    agree(
        lambda v: sweep(apart(v)[0][:, None], apart(v)[1], cell=cell, reverse=reverse),
        lambda v: by_steps(*apart(v), cell, reverse),
        jnp.asarray(rng.normal(size=split + units * gates * units)),
        rng,
        orders=("rf", "fff"),  # a loop of loops takes long to compile
    )


@pytest.mark.parametrize("loss", [cross_entropy, focal_loss], ids=lambda loss: loss.__name__)
def test_losses(loss, rng):
    """The shift by the largest logit is a constant to autodiff and does not change the derivatives."""
    labels = np.array([0, 2, 1])

    def oracle(x):
        logits = x.reshape(3, 3)
        p = jnp.exp(logits) / jnp.exp(logits).sum(1)[:, None]
        p = jnp.stack([p[n, label] for n, label in enumerate(labels)])
        return (-jnp.log(p) * ((1 - p) ** 2 if loss is focal_loss else 1)).mean()

    agree(lambda x: loss(x.reshape(3, 3), jnp.asarray(labels)), oracle, jnp.asarray(rng.normal(size=9)), rng)


def test_a_network_with_switches(rng):
    """Compares the product of DeconvNet's Hessian and a vector with differences of gradients."""
    model = DeconvNet(1, 2, blocks=((2, 1),), dense=3, window=2, norm="none", rngs=nnx.Rngs(0))
    graph, state = nnx.split(model)
    state = jax.tree.map(lambda leaf: leaf.astype(float), state)

    def loss(x):
        return (nnx.merge(graph, state)(x) ** 2).sum()

    x, v = (jnp.asarray(rng.normal(size=(1, 8, 8, 1))) for _ in range(2))
    h = 1e-6  # truncation error grows with its square, rounding error with 1e-16 divided by it
    gradient = jax.jit(jax.grad(loss))
    expected = (gradient(x + h * v) - gradient(x - h * v)) / (2 * h)
    product = jax.jit(lambda x: jax.jvp(jax.grad(loss), (x,), (v,))[1])(x)
    assert abs(expected).max() > 1e-3
    np.testing.assert_allclose(product, expected, atol=1e-6 * abs(expected).max())
