"""Writing scores: tables for people or papers, JSON, or the score table."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from humobctl.evaluate.scores import Scores

ScoreOutput = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="PATH", help="File to write. Default: standard output."),
]
ScoreFormat = Annotated[
    Literal["table", "latex", "markdown", "json", "csv", "ndjson", "parquet", "arrow"] | None,
    typer.Option(
        "--format",
        "-f",
        metavar="FORMAT",
        help="Format of the scores: table, latex, markdown, json, csv, ndjson, parquet or arrow. "
        "Default: from the file's ending, or table on a terminal, json in a pipe.",
    ),
]

PRINTED = ("table", "latex", "markdown")
"""Formats for people."""
_TEXTS = {".json": "json", ".tex": "latex", ".md": "markdown"}


def write_scores(scores: Scores, output: str | None, format: str | None) -> None:
    """Write scores as tables for people or papers, as JSON, or as the score table."""
    from humobctl.io.write import write_table

    kind = score_format(output, format)
    texts = {"latex": scores.to_latex, "markdown": scores.to_markdown, "json": scores.to_json}
    if kind == "table" and output in (None, "-"):
        scores.show()
    elif kind == "table":
        buffer = io.StringIO()
        scores.show(buffer)
        _write_text(buffer.getvalue(), output)
    elif kind in texts:
        _write_text(texts[kind](), output)
    else:
        write_table(scores.to_frame(), output, table=None, format=kind)


def score_format(output: str | None, asked: str | None) -> str:
    """The format of scores: as asked, by the file's ending, otherwise for who reads them."""
    from humobctl.io.streams import output_format

    if asked:
        return asked
    if output and output != "-":
        return _TEXTS.get(Path(output).suffix) or output_format(output, None)
    return "table" if sys.stdout.isatty() else "json"


def _write_text(text: str, output: str | None) -> None:
    from humobctl.io.streams import whole_file
    from humobctl.io.write import write_stdout_text

    if output in (None, "-"):
        write_stdout_text(text)
        return
    with whole_file(str(output)) as place:
        place.write_text(text)
