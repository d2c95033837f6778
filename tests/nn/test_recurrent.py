"""Recurrent sweeps and ReNet layers, against loops in NumPy and against PyTorch with copied weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxconv.errors import GeometryError
from jaxconv.nn import BidirectionalSweep, ReNet, Sweep, sweep
from jaxconv.nn.cells import CELLS

GATES = {"gru": 3, "lstm": 4, "tanh": 1}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def loops(cell, x, W, U, b):
    """One sequence, (steps, in) to (steps, units), one step at a time."""
    units = len(U)
    h, memory, hs = np.zeros(units), np.zeros(units), []
    for t in range(len(x)):
        xs, hs_ = np.split(x[t] @ W + b, GATES[cell]), np.split(h @ U, GATES[cell])
        if cell == "gru":
            r, u = sigmoid(xs[0] + hs_[0]), sigmoid(xs[1] + hs_[1])
            h = (1 - u) * h + u * np.tanh(xs[2] + r * hs_[2])
        elif cell == "lstm":
            i, f, o = (sigmoid(xs[n] + hs_[n]) for n in (0, 1, 3))
            memory = f * memory + i * np.tanh(xs[2] + hs_[2])
            h = o * np.tanh(memory)
        else:
            h = np.tanh(xs[0] + hs_[0])
        hs.append(h)
    return np.array(hs)


def parameters(layer):
    return [np.asarray(p[...]) for p in (layer.kernel, layer.recurrent_kernel, layer.bias)]


def bound(x, *layers):
    """Every step rounds a sum over features and units; steps pass errors on, and cells contract them."""
    terms = sum(len(p) for layer in layers for p in parameters(layer)[:2])
    scale = max(abs(x).max(), 1) * max(abs(p).sum(0).max() for layer in layers for p in parameters(layer)[:2])
    return 4 * max(x.shape) * terms * np.finfo(x.dtype).eps * max(scale, 1)


def randomised(module, rng):
    """The same module in double precision, with biases too; larger than the initial values."""
    graph, state = nnx.split(module)
    state = jax.tree.map(lambda p: jnp.asarray(rng.normal(size=p.shape) * 0.4), state)
    return nnx.merge(graph, state)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_sweep_matches_loops(cell, reverse, rng):
    layer = randomised(Sweep(3, 5, cell=cell, reverse=reverse, rngs=nnx.Rngs(0)), rng)
    x = rng.normal(size=(2, 7, 3))
    y = layer(jnp.asarray(x))
    assert y.shape == (2, 7, 5)
    turn = slice(None, None, -1 if reverse else 1)
    for one in range(2):
        expected = loops(cell, x[one][turn], *parameters(layer))[turn]
        np.testing.assert_allclose(y[one], expected, rtol=0, atol=bound(x, layer))


def test_any_axis_and_any_batch(rng):
    layer = randomised(Sweep(3, 5, rngs=nnx.Rngs(0)), rng)
    x = rng.normal(size=(2, 3, 7, 3))
    y = layer(jnp.asarray(x))
    np.testing.assert_array_equal(layer(jnp.moveaxis(x, 2, 0), axis=0), jnp.moveaxis(y, 2, 0))
    merged = layer(jnp.asarray(x.reshape(6, 7, 3))).reshape(y.shape)
    np.testing.assert_allclose(merged, y, rtol=0, atol=bound(x, layer))
    np.testing.assert_allclose(layer(jnp.asarray(x[1, 2])), y[1, 2], rtol=0, atol=bound(x, layer))


def copied(torch, cell, layer):
    """PyTorch's layer with the weights of a `BidirectionalSweep` of the paper's variant."""
    kind = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM, "tanh": torch.nn.RNN}[cell]
    kernel = layer.forward.kernel[...]
    theirs = kind(kernel.shape[0], len(layer.forward.recurrent_kernel[...]), bidirectional=True).double()
    # PyTorch's z is 1 - u, so its weights are u's with the other sign.
    sign = {"gru": np.array([1, -1, 1]), "lstm": np.ones(4), "tanh": np.ones(1)}[cell]
    with torch.no_grad():
        for one, suffix in ((layer.forward, ""), (layer.backward, "_reverse")):
            W, U, b = (p * np.repeat(sign, p.shape[-1] // len(sign)) for p in parameters(one))
            values = {"weight_ih": W.T, "weight_hh": U.T, "bias_ih": b, "bias_hh": 0 * b}
            for name, value in values.items():
                getattr(theirs, f"{name}_l0{suffix}").copy_(torch.tensor(value.copy()))
    return theirs, sign


@pytest.mark.peers
@pytest.mark.parametrize("cell", CELLS)
def test_both_directions_and_their_gradients_are_pytorchs(cell, rng):
    torch = pytest.importorskip("torch")
    layer = randomised(BidirectionalSweep(4, 3, cell=cell, rngs=nnx.Rngs(0)), rng)
    theirs, sign = copied(torch, cell, layer)
    x, weights = rng.normal(size=(6, 5, 4)), rng.normal(size=(6, 5, 6))
    x_theirs = torch.tensor(x, requires_grad=True)
    y_theirs, _ = theirs(x_theirs)
    (y_theirs * torch.tensor(weights)).sum().backward()

    graph, state = nnx.split(layer)

    @jax.jit
    def run(state, x):
        y, pull = jax.vjp(lambda state, x: nnx.merge(graph, state)(x, axis=0), state, x)
        return y, *pull(jnp.asarray(weights))

    y, state_bar, x_bar = run(state, jnp.asarray(x))
    atol = 8 * bound(x, layer.forward, layer.backward) * abs(weights).sum(-1).max()
    np.testing.assert_allclose(y, y_theirs.detach().numpy(), rtol=0, atol=atol)
    np.testing.assert_allclose(x_bar, x_theirs.grad.numpy(), rtol=0, atol=atol)
    for direction, suffix in (("forward", ""), ("backward", "_reverse")):
        for name, other in (("kernel", "weight_ih"), ("recurrent_kernel", "weight_hh"), ("bias", "bias_ih")):
            ours = np.asarray(state_bar[direction][name][...])
            ours = ours * np.repeat(sign, ours.shape[-1] // len(sign))
            expected = getattr(theirs, f"{other}_l0{suffix}").grad.numpy().T
            np.testing.assert_allclose(ours, expected, rtol=0, atol=x.shape[0] * x.shape[1] * atol)


# Five steps, each a sum over three units and up to four gates, in products of up to three derivatives.
ROUNDING = 5 * 3 * 4 * 3 * 4 * np.finfo(float).eps


def plain(x, U, cell, reverse):
    """The same sweep with nothing but `lax.scan`, to differentiate by jax's own rules."""
    shape = (*x.shape[1:-1], len(U))

    def step(state, x):
        gates = jnp.split(x, GATES[cell], -1), jnp.split(state[0] @ U, GATES[cell], -1)
        state = CELLS[cell].step(state, *gates)
        return state, state[0]

    start = (jnp.zeros(shape, x.dtype),) * CELLS[cell].states
    return jax.lax.scan(step, start, x, reverse=reverse)[1]


