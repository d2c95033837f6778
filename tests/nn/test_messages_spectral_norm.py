"""What SpectralNorm and the orthogonal and even initializers say about bad arguments."""

import jax
import jax.numpy as jnp
import pytest
from flax import nnx
from messages import BadCall, check

from jaxconv import ConvGeometry, GeometryError, OptionError
from jaxconv.figures import overlap_figure
from jaxconv.nn import Conv, ConvTranspose, SpectralNorm, block_orthogonal, delta_orthogonal, even_transposed

LAYER = Conv(2, 3, (3, 3), rngs=nnx.Rngs(0))
GEOMETRY = ConvGeometry((6, 6), (3, 3), in_features=2, out_features=3)
FIXED = Conv(geometry=GEOMETRY, rngs=nnx.Rngs(0))
FIXED_TRANSPOSE = ConvTranspose(geometry=GEOMETRY, rngs=nnx.Rngs(0))
KEY = jax.random.key(0)


def case(name, call, *words, error=GeometryError):
    return BadCall(name, call, words, error)


CASES = [
    case("a layer of flax", lambda: SpectralNorm(nnx.Conv(2, 3, (3, 3), rngs=nnx.Rngs(0))), "`conv`",
         "jaxconv.nn.Conv", error=TypeError),
    case("a kernel", lambda: SpectralNorm(jnp.ones((3, 3, 2, 3))), "`conv`", error=TypeError),
    case("bound 0", lambda: SpectralNorm(LAYER, 0), "`bound`", "positive", error=OptionError),
    case("a negative bound", lambda: SpectralNorm(LAYER, -1.0), "`bound`", "-1.0", error=OptionError),
    case("bound NaN", lambda: SpectralNorm(LAYER, float("nan")), "`bound`", error=OptionError),
    case("a bound of text", lambda: SpectralNorm(LAYER, "1"), "`bound`", error=TypeError),
    case("one axis", lambda: SpectralNorm(LAYER, input_shape=(8,)), "`input_shape`"),
    case("an int", lambda: SpectralNorm(LAYER, input_shape=8), "`input_shape`", error=TypeError),
    case("a map too small", lambda: SpectralNorm(LAYER, input_shape=(2, 2)), "3 cells"),
    case("a word", lambda: SpectralNorm(LAYER, method="power"), "`method`", "'power'"),
    case("no steps", lambda: SpectralNorm(LAYER, steps=0), "`steps`"),
    case("steps of text", lambda: SpectralNorm(LAYER, steps="20"), "`steps`", error=TypeError),
    case("another shape than the layer's", lambda: SpectralNorm(FIXED, input_shape=(7, 6)), "`input_shape`",
         "(6, 6)", "(7, 6)"),
    case("another shape for the kernel", lambda: SpectralNorm(FIXED).normalized_kernel((7, 6)),
         "`input_shape`", "(6, 6)"),
    case("another input of a transpose", lambda: SpectralNorm(FIXED_TRANSPOSE, input_shape=(6, 6)),
         "`input_shape`", "(4, 4)"),
    case("no shape", lambda: SpectralNorm(LAYER).normalized_kernel(), "`input_shape`", "missing"),
    case("a method that does not apply", lambda: SpectralNorm(LAYER, method="fourier")(jnp.ones((8, 8, 2))),
         "circulant"),
    case("other features", lambda: SpectralNorm(LAYER)(jnp.ones((8, 8, 5))), "`x`", "5 features"),
    case("groups 0", lambda: delta_orthogonal(0), "`feature_group_count`"),
    case("groups that do not divide", lambda: delta_orthogonal(2)(KEY, (3, 2, 5)), "delta_orthogonal",
         "(3, 2, 5)"),
    case("stride 0", lambda: block_orthogonal(0), "`strides`"),
    case("too few taps", lambda: block_orthogonal(3)(KEY, (2, 2, 2)), "block_orthogonal", "(3,)"),
    case("strides of other axes", lambda: block_orthogonal((2, 2))(KEY, (3, 2, 2)), "`strides`"),
    case("holes", lambda: even_transposed(3)(KEY, (2, 2, 2)), "even_transposed", "(2,)"),
    case("a stride of text", lambda: even_transposed("2"), "`strides`", error=TypeError),
    case("groups 0 of an even kernel", lambda: even_transposed(2, 0), "`feature_group_count`"),
    case("three axes to draw", lambda: overlap_figure(ConvGeometry((4,) * 3, (2,) * 3)), "`geometry`",
         "two axes"),
    case("a theme", lambda: overlap_figure(ConvGeometry((4,), (2,)), theme="blue"), "`theme`",
         error=OptionError),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_message(case):
    check(case)
