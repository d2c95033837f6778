"""The relationships of arXiv:1603.07285 against counting windows."""

import inspect

import pytest

from jaxconv import RELATIONSHIPS, AxisGeometry, GeometryError
from jaxconv.geometry import relationships as module
from jaxconv.geometry.relationships import letters_of, relationship_of, transposed_size


def test_fifteen_in_order_each_documented():
    assert sorted(r.number for r in RELATIONSHIPS) == list(range(1, 16))
    for relationship in RELATIONSHIPS:
        function = getattr(module, relationship.name.replace(" ", "_"))
        assert f"relationship {relationship.number}." in inspect.getdoc(function)
        assert ">>>" in inspect.getdoc(function)


def count(i, k, s, p, d=1):
    padded, span = i + 2 * p, d * (k - 1) + 1
    return sum(1 for start in range(0, padded, s) if start + span <= padded)


@pytest.mark.parametrize("relationship", RELATIONSHIPS, ids=lambda r: str(r.number))
def test_each_is_right_wherever_it_applies(relationship):
    tried = 0
    for i in range(1, 10):
        for k in range(1, 5):
            for s in range(1, 4):
                for p in range(4):
                    for d in (1, 2):
                        if d * (k - 1) + 1 > i + 2 * p:
                            continue
                        letters = letters_of(AxisGeometry(i, k, s, (p, p), d))
                        if relationship.applies(letters):
                            tried += 1
                            expected = i if relationship.transposed else count(i, k, s, p, d)
                            assert relationship.size(letters) == expected
    assert tried >= 6


@pytest.mark.parametrize(
    ("axis", "forward", "transposed"),
    [
        (AxisGeometry(4, 3), 1, 8),
        (AxisGeometry(5, 4, padding=(2, 2)), 2, 9),
        (AxisGeometry(5, 3, padding=(1, 1)), 3, 10),
        (AxisGeometry(5, 3, padding=(2, 2)), 4, 11),
        (AxisGeometry(5, 3, 2), 5, 12),
        (AxisGeometry(5, 3, 2, (1, 1)), 6, 13),
        (AxisGeometry(6, 3, 2, (1, 1)), 6, 14),
        (AxisGeometry(7, 3, dilation=2), 15, 14),
        (AxisGeometry(5, 3, padding=(-1, 1)), 2, 9),  # p = 0 in sum only
    ],
)
def test_examples_of_the_paper_follow_its_relationships(axis, forward, transposed):
    assert relationship_of(axis).number == forward
    assert relationship_of(axis, transposed=True).number == transposed


def test_transposed_size_refuses_output_padding_out_of_range():
    assert transposed_size(3, 3, stride=2, padding=(1, 1), dilation=2, output_padding=1) == 8
    with pytest.raises(GeometryError, match=r"\[0, 2\)"):
        transposed_size(3, 3, stride=2, output_padding=2)
