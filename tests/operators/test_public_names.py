"""The names of the modules that are imported by themselves, such as `jaxconv.filters`."""

import inspect

import pytest

from jaxconv.operators import correlation, dense, filters, unfolding


@pytest.mark.parametrize(
    "module", [correlation, dense, filters, unfolding], ids=lambda module: module.__name__
)
def test_star_import_gives_the_public_functions(module):
    functions = {name: value for name, value in vars(module).items() if inspect.isfunction(value)}
    own = {name for name, value in functions.items() if value.__module__ == module.__name__}
    assert module.__all__ == sorted(name for name in own if not name.startswith("_"))
