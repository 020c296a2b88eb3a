"""Pictures of day plans beside their reference: activities by hour, intents, durations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from humobctl.console.words import pluralize
from humobctl.evaluate.plans.run import BIN, IntentionEvaluation
from humobctl.evaluate.score_table import names_of
from humobctl.native import Floats
from humobctl.plots.files import short_name
from humobctl.plots.style import (
    DASHES,
    GREY,
    SERIES,
    above_zero,
    as_hours,
    as_shares,
    open_picture,
    say_nothing,
)
from humobctl.tables.schemas import INTENTS

_MOST = 15
"""Activities a day that are drawn."""


def write_plot(evaluations: list[IntentionEvaluation], path: str) -> None:
    """Draw the plans of all files beside the reference.

    Raises:
        HumobError: the file cannot be written.
    """
    truth = evaluations[0].truth
    plans = [evaluation.plans for evaluation in evaluations]
    names = [Path(name).name for name in names_of(evaluations)]
    reference = Path(evaluations[0].reference).name
    counts = [
        f"{name}: {pluralize(one.user_days, 'user-day')}, {one.events:,} activities"
        for name, one in zip((*names, reference), (*plans, truth), strict=True)
    ]
    labels = [f" {short_name(name)}" for name in (f"{reference} (reference)", *names)]
    sides = (truth, *plans)
    with open_picture(
        path,
        [["hours", "durations", "number"], ["intents"] * 3],
        title=f"Day plans: {' and '.join(names)} against {reference}",
        counts="\n".join(counts),
        source="eval",
    ) as (figure, panels):
        hours = (np.arange(48) + 0.5) * BIN / 60
        _curves(panels["hours"], hours, [one.starts for one in sides], "beginnings by hour")
        _curves(panels["durations"], hours, [one.lengths for one in sides], "durations")
        as_hours(panels["hours"])
        panels["durations"].set_xlabel("hours")
        days = [one.events_per_day[: _MOST + 1] for one in sides]
        _curves(panels["number"], np.arange(_MOST + 1), days, "activities per day")
        panels["number"].set_xlabel("activities")
        at = np.arange(len(INTENTS))
        _curves(panels["intents"], at, [one.intents for one in sides], "intents")
        panels["intents"].set_xticks(at, INTENTS, rotation=30, ha="right", fontsize=8)
        handles = panels["intents"].get_lines()
        figure.legend(handles, labels[: len(handles)], loc="outside upper right", ncols=2)


def _curves(panel: Any, x: Any, counts: list[Floats], title: str) -> None:
    """Fractions of each side; the reference is wide and grey, so that others lie in it."""
    if not all(one.sum() for one in counts):
        say_nothing(panel, title, "one side does not have it")
        return
    for index, one in enumerate(counts):
        line: dict[str, Any] = {"color": GREY, "linewidth": 4.0, "alpha": 0.8}
        if index:
            line = {
                "color": SERIES[(index - 1) % len(SERIES)],
                "linestyle": DASHES[(index - 1) % len(DASHES)],
                "linewidth": 1.6,
            }
        panel.step(x, one / one.sum(), where="mid", **line)
    panel.set_title(title)
    above_zero(panel)
    as_shares(panel.yaxis)
