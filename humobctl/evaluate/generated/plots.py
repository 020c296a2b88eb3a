"""Pictures of generated against real data: scores beside floors, distributions over one another.

Needs the ``plot`` extra; matplotlib and plotly are imported only when a picture is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from humobctl.errors import UsageError
from humobctl.evaluate.generated.report import size
from humobctl.evaluate.generated.run import GeneratedEvaluation, GeneratedScore
from humobctl.evaluate.generated.statistics import BINS, Bins
from humobctl.evaluate.registry import GENERATED_NAMES
from humobctl.evaluate.score_table import names_of
from humobctl.io.streams import whole_file
from humobctl.native import Floats
from humobctl.plots.files import check_plot, in_html, is_page, short_name
from humobctl.plots.style import (
    BAND,
    DASHES,
    GREY,
    MARKERS,
    SERIES,
    as_shares,
    in_rows,
    open_picture,
)
from humobctl.tables.schemas import INTENTS

TITLES = {
    "jump_distance": "displacement between stays",
    "radius": "radius of gyration",
    "duration": "duration of stays",
    "daily_loc": "distinct places per day",
    "periodicity": "distinct places per stay",
    "grank": "popularity of places, by rank",
    "irank": "own places, by rank",
    "start": "start of stays",
    "events_per_day": "stays per day",
    "intent": "intents",
    "intent_duration": "duration of stays by intent",
    "transition": "transitions between intents",
    "nearest_p5": "nearest real day, P5",
    "nearest_median": "nearest real day, median",
    "nearest_p5_ratio": "nearest day, P5 ratio",
    "closer_share": "closer than real days",
    "copies": "copies of days",
    "place_copies": "copies of places",
    "cpc": "common commuters",
    "cpl": "common links",
    "cpd": "common distances",
    "rmse": "RMSE",
    "rmse_travelled": "RMSE, travelled",
    "correlation": "correlation",
    "correlation_travelled": "correlation, travelled",
}
"""Name of a metric -> what it is, in plain words."""
_AXES = {"km": "km", "min": "hour", "rank": "rank", "places": "places", "": "fraction"}
_UNITS = {"": "fractions", "share": "fractions"}
_HOURS = ("duration", "start")
_DASHES = ("solid", "dash", "dot", "dashdot")
"""plotly's names of ``DASHES``."""
_SYMBOLS = ("circle", "square", "diamond", "triangle-down", "triangle-up", "cross", "x")
_ACROSS = 3
_SAMPLES = "samples of the real people"


@dataclass(frozen=True)
class Panel:
    """The distributions of one metric.

    Attributes:
        title: the metric, and the divergence of a single file.
        axis: what the values are.
        centres: middle of each bin, the open one included; the value itself of whole bins.
        names: of categories, in the place of values.
        series: fraction in each bin, of the reference first, then of each file.
        band: lowest and highest fraction of samples of the real people; None of one person.
        ranked: whether fractions fall over orders of magnitude.
    """

    title: str
    axis: str
    centres: Floats
    names: tuple[str, ...]
    series: list[Floats]
    band: tuple[Floats, Floats] | None
    ranked: bool


@dataclass(frozen=True)
class ScorePanel:
    """Scores of one unit.

    Attributes:
        title: what they are.
        axis: unit of the scores.
        labels: names of the scores.
        values: of each file, shape (files, scores); nan where a file has none.
        floors: of each score; nan where there is none.
    """

    title: str
    axis: str
    labels: list[str]
    values: Floats
    floors: Floats


def panels(evaluations: list[GeneratedEvaluation]) -> list[Panel]:
    """The distributions of every metric that all files were scored by and that has bins."""
    first = evaluations[0]
    result = []
    for score in first.scores:
        name = score.metric.name
        bins = BINS.get(name)
        sides = [first.real, *(e.generated for e in evaluations)]
        samples = [one.samples.get(name) for one in sides]
        if bins is None or not all(sample is not None and sample.known for sample in samples):
            continue
        divergence = f": JSD {score.value:.4f}" if len(evaluations) == 1 else ""
        unit = 60.0 if name in _HOURS else 1.0
        more = f" ({bins.low + bins.count * bins.width:g} and more in one)" if bins.open_end else ""
        result.append(
            Panel(
                title=TITLES[name] + divergence,
                axis="" if name == "intent" else _AXES[bins.unit] + more,
                centres=_centres(bins, unit),
                names=INTENTS if name == "intent" else (),
                series=[s.counts / s.counts.sum() for s in samples if s is not None],
                band=first.band(name),
                ranked=name in ("grank", "irank"),
            )
        )
    return result


def _centres(bins: Bins, unit: float) -> Floats:
    middle = 0.0 if bins.width == 1.0 else 0.5
    steps = np.arange(bins.count + bins.open_end, dtype=np.float64) + middle
    centres: Floats = (bins.low + bins.width * steps) / unit
    return centres


