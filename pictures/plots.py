"""What ``--plot`` and ``view --export`` draw: pictures by the commands, of a synthetic city."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PIL import Image

from pictures.city import WORK, command, made, synthetic
from pictures.style import PAGE


def _predictions() -> Path:
    """Writes ranker.csv and slot_mode.csv; the truth."""
    files = synthetic(users=200, seed=1)
    challenge = made("challenge.csv.gz", "data mask", files["city"], "--from-day", "60")
    ranker = made("ranker", "train ranker challenge.csv.gz --rows 30000")
    made("slot_mode.csv", "predict", challenge, "--model", "slot-mode", "--decode", "argmax")
    made("ranker.csv", "predict", challenge, "--model", ranker)
    return files["city"]


def _cells() -> str:
    return f"eval slot_mode.csv ranker.csv --truth {_predictions()} --output scores.csv --plot"


def _week() -> str:
    return f"view ranker.csv --truth {_predictions()} --user 7 --days 60-66 --export"


def _people() -> str:
    files = synthetic(users=3000, seed=1)
    plans = made("people_plans.csv", "intend", files["profiles"])
    more = ("--places", files["places"], "--people", files["profiles"])
    made("people.csv", "generate gravity", plans, *more)
    return "view people.csv --colour-by intent --export"


def _generated() -> str:
    """Two populations against a third that has other plans."""
    files = synthetic(users=200, seed=1)
    for name, seed, law in (
        ("real", 1, "gravity"),
        ("same_law", 2, "gravity"),
        ("random", 3, "random"),
    ):
        plans = made(f"plans{seed}.csv", "intend", files["profiles"], "--seed", str(seed))
        line = f"generate gravity --law {law} --seed {seed}"
        made(f"{name}.csv", line, plans, "--places", files["places"])
    options = "--privacy --flows 2 --output scores.csv --plot"
    return f"eval same_law.csv random.csv --truth real.csv {options}"


def _places() -> str:
    return f"data describe {synthetic(users=200, seed=1)['places']} --format table --plot"


PLOTS = {
    "describe_places": _places,
    "eval_cells": _cells,
    "eval_generated": _generated,
    "people": _people,
    "week": _week,
}
"""Name of the picture -> what prepares it and says the line that draws it."""
WIDTH = 820
"""Pixels."""


def _draw(name: str) -> list[Path]:
    target = PAGE / f"{name}.png"
    command(PLOTS[name](), f"{name}.png")
    with Image.open(WORK / f"{name}.png") as picture:
        size = WIDTH, round(picture.height * WIDTH / picture.width)
        small = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    # By octree: median cuts take the rare colours of a legend for others.
    small = small.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    small.save(target, optimize=True)
    return [target]


def draws() -> dict[str, Callable[[], list[Path]]]:
    """What draws each picture."""
    return {name: lambda name=name: _draw(name) for name in PLOTS}  # type: ignore[misc]
