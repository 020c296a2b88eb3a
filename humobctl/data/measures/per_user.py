"""Every measure of single users, a row a user."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl

from humobctl.data.measures import formulas
from humobctl.data.measures.records import DAY, HOUR, MINUTE, Records
from humobctl.native import Bools, Floats, Int64s
from humobctl.tables.schemas import USER_MEASURES

LAGS = (1, 24, 168)
"""Hours after which the square displacement is taken."""
TOP_LOCATIONS = 2
"""k of the k-radius of gyration."""
_NIGHT = (7 * 60, 22 * 60)
"""Minutes of the clock up to which, and from which, it is night."""


class Measured(NamedTuple):
    """What is measured of some users.

    Attributes:
        table: a row a user, ``USER_MEASURES``; uid as it stands in the records.
        ranked: each user's locations by rank, with visits and share.
        jumps: km between consecutive records of a user.
        waits: minutes from one record of a user to the next.
    """

    table: pl.DataFrame
    ranked: pl.DataFrame
    jumps: Floats
    waits: Floats


def measure_users(records: Records) -> Measured:
    """All measures of users; docs/measures.md has the formulas.

    Raises:
        HumobError: memory is not enough for the sequence of a user.
    """
    first, users = records.first, len(records.first) - 1
    follows, owners = formulas.find_follows(first), records.owners
    all_jumps = formulas.jump_lengths(records.north, records.east, records.apart)
    jumps, movers = all_jumps[follows], owners[follows]
    waits = np.diff(records.at, prepend=records.at[:1])[follows] / MINUTE
    ranked = _rank(records, owners)
    columns = {
        "records": np.diff(first),
        "days": _count_slots(
            records.at // DAY if records.day is None else records.day, owners, users
        ),
        **_coverage(records, owners),
        **_of_locations(ranked, users),
        **_radii(records, ranked, users),
        "jump_length_mean_km": _mean(jumps, movers, users),
        "jump_length_median_km": formulas.median_runs(jumps, movers, users),
        "maximum_distance_km": _largest(jumps, movers, users),
        "distance_straight_line_km": np.bincount(movers, jumps, minlength=users),
        "waiting_time_mean_min": _mean(waits, movers, users),
        "waiting_time_median_min": formulas.median_runs(waits, movers, users),
        **_from_home(records, owners),
        **_displacements(records),
        "entropy_real_bits": formulas.real_entropy(first, records.place),
    }
    columns["predictability"] = formulas.predictability(
        columns["entropy_real_bits"], columns["locations"]
    )
    table = pl.DataFrame({"uid": records.uid, **columns}).fill_nan(None)
    kinds = {name: kind for name, kind in USER_MEASURES.dtypes.items() if name != "uid"}
    typed = table.select("uid", *(pl.col(name).cast(kind) for name, kind in kinds.items()))
    return Measured(typed, ranked, jumps, waits)


def _rank(records: Records, owners: Int64s) -> pl.DataFrame:
    rows = pl.DataFrame(
        {
            "user": owners,
            "place": records.place,
            "north": records.north,
            "east": records.unrolled_east,
        }
    )
    return formulas.add_shares(formulas.rank_locations(rows, "north", "east"))


def _of_locations(ranked: pl.DataFrame, users: int) -> dict[str, Floats]:
    """Numbers of locations, the share of the most visited one, and entropies without order."""
    found = ranked.group_by("user", maintain_order=True).agg(
        locations=pl.len().cast(pl.Int64),
        top_location_share=pl.col("share").first(),
        entropy_random_bits=pl.len().cast(pl.Float64).log(2),
        entropy_uncorrelated_bits=formulas.shannon_entropy(pl.col("visits")),
    )
    assert found.height == users
    return {column.name: column.to_numpy() for column in found.drop("user").get_columns()}


def _radii(records: Records, ranked: pl.DataFrame, users: int) -> dict[str, Floats]:
    east, apart = records.unrolled_east, records.apart
    radius = formulas.radius_of_gyration
    top = ranked.filter(pl.col("rank") < TOP_LOCATIONS)
    lasting = np.full(users, np.nan)
    if records.until is not None:
        weights = (records.until - records.at) / MINUTE
        lasting = radius(records.first, records.north, east, apart, weights)
    return {
        "radius_of_gyration_km": radius(records.first, records.north, east, apart),
        "radius_of_gyration_duration_km": lasting,
        "k2_radius_of_gyration_km": radius(
            formulas.find_starts(top["user"].to_numpy()),
            top["north"].to_numpy(),
            top["east"].to_numpy(),
            apart,
            top["visits"].cast(pl.Float64).to_numpy(),
        ),
    }


def _count_slots(slots: Int64s, owners: Int64s, users: int) -> Int64s:
    """Distinct slots of each user, of slots in the order of time."""
    new = formulas.find_starts(owners, slots)[:-1]
    return np.bincount(owners[new], minlength=users)


def _coverage(records: Records, owners: Int64s) -> dict[str, Floats]:
    """Fraction of the time that records cover, and the longest time without one in hours."""
    first, at = records.first, records.at
    users = len(first) - 1
    begin, latest = at[first[:-1]], at[first[1:] - 1]
    follows = formulas.find_follows(first)
    if records.until is None:
        slots = at // records.slot
        span = latest // records.slot - begin // records.slot + 1
        coverage = _count_slots(slots, owners, users) / span
        gaps = np.diff(at, prepend=at[:1])
    else:
        ended = latest_ends(records)
        tracked = formulas.sum_runs((records.until - at).astype(np.float64), first)
        with np.errstate(invalid="ignore", divide="ignore"):
            coverage = tracked / (ended[first[1:] - 1] - begin)
        gaps = np.maximum(at - np.concatenate([ended[:1], ended[:-1]]), 0)
    longest = _largest(gaps[follows] / HOUR, owners[follows], users)
    return {"coverage": coverage, "longest_gap_hours": np.nan_to_num(longest)}


def latest_ends(records: Records) -> Int64s:
    """The latest end of each user's records up to this one."""
    frame = pl.DataFrame({"user": records.owners, "until": records.until})
    ends: Int64s = frame.select(pl.col("until").cum_max().over("user"))["until"].to_numpy()
    return ends


