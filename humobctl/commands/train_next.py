"""``humobctl train next``: learns to rank places for the next record of a session."""

from __future__ import annotations

from typing import Any

import humobctl as hm
from humobctl.commands.options import options_from
from humobctl.commands.seeds import TrainingSeeds, for_each_seed


@options_from(hm.train_next)
def next_(seeds: TrainingSeeds = None, **options: Any) -> None:
    """Train a model that ranks places for the next record of a session.

    The ranker learns from the last windows of the records in time, each predicted from what is
    before it. Its features are relative to the user (visits, hours, transitions, distances), so it
    also serves other users: 'predict --task next' gets their past by --history.

    Example: humobctl train next city.csv --rows 300 --epochs 1 --output next
    """
    for_each_seed(hm.train_next, options, seeds, of_files=False)
