"""Segmentation networks against their twins in PyTorch, at any size, counted and lowered."""

import inspect
import itertools
import typing

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from jaxconv import GeometryError
from jaxconv.errors import OptionError
from jaxconv.models import MODELS, VGG_BLOCKS, DeconvNet, FCN8s, FCN16s, FCN32s, UNet
from jaxconv.models.upsampling import Upsampling

SMALL = {
    "deconvnet": {"blocks": ((4, 1), (6, 2)), "dense": 5},
    "fcn8s": {"blocks": ((4, 1), (4, 2), (6, 1)), "dense": 5, "dropout": 0.3, "norm": "batch"},
    "fcn16s": {"blocks": ((4, 1), (6, 1)), "dense": 0, "upsampling": "nearest"},
    "fcn32s": {"blocks": ((4, 1), (6, 1)), "dense": 5, "upsampling": "fixed", "norm": "group"},
    "unet": {"features": (4, 6, 8), "norm": "batch", "dropout": 0.3},
    "vgg16": {"blocks": ((4, 1), (6, 1)), "dense": 5, "window": 3},
}
SEGMENTERS = [name for name in SMALL if name != "vgg16"]


def sketch(model, in_features=3, n_classes=5, **options):
    """Builds a network of shapes, without computing parameters."""
    return nnx.eval_shape(lambda: model(in_features, n_classes, **options, rngs=nnx.Rngs(0)))


def shape_of_logits(model, shape):
    graph, state = nnx.split(model)
    run = lambda state, x: nnx.merge(graph, state, copy=True)(x)  # noqa: E731
    return jax.eval_shape(run, state, jax.ShapeDtypeStruct(shape, jnp.float32)).shape


def draw_parameters(rng, model, **options):
    """Builds a network of random parameters, biases too, of a scale that preserves that of the maps."""
    graph, params = nnx.split(sketch(model, **options))

    def draw(p):
        terms = np.prod(p.shape[:-1]) if len(p.shape) > 1 else 10
        return jnp.asarray(rng.normal(size=p.shape, scale=terms**-0.5).astype(np.float32))

    return nnx.merge(graph, jax.tree.map(draw, params))


def close(actual, expected):
    """Compares up to the rounding errors of a few dozen layers, relative to the largest number."""
    bound = 200 * np.finfo(np.float32).eps * abs(expected).max()
    assert abs(np.asarray(actual) - expected).max() <= bound


@pytest.mark.parametrize("name", MODELS)
def test_options_have_types_for_configurations(name):
    parameters = inspect.signature(MODELS[name].__init__).parameters
    hints = typing.get_type_hints(MODELS[name].__init__)
    assert set(parameters) - set(hints) == {"self"}
    options = [p for p in parameters.values() if p.kind is p.KEYWORD_ONLY and p.name != "rngs"]
    assert options
    assert all(option.default is not option.empty for option in options)


@pytest.mark.parametrize("name", SEGMENTERS)
@pytest.mark.parametrize("shape", [(2, 9, 14), (13, 33), (2, 1, 48, 11)], ids=str)
def test_logits_have_the_inputs_size(name, shape):
    assert shape_of_logits(sketch(MODELS[name], **SMALL[name]), (*shape, 3)) == (*shape, 5)


@pytest.mark.parametrize("name", ["fcn8s", "fcn16s", "fcn32s", "unet"])
@pytest.mark.parametrize("shape", [(1, 1), (2, 7)], ids=str)
def test_smallest_inputs(name, shape):
    assert shape_of_logits(sketch(MODELS[name], **SMALL[name]), (*shape, 3)) == (*shape, 5)


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("levels", [1, 2, 4])
def test_valid_unet_labels_any_size(depth, levels):
    """Unpadded, too, every size up to it that `valid_size` names, and no smaller one."""
    model = sketch(UNet, features=(2,) * levels, depth=depth, padding="valid")
    assert shape_of_logits(model, (1, 23, 3)) == (1, 23, 5)
    graph, state = nnx.split(model)
    run = lambda state, x: nnx.merge(graph, state, copy=True).valid_logits(x)  # noqa: E731
    size = model.valid_size(9)
    logits = jax.eval_shape(run, state, jax.ShapeDtypeStruct((size, size, 3), jnp.float32))
    assert 9 <= logits.shape[0] == size - model.margin < 9 + 2 ** (levels - 1)


