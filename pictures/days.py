"""A user's true days beside those that two models predict, on the grid and by time of day."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from pictures.city import WORK, made, synthetic
from pictures.style import BLACK, BLUE, GREY, ORANGE, as_map, figure, save, scale_bar

CELL_KM = 0.5
FROM, FIRST, LAST = 60, 60, 66
"""The first day that is predicted; days shown, a week of the 15."""
NEAR_KM = 15


def draw() -> list[Path]:
    """Cells of a week: most frequent cell by slot, ranker, truth; and km from home by time."""
    files = synthetic(users=200, seed=1)
    challenge = made("challenge.csv.gz", "data mask", files["city"], "--from-day", "60")
    ranker = made("ranker", "train ranker challenge.csv.gz --rows 30000")
    mode = made("mode.csv.gz", "predict", challenge, "--model", "slot-mode", "--decode", "argmax")
    learnt = made("ranker.csv.gz", "predict", challenge, "--model", ranker)
    scores = [_by_user(path, files["city"]) for path in (mode, learnt)]
    truth = pl.read_parquet(files["city"])
    user = _usual(scores[1], truth)
    week = _week(truth, user)
    shown = {
        f"most frequent cell by slot\nGEO-BLEU {scores[0][user]:.2f}": (
            _week(_read(mode), user),
            ORANGE,
        ),
        f"ranker\nGEO-BLEU {scores[1][user]:.2f}": (_week(_read(learnt), user), BLUE),
        "truth\n": (week, BLACK),
    }
    past = truth.filter((pl.col("uid") == user) & (pl.col("d") < FROM))
    picture, axes = figure(5.6, 2, 3, height_ratios=(3, 1.5))
    _maps(axes[0], shown, past)
    grid = axes[1, 0].get_gridspec()
    for panel in axes[1]:
        panel.remove()
    _by_time(picture.add_subplot(grid[1, :]), shown, past)
    return save(
        picture,
        "days",
        title=f"A week that two models predict (user {user}, days {FIRST}-{LAST})",
        source="Synthetic city of 200 users; of those whose week lies within"
        f" {NEAR_KM} km, the one of the ranker's median GEO-BLEU (humob24,\ndays 60-74). The larger"
        f" a square, the more of the {week.height} half hours; grey: cells visited on days 0-59."
        " Source: python -m pictures days.",
    )


def _read(path: Path) -> pl.DataFrame:
    return pl.read_csv(path)


def _week(table: pl.DataFrame, user: int) -> pl.DataFrame:
    days = pl.col("d").is_between(FIRST, LAST)
    return table.filter((pl.col("uid") == user) & days).sort("d", "t")


def _by_user(path: Path, truth: Path) -> dict[int, float]:
    """GEO-BLEU (humob24) of each user."""
    line = [sys.executable, "-m", "humobctl", "eval", path, "--truth", truth, "--per-user"]
    done = subprocess.run(
        [*map(str, line), "--metric", "geobleu", "--format", "json"],
        capture_output=True,
        check=True,
        cwd=WORK,
    )
    return {row["uid"]: row["geobleu_humob24"] for row in json.loads(done.stdout)["per_user"]}


def _usual(scores: dict[int, float], truth: pl.DataFrame) -> int:
    """The user of the median score, of those whose week fits onto a map of ``NEAR_KM``."""
    week = truth.filter(pl.col("d").is_between(FIRST, LAST))
    reach = pl.max_horizontal(*(pl.col(axis).max() - pl.col(axis).min() for axis in "xy"))
    near = week.group_by("uid").agg(reach=reach).filter(pl.col("reach") <= NEAR_KM / CELL_KM)
    users = sorted(near["uid"], key=lambda uid: (scores[uid], uid))
    return int(users[len(users) // 2])


def _maps(panels: Any, shown: dict[str, tuple[pl.DataFrame, str]], past: pl.DataFrame) -> None:
    """Cells of each table; the larger a square, the more half hours."""
    tables = [table for table, _ in shown.values()]
    both = pl.concat([table.select(pl.col("x", "y").cast(pl.Int64)) for table in tables])
    middle = [(both[axis].min() + both[axis].max()) / 2 for axis in "xy"]
    reach = max(both[axis].max() - both[axis].min() for axis in "xy") / 2 + 4
    for panel, (name, (table, colour)) in zip(panels, shown.items(), strict=True):
        cells = past.group_by("x", "y", maintain_order=True).len()
        panel.scatter(cells["x"], cells["y"], s=20, marker="s", color="#DDDDDD", linewidths=0)
        for _, day in table.group_by("d", maintain_order=True):
            panel.plot(day["x"], day["y"], color=colour, linewidth=0.7, alpha=0.5)
        cells = table.group_by("x", "y", maintain_order=True).len()
        size = 12 + 4 * cells["len"].to_numpy()
        panel.scatter(cells["x"], cells["y"], s=size, marker="s", color=colour, alpha=0.65)
        panel.set_xlim(middle[0] - reach, middle[0] + reach)
        panel.set_ylim(middle[1] - reach, middle[1] + reach)
        panel.set_title(name)
        as_map(panel)
        scale_bar(panel, 2, unit_km=CELL_KM)


def _by_time(panel: Any, shown: dict[str, tuple[pl.DataFrame, str]], past: pl.DataFrame) -> None:
    """Distance from home over the week; home is the most frequent cell by night."""
    night = past.filter((pl.col("t") < 12) | (pl.col("t") > 43))
    home = night.group_by("x", "y", maintain_order=True).len().sort("len", "x", "y").row(-1)
    marks = ({"s": 42, "marker": "s", "alpha": 0.6}, {"s": 14}, {"s": 30, "facecolors": "none"})
    for mark, (name, (table, colour)) in zip(marks, shown.items(), strict=True):
        at = table["d"] + table["t"] / 48
        away = CELL_KM * np.hypot(table["x"] - home[0], table["y"] - home[1])
        paint = (
            {"edgecolors": colour} if "facecolors" in mark else {"color": colour, "linewidths": 0}
        )
        panel.scatter(at, away, label=name.partition("\n")[0], **mark, **paint)
    for day in range(FIRST, LAST + 2):
        panel.axvline(day, color=GREY, linewidth=0.4)
    panel.set_xticks(
        [day + 0.5 for day in range(FIRST, LAST + 1)],
        [f"day {day}" for day in range(FIRST, LAST + 1)],
    )
    panel.set_xlim(FIRST, LAST + 1)
    panel.set_ylabel("km from home")
    panel.legend(loc="upper right", ncols=3, bbox_to_anchor=(1, 1.25))
