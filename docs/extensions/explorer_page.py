"""Writes the explorer beside the pages, as `explore.html`."""

from pathlib import Path

from jaxconv.explorer import page


def setup(app):
    """Writes the page into a folder that Sphinx copies; it must exist before the settings are read."""
    folder = Path(app.srcdir) / "_extra"
    folder.mkdir(exist_ok=True)
    (folder / "explore.html").write_text(page(), encoding="utf-8")
    return {"parallel_read_safe": True}
