"""One look for all pictures: colours that every eye tells apart, a title, a source line."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from humobctl import __version__
from humobctl.plots.files import in_formulas, write_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, PINK = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
SKY, RED, OLIVE, BLACK = "#56B4E9", "#D55E00", "#8A7A00", "#000000"
GREY, BAND = "#8A8A8A", "#D0D0D0"
SERIES = (BLUE, ORANGE, GREEN, PINK, SKY, RED, OLIVE)
"""Okabe and Ito's colours, in the order of the page of ``explore``."""
MARKERS = "osD^vPX"
DASHES = ("-", "--", ":", "-.")
HEAT = "cividis"
"""Colours of maps, which grow lighter evenly for all kinds of colour vision."""
PANEL = (4.4, 3.5)
"""Width and height of a panel in inches."""

LOOK: Any = {
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.dpi": 100,
    "savefig.facecolor": "white",
    "svg.fonttype": "none",
    "svg.hashsalt": "humobctl",
}


@contextmanager
def open_picture(
    path: str, mosaic: Sequence[Sequence[str]], *, title: str, counts: str, source: str
) -> Iterator[tuple[Figure, dict[str, Axes]]]:
    """A figure to draw into, written when all is drawn.

    Args:
        path: of the picture, as ``check_plot`` allows it.
        mosaic: names of panels, row by row; ``.`` for none.
        title: what is shown.
        counts: of how much, in one line or several below the title.
        source: what made the numbers; stands at the bottom.

    Yields:
        The figure, and its panels by name.
    """
    import matplotlib as mpl  # noqa: PLC0415 - heavy, and an extra
    from matplotlib.figure import Figure  # noqa: PLC0415
    from matplotlib.layout_engine import ConstrainedLayoutEngine  # noqa: PLC0415

    with mpl.rc_context(LOOK):
        across = len(mosaic[0])
        size = PANEL[0] * across, PANEL[1] * len(mosaic) + 1.0
        figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1))
        axes = figure.subplot_mosaic([list(row) for row in mosaic])
        lines = in_formulas(title), *map(in_formulas, counts.splitlines())
        # What is left of the width is for a legend.
        heading = "\n".join(textwrap.fill(line, max(60, 26 * across)) for line in lines)
        figure.suptitle(heading, x=0.01, ha="left", fontsize=12)
        below = f"{in_formulas(source)}. humobctl {__version__}"
        figure.supxlabel(
            textwrap.fill(below, 50 * across), x=0.01, ha="left", fontsize=8, color="#555555"
        )
        yield figure, axes
        write_figure(figure, path)


def in_rows(names: Sequence[str]) -> list[list[str]]:
    """A mosaic of panels, in rows of 3, or of 4 that fill them; the last panel fills the last."""
    across = min(len(names), 3 if len(names) % 4 else 4)
    rows = [list(names[start : start + across]) for start in range(0, len(names), across)]
    return [row + [row[-1]] * (across - len(row)) for row in rows]


def series(index: int) -> dict[str, Any]:
    """Colour, dashes and marker of a line: no two alike in all three."""
    return {
        "color": SERIES[index % len(SERIES)],
        "linestyle": DASHES[index % len(DASHES)],
        "marker": MARKERS[index % len(MARKERS)],
        "markersize": 4.5,
        "linewidth": 1.6,
    }


def say_nothing(panel: Axes, title: str, why: str) -> None:
    """An empty panel with the reason."""
    panel.set_axis_off()
    panel.set_title(title)
    panel.text(0.5, 0.5, why, ha="center", va="center", color=GREY, transform=panel.transAxes)


def as_shares(axis: Any) -> None:
    """Percent on an axis of shares."""
    axis.set_major_formatter(lambda share, _: f"{round(100 * share, 6):g}%")


