"""LibCity's atomic files: a folder of ``.dyna`` (who was where), ``.geo`` (places) and others.

Format (LibCity, "Atomic files"): CSV; ``.dyna`` has dyna_id, type (trajectory), time (ISO 8601),
entity_id (a user of ``.usr``) and location (a place of ``.geo``, or coordinates) or coordinates;
``.geo`` has geo_id, type (Point) and coordinates, a GeoJSON array.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from humobctl.data.importers.delimited import Batch, Delimited
from humobctl.data.importers.each_file import each_file, input_of, refuse_links
from humobctl.data.importers.options import ImportOptions, Opened
from humobctl.data.importers.points import PointReader
from humobctl.data.importers.probe import InputProbe
from humobctl.errors import HumobError
from humobctl.io.row_errors import LineNumbers
from humobctl.io.streams import Input, open_input
from humobctl.tables.column_names import roles
from humobctl.tables.schemas import POINTS

_PAIR = r"^\s*\[\s*([-+.\deE]+)\s*,\s*([-+.\deE]+)\s*(?:,[^\]]*)?\]\s*$"
_AXES = (("lat", 2), ("lon", 1))
_PLACE = {axis: pl.col("coordinates").str.extract(_PAIR, group) for axis, group in _AXES}
_WHO_WHEN = (pl.col("entity_id").alias("uid"), pl.col("time").alias("datetime"))
_UTC = r"Z\s*$"
_LOCAL = (
    "times end in Z, as LibCity writes all times; its Foursquare sets hold local times, which "
    "--timezone would shift"
)


def is_libcity(look: InputProbe, _: ImportOptions) -> bool:
    """Whether a folder has LibCity's file of trajectories."""
    return look.folder is not None and bool(_files(look.folder, "dyna"))


def read_libcity(look: InputProbe, options: ImportOptions) -> Opened:
    """The points of all trajectories of a folder.

    Raises:
        HumobError: it is not such a folder.
    """
    if look.folder is None or not (files := _files(look.folder, "dyna")):
        raise HumobError(f"{look.name}: found no directory with a .dyna file, expected LibCity's")
    whole = input_of(look.name, files)
    reader = LibCityReader(whole, POINTS, options.on_error, options=options)
    reader.geo = _files(look.folder, "geo")
    refuse_links(reader.geo)
    reader.factory = lambda: (
        batch for _, source in each_file(whole, files) for batch in reader.records(source)
    )
    return reader.open("LibCity trajectories")


def _files(folder: Path, ending: str) -> list[Path]:
    return sorted(path for path in folder.glob(f"*.{ending}") if path.is_file())


@dataclass
class LibCityReader(PointReader):
    """Records of users with the coordinates of their places.

    Attributes:
        geo: the files of places.
        places: their ids, coordinates and categories, once they were needed.
        by_place: locations are ids of places; GeoLife's are coordinates.
    """

    geo: list[Path] = field(default_factory=list)
    places: pl.DataFrame | None = None
    by_place: bool = False

    def records(self, source: Input) -> Iterator[Batch]:
        """The records of one file as raw frames.

        Raises:
            HumobError: it holds no trajectories.
        """
        text = Delimited(source, on_error=self.on_error, dropped=self.dropped)
        for frame, places in text.frames():
            yield self._add_places(frame, places)

    def _add_places(self, frame: pl.DataFrame, places: LineNumbers) -> Batch:
        needed = {"type", "time", "entity_id"}
        if not needed <= set(frame.columns) or not {"location", "coordinates"} & set(frame.columns):
            raise HumobError(
                f"{self.source.name}: found columns {', '.join(frame.columns)}, expected type, "
                "time, entity_id and location or coordinates: trajectories of users"
            )
        # The script that makes LibCity's GeoLife leaves the type empty.
        bad = (frame["type"] != "trajectory").fill_null(value=False)
        frame, places = self.refuse(bad, frame, places, "type", "trajectory")
        if frame["time"].str.contains(_UTC).any() and _LOCAL not in self.notes:
            self.notes.append(_LOCAL)
        column = "coordinates"
        if "location" in frame.columns:
            column = "location"
            self.by_place = self.by_place or not frame[column].str.contains(_PAIR).any()
        if column == "coordinates" or not self.by_place:
            bad = ~frame[column].str.contains(_PAIR).fill_null(value=False)
            frame, places = self.refuse(bad, frame, places, column, "[longitude, latitude]")
            here = frame.with_columns(coordinates=column)
            return here.select(*_WHO_WHEN, **_PLACE), places
        place = frame.select(place_id=pl.col("location").str.strip_chars())
        known = place.join(self._geo(), on="place_id", how="left", maintain_order="left")
        bad = known["lat"].is_null()
        expected = "a place of .geo with coordinates"
        frame, places = self.refuse(bad, frame, places, "location", expected)
        return frame.select(*_WHO_WHEN).hstack(known.filter(~bad)), places

    def _geo(self) -> pl.DataFrame:
        """The places of the folder; the first of an id counts."""
        if self.places is not None:
            return self.places
        if not self.geo:
            raise HumobError(
                f"{self.source.name}: found location ids, expected a .geo file in the same folder "
                "with their coordinates"
            )
        frames = []
        for path in self.geo:
            source = open_input(str(path))
            try:
                frames += [
                    self._geo_frame(frame, source) for frame, _ in Delimited(source).frames()
                ]
            finally:
                source.close()
        self.places = pl.concat(frames).unique("place_id", keep="first", maintain_order=True)
        return self.places

    def _geo_frame(self, frame: pl.DataFrame, source: Input) -> pl.DataFrame:
        if not {"geo_id", "coordinates"} <= set(frame.columns):
            raise HumobError(
                f"{source.name}: found columns {', '.join(frame.columns)}, expected geo_id and "
                "coordinates"
            )
        category = roles(frame.columns).get("category")
        return frame.select(
            place_id=pl.col("geo_id").str.strip_chars(),
            **_PLACE,
            category=pl.col(category) if category else pl.lit(None, pl.String),
        )