@pytest.mark.parametrize(("cell", "reverse"), [("gru", False), ("lstm", True)])
def test_derivatives_match_plain_autodiff(cell, reverse, rng):
    """Forward, reverse, the second derivative by forward over reverse, and each of them mapped."""
    gates = GATES[cell]
    x = jnp.asarray(rng.normal(size=(5, 2, gates * 3)))
    U = jnp.asarray(rng.normal(size=(2, 3, gates * 3)) * 0.5)
    dx, dU = jnp.asarray(rng.normal(size=x.shape)), jnp.asarray(rng.normal(size=U.shape))
    weights = jnp.asarray(rng.normal(size=(5, 2, 3)))

    def derivatives(function):
        def of_one(U, dU):
            gradient = jax.grad(lambda x, U: (function(x, U) * weights).sum(), argnums=(0, 1))
            forward = jax.jvp(function, (x, U), (dx, dU))
            return forward, gradient(x, U), jax.jvp(gradient, (x, U), (dx, dU))

        return jax.jit(jax.vmap(of_one))(U, dU)

    ours = derivatives(lambda x, U: sweep(x, U, cell=cell, reverse=reverse))
    expected = derivatives(lambda x, U: plain(x, U, cell, reverse))
    for got, wanted in zip(jax.tree.leaves(ours), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=ROUNDING * abs(wanted).max())


