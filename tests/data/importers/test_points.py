"""Points in anyone's column names."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from humobctl.data.importers.options import ImportOptions
from humobctl.data.importers.run import import_data
from humobctl.errors import HumobError, TableError
from humobctl.tables.schemas import POINTS
from tests.messages import raises, says

AT = dt.datetime(2012, 4, 3, 18, 0, 9)
GOOD = [("7", AT, 39.9, 116.3, None, None), ("8", AT, 40.0, 116.4, None, None)]


def frame(path: Path, **options: Any) -> pl.DataFrame:
    imported = import_data(str(path), ImportOptions(**options))
    assert imported.table is POINTS
    return pl.concat(imported.batches)


def rows(tmp_path: Path, text: str, **options: Any) -> list[tuple[Any, ...]]:
    path = tmp_path / "a.csv"
    path.write_text(text)
    return frame(path, **options).rows()


@pytest.mark.parametrize(
    "text",
    [
        "uid,datetime,lat,lng\n7,2012-04-03 18:00:09,39.9,116.3\n"
        "8,2012-04-03 18:00:09,40.0,116.4\n",
        "user_id\tlat\tlon\ttimestamp\n7\t39.9\t116.3\t2012-04-03T18:00:09\n"
        "8\t40\t116.4\t2012-04-03T18:00:09\n",
        "lon;lat;time;user\n116.3;39.9;2012/04/03 18:00:09;7\n116.4;40;2012/04/03 18:00:09;8\n",
        "user_id,tracked_at,geom\n7,2012-04-03 18:00:09,POINT (116.3 39.9)\n"
        "8,2012-04-03 18:00:09,point(1.164e2 40)\n",
        "agent_id,timestamp,latitude,longitude\n7,1333476009,39.9,116.3\n"
        "8,1333476009000,40,116.4\n",
    ],
    ids=["scikit-mobility", "plain, tabs", "semicolons", "trackintel", "seconds since 1970"],
)
def test_points_come_in_the_names_of_the_field(tmp_path: Path, text: str) -> None:
    assert rows(tmp_path, text) == GOOD


def test_parquet_and_ndjson_come_in_too(tmp_path: Path) -> None:
    table = pl.DataFrame(
        {"user": [7.0, 8.0], "lat": [39.9, 40], "lng": [116.3, 116.4], "time": [AT, AT]}
    )
    table.write_parquet(tmp_path / "a.parquet")
    table.with_columns(pl.col("time").dt.strftime("%Y-%m-%d %H:%M:%S")).write_ndjson(
        tmp_path / "a.ndjson"
    )
    table.write_ipc_stream(tmp_path / "a.arrow")
    for name in ("a.parquet", "a.ndjson", "a.arrow"):
        assert frame(tmp_path / name).rows() == GOOD


def test_columns_say_what_the_table_of_names_does_not(tmp_path: Path) -> None:
    text = "who,when,phi,lambda,venue\n7,2012-04-03 18:00:09,39.9,116.3,Bar\n"
    columns = {"who": "uid", "when": "datetime", "phi": "lat", "lambda": "lon", "venue": "place_id"}
    assert rows(tmp_path, text, columns=columns) == [("7", AT, 39.9, 116.3, "Bar", None)]


def test_zones(tmp_path: Path) -> None:
    zoned = "uid,datetime,lat,lon\n7,2012-04-03T18:00:09+02:00,39.9,116.3\n"
    assert rows(tmp_path, zoned)[0][1] == AT - dt.timedelta(hours=2)
    assert rows(tmp_path, zoned, timezone="Europe/Zurich")[0][1] == AT
    naive = "uid,datetime,lat,lon\n7,2012-04-03 18:00:09,39.9,116.3\n"
    assert rows(tmp_path, naive, timezone="Asia/Tokyo")[0][1] == AT
    moved = rows(tmp_path, naive, timezone="Asia/Tokyo", source_timezone="UTC")
    assert moved[0][1] == AT + dt.timedelta(hours=9)


def test_times_that_timezone_leaves_as_they_are_are_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mixed = (
        "uid,datetime,lat,lon\n7,2012-04-03 18:00:09,39.9,116.3\n8,2012-04-03 18:00,39.9,116.3\n"
        "7,2012-04-03T18:00:09Z,39.9,116.3\n"
    )
    rows(tmp_path, mixed, timezone="Asia/Tokyo")
    says(capsys.readouterr().err.splitlines()[-1], 2, "without a zone", "--source-timezone UTC")
    rows(tmp_path, mixed)
    says(capsys.readouterr().err.splitlines()[-1], 2, "without a zone", "--timezone ZONE")
    for options in (
        {"source_timezone": "UTC"},
        {"timezone": "Asia/Tokyo", "source_timezone": "UTC"},
    ):
        rows(tmp_path, mixed, **options)
        assert "without a zone" not in capsys.readouterr().err
    rows(tmp_path, mixed[: mixed.index("7")] + mixed[mixed.rindex("7") :], timezone="Asia/Tokyo")
    assert "without a zone" not in capsys.readouterr().err


def test_a_header_with_utc_and_offset_gives_local_time(tmp_path: Path) -> None:
    text = (
        "userId,venueId,venueCategory,latitude,longitude,timezoneOffset,utcTimestamp\n"
        "470,v1,Bar,40.7,-74.0,-240,Tue Apr 03 22:00:09 +0000 2012\n"
    )
    assert rows(tmp_path, text) == [("470", AT, 40.7, -74.0, "v1", "Bar")]


@pytest.mark.parametrize(
    ("row", "names"),
    [
        ("8,noon,40,116.4", ("column datetime", "'noon'")),
        ("8,2012-04-03 18:00:09,north,1", ("column lat", "'north'")),
        ("8,2012-04-03 18:00:09,91,1", ("column lat", 91)),
        ("8,2012-04-03 18:00:09,9,181", ("column lon", 181)),
        (",2012-04-03 18:00:09,9,1", ("column uid", "nothing")),
        ("8,,9,1", ("column datetime", "nothing")),
        ("8,2012-04-03 18:00:09,9", (3, 4, "fields")),
        ("8,2012-04-03 18:00:09,nan,1", ("column lat", "nan")),
    ],
)
def test_a_fault_is_named_with_its_place_or_dropped(
    tmp_path: Path, row: str, names: tuple[str, ...]
) -> None:
    good = "7,2012-04-03 18:00:09,39.9,116.3"
    text = f"uid,datetime,lat,lon\n{good}\n{row}\n{good}\n"
    with raises(TableError, "row 2", "line 3", *names):
        rows(tmp_path, text)
    assert rows(tmp_path, text, on_error="drop") == [GOOD[0], GOOD[0]]


def test_a_fault_after_a_dropped_row_keeps_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "uid,datetime,lat,lon\n7,noon,1,2\n7,2012-04-03,91,2\n7,2012-04-03,1,2\n"
    assert len(rows(tmp_path, text, on_error="drop")) == 1
    said = capsys.readouterr().err
    says(said, "row 1", "line 2", "column datetime", "'noon'")
    says(said, "row 2", "line 3", "column lat", 91)


def test_a_geometry_that_is_no_point_is_named(tmp_path: Path) -> None:
    text = "uid,datetime,geom\n7,2012-04-03 18:00:09,LINESTRING (0 0)\n"
    with raises(TableError, "column geom", "'LINESTRING (0 0)'", "POINT"):
        rows(tmp_path, text)


def test_a_time_that_the_clocks_skip_is_named(tmp_path: Path) -> None:
    text = "uid,datetime,lat,lon\n7,2024-03-31 02:30:00,47,8\n"
    with raises(TableError, "column datetime", "'2024-03-31 02:30:00'", "Europe/Zurich"):
        rows(tmp_path, text, source_timezone="Europe/Zurich")


def test_missing_columns_are_named_with_the_names_they_may_have(tmp_path: Path) -> None:
    with raises(HumobError, "uid, lat, lon", "datetime"):
        rows(tmp_path, "uid,lat,lon\n7,39.9,116.3\n")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 99),
            st.datetimes(dt.datetime(1971, 1, 1), dt.datetime(2099, 1, 1)),
            st.floats(-90, 90).map(lambda v: round(v, 6)),
            st.floats(-180, 180).map(lambda v: round(v, 6)),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_what_was_written_is_read(tmp_path: Path, points: list[tuple[Any, ...]]) -> None:
    body = "".join(f"{u},{m.isoformat(' ')},{lat!r},{lon!r}\n" for u, m, lat, lon in points)
    found = rows(tmp_path, "uid,datetime,lat,lon\n" + body, keep_zero=True)
    assert [row[:4] for row in found] == [(str(u), m, lat, lon) for u, m, lat, lon in points]


def test_real_checkins_and_gps_come_in_whole(shared_data: Path) -> None:
    checkins = frame(shared_data / "foursquare-nyc" / "checkins.parquet")
    assert checkins.height == 105860
    assert checkins["uid"].n_unique() == 758
    assert checkins["place_id"].null_count() == 0
    gps = frame(shared_data / "geolife" / "geolife_sample.txt.gz")
    assert gps.height == 217653
    assert gps.row(0) == (
        "001",
        dt.datetime(2008, 10, 23, 5, 53, 5),
        39.984094,
        116.319236,
        None,
        None,
    )
