"""Settings of the day-level decoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class DayConfig:
    """Settings of the decoder; chosen on days before 60 of cities B and C.

    Attributes:
        weight: of GEO-BLEU against DTW, 0 (DTW only) to 1 (GEO-BLEU only).
        longest: longest n-gram of the expected GEO-BLEU.
        beta: decay of the proximity between the day and the samples, per cell.
        open_km, closed_km: kilometres of DTW that weigh like one GEO-BLEU at weight 0.5.
        proximity: alpha, weight of a row's own expected proximity.
        auction: rho, weight of the auction.
        distance: gamma, weight of a row's own expected distance, per km.
        agreement: exponent of a past day's agreement with p.
        past: heaviest past days kept for a target day.
        drawn: days drawn from p.
        drawn_share: their share of the weight.
        chained: days drawn record by record, see ``chain``.
        chained_share: their share of the weight.
        trust, leave, lift, near: weights of a chain: of p, of leaving the cell before, of the cells
            that come after it, of its distance.
        follow: odds by which a drawn day prefers the cell of the past day it follows.
        options: cells tried in a row, beside those of the rows before and after.
        sweeps: over the rows of a day, at most.
        tolerance: share of a sum of proximities that greedy matching may leave out.
        hope: see kernels/days.c; smaller is faster and finds a little less.
        auction_beta, auction_bag, auction_rounds, finalists: settings of the auction.
        recency: decay of a past day's weight, in days.
        other_weekday: factor for a past day of another day of the week.
        other_type: factor for a past working day on a day off, and the reverse.
        width: decay with the distance to the nearest record of a past day, in slots.
        seed: of the drawn days.
    """

    weight: float = 0.8
    longest: int = 3
    beta: float = 0.35
    open_km: float = 40.0
    closed_km: float = 80.0
    proximity: float = 0.35
    auction: float = 0.35
    distance: float = 0.1
    agreement: float = 1.0
    past: int = 8
    drawn: int = 8
    drawn_share: float = 0.3
    chained: int = 8
    chained_share: float = 0.3
    trust: float = 0.78
    leave: float = 0.6
    lift: float = 0.16
    near: float = 0.92
    follow: float = 0.4
    options: int = 5
    sweeps: int = 2
    tolerance: float = 0.1
    hope: float = 0.24
    auction_beta: float = 0.3
    auction_bag: float = 0.5
    auction_rounds: int = 3
    finalists: int = 12
    recency: float = 60.0
    other_weekday: float = 0.7
    other_type: float = 0.2
    width: float = 2.0
    seed: int = 0


DEFAULTS = DayConfig()
BLENDED = DayConfig(weight=0.82, open_km=40.0, closed_km=50.0, options=10, sweeps=5)
"""For a network's distributions mixed with the history baseline's.

They are flatter, which shortens DTW humob24 and lengthens DTW humob25; these settings give some of
the one back for the other, and for GEO-BLEU. Chosen on days 45-59 of cities B and C.
"""
THOROUGH: dict[str, Any] = {
    **dict.fromkeys(("past", "drawn", "chained"), 20),
    **{"proximity": 0.2, "auction": 0.2, "hope": 0.3},
}
"""Changes for ``--decode thorough``: more sample days, which need less to hold them to p."""
