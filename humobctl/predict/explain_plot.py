"""The candidates of a day on the map, with their probabilities. Needs the ``plot`` extra."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from humobctl.console.words import pluralize
from humobctl.native import Floats, Int32s
from humobctl.plots.style import GREY, RED, as_hours, open_picture, say_nothing
from humobctl.predict.base import SlotDistributions, UserHistory
from humobctl.tables.schemas import SLOTS_PER_DAY

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PARTS = ("0:00-6:00", "6:00-12:00", "12:00-18:00", "18:00-24:00")
_SLOTS = SLOTS_PER_DAY // len(_PARTS)
_DRAWN, _FRAMED = 0.005, 0.05
"""Least mean probability in a part of the day of a cell that is drawn, and of one that the map
reaches to."""
_AREA = 700
"""Area of the disc of a certain cell, in square points."""
_TOP = 10
_COLOURS = "Blues"
"""From white, so that what is improbable is pale."""


def write_plot(
    user: UserHistory, dist: SlotDistributions, cells: Int32s, path: str, *, model: str
) -> None:
    """Draw the candidates of the first day to predict, by part of the day and by half hour.

    Args:
        user: whose rows to predict.
        dist: what the model returned for them.
        cells: the chosen cells, (r, 2).
        path: of the picture, as ``check_plot`` allows it.
        model: name of the model.

    Raises:
        HumobError: the file cannot be written.
    """
    days = np.unique(user.target_d)
    here = user.target_d == days[0]
    slots, p, chosen = user.target_t[here], dist.p[here], cells[here]
    counts = f"{pluralize(len(dist.cells), 'candidate')}, {pluralize(len(slots), 'row')} to predict"
    if len(days) > 1:
        counts += f", day {days[0]} of days {days[0]}-{days[-1]}"
    mosaic = [list(_PARTS), ["slots"] * len(_PARTS)]
    with open_picture(
        path,
        mosaic,
        title=f"User {user.uid}, day {days[0]}: where {Path(model).name} expects them",
        counts=counts,
        source=f"predict --explain {user.uid} of {model}",
    ) as (figure, panels):
        parts = {name: slots // _SLOTS == at for at, name in enumerate(_PARTS)}
        means = {name: p[part].mean(axis=0) for name, part in parts.items() if part.any()}
        frame = _frame(dist.cells, np.max(list(means.values()), axis=0), chosen)
        for name, part in parts.items():
            if name in means:
                _map(panels[name], dist.cells, means[name], chosen[part], frame)
                panels[name].set_title(name)
            else:
                say_nothing(panels[name], name, "no row to predict")
        image = _half_hours(panels["slots"], dist.cells, slots, p, chosen)
        figure.colorbar(image, ax=list(panels.values()), label="probability", shrink=0.6)


def _frame(cells: Int32s, p: Floats, chosen: Int32s) -> tuple[tuple[float, float], ...]:
    """Limits of x and y, as wide as tall, around the chosen cells and those of some weight."""
    shown = np.concatenate([cells[p >= _FRAMED], chosen])
    low, high = shown.min(axis=0), shown.max(axis=0)
    half = max(float((high - low).max()) / 2 + 1.5, 4.0)
    return tuple((mid - half, mid + half) for mid in ((low + high) / 2).tolist())


def _map(panel: Axes, cells: Int32s, p: Floats, chosen: Int32s, frame: Any) -> None:
    """Cells as discs whose area and colour are their mean probability; the chosen ones ringed."""
    near = [abs(cells[:, k] - sum(frame[k]) / 2) < np.ptp(frame[k]) / 2 for k in (0, 1)]
    inside = np.flatnonzero((p >= _DRAWN) & near[0] & near[1])
    x, y = cells[inside].T
    scale: dict[str, Any] = {"c": p[inside], "cmap": _COLOURS, "vmin": 0, "vmax": 1}
    panel.scatter(x, y, s=_AREA * p[inside], edgecolors=GREY, linewidths=0.6, zorder=3, **scale)
    there = np.unique(chosen, axis=0)
    panel.scatter(
        there[:, 0], there[:, 1], s=60, facecolors="none", edgecolors=RED, linewidths=1.6, zorder=4
    )
    best = int(p.argmax())
    left = cells[best, 0] < sum(frame[0]) / 2
    shift: dict[str, Any] = {"xytext": (14 if left else -14, 0), "textcoords": "offset points"}
    align: dict[str, Any] = {"ha": "left" if left else "right", "va": "center", "zorder": 5}
    panel.annotate(f"{p[best]:.0%}", cells[best].tolist(), **shift, **align)
    rest = 1 - p[inside].sum()
    if rest >= _DRAWN:
        note = f"{rest:.1%} in other cells"
        panel.text(0.02, 0.02, note, transform=panel.transAxes, fontsize=8, color="#555555")
    panel.set(xlim=frame[0], ylim=frame[1], aspect="equal", xlabel="x", ylabel="y")
    panel.grid(color="#EEEEEE")
    panel.set_axisbelow(True)
    panel.locator_params(integer=True, nbins=6)


def _half_hours(panel: Axes, cells: Int32s, slots: Any, p: Floats, chosen: Int32s) -> Any:
    """The most probable cells by half hour, and which one was chosen."""
    top = np.argsort(-p.sum(axis=0), kind="stable")[:_TOP]
    heat = np.full((len(top), SLOTS_PER_DAY), np.nan)
    heat[:, slots] = p[:, top].T
    edges = np.arange(SLOTS_PER_DAY + 1) / 2
    rows = np.arange(len(top) + 1) - 0.5
    image = panel.pcolormesh(edges, rows, heat, cmap=_COLOURS, vmin=0, vmax=1, rasterized=True)
    same = (cells[top][None] == chosen[:, None]).all(axis=2)
    row = np.where(same.any(axis=1), same.argmax(axis=1), len(top))
    panel.plot(slots / 2 + 0.25, row, "s", mfc="none", mec=RED, ms=7, label="chosen", ls="none")
    names = [f"{x}, {y}" for x, y in cells[top].tolist()]
    others = bool((row == len(top)).any())
    panel.set_yticks(np.arange(len(top) + others), [*names, *["others"] * others], fontsize=8)
    panel.set_ylim(len(top) - 0.5 + others, -0.5)
    panel.set(title="most probable cells by half hour", ylabel="cell x, y")
    as_hours(panel)
    panel.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.2)
    return image
