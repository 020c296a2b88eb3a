"""``humobctl train diffusion``: days as series of points, by diffusion or flow matching."""

from __future__ import annotations

from typing import Any

import humobctl as hm
from humobctl.commands.options import options_from
from humobctl.generate.diffusion.config import PRESETS


@options_from(
    hm.train_diffusion,
    presets=PRESETS,
    required=("table",),
    names={"learning_rate": "--lr"},
)
def diffusion(**options: Any) -> None:
    """Train a diffusion or flow matching model of days: 144 steps of ten minutes.

    Learns where people are, given what they intend at each step (the column intent), or the
    category of the place (the column category), or else home, work and other, which are inferred.
    With --condition none it learns the times of the stays, too. Some people only validate: scores
    are said against them, and at the end how near sampled days come to training days, beside
    theirs. Several processes train together under torchrun. An unfinished training lies in
    DIR.training; --resume goes on with it.

    Example: humobctl train diffusion stays.csv --preset tiny --output days

    Example: humobctl train diffusion stays.csv --preset tiny --condition none --output free

    Example: humobctl train diffusion stays.csv --denoiser queryonce --dry-run --output none
    """
    hm.train_diffusion(**options)
