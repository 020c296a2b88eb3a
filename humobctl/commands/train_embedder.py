"""``humobctl train embedder``: one vector a user, from places and times."""

from __future__ import annotations

from typing import Any

import humobctl as hm
from humobctl.commands.options import options_from
from humobctl.commands.seeds import TrainingSeeds, for_each_seed
from humobctl.embed.config import PRESETS


@options_from(
    hm.train_embedder,
    presets=PRESETS,
    names={"learning_rate": "--lr"},
)
def embedder(seeds: TrainingSeeds = None, **options: Any) -> None:
    """Train an embedder of users: 512-dimensional vectors of where and when they are.

    Attention over a user's places and times, transformer blocks and a bidirectional LSTM give one
    vector. It is trained to reconstruct records, to predict the next cells, and to tell two
    spans of a user from those of others. Users that are not trained on (--train-below,
    --train-fraction) are kept for 'eval embedding'. Several processes train together under
    torchrun. An unfinished training is kept in OUTPUT.training; --resume continues it.

    Example: humobctl train embedder city.csv --preset tiny --steps 5 --output users

    Example: humobctl train embedder city.csv --train-below 10 --dry-run
    """
    for_each_seed(hm.train_embedder, options, seeds, of_files=False)
