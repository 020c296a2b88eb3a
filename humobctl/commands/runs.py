"""``humobctl runs``: what made outputs and models, side by side."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any, Literal

import typer

import humobctl as hm
from humobctl.commands.options import options_from


@options_from(hm.runs)
def runs(
    format: Annotated[
        Literal["table", "json", "csv"] | None,
        typer.Option(
            "--format",
            "-f",
            metavar="table|json|csv",
            help="Format of the output. Default: table on a terminal, json in a pipe.",
        ),
    ] = None,
    **options: Any,
) -> None:
    """Compare runs: command, model, seed, what differs between them, and scores.

    Model dirs have a run.json; predict, intend, generate and embed write OUTPUT.run.json beside
    their output: command, options, versions, digests of model, inputs and output. Scores are those
    of a model's training, and of the score tables (eval --output scores.csv) beside an output.

    Example: humobctl runs predicted.csv

    Example: humobctl runs . --format csv
    """
    from humobctl.console import report
    from humobctl.io.write import write_stdout_text, write_table

    found = hm.runs(**options)
    kind = format or ("table" if sys.stdout.isatty() else "json")
    if kind == "csv":
        write_table(found, None, table=None, format="csv")
    elif kind == "json":
        write_stdout_text(json.dumps(found.to_dicts(), indent=2) + "\n")
    else:
        rows = [[_cell(value) for value in row] for row in found.iter_rows()]
        report.table("runs", found.columns, rows, stream=sys.stdout)


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)
