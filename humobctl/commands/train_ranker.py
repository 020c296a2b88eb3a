"""``humobctl train ranker``: learns to rank people's own cells."""

from __future__ import annotations

from typing import Any

import humobctl as hm
from humobctl.commands.options import options_from


@options_from(hm.train_ranker)
def ranker(**options: Any) -> None:
    """Train a model that ranks each person's own cells for each slot to predict.

    It learns across users from their own past: windows of 15 days are predicted from the days
    before them, as in use. Features are relative to the user, so that one model serves other
    cities too: give several files to learn from several. Masked rows are left out.

    Example: humobctl train ranker challenge.csv --rows 2000 --output ranker

    Example: humobctl train ranker city.csv --to-day 59 --rows 2000 --output ranker --overwrite
    """
    hm.train_ranker(**options)