def _mean(values: Floats, owners: Int64s, users: int) -> Floats:
    with np.errstate(invalid="ignore"):
        mean: Floats = np.bincount(owners, values, minlength=users) / np.bincount(
            owners, minlength=users
        )
    return mean


def _largest(values: Floats, owners: Int64s, users: int) -> Floats:
    """The largest value of each user, NaN without one; owners ascend."""
    largest = np.full(users, np.nan)
    starts = formulas.find_starts(owners)[:-1]
    if len(starts):
        largest[owners[starts]] = np.maximum.reduceat(values, starts)
    return largest


def _from_home(records: Records, owners: Int64s) -> dict[str, Floats]:
    """Mean and largest distance from home."""
    home = _find_homes(records, owners)
    apart = records.apart(
        records.north, records.east, records.north[home][owners], records.east[home][owners]
    )
    first = records.first
    return {
        "distance_from_home_mean_km": formulas.sum_runs(apart, first) / np.diff(first),
        "distance_from_home_max_km": np.maximum.reduceat(apart, first[:-1]),
    }


def _find_homes(records: Records, owners: Int64s) -> Int64s:
    """A record of each user at home: the location of most records that are known to be there.

    Otherwise the location of most records from 22:00 to 7:00, otherwise of most records; of
    equals, the most southern, then the most western.
    """
    until, since = _NIGHT
    minute = records.at // MINUTE % (24 * 60)
    night: Bools = (minute <= until) & ((minute < until) | (records.at % MINUTE == 0))
    night |= minute >= since
    known = records.at_home if records.at_home is not None else np.zeros(len(owners), bool)
    rows = pl.DataFrame(
        {
            "user": owners,
            "place": records.place,
            "north": records.north,
            "east": records.east,
            "told": np.where(known, 2, night.astype(np.int64)),
        }
    ).with_row_index("row")
    best = rows.filter(pl.col("told") == pl.col("told").max().over("user"))
    return (
        best.group_by("user", "place")
        .agg(pl.col("row", "north", "east").first(), visits=pl.len())
        .sort("user", "visits", "north", "east", descending=[False, True, False, False])
        .group_by("user", maintain_order=True)
        .agg(pl.col("row").first())["row"]
        .cast(pl.Int64)
        .to_numpy()
    )


def _displacements(records: Records) -> dict[str, Floats]:
    """Square of the distance from a user's first record to the last one within each lag."""
    start = records.first[:-1]
    found = {}
    for hours in LAGS:
        end = formulas.displace_after(records.at, records.first, hours * HOUR)
        apart = records.apart(
            records.north[end], records.east[end], records.north[start], records.east[start]
        )
        found[f"square_displacement_{hours}h_km2"] = apart**2
    return found
