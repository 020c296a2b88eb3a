"""Writes the files of ``files/``, each by the tool that owns its format.

Run it with geopandas 1.2, movingpandas 0.23, trackintel 1.4, gpxpy 1.6 and pyarrow.
"""

from __future__ import annotations

import datetime as dt
import gzip
import warnings
from pathlib import Path

import geopandas as gpd
import gpxpy.gpx
import pandas as pd
import pyarrow as pa
import shapely

warnings.simplefilter("ignore")
import movingpandas as mpd  # noqa: E402 - it warns of what it could use
import trackintel as ti  # noqa: E402

HERE = Path(__file__).parent / "files"
TIMES = pd.to_datetime(
    ["2023-01-02 08:00", "2023-01-02 08:05", "2023-01-02 09:00", "2023-01-02 09:10"]
)
LON, LAT = [24.93, 24.94, 24.95, 24.96], [60.17, 60.18, 60.19, 60.2]
USERS = ["ann", "ann", "bob", "bob"]
ACCURACY = [5.0, 8.0, 12.0, 40.0]


def frame(**columns):
    points = gpd.points_from_xy(LON, LAT)
    return gpd.GeoDataFrame(columns, geometry=points, crs="EPSG:4326")


def geopandas():
    fixes = frame(user_id=USERS, time=TIMES, accuracy=ACCURACY)
    finnish = fixes.to_crs("EPSG:3067")
    finnish.to_parquet(HERE / "geopandas_wkb.parquet")
    finnish.to_parquet(HERE / "geopandas_geoarrow.parquet", geometry_encoding="geoarrow")
    fixes.to_crs("EPSG:3857").to_feather(HERE / "geopandas.feather")
    fixes.set_crs(None, allow_override=True).to_parquet(HERE / "geopandas_no_crs.parquet")
    fixes.to_wkt().to_csv(HERE / "geopandas_wkt.csv", index=False)
    finnish.to_file(HERE / "geopandas_3067.geojson", driver="GeoJSON")
    table = pa.table(fixes.to_arrow(geometry_encoding="geoarrow", interleaved=True))
    place = str(HERE / "geoarrow.arrow")
    with pa.OSFile(place, "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def gdal():
    fixes = frame(user_id=USERS, time=TIMES, accuracy=ACCURACY).to_crs("EPSG:3067")
    fixes.to_file(HERE / "pyogrio.fgb", driver="FlatGeobuf", SPATIAL_INDEX="NO")
    plain = HERE / "pyogrio.gpkg"
    fixes.to_file(plain, layer="fixes", driver="GPKG", SPATIAL_INDEX="NO")
    plain.with_name("pyogrio.gpkg.gz").write_bytes(gzip.compress(plain.read_bytes(), mtime=0))
    plain.unlink()
    fixes.assign(time=TIMES.astype(str)).to_file(HERE / "pyogrio.shp")


def movingpandas():
    fixes = frame(traj_id=USERS, t=TIMES).set_index("t")
    moved = mpd.TrajectoryCollection(fixes, "traj_id").to_point_gdf()
    moved.to_parquet(HERE / "movingpandas.parquet")
    moved.to_file(HERE / "movingpandas.geojson", driver="GeoJSON")


def trackintel():
    zone = TIMES.tz_localize("Europe/Helsinki")
    fixes = frame(user_id=USERS, tracked_at=zone, accuracy=ACCURACY).rename_geometry("geom")
    fixes.index.name = "id"
    fixes = ti.Positionfixes(fixes)
    fixes.to_csv(HERE / "trackintel_positionfixes.csv")
    fixes.to_parquet(HERE / "trackintel_positionfixes.parquet")
    stays = frame(
        user_id=USERS,
        started_at=zone,
        finished_at=zone + pd.Timedelta(minutes=30),
        purpose=["home", "restaurant", "work", "unknown"],
    ).rename_geometry("geom")
    stays.index.name = "id"
    stays = ti.Staypoints(stays)
    stays.to_csv(HERE / "trackintel_staypoints.csv")
    stays.to_parquet(HERE / "trackintel_staypoints.parquet")


def trackintel_ways():
    zone = TIMES.tz_localize("Europe/Helsinki")
    ways = gpd.GeoDataFrame(
        {
            "user_id": ["ann", "bob"],
            "started_at": zone[[0, 2]],
            "finished_at": zone[[1, 3]],
            "mode": ["walk", None],
            "trip_id": pd.array([0, 1], dtype="Int64"),
        },
        geometry=[
            shapely.LineString([(24.93, 60.17), (24.935, 60.175), (24.94, 60.18)]),
            shapely.LineString([(24.95, 60.19), (24.96, 60.2)]),
        ],
        crs="EPSG:4326",
    ).rename_geometry("geom")
    ways.index.name = "id"
    ti.Triplegs(ways).to_csv(HERE / "trackintel_triplegs.csv")
    trips = ways.drop(columns=["mode", "trip_id"]).assign(
        origin_staypoint_id=pd.array([4, pd.NA], dtype="Int64"),
        destination_staypoint_id=pd.array([5, 6], dtype="Int64"),
        primary_mode=["walk", None],
        destination_purpose=["restaurant", "unknown"],
        geom=ways.geometry.map(lambda line: shapely.MultiPoint([line.coords[0], line.coords[-1]])),
    )
    ti.Trips(trips).to_csv(HERE / "trackintel_trips.csv")


def gpx():
    whole = gpxpy.gpx.GPX()
    whole.waypoints.append(gpxpy.gpx.GPXWaypoint(60.0, 24.0, name="a café"))
    track = gpxpy.gpx.GPXTrack(name="to work")
    whole.tracks.append(track)
    for part in (slice(0, 2), slice(2, 4)):
        segment = gpxpy.gpx.GPXTrackSegment()
        track.segments.append(segment)
        for lat, lon, time in zip(LAT[part], LON[part], TIMES[part], strict=True):
            moment = time.to_pydatetime().replace(tzinfo=dt.UTC)
            segment.points.append(
                gpxpy.gpx.GPXTrackPoint(lat, lon, elevation=3.5, time=moment, name="& <b>")
            )
    (HERE / "gpxpy.gpx").write_text(whole.to_xml())


HERE.mkdir(exist_ok=True)
for make in (geopandas, gdal, movingpandas, trackintel, trackintel_ways, gpx):
    make()
