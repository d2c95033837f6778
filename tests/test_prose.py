"""The prose of the library: docstrings and messages are in plain, standard English.

Patterns find the worst in every docstring and in every message of an error. `ALLOWED` has what a pattern
finds although it is right, with the reason.
"""

import ast
import re
from pathlib import Path
from typing import NamedTuple

import pytest

import jaxconv

PACKAGE = Path(jaxconv.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

# What is refused: its pattern, and what to write.
ANYWHERE = {
    r"\blikewise\b": "say what it is",
    r"\b(a|one|two|per|int|ints|pair|pairs|cells?|number|slice|value) an axis\b": '"per axis"',
    r"\bthe lectures?\b(?!,? arXiv)": "a source that can be looked up",
    r"\bthe seeds\b": "a source that can be looked up",
    r"\bthe guide\b(?!,? arXiv)": "a source that can be looked up",
    r"\bof no account\b": '"does not matter", "is ignored"',
    r"\bhas no account\b": '"does not matter", "is ignored"',
    r"\bcells between (neighbouring )?(windows|taps|inputs|input cells|crops)\b": '"distance between"',
    r"\b(options|arguments) before it\b": "the names of the options",
}
IN_MESSAGES = {r"\b(is|are) no\b(?! (longer|more))": '"must be", "is not a", "cannot"'}  # and under Raises
IN_ENTRIES = {  # of Args and Attributes
    r"\bas (are |for |is )?the (next|following|previous|last)\b": "an entry that stands alone",
    r"\b(see|as) above\b": "an entry that stands alone",
    r"^(the same|as (in|for)|of the|of them|its own)\b": "an entry that stands alone",
}
SUMMARY = "a summary line that starts with a verb, such as Computes or Returns"

# (file, the words found): why they are right.
ALLOWED: dict[tuple[str, str], str] = {}

SECTION = re.compile(r"([A-Z][a-z]+):$")
ENTRY = re.compile(r"  (\S[^:]*): (.*)")
# Plural nouns that a summary line must not start with: they have the shape of a verb.
NOUNS = {
    *"Axes Bytes Cells Channels Classes Columns Convolutions Entries Features Gradients Indices".split(),
    *"Kernels Matrices Pixels Positions Rows Sizes Taps Values Windows Always As Its This".split(),
}


class Finding(NamedTuple):
    """Words that are refused: where they are, and what to write in their place."""

    file: str
    line: int
    words: str
    instead: str


def entries(docstring):
    """Yields every entry of Args, Attributes and Raises as (section, line, text)."""
    section, found = "", []
    for number, line in enumerate(docstring.splitlines()):
        if line and not line.startswith(" "):
            header = SECTION.match(line)
            section = header[1] if header else ""
        elif section in ("Args", "Attributes", "Raises"):
            if start := ENTRY.match(line):
                found.append((section, number, [start[2]]))
            elif line.startswith("    ") and found:
                found[-1][2].append(line.strip())
    for section, number, lines in found:
        yield section, number, "\n".join(lines)


def matches(patterns, text, name, line):
    """Yields what patterns find in a text that begins at a line of a file, whose lines may break anywhere."""
    for pattern, instead in patterns.items():
        for found in re.finditer(pattern.replace(" ", r"\s+"), text, re.IGNORECASE):
            words = " ".join(found[0].split())
            yield Finding(name, line + text.count("\n", 0, found.start()), words, instead)


def is_property(node):
    return any("property" in ast.unparse(decorator) for decorator in node.decorator_list)


def starts_with_a_verb(summary):
    """Whether the first word has the shape of a verb in the third person, as Computes and Returns have."""
    first = re.match(r"[A-Z][a-z]+\b", summary)
    return bool(first) and first[0].endswith("s") and first[0] not in NOUNS


def documented(node, public=True):
    """Yields (node, docstring, whether its name is public) of a module, its classes and functions."""
    if docstring := ast.get_docstring(node):
        yield node, docstring, public
    for child in node.body:
        if isinstance(child, ast.ClassDef | ast.FunctionDef):
            yield from documented(child, public and not child.name.startswith("_"))


def messages(tree):
    """Yields (line, text) of every string in a raise statement; what it formats is left out."""
    for raised in (node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise) and node.exc):
        for part in ast.walk(raised):
            if isinstance(part, ast.JoinedStr):
                for value in part.values:  # so that no part of it is read twice
                    if isinstance(value, ast.Constant):
                        yield value.lineno, value.value
            elif isinstance(part, ast.Constant) and isinstance(part.value, str):
                yield part.lineno, part.value


def findings(path):
    """Returns everything that is refused in a file."""
    name, tree, found = path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text()), []
    for node, docstring, public in documented(tree):
        first = node.body[0].lineno
        found += matches(ANYWHERE, docstring, name, first)
        for section, number, text in entries(docstring):
            found += matches(IN_MESSAGES if section == "Raises" else IN_ENTRIES, text, name, first + number)
        summary = docstring.split("\n")[0]
        function = isinstance(node, ast.FunctionDef) and not is_property(node)
        if public and function and not starts_with_a_verb(summary):
            found.append(Finding(name, first, summary, SUMMARY))
    for line, text in messages(tree):
        found += matches(ANYWHERE | IN_MESSAGES, text, name, line)
    return sorted(set(found))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_prose(path):
    found = [finding for finding in findings(path) if (finding.file, finding.words) not in ALLOWED]
    assert not found, "\n" + "\n".join(
        f"jaxconv/{one.file}:{one.line}: {one.words!r}; write {one.instead}" for one in found
    )


def test_every_allowed_entry_is_used():
    """An entry of the list that nothing needs any more is removed."""
    found = {(finding.file, finding.words) for path in FILES for finding in findings(path)}
    assert set(ALLOWED) <= found


BAD = '''
"""The lectures say so."""
def public(x, y):
    """A map of one int an axis.

    Args:
      x: A map, likewise
        wrapped, as the
        next.
      y: The same.
      z: Cells between windows, instead of the options before it.

    Raises:
      ValueError: `x` is no map.
    """
    raise ValueError(f"`x` is no {y} map")


class Map:
    """A noun phrase is the right summary of a class."""

    @property
    def size(self):
        """The size."""

    def _private(self):
        """The guide by Dumoulin & Visin, no longer used."""
'''


def test_bad_prose_is_found(tmp_path, monkeypatch):
    monkeypatch.setattr("test_prose.PACKAGE", tmp_path)
    (tmp_path / "bad.py").write_text(BAD)
    assert [(finding.line, finding.words) for finding in findings(tmp_path / "bad.py")] == [
        (2, "The lectures"),
        (4, "A map of one int an axis."),
        (4, "int an axis"),
        (7, "likewise"),
        (8, "as the next"),
        (10, "The same"),
        (11, "Cells between windows"),
        (11, "options before it"),
        (14, "is no"),
        (16, "is no"),
        (27, "The guide"),
    ]
