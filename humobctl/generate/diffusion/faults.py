"""What sampled days do that real ones do not: moves nowhere, no short moves, too many visits."""

from __future__ import annotations

import numpy as np
from scipy.spatial import KDTree

from humobctl.console import report
from humobctl.generate.diffusion.counts import MOST_OFF
from humobctl.generate.diffusion.data import Known
from humobctl.generate.diffusion.decode import real_stays
from humobctl.native import Floats
from humobctl.tables.stays import Stays

SHORT_KM = 0.6
_MOST_ITSELF, _LEAST_SHORT = 0.01, 0.5
"""Fraction of moves to the same place beyond that of real days; of real days' short moves."""


def find_faults(sampled: Stays, others: Stays, learnt: Known) -> dict[str, float]:
    """Fractions of moves, and visits a day, of sampled days and (``_real``) of others.

    Both are put at the nearest places of real days, as ``generate`` puts visits at places.

    Args:
        sampled: days that the network drew.
        others: real days of people who were not trained on.
        learnt: the training days.

    Returns:
        ``to_itself``: moves from a place to the same place; ``short``: moves of less than
        ``SHORT_KM``, but not to the same place; ``visits_a_day``.
    """
    real = real_stays(learnt)
    places = np.unique(np.concatenate([_points(others), _points(real)]), axis=0)
    tree = KDTree(places)
    found = {}
    for suffix, stays in (("", sampled), ("_real", others)):
        place = tree.query(_points(stays))[1]
        moves = (np.diff(stays.uid) == 0) & (np.diff(stays.day) == 0)
        apart = np.hypot(*np.diff(places[place], axis=0).T)[moves] / 1000
        count = max(1, len(apart))
        found[f"to_itself{suffix}"] = float((apart == 0).sum() / count)
        found[f"short{suffix}"] = float(((apart > 0) & (apart < SHORT_KM)).sum() / count)
        found[f"visits_a_day{suffix}"] = len(stays) / max(1, stays.people())
    return found


def warn_of_faults(found: dict[str, float]) -> None:
    """Warn of each fault that the days of a model have."""
    itself, short, visits = (found[name] for name in ("to_itself", "short", "visits_a_day"))
    if itself - found["to_itself_real"] > _MOST_ITSELF:
        report.warn(
            f"{itself:.1%} of the moves of sampled days go from a place to itself (real days "
            f"{found['to_itself_real']:.1%}): points, and places by --decode nearest, will"
        )
    if short < _LEAST_SHORT * found["short_real"]:
        report.warn(
            f"{short:.1%} of the moves of sampled days are shorter than {SHORT_KM:g} km (real days "
            f"{found['short_real']:.1%}): points, and places by --decode nearest, will lack them"
        )
    usual = found["visits_a_day_real"]
    if not 1 / MOST_OFF <= visits / usual <= MOST_OFF:
        report.warn(
            f"sampled days have {visits:.1f} visits, real days {usual:.1f}: the model has not "
            "learnt its days; train it for more steps, or with --preset small"
        )


def _points(stays: Stays) -> Floats:
    return np.rint(np.column_stack([stays.east, stays.north]))
