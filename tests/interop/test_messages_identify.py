"""What `identify` says of a bad call and of a function that misbehaves."""

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from messages import BadCall, check

from jaxconv import Convolution, GeometryError, OptionError, identify
from jaxconv.interop.identification.distance import distance_from_transpose
from jaxconv.interop.identification.report import identification_json


def changing(results):
    """A function that returns something else at each call, the last one for ever."""
    results = iter(results)
    last = [None]

    def f(x):
        last[0] = next(results, last[0])
        return last[0](x)

    return f


def failing(x):
    raise RuntimeError("no such device")


def tensors(x):
    raise TypeError("conv1d() received an invalid combination of arguments - got (ArrayImpl, Tensor)")


def on(f, shape=(6,), in_features=1, **options):
    return lambda: identify(f, shape, in_features, dtype="float64", **options)


THREE = nnx.Conv(3, 4, 3, rngs=nnx.Rngs(0))
WINDOW = np.arange(1.0, 10)[:, None]
TRANSPOSED = Convolution(jnp.ones((3, 1, 1)), transposed=True)
CASES = [
    BadCall("no function", on(jnp.ones(3)), ("`f` must be a function", "array of shape (3,)"), TypeError),
    BadCall("a class", on(nnx.Conv), ("`f`", "pass an instance"), TypeError),
    BadCall("an int as shape", on(jnp.abs, 6), ("`input_shape`", "tuple"), TypeError),
    BadCall("an empty shape", on(jnp.abs, ()), ("`input_shape`", "at least one spatial axis"), GeometryError),
    BadCall("no features", on(jnp.abs, in_features=0), ("`in_features` must be at least 1",), GeometryError),
    BadCall("an int dtype", lambda: identify(jnp.abs, (6,), dtype="int32"), ("`dtype`", "int32"), TypeError),
    BadCall("rtol of 2", on(jnp.abs, rtol=2.0), ("`rtol` must lie between 0 and 1, got 2.0",), OptionError),
    BadCall("rtol in words", on(jnp.abs, rtol="no"), ("`rtol` must be a number",), TypeError),
    BadCall("raises", on(failing), ("`f` raises RuntimeError", "no such device", "(4, 6, 1)"), OptionError),
    BadCall("returns None", on(lambda x: None), ("`f` must return one array", "NoneType"), TypeError),
    BadCall("returns several", on(lambda x: (x, x)), ("`f` must return one array", "tuple"), TypeError),
    BadCall("returns a dict", on(lambda x: {"y": x}), ("`f` must return one array", "dict"), TypeError),
    BadCall("returns ints", on(lambda x: x.astype(int)), ("floating or complex", "int64"), TypeError),
    BadCall("returns NaN", on(lambda x: x / 0), ("finite numbers",), GeometryError),
    BadCall("drops an axis", on(lambda x: x.sum(1)), ("1 spatial axis", "(4, 1)"), GeometryError),
    BadCall("no cells", on(lambda x: x[:, :0]), ("each with a cell", "(4, 0, 1)"), GeometryError),
    BadCall(
        "another shape per call",
        on(changing([lambda x: x, lambda x: x[:, 1:]])),
        ("one shape and dtype", "(6, 1)", "(5, 1)"),
        GeometryError,
    ),
    BadCall(
        "another dtype per call",
        on(changing([lambda x: x, lambda x: x.astype("float32")])),
        ("one shape and dtype", "float64", "float32"),
        GeometryError,
    ),
    BadCall(
        "features forgotten", lambda: identify(THREE, (8, 8)), ("8 x 8 cells", "`in_features`"), OptionError
    ),
    BadCall("a function of tensors", on(tensors), ("JAX arrays", "torch.tensor", "movedim"), OptionError),
    BadCall(
        "normalizes over the batch",
        on(lambda x: x / jnp.abs(x).mean(), (30,)),
        ("differs by", "mix the maps of a batch", "`rtol`"),
        GeometryError,
    ),
    BadCall("random", on(lambda x: x * np.random.default_rng().normal()), ("random numbers",), OptionError),
    BadCall("not linear", on(jnp.tanh), ("not linear", "of feature 0", "do not add up"), GeometryError),
    BadCall("constant", on(lambda x: 0 * x), ("does not depend on its input",), GeometryError),
    BadCall(
        "a bias per position",
        on(lambda x: x + WINDOW, (9,)),
        ("depend on the position", "(0,) and (1,) are 1 and 2"),
        GeometryError,
    ),
    BadCall(
        "a window",
        on(lambda x: x * WINDOW, (9,)),
        ("depends on the position", "(0,) of feature 0 and (1,) of feature 0", "weights"),
        GeometryError,
    ),
    BadCall(
        "a transposed reference",
        lambda: distance_from_transpose(TRANSPOSED, TRANSPOSED, (3,)),
        ("`forward` must be a forward convolution", "transposed"),
        GeometryError,
    ),
    BadCall(
        "a report of what was changed",
        lambda: identification_json(identify(lambda x: x, (6,)).tree_unflatten(*[
            part for part in reversed(identify(lambda x: x, (6,)).tree_flatten())])),
        ("`layer` must come from `identify`",),
        TypeError,
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_message(case):
    check(case)
