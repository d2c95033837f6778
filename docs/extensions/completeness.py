"""Warns of public functions and classes that no page of the reference describes."""

import inspect

from sphinx.util import logging

import jaxconv

ROOMS = [room for room in dir(jaxconv) if hasattr(getattr(jaxconv, room), "__all__")]


def find_missing_names(app, env):
    """Compares the lists of public names with the objects that the pages describe."""
    described = set(env.get_domain("py").objects)
    for room in ROOMS:
        for name in getattr(jaxconv, room).__all__:
            full = f"jaxconv.{room}.{name}"
            value = getattr(getattr(jaxconv, room), name)
            if (inspect.isclass(value) or inspect.isfunction(value)) and full not in described:
                logging.getLogger(__name__).warning("%s is public, but no page describes it", full)


def setup(app):
    """Compares when all pages are read."""
    app.connect("env-updated", find_missing_names)
    return {"parallel_read_safe": True}
