"""Score predicted daily flows against the true ones, in two passes: one over each file."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.data.flow_series.read import read_flow_days
from humobctl.errors import HumobError, UsageError
from humobctl.evaluate.cells.bootstrap import adjust_by_holm, p_values, resampled_means
from humobctl.evaluate.flow_series.metrics import (
    DIAGONAL_SCALE,
    OFF_DIAGONAL_SCALE,
    root_mean,
    squared_errors,
)
from humobctl.evaluate.flow_series.recovery import CLASSES, NOTO, AreaTotals, classify
from humobctl.io.row_errors import OnError
from humobctl.native import Floats, Int32s, Int64s
from humobctl.tables.flow_series import BOX_2026, NO_CELL, AreaNumbers, FlowDay

METRICS = ("combined_nrmse", "nrmse_diagonal", "nrmse_off_diagonal")
"""Scores, in the order of the columns of ``daily``."""


@dataclass(frozen=True)
class FlowSeriesSettings:
    """What changes the scores.

    Attributes:
        box: first and last x, first and last y of the scored cells; None for all areas.
        diagonal_scale, off_diagonal_scale: what the two errors are divided by.
        shock: the day of the shock, for classes of recovery.
        pairs: files to compare: all pairs, or each with the first one.
        resamples, confidence, seed: of the bootstrap over days.
        on_error: stop at the first faulty row, or drop it.
    """

    box: tuple[int, int, int, int] | None = BOX_2026
    diagonal_scale: float = DIAGONAL_SCALE
    off_diagonal_scale: float = OFF_DIAGONAL_SCALE
    shock: dt.date = NOTO
    pairs: Literal["all", "first"] = "all"
    resamples: int = 2000
    confidence: float = 0.95
    seed: int = 0
    on_error: OnError = "fail"


@dataclass
class RecoveryScore:
    """The scores of the areas of one class, over all days; flows belong to their origin."""

    name: str
    areas: int
    nrmse_diagonal: float
    nrmse_off_diagonal: float
    share_of_squares: tuple[float, float]


@dataclass
class FlowSeriesEvaluation:
    """Scores of one file.

    Attributes:
        name, reference: the files.
        dates: the scored days.
        daily: their scores, shape (days, 3), in the order of ``METRICS``.
        intervals: bootstrap intervals of the means, shape (2, 3).
        areas: number of scored areas.
        classes: scores by class of recovery; empty where the truth lacks days before or after.
        settings: what changes the scores.
    """

    name: str
    reference: str
    dates: list[dt.date]
    daily: Floats
    intervals: Floats
    areas: int
    classes: list[RecoveryScore]
    settings: FlowSeriesSettings

    def values(self) -> Floats:
        """The scores, in the order of ``METRICS``."""
        found: Floats = self.daily.mean(axis=0)
        return found

    @property
    def signature(self) -> str:
        """The settings in one line."""
        box, one = self.settings.box, self.settings
        cells = "all" if box is None else f"x{box[0]}-{box[1]},y{box[2]}-{box[3]}"
        scales = f"{one.diagonal_scale:g},{one.off_diagonal_scale:g}"
        return f"combined_nrmse|areas:{cells}({self.areas})|scales:{scales}|days:{len(self.dates)}"


@dataclass
class DayDifference:
    """How two files differ in one score, over the days that both predict: second minus first."""

    first: int
    second: int
    metric: str
    days: int
    value: float
    low: float
    high: float
    p: float
    p_holm: float


@dataclass
class FlowSeriesComparison:
    """The scores of files, and their differences."""

    evaluations: list[FlowSeriesEvaluation]
    differences: list[DayDifference]


@dataclass
class _Truth:
    """The true days that a file predicts, and what is known of all of them."""

    days: dict[dt.date, FlowDay]
    totals: AreaTotals


def evaluate_flow_series(
    paths: list[str], truth: str, settings: FlowSeriesSettings
) -> FlowSeriesComparison:
    """Score files of predicted days.

    Args:
        paths: the files.
        truth: the true days; others than the predicted ones tell the classes of recovery.
        settings: what changes the scores.

    Raises:
        HumobError: a file cannot be read, predicts no day of the truth, or has no cell in the box.
    """
    areas = AreaNumbers()
    titles = ["stdin" if path == "-" else path for path in (*paths, truth)]
    made = [_read_known(path, areas, settings.on_error) for path in paths]
    wanted = set().union(*made)
    true = _read_truth(truth, areas, wanted, settings.on_error)
    place = _places(areas, settings, titles)
    labels = classify(true.totals, len(areas), settings.shock)
    found = [
        _evaluate(days, true.days, place, labels, (title, titles[-1]), settings)
        for days, title in zip(made, titles[:-1], strict=True)
    ]
    if labels is None:
        report.info(
            f"{titles[-1]}: no scores by recovery, which need days before {settings.shock}, of the "
            "30 days from then on, and later ones"
        )
    return FlowSeriesComparison(found, _compare(found, settings))


def _read_known(path: str, areas: AreaNumbers, on_error: OnError) -> dict[dt.date, FlowDay]:
    days = read_flow_days(path, areas, on_error=on_error)
    return {day.date: day for day in days if not day.hidden}


def _read_truth(path: str, areas: AreaNumbers, wanted: set[dt.date], on_error: OnError) -> _Truth:
    found = _Truth({}, AreaTotals())
    for day in read_flow_days(path, areas, on_error=on_error):
        found.totals.add(day)
        if day.date in wanted and not day.hidden:
            found.days[day.date] = day
    return found


def _places(areas: AreaNumbers, settings: FlowSeriesSettings, titles: list[str]) -> Int32s:
    """By number of area its place among the scored ones, -1 for others."""
    if settings.box is None:
        return np.arange(len(areas), dtype=np.int32)
    left, right, bottom, top = settings.box
    x, y = areas.cells()
    inside = (x != NO_CELL) & (left <= x) & (x <= right) & (bottom <= y) & (y <= top)
    if not inside.any():
        raise HumobError(
            f"{titles[0]} and {titles[-1]}: found no cell y_x with x {left}-{right}, y "
            f"{bottom}-{top}, expected some to score; --score-box all scores all areas"
        )
    width = right - left + 1
    place = np.where(inside, (y - bottom) * width + x - left, -1)
    return place.astype(np.int32)


def _evaluate(
    made: dict[dt.date, FlowDay],
    true: dict[dt.date, FlowDay],
    place: Int32s,
    labels: Int64s | None,
    titles: tuple[str, str],
    settings: FlowSeriesSettings,
) -> FlowSeriesEvaluation:
    dates = sorted(made.keys() & true.keys())
    if not dates:
        raise HumobError(
            f"{titles[0]}: found no day that {titles[1]} has, expected predictions of some"
        )
    if len(dates) < len(made):
        report.warn(f"{titles[0]}: {pluralize(len(made) - len(dates), 'day')} not in {titles[1]}")
    number = _number_scored(place, settings)
    classes = np.zeros(number, np.int64)
    if labels is not None:
        classes[place[place >= 0]] = labels[place >= 0]
    sums = [squared_errors(made[day], true[day], place, classes, len(CLASSES)) for day in dates]
    own, other = (
        np.array([getattr(one, side) for one in sums]) for side in ("diagonal", "off_diagonal")
    )
    _warn_of_copies(titles[0], own.sum(axis=1) + other.sum(axis=1))
    diagonal = root_mean(own.sum(axis=1), number) / settings.diagonal_scale
    off = root_mean(other.sum(axis=1), number * (number - 1)) / settings.off_diagonal_scale
    daily = np.stack([(diagonal + off) / 2, diagonal, off], axis=1)
    return FlowSeriesEvaluation(
        *titles,
        dates,
        daily,
        _intervals(resampled_means(daily, settings.resamples, settings.seed), settings),
        number,
        [] if labels is None else _by_class(own, other, classes, settings),
        settings,
    )


def _number_scored(place: Int32s, settings: FlowSeriesSettings) -> int:
    if settings.box is None:
        return len(place)
    left, right, bottom, top = settings.box
    return (right - left + 1) * (top - bottom + 1)


def _warn_of_copies(name: str, squares: Floats) -> None:
    same = int((squares == 0).sum())
    if same:
        report.warn(f"{name}: {pluralize(same, 'day')} without any error: they are not predictions")


def _by_class(
    own: Floats, other: Floats, classes: Int64s, settings: FlowSeriesSettings
) -> list[RecoveryScore]:
    count = np.bincount(classes, minlength=len(CLASSES)).astype(np.float64)
    diagonal = root_mean(own, count).mean(axis=0) / settings.diagonal_scale
    pairs = count * (len(classes) - 1)
    off = root_mean(other, pairs).mean(axis=0) / settings.off_diagonal_scale
    shares = [part.sum(axis=0) / max(part.sum(), 1e-300) for part in (own, other)]
    return [
        RecoveryScore(
            name,
            int(count[at]),
            float(diagonal[at]),
            float(off[at]),
            (float(shares[0][at]), float(shares[1][at])),
        )
        for at, name in enumerate(CLASSES)
        if count[at]
    ]


def _intervals(draws: Floats, settings: FlowSeriesSettings) -> Floats:
    tail = (1 - settings.confidence) / 2
    found: Floats = np.quantile(draws, [tail, 1 - tail], axis=0)
    return found


def _compare(
    found: list[FlowSeriesEvaluation], settings: FlowSeriesSettings
) -> list[DayDifference]:
    """Differences over the days that all files predict: a paired bootstrap over days."""
    wanted = [
        pair
        for pair in combinations(range(len(found)), 2)
        if settings.pairs == "all" or not pair[0]
    ]
    if not wanted:
        return []
    common = set(found[0].dates).intersection(*(one.dates for one in found[1:]))
    if not common:
        raise HumobError(
            f"{found[0].name} and {found[1].name}: found no day that all files predict, expected "
            "some to compare"
        )
    daily = [one.daily[[date in common for date in one.dates]] for one in found]
    values = np.hstack([daily[b] - daily[a] for a, b in wanted])
    shape = (settings.resamples, len(wanted), len(METRICS))
    draws = resampled_means(values, settings.resamples, settings.seed).reshape(shape)
    low, high = _intervals(draws, settings)
    p = p_values(draws)
    holm = adjust_by_holm(p)
    means = values.mean(axis=0).reshape(shape[1:])
    return [
        DayDifference(
            a,
            b,
            metric,
            len(common),
            float(means[row, at]),
            float(low[row, at]),
            float(high[row, at]),
            float(p[row, at]),
            float(holm[row, at]),
        )
        for row, (a, b) in enumerate(wanted)
        for at, metric in enumerate(METRICS)
    ]


def parse_box(text: str) -> tuple[int, int, int, int] | None:
    """A box such as ``30-70,35-70`` (x, then y, both ends included); None for ``all``.

    Raises:
        UsageError: it is none.
    """
    if text == "all":
        return None
    parts = text.replace(",", "-").split("-")
    if len(parts) == 4 and all(part.isascii() and part.isdigit() for part in parts):
        left, right, bottom, top = map(int, parts)
        if left <= right < 100_000 and bottom <= top < 100_000 and text.count(",") == 1:
            return left, right, bottom, top
    raise UsageError(f"--score-box: found {text!r}, expected X-X,Y-Y such as 30-70,35-70, or all")
