"""What is written in a picture."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path


def texts(path: Path) -> list[str]:
    """The texts of an SVG, line by line."""
    return [unescape(text) for text in re.findall(r"<text[^>]*>([^<]+)</text>", path.read_text())]