@pytest.mark.parametrize("name", SMALL)
def test_training_and_use_share_one_state(name):
    model = sketch(MODELS[name], **SMALL[name])
    model.train()
    training = nnx.split(model, nnx.Param, ...)
    model.eval()
    use = nnx.split(model, nnx.Param, ...)
    assert jax.tree.structure(training[1:]) == jax.tree.structure(use[1:])


@pytest.mark.parametrize("name", SMALL)
def test_a_training_step_lowers_for_every_platform(name):
    graph, params, rest = nnx.split(sketch(MODELS[name], **SMALL[name]), nnx.Param, ...)

    def step(params, rest, x):
        def loss(params):
            model = nnx.merge(graph, params, rest, copy=True)
            return (model(x).astype(jnp.float32) ** 2).mean(), nnx.split(model, nnx.Param, ...)[2]

        (_, new), gradient = jax.value_and_grad(loss, has_aux=True)(params)
        return jax.tree.map(lambda p, g: p - g, params, gradient), new

    x = jax.ShapeDtypeStruct((2, 19, 14, 3), jnp.bfloat16)
    half = jax.tree.map(lambda p: jax.ShapeDtypeStruct(p.shape, jnp.bfloat16), params)
    platforms = ("cpu", "cuda", "tpu")
    exported = jax.export.export(jax.jit(step), platforms=platforms)(half, rest, x)
    assert exported.platforms == platforms
    before, after = (jax.tree.leaves(tree) for tree in ((half, rest), exported.out_avals))
    assert [leaf.dtype for leaf in before] == [aval.dtype for aval in after]


def conv_parameters(in_features, widths, taps=9):
    """Counts the parameters of consecutive convolutions."""
    return sum(taps * i * o + o for i, o in zip([in_features, *widths], widths, strict=False))


VGG16 = [width for width, count in VGG_BLOCKS[16] for _ in range(count)]


def count(model, in_features, n_classes):
    network = sketch(model, in_features, n_classes, **model.PUBLISHED)
    return sum(leaf.size for leaf in jax.tree.leaves(nnx.state(network, nnx.Param)))


@pytest.mark.parametrize(
    ("model", "scored", "taps"),
    [(FCN32s, [4096], [64]), (FCN16s, [4096, 512], [4, 32]), (FCN8s, [4096, 512, 256], [4, 4, 16])],
)
def test_parameters_of_the_published_fcn(model, scored, taps):
    """VGG-16 without fc8, a score of every depth, and full kernels of 2 f x 2 f taps without bias."""
    vgg = 138_357_544 - (4096 * 1000 + 1000)
    expected = vgg + sum(21 * n + 21 for n in scored) + sum((21 * t) ** 2 for t in taps)
    assert count(model, 3, 21) == expected


def test_parameters_of_the_published_unet():
    """31.0 million: 3x3 convolutions down and up, 2x2 transposed ones between levels, 1x1 scores."""
    widths = [64, 128, 256, 512, 1024]
    down = conv_parameters(1, [width for width in widths for _ in range(2)])
    up = sum(4 * 2 * n * n + n + conv_parameters(2 * n, [n, n]) for n in widths[:-1])
    assert count(UNet, 1, 2) == down + up + 64 * 2 + 2 == 31_030_658


def test_parameters_of_the_published_deconvnet():
    """252 million: VGG-16's layers, their mirror image, and a scale and an offset of every output."""
    mirrored = [512, 512, 512, 512, 512, 256, 256, 256, 128, 128, 64, 64, 64]
    dense = [49 * 512 * 4096 + 4096, 4096 * 4096 + 4096, 49 * 4096 * 512 + 512]
    convolutions = conv_parameters(3, VGG16) + sum(dense) + conv_parameters(512, mirrored)
    norms = 2 * (sum(VGG16) + 4096 + 4096 + 512 + sum(mirrored))
    assert count(DeconvNet, 3, 21) == convolutions + norms + 64 * 21 + 21 == 251_805_653


