"""Text of the page without what only its authors read: comments, indentation and spaces between signs."""

from __future__ import annotations

import re

TOKEN = re.compile(
    r"""(?P<comment>/\*.*?\*/|//[^\n]*)
    |(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
    |(?P<space>\s+)
    |(?P<word>[\w$]+)
    |(?P<sign>.)""",
    re.DOTALL | re.VERBOSE,
)
REGEX = re.compile(r"/(?![*/])(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\\n\[])+/[a-z]*")
TEMPLATE = re.compile(r"(?:\\.|\$(?!\{)|[^`\\$])*", re.DOTALL)
BEFORE_REGEX = tuple("(,=:[!&|?{};>")  # after these a slash begins a regular expression, not a division


def compact_script(text: str) -> str:
    r"""Returns JavaScript that does the same, with fewer characters. Statements must end in semicolons.

    >>> compact_script('const half = (n) => n / 2; // of a number\nconst x = `a  ${ half(4) }`;')
    'const half=(n)=>n/2;const x=`a  ${half(4)}`;'
    """
    out = ""
    depths: list[int] = []  # open braces inside of each template that is open
    at = 0
    gap = ""
    while at < len(text):
        if text[at] == "/" and (regex := REGEX.match(text, at)) and out.endswith(BEFORE_REGEX):
            piece, kind = regex.group(), "regex"
        elif text[at] == "`" or (text[at] == "}" and depths and depths[-1] == 0):
            if text[at] == "}":
                depths.pop()
            quoted = TEMPLATE.match(text, at + 1)
            assert quoted is not None
            end = quoted.end()
            piece, kind = text[at : end + 1], "template"
            if text[end] == "$":
                depths.append(0)
                piece += "{"
        else:
            token = TOKEN.match(text, at)
            assert token is not None
            piece, kind = token.group(), str(token.lastgroup)
        at += len(piece)
        if kind in ("space", "comment"):
            gap += piece if kind == "space" else ""
            continue
        if kind == "sign" and depths:
            depths[-1] += {"{": 1, "}": -1}.get(piece, 0)
        out += _needed(gap, out[-1:], piece[0])
        out += re.sub(r"\n +", "\n", piece) if kind == "template" else piece
        gap = ""
    return out


def _needed(gap: str, before: str, after: str) -> str:
    """Returns what has to stay of the white space between two characters."""
    if not gap or not before:
        return ""
    if "\n" in gap and before not in ";{,([=+?:&|>" and after not in "}).?:&|+,":
        return "\n"
    wordy = re.compile(r"[\w$]")
    apart = (wordy.match(before) and wordy.match(after)) or (before == after and before in "+-")
    return " " if apart else ""


def compact_style(text: str) -> str:
    """Returns a style sheet without the white space that means nothing.

    >>> compact_style("a { color: red;  margin: 0 1px; }")
    'a{color:red;margin:0 1px;}'
    """
    return re.sub(r": ", ":", re.sub(r"\s*([{};,])\s*", r"\1", text))
