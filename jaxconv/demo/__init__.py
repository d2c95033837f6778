"""The demo: verifies the claims, filters a photograph, trains a network, and writes a page about it."""

from jaxconv.errors import needs_extra

with needs_extra(__name__, "all"):
    from jaxconv.demo.pipeline import run

__all__ = [
    "run",
]