def torch_conv(torch, x, layer):
    """Computes a `Conv` of stride 1 in PyTorch, with the parameters of the layer."""
    kernel = torch.from_numpy(np.array(layer.kernel[...]).transpose(3, 2, 0, 1))
    padding = 0 if layer.padding == "VALID" else layer.padding[0][0]
    return torch.nn.functional.conv2d(x, kernel, torch.from_numpy(np.array(layer.bias[...])), padding=padding)


def torch_transpose(torch, y, layer, shape, padding):
    """Computes a `ConvTranspose` in PyTorch, cropped to the cells that the forward convolution reads."""
    kernel = torch.from_numpy(np.array(layer.kernel[...]).transpose(3, 2, 0, 1))
    bias = None if layer.bias is None else torch.from_numpy(np.array(layer.bias[...]))
    whole = torch.nn.functional.conv_transpose2d(y, kernel, bias, stride=layer.strides)
    return whole[:, :, padding : padding + shape[0], padding : padding + shape[1]]


def torch_block(torch, x, block):
    for layer in block.convs:
        x = torch.relu(torch_conv(torch, x, layer))
    return x


def both(model, x, twin):
    """Returns the logits of the model and of its twin, channels last."""
    torch = pytest.importorskip("torch")
    with torch.no_grad():
        expected = twin(torch, torch.from_numpy(x.transpose(0, 3, 1, 2))).numpy().transpose(0, 2, 3, 1)
    graph, state = nnx.split(model)
    return jax.jit(lambda state, x: nnx.merge(graph, state)(x))(state, x), expected


