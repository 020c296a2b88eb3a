"""`predict --explain` and the calendar, by hand-worked cases."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from humobctl.errors import UsageError
from humobctl.predict.base import SlotDistributions
from humobctl.predict.decode_slots import parse_decode
from humobctl.predict.explain import table
from tests.messages import fails, raises
from tests.predict.helpers import city, user

KNOWN = [(0, 20, 1, 1), (1, 20, 1, 1), (1, 23, 4, 5), (7, 40, 1, 1)]


def test_reasons_by_hand():
    dist = SlotDistributions(
        np.array([[1, 1], [4, 5]], dtype=np.int32), np.array([[0.7, 0.3], [0.6, 0.4]])
    )
    chosen = np.array([[1, 1], [4, 5]], dtype=np.int32)
    # Day 14 is a Sunday, as are days 0 and 7.
    first, second = table(user(KNOWN, [(14, 21), (14, 22)]), city(), dist, chosen).to_dicts()
    assert (first["p"], first["rank"], first["visits"], first["near_slot"]) == (0.7, 1, 3, 2)
    assert (first["same_weekday"], first["last_day"], first["home_km"]) == (2, 7, 0.0)
    assert (second["p"], second["rank"], second["best_x"], second["best_p"]) == (0.4, 2, 1, 0.6)
    assert (second["visits"], second["near_slot"], second["last_day"]) == (1, 1, 1)
    assert second["home_km"] == 2.5  # 3 and 4 cells: 5 cells of half a kilometre


def test_a_cell_that_is_no_candidate_has_no_probability():
    dist = SlotDistributions(np.array([[9, 9]], dtype=np.int32), np.ones((1, 1)))
    cells = np.array([[1, 2]], dtype=np.int32)
    (row,) = table(user([], [(14, 21)]), city(), dist, cells).to_dicts()
    assert (row["p"], row["rank"], row["visits"]) == (None, None, 0)
    assert (row["last_day"], row["home_km"]) == (None, None)


def test_explain_on_the_command_line(cli, workdir):
    done = cli("predict", "challenge.csv", "--explain", "3", cwd=workdir)
    assert done.code == 0
    header, *rows = done.out.splitlines()
    assert header.startswith("d,t,x,y,p,rank,best_x")
    predicted = (workdir / "predicted.csv").read_text().splitlines()
    mine = [line.split(",", 1)[1] for line in predicted if line.startswith("3,")]
    assert [",".join(row.split(",")[:4]) for row in rows] == mine
    done = cli("predict", "challenge.csv", "--explain", "999", cwd=workdir)
    fails(done, "user 999")


def test_a_calendar_says_which_days_are_off(cli, workdir):
    found = city(days=10).with_calendar(pl.DataFrame({"d": [3, 6, 50], "off": [1, 0, 1]}))
    assert np.flatnonzero(found.off).tolist() == [0, 3, 7]
    assert np.flatnonzero(found.holiday).tolist() == [3]
    (workdir / "days.csv").write_text("d,off\n62,1\n63,1\n")
    plain = cli("predict", "challenge.csv", cwd=workdir)
    off = cli("predict", "challenge.csv", "--calendar", "days.csv", cwd=workdir)
    assert off.code == 0
    assert off.out != plain.out
    (workdir / "days.csv").write_text("d,off\n62,2\n")
    done = cli("predict", "challenge.csv", "--calendar", "days.csv", cwd=workdir)
    fails(done, "days.csv", "row 1", "line 2", "column off", 2)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("day", ("day", None)), ("day:0.25", ("day", 0.25)), ("dtw", ("dtw", None))],
)
def test_decoders_are_read(text, expected):
    assert parse_decode(text) == expected


@pytest.mark.parametrize("text", ["", "nights", "day:", "day:2", "day:x", "day:-1", "dtw:0.5"])
def test_other_decoders_are_wrong_usage(text):
    with raises(UsageError, "--decode"):
        parse_decode(text)


def test_the_weight_of_days_trades_geobleu_for_dtw(cli, workdir):
    outs = {
        weight: cli("predict", "challenge.csv", "--decode", f"day:{weight}", cwd=workdir).out
        for weight in ("0", "1")
    }
    for weight, text in outs.items():
        (workdir / f"{weight}.csv").write_text(text)
    done = cli(
        *("eval", "0.csv", "1.csv", "--truth", "city.csv", "-f", "csv", "--metric", "dtw"),
        cwd=workdir,
    )
    values = [float(line.split(",")[2]) for line in done.out.splitlines()[1:5]]
    assert values[0] < values[2]