def test_reverse_over_reverse_is_autodiffs(rng):
    x, U = jnp.asarray(rng.normal(size=(4, 2, 3))), jnp.asarray(rng.normal(size=(3, 3)))
    dx, dU = jnp.asarray(rng.normal(size=x.shape)), jnp.asarray(rng.normal(size=U.shape))

    def second(function):
        def along(x, U):
            x_bar, U_bar = jax.grad(lambda x, U: (function(x, U) ** 2).sum(), argnums=(0, 1))(x, U)
            return (x_bar * dx).sum() + (U_bar * dU).sum()

        return jax.jit(jax.grad(along, argnums=(0, 1)))(x, U)

    ours = second(lambda x, U: sweep(x, U, cell="tanh"))
    expected = second(lambda x, U: plain(x, U, "tanh", False))
    for got, wanted in zip(ours, expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=ROUNDING * abs(wanted).max())


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_the_dtype_stays(dtype, rng):
    layer = Sweep(3, 4, param_dtype=dtype, rngs=nnx.Rngs(0))
    x = jnp.asarray(rng.normal(size=(2, 5, 3)), dtype)
    y = layer(x)
    assert y.dtype == dtype
    exact = loops("gru", np.asarray(x[1], float), *(p.astype(float) for p in parameters(layer)))
    error = 5 * 7 * float(jnp.finfo(dtype).eps) * 2  # steps, terms of a sum, magnitudes below 2
    np.testing.assert_allclose(np.asarray(y[1], float), exact, rtol=0, atol=error)
    with pytest.raises(TypeError, match="float64"):
        layer(jnp.ones((5, 3), jnp.float64))


