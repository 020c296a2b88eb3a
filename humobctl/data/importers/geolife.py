"""GeoLife: folders of ``.plt`` files, one per trip.

Format (Zheng et al., GeoLife user guide 1.3): ``Data/000/Trajectory/*.plt``; six lines of header,
then latitude, longitude, 0, altitude in feet, days since 1899-12-30, date, time; times are GMT.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from humobctl.data.importers.file_rows import FileRows, read_files
from humobctl.data.importers.options import ImportOptions
from humobctl.data.importers.points import PointReader
from humobctl.errors import HumobError


def files_below(folder: Path) -> list[Path]:
    """All ``.plt`` files below a folder, users and trips in order of their names."""
    return sorted(path for path in folder.rglob("*.plt") if path.is_file())


def geolife(folder: Path, options: ImportOptions, *, single: Path | None = None) -> PointReader:
    """Points of all files of a folder, or of one file.

    Raises:
        HumobError: the folder holds no ``.plt`` file.
    """
    files = [single] if single else files_below(folder)
    if not files:
        raise HumobError(f"{folder}: found no .plt file, expected GeoLife's Data folder")
    return read_files(str(single or folder), files, options, TripRows)


def user_of(path: Path) -> str:
    """The user of a trip: the folder above ``Trajectory``, or the file's own folder."""
    folder = path.resolve().parent
    return folder.parent.name if folder.name == "Trajectory" else folder.name


class TripRows(FileRows):
    """The rows of trips; folders name the users."""

    NAMES = ["lat", "lon", "zero", "altitude", "days", "date", "time"]  # noqa: RUF012
    HEADER_LINES = 6
    UTC = True

    def shape(self, frame: pl.DataFrame, counts: list[int]) -> pl.DataFrame:
        """User, time in UTC, latitude and longitude."""
        users = pl.Series("uid", [user_of(path) for path in self.batch], dtype=pl.String)
        owner = users.gather(np.repeat(np.arange(len(counts)), counts))
        stamp = pl.concat_str("date", "time", separator=" ").alias("utc_time")
        return frame.select(owner, stamp, "lat", "lon")
