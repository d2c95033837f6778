"""Losses against PyTorch's and against loops; void changes nothing, not even the gradient."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from jaxconv.data import VOID
from jaxconv.errors import GeometryError, OptionError
from jaxconv.segmentation import cross_entropy, dice_loss, focal_loss

LOSSES = [cross_entropy, dice_loss, focal_loss]
SHAPES = [(3, 4, 5), (6,), ()]


@cache
def graded(loss, **options):
    """Computes value and gradient, compiled once for all tests."""
    return jax.jit(jax.value_and_grad(partial(loss, **options)))


@pytest.fixture
def pixels(rng):
    def make(shape=(3, 4, 5), n=6, dtype=np.float64):
        labels = rng.integers(n, size=shape).astype(np.int32)
        if shape:
            labels = np.where(rng.uniform(size=shape) < 0.3, VOID, labels).astype(np.int32)
            labels.flat[0] = 2
        return 3 * rng.normal(size=(*shape, n)).astype(dtype), labels, rng.uniform(0.1, 5, size=n)

    return make


def softmax(logits):
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@pytest.mark.peers
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("weighted", [False, True])
def test_cross_entropy_matches_pytorch(pixels, shape, weighted):
    torch = pytest.importorskip("torch")
    logits, labels, weights = pixels(shape)
    theirs = torch.tensor(logits, requires_grad=True)
    moved = theirs.reshape(-1, 6)
    weight = torch.tensor(weights) if weighted else None
    expected = torch.nn.functional.cross_entropy(
        moved, torch.tensor(labels.astype(np.int64)).reshape(-1), weight=weight, ignore_index=VOID
    )
    expected.backward()
    mine, gradient = graded(cross_entropy)(
        jnp.asarray(logits), jnp.asarray(labels), class_weights=weights if weighted else None
    )
    assert mine.shape == ()
    # Means of at most 60 terms of at most 30, in doubles.
    np.testing.assert_allclose(mine, expected.item(), rtol=0, atol=60 * 30 * np.finfo(float).eps)
    np.testing.assert_allclose(gradient, theirs.grad.numpy(), rtol=0, atol=60 * np.finfo(float).eps)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_focal_loss_in_loops(pixels, gamma, reduction):
    logits, labels, weights = pixels()
    total = norm = 0.0
    for place in np.ndindex(labels.shape):
        if labels[place] != VOID:
            p = softmax(logits[place])[labels[place]]
            total -= weights[labels[place]] * (1 - p) ** gamma * np.log(p)
            norm += weights[labels[place]]
    expected = total / (norm if reduction == "mean" else len(labels))
    mine = focal_loss(
        jnp.asarray(logits), jnp.asarray(labels), gamma=gamma, class_weights=weights, reduction=reduction
    )
    np.testing.assert_allclose(mine, expected, rtol=200 * np.finfo(float).eps)


@pytest.mark.parametrize("weighted", [False, True])
def test_dice_in_loops(pixels, weighted):
    logits, labels, weights = pixels(n=7)
    labels[labels == 4] = 5  # a class that does not occur
    overlaps, used = [], []
    for c in set(labels[labels != VOID].tolist()):
        both = predicted = truth = 0.0
        for place in np.ndindex(labels.shape):
            if labels[place] != VOID:
                p = softmax(logits[place])[c]
                both += p * (labels[place] == c)
                predicted += p
                truth += labels[place] == c
        overlaps.append(1 - 2 * both / (predicted + truth))
        used.append(weights[c] if weighted else 1.0)
    mine = dice_loss(jnp.asarray(logits), jnp.asarray(labels), class_weights=weights if weighted else None)
    np.testing.assert_allclose(mine, np.average(overlaps, weights=used), rtol=200 * np.finfo(float).eps)


@pytest.mark.parametrize("loss", LOSSES)
def test_void_changes_nothing(pixels, loss):
    logits, labels, _ = pixels()
    other = np.where((labels == VOID)[..., None], 1e4, logits)
    values = [graded(loss)(jnp.asarray(one), jnp.asarray(labels)) for one in (logits, other)]
    assert values[0][0] == values[1][0]
    for _, gradient in values:
        assert (np.asarray(gradient)[labels == VOID] == 0).all()
        assert np.abs(gradient).max() > 0


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_loss_and_gradient_of_only_void_are_zero(pixels, loss, shape):
    logits, *_ = pixels(shape)
    value, gradient = graded(loss)(jnp.asarray(logits), jnp.full(shape, VOID, jnp.int32))
    assert value == 0
    assert (gradient == 0).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_ignore_label_can_be_another_number(pixels, loss):
    logits, labels, _ = pixels()
    expected = loss(jnp.asarray(logits), jnp.asarray(labels))
    renamed = jnp.asarray(np.where(labels == VOID, -1, labels))
    assert loss(jnp.asarray(logits), renamed, ignore_label=-1) == expected


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("strange", [6, -1])
def test_labels_that_are_not_classes_give_nan(pixels, loss, strange):
    logits, labels, _ = pixels()
    labels[1, 1, 1] = strange
    assert np.isnan(loss(jnp.asarray(logits), jnp.asarray(labels)))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("dtype", "n"), [("uint8", 256), ("uint8", 300), ("int8", 150)])
def test_a_dtype_that_does_not_hold_every_class(loss, dtype, n, rng):
    """Only the classes that it holds occur; the numbers are those of int64 labels."""
    labels = rng.integers(min(n, np.iinfo(dtype).max), size=12).astype(dtype)
    logits = jnp.asarray(3 * rng.normal(size=(12, n)))
    value = jax.jit(partial(loss, ignore_label=-1))
    expected = value(logits, jnp.asarray(labels.astype(np.int64)))
    assert np.isfinite(expected)
    # Another program may sum the n terms in another order.
    np.testing.assert_allclose(value(logits, jnp.asarray(labels)), expected, rtol=n * np.finfo(float).eps)


@pytest.mark.parametrize("loss", [cross_entropy, dice_loss])
@pytest.mark.parametrize(
    ("dtype", "label", "void"),
    [("int8", -1, 255), ("uint8", 255, -1), ("int16", -1, 2**16 - 1), ("uint32", 2**32 - 1, -1),
     ("int64", 2**32, 0), ("uint64", 2**64 - 1, -1)],
)  # fmt: skip
def test_labels_do_not_wrap_around_to_void(loss, dtype, label, void):
    """Numbers that are equal modulo a power of two stay different: the label is neither a class nor void."""
    labels = jnp.asarray(np.array([1, label], dtype))
    logits = jnp.asarray([[0.1, 2.0, -0.3], [1.0, -0.2, 0.5]])
    assert np.isfinite(jax.jit(partial(loss, ignore_label=label))(logits, labels))
    assert np.isnan(jax.jit(partial(loss, ignore_label=void))(logits, labels))


def test_numpys_labels_are_not_cut_to_32_bits():
    labels, logits = np.array([1, 2**32 + 1]), np.zeros((2, 3), np.float32)
    with jax.enable_x64(False):
        assert np.isnan(cross_entropy(logits, labels))
        assert np.isfinite(cross_entropy(logits, labels, ignore_label=2**32 + 1))


def test_cross_entropy_of_bytes_and_many_classes(rng):
    """By hand, one class a label."""
    logits, labels = rng.normal(size=(8, 300)), rng.integers(256, size=8).astype(np.uint8)
    by_hand = -np.mean([np.log(softmax(one)[label]) for one, label in zip(logits, labels, strict=True)])
    found = cross_entropy(jnp.asarray(logits), jnp.asarray(labels), ignore_label=-1)
    np.testing.assert_allclose(found, by_hand, rtol=300 * np.finfo(float).eps)


@pytest.mark.parametrize("loss", LOSSES)
def test_bfloat16_is_summed_in_float32(pixels, loss):
    logits, labels, weights = pixels(dtype=np.float32)
    rounded = jnp.asarray(logits).astype(jnp.bfloat16)
    value, gradient = graded(loss)(rounded, jnp.asarray(labels), class_weights=weights)
    assert value.dtype == jnp.float32
    assert gradient.dtype == jnp.bfloat16
    same, _ = graded(loss)(rounded.astype(jnp.float32), jnp.asarray(labels), class_weights=weights)
    # Another program may sum the 60 pixels in another order; in bfloat16 they would lie further apart.
    np.testing.assert_allclose(value, same, rtol=60 * np.finfo(np.float32).eps)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("scale", [1e3, 1e30])
def test_certain_networks_have_finite_gradients(loss, scale):
    logits = jnp.asarray(scale * np.eye(4, dtype=np.float32)[[0, 1, 2, 3, 1]])
    labels = jnp.asarray([0, 1, 2, 2, 3], jnp.int32)
    options = {"gamma": 0.5} if loss is focal_loss else {}
    value, gradient = graded(loss, **options)(logits, labels)
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("loss", LOSSES)
def test_a_sharded_batch_is_one_batch(pixels, loss):
    logits, labels, weights = pixels((8, 3, 4), dtype=np.float32)
    labels[2:5] = VOID  # whole devices without a pixel
    mesh = jax.make_mesh((8,), ("batch",))
    value = jax.jit(jax.value_and_grad(lambda x, y: loss(x, y, class_weights=weights)))
    alone = value(jnp.asarray(logits), jnp.asarray(labels))
    sharded = value(
        *(jax.device_put(x, NamedSharding(mesh, PartitionSpec("batch"))) for x in (logits, labels))
    )
    # Sums of 96 terms in another order.
    bound = 96 * np.finfo(np.float32).eps
    np.testing.assert_allclose(sharded[0], alone[0], rtol=bound)
    np.testing.assert_allclose(sharded[1], alone[1], rtol=0, atol=bound * float(jnp.abs(alone[1]).max()))


def test_sum_is_over_pixels_and_mean_over_the_batch(pixels):
    logits, labels, weights = (jnp.asarray(x) for x in pixels())
    each = [
        cross_entropy(x[None], y[None], class_weights=weights, reduction="sum")
        for x, y in zip(logits, labels, strict=True)
    ]
    whole = cross_entropy(logits, labels, class_weights=weights, reduction="sum")
    np.testing.assert_allclose(whole, np.mean(each), rtol=60 * np.finfo(float).eps)


def test_bad_input(pixels):
    logits, labels, _ = (jnp.asarray(x) for x in pixels())
    for loss in LOSSES:
        with pytest.raises(GeometryError, match="`logits` must be"):
            loss(logits, labels[:2])
        with pytest.raises(TypeError, match="integers"):
            loss(logits, labels.astype(jnp.float32))
        with pytest.raises(TypeError, match="floats"):
            loss(jnp.ones((2, 3), jnp.int32), jnp.ones(2, jnp.int32))
        with pytest.raises(OptionError, match="`class_weights` must have one number"):
            loss(logits, labels, class_weights=[1.0, 2.0])
    with pytest.raises(TypeError, match="`ignore_label` must be an integer"):
        cross_entropy(logits, labels, ignore_label=None)
    with pytest.raises(OptionError, match="reduction"):
        cross_entropy(logits, labels, reduction="none")
    with pytest.raises(OptionError, match="gamma"):
        focal_loss(logits, labels, gamma=-1.0)
