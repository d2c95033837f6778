"""Values of files and command lines against annotations."""

from typing import Literal

import pytest

from jaxconv.training import ConfigError
from jaxconv.training.options import convert_options, convert_value, options_of


@pytest.mark.parametrize(
    ("value", "annotation", "expected"),
    [
        (3, int, 3),
        (3, float, 3.0),
        (True, bool, True),
        ("a", str, "a"),
        ("mean", Literal["mean", "sum"], "mean"),
        ([1, 2, 3], tuple[int, ...], (1, 2, 3)),
        ([], tuple[int, ...], ()),
        ([0.5, 2], tuple[float, float], (0.5, 2.0)),
        ([[1, 2], [3, 4]], tuple[tuple[int, int], ...], ((1, 2), (3, 4))),
        ("none", int | None, None),
        (None, int | None, None),
        ("none", Literal["none", "median"] | tuple[float, ...], "none"),
        ([1, 2], Literal["none", "median"] | tuple[float, ...], (1.0, 2.0)),
    ],
    ids=str,
)
def test_fitting_values_are_converted(value, annotation, expected):
    result = convert_value(value, annotation, "table.key")
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    ("value", "annotation", "words"),
    [
        (True, int, "an integer"),
        (1, bool, "true or false"),
        (1.0, int, "an integer"),
        ("1", float, "a number"),
        (True, float, "a number"),
        ("max", Literal["mean", "sum"], 'one of "mean", "sum"'),
        ([1, 2.5], tuple[int, ...], "a list, each an integer"),
        ([1.0], tuple[float, float], "a list of 2, each a number"),
        (3, tuple[int, ...], "a list, each an integer"),
        ("nothing", int | None, 'an integer or "none"'),
    ],
    ids=str,
)
def test_wrong_values_are_refused(value, annotation, words):
    with pytest.raises(ConfigError, match=r"`table\.key` must be ") as error:
        convert_value(value, annotation, "table.key")
    assert words in str(error.value)
    assert repr(value) in str(error.value)


def test_options_are_the_typed_keywords_with_defaults():
    class Model:
        def __init__(
            self, inputs: int, *, width: int = 3, names: tuple[str, ...] = (), untyped=1, needed: int
        ): ...

    assert options_of(Model) == {"width": (int, 3), "names": (tuple[str, ...], ())}


def test_unknown_options_name_the_nearest():
    known = {"momentum": (float, 0.9), "nesterov": (bool, False)}
    assert convert_options({"momentum": 1}, known, "optimizer") == {"momentum": 1.0, "nesterov": False}
    with pytest.raises(
        ConfigError, match=r"\[optimizer\] has no option `momentun`; did you mean `momentum`\?"
    ):
        convert_options({"momentun": 1}, known, "optimizer")
    with pytest.raises(ConfigError, match="choose from momentum, nesterov"):
        convert_options({"zzz": 1}, known, "optimizer")
