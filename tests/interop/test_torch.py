"""PyTorch's layers and ours give the same numbers, in both directions; what differs is refused."""

import dataclasses
import functools
import warnings

import jax.numpy as jnp
import numpy as np
import pytest
from crossing import assert_same, layers, numbers, sweep

from jaxconv import Convolution, GeometryError, from_torch, to_torch

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'jaxconv[torch]'")
pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel"),
    pytest.mark.filterwarnings("ignore:Complex modules are a new feature"),
]
SIZES = {1: (9,), 2: (8, 7), 3: (6, 5, 7)}


def apply(layer, x):
    """Applies a torch layer to a channels-last map."""
    with torch.no_grad():
        return np.moveaxis(layer(torch.tensor(np.moveaxis(x, -1, 1).copy())).numpy(), 1, -1)


def make(n, transposed, groups=1, **options):
    """Makes a float64 layer between 2 and 3 features per group."""
    kind = getattr(torch.nn, f"Conv{'Transpose' if transposed else ''}{n}d")
    torch.manual_seed(0)
    return kind(2 * groups, 3 * groups, **options).double()


def check(layer, rng, n):
    """Reads a layer, writes it and reads it again, and compares each time."""
    x = numbers(rng, (2, *SIZES[n], layer.in_channels))
    expected = apply(layer, x)
    ours = from_torch(layer)
    assert ours.transposed == layer.transposed
    assert_same(ours, x, expected)
    back = to_torch(ours)
    assert type(back) is type(layer)
    for name, tensor in layer.state_dict().items():
        assert torch.equal(back.state_dict()[name], tensor)
    np.testing.assert_array_equal(apply(back, x), expected)
    assert_same(from_torch(back), x, expected)


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    "case",
    sweep(90, n=[1, 2, 3], kernel_size=[1, 2, 3, 4], stride=[1, 2, 3], dilation=[1, 2],
          padding=[0, 1, 2, "same", "valid"], groups=[1, 2], bias=[True, False],
          padding_mode=["zeros", "reflect", "replicate", "circular"]),
    ids=lambda case: "-".join(map(str, case.values())),
)  # fmt: skip
def test_conv(case, rng):
    if case["padding"] == "same" and case["stride"] > 1:
        with pytest.raises(ValueError, match="strided"):
            make(case.pop("n"), False, **case)
        return
    n = case.pop("n")
    if case["dilation"] * (case["kernel_size"] - 1) + 1 > min(SIZES[n]):
        case["dilation"] = 1
    check(make(n, False, **case), rng, n)


@pytest.mark.sampled(4)
@pytest.mark.parametrize(
    "case",
    sweep(90, n=[1, 2, 3], kernel_size=[1, 2, 3, 4], stride=[1, 2, 3], dilation=[1, 2], padding=[0, 1, 2],
          output_padding=[0, 1, 2], groups=[1, 2], bias=[True, False]),
    ids=lambda case: "-".join(map(str, case.values())),
)  # fmt: skip
def test_conv_transpose(case, rng):
    n, outputs = case.pop("n"), case["output_padding"]
    layer = make(n, True, **case)
    if outputs >= case["stride"]:
        with pytest.raises(GeometryError, match=r"it must lie in \[0, strides\)"):
            from_torch(layer)
    else:
        check(layer, rng, n)


def test_each_axis_has_its_own(rng):
    options = {"kernel_size": (4, 1, 3), "stride": (3, 1, 2), "dilation": (1, 2, 2), "padding": (2, 0, 1)}
    check(make(3, False, groups=2, **options), rng, 3)
    check(make(3, True, groups=2, output_padding=(2, 0, 1), **options), rng, 3)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "complex64"])
def test_dtypes(dtype, rng):
    for transposed in (False, True):
        layer = make(2, transposed, kernel_size=(3, 2), stride=2, padding=1).to(getattr(torch, dtype))
        ours = from_torch(layer)
        assert ours.kernel.dtype == dtype
        x = numbers(rng, (2, 8, 7, 2), np.complex64 if dtype == "complex64" else np.float32)
        with torch.no_grad():
            y = layer(torch.tensor(np.moveaxis(x, -1, 1).copy()).to(getattr(torch, dtype)))
        y = (y.float() if dtype == "bfloat16" else y).numpy()
        assert_same(ours, jnp.asarray(x).astype(dtype), np.moveaxis(y, 1, -1))
        back = to_torch(ours)
        assert back.weight.dtype == layer.weight.dtype
        assert torch.equal(back.weight, layer.weight)


