"""Pictures of predictions' scores: users, time, regularity, known and novel cells, errors."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from humobctl.console.words import pluralize
from humobctl.evaluate.cells.bootstrap import PairDifferences
from humobctl.evaluate.cells.errors import DISTANCES, REGULARITIES, ErrorTally
from humobctl.evaluate.cells.report import Comparison
from humobctl.evaluate.cells.run import Evaluation
from humobctl.evaluate.score_table import names_of
from humobctl.native import Floats
from humobctl.plots.files import short_name
from humobctl.plots.style import (
    BLUE,
    GREY,
    above_zero,
    as_hours,
    as_shares,
    draw_heat,
    grouped_bars,
    in_rows,
    open_picture,
    say_nothing,
    series,
)
from humobctl.tables.schemas import GRID_SIDE

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_HITS, _KM = 1, 2
_SQUARES, _ACROSS = (1, 2, 4, 5), 50
"""Cells along a square of the map, and squares along the map where one of them can do it."""
_NO_PAST = "the truth has no earlier days"


def write_plot(found: Comparison, path: str, truth: str, first_weekday: int) -> None:
    """Draw the scores of one file, or of several beside each other.

    Args:
        found: scores, with the errors tallied.
        path: of the picture.
        truth: name of the true rows.
        first_weekday: weekday of day 0, from 0 for Sunday.

    Raises:
        HumobError: the file cannot be written.
    """
    one = found.evaluations[0]
    names = [short_name(name) for name in names_of(found.evaluations)]
    plain = [Path(name).name for name in names_of(found.evaluations)]
    drawn: dict[str, Any] = {
        "users": partial(_users, found.evaluations),
        **({"difference": partial(_differences, found.pairs)} if found.pairs else {}),
        "hours": _hours,
        "weekdays": partial(_weekdays, day=one.days[0], weekday=first_weekday),
        "days": partial(_days, day=one.days[0]),
        "regularity": _regularity,
        "novelty": _novelty,
        "distance": _distances,
    }
    counts = (
        f"{pluralize(one.users.height, 'user')}, {pluralize(one.user_days, 'user-day')}, "
        f"{pluralize(int(one.errors.rows), 'record')}, days {one.days[0]}-{one.days[1]}"
    )
    with open_picture(
        path,
        in_rows([*drawn, "map"]),
        title=f"Predicted cells: {' and '.join(plain)}",
        counts=counts,
        source=f"eval of {', '.join(plain)} against {truth}",
    ) as (figure, panels):
        files = [(name, e.errors) for name, e in zip(names, found.evaluations, strict=True)]
        for name, draw in drawn.items():
            draw(panels[name], files)
        _map(figure, panels["map"], one, names[0])


Files = list[tuple[str, ErrorTally]]
"""Names of files as they are written in drawings, and where they err."""


def _mean(sums: Floats, column: int) -> Floats:
    """Means by group; nan for a group without rows."""
    with np.errstate(invalid="ignore"):
        means: Floats = sums[:, column] / np.where(sums[:, 0], sums[:, 0], np.nan)
    return means


def _label(name: str) -> str:
    """A file's name for a legend, which would hide one that begins with _."""
    return f" {name}"


def _users(evaluations: list[Evaluation], panel: Any, files: Files) -> None:
    metric = evaluations[0].metrics[0]
    values = [e.users[metric.column].to_numpy() for e in evaluations]
    if len(files) == 2:
        panel.scatter(*values, s=14, color=BLUE, alpha=0.6, linewidths=0)
        ends = [min(v.min() for v in values), max(v.max() for v in values)]
        panel.plot(ends, ends, color=GREY, linewidth=1, linestyle="--")
        panel.set_title(f"{metric.label} of each user; dashed: equal")
        panel.set(xlabel=files[0][0], ylabel=files[1][0])
        return
    bins = np.histogram_bin_edges(np.concatenate(values), 20)
    for index, ((name, _), scores) in enumerate(zip(files, values, strict=True)):
        colour = series(index)["color"]
        panel.stairs(np.histogram(scores, bins)[0], bins, color=colour, label=_label(name))
        panel.axvline(scores.mean(), color=colour, linestyle="--", linewidth=1)
    panel.set(title="scores of users; dashed: their mean", xlabel=metric.label, ylabel="users")
    if len(files) > 1:
        panel.legend()


def _differences(pairs: list[PairDifferences], panel: Any, files: Files) -> None:
    """Each pair's difference in the first metric, with its interval."""
    found = [pair.differences[0] for pair in pairs]
    labels = [f"{files[pair.second][0]}\nminus {files[pair.first][0]}" for pair in pairs]
    at = np.arange(len(found))[::-1]
    panel.hlines(at, [d.low for d in found], [d.high for d in found], color=BLUE, linewidth=2)
    panel.plot([d.value for d in found], at, "o", color=BLUE)
    for y, one in zip(at, found, strict=True):
        text = f"{one.value:+.4f}"
        text += "" if np.isnan(one.low) else f" [{one.low:+.4f}, {one.high:+.4f}]"
        panel.annotate(text, (one.value, y), (0, 8), textcoords="offset points", ha="center")
    panel.axvline(0, color=GREY, linewidth=1, linestyle="--")
    panel.set_yticks(at, labels, fontsize=8)
    panel.set_ylim(-0.7, len(found) - 0.3)
    panel.margins(x=0.25)
    panel.locator_params(axis="x", nbins=4)
    interval = f"{100 * found[0].confidence:g} % interval"
    panel.set_title(f"difference with its {interval} over users")
    panel.set_xlabel(found[0].metric.label)


