"""The picture of a training: loss and scores by step. Needs the ``plot`` extra."""

from __future__ import annotations

from pathlib import Path

from humobctl.io.json_files import read_json_lines
from humobctl.io.streams import whole_file
from humobctl.plots.files import check_plot, in_formulas, in_html
from humobctl.training.model_dir import METRICS

_PANELS = {"loss": "loss", "jsd": "mean JSD of people not trained on"}


def write_plot(model: str, path: str, name: str | None = None) -> None:
    """Draw the training of a model dir.

    Args:
        model: the dir.
        path: a ``.png`` file, or an ``.html`` file that needs nothing else to be looked at.
        name: of the experiment, which stands above the picture instead of the dir.

    Raises:
        UsageError, HumobError: as ``check_plot``, or the file cannot be written.
    """
    check_plot(path)
    records = read_json_lines(Path(model) / METRICS)
    curves = {
        title: [(record["step"], record[name]) for record in records if name in record]
        for name, title in _PANELS.items()
    }
    with whole_file(path) as place:
        if Path(path).suffix.lower() == ".png":
            _png(curves, name or model, place)
        else:
            _html(curves, name or model, place)


def _png(curves: dict[str, list[tuple[int, float]]], title: str, path: Path) -> None:
    from matplotlib.figure import Figure  # noqa: PLC0415 - slow to import

    figure = Figure(figsize=(9, 4), layout="constrained")
    for panel, (name, points) in zip(figure.subplots(1, 2), curves.items(), strict=True):
        panel.plot(*zip(*points, strict=True)) if points else None
        panel.set(xlabel="step", ylabel=name)
    figure.suptitle(in_formulas(title))
    figure.savefig(path, format="png", dpi=120)


def _html(curves: dict[str, list[tuple[int, float]]], title: str, path: Path) -> None:
    from plotly.subplots import make_subplots  # noqa: PLC0415 - slow to import

    figure = make_subplots(rows=1, cols=2, subplot_titles=list(curves))
    for column, (name, points) in enumerate(curves.items(), 1):
        steps, values = zip(*points, strict=True) if points else ((), ())
        figure.add_scatter(x=steps, y=values, name=name, row=1, col=column)
    figure.update_xaxes(title="step")
    figure.update_layout(title=in_html(title), showlegend=False)
    figure.write_html(path, include_plotlyjs=True)