def score_panels(evaluations: list[GeneratedEvaluation]) -> list[ScorePanel]:
    """All scores beside their floors: divergences, then privacy and flows by their unit."""
    groups: dict[str, dict[str, list[GeneratedScore | None]]] = {}
    for index, evaluation in enumerate(evaluations):
        for score in evaluation.scores:
            own = score.metric.name in GENERATED_NAMES
            group = groups.setdefault(
                "" if own else f"in {_UNITS.get(score.metric.unit, score.metric.unit)}", {}
            )
            group.setdefault(score.metric.label, [None] * len(evaluations))[index] = score
    return [_score_panel(unit, scores) for unit, scores in groups.items()]


def _score_panel(unit: str, scores: dict[str, list[GeneratedScore | None]]) -> ScorePanel:
    values = [[np.nan if one is None else one.value for one in each] for each in scores.values()]
    one_each = [next(one for one in each if one is not None) for each in scores.values()]
    return ScorePanel(
        title=f"privacy, flows: {unit.removeprefix('in ')}"
        if unit
        else "Jensen-Shannon divergence",
        axis=unit.removeprefix("in ") or "nats (transitions: total variation)",
        labels=[TITLES.get(one.metric.name, one.metric.label) for one in one_each],
        values=np.array(values).T,
        floors=np.array([np.nan if one.floor is None else one.floor.mean for one in one_each]),
    )


def check_pictures(path: str, names: tuple[str, ...]) -> None:
    """Refuse what cannot be drawn, before any work is done.

    Raises:
        UsageError: the ending is none of a picture's, or no metric is a distribution.
        HumobError: the library that draws it is not installed.
    """
    check_plot(path, interactive=True)
    if not set(names) & set(BINS):
        raise UsageError(
            f"--plot: found no distribution to draw, expected one of {', '.join(BINS)}"
        )


def write_pictures(evaluations: list[GeneratedEvaluation], path: str) -> None:
    """Draw the scores, and the distributions of all files over those of the reference.

    Args:
        evaluations: files scored against one reference.
        path: a picture, or an ``.html`` file that needs nothing else to be looked at.

    Raises:
        HumobError: the file cannot be written.
    """
    first = evaluations[0]
    names = [Path(name).name for name in names_of(evaluations)]
    reference = Path(first.real.name).name
    report = _Report(
        title=f"Generated data: {' and '.join(names)} against {reference}",
        counts="\n".join(
            size(name, side)
            for name, side in [
                *zip(names, (e.generated for e in evaluations), strict=True),
                (reference, first.real),
            ]
        ),
        labels=[f"{reference} (reference)", *names],
        scores=score_panels(evaluations),
        drawn=panels(evaluations),
    )
    if is_page(path):
        _page(report, path)
    else:
        _drawing(report, path)


@dataclass(frozen=True)
class _Report:
    title: str
    counts: str
    labels: list[str]
    scores: list[ScorePanel]
    drawn: list[Panel]


def _drawing(report: _Report, path: str) -> None:
    count = len(report.scores) + len(report.drawn)
    mosaic = in_rows([str(index) for index in range(count)])
    source = "eval; pale grey: samples of the real people, what one data set differs from itself by"
    with open_picture(path, mosaic, title=report.title, counts=report.counts, source=source) as (
        figure,
        axes,
    ):
        for index, scores in enumerate(report.scores):
            _draw_scores(axes[str(index)], scores)
        for index, panel in enumerate(report.drawn, len(report.scores)):
            _draw_distributions(axes[str(index)], panel)
        handles = axes[str(len(report.scores))].get_legend_handles_labels()[0]
        # A _ at the beginning would hide a name from the legend.
        labels = [f" {short_name(label)}" for label in report.labels]
        labels += [_SAMPLES] * (len(handles) - len(labels))
        figure.legend(handles, labels, loc="outside upper right", ncols=2)


def _draw_scores(axis: Any, panel: ScorePanel) -> None:
    at = np.arange(len(panel.labels))[::-1]
    if panel.title.startswith("Jensen"):
        axis.barh(at, panel.floors, color=BAND, height=0.7)
    else:
        axis.plot(panel.floors, at, "|", color=GREY, markersize=14, markeredgewidth=4)
    for index, values in enumerate(panel.values):
        kind = {"color": SERIES[index % len(SERIES)], "marker": MARKERS[index % len(MARKERS)]}
        axis.plot(values, at, linestyle="", markersize=6, **kind)
    axis.set_yticks(at, panel.labels, fontsize=7.5)
    axis.set(title=panel.title, xlabel=panel.axis)
    axis.set_ylim(-0.6, len(at) - 0.4)
    if not (panel.values < 0).any():
        axis.set_xlim(left=0)


