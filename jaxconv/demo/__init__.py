"""The demo: the claims, a photograph, a network, and a page that tells of them."""

from jaxconv.errors import needs_extra

with needs_extra(__name__, "all"):
    from jaxconv.demo.pipeline import run

__all__ = [
    "run",
]
