"""Check-in data sets that come without a header.

Formats: Foursquare TSMC2014 (Yang et al. 2015, the files' readme): tab, latin-1; user, venue,
category id, category, latitude, longitude, minutes that local time is ahead of UTC, UTC time like
``Tue Apr 03 18:00:09 +0000 2012``. Gowalla and Brightkite (Cho et al. 2011, SNAP): tab; user, UTC
time, latitude, longitude, location; rows at (0, 0) are void.
"""

from __future__ import annotations

from humobctl.data.importers.delimited import Delimited
from humobctl.data.importers.options import ImportOptions
from humobctl.data.importers.points import PointReader
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
