"""Homes and works that are known: of people, or of pairs that people draw from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.errors import HumobError
from humobctl.io.read import read_table
from humobctl.io.row_errors import OnError
from humobctl.native import Floats
from humobctl.tables.keyed_random import uniforms
from humobctl.tables.schemas import HOME_WORK, PROFILES

COLUMNS = ("home_lat", "home_lon", "work_lat", "work_lon")
HOME_COLUMNS = COLUMNS[:2]
_PAIR = 0x70616972
"""Keeps these draws apart from others of a person."""


def known_dwellings(
    uid: NDArray[Any],
    seed: int,
    people: pl.DataFrame | None,
    pairs: pl.DataFrame | None,
    source: str = "people",
) -> Floats:
    """Coordinates as in COLUMNS, NaN where they are not known, (n, 4).

    Args:
        uid: people, (n,).
        seed: of the draws.
        people: profiles with home and work, sorted by uid; None where none is known.
        pairs: home and work, one of which each person gets.
        source: name of the table of people, for messages.

    Raises:
        HumobError: a person is not in the table of people.
    """
    if pairs is not None:
        table = pairs.select(COLUMNS).to_numpy()
        row = uniforms(1, seed, _PAIR, uid)[:, 0] * len(table)
        found: Floats = table[row.astype(np.int64)]
    else:
        found = np.full((len(uid), 4), np.nan)
    if people is None:
        return found
    uids = people["uid"].to_numpy()
    row = np.minimum(np.searchsorted(uids, uid), len(uids) - 1)
    strangers = uid[uids[row] != uid] if len(uids) else uid
    if len(strangers):
        raise HumobError(f"{source}: found no user {strangers[0]}, expected all who have plans")
    own = people.select(COLUMNS).to_numpy()[row].astype(np.float64)
    # Who has a home of their own does not work where somebody else does.
    found[~np.isnan(own[:, 0]), 2:] = np.nan
    return np.where(np.isnan(own), found, own)


def degrees(table: pl.DataFrame, columns: Sequence[str]) -> tuple[Floats, Floats]:
    """Two columns of coordinates, nan where they are not known."""
    lat, lon = (table[name].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in columns)
    return lat, lon


def read_people(path: str, *, on_error: OnError = "fail") -> pl.DataFrame:
    """Profiles with home and work, sorted by uid.

    Raises:
        HumobError: the file cannot be read or holds a fault.
    """
    people = read_table(path, PROFILES, on_error=on_error).sort("uid")
    homeless = people["home_lat"].null_count()
    if homeless:
        report.warn(
            f"{path}: found no home in {homeless:,} of {pluralize(people.height, 'row')}; these "
            "people's homes are drawn"
        )
    return people


def read_pairs(path: str, *, on_error: OnError = "fail") -> pl.DataFrame:
    """Pairs of home and work.

    Raises:
        HumobError: the file cannot be read or holds a fault.
    """
    return read_table(path, HOME_WORK, on_error=on_error)
