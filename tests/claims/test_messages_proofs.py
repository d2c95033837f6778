"""Messages of `jaxconv.claims.prove` for bad calls; none of them needs z3."""

import pytest
from messages import BadCall, check

from jaxconv.claims import prove
from jaxconv.errors import OptionError

CASES = [
    BadCall("a typing error", lambda: prove("window"), ("`statements`", "'windows'?"), OptionError),
    BadCall("an unknown name", lambda: prove(["?"]), ("`statements`", "STATEMENTS", "--list"), OptionError),
    BadCall("a number", lambda: prove(3), ("`statements`", "name", "int"), TypeError),
    BadCall("no strides", lambda: prove("windows", largest=0), ("`largest`", "at least 1", "0"), OptionError),
    BadCall("half a stride", lambda: prove("windows", largest=1.5), ("`largest`", "1.5"), TypeError),
    BadCall("no trials", lambda: prove("windows", trials=0), ("`trials`", "at least 1"), OptionError),
    BadCall("half a trial", lambda: prove("windows", trials=0.5), ("`trials`", "0.5"), TypeError),
    BadCall("a negative seed", lambda: prove("windows", seed=-1), ("`seed`", "-1"), OptionError),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_message(case):
    check(case)
