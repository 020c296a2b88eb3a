"""CoPB's data folder: the pickles that are not stays, templates, points a line."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.conftest import Cli
from tests.messages import fails, says

HOME, WORK = ("Gate 3", 70, (116.3, 39.9)), ("Tower", 71, (116.4, 39.95))
PLAN = [["go to sleep", "(00:00, 08:12)"], ["Go to work", "(9:01, 18:00)"]]


def imported(cli: Cli, tmp_path: Path, name: str, value: Any, *options: str) -> list[str]:
    path = tmp_path / name
    path.write_bytes(pickle.dumps(value))
    done = cli("data", "import", str(path), *options)
    assert done.code == 0, done.err
    says(done.err, "CoPB")
    return done.out.splitlines()


def test_homes_and_works(cli: Cli, tmp_path: Path) -> None:
    pairs = [(HOME, WORK), (WORK, HOME)]
    found = imported(cli, tmp_path, "hws.pkl", pairs)
    assert found[0].startswith("id,home_lat,home_lon,work_lat,work_lon")
    assert found[1].startswith("0,39.9,116.3,39.95,116.4,")
    by_id = [(HOME[:2], WORK[:2])]
    (tmp_path / "bare.pkl").write_bytes(pickle.dumps(by_id))
    fails(cli("data", "import", str(tmp_path / "bare.pkl")), "row 1", 70, "--places")
    (tmp_path / "places.csv").write_text("place_id,lat,lon\n70,39.9,116.3\n71,39.95,116.4\n")
    again = imported(cli, tmp_path, "bare.pkl", by_id, "--places", str(tmp_path / "places.csv"))
    assert again[1] == found[1]
    (tmp_path / "bad.pkl").write_bytes(pickle.dumps([*pairs, (HOME, ("x", 1, "nowhere"))]))
    fails(cli("data", "import", str(tmp_path / "bad.pkl")), "row 3")
    dropped = cli("data", "import", str(tmp_path / "bad.pkl"), "--on-error", "drop")
    assert len(dropped.out.splitlines()) == 3


def test_profiles_with_and_without_people(cli: Cli, tmp_path: Path) -> None:
    text = "Bachelor's degree-man-medium-IT Engineer"
    found = imported(cli, tmp_path, "profileWordDict.pkl", {"0": (text, 3960)})
    assert found[1] == "0,Bachelor's degree,man,medium,IT Engineer,,,,,3960"
    found = imported(cli, tmp_path, "Labeled_profile.pkl", {"12": text, "7": "a-b-c-d-e"})
    assert found[1:] == ["12,Bachelor's degree,man,medium,IT Engineer,,,,", "7,a,b,c,d-e,,,,"]
    (tmp_path / "bad.pkl").write_bytes(pickle.dumps({"0": (text, 1), "1": ("a-b", 2)}))
    fails(cli("data", "import", str(tmp_path / "bad.pkl")), "profile 1", "occupation")


def test_pickles_that_are_no_tables_are_named(cli: Cli, tmp_path: Path) -> None:
    for name, value in (
        ("data.pkl", ({"a": 1}, {}, {}, {}, {}, {})),
        ("timeDistribution_Event.pkl", {"eat": {"0-1": 0.75, "1-2": 0.25}}),
    ):
        (tmp_path / name).write_bytes(pickle.dumps(value))
        fails(cli("data", "import", str(tmp_path / name)), name, "CoPB")
    fails(cli("data", "import", str(tmp_path)), "data.pkl, timeDistribution_Event.pkl", "directory")


def test_templates_become_intentions_of_their_profiles(cli: Cli, tmp_path: Path) -> None:
    folder = tmp_path / "Res0"
    folder.mkdir()
    (folder / "GenResult_12.json").write_text(json.dumps(PLAN))
    (folder / "GenResult_3.json").write_text(json.dumps([["have lunch", "(12:00, 13:00)"]]))
    done = cli("data", "import", str(folder))
    says(done.err, "CoPB")
    assert done.out.splitlines()[1:] == [
        "3,0,0,eat,720,780,",
        "12,0,0,go to sleep,0,492,",
        "12,0,1,go to work,541,1080,",
    ]
    single = cli("data", "import", str(folder / "GenResult_12.json"))
    assert single.out.splitlines()[1] == "12,0,0,go to sleep,0,492,"
    (folder / "GenResult_3.json").write_text('[["eat","(12:00, 13:00)"],["eat","noon"]]')
    fails(cli("data", "import", str(folder)), "GenResult_3.json", "row 2", "noon")
    dropped = cli("data", "import", str(folder), "--on-error", "drop")
    assert len(dropped.out.splitlines()) == 4


@pytest.mark.parametrize(
    "point",
    [
        "[116.3, 39.9]",
        "[39.9, 116.3]",
        '{"Longitude": 116.3, "Latitude": 39.9}',
    ],
)
def test_points_a_line_stand_at_equal_steps(cli: Cli, tmp_path: Path, point: str) -> None:
    day = f"[{point}, {point}]\n"
    (tmp_path / "a.jsonl").write_text(day + day)
    done = cli("data", "import", "a.jsonl", "--start-date", "2023-01-01", cwd=tmp_path)
    assert done.out.splitlines()[1:] == [
        "1,2023-01-01T00:00:00.000000,39.9,116.3,,",
        "1,2023-01-01T12:00:00.000000,39.9,116.3,,",
        "2,2023-01-01T00:00:00.000000,39.9,116.3,,",
        "2,2023-01-01T12:00:00.000000,39.9,116.3,,",
    ]
    says(done.err, "CoPB", 4)


def test_points_a_line_with_times_and_faults(cli: Cli) -> None:
    timed = '[["08:10", 116.3, 39.9]]\n[["09:10", 116.3, 39.9]]\n'
    done = cli("data", "import", input=timed)
    assert done.out.splitlines()[1] == "1,2000-01-01T08:10:00.000000,39.9,116.3,,"
    says(done.err, "--start-date")
    fails(cli("data", "import", input="[[24.9, 60.2]]\n[[24.9, 60.2]]\n"), "latitude")
    fails(cli("data", "import", input="[[116, 39]]\n[[116, 39], [1]]\n"), "person-day 2", "row 2")


def test_times_of_day_get_a_date(cli: Cli, tmp_path: Path) -> None:
    table = {"trajectory_id": [5, 5], "time": ["08:10", "23:50"], "lat": [39.9] * 2}
    pl.DataFrame({**table, "lon": [116.3] * 2}).write_parquet(tmp_path / "a.parquet")
    path = str(tmp_path / "a.parquet")
    done = cli("data", "import", path, "--start-date", "2023-01-02")
    assert done.out.splitlines()[2] == "5,2023-01-02T23:50:00.000000,39.9,116.3,,"
    says(cli("data", "import", path).err, "2000-01-01", "--start-date")
    dated = "uid,datetime,lat,lon\na,2023-01-02 08:00,60,24\n"
    fails(cli("data", "import", "--start-date", "2023-01-02", input=dated), "--start-date", code=2)
