"""Whatever tells where people were becomes stays."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from humobctl.data.importers.stays import read_stays
from humobctl.data.importers.table_kind import kind_of
from humobctl.errors import HumobError
from humobctl.tables.schemas import GRID, INTENTS, POINTS, VISITS
from humobctl.tables.stays import UNKNOWN_INTENT, Stays, at_least
from tests.messages import raises, says


def stays_of(path, **options) -> Stays:
    table = read_stays(str(path), **options)
    return table.on(table.plane())


def times(stays: Stays) -> list[tuple[int, int, int, int]]:
    columns = (stays.uid, stays.day, stays.start, stays.end)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_visits_keep_their_rows(tmp_path) -> None:
    path = tmp_path / "v.csv"
    path.write_text(
        "uid,d,seq,intent,start_min,end_min,place_id,lat,lon\n"
        "9,1,0,eat,30,60,a,40.0,116.0\n"
        "4,0,1,go home,700,1440,,40.0,116.01\n"
        "4,0,0,go to sleep,0,600,,40.01,116.0\n"
        "9,1,1,,60,90,a,40.0,116.0\n"
    )
    found = stays_of(path)
    assert times(found) == [(0, 0, 0, 600), (0, 0, 700, 1440), (1, 1, 30, 60), (1, 1, 60, 90)]
    codes = [INTENTS.index(name) for name in ("go to sleep", "go home", "eat")]
    assert found.intent.tolist() == [*codes, UNKNOWN_INTENT]
    assert len(set(found.place.tolist())) == 3
    assert found.place[2] == found.place[3]
    steps = np.hypot(np.diff(found.east), np.diff(found.north))
    # 0.01 degrees of latitude and 0.01 * cos(40 degrees) of longitude.
    assert steps[0] == pytest.approx(1111.95 * np.hypot(1, np.cos(np.radians(40))), rel=1e-3)
    assert found.day_starts().tolist() == [0, 2, 4]
    assert found.people() == 2


def test_runs_of_cells(tmp_path) -> None:
    path = tmp_path / "cells.csv"
    rows = [(0, 10, 5, 5), (0, 11, 5, 5), (0, 14, 5, 5), (0, 15, 5, 7), (0, 16, 5, 5)]
    rows += [(1, 0, 5, 5)]
    path.write_text("uid,d,t,x,y\n" + "".join(f"3,{','.join(map(str, r))}\n" for r in rows))
    assert kind_of(str(path)) is GRID
    found = stays_of(path, cell_km=2.0)
    assert times(found) == [(0, 0, 300, 450), (0, 0, 450, 480), (0, 0, 480, 510), (0, 1, 0, 30)]
    assert np.diff(found.north).tolist() == [4000, -4000, 0]
    assert np.diff(found.east).tolist() == [0, 0, 0]
    assert found.place[0] == found.place[2] == found.place[3] != found.place[1]


def test_points_last_until_the_next_one(tmp_path) -> None:
    path = tmp_path / "checkins.csv"
    path.write_text(
        "user_id,timestamp,lat,lng,venue_id\n"
        "bo,2024-05-02 08:00:59,40.0,116.0,a\n"
        "bo,2024-05-02 09:00:00,40.0,116.2,a\n"
        "bo,2024-05-02 12:30:00,40.0,116.0,b\n"
        "al,2024-05-01 23:50:00,40.0,116.0,b\n"
        "bo,2024-05-03 07:00:00,40.0,116.0,b\n"
    )
    assert kind_of(str(path)) is POINTS
    found = stays_of(path)
    # The last stay of a day has no length that is known.
    assert times(found) == [
        (0, 0, 1430, 1430),
        (1, 1, 480, 750),
        (1, 1, 750, 750),
        (1, 2, 420, 420),
    ]
    assert found.place[0] == found.place[2] == found.place[3] != found.place[1]


@pytest.mark.parametrize("whole", [True, False])
def test_traces_of_copb(tmp_path, whole: bool) -> None:
    traces = [
        [["Go to sleep", "(00:00, 08:00)", ["home", 7]], ["eat", "(09:00, 09:30)", ["r", 8]]],
        [["go home", "(00:00, 24:00)", ["home", 9]]],
    ]
    (tmp_path / "places.csv").write_text("place_id,lat,lon\n7,40.0,116\n8,40.01,116\n9,40.0,116\n")
    if whole:
        path = tmp_path / "traces.json"
        path.write_text(json.dumps(traces))
    else:
        path = tmp_path / "traces"
        path.mkdir()
        for index, trace in enumerate(traces):
            (path / f"trace_0_{index}.json").write_text(json.dumps(trace))
    assert kind_of(str(path)) is VISITS
    found = stays_of(path, places=str(tmp_path / "places.csv"))
    assert times(found) == [(0, 0, 0, 480), (0, 0, 540, 570), (1, 0, 0, 1440)]
    assert [INTENTS[code] for code in found.intent] == ["go to sleep", "eat", "go home"]
    with raises(HumobError, "places by id", "--places"):
        stays_of(path)


def test_stay_lists_of_copb(tmp_path) -> None:
    path = tmp_path / "stays.json"
    path.write_text(
        '{"3": [[0.0, 0.25, 1, "12", [116.3, 39.9]], [0.5, 1.0, 1, "13", [116.4, 40]]]}'
    )
    assert kind_of(str(path)) is VISITS
    assert times(stays_of(path)) == [(0, 0, 0, 360), (0, 0, 720, 1440)]


def test_real_stays_as_they_are(shared_data) -> None:
    found = stays_of(shared_data / "beijing" / "stays.parquet")
    assert (len(found), found.people(), len(found.day_starts()) - 1) == (22431, 5469, 5469)
    assert len(np.unique(found.place)) == 3932
    assert set(found.intent.tolist()) == {UNKNOWN_INTENT}
    table = pl.read_parquet(shared_data / "beijing" / "stays.parquet")
    lasting = float((table["end_min"] - table["start_min"]).mean())  # type: ignore[arg-type]
    assert float((found.end - found.start).mean()) == pytest.approx(lasting, abs=0.05)


def test_unknown_intents_are_told_of(tmp_path, capsys) -> None:
    path = tmp_path / "v.csv"
    path.write_text(
        "uid,d,seq,intent,start_min,end_min,lat,lon\n1,0,0,nap,0,9,1,1\n1,0,1,eat,9,19,1,1\n"
    )
    assert stays_of(path).intent.tolist() == [UNKNOWN_INTENT, INTENTS.index("eat")]
    says(capsys.readouterr().err, "1 stay", "intent")


def test_bad_rows_are_dropped_and_counted(tmp_path, capsys) -> None:
    path = tmp_path / "v.csv"
    path.write_text("uid,seq,start_min,end_min,lat,lon\n1,0,0,9,1,1\n1,1,9,1500,1,1\n")
    with raises(HumobError, "row 2"):
        stays_of(path)
    assert len(stays_of(path, on_error="drop")) == 1
    says(capsys.readouterr().err, "dropped 1 row")


def test_masked_cells_are_refused(tmp_path) -> None:
    path = tmp_path / "cells.csv"
    path.write_text("uid,d,t,x,y\n3,0,0,5,5\n3,60,0,999,999\n")
    with raises(HumobError, "cells.csv", 999, "(3, 60, 0)"):
        read_stays(str(path))


def test_cells_and_points_are_not_mixed(tmp_path) -> None:
    (tmp_path / "cells.csv").write_text("uid,d,t,x,y\n3,0,0,5,5\n")
    (tmp_path / "points.csv").write_text("uid,datetime,lat,lon\n3,2024-01-01 00:00:00,5,5\n")
    cells, points = (read_stays(str(tmp_path / f"{name}.csv")) for name in ("cells", "points"))
    with raises(HumobError, "points.csv", "found points", "cells"):
        points.on(cells.plane())
    with raises(HumobError, "cells.csv", "found cells", "points"):
        cells.on(points.plane())


def test_another_city_has_a_plane_of_its_own(tmp_path, capsys) -> None:
    near, far = (tmp_path / f"{name}.csv" for name in ("near", "far"))
    head = "uid,seq,start_min,end_min,lat,lon\n"
    near.write_text(head + "1,0,0,9,0,0\n1,1,9,19,0,0.01\n")
    far.write_text(head + "1,0,0,9,60,20\n1,1,9,19,60,20.01\n")
    plane = read_stays(str(near)).plane()
    found = read_stays(str(far)).on(plane)
    # Half as long at 60 degrees north, and not where the reference lies.
    assert np.diff(found.east)[0] == pytest.approx(1111.95 / 2, rel=1e-4)
    assert found.north.min() > 6e6
    says(capsys.readouterr().err, "km", "reference")


def test_days_of_few_stays() -> None:
    uid, day = np.array([0, 0, 0, 1, 2, 2]), np.array([0, 0, 1, 0, 5, 5], np.int32)
    zeros = np.zeros(6)
    stays = Stays(uid, day, day, day, uid, zeros, zeros, np.full(6, -1, np.int8))
    assert stays.day_starts().tolist() == [0, 2, 3, 4, 6]
    kept = at_least(stays, 2)
    assert kept.uid.tolist() == [0, 0, 2, 2]
    assert (kept.people(), stays.people()) == (2, 3)
    none = at_least(stays, 3)
    assert (len(none), none.people(), none.day_starts().tolist()) == (0, 0, [0])