def log_ticks(axis: Any, decades: float) -> None:
    """Numbers in full on a logarithmic axis, few enough to stand side by side."""
    from matplotlib.ticker import LogLocator, NullFormatter  # noqa: PLC0415

    few = 4 if decades > 3 else None
    axis.set_major_locator(LogLocator(subs=(1, 3) if decades < 2.5 else (1,), numticks=few))
    axis.set_major_formatter(_plain)
    axis.set_minor_formatter(NullFormatter())


def above_zero(panel: Axes) -> None:
    """Begin at 0, with room above the highest value."""
    panel.set_ylim(0, None)
    panel.set_ylim(0, 1.04 * panel.get_ylim()[1])


def as_hours(panel: Axes) -> None:
    """Hours of the day from left to right."""
    panel.set(xlabel="hour of the day", xlim=(0, 24))
    panel.set_xticks(range(0, 25, 3))


def draw_days(panel: Axes, by_day: Sequence[dict[str, Any]]) -> None:
    """Records and users of each day.

    Args:
        panel: where to draw.
        by_day: d (a number or a date), rows and users of each; masked (rows), or not.
    """
    days = [day["d"] for day in by_day]
    panel.bar(days, [day["rows"] for day in by_day], width=1.0, color=SKY, label="records")
    if any(day.get("masked") for day in by_day):
        masked = [day["masked"] for day in by_day]
        panel.bar(days, masked, width=1.0, color=BAND, label="masked")
    panel.set(title="records and users by day", ylabel="records")
    users = panel.twinx()
    # A single day is a point: a line alone would not show it.
    marker = "o" if len(days) == 1 else ""
    users.plot(days, [day["users"] for day in by_day], color=RED, marker=marker, label="users")
    users.set_ylabel("users")
    users.spines["right"].set_visible(True)
    for axis, name in ((panel, "rows"), (users, "users")):
        axis.set_ylim(0, 1.25 * max(day[name] for day in by_day))  # room for the legend
    handles = [h for axis in (panel, users) for h in axis.get_legend_handles_labels()[0]]
    panel.legend(handles=handles, loc="upper right", ncols=3)
    if len(days) == 1:
        panel.set_xticks(days)
    if isinstance(days[0], int):
        panel.set_xlabel("day")
        if len(days) > 1:
            panel.locator_params(axis="x", integer=True)
    else:
        panel.tick_params(axis="x", labelrotation=30)


def grouped_bars(panel: Axes, names: Sequence[str], heights: Sequence[Any], labels: Any) -> None:
    """Bars of several series beside each other.

    Args:
        panel: where to draw.
        names: of the groups.
        heights: of each series, one a group.
        labels: of the series.
    """
    width = 0.8 / len(heights)
    at = np.arange(len(names))
    for index, (values, label) in enumerate(zip(heights, labels, strict=True)):
        offset = (index - (len(heights) - 1) / 2) * width
        panel.bar(at + offset, values, width * 0.95, color=SERIES[index % len(SERIES)], label=label)
    panel.set_xticks(at, names)


def draw_heat(figure: Figure, panel: Axes, heat: Any, edges: tuple[Any, Any], label: str) -> None:
    """A map of numbers on a scale of powers of ten; cells that are nan or 0 stay blank.

    Args:
        figure: of the panel.
        panel: where to draw.
        heat: shape (y, x).
        edges: of the cells, in x and in y.
        label: what the colours are.
    """
    from matplotlib.colors import LogNorm  # noqa: PLC0415

    shown = np.ma.masked_where(~(heat > 0), heat)
    low, high = (shown.min(), shown.max()) if shown.count() else (1, 10)
    norm = LogNorm(vmin=low, vmax=high if high > low else low * 10)
    image = panel.pcolormesh(*edges, shown, norm=norm, cmap=HEAT, rasterized=True)
    bar = figure.colorbar(image, ax=panel, label=label, shrink=0.85)
    bar.ax.yaxis.set_major_formatter(_plain)
    bar.ax.yaxis.set_minor_formatter(_plain if high < 10 * low else lambda *_: "")
    panel.set_facecolor("#F2F2F2")


def _plain(number: float, _: float) -> str:
    return f"{number:,.10g}"
