"""The pages of docs/: every public room has a reference page, every page is listed, links lead somewhere."""

import re
from pathlib import Path

import pytest

import jaxconv

DOCS = Path(__file__).parent.parent / "docs"
README = DOCS.parent / "README.md"
PAGES = sorted(path for path in DOCS.rglob("*.md"))
ROOMS = [room for room in dir(jaxconv) if hasattr(getattr(jaxconv, room), "__path__")]


def listed():
    """Pages named by the tables of contents of the front page."""
    for block in re.findall(r"```{toctree}(.*?)```", (DOCS / "index.md").read_text(), re.DOTALL):
        yield from (line for line in block.split() if not line.startswith(":") and not line.isdigit())


def test_every_page_is_listed_once():
    names = [path.relative_to(DOCS).with_suffix("").as_posix() for path in PAGES if path.name != "index.md"]
    found = [name for name in listed() if name in names]
    assert sorted(found) == names


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_a_page_of_reference(room):
    assert f"automodule:: jaxconv.{room}\n" in (DOCS / "reference" / f"{room}.md").read_text()


@pytest.mark.parametrize("page", [README, *PAGES], ids=lambda path: path.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
        if not re.match(r"[a-z]+:", target):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
