"""Activities of users, visits or plans: intents, durations, overlaps and gaps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from humobctl.data.describe.description import Section
from humobctl.data.measures.spread import Spread, ValueTally, show_number
from humobctl.tables.schemas import INTENTS

DAY_MINUTES = 24 * 60
CODES = pl.Enum(INTENTS)
NONE = "no intent"
_NO_INTENT = len(INTENTS)


@dataclass(frozen=True)
class IntentNumbers:
    """Activities of one intent.

    Attributes:
        count: how many.
        share: of all activities.
        time_share: fraction of the time of all activities.
        duration_min: durations of those that last.
    """

    count: int
    share: float
    time_share: float | None
    duration_min: Spread


class ActivityTally:
    """Takes in activities of whole users in the order of time."""

    def __init__(self) -> None:
        self.count = 0
        self.overlaps = 0
        self.without_duration = 0
        self.by_hour = np.zeros(24, np.int64)
        self._gaps, self._durations = ValueTally(), ValueTally()
        self._by_intent = [ValueTally() for _ in range(_NO_INTENT + 1)]
        self._counts = np.zeros(_NO_INTENT + 1, np.int64)
        self._minutes = np.zeros(_NO_INTENT + 1)

    def add(self, frame: pl.DataFrame) -> None:
        """Take in activities.

        Args:
            frame: uid, start and end (minutes), intent (null or one of ``CODES``), sorted by uid,
                start and end.
        """
        start, end = (frame[name].to_numpy().astype(np.float64) for name in ("start", "end"))
        intent = frame["intent"].to_physical().cast(pl.Int64).fill_null(_NO_INTENT).to_numpy()
        length = end - start
        self.count += frame.height
        self.without_duration += int((length == 0).sum())
        self.by_hour += np.bincount((start // 60 % 24).astype(np.int64), minlength=24)
        self._counts += np.bincount(intent, minlength=_NO_INTENT + 1)
        self._minutes += np.bincount(intent, length, minlength=_NO_INTENT + 1)
        self._durations.add(length[length > 0])
        for code in np.unique(intent):
            self._by_intent[code].add(length[(intent == code) & (length > 0)])
        latest = pl.col("end").cum_max().shift(1).over("uid")
        since = frame.select((pl.col("start") - latest).cast(pl.Float64))["start"].drop_nulls()
        gaps = since.to_numpy()
        self.overlaps += int((gaps < 0).sum())
        self._gaps.add(gaps[gaps > 0])

    def numbers(self) -> dict[str, object]:
        """The results, named like the attributes of the descriptions."""
        minutes = float(self._minutes.sum())
        names = (*INTENTS, NONE)
        return {
            "intents": {
                name: IntentNumbers(
                    count=int(self._counts[code]),
                    share=float(self._counts[code] / self.count),
                    time_share=float(self._minutes[code] / minutes) if minutes else None,
                    duration_min=self._by_intent[code].spread(),
                )
                for code, name in enumerate(names)
                if self._counts[code]
            },
            "duration_min": self._durations.spread(),
            "without_duration": self.without_duration,
            "overlaps": self.overlaps,
            "gaps": self._gaps.spread().count,
            "gap_min": self._gaps.spread(),
            "by_hour": self.by_hour.tolist(),
        }


def intent_section(intents: dict[str, IntentNumbers], of: str) -> Section:
    """One row per intent."""
    columns = ("intent", of, "share", "fraction of time", "minutes: mean", "25 %", "median", "75 %")
    rows = []
    for name, found in intents.items():
        lasts = found.duration_min
        time = "-" if found.time_share is None else f"{found.time_share:.1%}"
        minutes = (lasts.mean, lasts.p25, lasts.median, lasts.p75)
        shown = map(show_number, minutes)
        rows.append((name, f"{found.count:,}", f"{found.share:.1%}", time, *shown))
    return Section("", columns, rows)


def per_user_day(frame: pl.DataFrame) -> pl.DataFrame:
    """Number of rows of each user and day, in the order in which they stand."""
    return frame.group_by("uid", "d", maintain_order=True).len()
