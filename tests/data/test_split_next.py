"""`data split --task next`: sessions, and which record goes where."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

import humobctl as hm
from humobctl.errors import UsageError
from tests.messages import fails, says

FILES = ("--train", "a.csv", "--validation", "v.csv", "--test", "t.csv")
FEW = ("--min-place-visits", "1", "--min-user-visits", "1")
HEAD = "uid,datetime,lat,lon,place_id\n"


def check_ins(*rows: tuple[str, float, str]) -> str:
    """Check-ins of (user, hours since a Monday, place), each place at a point of its own."""
    start = dt.datetime(2024, 1, 1)
    lines = [
        f"{uid},{(start + dt.timedelta(hours=hour)).isoformat()},42.{ord(place)},-74,{place}\n"
        for uid, hour, place in rows
    ]
    return HEAD + "".join(lines)


def split(cli, folder, text: str, *options: str) -> tuple[dict[str, pl.DataFrame], str]:
    done = cli("data", "split", "--task", "next", *FILES, *options, input=text, cwd=folder)
    assert done.code == 0, done.err
    kinds = {"uid": pl.String}
    names = {"train": "a.csv", "validation": "v.csv", "test": "t.csv"}
    found = {n: pl.read_csv(folder / f, schema_overrides=kinds) for n, f in names.items()}
    return found, done.err


def steps(frame: pl.DataFrame) -> list[tuple[str, int, int, str]]:
    return frame.select("uid", "session", "step", "place_id").rows()


def test_the_first_records_in_time_train(cli, tmp_path):
    rows = [("u", 2.0 * n, "AB"[n % 2]) for n in range(16)]  # 16 of 20 train, until hour 30
    rows += [("u", 100.0, "A"), ("u", 101.0, "B"), ("u", 200.0, "B"), ("u", 201.0, "A")]
    found, said = split(cli, tmp_path, check_ins(*rows), *FEW)
    assert found["train"].height == 16
    # 24 hours from the first record: hour 24 is within, hour 26 begins the next session.
    assert found["train"]["session"].to_list() == [0] * 13 + [1] * 3
    assert steps(found["validation"]) == [("u", 0, 0, "A"), ("u", 0, 1, "B")]
    assert steps(found["test"]) == [("u", 0, 0, "B"), ("u", 0, 1, "A")]
    says(said, "train", "16 records", "2 sessions", "1 user")


def test_unseen_places_and_users_and_single_records_are_counted_and_left_out(cli, tmp_path):
    rows = [("u", 1.0 * n, "AB"[n % 2]) for n in range(15)]
    late = [("u", 50.0, "A"), ("u", 51.0, "B"), ("u", 100.0, "A"), ("u", 101.0, "X")]
    late += [("u", 102.0, "B"), ("v", 103.0, "A"), ("u", 150.0, "B")]
    text = check_ins(*rows, *late)
    fractions = ("--validation-fraction", "0.1", "--test-fraction", "0.2")
    found, said = split(cli, tmp_path, text, *FEW, *fractions)
    assert (found["train"].height, found["validation"].height) == (15, 2)
    assert steps(found["test"]) == [("u", 0, 0, "A"), ("u", 0, 1, "B")]
    says(said, "test", "1 record of users", "1 of places")
    says(said, "test", "1 record in sessions", "fewer than 2")


def test_gap_sessions_and_leave_last_out(cli, tmp_path):
    rows = [("u", hour, "A") for hour in (0, 5, 11, 18)] + [("v", 3.0, "B"), ("v", 4.0, "B")]
    options = (*FEW, "--session", "gap", "--session-hours", "6", "--leave-last-out")
    found, _ = split(cli, tmp_path, check_ins(*rows), *options)
    # 5 to 11 is six hours, which is no longer gap; 11 to 18 is one. Two records all train.
    assert steps(found["train"]) == [
        ("u", 0, 0, "A"),
        ("u", 0, 1, "A"),
        ("v", 0, 0, "B"),
        ("v", 0, 1, "B"),
    ]
    assert steps(found["validation"]) == [("u", 0, 2, "A")]
    assert steps(found["test"]) == [("u", 1, 0, "A")]


def test_rare_places_go_first_then_rare_users(cli, tmp_path):
    rows = [("u", 1.0 * n, "A") for n in range(20)]
    rows += [("v", 30.0, "A"), ("v", 31.0, "B"), ("v", 32.0, "C")]
    done = cli(
        *("data", "split", "--task", "next", "--train", "a.csv", "--test", "t.csv"),
        *("--min-place-visits", "2", "--min-user-visits", "2"),
        input=check_ins(*rows),
        cwd=tmp_path,
    )
    assert done.code == 0, done.err
    says(done.err, "left out 3 of 23 records")  # B and C are rare, and v has one record left
    train = pl.read_csv(tmp_path / "a.csv")
    assert (train.height, train["uid"].unique().to_list()) == (18, ["u"])


def test_cells_and_visits(cli, tmp_path):
    cells = pl.DataFrame(
        {"uid": [1] * 20, "d": range(20), "t": [0] * 20, "x": [1, 2] * 10, "y": [3] * 20}
    )
    parts = hm.split(cells, task="next", min_place_visits=1, min_user_visits=1, session_hours=48)
    assert parts["train"].columns == ["uid", "session", "step", "d", "t", "x", "y"]
    assert parts["train"].height == 18  # without a validation part its records train
    assert parts["test"].select("session", "step", "d").rows() == [(0, 0, 18), (0, 1, 19)]
    visits = "uid,d,seq,start_min,end_min,lat,lon,place_id\n"
    visits += "".join(f"1,{n},0,{60 + n},600,42,-74,{'AB'[n % 2]}\n" for n in range(20))
    options = (*FEW, "--start-date", "2024-03-01", "--session-hours", "48")
    found, _ = split(cli, tmp_path, visits, *options)
    assert found["train"]["datetime"][1].startswith("2024-03-02T01:01")


def test_what_does_not_go_together(cli, tmp_path):
    done = cli("data", "split", "--train", "a", "--test", "b", "--leave-last-out", cwd=tmp_path)
    fails(done, "--leave-last-out", "--task masked", code=2)
    with pytest.raises(UsageError, match="by cannot be combined with --task next"):
        hm.split("x.csv", task="next", by="day")
    text = HEAD.replace(",place_id", "") + "u,2024-01-01T00:00:00,42,-74\n"
    done = cli("-q", "data", "split", "--task", "next", *FILES, input=text, cwd=tmp_path)
    fails(done, "place_id", "data stays")
    assert not list(tmp_path.iterdir())
