"""``humobctl train next-gru``: a recurrent network of next places."""

from __future__ import annotations

from typing import Any

import humobctl as hm
from humobctl.commands.options import options_from
from humobctl.commands.seeds import TrainingSeeds, for_each_seed
from humobctl.predict.next_gru.config import PRESETS


@options_from(
    hm.train_next_gru,
    presets=PRESETS,
    names={"learning_rate": "--lr"},
)
def next_gru(seeds: TrainingSeeds = None, **options: Any) -> None:
    """Train a recurrent network (GRU) that ranks places for the next record of a session.

    A GRU reads the user's last records (place, hour of the week, time), and its state is compared
    with embeddings of the candidates; beside it, a small network scores the ranker's features of
    each candidate, which copies from the user's past. The last window of the records in time is
    used for validation only. An unfinished training is kept in OUTPUT.training; --resume continues
    it.

    Example: humobctl train next-gru city.csv --preset tiny --max-steps 5 --output gru

    Example: humobctl train next-gru city.csv --dry-run
    """
    for_each_seed(hm.train_next_gru, options, seeds, of_files=False)
