"""Files of pictures: which endings there are, what they need, how texts of others get into them.

matplotlib and plotly are imported only when a picture is drawn.
"""

from __future__ import annotations

import html
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from humobctl.console.safe_text import printable
from humobctl.errors import UsageError
from humobctl.extras import require
from humobctl.io.streams import whole_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LONGEST = 32
"""Letters of a file's name in a drawing."""
ENDINGS = (".png", ".svg", ".html")


def check_plot(path: str, *, interactive: bool = False) -> None:
    """Refuse what cannot be drawn, before any work is done.

    Args:
        path: of the picture.
        interactive: whether its .html is a page of plotly's, not a drawing.

    Raises:
        UsageError: the file has none of ``ENDINGS``.
        HumobError: the library that draws it is not installed.
    """
    ending = Path(path).suffix.lower()
    if ending not in ENDINGS:
        endings = f"{', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}"
        raise UsageError(f"--plot: found {path}, expected a file that ends in {endings}")
    library = "plotly" if interactive and is_page(path) else "matplotlib"
    require("plot", f"--plot {path}", (library,))


def is_page(path: str) -> bool:
    """Whether a picture is a page."""
    return Path(path).suffix.lower() == ".html"


def write_figure(figure: Figure, path: str) -> None:
    """Write a figure as a picture, or as a page that holds it and needs nothing else.

    Raises:
        HumobError: the file cannot be written.
    """
    kind = Path(path).suffix.lower().removeprefix(".")
    with whole_file(path) as place:
        if kind == "html":
            drawing = io.StringIO()
            save_figure(figure, drawing, "svg")
            svg = drawing.getvalue()
            place.write_text(
                '<!doctype html><html lang="en"><meta charset="utf-8"><title>humobctl</title>'
                f'<body style="margin:0">{svg[svg.index("<svg") :]}</body></html>\n',
                encoding="utf-8",
            )
        else:
            save_figure(figure, place, kind)


def save_figure(figure: Figure, place: Any, kind: str, **options: Any) -> None:
    """Draw a figure without the moment at which it was drawn, so that the same is the same file.

    Args:
        figure: to draw.
        place: path or stream.
        kind: png, svg or pdf.
        options: of ``savefig``.
    """
    moment = {"svg": "Date", "pdf": "CreationDate"}.get(kind)
    figure.savefig(place, format=kind, metadata={moment: None} if moment else None, **options)


def in_formulas(text: str) -> str:
    """A text for matplotlib, which takes what stands between two $ for a formula."""
    return printable(text).replace("$", r"\$")


def short_name(path: str) -> str:
    """The name of a file for a drawing, its middle left out where it is long."""
    name = Path(path).name
    return in_formulas(name if len(name) <= _LONGEST else f"{name[:16]}…{name[-15:]}")


def in_html(text: str) -> str:
    """A text for plotly, which reads tags and links in its texts."""
    return html.escape(printable(text), quote=False)
