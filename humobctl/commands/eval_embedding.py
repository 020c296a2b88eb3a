"""``humobctl eval embedding``: what vectors of users are good for, beside baselines."""

from __future__ import annotations

from typing import Any

import humobctl as hm
from humobctl.commands.options import options_from
from humobctl.commands.write_scores import ScoreFormat, ScoreOutput, write_scores


@options_from(hm.evaluate_embedding, before="on_error")
def embedding(output: ScoreOutput = None, format: ScoreFormat = None, **options: Any) -> None:
    """Score embedders: finding people again, and what their vectors tell.

    Re-identification cuts each user's days into two halves, by turns (alternate) and into the
    earlier and the later ones (chronological), and looks for each half's other half among those
    of all users of the city by cosine: top-1, top-10 and mean reciprocal rank, both ways round.

    Probes are ridge regressions, fitted on four fifths of the users and asked about the others:
    the median distance to the home cell, to the work cell, and to the middle of the user's last
    day from the days before.

    Beside every model stand bags of cells by tf-idf and SVD (128 axes, of whole users), and
    histograms of slots. Users that a model was trained or validated on are left out.

    Example: humobctl eval embedding city.csv --model embedder --metric reid_top1 --format table

    Example: humobctl eval embedding city.csv --metric home_km
    """
    write_scores(hm.evaluate_embedding(**options), output, format)