def renet_loops(layer, x, cell, released, axes):
    """One map, (rows, columns, features): patches, then sweeps over every line, one at a time."""
    rows, columns = layer.patch
    height, width = -(-x.shape[0] // rows), -(-x.shape[1] // columns)
    padded = np.zeros((height * rows, width * columns, x.shape[2]))
    padded[: x.shape[0], : x.shape[1]] = x
    cells = [
        [padded[r * rows :][:rows, c * columns :][:, :columns] for c in range(width)] for r in range(height)
    ]
    x = np.array([[cell.ravel() for cell in line] for line in cells])
    for axis, both in zip(axes, layer.sweeps, strict=True):
        lines = x if axis == "horizontal" else x.transpose(1, 0, 2)
        swept = []
        for line in lines:
            forward = loops(cell, line, *parameters(both.forward))
            read = forward if released else line
            backward = loops(cell, read[::-1], *parameters(both.backward))[::-1]
            swept.append(np.concatenate([forward, backward], -1))
        x = np.array(swept) if axis == "horizontal" else np.array(swept).transpose(1, 0, 2)
    return x


ORDERS = {"vertical": ("vertical", "horizontal"), "horizontal": ("horizontal", "vertical")}


@pytest.mark.parametrize(
    ("cell", "variant", "first", "patch", "shape"),
    [
        ("gru", "paper", None, (1, 1), (4, 6)),
        ("gru", "released", None, (1, 1), (5, 3)),
        ("lstm", "paper", "horizontal", (2, 3), (7, 8)),
        ("tanh", "released", "vertical", (3, 2), (6, 5)),
        ("gru", "paper", None, (4, 4), (1, 2)),
    ],
)
def test_renet_matches_loops(cell, variant, first, patch, shape, rng):
    layer = ReNet(2, 3, patch=patch, cell=cell, variant=variant, first=first, rngs=nnx.Rngs(0))
    layer = randomised(layer, rng)
    x = rng.normal(size=(2, *shape, 2))
    y = jax.jit(layer)(jnp.asarray(x))
    order = ORDERS[first or {"paper": "vertical", "released": "horizontal"}[variant]]
    layers = [one for both in layer.sweeps for one in (both.forward, both.backward)]
    for n in range(2):
        expected = renet_loops(layer, x[n], cell, variant == "released", order)
        np.testing.assert_allclose(y[n], expected, rtol=0, atol=bound(x, *layers))


@pytest.mark.slow
def test_a_sharded_batch_stays_where_it_is(rng, optimized):
    """Neither the sweeps nor their gradients gather what the devices share."""
    layer = ReNet(2, 3, patch=(2, 1), cell="tanh", rngs=nnx.Rngs(0))
    graph, state = nnx.split(layer)
    mesh = Mesh(np.array(jax.devices()), "n")
    x = jax.device_put(
        rng.normal(size=(8, 5, 4, 2)).astype("float32"), NamedSharding(mesh, PartitionSpec("n"))
    )

    def run(state, x):
        def loss(state, x):
            y = nnx.merge(graph, state)(x)
            return (y**2).sum(), y

        (_, y), (state_bar, x_bar) = jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)(state, x)
        return y, x_bar, state_bar

    compiled = jax.jit(run).lower(state, x).compile()
    assert "all-gather" not in compiled.as_text()
    got, expected = compiled(state, x), jax.jit(run)(state, np.asarray(x))
    for one, other in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        scale = 8 * 5 * 4 * np.finfo(np.float32).eps * abs(np.asarray(other)).max()
        np.testing.assert_allclose(one, other, rtol=0, atol=scale)
    assert got[0].sharding.spec[0] == got[1].sharding.spec[0] == "n"
    with jax.set_mesh(mesh):
        by_hand = jax.shard_map(layer, in_specs=PartitionSpec("n"), out_specs=PartitionSpec("n"))(x)
    np.testing.assert_allclose(by_hand, expected[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("cell", ["gru", "lstm", "tanh"])
def test_no_steps_give_no_states(cell):
    columns = 5 * GATES[cell]
    x, kernel = jnp.ones((0, 2, columns)), jnp.ones((5, columns))
    for jit in (lambda f: f, jax.jit):
        value, pull = jax.vjp(jit(lambda x, k: sweep(x, k, cell=cell)), x, kernel)
        assert value.shape == (0, 2, 5)
        dx, dkernel = pull(value)
        assert dx.shape == x.shape
        np.testing.assert_array_equal(dkernel, np.zeros(kernel.shape))
    layer = BidirectionalSweep(3, 5, cell=cell, param_dtype=jnp.float64, rngs=nnx.Rngs(0))
    assert layer(jnp.ones((2, 0, 4, 3)), axis=1).shape == (2, 0, 4, 10)


def test_a_sweep_of_lists(rng):
    x, kernel = rng.normal(size=(3, 2, 6)), rng.normal(size=(2, 6))
    expected = sweep(jnp.asarray(x), jnp.asarray(kernel))
    np.testing.assert_array_equal(sweep(x.tolist(), kernel.tolist()), expected)
    layer = Sweep(2, 3, param_dtype=jnp.float64, rngs=nnx.Rngs(0))
    maps = rng.normal(size=(4, 2))
    for call in (layer, layer.along_first):
        axis = {"axis": 0} if call is layer else {}
        np.testing.assert_array_equal(call(maps.tolist(), **axis), call(jnp.asarray(maps), **axis))


def test_sweep_along_features_is_refused():
    """Where the sizes agree, the features would be taken for steps without a word."""
    for layer in (Sweep(4, 4, rngs=nnx.Rngs(0)), BidirectionalSweep(4, 4, rngs=nnx.Rngs(0))):
        x = jnp.ones((4, 4, 4), jnp.float32)
        assert layer(x, axis=-3).ndim == 3
        for axis in (-1, 2, 3, -4):
            with pytest.raises(GeometryError, match=rf"any but the last; got axis={axis} for \(4, 4, 4\)"):
                layer(x, axis=axis)


def test_bad_sweeps_say_what_is_wrong():
    rngs = nnx.Rngs(0)
    with pytest.raises(GeometryError, match="did you mean 'gru'"):
        Sweep(2, 3, cell="gur", rngs=rngs)
    with pytest.raises(GeometryError, match="units"):
        Sweep(2, 0, rngs=rngs)
    with pytest.raises(GeometryError, match="2 features on its last axis"):
        Sweep(2, 3, rngs=rngs)(jnp.ones((4, 5), jnp.float32))
    with pytest.raises(GeometryError, match="3 gates"):
        sweep(jnp.ones((4, 9)), jnp.ones((3, 8)))
    with pytest.raises(GeometryError, match="variant"):
        ReNet(2, 3, variant="papers", rngs=rngs)
    with pytest.raises(GeometryError, match="`first`"):
        ReNet(2, 3, first="diagonal", rngs=rngs)
    with pytest.raises(GeometryError, match="patch"):
        ReNet(2, 3, patch=(0, 1), rngs=rngs)
    with pytest.raises(GeometryError, match="2 spatial axes"):
        ReNet(2, 3, rngs=rngs)(jnp.ones((4, 2), jnp.float32))
    with pytest.raises(GeometryError, match="3 gates"):
        sweep(jnp.ones((4, 2, 15)), jnp.ones(15))
    with pytest.raises(GeometryError, match="`in_features` must be at least 1"):
        Sweep(0, 2, rngs=rngs)
    with pytest.raises(TypeError, match="`in_features` must be an integer"):
        ReNet(2.0, 3, rngs=rngs)
    with pytest.raises(TypeError, match="`param_dtype` must be floating"):
        Sweep(2, 3, param_dtype=jnp.int32, rngs=rngs)
