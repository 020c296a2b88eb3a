"""``humobctl train diffusion``: days as series of points, by diffusion or flow matching."""

from __future__ import annotations

from typing import Any

import humobctl as hm
from humobctl.commands.options import options_from
from humobctl.commands.seeds import TrainingSeeds, for_each_seed
from humobctl.generate.diffusion.config import PRESETS


@options_from(
    hm.train_diffusion,
    presets=PRESETS,
    required=("table",),
    names={"learning_rate": "--lr"},
)
def diffusion(seeds: TrainingSeeds = None, **options: Any) -> None:
    """Train a diffusion or flow matching model of daily trajectories.

    The model learns 144 steps of ten minutes per day: where people are, given their intent at each
    step (column intent), the category of the place (column category), or home, work and other,
    which are inferred. With --condition none it also learns the schedule of the stays. Some users
    are used for validation only: scores are against them, and at the end the distance of sampled
    days to training days is reported beside theirs. Several processes train together under
    torchrun. An unfinished training is kept in OUTPUT.training; --resume continues it.

    Example: humobctl train diffusion stays.csv --preset tiny --output days

    Example: humobctl train diffusion stays.csv --preset tiny --condition none --output free

    Example: humobctl train diffusion stays.csv --denoiser queryonce --dry-run
    """
    for_each_seed(hm.train_diffusion, options, seeds, of_files=False)
