"""One look for all pictures: colours for every eye, units, a source line, a scale in km."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
from PIL import Image

matplotlib.use("svg")
import matplotlib.pyplot as plt

from pictures.city import ROOT

PAGE = ROOT / "docs" / "pictures"
WIDTH = 8.0
"""Inches at 100 points: as wide as a README."""
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, RED, PINK, GREY = "#0072B2", "#D55E00", "#CC79A7", "#8A8A8A"
"""Okabe and Ito's colours, told apart by all; and a grey for what is not the matter."""

plt.rcParams.update(
    {
        "font.size": 9.5,
        "axes.titlesize": 10.5,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
        "savefig.facecolor": "white",
        "svg.hashsalt": "humobctl",
    }
)


def figure(height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Any, Any]:
    """A picture of the README's width and its axes, an array of (rows, columns)."""
    size = (WIDTH, height)
    return plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False, **options)


def save(picture: Any, name: str, *, title: str, source: str) -> list[Path]:
    """Write docs/pictures/NAME.png and .svg, with a title above and the source below."""
    picture.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    picture.supxlabel(source, x=0.01, ha="left", fontsize=8, color="#555555")
    paths = [PAGE / f"{name}{ending}" for ending in (".png", ".svg")]
    picture.savefig(paths[0], dpi=150)
    Image.open(paths[0]).convert("RGB").quantize(256).save(paths[0], optimize=True)
    picture.savefig(paths[1], metadata={"Date": None}, dpi=100)
    plt.close(picture)
    return paths


def scale_bar(axes: Any, km: float, *, unit_km: float = 1.0) -> None:
    """A bar of so many km in the lower left corner of a map, whose axes are in ``unit_km``."""
    left, right = axes.get_xlim()
    low, high = axes.get_ylim()
    x, y = left + 0.05 * (right - left), low + 0.05 * (high - low)
    axes.plot([x, x + km / unit_km], [y, y], color=BLACK, linewidth=2.5, solid_capstyle="butt")
    axes.text(x, y + 0.015 * (high - low), f"{km:g} km", va="bottom", fontsize=8.5)


def as_map(axes: Any) -> None:
    """Axes of a map: as far in x as in y, without numbers, with a thin frame."""
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color("#BBBBBB")
