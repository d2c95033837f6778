"""The messages of the explorer."""

import pytest
from messages import BadCall, check

from jaxconv import ConvGeometry
from jaxconv.errors import GeometryError, OptionError
from jaxconv.explorer import Explorer, page

FOUR_AXES = ConvGeometry((4,) * 4, (2,) * 4)
CASES = [
    BadCall("four axes", lambda: page(FOUR_AXES), ("`geometry`", "one to three", "4"), GeometryError),
    BadCall("a view", lambda: page(view="reverse"), ("`view`", "'both'", "'reverse'"), OptionError),
    BadCall("values", lambda: Explorer(values="words"), ("`values`", "'symbols'", "'words'"), OptionError),
    BadCall("a shape", lambda: page((5, 5)), ("`geometry`", "ConvGeometry", "(5, 5)"), TypeError),
    BadCall("a height", lambda: Explorer(height="tall"), ("`height`", "'tall'"), TypeError),
    BadCall("no height", lambda: Explorer(height=0), ("`height`", "at least 1", "0"), OptionError),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_message(case):
    check(case)
