"""Pictures of a scene for papers: PNG, SVG or PDF by matplotlib (extra plot)."""

from __future__ import annotations

import textwrap
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import humobctl
from humobctl.console.safe_text import printable
from humobctl.console.words import pluralize
from humobctl.errors import UsageError
from humobctl.extras import require
from humobctl.native import Floats
from humobctl.plots import style
from humobctl.plots.files import save_figure
from humobctl.plots.map_limits import map_limits
from humobctl.tables.schemas import FLOW_SERIES, FLOWS
from humobctl.view.scene import NO_INTENT, Scene

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ENDINGS = (".png", ".svg", ".pdf")
INCHES, DOTS = (7.2, 6.2), 200
_FEW_USERS = 10
_LINE = 120
"""Letters in a line of the source."""
_RASTER_FROM = 3_000
"""Dots from which those of an SVG or a PDF become a picture within it."""
_INK, _DIM = "#1b1f24", "#57606a"
TABLE_COLOURS = (style.BLUE, style.RED, style.GREEN, style.PINK)
INTENT_COLOURS = (
    *(style.RED, style.BLUE, style.ORANGE, style.PINK, style.GREEN, style.OLIVE, style.SKY),
    "#3B3B98",
    *("#8C2D19", "#9AA5AF", "#B5A642", "#66C2A4"),
)
"""Colours of the page."""
_GREY = style.GREY


def check_picture(path: str) -> None:
    """Refuse what cannot be drawn before any work is done.

    Raises:
        UsageError: the file's ending is none of a picture.
        HumobError: matplotlib is not installed.
    """
    if Path(path).suffix.lower() not in ENDINGS:
        raise UsageError(f"--export: found {path}, expected .html, .png, .svg or .pdf")
    require("plot", f"--export {path}", ("matplotlib",))


