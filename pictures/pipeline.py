"""Which command makes which table of which."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from pictures.style import BLUE, GREEN, ORANGE, PINK, SKY, figure, save

GIVEN, MADE = "#DDDDDD", "#FFFFFF"
WIDE, HIGH = 0.068, 0.055
TABLES = {
    "files of\nothers": (0.07, 0.66, GIVEN),
    "profiles": (0.07, 0.27, GIVEN),
    "areas": (0.07, 0.10, GIVEN),
    "trajectories\nuid, d, t, x, y": (0.34, 0.85, SKY),
    "GPS points": (0.34, 0.67, SKY),
    "places": (0.34, 0.49, GREEN),
    "day plans": (0.34, 0.27, ORANGE),
    "user\nembeddings": (0.66, 0.87, PINK),
    "predicted\ncells": (0.66, 0.66, SKY),
    "visits": (0.66, 0.40, ORANGE),
    "flows": (0.66, 0.10, "#F0E442"),
    "map in the\nbrowser": (0.93, 0.87, MADE),
    "scores": (0.93, 0.38, MADE),
}
"""Tables: middle and colour."""
TALL = {"scores": 0.34}
"""Half of the height of a box, where it is not ``HIGH``."""
COMMANDS = [
    ("files of\nothers", "trajectories\nuid, d, t, x, y", "data import"),
    ("files of\nothers", "GPS points", "data import"),
    ("files of\nothers", "places", "data import"),
    ("GPS points", "visits", "data stays"),
    ("trajectories\nuid, d, t, x, y", "user\nembeddings", "train embedder\nembed"),
    ("trajectories\nuid, d, t, x, y", "predicted\ncells", "train ranker\npredict"),
    ("profiles", "day plans", "intend"),
    ("places", "visits", ""),
    ("day plans", "visits", ""),
    ("areas", "flows", "generate flows"),
    ("user\nembeddings", "map in the\nbrowser", "explore"),
    ("user\nembeddings", "scores", "eval embedding"),
    ("predicted\ncells", "scores", "eval"),
    ("visits", "scores", "eval"),
    ("flows", "scores", "eval"),
]
"""From a table to a table by a command."""


def draw() -> list[Path]:
    """Boxes are tables, arrows are commands."""
    picture, axes = figure(4.6)
    panel = axes[0, 0]
    panel.set_axis_off()
    panel.set_xlim(0, 1)
    panel.set_ylim(0.02, 0.95)
    for source, target, name in COMMANDS:
        _arrow(panel, source, target, name)
    _say(panel, 0.474, 0.385, "generate gravity\ngenerate diffusion")
    for name, (x, y, colour) in TABLES.items():
        half = TALL.get(name, HIGH)
        box = FancyBboxPatch(
            (x - WIDE, y - half),
            2 * WIDE,
            2 * half,
            boxstyle="round,pad=0,rounding_size=0.015",
            facecolor=colour,
            edgecolor="#444444",
            zorder=3,
        )
        panel.add_patch(box)
        panel.text(x, y, name, ha="center", va="center", fontsize=9.5, zorder=4)
    return save(
        picture,
        "pipeline",
        title="Boxes are tables, arrows are commands",
        source="data synth makes trajectories, places and profiles of a synthetic city; view and"
        " data describe take any table.\nEvery arrow may be a file or a pipe."
        " Source: python -m pictures pipeline.",
    )


def _arrow(panel: Any, source: str, target: str, name: str) -> None:
    """From the right side of a box to the left one of another, level where that is tall."""
    (x0, y0, _), (x1, y1, _) = TABLES[source], TABLES[target]
    if target in TALL:
        y1 = min(max(y0, y1 - TALL[target]), y1 + TALL[target] - 0.03)
    start, end = (x0 + WIDE, y0), (x1 - WIDE, y1)
    panel.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=12,
            color="#444444",
            shrinkA=0,
            shrinkB=0,
        )
    )
    if name:
        _say(panel, (start[0] + end[0]) / 2, (start[1] + end[1]) / 2, name)


def _say(panel: Any, x: float, y: float, name: str) -> None:
    """The name of a command upon an arrow."""
    under = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    kind = {"color": BLUE, "fontfamily": "monospace", "fontsize": 9}
    panel.text(x, y, name, ha="center", va="center", bbox=under, **kind)
