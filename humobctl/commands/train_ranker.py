"""``humobctl train ranker``: learns to rank people's own cells."""

from __future__ import annotations

from typing import Any

import humobctl as hm
from humobctl.commands.options import options_from
from humobctl.commands.seeds import TrainingSeeds, for_each_seed


@options_from(hm.train_ranker)
def ranker(seeds: TrainingSeeds = None, **options: Any) -> None:
    """Train a ranker of the cells each user has visited (fast, on a CPU).

    The ranker predicts windows of 15 days from the days before them, as in the challenge. Features
    are relative to the user, so one model also serves other cities: give several files to train on
    several cities. Masked rows are left out.

    Example: humobctl train ranker challenge.csv --rows 2000 --output ranker

    Example: humobctl train ranker city.csv --to-day 59 --rows 2000 --output ranker --overwrite
    """
    for_each_seed(hm.train_ranker, options, seeds, of_files=False)
