"""The demo: the claims, a photograph, a network, and a page that tells of them."""

from jaxconv.demo.pipeline import run

__all__ = [
    "run",
]
