"""Stays over midnight, which belong to several days."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import polars as pl

from humobctl.console.words import pluralize
from humobctl.data.importers.delimited import Batch
from humobctl.data.importers.import_reader import ImportReader
from humobctl.io.row_errors import LineNumbers

DAY_MINUTES = 24 * 60
LONGEST_NIGHT = 18 * 60
"""Minutes: a stay that ends before it starts and would last longer has its ends swapped."""


@dataclass
class VisitReader(ImportReader):
    """Reads visits, and splits at midnight those that end before they start or after 24:00.

    The part in a later day begins that day: it is its number 0, and the others there count on.

    Attributes:
        split: stays that were split so far.
        mornings: (uid, d) of the days that begin with such a part.
    """

    split: int = 0
    mornings: set[tuple[int, int]] = field(default_factory=set)

    def batches(self) -> Iterator[pl.DataFrame]:
        """Checked batches.

        Raises:
            HumobError: a fault.
        """
        yield from super().batches()
        if self.split:
            self.notes.append(f"split {pluralize(self.split, 'stay')} at midnight")

    def _cast(self, frame: pl.DataFrame, places: LineNumbers) -> Batch:
        typed, places = super()._cast(frame, places)
        start, end = (pl.col(name).cast(pl.Int32) for name in ("start_min", "end_min"))
        timed = typed.with_row_index("at").with_columns(
            start=start, end=pl.when(end < start).then(end + DAY_MINUTES).otherwise(end)
        )
        late = (pl.col("end") != end) | (end > DAY_MINUTES)  # 0 is 24:00 of the day
        late &= (end >= 0) & start.is_between(0, DAY_MINUTES)
        late &= pl.col("end") - start <= LONGEST_NIGHT
        if not timed.select(late.any()).item() and not self.mornings:
            return typed, places
        self.split += int(timed.select((late & (pl.col("end") > DAY_MINUTES)).sum()).item())
        parts = pl.when(late).then((pl.col("end") - 1) // DAY_MINUTES + 1).otherwise(1)
        rows = timed.with_columns(
            late=late, part=pl.int_ranges(parts.fill_null(1), dtype=pl.Int32)
        ).explode("part")
        whole = self._in_days(rows)
        return whole.select(typed.columns), places.take(whole["at"])

    def _in_days(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The parts of stays, each in its day."""
        before = pl.col("part") * DAY_MINUTES
        first, last = pl.col("start") - before, pl.col("end") - before
        split = rows.with_columns(
            d=pl.col("d") + pl.col("part").cast(pl.Int16),
            start_min=pl.when("late").then(first.clip(lower_bound=0)).otherwise("start_min"),
            end_min=pl.when("late").then(last.clip(upper_bound=DAY_MINUTES)).otherwise("end_min"),
        ).filter(~pl.col("late").fill_null(False) | (pl.col("start_min") < DAY_MINUTES))
        morning = split.filter(pl.col("part") > 0).select("uid", "d").unique()
        self.mornings.update(morning.iter_rows())
        known = pl.DataFrame(
            list(self.mornings),
            schema={"uid": rows.schema["uid"], "d": rows.schema["d"]},
            orient="row",
        )
        counted_on = split.join(
            known.with_columns(after=1), on=["uid", "d"], how="left", maintain_order="left"
        )
        seq = (
            pl.when(pl.col("part") > 0)
            .then(0)
            .otherwise(pl.col("seq") + pl.col("after").fill_null(0))
        )
        return counted_on.with_columns(
            seq.cast(pl.Int16).alias("seq"), pl.col("start_min", "end_min").cast(pl.Int16)
        )
