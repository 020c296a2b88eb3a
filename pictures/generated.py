"""Generated days beside real ones of Beijing: where visits are, and three distributions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import LogNorm

from humobctl.data.importers.stays import read_stays
from humobctl.evaluate.divergence import jsd
from humobctl.evaluate.generated.floor import DRAWS, draw_pairs
from humobctl.evaluate.generated.statistics import BINS, SAMPLES, Sample
from humobctl.native import Floats
from humobctl.tables.stays import Stays, at_least
from pictures.city import DATA, made
from pictures.style import BLACK, ORANGE, as_map, figure, save, scale_bar

PEOPLE = 5469
"""As many as there are real ones."""
METRICS = {
    "jump_distance": ("displacements", "km", 1.0, 20.0, 5),
    "start": ("starts of stays (0:00 not drawn)", "hour of the day", 60.0, 24.0, 6),
    "daily_loc": ("places a day", "places", 1.0, 9.0, 1),
}
"""Titles, units, how many of the bins' units one of them is, where axes end, and their steps."""
CELL_KM, REACH_KM, FEWEST = 1.5, 30.0, 5
"""Side of a cell of the maps, how far they go, and visits below which a cell stays empty."""


def draw() -> list[Path]:
    """Maps of visits above, distributions with the band of real halves below."""
    beijing = DATA / "beijing"
    real = beijing / "stays.parquet"
    places = made("beijing_places.parquet", "data import", real, "--as", "places")
    plans = made(
        "beijing_plans.parquet", "intend", beijing / "profiles.csv", "--count", str(PEOPLE)
    )
    more = ("--places", places, "--home-work", beijing / "home_work.parquet")
    visits = made("beijing_visits.parquet", "generate gravity", plans, *more)
    tables = [read_stays(str(path)) for path in (real, visits)]
    sides = [at_least(table.on(tables[0].plane()), 3) for table in tables]
    picture, axes = figure(6.4, 2, 6, height_ratios=(1.55, 1))
    grid = axes[0, 0].get_gridspec()
    for panel in axes.flat:
        panel.remove()
    maps = [picture.add_subplot(grid[0, begin : begin + 3]) for begin in (0, 3)]
    names = [
        f"{name}: {len(side):,} visits"
        for name, side in zip(("real", "generated"), sides, strict=True)
    ]
    _maps(picture, maps, dict(zip(names, sides, strict=True)))
    for index, metric in enumerate(METRICS):
        panel = picture.add_subplot(grid[1, 2 * index : 2 * index + 2])
        _distribution(panel, metric, *sides)
        if not index:
            panel.set_ylabel("share")
            panel.legend(loc="upper right")
    return save(
        picture,
        "generated",
        title="A generated population beside a real one, Beijing",
        source=f"Real: one day of {PEOPLE:,} people (CoPB). Generated: intend and generate gravity,"
        " real pairs of home and work, the law's defaults.\nDays of 3 stays or more. Cells with"
        f" fewer than {FEWEST} visits are left out. Grey band: {DRAWS} pairs of samples of the"
        " real people.\nJSD: Jensen-Shannon divergence in nats, as eval prints it."
        " Source: python -m pictures generated.",
    )


def _maps(picture: Any, panels: list[Any], sides: dict[str, Stays]) -> None:
    edges = np.arange(-REACH_KM, REACH_KM + CELL_KM / 2, CELL_KM)
    counts = []
    for stays in sides.values():
        found, *_ = np.histogram2d(stays.north / 1000, stays.east / 1000, bins=(edges, edges))
        counts.append(np.where(found < FEWEST, np.nan, found))
    norm = LogNorm(FEWEST, max(np.nanmax(found) for found in counts))
    for panel, name, found in zip(panels, sides, counts, strict=True):
        shown = panel.pcolormesh(edges, edges, found, norm=norm, cmap="cividis", rasterized=True)
        panel.set_title(name)
        as_map(panel)
        scale_bar(panel, 10)
    label = f"visits in {CELL_KM:g} km x {CELL_KM:g} km"
    ticks = [5, 10, 20, 50, 100, 200]
    bar = picture.colorbar(shown, ax=panels, label=label, shrink=0.85, ticks=ticks)
    bar.ax.set_yticklabels(map(str, ticks))
    bar.ax.minorticks_off()


def _distribution(panel: Any, metric: str, real: Stays, generated: Stays) -> None:
    title, unit, many, end, step = METRICS[metric]
    bins = BINS[metric]
    x = (bins.low + bins.width * np.arange(bins.count) + (bins.width != 1) * bins.width / 2) / many
    theirs, ours = (_fractions(SAMPLES[metric](side).sample()) for side in (real, generated))
    observed = SAMPLES[metric](real)
    samples = [
        [_fractions(observed.sample(times)) for times in pair]
        for pair in draw_pairs(generated.people(), real.people(), seed=0)
    ]
    low, high = np.min(samples, axis=(0, 1)), np.max(samples, axis=(0, 1))
    # All days begin with a stay at 0:00.
    part = slice(metric == "start", bins.count)
    panel.fill_between(
        x[part], low[part], high[part], color="#BBBBBB", label="real, samples", linewidth=0
    )
    panel.plot(x[part], theirs[part], color=BLACK, linewidth=1.2, label="real")
    panel.plot(x[part], ours[part], color=ORANGE, linewidth=1.8, label="generated")
    floor = np.mean([jsd(*pair) for pair in samples])
    panel.set_title(f"{title}\nJSD {jsd(ours, theirs):.4f} (floor {floor:.4f})", fontsize=9)
    panel.set_xlabel(unit)
    panel.set_xlim(bins.low, end)
    panel.set_xticks(np.arange(bins.low, end + 0.1, step))
    panel.set_ylim(0)


def _fractions(sample: Sample) -> Floats:
    fractions: Floats = sample.counts / sample.counts.sum()
    return fractions
