"""What `explain` says of a bad call."""

import pytest
from messages import BadCall, check

from jaxconv import ConvGeometry, OptionError
from jaxconv.interop.explanation import explain

G = ConvGeometry((6,), (3,))
CASES = [
    BadCall("a shape", lambda: explain((6, 6)), ("`geometry`", "(6, 6)"), TypeError),
    BadCall("no maps", lambda: explain(G, batch=0), ("`batch`", "at least 1"), OptionError),
    BadCall("half a map", lambda: explain(G, batch=0.5), ("`batch`",), TypeError),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_message(case):
    check(case)
