"""Check-in data sets: Foursquare TSMC2014, Gowalla and Brightkite, Massive-STEPS.

Formats: Foursquare TSMC2014 (Yang et al. 2015, the files' readme): no header, tab, latin-1; user,
venue, category id, category, latitude, longitude, minutes that local time is ahead of UTC, UTC time
like ``Tue Apr 03 18:00:09 +0000 2012``. Gowalla and Brightkite (Cho et al. 2011, SNAP): tab; user,
UTC time, latitude, longitude, location; rows at (0, 0) are void. Massive-STEPS (Wongso et al. 2025,
its ``create_next_poi_dataset.py``): with a header; local times, coordinates of Foursquare's open
places, which some venues lack.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from humobctl.console.words import pluralize
from humobctl.data.importers.delimited import Batch, Delimited
from humobctl.data.importers.options import ImportOptions, Opened
from humobctl.data.importers.points import PointReader
from humobctl.data.importers.probe import InputProbe
from humobctl.io.row_errors import LineNumbers
from humobctl.io.streams import Input
from humobctl.tables.schemas import POINTS

TSMC_NAMES = [
    "user_id",
    "venue_id",
    "venue category id",
    "venue category",
    "latitude",
    "longitude",
    "timezone offset",
    "utc time",
]
STEPS_NAMES = {"trail_id", "user_id", "venue_id", "venue_category", "venue_city"}
GOWALLA_NAMES = ["user_id", "utc time", "latitude", "longitude", "location_id"]


def tsmc2014(source: Input, options: ImportOptions) -> PointReader:
    """Foursquare check-ins; local time is UTC plus the offset, unless a time zone is asked for."""
    reader = PointReader(source, POINTS, options.on_error, options=options, utc=True)
    text = Delimited(
        source,
        "\t",
        TSMC_NAMES,
        quoted=False,
        latin1=True,
        on_error=options.on_error,
        dropped=reader.dropped,
    )
    reader.factory = text.frames
    return reader


def gowalla(source: Input, options: ImportOptions) -> PointReader:
    """Gowalla or Brightkite check-ins; rows at (0, 0) are left out, and counted."""
    reader = PointReader(source, POINTS, options.on_error, options=options, utc=True)
    text = Delimited(
        source,
        "\t",
        GOWALLA_NAMES,
        quoted=False,
        on_error=options.on_error,
        dropped=reader.dropped,
    )
    reader.factory = text.frames
    return reader


def is_massive_steps(look: InputProbe, _: ImportOptions) -> bool:
    """Whether the columns are those of Massive-STEPS."""
    return set(look.columns or ()) >= STEPS_NAMES


def massive_steps(look: InputProbe, options: ImportOptions) -> Opened:
    """Massive-STEPS' check-ins; those at venues without coordinates are left out, and counted."""
    source = look.file("a table of check-ins")
    reader = StepsReader(source, POINTS, options.on_error, options=options)
    return reader.with_header(look).open("Massive-STEPS check-ins")


class StepsReader(PointReader):
    """Check-ins at venues, some of which lie nowhere."""

    nowhere = 0

    def batches(self) -> Iterator[pl.DataFrame]:
        """Checked batches of points.

        Raises:
            HumobError: a fault.
        """
        yield from super().batches()
        if self.nowhere:
            self.notes.append(
                f"left out {pluralize(self.nowhere, 'check-in')} at venues without coordinates"
            )

    def _cast(self, frame: pl.DataFrame, places: LineNumbers) -> Batch:
        placed = frame["lat"].is_not_null() & frame["lon"].is_not_null()
        self.nowhere += frame.height - int(placed.sum())
        return super()._cast(frame.filter(placed), places.keep(placed))
