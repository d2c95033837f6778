"""The demo's page as one HTML file that holds its own pictures."""

from __future__ import annotations

import base64
import html
import mimetypes
import re
from pathlib import Path
from urllib.parse import unquote

from jaxconv.errors import DataError

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --text: #1f2328; --quiet: #59636e; --line: #d1d9e0; --page: #fff; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --text: #e6edf3; --quiet: #9198a1; --line: #3d444d; --page: #0d1117; }}
}}
body {{ max-width: 52rem; margin: 3rem auto; padding: 0 1.25rem; color: var(--text); background: var(--page);
       font: 1rem/1.6 system-ui, sans-serif; }}
h1, h2 {{ line-height: 1.25; font-weight: 600; }}
h2 {{ margin-top: 3rem; padding-bottom: .3rem; border-bottom: 1px solid var(--line); }}
img {{ max-width: 100%; height: auto; border-radius: .4rem; }}
img[src^="data:image/png"] {{ background: #fff; }}
table {{ display: block; overflow-x: auto; border-collapse: collapse; margin: 1rem 0; }}
th, td {{ padding: .4rem .55rem; border: 1px solid var(--line); text-align: left;
         font-variant-numeric: tabular-nums; }}
code {{ font: .9em ui-monospace, monospace; }}
a {{ color: inherit; text-decoration-color: var(--quiet); text-underline-offset: .2em; }}
</style>
</head>
<body>
{body}</body>
</html>
"""


def html_report(markdown: str, folder: Path) -> str:
    """Renders a page of Markdown as HTML and puts the pictures that it names into it.

    Args:
      markdown: The page. Its first line is its title; its pictures are files of `folder`.
      folder: Where the pictures are.

    Returns:
      A whole HTML document that needs no other file and no network.

    Raises:
      DataError: A picture's suffix is not that of an image format.
      OSError: A picture cannot be read.
    """
    from markdown_it import MarkdownIt

    body = MarkdownIt("commonmark").enable("table").render(markdown)
    body = re.sub(r'(<img src=")([^":]+)"', lambda match: f'{match[1]}{_source(folder, match[2])}"', body)
    return PAGE.format(title=html.escape(markdown.partition("\n")[0].lstrip("# ")), body=body)


def _source(folder: Path, address: str) -> str:
    """Returns the URI of a picture, given its address in which special characters are quoted."""
    return data_uri(folder / unquote(html.unescape(address)))


def data_uri(path: Path) -> str:
    """Encodes a picture as a URI that holds all of it.

    Raises:
      DataError: The suffix is not that of an image format.
      OSError: The file cannot be read.
    """
    media_type = mimetypes.guess_type(path.name, strict=False)[0] or ""
    if not media_type.startswith("image/"):
        raise DataError(f"`path` must end in the suffix of an image such as .png or .svg, got {str(path)!r}.")
    return f"data:{media_type};base64,{base64.b64encode(path.read_bytes()).decode()}"
