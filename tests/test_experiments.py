"""The experiments run, at a small size, and agree with what a hand can check."""

import importlib
import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import jaxconv

FOLDER = Path(jaxconv.__file__).parents[1] / "experiments"


@pytest.fixture
def how_often(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("how_often_is_it_the_transpose")


# size, kernel, stride, dilation, padding -> option, kind, cells too many, shift: by hand, 3 outputs.
BY_HAND = [
    # relationship 14's figure: (1, 1) around 5 cells leave 5 of 6, and the sixth is not zero
    ((6, 3, 2, 1, (1, 1)), "lax, both", "other size, shared cells right", -1, 0),
    ((6, 3, 2, 1, (1, 1)), "lax, use_consistent_padding", "other size, shared cells wrong", -1, 0),
    # where span - 1 - p = p the two meanings of a pair agree, and only the flip is left to ask for
    ((5, 3, 2, 1, (1, 1)), "lax.conv_transpose", "flipped kernel", 0, 0),
    ((5, 3, 2, 1, (1, 1)), "flax ConvTranspose", "flipped kernel", 0, 0),
    ((5, 3, 2, 1, (1, 1)), "lax, transpose_kernel", "equal", 0, 0),
    ((5, 3, 2, 1, (1, 1)), "flax, transpose_kernel", "equal", 0, 0),
    ((5, 3, 2, 1, (1, 1)), "lax, both", "equal", 0, 0),
    # 3 cells without padding make 1 of 5, the one that belongs to index 2
    ((5, 3, 1, 1, (0, 0)), "lax, transpose_kernel", "other size, shared cells wrong", -4, -2),
    ((5, 3, 1, 1, (0, 0)), "lax, both", "equal", 0, 0),
    # (0, 1) where (1, 0) is due
    ((3, 2, 1, 1, (0, 1)), "lax, transpose_kernel", "shifted", 0, -1),
    ((3, 2, 1, 1, (0, 1)), "lax.conv_transpose", "flipped and shifted", 0, -1),
    # SAME returns s cells for each of y, and VALID no fewer
    ((5, 3, 2, 1, "SAME"), "lax, both", "other size, shared cells wrong", 1, 1),
    ((6, 3, 2, 1, "SAME"), "lax, both", "equal", 0, 0),
    ((8, 2, 3, 1, "VALID"), "lax, both", "other size, shared cells right", 1, 0),
    ((9, 2, 3, 1, "VALID"), "lax, both", "equal", 0, 0),
    # SAME_LOWER pads y low where its transpose pads high, or is refused
    ((3, 2, 1, 1, "SAME_LOWER"), "lax, transpose_kernel", "shifted", 0, 1),
    ((3, 2, 1, 1, "SAME_LOWER"), "lax, both", "refused", None, None),
    ((6, 2, 2, 1, "SAME_LOWER"), "flax, transpose_kernel", "refused", None, None),
]


def test_how_often_by_hand(how_often, tmp_path):
    cases = list(dict.fromkeys(how_often.Case(*numbers) for numbers, *_ in BY_HAND))
    answers = how_often.main(tmp_path, cases)
    found = {(answer.option, answer.case): answer for answer in answers}
    for numbers, option, *expected in BY_HAND:
        answer = found[option, how_often.Case(*numbers)]
        assert [answer.kind, answer.extra_cells, answer.shift] == expected, answer
    assert found["lax, both", cases[0]].lost_cells == 1
    assert {a.kind for a in answers if a.option == "vjp of lax's convolution"} == {"equal"}
    assert len(json.loads((tmp_path / "answers.json").read_text())["answers"]) == len(answers)
    assert (tmp_path / "answers.png").stat().st_size > 0


def test_how_often_numbers(how_often):
    """C-transposed y of 1, 10, 100 with the taps 1, 2, 3, written out, and lax's closest answer."""
    y, kernel = jnp.array([1.0, 10.0, 100.0])[None, :, None], jnp.array([1.0, 2.0, 3.0])[:, None, None]
    case = how_often.Case(6, 3, 2, 1, (1, 1))
    g = case.geometry
    x, _ = how_often.transpose_and_bound(y, kernel, input_shape=g.input_shape, **g.arguments)
    assert x.tolist() == [2, 13, 20, 130, 200, 300]
    assert np.ravel(how_often.OPTIONS["lax, both"](y, kernel, case)).tolist() == [2, 13, 20, 130, 200]


def test_how_often_expects_the_matrix(how_often):
    """The expected answers are those of the explicit C."""
    for case in (how_often.Case(6, 3, 2, 1, (1, 1)), how_often.Case(8, 4, 3, 1, "SAME_LOWER")):
        y, kernel = how_often.operands(case.kernel)
        x, bound = how_often.expected(case)
        assert (abs(jaxconv.conv_matrix(kernel, case.geometry).T @ np.ravel(y) - x) <= bound).all()


def test_how_often_grid(how_often):
    cases = how_often.grid()
    assert len(set(cases)) == len(cases) == 336
    assert how_often.Case(6, 3, 2, 1, (1, 1)) in cases
