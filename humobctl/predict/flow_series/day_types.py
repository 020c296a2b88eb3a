"""Types of days (weekdays, holidays, days of homecoming) and how flows differ by them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from humobctl.native import Bools, Floats, Int64s
from humobctl.predict.flow_series.base import Dates, SeriesDays
from humobctl.tables.holidays import is_holiday, is_homecoming

HOLIDAY, HOMECOMING = 7, 8
TYPES = 9
"""Monday to Sunday, holidays on other days than Sundays, and homecoming: Obon and New Year."""
LEVEL_DAYS = 14
"""Days on either side over which the level of a day is taken."""


def types_of(dates: Dates, off: Bools | None = None) -> Int64s:
    """The type of each date.

    Args:
        dates: the days (datetime64[D]).
        off: days off by a calendar of one's own; None for the holidays of Japan with Obon (13 to 16
            August) and New Year (29 December to 3 January).
    """
    days = [day.item() for day in dates]
    weekday = np.array([day.weekday() for day in days], dtype=np.int64)
    if off is not None:
        return np.where(off & (weekday < 5), HOLIDAY, weekday)
    holiday = np.array([is_holiday(day) for day in days])
    types = np.where(holiday & (weekday < 6), HOLIDAY, weekday)
    return np.where([is_homecoming(day) for day in days], HOMECOMING, types)


@dataclass(frozen=True)
class TypeFactors:
    """How many times its level a flow is on days of each type.

    Attributes:
        pooled: (types, 1), of all series together.
        own: (types, series), shrunk towards the pooled ones.
    """

    pooled: Floats
    own: Floats


def estimate_factors(days: SeriesDays, flows: Floats) -> TypeFactors:
    """Factors of series by type of day, by empirical Bayes.

    The ratio of a series to its level, summed by type, is a mean of n days with the sampling
    variance v; ratios of series differ by the variance tau^2 beyond it (method of moments), and a
    ratio is shrunk to the pooled one by tau^2 / (tau^2 + v).
    """
    level = level_weights(days) @ flows
    known, types = days.known, days.types[days.known]
    flows, level = flows[known].astype(float), level[known].astype(float)
    pooled = np.ones((TYPES, 1))
    own = np.ones((TYPES, flows.shape[1]))
    for kind in range(TYPES):
        here = types == kind
        base = level[here].sum(axis=0)
        if not base.sum() > 0:
            continue
        pooled[kind] = flows[here].sum() / base.sum()
        own[kind] = _shrink(flows[here], level[here], float(pooled[kind, 0]))
    return TypeFactors(np.maximum(pooled, 0.05), np.maximum(own, 0.05))


def _shrink(flows: Floats, level: Floats, pooled: float) -> Floats:
    """Ratios of series on days of one type, shrunk."""
    base = level.sum(axis=0)
    there = base > 0
    result = np.full(len(base), pooled)
    days = len(flows)
    if days < 2 or there.sum() < 2:
        return result
    base, flows, level = base[there], flows[:, there], level[:, there]
    ratio = flows.sum(axis=0) / base
    spread = ((flows - ratio * level) ** 2).sum(axis=0) * days / (days - 1)
    variance = np.maximum(spread, (flows.sum(axis=0) + 1) * 1e-3) / base**2
    weight = 1 / variance
    between = (weight * ((ratio - pooled) ** 2 - variance)).sum() / weight.sum()
    between = max(float(between), 0.0)
    result[there] = pooled + (ratio - pooled) * between / (between + variance)
    return result


def level_weights(days: SeriesDays) -> Floats:
    """Weights (days, days) of the level of each day: means of weekday means of given days near it.

    A mean over whole weeks would do if no day were missing; so each weekday counts once.
    """
    size = len(days.dates)
    weights = np.zeros((size, size))
    plain = days.given & (days.types < HOLIDAY)
    if not plain.any():
        plain = days.given
    for day in range(size):
        near = np.zeros(size, dtype=bool)
        near[max(day - LEVEL_DAYS, 0) : day + LEVEL_DAYS + 1] = True
        at = np.flatnonzero(near & plain)
        if not len(at):
            at = np.concatenate(neighbours_of(plain, day))
        counts = np.bincount(at % 7, minlength=7)[at % 7]
        weights[day, at] = 1 / counts
        weights[day] /= weights[day].sum()
    return weights


def neighbours_of(plain: Bools, day: int) -> list[Int64s]:
    """Up to a week of days on either side."""
    at = np.flatnonzero(plain)
    cut = int(np.searchsorted(at, day))
    return [at[max(cut - 7, 0) : cut], at[cut : cut + 7]]
