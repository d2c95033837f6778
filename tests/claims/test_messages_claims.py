"""Messages of `jaxconv.verify` for bad calls."""

import pytest
from messages import BadCall, check

from jaxconv import verify
from jaxconv.errors import OptionError

CASES = [
    BadCall("a claim with a typing error", lambda: verify("count"), ("`claims`", "'counts'?"), OptionError),
    BadCall("an unknown claim", lambda: verify(["?"]), ("`claims`", "CLAIMS", "--list"), OptionError),
    BadCall(
        "a claim about real numbers",
        lambda: verify("max-pool", dtype="complex64"),
        ("`claims`", "'max-pool'", "complex64", "`dtype`"),
        OptionError,
    ),
    BadCall("a number of claims", lambda: verify(3), ("`claims`", "name", "int"), TypeError),
    BadCall(
        "an integer dtype", lambda: verify(dtype="int32"), ("`dtype`", "'float64'", "'int32'"), OptionError
    ),
    BadCall("no trials", lambda: verify(trials=0), ("`trials`", "at least 1"), OptionError),
    BadCall("half a trial", lambda: verify(trials=1.5), ("`trials`", "1.5"), TypeError),
    BadCall("a negative seed", lambda: verify(seed=-1), ("`seed`", "-1"), OptionError),
    BadCall("a seed that is not an integer", lambda: verify(seed=0.5), ("`seed`", "0.5"), TypeError),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_message(case):
    check(case)
