"""``humobctl eval embedding``: what vectors of users are good for, beside baselines."""

from __future__ import annotations

from typing import Any

import humobctl as hm
from humobctl.commands.options import options_from
from humobctl.commands.write_scores import ScoreFormat, ScoreOutput, write_scores


@options_from(hm.evaluate_embedding, before="on_error")
def embedding(output: ScoreOutput = None, format: ScoreFormat = None, **options: Any) -> None:
    """Evaluate user embeddings: re-identification and linear probes.

    Re-identification splits each user's days into two halves, alternating days (alternate) or
    earlier and later days (chronological), and asks whether one half finds the other among all
    users of the city by cosine similarity: top-1, top-10 and mean reciprocal rank, averaged over
    both directions.

    Probes are ridge regressions for the least distance, trained on 80 % of the users and tested on
    the others: median distance to the home cell, to the work cell, and to the centre of the user's
    last day, predicted from the days before.

    Every model is compared with baselines. Four are points computed from a user's records, without
    a probe: the mean, the median and the most visited cell, and the median day (the mean of each
    day, then the median of these). Three are vectors: tf-idf weights of the cells, reduced to 128
    dimensions by SVD; such weights of pairs of slot and cell, reduced the same way; and the
    histogram of slots. Users that a model was trained or
    validated on are left out. Of several cities each is scored, too: a city of the training or
    another one. Distances have 95 % intervals by a bootstrap over users.

    Example: humobctl eval embedding city.csv --model embedder --metric reid_top1 --format table

    Example: humobctl eval embedding city.csv --metric home_km
    """
    write_scores(hm.evaluate_embedding(**options), output, format)
