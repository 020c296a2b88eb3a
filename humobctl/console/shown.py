"""Results that print as tables: in a terminal, in a notebook and in a paper."""

from __future__ import annotations

import html
import io
from abc import ABC, abstractmethod
from typing import TextIO

from humobctl.console import report

_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    }
)

_MARKDOWN = str.maketrans({**{sign: f"\\{sign}" for sign in "\\`*_[]<>|"}, "\n": " "})


class Shown(ABC):
    """A result whose ``show`` prints tables."""

    @abstractmethod
    def show(self, stream: TextIO | None = None) -> None:
        """Print the tables to a stream; to standard output without one."""

    def __str__(self) -> str:
        buffer = io.StringIO()
        self.show(buffer)
        return buffer.getvalue().rstrip("\n")

    def __repr__(self) -> str:
        return str(self)

    def to_latex(self) -> str:
        """The tables in LaTeX (needs the package booktabs), titles and captions as comments."""
        return "\n".join(_latex(one) for one in self._tables())

    def to_markdown(self) -> str:
        """The tables in Markdown, each between its title and its caption."""
        return "\n".join(_markdown(one) for one in self._tables())

    def _repr_html_(self) -> str:
        return "\n".join(_html(one) for one in self._tables())

    def _tables(self) -> list[report.TableText]:
        with report.captured_tables() as tables:
            self.show()
        return tables


def _latex(one: report.TableText) -> str:
    lines = [
        *(f"% {line}" for part in (one.title, one.caption) for line in part.splitlines()),
        f"\\begin{{tabular}}{{{'l' * one.left}{'r' * (len(one.columns) - one.left)}}}",
        "\\toprule",
        _latex_row(one.columns),
        "\\midrule",
        *(_latex_row(row) for row in one.rows),
        "\\bottomrule",
        "\\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _latex_row(cells: list[str]) -> str:
    return " & ".join(cell.translate(_LATEX) for cell in cells) + r" \\"


def _markdown(one: report.TableText) -> str:
    def row(cells: list[str]) -> str:
        return f"| {' | '.join(cell.translate(_MARKDOWN) for cell in cells)} |"

    rule = ["---" if at < one.left else "---:" for at in range(len(one.columns))]
    table = "\n".join([row(one.columns), f"| {' | '.join(rule)} |", *map(row, one.rows)])
    caption = "\n".join(f"    {line}" for line in one.caption.splitlines())
    parts = [one.title.translate(_MARKDOWN), table, caption]
    return "\n\n".join(part for part in parts if part) + "\n"


def _html(one: report.TableText) -> str:
    def row(cells: list[str], tag: str) -> str:
        sides = ["left" if at < one.left else "right" for at in range(len(cells))]
        return "".join(
            f'<{tag} style="text-align: {side}">{html.escape(cell)}</{tag}>'
            for side, cell in zip(sides, cells, strict=True)
        )

    title, caption = (html.escape(text).replace("\n", "<br>") for text in (one.title, one.caption))
    body = "".join(f"<tr>{row(cells, 'td')}</tr>" for cells in one.rows)
    return (
        f'<table><caption style="text-align: left">{title}</caption>'
        f"<thead><tr>{row(one.columns, 'th')}</tr></thead><tbody>{body}</tbody></table>"
        f"<small>{caption}</small>"
    )
