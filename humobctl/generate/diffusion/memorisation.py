"""Whether sampled days are copies of the days that were learnt from."""

from __future__ import annotations

import numpy as np

from humobctl.evaluate.generated.privacy import MOST_REAL, nearest, person_days
from humobctl.generate.diffusion.data import Known
from humobctl.generate.diffusion.decode import real_stays
from humobctl.tables.stays import Stays

LOW_SHARE = 0.05
COPY_KM = 0.001
"""A day whose positions are a metre from another's is a copy of it."""


def nearness(sampled: Stays, others: Stays, learnt: Known) -> dict[str, float]:
    """Distance of days from the nearest training day, compared with days of users not trained on.

    Distances are those of ``metrics.privacy``: root mean squares over the half hours of a day.

    Args:
        sampled: days that the network drew.
        others: real days of people who were not trained on.
        learnt: the training days, of which the first MOST_REAL are looked at.

    Returns:
        In km the 5th percentile (``nearest_p5``) and the median (``nearest_median``) of sampled
        days and, with ``_real``, of the others' days; ``copies``: fraction of days within a metre.
    """
    if len(learnt.layout) > MOST_REAL:
        learnt = learnt.take(np.arange(len(learnt.layout)) < MOST_REAL)
    reference = person_days(real_stays(learnt)).position
    found = {}
    for suffix, stays in (("", sampled), ("_real", others)):
        km = nearest(person_days(stays).position, reference)[1][:, 0]
        found[f"nearest_p5{suffix}"] = float(np.quantile(km, LOW_SHARE))
        found[f"nearest_median{suffix}"] = float(np.median(km))
        found[f"copies{suffix}"] = float((km < COPY_KM).mean())
    return found


def in_words(near: dict[str, float]) -> str:
    """Distances of people."""
    return (
        f"distance to the nearest training day: sampled days P5 {near['nearest_p5']:.2f} km, "
        f"median {near['nearest_median']:.2f} km, {near['copies']:.1%} copies; "
        f"days of users not trained on P5 {near['nearest_p5_real']:.2f} km, "
        f"median {near['nearest_median_real']:.2f} km, {near['copies_real']:.1%} copies"
    )
