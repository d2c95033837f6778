"""Writes formulas as MathML, which browsers show by themselves: no script, no network."""

from docutils import nodes
from latex2mathml.converter import convert


def visit_inline(self, node):
    """Writes a formula inside of a line."""
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def visit_display(self, node):
    """Writes a formula of its own line."""
    self.body.append(f'<div class="math">{convert(node.astext(), display="block")}</div>')
    raise nodes.SkipNode


def setup(app):
    """Offers the renderer and takes it."""
    inline, display = (visit_inline, None), (visit_display, None)
    app.add_html_math_renderer("mathml", inline_renderers=inline, block_renderers=display)
    app.connect("config-inited", lambda app, config: setattr(config, "html_math_renderer", "mathml"))
    return {"parallel_read_safe": True}
