"""The statements of the proofs with plain integers, which needs no z3."""

import re
from pathlib import Path

import numpy as np
import pytest

from jaxconv import AxisGeometry
from jaxconv.claims import CLAIMS, STATEMENTS
from jaxconv.claims.proofs.statement import Refuted, Skipped
from jaxconv.claims.proofs.trial import Trial, tries


@pytest.mark.parametrize("name", [name for name in STATEMENTS if name not in CLAIMS])
def test_every_statement_holds_for_random_integers(name):
    assert tries(STATEMENTS[name], np.random.default_rng(0), 100) == 100


def test_what_is_proved_and_what_is_only_tried():
    proved = {name for name, statement in STATEMENTS.items() if not statement.unproved}
    assert {f"relationship-{number}" for number in range(1, 16)} <= proved
    assert {name for name, claim in CLAIMS.items() if claim.numbers == "integers"} <= set(STATEMENTS)
    for name, statement in STATEMENTS.items():
        assert statement.text
        assert statement.source
        if name in CLAIMS and statement.unproved:
            assert statement.text == CLAIMS[name].statement


def test_the_documentation_lists_every_statement():
    page = (Path(__file__).parents[2] / "docs" / "proofs.md").read_text()
    proved, rest = page.split("## Not proved")
    listed = {title: set(re.findall(r"^\| `([^`]+)`", part, re.MULTILINE))
              for title, part in (("proved", proved), ("rest", rest))}  # fmt: skip
    for name, statement in STATEMENTS.items():
        half = listed["rest" if statement.unproved else "proved"]
        if not statement.subject and name not in half:
            continue  # a claim of `verify` that has no proof: there may be more of them
        assert name in half
        assert f"| {statement.text} | {statement.unproved}" in re.sub(r"\\([_<*|])", r"\1", page)
    assert listed["proved"] | listed["rest"] <= set(STATEMENTS)


def test_a_trial_finds_a_broken_formula(monkeypatch):
    monkeypatch.setattr(AxisGeometry, "out_size", property(lambda self: -(-self.slack // self.stride) + 1))
    with pytest.raises(Refuted, match="axis") as found:
        tries(STATEMENTS["windows"], np.random.default_rng(0), 1000)
    names = {}
    exec(str(found.value), names)  # as if pasted
    axis = names["axis"]
    assert axis.slack % axis.stride


def test_a_trial_takes_the_integers_it_is_given():
    numbers = {"i": 6, "k": 3, "s": 2, "pl": 1, "ph": 1, "d": 1, "f": 1, "n": 2}
    trial = Trial(numbers)
    STATEMENTS["windows"].check(trial)
    assert trial.proved == 2
    code = trial.example("axis.out_size")
    assert code.splitlines() == [
        "from jaxconv.geometry.axis import AxisGeometry",
        f"axis = {AxisGeometry(6, 3, 2, (1, 1))!r}",
        "n = 2",
        "axis.out_size",
    ]


def test_a_trial_counts_one_by_one_and_skips():
    trial = Trial({})
    assert trial.count("o", lambda n: n * 3 < 7) == 3
    trial.given(True, 1 < 2)
    with pytest.raises(Skipped, match="condition"):
        trial.given(True, 1 > 2)


def test_random_integers_that_never_meet_the_conditions_end():
    statement = STATEMENTS["toeplitz"]  # the claim of this name tries it
    assert tries(statement, np.random.default_rng(0), 10) == 0
