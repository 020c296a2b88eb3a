"""Pictures of generated against real data: the distributions over one another.

Needs the ``plot`` extra; matplotlib and plotly are imported only when a picture is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from humobctl.data.describe.plots import check_plot, in_formulas, in_html
from humobctl.errors import UsageError
from humobctl.evaluate.generated.run import GeneratedEvaluation
from humobctl.evaluate.generated.statistics import BINS, Bins
from humobctl.io.streams import whole_file
from humobctl.native import Floats
from humobctl.tables.schemas import INTENTS

_REAL = "#222222"
_COLOURS = ("#d9822b", "#3b6ea5", "#4c9a5b", "#a5498d", "#b8433f", "#7a6a53")
_ACROSS = 3


@dataclass(frozen=True)
class Panel:
    """The distributions of one metric.

    Attributes:
        title: the metric, and the divergence of a single file.
        axis: what the values are.
        bins: of the values.
        names: of categories, in the place of values.
        series: share of each bin, of the reference first, then of each file.
        ranked: whether shares fall over orders of magnitude.
    """

    title: str
    axis: str
    bins: Bins
    names: tuple[str, ...]
    series: list[Floats]
    ranked: bool

    @property
    def centres(self) -> list[float]:
        """Middle of each bin, the open one included; the value itself where bins are whole."""
        middle = 0.0 if self.bins.width == 1.0 else 0.5
        size = self.bins.count + self.bins.open_end
        return [self.bins.low + self.bins.width * (index + middle) for index in range(size)]


def panels(evaluations: list[GeneratedEvaluation]) -> list[Panel]:
    """What there is to draw: every metric that all files were scored by and has bins."""
    first = evaluations[0]
    result = []
    for score in first.scores:
        metric = score.metric
        bins = BINS.get(metric.name)
        sides = [first.real, *(e.generated for e in evaluations)]
        samples = [one.samples.get(metric.name) for one in sides]
        if bins is None or not all(sample is not None and sample.known for sample in samples):
            continue
        shares = [s.counts / s.counts.sum() for s in samples if s is not None]
        names = INTENTS if metric.name == "intent" else ()
        divergence = f": JSD {score.value:.4f}" if len(evaluations) == 1 else ""
        more = f" ({bins.low + bins.count * bins.width:g} and more in one)" if bins.open_end else ""
        ranked = metric.name in ("grank", "irank")
        title = metric.label + divergence
        result.append(Panel(title, bins.unit + more, bins, names, shares, ranked))
    return result


def check_pictures(path: str, names: tuple[str, ...]) -> None:
    """Refuse what cannot be drawn, before any work is done.

    Raises:
        UsageError: the ending is neither .png nor .html, or no metric is a distribution.
        HumobError: the library that draws it is not installed.
    """
    check_plot(path)
    if not set(names) & set(BINS):
        raise UsageError(
            f"--plot: found no distribution to draw, expected one of {', '.join(BINS)}"
        )


def write_pictures(evaluations: list[GeneratedEvaluation], path: str) -> None:
    """Draw the distributions of all files over those of the reference.

    Args:
        evaluations: files scored against one reference.
        path: a ``.png`` file, or an ``.html`` file that needs nothing else to be looked at.

    Raises:
        HumobError: the file cannot be written.
    """
    labels = [Path(evaluations[0].real.name).name + " (reference)"]
    labels += [Path(e.name).name for e in evaluations]
    draw = _png if Path(path).suffix.lower() == ".png" else _html
    with whole_file(path) as place:
        draw(panels(evaluations), labels, place)


def _colour(index: int) -> str:
    return _COLOURS[(index - 1) % len(_COLOURS)] if index else _REAL


def _png(drawn: list[Panel], labels: list[str], place: Path) -> None:
    import matplotlib as mpl  # noqa: PLC0415 - heavy, and an extra

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    rows = -(-len(drawn) // _ACROSS)
    figure, axes = plt.subplots(
        rows, _ACROSS, figsize=(14, 3.6 * rows + 0.6), squeeze=False, layout="constrained"
    )
    for panel, axis in zip(drawn, axes.flat, strict=False):
        for index, shares in enumerate(panel.series):
            line: dict[str, Any] = {"color": _colour(index), "lw": 2.0 if index == 0 else 1.4}
            axis.step(panel.centres, shares, where="mid", **line)
        axis.set(title=panel.title, xlabel=panel.axis)
        if panel.ranked:
            axis.set(xscale="log", yscale="log")
        else:
            axis.set_ylim(bottom=0)
        if panel.names:
            axis.set_xticks(panel.centres, panel.names, rotation=60, ha="right", fontsize=7)
    for axis in axes.flat[len(drawn) :]:
        axis.set_axis_off()
    # A _ in front of a file name would hide it from the legend.
    names = [f" {in_formulas(label)}" for label in labels]
    figure.legend(axes.flat[0].get_lines(), names, loc="outside upper center", ncols=3)
    figure.savefig(place, format="png", dpi=100)
    plt.close(figure)


def _html(drawn: list[Panel], labels: list[str], place: Path) -> None:
    from plotly import graph_objects as go  # noqa: PLC0415 - heavy, and an extra
    from plotly.subplots import make_subplots  # noqa: PLC0415

    rows = -(-len(drawn) // _ACROSS)
    figure = make_subplots(
        rows=rows,
        cols=_ACROSS,
        subplot_titles=[panel.title for panel in drawn],
        vertical_spacing=min(0.12, 0.3 / rows),
    )
    for number, panel in enumerate(drawn):
        where = {"row": number // _ACROSS + 1, "col": number % _ACROSS + 1}
        for index, shares in enumerate(panel.series):
            line = go.Scatter(
                x=list(panel.names) or panel.centres,
                y=shares.tolist(),
                name=in_html(labels[index]),
                legendgroup=str(index),
                showlegend=number == 0,
                line={"color": _colour(index), "shape": "hvh", "width": 2.0 if index == 0 else 1.4},
            )
            figure.add_trace(line, **where)
        figure.update_xaxes(title_text=panel.axis, **where)
        if panel.ranked:
            figure.update_xaxes(type="log", **where)
            figure.update_yaxes(type="log", **where)
    figure.update_layout(
        template="plotly_white",
        height=330 * rows + 120,
        legend={"orientation": "h", "y": 1 + 0.2 / rows, "yanchor": "bottom"},
    )
    figure.write_html(place, include_plotlyjs=True, full_html=True)
