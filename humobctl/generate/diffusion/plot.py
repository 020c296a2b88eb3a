"""The picture of a training: loss and scores by step. Needs the ``plot`` extra."""

from __future__ import annotations

from pathlib import Path

from humobctl.console.words import pluralize
from humobctl.io.json_files import read_json_lines
from humobctl.io.streams import whole_file
from humobctl.plots.files import check_plot, in_html, is_page
from humobctl.plots.style import BLUE, open_picture, say_nothing
from humobctl.training.model_dir import METRICS

_FEW = 50
"""Points below which each has a marker."""
_PANELS = {"loss": "loss", "jsd": "mean JSD of people not trained on"}


def write_plot(model: str, path: str, name: str | None = None) -> None:
    """Draw the training of a model dir.

    Args:
        model: the dir.
        path: a ``.png``, ``.svg`` or ``.html`` file, which needs nothing else to be looked at.
        name: of the experiment, which stands above the picture instead of the dir.

    Raises:
        UsageError, HumobError: as ``check_plot``, or the file cannot be written.
    """
    check_plot(path, interactive=True)
    records = read_json_lines(Path(model) / METRICS)
    curves = {
        title: [(record["step"], record[name]) for record in records if name in record]
        for name, title in _PANELS.items()
    }
    if is_page(path):
        with whole_file(path) as place:
            _html(curves, name or model, place)
    else:
        _drawing(curves, name or model, path)


def _drawing(curves: dict[str, list[tuple[int, float]]], title: str, path: str) -> None:
    evaluations = pluralize(len(curves[_PANELS["jsd"]]), "evaluation")
    with open_picture(
        path, [list(curves)], title=title, counts=evaluations, source="train diffusion"
    ) as (_, panels):
        for name, points in curves.items():
            if points:
                # A single evaluation is a point: a line alone would not show it.
                marker = "o" if len(points) < _FEW else ""
                panels[name].plot(*zip(*points, strict=True), color=BLUE, marker=marker)
                panels[name].set(xlabel="step", ylabel=name)
            else:
                say_nothing(panels[name], name, "not evaluated")


def _html(curves: dict[str, list[tuple[int, float]]], title: str, path: Path) -> None:
    from plotly.subplots import make_subplots  # noqa: PLC0415 - slow to import

    figure = make_subplots(rows=1, cols=2, subplot_titles=list(curves))
    for column, (name, points) in enumerate(curves.items(), 1):
        steps, values = zip(*points, strict=True) if points else ((), ())
        mode = "lines+markers" if len(points) < _FEW else "lines"
        figure.add_scatter(x=steps, y=values, name=name, mode=mode, row=1, col=column)
    figure.update_xaxes(title="step")
    figure.update_layout(title=in_html(title), showlegend=False)
    figure.write_html(path, include_plotlyjs=True)
