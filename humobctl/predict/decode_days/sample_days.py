"""Days that a day to predict may turn out to be: past days, and days drawn from a model.

Shapes:  r rows to fill, k candidate cells, D target days, J sample days, n known rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from humobctl.native import Floats, Int64s
from humobctl.predict.base import UserHistory
from humobctl.predict.city_profile import CityProfile
from humobctl.predict.decode_days.chain import draw_chains
from humobctl.predict.decode_days.config import DayConfig
from humobctl.tables.schemas import SLOTS_PER_DAY

_ODDS_FLOOR = 1e-3  # of a cell that p holds impossible, where a past day shows it


@dataclass(frozen=True)
class DaySamples:
    """Days that the target days may turn out to be.

    Attributes:
        cell: index of the candidate where sample j puts row i, shape (J, r).
        weight: how well sample j stands for target day a, each row sums to 1, shape (D, J).
    """

    cell: Int64s
    weight: Floats


def lay_over(d: Int64s, t: Int64s, index: Int64s, target_t: Int64s) -> Int64s:
    """Each known day laid over the rows to fill: the cell of its nearest row in time.

    Args:
        d: day of each known row, sorted, shape (n,); n is at least 1.
        t: its slot, ascending within a day, shape (n,).
        index: the cell of each, shape (n,).
        target_t: slots to fill, shape (r,).

    Returns:
        Cells, shape (J, r), J the number of known days. Of two rows equally near, the earlier.
    """
    fresh = np.concatenate([[True], d[1:] != d[:-1]])
    key = (np.cumsum(fresh) - 1) * 256 + t
    wanted = np.arange(int(fresh.sum()))[:, None] * 256 + np.arange(SLOTS_PER_DAY)[None, :]
    after = np.searchsorted(key, wanted)
    before = np.maximum(after - 1, 0)
    after = np.minimum(after, len(key) - 1)
    earlier = np.abs(key[before] - wanted) <= np.abs(key[after] - wanted)
    cells: Int64s = index[np.where(earlier, before, after)][:, target_t]
    return cells


def agreeing(past: DaySamples, close: Floats, starts: Int64s, power: float) -> DaySamples:
    """Past days weighted anew by the geometric mean over a day's rows of p around their cells.

    Args:
        past: sample days.
        close: expected proximity of each cell in each row, shape (r, k).
        starts: offsets of the target days, shape (D + 1,).
        power: exponent of the geometric mean; 0 changes nothing.
    """
    around = close[np.arange(len(close))[None, :], past.cell]
    logs = np.add.reduceat(np.log(around + _ODDS_FLOOR), starts[:-1], axis=1)
    with np.errstate(divide="ignore"):
        score = np.log(past.weight) + power * (logs / np.diff(starts)).T
    weight = np.exp(score - score.max(axis=1, keepdims=True))
    return DaySamples(past.cell, weight / weight.sum(axis=1, keepdims=True))


def heaviest(past: DaySamples, most: int) -> DaySamples:
    """The samples with the weights of all but the ``most`` heaviest samples of a day set to 0."""
    if past.weight.shape[1] <= most:
        return past
    cut = -np.partition(-past.weight, most - 1, axis=1)[:, most - 1 : most]
    kept = np.where(past.weight >= cut, past.weight, 0.0)
    return DaySamples(past.cell, kept / kept.sum(axis=1, keepdims=True))


def draw(past: DaySamples, p: Floats, day: Int64s, count: int, follow: float, seed: int) -> Int64s:
    """Days drawn from p, each after a past day, which ties its rows together.

    A past day is drawn by weight. A row takes the past day's cell c with the odds
    ``follow`` * p(c) : 1 - p(c), and else a cell drawn from p.

    Args:
        past: sample days to follow.
        p: distribution of each row, shape (r, k).
        day: number of each row's target day, shape (r,).
        count: number of days to draw.
        follow: preference for the past day's cell.
        seed: of the draws.

    Returns:
        Cells, shape (count, r).
    """
    random, rows = np.random.default_rng(seed), np.arange(len(p))
    share = np.cumsum(past.weight, axis=1)
    marks = (np.arange(count) + random.random((len(share), count))) / count
    leader = np.minimum((marks[:, :, None] > share[:, None, :]).sum(2), share.shape[1] - 1)
    led = past.cell[leader.T[:, day], rows[None, :]]
    odds = follow * p[rows[None, :], led]
    keep = random.random(led.shape) * (odds + 1.0 - odds / follow) < odds
    within = np.minimum(np.cumsum(p, axis=1), 1.0) + rows[:, None]
    marks = random.random(led.shape) + rows[None, :]
    free = np.searchsorted(within.ravel(), marks) - rows[None, :] * p.shape[1]
    cells: Int64s = np.where(keep, led, np.minimum(free, p.shape[1] - 1))
    return cells


def mix_samples(
    past: DaySamples,
    p: Floats,
    day: Int64s,
    starts: Int64s,
    tables: tuple[Floats, Floats, Floats],
    config: DayConfig,
) -> DaySamples:
    """The samples that the day is scored against: past days, days drawn from p, and chains.

    Args:
        past: the user's past days.
        p: distribution of each row, shape (r, k).
        day: number of each row's target day, shape (r,).
        starts: offsets of the target days, shape (D + 1,).
        tables: expected proximities (r, k); distances in cells and log lifts of cells (k, k) each.
        config: settings.
    """
    close, apart, lifts = tables
    past = heaviest(agreeing(past, close, starts, config.agreement), config.past)
    parts, left = [], 1.0
    if config.drawn and config.drawn_share > 0.0:
        drawn = draw(past, p, day, config.drawn, config.follow, config.seed)
        parts.append((drawn, config.drawn_share / config.drawn))
        left -= config.drawn_share
    if config.chained and config.chained_share > 0.0:
        chained = draw_chains(p, starts, lifts, apart, config)
        parts.append((chained, config.chained_share / config.chained))
        left -= config.chained_share
    lent = [np.full((len(past.weight), len(cell)), share) for cell, share in parts]
    return DaySamples(
        np.concatenate([past.cell, *(cell for cell, _ in parts)]),
        np.concatenate([left * past.weight, *lent], axis=1),
    )


def past_days(
    user: UserHistory, index: Int64s, city: CityProfile, target: Int64s, config: DayConfig
) -> DaySamples:
    """A user's known days as samples of the days to fill.

    The weight of a known day falls with its age, is less on another day of the week and on another
    type of day, and counts only as far as the day has records near the slots to fill.

    Args:
        user: known and target rows; at least one known.
        index: the cell of each known row, shape (n,).
        city: the calendar.
        target: the distinct target days, ascending, shape (D,).
        config: settings.
    """
    known = np.unique(user.d)
    cell = lay_over(user.d, user.t, index, user.target_t)
    weight = np.exp(-np.abs(target[:, None] - known[None, :]) / config.recency)
    same_weekday, same_type = city.alike(target, known)
    weight *= np.where(same_weekday, 1.0, config.other_weekday)
    weight *= np.where(same_type, 1.0, config.other_type)
    weight *= _fit(user, known, target, config.width)
    weight = np.maximum(weight, np.finfo(np.float64).tiny)
    return DaySamples(cell, weight / weight.sum(axis=1, keepdims=True))


def _fit(user: UserHistory, known: Int64s, target: Int64s, width: float) -> Floats:
    """How near a known day's records are to the slots of a target day, shape (D, J)."""
    slots = np.arange(SLOTS_PER_DAY)
    seen = np.zeros((len(known), SLOTS_PER_DAY), dtype=np.bool_)
    seen[np.searchsorted(known, user.d), user.t] = True
    earlier = np.maximum.accumulate(np.where(seen, slots, -SLOTS_PER_DAY), axis=1)
    later = np.where(seen, slots, 2 * SLOTS_PER_DAY)[:, ::-1]
    later = np.minimum.accumulate(later, axis=1)[:, ::-1]
    near = np.exp(-np.minimum(slots - earlier, later - slots) / width)[:, user.target_t]
    starts = np.searchsorted(user.target_d, target)
    length = np.diff(np.append(starts, len(user.target_d)))
    fit: Floats = np.add.reduceat(near, starts, axis=1).T / length[:, None]
    return fit
