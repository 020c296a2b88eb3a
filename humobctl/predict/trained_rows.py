"""A warning when a model was trained on what it is asked to predict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from humobctl.console import report
from humobctl.errors import HumobError
from humobctl.io.json_files import read_json
from humobctl.training.model_dir import RUN
from humobctl.training.record_sketch import Recognition, RecordSketch


def open_recognitions(model: str) -> list[Recognition]:
    """One for each city that a model dir was trained on, by the sketches of its ``run.json``.

    Args:
        model: name of a model; what is not a model dir, or has no sketch, has none.
    """
    path = Path(model) / RUN
    if not path.is_file():
        return []
    run: Mapping[str, Any] = {}
    with suppress(HumobError):  # what else is wrong with the model is said where it is loaded
        run = read_json(path)
    tables = run.get("cities", run.get("tables"))
    found = []
    for table in tables if isinstance(tables, list) else []:
        text = table.get("sketch") if isinstance(table, dict) else None
        with suppress(ValueError):
            found += [Recognition(RecordSketch(text))] if isinstance(text, str) else []
    return found


def warn_of_trained(
    model: str, recognitions: Iterable[Recognition], remedy: str = "--to-day, --hold-out"
) -> None:
    """Say how many of the rows to predict were trained on, as far as the sketches tell.

    Args:
        model: its name.
        recognitions: of the data it was trained on, with all rows to predict.
        remedy: how to train without them.
    """
    fraction = max((one.fraction for one in recognitions), default=0.0)
    if fraction:
        report.warn(
            f"{model}: about {fraction:.0%} of the rows to predict were trained on (run.json): "
            "scores of this prediction would be too good; train without them "
            f"({remedy})"
        )
