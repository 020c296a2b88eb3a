"""Pictures of a description: where rows lie, and when. Needs the ``plot`` extra.

matplotlib and plotly are imported only when a picture is drawn.
"""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from humobctl.console.safe_text import printable
from humobctl.console.words import pluralize
from humobctl.errors import UsageError
from humobctl.extras import require
from humobctl.io.streams import whole_file

if TYPE_CHECKING:
    from humobctl.data.describe.grid import GridDescription

_NEEDS = {".png": "matplotlib", ".html": "plotly"}
_BLUE, _ORANGE = "#3b6ea5", "#d9822b"


def check_plot(path: str) -> None:
    """Refuse what cannot be drawn, before any work is done.

    Raises:
        UsageError: the file ends neither in .png nor in .html.
        HumobError: the library that draws it is not installed.
    """
    library = _NEEDS.get(Path(path).suffix.lower())
    if library is None:
        raise UsageError(f"--plot: found {path}, expected a file that ends in .png or .html")
    require("plot", f"--plot {path}", (library,))


def write_plot(found: GridDescription, path: str) -> None:
    """Draw a description: heat map of the cells, rows and users by day, rows by slot, gyration.

    Args:
        found: what to draw.
        path: a ``.png`` file, or an ``.html`` file that needs nothing else to be looked at.

    Raises:
        UsageError, HumobError: as ``check_plot``, or the file cannot be written.
    """
    check_plot(path)
    with whole_file(path) as place:
        if Path(path).suffix.lower() == ".png":
            _png(found, place)
        else:
            _html(found, place)


def in_formulas(text: str) -> str:
    """A text for matplotlib, which takes what stands between two $ for a formula."""
    return printable(text).replace("$", r"\$")


def in_html(text: str) -> str:
    """A text for plotly, which reads tags and links in its texts."""
    return html.escape(printable(text), quote=False)


def _title(found: GridDescription) -> str:
    return (
        f"{found.source or 'trajectories'}: {pluralize(found.users, 'user')}, "
        f"{pluralize(found.rows, 'row')}, "
        f"days {found.first_day}-{found.last_day}"
    )


def _heat(found: GridDescription) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(y, x) rows by cell; cells without rows are nan, so that they stay blank."""
    heat = found.heat.T.astype(np.float64)
    heat[heat == 0] = np.nan
    return heat


def _png(found: GridDescription, place: Path) -> None:
    import matplotlib as mpl  # noqa: PLC0415 - heavy, and an extra

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415
    from matplotlib.colors import LogNorm  # noqa: PLC0415

    figure, axes = plt.subplot_mosaic(
        [["cells", "days"], ["cells", "slots"]],
        figsize=(13, 6.5),
        width_ratios=[1.05, 1],
        layout="constrained",
    )
    figure.suptitle(in_formulas(_title(found)))
    cells, days, slots = axes["cells"], axes["days"], axes["slots"]
    image = cells.imshow(
        np.ma.masked_invalid(_heat(found)),
        origin="lower",
        extent=(0.5, 200.5, 0.5, 200.5),
        norm=LogNorm(vmin=1, vmax=max(2, int(found.heat.max()))),
        cmap="viridis",
        interpolation="nearest",
    )
    cells.set(title="rows by cell", xlabel="x", ylabel="y")
    figure.colorbar(image, ax=cells, shrink=0.8)
    number = [day["d"] for day in found.by_day]
    days.bar(number, [day["rows"] for day in found.by_day], width=1.0, color=_BLUE, label="rows")
    if found.masked_rows:
        masked = [day["masked"] for day in found.by_day]
        days.bar(number, masked, width=1.0, color="#bbbbbb", label="masked rows")
    days.set(title="by day", xlabel="day", ylabel="rows")
    users = days.twinx()
    users.plot(number, [day["users"] for day in found.by_day], color=_ORANGE, label="users")
    users.set_ylabel("users")
    # Room for the legend above the bars and the line.
    days.set_ylim(0, 1.3 * max(day["rows"] for day in found.by_day))
    users.set_ylim(0, 1.3 * max(day["users"] for day in found.by_day))
    handles = [h for axis in (days, users) for h in axis.get_legend_handles_labels()[0]]
    days.legend(handles=handles, loc="upper right", ncols=3, fontsize="small")
    slots.bar(np.arange(48) / 2, found.by_slot, width=0.5, align="edge", color=_BLUE)
    slots.set(title="by slot", xlabel="hour of the day", ylabel="rows", xlim=(0, 24))
    slots.set_xticks(range(0, 25, 3))
    figure.savefig(place, format="png", dpi=110)
    plt.close(figure)


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
    for name, color in (("rows", _BLUE), ("masked", "#bbbbbb")):
        if name == "rows" or found.masked_rows:
            bar = go.Bar(x=number, y=[d[name] for d in found.by_day], name=name, marker_color=color)
            figure.add_trace(bar, row=1, col=2)
    line = go.Scatter(
        x=number, y=[d["users"] for d in found.by_day], name="users", line_color=_ORANGE
    )
    figure.add_trace(line, row=1, col=2, secondary_y=True)
    hours = [f"{slot // 2}:{slot % 2 * 30:02d}" for slot in range(48)]
    bar = go.Bar(x=hours, y=found.by_slot, marker_color=_BLUE, showlegend=False, name="rows")
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
