"""Pictures of a description: where rows lie, and when. Needs the ``plot`` extra.

matplotlib and plotly are imported only when a picture is drawn.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from humobctl.console.words import day_span, pluralize
from humobctl.data.describe.description import TableDescription
from humobctl.data.describe.drawings import draw_description
from humobctl.data.describe.grid import GridDescription
from humobctl.io.streams import whole_file
from humobctl.plots.files import check_plot, in_html, is_page
from humobctl.plots.style import BLUE, ORANGE, as_hours, draw_days, draw_heat, open_picture
from humobctl.tables.schemas import GRID_SIDE


def write_plot(found: TableDescription, path: str) -> None:
    """Draw a description: where and when records lie, and what the kind of table has besides.

    Args:
        found: what to draw.
        path: a ``.png``, ``.svg`` or ``.html`` file, which needs nothing else to be looked at.

    Raises:
        UsageError, HumobError: as ``check_plot``, or the file cannot be written.
    """
    if not isinstance(found, GridDescription):
        check_plot(path)
        draw_description(found, path)
        return
    check_plot(path, interactive=True)
    if is_page(path):
        with whole_file(path) as place:
            _html(found, place)
    else:
        _drawing(found, path)


def _title(found: GridDescription) -> str:
    return f"{found.source or 'trajectories'}: {_counts(found)}"


def _counts(found: GridDescription) -> str:
    return (
        f"{pluralize(found.users, 'user')}, {pluralize(found.rows, 'row')}, "
        f"{day_span(found.first_day, found.last_day)}"
    )


def _heat(found: GridDescription) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(y, x) rows by cell; cells without rows are nan, so that they stay blank."""
    heat = found.heat.T.astype(np.float64)
    heat[heat == 0] = np.nan
    return heat


def _drawing(found: GridDescription, path: str) -> None:
    mosaic = [["cells", "cells", "days", "days"], ["cells", "cells", "slots", "slots"]]
    title = f"Grid trajectory {Path(found.source).name}"
    with open_picture(path, mosaic, title=title, counts=_counts(found), source="data describe") as (
        figure,
        panels,
    ):
        cells, slots = panels["cells"], panels["slots"]
        edges = np.arange(GRID_SIDE + 1) + 0.5
        draw_heat(figure, cells, found.heat.T, (edges, edges), "records")
        cells.set(title="records by cell", xlabel="x", ylabel="y", aspect="equal")
        draw_days(panels["days"], found.by_day)
        slots.bar(np.arange(48) / 2, found.by_slot, width=0.5, align="edge", color=BLUE)
        as_hours(slots)
        slots.set(title="records by half hour", ylabel="records")


def _html(found: GridDescription, place: Path) -> None:
    from plotly import graph_objects as go  # noqa: PLC0415 - heavy, and an extra
    from plotly.subplots import make_subplots  # noqa: PLC0415

    figure = make_subplots(
        rows=2,
        cols=2,
        specs=[[{"rowspan": 2}, {"secondary_y": True}], [None, {}]],
        subplot_titles=("rows by cell", "by day", "by slot"),
        column_widths=[0.52, 0.48],
        horizontal_spacing=0.12,
    )
    heat = _heat(found)
    side = np.arange(1, heat.shape[0] + 1)
    most = max(2, int(found.heat.max()))
    ticks = [10**power for power in range(int(np.log10(most)) + 1)]
    figure.add_trace(
        go.Heatmap(
            x=side,
            y=side,
            z=np.log10(heat),
            customdata=heat,
            colorscale="Viridis",
            colorbar={
                "x": 0.455,
                "title": "rows",
                "tickvals": np.log10(ticks).tolist(),
                "ticktext": [f"{tick:,}" for tick in ticks],
            },
            hovertemplate="x %{x}, y %{y}: %{customdata:,} rows<extra></extra>",
            hoverongaps=False,
        ),
        row=1,
        col=1,
    )
    number = [day["d"] for day in found.by_day]
    for name, color in (("rows", BLUE), ("masked", "#bbbbbb")):
        if name == "rows" or found.masked_rows:
            bar = go.Bar(x=number, y=[d[name] for d in found.by_day], name=name, marker_color=color)
            figure.add_trace(bar, row=1, col=2)
    line = go.Scatter(
        x=number, y=[d["users"] for d in found.by_day], name="users", line_color=ORANGE
    )
    figure.add_trace(line, row=1, col=2, secondary_y=True)
    hours = [f"{slot // 2}:{slot % 2 * 30:02d}" for slot in range(48)]
    bar = go.Bar(x=hours, y=found.by_slot, marker_color=BLUE, showlegend=False, name="rows")
    figure.add_trace(bar, row=2, col=2)
    figure.update_xaxes(title_text="x", range=[0.5, 200.5], row=1, col=1)
    figure.update_yaxes(title_text="y", scaleanchor="x", range=[0.5, 200.5], row=1, col=1)
    users = {"title_text": "users", "rangemode": "tozero", "tickmode": "auto", "showgrid": False}
    figure.update_yaxes(**users, row=1, col=2, secondary_y=True)
    figure.update_layout(
        title=in_html(_title(found)),
        barmode="overlay",
        template="plotly_white",
        legend={"orientation": "h", "x": 0.56, "y": 1.12},
    )
    figure.write_html(place, include_plotlyjs=True, full_html=True)
