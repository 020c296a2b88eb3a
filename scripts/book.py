"""What mkdocs needs to build docs/ and the pages of the root as one book (a hook of mkdocs.yml)."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ROOT_PAGES = ("ARCHITECTURE.md", "BENCHMARKS.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
LINK = re.compile(r"(!?)\[((?:[^][]|\[[^]]*\])*)\]\(([^)\s]+)\)")
"""A link or a picture: its mark, text and target."""
_CODE = re.compile(r"^(```|~~~).*?^\1[^\n]*$|(`+)(?!`).+?(?<!`)\2(?!`)", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)


def anchor(heading: str, separator: str = "-") -> str:
    """The anchor of a heading as GitHub makes it, so that a link works there and in the book."""
    text = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return text.replace(" ", separator)


def without_code(text: str) -> str:
    """The text of a page with everything in code blanked out."""
    return _CODE.sub(lambda found: re.sub(r"\S", " ", found[0]), text)


def links(text: str) -> list[str]:
    """The targets of a page's links and pictures, those in the text of a link too."""
    found = LINK.findall(without_code(text))
    return [target for _, inner, own in found for target in (*links(inner), own)]


def anchors(text: str) -> set[str]:
    """The anchors of a page; of equal headings the second ends in -1, as on GitHub."""
    found: set[str] = set()
    blocks = re.sub(r"^(```|~~~).*?^\1[^\n]*$", "", text, flags=re.MULTILINE | re.DOTALL)
    for heading in _HEADING.findall(blocks):
        name = anchor(LINK.sub(r"\2", heading))
        tries = (name, *(f"{name}-{number}" for number in range(1, 1000)))
        found.add(next(free for free in tries if free not in found))
    return found


def on_config(config: Any) -> Any:
    """Headings get the anchors that GitHub gives them."""
    config.mdx_configs["toc"]["slugify"] = anchor
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the pages of the root."""
    from mkdocs.structure.files import File  # noqa: PLC0415 - mkdocs is there when it calls

    for name in ROOT_PAGES:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Any, files: Any, **_: Any) -> str:
    """Turn links between docs/ and the root into links of the book; others become their text."""
    uri = page.file.src_uri
    folder = "" if uri in ROOT_PAGES else posixpath.join("docs", posixpath.dirname(uri))
    visible = without_code(markdown)

    def rewritten(found: re.Match[str]) -> str:
        mark, text, target = found.groups()
        path, _, name = target.partition("#")
        if visible[found.start()] == " " or ":" in target or not path:
            return found[0]
        inside = posixpath.normpath(posixpath.join(folder, path)).removeprefix("docs/")
        if files.get_file_from_path(inside) is None and (ROOT / folder / path).exists():
            return text
        here = posixpath.relpath(inside, posixpath.dirname(uri) or ".")
        return f"{mark}[{text}]({here}{'#' + name if name else ''})"

    return LINK.sub(rewritten, markdown)