@pytest.mark.peers
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_unet_matches_pytorch(rng, padding):
    model = draw_parameters(rng, UNet, features=(4, 6, 8), padding=padding)
    x = rng.normal(size=(2, 13, 22, 3)).astype(np.float32)

    def twin(torch, x):
        if padding == "valid":  # three levels lose 4 + 8 + 16 pixels on the way down, 8 + 4 on the way up
            rows, columns = (-(-n // 4) * 4 + 40 - n - 20 for n in (13, 22))
            x = torch.from_numpy(np.pad(x, ((0, 0), (0, 0), (20, rows), (20, columns)), mode="reflect"))
        maps = [torch_block(torch, x, model.down[0])]
        for block in model.down[1:]:
            pooled = torch.nn.functional.max_pool2d(maps[-1], 2, ceil_mode=True)
            maps.append(torch_block(torch, pooled, block))
        y = maps.pop()
        for n in (1, 0):
            shape = maps[-1].shape[2:] if padding == "same" else [2 * size for size in y.shape[2:]]
            up = torch_transpose(torch, y, model.up[n], shape, 0)
            rows, columns = ((a - b) // 2 for a, b in zip(maps[-1].shape[2:], shape, strict=True))
            fine = maps.pop()[:, :, rows : rows + shape[0], columns : columns + shape[1]]
            y = torch_block(torch, torch.cat([fine, up], 1), model.joined[n])
        return torch_conv(torch, y, model.score)[:, :, :13, :22]

    close(*both(model, x, twin))


def test_unpadded_unet_has_the_sizes_of_the_paper():
    model = sketch(UNet, 1, 2, **UNet.PUBLISHED)
    graph, state = nnx.split(model)
    run = lambda state, x: nnx.merge(graph, state, copy=True).valid_logits(x)  # noqa: E731
    assert jax.eval_shape(run, state, jax.ShapeDtypeStruct((572, 572, 1), jnp.float32)).shape == (388, 388, 2)
    with pytest.raises(GeometryError, match=r"588.*got \(572, 573\)"):
        jax.eval_shape(run, state, jax.ShapeDtypeStruct((572, 573, 1), jnp.float32))


@pytest.mark.peers
def test_fcn8s_matches_pytorch(rng):
    options = {"blocks": ((4, 1), (5, 2), (6, 1), (7, 1)), "dense": 8}
    model = draw_parameters(rng, FCN8s, **options)
    x = rng.normal(size=(2, 37, 50, 3)).astype(np.float32)

    def twin(torch, x):
        shape, maps = x.shape[2:], []
        for block in model.features.blocks:
            x = torch.nn.functional.max_pool2d(torch_block(torch, x, block), 2, ceil_mode=True)
            maps.append(x)
        for layer in model.dense:
            x = torch.relu(torch_conv(torch, x, layer))
        scores = [torch_conv(torch, y, s) for y, s in zip([*maps[1:3], x], model.scores, strict=True)]
        two = scores[1] + torch_transpose(
            torch, scores[2], model.upsamplings[2].layer, scores[1].shape[2:], 1
        )
        one = scores[0] + torch_transpose(torch, two, model.upsamplings[1].layer, scores[0].shape[2:], 1)
        return torch_transpose(torch, one, model.upsamplings[0].layer, shape, 2)

    close(*both(model, x, twin))


@pytest.mark.peers
def test_deconvnet_matches_pytorch(rng):
    options = {"blocks": ((4, 1), (5, 2)), "dense": 6, "norm": "none"}
    model = draw_parameters(rng, DeconvNet, **options)
    x = rng.normal(size=(2, 16, 12, 3)).astype(np.float32)  # max_unpool2d knows even sizes

    def twin(torch, x):
        switches = []
        for block in model.encoder:
            x, where = torch.nn.functional.max_pool2d(torch_block(torch, x, block), 2, return_indices=True)
            switches.append(where)
        for unit in (model.fc6, model.fc7):
            x = torch.relu(torch_conv(torch, x, unit.layer))
        x = torch.relu(torch_transpose(torch, x, model.back.layer, switches[-1].shape[2:], 0))
        for layers, where in zip(reversed(model.decoder), reversed(switches), strict=True):
            x = torch.nn.functional.max_unpool2d(x, where, 2)
            for unit in layers:
                x = torch.relu(torch_transpose(torch, x, unit.layer, x.shape[2:], 1))
        return torch_conv(torch, x, model.score)

    close(*both(model, x, twin))


@pytest.mark.parametrize("factor", [2, 4, 8])
@pytest.mark.parametrize("kind", ["learned", "fixed", "nearest"])
def test_upsampling_is_aligned(rng, factor, kind):
    """Inside, bilinear weights of the distance between cells' middles; nearest: the cell that pooled it."""
    coarse, fine = (5, 3), (5 * factor - 1, 3 * factor)
    y = rng.normal(size=(*coarse, 2)).astype(np.float32)
    up = Upsampling(2, factor, kind, rngs=nnx.Rngs(0))(jnp.asarray(y), fine)
    assert up.shape == (*fine, 2)
    inside = [range(factor, n - factor) for n in fine]
    for row, column in itertools.product(*inside):
        if kind == "nearest":
            expected = y[row // factor, column // factor]
        else:
            weights = [hat(n, cells, factor) for n, cells in zip((row, column), coarse, strict=True)]
            expected = np.einsum("r,c,rcf->f", *weights, y)
        np.testing.assert_allclose(up[row, column], expected, atol=1e-5)


def hat(n, cells, factor):
    """Returns the weight of every coarse cell in a fine one: 1 minus the distance of their middles."""
    middles = np.arange(cells) * factor + (factor - 1) / 2
    return np.maximum(1 - abs(middles - n) / factor, 0)


def test_bad_options_say_what_is_wrong():
    with pytest.raises(OptionError, match="last 3 blocks"):
        sketch(FCN8s, blocks=((4, 1), (4, 1)))
    with pytest.raises(OptionError, match="learned, fixed, nearest"):
        sketch(FCN8s, upsampling="cubic")
    with pytest.raises(OptionError, match="'reflect'"):
        sketch(UNet, padding="reflect")
    with pytest.raises(OptionError, match="'none', 'batch', 'group'"):
        sketch(UNet, norm="layer")
    with pytest.raises(GeometryError, match=r"at least 9x9.*\(8, 30\)"):
        shape_of_logits(sketch(DeconvNet, **SMALL["deconvnet"]), (8, 30, 3))
