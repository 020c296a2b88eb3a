"""``humobctl train embedder``: one vector a user, from places and times."""

from __future__ import annotations

from typing import Any

import humobctl as hm
from humobctl.commands.options import options_from
from humobctl.embed.config import PRESETS


@options_from(
    hm.train_embedder,
    presets=PRESETS,
    names={"learning_rate": "--lr"},
)
def embedder(**options: Any) -> None:
    """Train an embedder: 512 numbers that say where and when a user is.

    Places and times of a user's rows attend to each other, go through transformer blocks and an
    LSTM both ways, and become one vector. It is learnt by rebuilding rows from it, by predicting
    the next cells, and by telling two spans of a user from those of others. Users that are not
    seen (--train-below, --train-fraction) stay for 'eval embedding'. Several processes train together
    under torchrun. An unfinished training lies in DIR.training; --resume goes on with it.

    Example: humobctl train embedder city.csv --preset tiny --steps 5 --output users

    Example: humobctl train embedder city.csv --train-below 10 --dry-run --output none
    """
    hm.train_embedder(**options)
