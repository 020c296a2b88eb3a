"""Features of a candidate from the records beside it, and from the days that hold it.

Transitions are the user's own: how much more often a cell comes right after another than it is
visited at all. Beside a row to predict stand other rows to predict, of which only the history
kernel's shares are known.

Shapes:  n known rows, r target rows, k the user's cells, K kept candidates a row, D target days,
         J known days.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from humobctl.native import Bools, Float32s, Floats, Int32s, Int64s
from humobctl.predict.base import UserHistory
from humobctl.predict.city_profile import CityProfile
from humobctl.predict.decode_days.chain import log_lifts
from humobctl.tables.schemas import SLOTS_PER_DAY

TRANSITION_NAMES = (
    "share_by_row_before",
    "share_by_row_after",
    "share_by_rows_beside",
    "share_by_chain",
)
DAY_NAMES = (
    "share_of_alike_days",
    "share_of_days_of_pattern",
    "share_of_weekday_days",
    "share_of_day_to_hold",
)
_POWER = 0.5  # of the lifts along a whole day, which tell the same several times
_FLOOR = 1e-9


def transition_features(
    user: UserHistory, index: Int64s, main: Float32s, kept: Int32s, starts: Int64s
) -> list[Floats]:
    """Shares of the candidates by the cells that come before and after them, each (r, K).

    Args:
        user: known rows.
        index: the cell of each, shape (n,).
        main: the history kernel's shares of all cells, shape (r, k).
        kept: the candidates of each row, shape (r, K).
        starts: offsets of the target days, shape (D + 1,).
    """
    k, rows = main.shape[1], np.arange(len(kept))[:, None]
    logs = log_lifts(user.d, index, k)
    visits = np.bincount(index, minlength=k) / len(index)
    shares, lifts = main.astype(np.float64) + _FLOOR, np.exp(logs)
    later = np.delete(np.arange(len(main)), starts[:-1])
    before, after = np.ones_like(shares), np.ones_like(shares)
    before[later], after[later - 1] = shares[later - 1] @ lifts, shares[later] @ lifts.T
    both = shares * before * after
    both /= both.sum(axis=1, keepdims=True)
    found = (
        visits * before,
        visits * after,
        both,
        smooth_days(shares, np.exp(_POWER * logs), starts),
    )
    return [feature[rows, kept] for feature in found]


def smooth_days(shares: Floats, lifts: Floats, starts: Int64s) -> Floats:
    """Each row's shares in the light of all rows of its day: forward and backward, shape (r, k).

    A path of cells through a day weighs the product of its shares, and of its lifts.

    Args:
        shares: of the cells of each row by itself, above 0, shape (r, k).
        lifts: of a cell after another, shape (k, k).
        starts: offsets of the days, shape (D + 1,).
    """
    length, forth, back = np.diff(starts), shares.copy(), np.ones_like(shares)
    longest = int(length.max(initial=0))
    for m in range(1, longest):
        rows = starts[:-1][length > m] + m
        told = forth[rows - 1] @ lifts
        told *= shares[rows]
        told /= told.sum(axis=1, keepdims=True)
        forth[rows] = told
    for m in range(longest - 1, 0, -1):
        rows = starts[:-1][length > m] + m
        told = (shares[rows] * back[rows]) @ lifts.T
        told /= told.sum(axis=1, keepdims=True) / told.shape[1]
        back[rows - 1] = told
    both = forth * back
    smooth: Floats = both / both.sum(axis=1, keepdims=True)
    return smooth


@dataclass(frozen=True)
class DayPairs:
    """What target days and known days have in common; each of shape (D, J).

    Attributes:
        ages: days between them, those of the nearest known day taken off.
        same_weekday, same_type: see ``CityProfile.alike``.
        alike: how alike the slots of their records are, 0 to 1.
    """

    ages: Int64s
    same_weekday: Bools
    same_type: Bools
    alike: Floats


def pair_days(
    user: UserHistory,
    city: CityProfile,
    known: tuple[Int64s, Int64s],
    target: tuple[Int64s, Int64s],
) -> DayPairs:
    """Target days beside known days; of each the days, and the number of each row's day."""
    (days, day), (wanted, target_day) = known, target
    ages = np.abs(wanted[:, None] - days[None, :])
    ages = ages - ages.min(axis=1, keepdims=True) if len(wanted) else ages
    mine = _patterns(user.target_t, target_day, len(wanted))
    return DayPairs(
        ages, *city.alike(wanted, days), alike=mine @ _patterns(user.t, day, len(days)).T
    )


def _patterns(t: Int64s, day: Int64s, days: int) -> Floats:
    """Slots seen in each day, blurred by one slot, of length 1, shape (days, 48)."""
    seen = np.zeros((days, SLOTS_PER_DAY))
    seen[day, t] = 1.0
    blurred = seen.copy()
    blurred[:, 1:] += 0.5 * seen[:, :-1]
    blurred[:, :-1] += 0.5 * seen[:, 1:]
    blurred /= np.sqrt((blurred**2).sum(axis=1, keepdims=True))
    return blurred


def day_features(
    pairs: DayPairs, day: Int64s, index: Int64s, main: Float32s, kept: Int32s, starts: Int64s
) -> list[Floats]:
    """Fractions of the days like the target's that hold a candidate; each (r, K).

    Args:
        pairs: known days beside target days.
        day: number of the day of each known row, shape (n,).
        index: the cell of each, shape (n,).
        main: the history kernel's shares of all cells, shape (r, k).
        kept: the candidates of each row, shape (r, K).
        starts: offsets of the target days, shape (D + 1,).
    """
    has = np.zeros((pairs.ages.shape[1], main.shape[1]))
    has[day, index] = 1.0
    of_type = np.where(pairs.same_type, 1.0, 0.3)
    weights = (
        np.exp(-pairs.ages / 60.0) * np.where(pairs.same_weekday, 1.0, 0.5) * of_type,
        np.exp(-pairs.ages / 15.0 - 6.0 * (1.0 - pairs.alike)) * of_type,
        np.where(pairs.same_weekday, 1.0, 0.02),
    )
    found = [weight @ has / weight.sum(axis=1, keepdims=True) for weight in weights]
    missing = np.log1p(-np.minimum(main.astype(np.float64), 1.0 - _FLOOR))
    found.append(1.0 - np.exp(np.add.reduceat(missing, starts[:-1], axis=0)))
    of_row = np.repeat(np.arange(len(pairs.ages)), np.diff(starts))[:, None]
    return [share[of_row, kept] for share in found]
