"""Records of runs side by side: what made each output or model, what differs, and how it scored."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from humobctl.errors import HumobError
from humobctl.io.json_files import read_json
from humobctl.io.outputs import RECORD_ENDING
from humobctl.io.run_record import fingerprint_of

_RUN = "run.json"
_CONFIG = "config.json"
_SCORES = ["file", "uid", "metric", "edition", "value"]
"""First columns of the score tables of ``eval --format csv``."""
_OF_COMMANDS = ("table", "tables", "model", "seed")
"""Options that have columns of their own, or are inputs."""


@dataclass(frozen=True)
class RunRecord:
    """One run.

    Attributes:
        path: the output or the model dir.
        facts: what is said of every run, by column.
        details: what may differ between runs, by name.
        scores: by name.
    """

    path: Path
    facts: dict[str, Any]
    details: dict[str, str]
    scores: dict[str, float]


def find_records(places: Iterable[str]) -> list[Path]:
    """The record files in places: outputs, model dirs, record files, folders of any of these.

    Raises:
        HumobError: a place has none.
    """
    found: dict[Path, None] = {}
    for name in places:
        place = Path(name)
        beside = Path(f"{name.rstrip('/')}{RECORD_ENDING}")
        if place.is_file() and (place.name.endswith(RECORD_ENDING) or place.name == _RUN):
            here = [place]
        elif beside.is_file():
            here = [beside]
        else:
            here = sorted(one for one in place.rglob(f"*{_RUN}") if _is_record(one))
        if not here:
            raise HumobError(
                f"{name}: found no record of a run, expected a model dir, an output with "
                f"{beside} beside it, or a folder of such"
            )
        found |= dict.fromkeys(here)
    return list(found)


def _is_record(path: Path) -> bool:
    return path.name == _RUN or (
        path.name.endswith(RECORD_ENDING) and not path.name.startswith(".")
    )


def read_run(path: Path) -> RunRecord:
    """A run by the file of its record.

    Raises:
        HumobError: the file is damaged.
    """
    record = read_json(path)
    of_model = path.name == _RUN
    output = path.parent if of_model else path.with_name(path.name.removesuffix(RECORD_ENDING))
    options = record.get("settings" if of_model else "options", {})
    options = options if isinstance(options, dict) else {}
    command = str(record.get("command", ""))
    kind = " ".join(_verbs(command))
    model = options.get("model")
    if of_model:
        with suppress(HumobError):
            model = read_json(path.parent / _CONFIG).get("type")
        scores = dict(_numbers(record.get("scores")))
    else:
        scores = dict(_scores_beside(output))
    details = {name: _text(value) for name, value in options.items() if name not in _OF_COMMANDS}
    details |= dict(_inputs(record))
    for name in ("version", "packages", "models"):
        details |= dict(_flatten(name, record.get(name)))
    seed = record.get("seed", options.get("seed"))
    facts = {
        "run": str(output),
        "command": kind,
        "model": None if model is None else str(model),
        "seed": seed if isinstance(seed, int) else None,
        "output": "model" if of_model else _state(output, record.get("output")),
    }
    return RunRecord(output, facts, details, scores)


def compare_runs(places: Iterable[str]) -> pl.DataFrame:
    """A row a run: run, command, model, seed, output, what differs, and scores.

    What differs is what runs of one command do not have in common.

    Raises:
        HumobError: a place has no record, or a record is damaged.
    """
    runs = [read_run(path) for path in find_records(places)]
    columns = {name: [run.facts[name] for run in runs] for name in runs[0].facts}
    types: dict[str, Any] = dict.fromkeys(columns, pl.String) | {"seed": pl.Int64}
    for name in _in_order(run.details for run in runs):
        values = [run.details.get(name) for run in runs]
        pairs = {(run.facts["command"], value) for run, value in zip(runs, values, strict=True)}
        if len(pairs) > len({command for command, _ in pairs}):
            columns[name], types[name] = values, pl.String
    for name in _in_order(run.scores for run in runs):
        columns[name], types[name] = [run.scores.get(name) for run in runs], pl.Float64
    return pl.DataFrame(columns, schema=types)


def _in_order(several: Iterable[Mapping[str, Any]]) -> list[str]:
    return list({name: None for one in several for name in one})


def _verbs(command: str) -> Iterator[str]:
    """The words of the command itself: those before its first file or option."""
    for number, word in enumerate(command.split()[1:3]):
        if word.startswith("-") or (number and not word.replace("-", "").isalnum()):
            return
        if number and command.split()[1] not in ("train", "finetune", "generate"):
            return
        yield word


def _state(output: Path, digest: object) -> str:
    """Whether an output is still what the run wrote."""
    if not output.exists():
        return "missing"
    return "as written" if fingerprint_of(output) == digest else "changed since"


def _inputs(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Digests of the inputs, those of a training by the file's name."""
    inputs = record.get("inputs")
    if isinstance(inputs, dict):
        names = [Path(name).name for name in inputs]
        for name, path in zip(names, inputs, strict=True):
            # Two files of one name in two folders are told apart.
            yield from _flatten(f"inputs.{name if names.count(name) == 1 else path}", inputs[path])
    for name in ("cities", "tables", "files"):
        several = record.get(name)
        for one in several if isinstance(several, list) else []:
            if isinstance(one, dict) and "fingerprint" in one:
                yield f"inputs.{one.get('file', name)}", str(one["fingerprint"])


def _flatten(name: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _flatten(f"{name}.{key}", one)
    elif value is not None:
        yield name, _text(value)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _numbers(value: object) -> Iterator[tuple[str, float]]:
    for name, one in value.items() if isinstance(value, dict) else ():
        if isinstance(one, int | float) and not isinstance(one, bool):
            yield str(name), float(one)


def _scores_beside(output: Path) -> Iterator[tuple[str, float]]:
    """Means of an output in the score tables (CSV) of its folder."""
    for path in sorted(output.parent.glob("*.csv")):
        with suppress(OSError, ValueError, csv.Error), path.open(encoding="utf-8") as file:
            head = file.readline().strip().split(",")
            if head[: len(_SCORES)] != _SCORES:
                continue
            for row in csv.DictReader(file, head):
                if Path(str(row["file"])).name == output.name and not row["uid"] and row["value"]:
                    named = [one for one in (row["metric"], row["edition"]) if one]
                    yield "_".join(named), float(row["value"])