def draw_picture(scene: Scene, place: Path, *, ending: str, colour: str | None = None) -> None:
    """Draw the map of a scene, with title, scale bar, north, legend, counts and source.

    Args:
        scene: what to draw.
        place: the file.
        ending: .png, .svg or .pdf.
        colour: what the colours say; None for what suits the tables.

    Raises:
        UsageError: the tables have no positions.
    """
    import matplotlib as mpl  # noqa: PLC0415 - of the extra "plot"
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    if scene.plane is None:
        raise UsageError(
            "--export: found tables without positions, expected .html for day plans; "
            "'generate gravity' gives their activities places"
        )
    with mpl.rc_context({**style.LOOK, "text.parse_math": False}):
        figure = Figure(figsize=INCHES, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        _frame_map(axes, scene)
        _draw_base(axes, scene)
        by = colour or _suits(scene)
        if by == "density":
            _draw_cells(axes, scene)
        else:
            _draw_rows(axes, _drawn_rows(scene, by), by)
        _draw_scale(axes, scene)
        figure.suptitle(printable(scene.title), x=0.02, ha="left", fontsize=12, fontweight="bold")
        figure.supxlabel(_source(axes, scene), x=0.02, ha="left", fontsize=7.5, color=_DIM)
        save_figure(figure, place, ending[1:], dpi=DOTS)


def _drawn_rows(scene: Scene, by: str) -> Scene:
    """The scene with the rows that are drawn: two tables of flows, or what they differ by."""
    if not scene.difference:
        return scene
    kept = (scene.rows["layer"] == 2) == (by == "difference")
    return replace(scene, rows={name: values[kept] for name, values in scene.rows.items()})


def _suits(scene: Scene) -> str:
    """The default colours."""
    if scene.difference:
        return "difference"
    if len(scene.tables) > 1:
        return "table"
    if scene.cell is not None:
        return "density"
    if "intent" in scene.rows:
        return "intent"
    return "value" if "value" in scene.rows else "plain"


def _points(scene: Scene) -> tuple[Floats, Floats]:
    """All positions: of rows, of their other ends, of lines."""
    names = [("x", "y"), *([("to_x", "to_y")] if "to_x" in scene.rows else [])]
    x = np.concatenate([*(scene.rows[a] for a, _ in names), scene.line_x])
    y = np.concatenate([*(scene.rows[b] for _, b in names), scene.line_y])
    known = ~(np.isnan(x) | np.isnan(y))
    return x[known], y[known]


def _frame_map(axes: Axes, scene: Scene) -> None:
    """Limits around most points, as far east as north, without numbers."""
    x, y = _points(scene)
    weights = scene.rows["value"].astype(np.float64) if scene.counted else None
    (left, right), (low, high) = map_limits(x, y, weights)
    half = max(right - left, high - low, 400.0) * 0.53 + (scene.cell or 0.0) / 2
    axes.set_aspect("equal")
    wide, tall = (max(half * 0.62, (b - a) * 0.55) for a, b in ((left, right), (low, high)))
    axes.set_xlim((left + right) / 2 - wide, (left + right) / 2 + wide)
    axes.set_ylim((low + high) / 2 - tall, (low + high) / 2 + tall)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_facecolor("#F7F7F4")
    for spine in axes.spines.values():
        spine.set(visible=True, color="#BBBBBB")


def _lines(axes: Axes, ends: Any, x: Floats, y: Floats, **options: Any) -> Any:
    from matplotlib.collections import LineCollection  # noqa: PLC0415

    parts = np.split(np.column_stack([x, y]), ends[:-1])
    return axes.add_collection(LineCollection(parts, **options), autolim=False)


def _draw_base(axes: Axes, scene: Scene) -> None:
    assert scene.plane is not None
    for base in scene.base:
        x, y = scene.plane.place(base.lat, base.lon)
        _lines(axes, base.ends, x, y, colors="#B4B9BF", linewidths=0.6, zorder=1)


def _draw_cells(axes: Axes, scene: Scene) -> None:
    """Squares by number of records, on a log scale."""
    from matplotlib.collections import PatchCollection  # noqa: PLC0415
    from matplotlib.colors import LogNorm  # noqa: PLC0415
    from matplotlib.patches import Rectangle  # noqa: PLC0415

    _, first, cell = np.unique(scene.rows["label"], return_index=True, return_inverse=True)
    counts = np.bincount(cell, weights=scene.rows["value"] if scene.counted else None)
    side = scene.cell or 0.0
    corners = zip(scene.rows["x"][first] - side / 2, scene.rows["y"][first] - side / 2, strict=True)
    squares = PatchCollection([Rectangle(corner, side, side) for corner in corners], linewidths=0)
    squares.set_array(counts)
    squares.set(cmap="cividis_r", norm=LogNorm(1, max(2, counts.max())), zorder=2)
    squares.set_rasterized(len(counts) > _RASTER_FROM)
    axes.add_collection(squares, autolim=False)
    _colour_bar(axes, squares, "records", format="{x:,.0f}")


def _draw_rows(axes: Axes, scene: Scene, by: str) -> None:
    """Dots and lines."""
    colours, scaled = _colours(scene, by)
    rows, options = scene.rows, dict(scaled)
    ways = None
    if len(scene.line) or ("to_x" in rows and not scene.truth):
        ends, x, y = _ways(scene)
        width: Any = 0.9
        alpha: Any = 0.7
        if scene.tables[0].kind in (FLOWS, FLOW_SERIES):
            size = np.abs(rows["value"])
            most = size.max(initial=1e-9, where=_leads(scene))  # a flow within an area is a dot
            width = 0.3 + 5.0 * np.sqrt(np.minimum(size / most, 1.0))
            alpha = np.clip((0.0 if scene.difference else 0.15) + width / 6, 0, 0.9)
        ways = _lines(axes, ends, x, y, linewidths=width, alpha=alpha, zorder=3)
        if scaled:
            ways.set(array=rows["value" if by in ("value", "difference") else by], **scaled)
        else:
            ways.set_color(colours)
    if ways is None and 0 < len(scene.users) <= _FEW_USERS and "day" in rows:
        _draw_paths(axes, scene)
    size = 2.0 if len(scene) > 20_000 else 6.0 if len(scene) > 1_000 else 14.0
    dots = axes.scatter(
        rows["x"],
        rows["y"],
        s=size if ways is None else 3.0,
        c=colours,
        linewidths=0,
        alpha=0.7,
        zorder=2,
        rasterized=len(scene) > _RASTER_FROM,
        **options,
    )
    if scaled:
        measure = (
            scene.measure if by == "value" else ("hour of the day" if by == "hour" else by, "")
        )
        if by == "difference":
            measure = (scene.tables[2].name, "trips")
        assert measure is not None
        title = printable(f"{measure[0]} ({measure[1]})".removesuffix(" ()"))
        signed = {"format": "{x:+,.10g}", "extend": "both"} if by == "difference" else {}
        _colour_bar(axes, ways or dots, title, **signed)
    else:
        _legend(axes, scene, by)


def _draw_paths(axes: Axes, scene: Scene) -> None:
    """Paths of a few users through their rows; dotted from predicted to true positions."""
    rows = scene.rows
    known = ~np.isnan(rows["x"])
    owner = rows["layer"].astype(np.int64) * (len(scene.users) + 1) + rows["user"]
    ends = np.append(np.flatnonzero(np.diff(owner[known])) + 1, known.sum())
    colours = [TABLE_COLOURS[rows["layer"][known][end - 1] % 4] for end in ends]
    colour = colours if len(scene.tables) > 1 else _DIM
    _lines(axes, ends, rows["x"][known], rows["y"][known], colors=colour, linewidths=0.6, alpha=0.5)
    if scene.truth and "to_x" in rows:
        few = ~np.isnan(rows["to_x"])
        x, y = (np.column_stack([rows[a], rows[f"to_{a}"]])[few].ravel() for a in ("x", "y"))
        ends = np.arange(1, int(few.sum()) + 1) * 2
        _lines(axes, ends, x, y, colors=_DIM, linewidths=0.6, linestyles=":")


def _ways(scene: Scene) -> tuple[Any, Floats, Floats]:
    """Ends and points of lines: their own, or straight from end to end."""
    rows = scene.rows
    if len(scene.line):
        return scene.line, scene.line_x, scene.line_y
    x, y = (np.column_stack([rows[a], rows[f"to_{a}"]]).ravel() for a in ("x", "y"))
    return np.arange(1, len(scene) + 1) * 2, x, y


def _colours(scene: Scene, by: str) -> tuple[Any, dict[str, Any]]:
    """Colours of the rows, or numbers with the scale that makes them colours."""
    rows = scene.rows
    if by == "difference":
        return rows["value"], _diverging(rows["value"][_leads(scene)])
    if by == "value":
        known = rows["value"][~np.isnan(rows["value"])]
        high = float(np.percentile(known, 98)) if len(known) else 1.0
        return rows["value"], {"cmap": "cividis", "clim": (0.0, max(high, 1e-9))}
    if by in ("hour", "day"):
        numbers = rows["start"] / 60 if by == "hour" else rows["day"]
        ends = (0.0, 24.0) if by == "hour" else (float(numbers.min()), float(numbers.max()))
        rows.setdefault("hour", rows["start"] / 60)
        return numbers, {"cmap": "twilight" if by == "hour" else "cividis", "clim": ends}
    return _kinds(scene, by), {}


def _leads(scene: Scene) -> NDArray[np.bool_]:
    """Whether each trip or flow leads from one place to another."""
    rows = scene.rows
    apart: NDArray[np.bool_] = (rows["x"] != rows["to_x"]) | (rows["y"] != rows["to_y"])
    return apart


def _diverging(values: Floats) -> dict[str, Any]:
    """Blue for less, vermilion for more; by the root, since a few flows are much larger."""
    from matplotlib.colors import FuncNorm, LinearSegmentedColormap  # noqa: PLC0415

    most = max(float(np.percentile(np.abs(values), 99)) if len(values) else 1.0, 1e-9)
    root = (lambda v: np.sign(v) * np.sqrt(np.abs(v)), lambda v: np.sign(v) * v**2)
    colours = LinearSegmentedColormap.from_list("change", [style.BLUE, "#C9C9C9", style.RED])
    return {"cmap": colours, "norm": FuncNorm(root, vmin=-most, vmax=most)}


def _kinds(scene: Scene, by: str) -> NDArray[Any]:
    rows = scene.rows
    if by == "intent":
        known, kind = [*INTENT_COLOURS, _GREY], np.minimum(rows["intent"], len(INTENT_COLOURS))
    elif by == "user":
        known, kind = list(INTENT_COLOURS), rows["user"] % len(INTENT_COLOURS)
    elif by == "table":
        known, kind = list(TABLE_COLOURS), rows["layer"] % len(TABLE_COLOURS)
    else:
        known, kind = list(TABLE_COLOURS), np.zeros_like(rows["layer"])
    colours: NDArray[Any] = np.array(known)[kind]
    return colours


def _colour_bar(axes: Axes, drawn: Any, title: str, **options: Any) -> None:
    bar = axes.figure.colorbar(drawn, ax=axes, shrink=0.6, pad=0.01, aspect=30, **options)
    bar.set_label(title)
    bar.outline.set_visible(False)


def _legend(axes: Axes, scene: Scene, by: str) -> None:
    from matplotlib.lines import Line2D  # noqa: PLC0415

    if by == "intent":
        seen = set(np.unique(scene.rows["intent"]).tolist())
        named = [(name, INTENT_COLOURS[at]) for at, name in enumerate(scene.intents) if at in seen]
        named += [("unknown", _GREY)] * (NO_INTENT in seen)
    elif by == "table":
        names = [printable(one.name) for one in scene.tables]
        if scene.sides:
            names = [f"{what}: {name}" for what, name in zip(scene.sides, names, strict=True)]
        named = list(zip(names, TABLE_COLOURS, strict=False))
    else:
        return
    marks = [Line2D([], [], color=c, marker="o", linestyle="", markersize=5) for _, c in named]
    axes.legend(
        marks,
        [name for name, _ in named],
        loc="upper center",
        bbox_to_anchor=(0.5, -0.01),
        ncols=min(4, len(named)),
        frameon=False,
        fontsize=8,
        handletextpad=0.1,
    )


def _draw_scale(axes: Axes, scene: Scene) -> None:
    """A bar of a round number of km, and where north is."""
    assert scene.plane is not None
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    bare = scene.plane.cell_km is not None
    stretch = 1.0 if bare else float(np.cos(np.radians(scene.plane.lat)))
    metres = (right - left) * stretch / 5
    power = 10.0 ** np.floor(np.log10(metres))
    nice = max(n * power for n in (1, 2, 5) if n * power <= metres)
    x, y = left + 0.03 * (right - left), low + 0.03 * (high - low)
    axes.plot([x, x + nice / stretch], [y, y], color=_INK, lw=2.5, solid_capstyle="butt", zorder=5)
    text = f"{nice / 1000:g} km" if nice >= 1000 else f"{nice:g} m"
    axes.text(x, y + 0.012 * (high - low), text, va="bottom", color=_INK, zorder=5)
    x, y = right - 0.04 * (right - left), high - 0.03 * (high - low)
    arrow = {"arrowstyle": "-|>", "color": _INK, "lw": 1.2}
    named = "y" if bare else "N"
    tail = (x, y - 0.08 * (high - low))
    axes.annotate(named, (x, y), tail, ha="center", va="top", arrowprops=arrow, zorder=5)


def _outside(axes: Axes, scene: Scene) -> int:
    """Rows that the limits of the map leave out."""
    x, y = scene.rows["x"], scene.rows["y"]
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    beyond = (x < left) | (x > right) | (y < low) | (y > high)
    return int(scene.rows["value"][beyond].sum() if scene.counted else beyond.sum())


def _source(axes: Axes, scene: Scene) -> str:
    """Counts, files and program in a line."""
    told = []
    for one in scene.tables[: 2 if scene.difference else None]:
        rows, users = one.frame.height, one.frame["uid"].n_unique()
        if one.squares is not None:
            rows, users = one.rows, one.users or 0
        few = f" of {one.rows:,}" if rows < one.rows else ""
        people = "" if one.users is None else f", {pluralize(users, 'user')}"
        noun = "row" if rows == 1 and not few else "rows"
        told.append(f"{printable(one.name)} ({rows:,}{few} {noun}{people})")
    base = f"; base: {', '.join(printable(one.name) for one in scene.base)}" * bool(scene.base)
    if outside := _outside(axes, scene):
        told.append(f"{pluralize(outside, 'row')} outside the map")
    return textwrap.fill(f"Source: {'; '.join(told)}{base}. humobctl {humobctl.__version__}", _LINE)