def test_numbers_are_copied(rng):
    layer = make(1, False, kernel_size=3)
    ours = from_torch(layer)
    before = np.array(ours.kernel)
    with torch.no_grad():
        layer.weight.add_(1)
    np.testing.assert_array_equal(ours.kernel, before)
    back = to_torch(ours)
    with torch.no_grad():
        back.weight.add_(1)
    np.testing.assert_array_equal(ours.kernel, before)


def normed(norm, transposed=False, **options):
    """A layer whose kernel a norm makes of its parameters, which changed since it was last called."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the hooks are deprecated, and in every vocoder
        layer = norm(make(2, transposed, kernel_size=3), **options)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(torch.rand_like(parameter))
    return layer


def state(layer):
    """Numbers, modes and what the layer itself holds."""
    held = {**layer.state_dict(), "weight": vars(layer).get("weight", torch.zeros(0))}
    modes = [module.training for module in layer.modules()]
    return {name: tensor.detach().clone() for name, tensor in held.items()}, modes, list(vars(layer))


@pytest.mark.parametrize(
    "norm",
    [torch.nn.utils.weight_norm, torch.nn.utils.spectral_norm,
     torch.nn.utils.parametrizations.weight_norm, torch.nn.utils.parametrizations.spectral_norm,
     torch.nn.utils.parametrizations.orthogonal],
    ids=lambda norm: f"{norm.__module__.rpartition('.')[2]}-{norm.__name__}",
)  # fmt: skip
@pytest.mark.parametrize("training", [False, True])
def test_norms_count_as_what_a_call_in_eval_mode_computes(norm, training, rng):
    for transposed in (False, True):
        layer = normed(norm, transposed).train(training)
        before = state(layer)
        ours = from_torch(layer)
        after = state(layer)
        assert before[1:] == after[1:]
        assert before[0].keys() == after[0].keys()
        assert all(torch.equal(tensor, after[0][name]) for name, tensor in before[0].items())
        x = numbers(rng, (2, 8, 7, 2))
        assert_same(ours, x, apply(layer.eval(), x))


def test_weight_and_spectral_norm_are_applied(rng):
    """Of the bias, along another axis, two on one layer, and after its numbers were loaded."""
    norms = torch.nn.utils
    both = normed(norms.weight_norm, dim=None)
    x = numbers(rng, (2, 8, 7, 2))
    loaded = normed(norms.weight_norm, dim=None)
    loaded.load_state_dict({name: 2 * tensor for name, tensor in both.state_dict().items()})
    # The first norm's direction is the second's result: hooks run in the order in which they came.
    norms.spectral_norm(both, name="weight_v")
    for layer in (both.eval(), loaded, normed(norms.spectral_norm, name="bias").eval()):
        ours = from_torch(layer)
        assert_same(ours, x, apply(layer, x))


def test_other_hooks_are_refused():
    from torch.nn.utils import prune

    plain = make(1, False, kernel_size=3)

    def hook(module, *_):
        return None

    register = [plain.register_forward_pre_hook, plain.register_forward_hook]
    register += [torch.nn.modules.module.register_module_forward_pre_hook]
    register += [torch.nn.modules.module.register_module_forward_hook]
    for one in register:
        handle = one(hook)
        with pytest.raises(TypeError, match=r"a hook, .*test_other_hooks.*<locals>.hook, which runs when"):
            from_torch(plain)
        handle.remove()
    from_torch(plain)
    plain.register_full_backward_hook(hook)
    from_torch(plain)  # what it computes is a convolution
    pruned = prune.l1_unstructured(make(1, False, kernel_size=3), "weight", 0.5)
    with pytest.raises(TypeError, match=r"prune.L1Unstructured, which runs .* `torch.nn.utils.prune.remove`"):
        from_torch(pruned)
    mixed = normed(torch.nn.utils.weight_norm)
    mixed.register_forward_pre_hook(functools.partial(hook))
    with pytest.raises(TypeError, match=r"a hook, functools.partial, which runs when"):
        from_torch(mixed)


def test_methods_of_their_own_are_refused():
    """By whichever of its methods a layer computes something else."""

    class Mine(torch.nn.Conv2d):
        def _conv_forward(self, x, weight, bias):
            return super()._conv_forward(x, weight / weight.std(), bias)

    with pytest.raises(TypeError, match="overrides `_conv_forward`"):
        from_torch(Mine(1, 1, 3))

    class Called(torch.nn.Conv2d):
        def __call__(self, x):
            return 2 * super().__call__(x)

    with pytest.raises(TypeError, match="overrides `__call__`"):
        from_torch(Called(1, 1, 3))
    wrapped = torch.nn.Conv2d(1, 1, 3)
    inner = wrapped.forward
    wrapped.forward = lambda x: 2 * inner(x)
    with pytest.raises(TypeError, match="overrides `forward`"):
        from_torch(wrapped)


def test_other_layers_are_refused():
    class Mine(torch.nn.Conv2d):
        def forward(self, x):
            return 2 * super().forward(x)

    with pytest.raises(TypeError, match="overrides `forward`"):
        from_torch(Mine(1, 1, 3))
    with pytest.raises(
        TypeError,
        match=r"one of Conv1d, Conv2d, .*ConvTranspose3d of torch.nn, got torch.*Linear; see dense_to_conv",
    ):
        from_torch(torch.nn.Linear(2, 3))
    lazy = torch.nn.LazyConv2d(3, 3)
    with pytest.raises(GeometryError, match="call it once"):
        from_torch(lazy)
    lazy(torch.ones(1, 2, 5, 5))
    assert from_torch(lazy).in_features == 2


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"padding": ((1, 0), (0, 0))}, "both sides alike: use F.pad"),
        ({"padding": -1}, "negative padding: crop with F.pad first"),
        ({"padding": "SAME", "strides": 2}, r"call `layer.at\(input_shape\)` first"),
        ({"input_dilation": 2}, "torch has no input dilation"),
        ({"transposed": True, "padding": ((0, 1), (0, 0))}, "crop the result"),
        ({"transposed": True, "padding": ((9, 0), (0, 0))}, "output_padding must be below"),
        ({"transposed": True, "padding": 1, "padding_mode": "circular"}, "zero padding only"),
        ({"dtype": jnp.float32}, "computes in the dtype of its kernel, float64, not in float32"),
    ],
    ids=str,
)
def test_what_torch_lacks_is_refused(options, reason, rng):
    layer = layers(rng, 2, options.pop("transposed", False), **options)
    with pytest.raises(GeometryError, match=reason):
        to_torch(layer)


def test_four_axes_are_refused():
    with pytest.raises(GeometryError, match="4-dimensional"):
        to_torch(Convolution(jnp.ones((1, 1, 1, 1, 1, 1))))


def test_cells_may_count_as_output_padding(rng):
    """Padding (1, 0) with nothing left over is padding (1, 1) with one cell left over."""
    layer = layers(rng, 1, True, strides=2, padding=((1, 0),))
    y = numbers(rng, (2, 9, 3))
    assert_same(layer, y, apply(to_torch(layer), y))
    assert to_torch(layer).output_padding == (1,)


def test_same_padding_is_torchs_for_stride_1(rng):
    layer = layers(rng, 2, False, kernel_shape=(4, 3), padding="SAME")
    x = numbers(rng, (2, 8, 7, 2))
    assert to_torch(layer).padding == "same"
    assert_same(layer, x, apply(to_torch(layer), x))


def test_at_resolves_size_dependent_padding(rng):
    layer = layers(rng, 2, False, kernel_shape=(3, 3), padding="SAME", strides=2)
    settled = layer.at((7, 7))
    assert settled.padding == ((1, 1), (1, 1))
    x = numbers(rng, (2, 7, 7, 2))
    assert_same(settled, x, apply(to_torch(settled), x))
    assert_same(dataclasses.replace(layer), x, apply(to_torch(settled), x))
