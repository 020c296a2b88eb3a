"""Which days and which part of the globe the records of users cover."""

from __future__ import annotations

from collections import Counter

import polars as pl

from humobctl.data.describe.heat import HeatTally
from humobctl.data.measures.spread import Spread, ValueTally

_EDGES = {"south": ("lat", min), "north": ("lat", max), "west": ("lon", min), "east": ("lon", max)}


class CoverageTally:
    """Takes in records of whole users.

    Attributes:
        by_day: records by day; ``users_by_day`` are the users with one.
        bounding_box: smallest and largest latitude and longitude.
    """

    def __init__(self) -> None:
        self.by_day: Counter[int] = Counter()
        self.users_by_day: Counter[int] = Counter()
        self.bounding_box: dict[str, float] = {}
        self._per_day, self._heat = ValueTally(), HeatTally()

    def add(self, records: pl.DataFrame) -> None:
        """Take in records: uid, d (day), lat and lon."""
        per_day = records.group_by("uid", "d").len()
        self._per_day.add(per_day["len"].cast(pl.Float64).to_numpy())
        by_day = per_day.group_by("d").agg(pl.col("len").sum(), users=pl.len())
        self.by_day.update(dict(by_day.select("d", "len").iter_rows()))
        self.users_by_day.update(dict(by_day.select("d", "users").iter_rows()))
        self._heat.add(records)
        for edge, (axis, outer) in _EDGES.items():
            found: float = getattr(records[axis], outer.__name__)()
            self.bounding_box[edge] = outer(found, self.bounding_box.get(edge, found))

    @property
    def days(self) -> list[int]:
        """Days with a record."""
        return sorted(self.by_day)

    def heat(self) -> pl.DataFrame:
        """Records by square, as ``HeatTally`` has them."""
        return self._heat.heat()

    def per_user_day(self) -> Spread:
        """Number of records of each user-day that has any."""
        return self._per_day.spread()
