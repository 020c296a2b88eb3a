"""The file of a calibration to visits: ``intend --save-calibration``."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.errors import HumobError
from humobctl.intend.planner.calibrate import calibrate_to
from humobctl.intend.planner.config import SLOTS
from humobctl.intend.planner.model import MOST_EVENTS, Habits, I, Weights
from humobctl.intend.planner.observed import read_observed
from humobctl.intend.population import SyntheticPopulation
from humobctl.io.json_files import read_json_input
from humobctl.io.row_errors import OnError
from humobctl.io.streams import whole_file
from humobctl.native import Floats
from humobctl.tables.copb_reference import DURATION_BINS

_SAMPLE = 7000
"""People whose days are calibrated: enough for the fraction of each kind of day."""
_KIND = "planner calibration"
_SHAPES = {
    "attitude": (I,),
    "length": (I, DURATION_BINS),
    "days": (MOST_EVENTS + 1,),
    "first": (I,),
    "start": (I, DURATION_BINS),
    "after": (I, I),
    "gap": (SLOTS + 1,),
}
"""Name in the file -> shape; intents are in the order of ``schemas.INTENTS``."""


def calibrated_to(path: str, population: SyntheticPopulation, on_error: OnError) -> Weights:
    """The weights of a file of visits, or those of a file of ``save_calibration``.

    Args:
        path: visits, or .json.
        population: whose plans are to be like these visits.
        on_error: stop at the first bad row, or drop bad rows.

    Raises:
        HumobError: the file cannot be read, or is something else.
    """
    if path.endswith(".json"):
        return load_calibration(path)
    observed = read_observed(path, on_error)
    weights = calibrate_to(observed, population.between(0, min(_SAMPLE, population.size)))
    days, added = round(observed.days.sum()), round(observed.intents.sum()) - observed.seen
    report.info(
        f"{path}: calibrated to {pluralize(observed.seen, 'stay')} on {pluralize(days, 'day')}, "
        f"and {pluralize(added, 'stay')} at home where a day was seen in part"
    )
    if observed.long:
        report.warn(
            f"{path}: {pluralize(observed.long, 'day')} with more than {MOST_EVENTS} stays count "
            f"as days of {MOST_EVENTS}, the most that the planner plans"
        )
    return weights


def save_calibration(weights: Weights, path: str) -> None:
    """Write weights with the habits of a city as JSON; the file appears whole or not at all."""
    tables = {"attitude": weights.attitude, "length": weights.length, **vars(weights.habits)}
    record: dict[str, Any] = {"kind": _KIND}
    record |= {name: np.round(tables[name], 9).tolist() for name in _SHAPES}
    with whole_file(path) as place:
        place.write_text(json.dumps(record) + "\n")


def load_calibration(path: str) -> Weights:
    """Weights as ``save_calibration`` wrote them.

    Raises:
        HumobError: the file cannot be read, or is something else.
    """
    record = read_json_input(path, "a file of --save-calibration")
    if not isinstance(record, dict) or record.get("kind") != _KIND:
        raise HumobError(f"{path}: expected a file of --save-calibration, of kind {_KIND!r}")
    tables = {name: _table(path, name, record.get(name)) for name in _SHAPES}
    attitude, length = tables.pop("attitude"), tables.pop("length")
    return Weights(attitude, length, Habits(**tables))


def _table(path: str, name: str, found: Any) -> Floats:
    try:
        table = np.array(found, dtype=np.float64)
    except (TypeError, ValueError):
        table = np.array(np.nan)
    usable = table.shape == _SHAPES[name] and np.isfinite(table).all() and (table >= 0).all()
    if not usable or not table.any():
        shape = " x ".join(map(str, _SHAPES[name]))
        raise HumobError(f"{path}: {name}: expected {shape} numbers from 0, not all of them 0")
    return table
