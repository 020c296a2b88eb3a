"""CoPB's stay lists, traces and pickled data sets."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from humobctl.data.importers.copb import is_people, kind_of
from humobctl.data.importers.options import ImportOptions
from humobctl.data.importers.run import import_data
from humobctl.errors import HumobError, TableError
from humobctl.tables.schemas import POINTS, VISITS
from tests.messages import raises

PICKLES = Path(__file__).parent / "pickles"
TRACE = [
    ["go to sleep", "(00:00, 07:30)", ["Home", 70]],
    ["Go to work", "(9:21, 16:56)", ["Office", 71, 0.3, 120.0]],
    ["go home", "(18:00, 23:59)", ["Home", 70]],
]
# 0.25 of a day is 360 minutes
STAYS = {"5": [[0.0, 0.25, 1, 12, [116.3, 39.9]], [0.5, 1.0, 1, 13, [116.4, 39.8]]]}


def rows(path: Path, format: str = "auto", **options: Any) -> list[tuple[Any, ...]]:
    imported = import_data(str(path), ImportOptions(**options), format)
    assert imported.table is VISITS
    return pl.concat(imported.batches).rows()


def save(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value))
    return path


@pytest.fixture
def places(tmp_path: Path) -> str:
    (tmp_path / "places.csv").write_text("place_id,lat,lon\n70,39.9,116.3\n71,39.95,116.35\n")
    return str(tmp_path / "places.csv")


EXPECTED = [
    (0, 0, 0, "go to sleep", 0, 450, "70", 39.9, 116.3),
    (0, 0, 1, "go to work", 561, 1016, "71", 39.95, 116.35),
    (0, 0, 2, "go home", 1080, 1439, "70", 39.9, 116.3),
]


def test_a_trace_becomes_visits_with_a_place_table(tmp_path: Path, places: str) -> None:
    assert rows(save(tmp_path / "trace_0_0.json", TRACE), places=places) == EXPECTED


def test_a_trace_without_places_says_what_it_needs(tmp_path: Path) -> None:
    with raises(HumobError, 70, "id", "--places"):
        rows(save(tmp_path / "t.json", TRACE))


def test_a_place_that_is_not_in_the_table_is_named(tmp_path: Path, places: str) -> None:
    trace = [*TRACE, ["eat", "(12:00, 13:00)", ["Café", 99]]]
    path = save(tmp_path / "t.json", trace)
    with raises(TableError, "place 99", 1, "unknown"):
        rows(path, places=places)
    assert rows(path, places=places, on_error="drop") == EXPECTED


def test_a_folder_of_traces_numbers_people_in_natural_order(tmp_path: Path, places: str) -> None:
    folder = tmp_path / "traces"
    folder.mkdir()
    for number in (10, 2):
        save(folder / f"trace_{number}_0.json", TRACE[: 1 + (number == 10)])
    found = rows(folder, places=places, uid_map=str(tmp_path / "map.csv"))
    assert [(row[0], row[2]) for row in found] == [(0, 0), (1, 0), (1, 1)]
    mapped = (tmp_path / "map.csv").read_text().splitlines()
    assert mapped[0] == "uid,name"
    assert [Path(line.split(",")[1]).name for line in mapped[1:]] == [
        "trace_2_0.json",
        "trace_10_0.json",
    ]


def test_traces_with_coordinates_need_no_table(tmp_path: Path) -> None:
    path = save(tmp_path / "t.json", [["eat", "(12:00, 13:00)", [116.3, 39.9]]])
    assert rows(path) == [(0, 0, 0, "eat", 720, 780, None, 39.9, 116.3)]


@pytest.mark.parametrize(
    ("item", "names"),
    [
        (["eat", "noon", ["Café", 1]], ("row 2", "['eat', 'noon'")),
        (["eat", "(12:00, 13:00)", []], ("row 2", "['eat'")),
        (["eat", "(12:00, 11:00)", [116.3, 39.9]], ("row 2", "720, 660")),
    ],
)
def test_a_broken_item_is_named_or_dropped(tmp_path: Path, item: Any, names: Any) -> None:
    good = ["eat", "(12:00, 13:00)", [116.3, 39.9]]
    path = save(tmp_path / "t.json", [good, item])
    with raises(TableError, *names):
        rows(path)
    assert len(rows(path, on_error="drop")) == 1


@pytest.mark.parametrize("packed", ["json", "pickle"])
def test_stay_lists_become_visits(tmp_path: Path, packed: str) -> None:
    path = tmp_path / f"stays.{packed}"
    if packed == "json":
        save(path, STAYS)
    else:
        path.write_bytes(pickle.dumps({5: [tuple(stay) for stay in STAYS["5"]]}))
    assert rows(path) == [
        (5, 0, 0, None, 0, 360, "12", 39.9, 116.3),
        (5, 0, 1, None, 720, 1440, "13", 39.8, 116.4),
    ]


def test_what_holds_people_is_known() -> None:
    assert is_people(TRACE)
    assert kind_of(TRACE) == "traces"
    assert is_people([TRACE, TRACE])
    assert kind_of([TRACE]) == "traces"
    assert is_people(STAYS)
    assert kind_of(STAYS) == "stay lists"
    assert not is_people([1, 2, 3])
    assert not is_people({"a": 1})
    assert not is_people([])


def test_a_stay_table_has_its_minutes_rounded_and_seq_counted(tmp_path: Path) -> None:
    path = tmp_path / "stays.csv"
    path.write_text(
        "user_id,start_min,end_min,lng,lat\n5,0,53.63,116.3,39.9\n5,541.67,980.5,116.4,39.8\n"
        "9,0,1439.98,116.0,39.0\n"
    )
    assert rows(path) == [
        (5, 0, 0, None, 0, 54, None, 39.9, 116.3),
        (5, 0, 1, None, 542, 980, None, 39.8, 116.4),
        (9, 0, 0, None, 0, 1440, None, 39.0, 116.0),
    ]


def test_text_in_a_minute_of_a_stay_is_named(tmp_path: Path) -> None:
    path = tmp_path / "stays.csv"
    path.write_text("uid,start_min,end_min,lon,lat\n5,0,late,116.3,39.9\n")
    with raises(TableError, "row 1", "line 2", "column end_min", "'late'"):
        rows(path)


def test_real_stays_of_beijing_come_in_whole(shared_data: Path) -> None:
    found = rows(shared_data / "beijing" / "stays.parquet")
    assert len(found) == 22431
    assert found[0] == (5, 0, 0, None, 0, 54, "0", found[0][7], found[0][8])
    assert found[0][7:] == pytest.approx((39.930103, 116.35994), abs=1e-5)


def points(path: Path, **options: Any) -> list[tuple[Any, ...]]:
    imported = import_data(str(path), ImportOptions(**options))
    assert imported.table is POINTS
    frame = pl.concat(imported.batches)
    return frame.with_columns(pl.col("datetime").dt.strftime("%Y-%m-%d %H:%M:%S")).rows()


@pytest.mark.parametrize("name", ["foursquare_1.5.3", "foursquare_2.2.3", "foursquare_3.0.0"])
def test_pickled_frames_by_user_become_points(name: str) -> None:
    assert points(PICKLES / f"{name}.pkl") == [
        ("7", "2012-04-03 18:00:09", 35.7, 139.7, "v1", "eat"),
        ("7", "2012-04-03 23:10:00", 35.68, 139.75, "v2", "go home"),
        ("7", "2012-04-04 09:00:00", 35.69, 139.69, "v3", "go to work"),
        ("9", "2012-04-05 08:30:00", 35.7, 139.7, "v1", "eat"),
    ]


def test_pickled_frames_without_times_are_spread_over_a_day() -> None:
    import datetime as dt

    # Three rows a day: one every eight hours.
    found = points(PICKLES / "tencent_2.2.3.pkl", start_date=dt.date(2020, 3, 2))
    assert [row[:2] for row in found] == [
        ("0", "2020-03-02 00:00:00"),
        ("0", "2020-03-02 08:00:00"),
        ("0", "2020-03-02 16:00:00"),
        ("1", "2020-03-02 00:00:00"),
        ("1", "2020-03-02 08:00:00"),
        ("1", "2020-03-02 16:00:00"),
    ]


def test_a_pickle_of_something_else_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps({"a": 1}))
    with raises(HumobError, "pickled dict", "data frames"):
        points(path)
