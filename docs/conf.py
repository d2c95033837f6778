"""Settings of the documentation; `make docs` builds it, offline and with warnings as errors."""

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

import jaxconv

project = "jaxconv"
author = "The jaxconv developers"
copyright = "2026, the jaxconv developers"
version = release = jaxconv.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "mathml",
    "guide_gallery",
    "explorer_page",
    "completeness",
]
exclude_patterns = ["conf.py", "extensions", "_extra"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
nitpicky = False

html_theme = "furo"
html_title = "jaxconv"
html_static_path = ["_static"]
html_extra_path = ["_extra"]  # written by explorer_page
html_css_files = ["jaxconv.css"]

default_role = "code"  # `x` in a docstring is code
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
# These names stay as they are in signatures; spelled out, they would take most of the page.
KEPT_ALIASES = """
ArrayLike ArrayOrList DTypeLike jax.lax.PrecisionLike IntPerAxis Order Padding PaddingMode PaddingWord
ConvMethod ConvTransposeMethod ConvKernelVjpMethod
""".split()
autodoc_type_aliases = dict(zip(KEPT_ALIASES, KEPT_ALIASES, strict=True))


def mark_mathematics(app, what, name, obj, options, lines):
    """Turns the `$...$` of a docstring into the role `math`, and a line of `$$...$$` into the directive."""
    lines[:] = [re.sub(r"^(\s*)\$\$(.+)\$\$$", r"\1.. math:: \2", line) for line in lines]
    lines[:] = [re.sub(r"\$([^$\n]+)\$", r":math:`\1`", line) for line in lines]


def keep_colons(app, what, name, obj, options, lines):
    """Puts an empty line first: napoleon would read a colon on a property's first line as its type."""
    if what == "property":
        lines.insert(0, "")


def name_aliases(app, what, name, obj, options, signature, returns):
    """Writes an alias of types by its name, where `X | None` made it an object."""
    alias = re.compile(r"TypeAliasForwardRef\('(?:\w+\.)*(\w+)'\)")
    return tuple(part and alias.sub(r"\1", part) for part in (signature, returns))


def setup(app):
    """Registers the changes of docstrings and signatures."""
    app.connect("autodoc-process-signature", name_aliases)
    app.connect("autodoc-process-docstring", mark_mathematics)
    app.connect("autodoc-process-docstring", keep_colons, priority=400)  # before napoleon's 500
