"""Writing scores: a table for people, JSON, or the score table, to a file or standard output."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any


def write_scores(present: Any, found: Any, kind: str, output: str | None) -> None:
    """Write what a module that presents scores makes of them."""
    from humobctl.io.write import write_table

    if kind == "table" and output in (None, "-"):
        present.show(found)
    elif kind in ("table", "json"):
        buffer = io.StringIO()
        if kind == "json":
            buffer.write(present.as_json(found))
        else:
            present.show(found, buffer)
        write_text(buffer.getvalue(), output)
    else:
        write_table(present.as_table(found), output, table=None, format=kind)


def score_format(output: str | None, asked: str | None) -> str:
    """The format of scores: as asked, by the file's ending, else for who reads them."""
    from humobctl.io.streams import output_format

    if asked:
        return asked
    if output and output != "-":
        return "json" if Path(output).suffix == ".json" else output_format(output, None)
    return "table" if sys.stdout.isatty() else "json"


def write_text(text: str, output: str | None) -> None:
    """Write text to a file, whole or not at all, or to standard output."""
    from humobctl.io.streams import whole_file
    from humobctl.io.write import write_stdout_text

    if output in (None, "-"):
        write_stdout_text(text)
        return
    with whole_file(str(output)) as place:
        place.write_text(text)
