"""Tables of results as HTML and LaTeX."""

from __future__ import annotations

from typing import TextIO

from humobctl.console import report
from humobctl.console.shown import Shown


class Fruit(Shown):
    """A result with signs that HTML and LaTeX read as their own."""

    def show(self, stream: TextIO | None = None) -> None:
        """Two tables."""
        rows = [("a_b & <c>", 5), ("~^\\", "{}$#%")]
        report.table(["one", "two"], ("what", "much"), rows, stream=stream, caption="x<y")
        report.table("", ("n", "m"), [(1, 2)], stream=stream)


def test_latex() -> None:
    first, second = Fruit().to_latex().split("\n\n")
    assert first.splitlines() == [
        "% one",
        "% two",
        "% x<y",
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"what & much \\",
        r"\midrule",
        r"a\_b \& <c> & 5 \\",
        r"\textasciitilde{}\textasciicircum{}\textbackslash{} & \{\}\$\#\% \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]
    assert r"1 & 2 \\" in second


def test_markdown() -> None:
    first, second = Fruit().to_markdown().split("\n\n    x<y\n\n")
    assert first.splitlines() == [
        "one two",
        "",
        "| what | much |",
        "| --- | ---: |",
        r"| a\_b & \<c\> | 5 |",
        r"| ~^\\ | {}$#% |",
    ]
    assert second == "| n | m |\n| --- | ---: |\n| 1 | 2 |\n"


def test_html() -> None:
    page = Fruit()._repr_html_()
    assert page.count("<table>") == 2
    assert "one<br>two</caption>" in page
    assert '<td style="text-align: left">a_b &amp; &lt;c&gt;</td>' in page
    assert '<td style="text-align: right">5</td>' in page
    assert "<small>x&lt;y</small>" in page


def test_text() -> None:
    assert str(Fruit()) == repr(Fruit())
    assert "a_b & <c>" in str(Fruit())
