"""``humobctl train ranker``: learns to rank people's own cells."""

from __future__ import annotations

from typing import Any

import humobctl as hm
from humobctl.commands.options import options_from


@options_from(hm.train_ranker)
def ranker(**options: Any) -> None:
    """Train a ranker of the cells each user has visited (fast, on a CPU).

    The ranker predicts windows of 15 days from the days before them, as in the challenge. Features
    are relative to the user, so one model also serves other cities: give several files to train on
    several cities. Masked rows are left out.

    Example: humobctl train ranker challenge.csv --rows 2000 --output ranker

    Example: humobctl train ranker city.csv --to-day 59 --rows 2000 --output ranker --overwrite
    """
    hm.train_ranker(**options)
