"""What other libraries read of exported files: nothing that both sides can hold is lost.

The one module that imports them: it costs seconds.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.conftest import Cli
from tests.data.export.test_export import CELLS, FLOWS, LEGS, PLACES, POINTS, TIMED, TRIPS

AREAS = "area_id,lat,lon,population\nA,42,-74,10\nB,42.5,-74.5,20\n"
GRID = ("--grid", "1km@0,10,3x3", "--axes", "east,north")
TABLES = {
    **{"points": POINTS, "visits": TIMED, "trips": TRIPS, "legs": LEGS},
    **{"cells": CELLS, "flows": FLOWS, "places": PLACES},
}
MORE = {"cells": GRID, "flows": ("--areas", "areas.csv")}
KINDS = {**{"cells": "Polygon", "flows": "LineString", "trips": "LineString", "legs": "LineString"}}
ENDINGS = ("geojson", "geoparquet", "fgb", "gpkg")


def load(name: str) -> Any:
    """A library, whatever it warns of; the test is skipped where it is not installed."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name, reason=f"needs {name}, which is not installed here")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("tables")
    (place / "areas.csv").write_text(AREAS)
    for name, text in TABLES.items():
        (place / f"{name}.csv").write_text(text)
    return place


def export(cli: Cli, folder: Path, table: str, output: str, *options: str) -> Path:
    command = ("data", "export", f"{table}.csv", "-o", output, *MORE.get(table, ()), *options)
    done = cli(*command, cwd=folder)
    assert done.code == 0, done.err
    return folder / output


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("table", TABLES)
def test_geopandas_reads_all_of_a_table(table: str, ending: str, folder: Path, cli: Cli) -> None:
    geopandas, shapely = load("geopandas"), load("shapely")
    if ending in ("fgb", "gpkg"):
        load("pyogrio")
        load("pyarrow")
    path = export(cli, folder, table, f"{table}.{ending}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if ending == "geoparquet":
            found = geopandas.read_parquet(path)
        else:
            found = geopandas.read_file(path, engine="pyogrio")
    assert found.crs.to_epsg() == 4326 or found.crs.to_string() == "OGC:CRS84"
    assert set(found.geom_type.dropna()) == {KINDS.get(table, "Point")}
    # A leg without points has no line; FlatGeobuf does not hold it, and a warning says so.
    lost = table == "legs"
    assert found.geometry.isna().sum() == (lost and ending != "fgb")
    ours = pl.read_csv(folder / f"{table}.csv", try_parse_dates=True).filter(
        pl.col("x") != 999 if table == "cells" else True
    )
    if lost and ending == "fgb":
        ours = ours.filter(pl.col("line").is_not_null())
    ours = ours.drop("line", strict=False)
    if KINDS.get(table, "Point") == "Point":
        found["lon"], found["lat"] = shapely.get_coordinates(found.geometry).T
    found = found[ours.columns].astype(object).where(found[ours.columns].notna(), None)
    found = pl.DataFrame({name: found[name].tolist() for name in ours.columns})
    found = found.with_columns(pl.col(pl.Datetime).cast(pl.Datetime("us")))
    # FlatGeobuf orders features by their place.
    order = ours.columns
    assert found.sort(order).rows() == ours.sort(order).rows()


def test_trackintel_reads_its_files(folder: Path, cli: Cli) -> None:
    trackintel, shapely = load("trackintel"), load("shapely")
    zone = ("--to", "trackintel", "--timezone", "Asia/Shanghai")
    points = export(cli, folder, "points", "p.csv", *zone)
    stays = export(cli, folder, "visits", "s.csv", *zone)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fixes = trackintel.read_positionfixes_csv(points, crs=4326, index_col=None, tz="UTC")
        found = trackintel.read_staypoints_csv(stays, crs=4326, index_col=None, tz="UTC")
        trips, legs = (
            reader(
                export(cli, folder, table, f"{table}.csv.gz", *zone),
                geom_col="geom",
                crs=4326,
                index_col=None,
                tz="UTC",
            )
            for table, reader in (
                ("trips", trackintel.read_trips_csv),
                ("legs", trackintel.read_triplegs_csv),
            )
        )
    assert trips.geometry.iloc[1].equals(shapely.from_wkt("MULTIPOINT (6 1, 2 1)"))
    assert trips["line"].iloc[0] == legs.geometry.iloc[0].wkt == "LINESTRING (2 1, 3 1, 6 1)"
    assert legs["trip_id"].iloc[0] == 0
    assert fixes["user_id"].tolist() == ["a&b", "a&b", "c"]
    assert str(fixes["tracked_at"].iloc[0]) == "2024-01-01 00:00:00+00:00"
    assert fixes.geometry.iloc[0].y == 39.123456789012345
    assert found["purpose"].tolist()[0] == "go home"
    assert str(found["finished_at"].iloc[0]) == "2024-01-01 23:00:00+00:00"
    assert found.geometry.iloc[1].x == 116.2


def test_movingpandas_reads_points_and_visits(folder: Path, cli: Cli) -> None:
    geopandas, movingpandas = load("geopandas"), load("movingpandas")
    points = export(cli, folder, "points", "m.parquet", "--to", "movingpandas")
    visits = export(cli, folder, "visits", "v.geojson", "--to", "movingpandas")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frames = geopandas.read_parquet(points), geopandas.read_file(visits)
        made = [
            movingpandas.TrajectoryCollection(one, traj_id_col="traj_id", t="t") for one in frames
        ]
    (track,) = made[0].trajectories  # a single point of c makes none
    assert track.id == "a&b"
    assert str(track.df.index[1]) == "2024-01-01 09:00:00.500000"
    (stays,) = made[1].trajectories
    assert len(stays.df) == 4


def test_gpxpy_reads_tracks(folder: Path, cli: Cli) -> None:
    gpxpy = load("gpxpy")
    path = export(cli, folder, "points", "p.gpx", "--timezone", "Asia/Shanghai")
    with path.open() as file:
        tracks = gpxpy.parse(file).tracks
    assert [len(track.segments[0].points) for track in tracks] == [2, 1]
    assert str(tracks[0].segments[0].points[0].time) == "2024-01-01 00:00:00+00:00"