def _draw_distributions(axis: Any, panel: Panel) -> None:
    for index, shares in enumerate(panel.series):
        line = {"color": GREY, "linewidth": 4.0, "alpha": 0.8}  # wide, so that others lie in it
        if index:
            line = {
                "color": SERIES[(index - 1) % len(SERIES)],
                "linestyle": DASHES[(index - 1) % len(DASHES)],
                "linewidth": 1.5,
            }
        axis.step(panel.centres, shares, where="mid", label=str(index), **line)
    if panel.band is not None:
        bounds = {"step": "mid", "color": BAND, "linewidth": 0, "zorder": 0, "label": _SAMPLES}
        axis.fill_between(panel.centres, *panel.band, **bounds)
    axis.set(title=panel.title, xlabel=panel.axis)
    if panel.ranked:
        axis.set(xscale="log", yscale="log")
    else:
        axis.set_ylim(bottom=0)
        as_shares(axis.yaxis)
    if panel.names:
        axis.set_xticks(panel.centres, panel.names, rotation=60, ha="right", fontsize=7)


def _page(report: _Report, path: str) -> None:
    from plotly.subplots import make_subplots  # noqa: PLC0415 - heavy, and an extra

    every: list[Panel | ScorePanel] = [*report.scores, *report.drawn]
    titles = [panel.title for panel in every]
    rows = -(-len(titles) // _ACROSS)
    figure = make_subplots(
        rows=rows,
        cols=_ACROSS,
        subplot_titles=[in_html(title) for title in titles],
        vertical_spacing=min(0.12, 0.3 / rows),
        horizontal_spacing=0.12,
    )
    for number, panel in enumerate(every):
        where = {"row": number // _ACROSS + 1, "col": number % _ACROSS + 1}
        if isinstance(panel, ScorePanel):
            _add_scores(figure, panel, report.labels, where)
        else:
            first = number == len(report.scores)
            _add_distributions(figure, panel, report.labels, where, legend=first)
        figure.update_xaxes(title_text=panel.axis, **where)
    counts = "; ".join(map(in_html, report.counts.splitlines()))
    height = 330 * rows + 170
    figure.update_layout(
        title={
            "text": f"{in_html(report.title)}<br><sup>{counts}</sup>",
            "y": 1,
            "yanchor": "top",
            "pad": {"t": 16},
        },
        template="plotly_white",
        height=height,
        margin={"t": 130},
        legend={"orientation": "h", "yref": "container", "y": 1 - 66 / height, "yanchor": "top"},
    )
    with whole_file(path) as place:
        figure.write_html(place, include_plotlyjs=True, full_html=True)


def _add_scores(figure: Any, panel: ScorePanel, labels: list[str], where: dict[str, int]) -> None:
    bar = {"x": panel.floors, "y": panel.labels, "orientation": "h", "marker_color": BAND}
    figure.add_bar(**bar, name=_SAMPLES, showlegend=False, **where)
    for index, values in enumerate(panel.values):
        marker = {
            "color": SERIES[index % len(SERIES)],
            "symbol": _SYMBOLS[index % len(_SYMBOLS)],
            "size": 9,
        }
        figure.add_scatter(
            x=values,
            y=panel.labels,
            mode="markers",
            marker=marker,
            name=in_html(labels[index + 1]),
            legendgroup=str(index + 1),
            showlegend=False,
            **where,
        )
    figure.update_yaxes(autorange="reversed", **where)


def _add_distributions(
    figure: Any, panel: Panel, labels: list[str], where: dict[str, int], *, legend: bool
) -> None:
    x = list(panel.names) or panel.centres.tolist()
    for side, shares in zip(("", "tonexty"), panel.band or (), strict=False):
        figure.add_scatter(
            x=x,
            y=shares.tolist(),
            name=_SAMPLES,
            legendgroup=_SAMPLES,
            showlegend=legend and bool(side),
            fill=side or None,
            fillcolor=BAND,
            line={"color": BAND, "shape": "hvh", "width": 0},
            **where,
        )
    for index, shares in enumerate(panel.series):
        line: dict[str, Any] = {"color": GREY, "width": 5.0}
        if index:
            dash = _DASHES[(index - 1) % len(_DASHES)]
            line = {"color": SERIES[(index - 1) % len(SERIES)], "width": 1.6, "dash": dash}
        figure.add_scatter(
            x=x,
            y=shares.tolist(),
            name=in_html(labels[index]),
            legendgroup=str(index),
            showlegend=legend,
            mode="lines",
            line={**line, "shape": "hvh"},
            **where,
        )
    if panel.ranked:
        figure.update_xaxes(type="log", **where)
        figure.update_yaxes(type="log", **where)