def _lines(panel: Any, x: Any, files: Files, values: list[Floats]) -> None:
    """A line a file: fractions of the records that are predicted exactly."""
    for index, ((name, _), shares) in enumerate(zip(files, values, strict=True)):
        panel.plot(x, shares, label=_label(name), **series(index))
    panel.set_ylabel("accuracy (exact cell)")
    above_zero(panel)
    as_shares(panel.yaxis)


def _hours(panel: Any, files: Files) -> None:
    hours = (np.arange(48) + 0.5) / 2
    _lines(panel, hours, files, [_mean(errors.by_slot, _HITS) for _, errors in files])
    for line in panel.get_lines():
        line.set_marker("")
    panel.set_title("by hour")
    as_hours(panel)
    if len(files) > 1:
        panel.legend()


def _weekdays(panel: Any, files: Files, day: int, weekday: int) -> None:
    values = [_mean(errors.by_weekday(day, weekday), _HITS) for _, errors in files]
    _lines(panel, np.arange(7), files, values)
    panel.set_xticks(range(7), WEEKDAYS)
    panel.set(title=f"by weekday (day 0: {WEEKDAYS[(weekday - 1) % 7]})")


def _days(panel: Any, files: Files, day: int) -> None:
    size = max(len(errors.by_day) for _, errors in files)
    values = [np.full(size, np.nan) for _ in files]
    for row, (_, errors) in zip(values, files, strict=True):
        row[: len(errors.by_day)] = _mean(errors.by_day, _HITS)
    _lines(panel, np.arange(1, size + 1), files, values)
    panel.set(title="by days ahead", xlabel=f"days ahead (1: day {day})")
    panel.xaxis.get_major_locator().set_params(integer=True)


def _regularity(panel: Any, files: Files) -> None:
    title = "by regularity of the user"
    if not files[0][1].by_regularity[:, 0].any():
        say_nothing(panel, title, _NO_PAST)
        return
    middle = (np.arange(REGULARITIES) + 0.5) / REGULARITIES
    _lines(panel, middle, files, [_mean(errors.by_regularity, _HITS) for _, errors in files])
    as_shares(panel.xaxis)
    panel.set(title=title, xlabel="records in the usual cell of their half hour", xlim=(0, 1))


def _novelty(panel: Any, files: Files) -> None:
    title = "known and novel cells"
    sums = [errors.by_novelty for _, errors in files]
    total = sums[0][:, 0].sum()
    if not total:
        say_nothing(panel, title, _NO_PAST)
        return
    names = [
        f"{name}\n{rows / total:.0%} of records"
        for name, rows in zip(("known", "novel"), sums[0][:, 0], strict=True)
    ]
    values = [np.nan_to_num(_mean(each, _HITS)) for each in sums]
    grouped_bars(panel, names, values, [_label(name) for name, _ in files])
    for bars in panel.containers if len(files) < 4 else ():
        panel.bar_label(bars, fmt="{:.1%}", fontsize=8)
    above_zero(panel)
    panel.set(title=title, ylabel="accuracy (exact cell)")
    as_shares(panel.yaxis)


def _distances(panel: Any, files: Files) -> None:
    at = np.arange(len(DISTANCES))
    for index, (name, errors) in enumerate(files):
        panel.plot(at, errors.within / errors.rows, label=_label(name), **series(index))
    panel.set_xticks(at, [f"{km:g}" for km in DISTANCES])
    panel.set(title="distance of errors", xlabel="at most km from the truth", ylim=(0, 1.03))
    panel.set_ylabel("records")
    as_shares(panel.yaxis)


def _map(figure: Any, panel: Any, one: Evaluation, name: str) -> None:
    """Mean distance from the truth by true cell, in squares that the eye can tell apart."""
    x, y = np.nonzero(one.errors.by_cell[:, 0].reshape(GRID_SIDE, GRID_SIDE))
    reach = max(x.max() - x.min(), y.max() - y.min()) + 1
    side = next(s for s in _SQUARES if reach <= s * _ACROSS or s == _SQUARES[-1])
    sums = one.errors.by_cell.reshape(GRID_SIDE // side, side, GRID_SIDE // side, side, 3)
    squares = sums.sum(axis=(1, 3))
    heat = _mean(squares.reshape(-1, 3), _KM).reshape(squares.shape[:2]).T
    edges = np.arange(0, GRID_SIDE + 1, side) + 0.5
    draw_heat(figure, panel, heat, (edges, edges), "mean error in km")
    exact = np.where(heat == 0, 1.0, np.nan)
    panel.pcolormesh(edges, edges, exact, cmap="Greys", vmin=0, vmax=2.5, rasterized=True)
    margin = side + 1
    panel.set(xlim=(x.min() + 1 - margin, x.max() + 1 + margin))
    panel.set(ylim=(y.min() + 1 - margin, y.max() + 1 + margin), ylabel="y", aspect="equal")
    panel.set_title(f"errors of {name}")
    squares_of = f"true cells, {side} to a side" if side > 1 else "true cells"
    panel.set_xlabel(f"x ({squares_of}; grey: no error)")
