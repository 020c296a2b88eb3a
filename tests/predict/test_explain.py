"""`predict --explain` and the calendar, by hand-worked cases."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from humobctl.errors import UsageError
from humobctl.predict.base import SlotDistributions
from humobctl.predict.decode_days.config import DayConfig
from humobctl.predict.decode_days.terms import TERMS
from humobctl.predict.decode_slots import parse_decode
from humobctl.predict.explain import decoding, table
from tests.messages import fails, raises
from tests.plots.svg import texts
from tests.predict.helpers import city, user

KNOWN = [(0, 20, 1, 1), (1, 20, 1, 1), (1, 23, 4, 5), (7, 40, 1, 1)]


def test_reasons_by_hand():
    dist = SlotDistributions(
        np.array([[1, 1], [4, 5]], dtype=np.int32), np.array([[0.7, 0.3], [0.6, 0.4]])
    )
    chosen = np.array([[1, 1], [4, 5]], dtype=np.int32)
    # Day 14 is a Sunday, as are days 0 and 7.
    one = user(KNOWN, [(14, 21), (14, 22)])
    why = decoding(one, city(), dist, chosen, "argmax")
    first, second = table(one, city(), dist, chosen, why).to_dicts()
    assert (first["p"], first["rank"], first["visits"], first["near_slot"]) == (0.7, 1, 3, 2)
    assert (first["same_weekday"], first["last_day"], first["home_km"]) == (2, 7, 0.0)
    assert (second["p"], second["rank"], second["best_x"], second["best_p"]) == (0.4, 2, 1, 0.6)
    assert (second["visits"], second["near_slot"], second["last_day"]) == (1, 1, 1)
    assert second["home_km"] == 2.5  # 3 and 4 cells: 5 cells of half a kilometre


CELLS = np.array([[1, 1], [4, 5]], dtype=np.int32)
TWO = SlotDistributions(CELLS, np.array([[0.6, 0.4], [0.45, 0.55]]))


def test_the_terms_of_a_days_value_by_hand():
    # One sample day, day 1, at (4, 5) in both slots; no drawn days, no n-grams but single cells.
    config = DayConfig(
        weight=0.5, longest=1, drawn=0, chained=0, open_km=10.0, closed_km=20.0, proximity=0.4,
        auction=0.0, distance=0.2,
    )  # fmt: skip
    one = user([(1, 20, 4, 5), (1, 23, 4, 5)], [(14, 20), (14, 23)])
    other = np.array([[4, 5], [4, 5]], dtype=np.int32)
    why = decoding(one, city(), TWO, other, config)
    # The cells are 5 cells or 2.5 km apart. The first row exchanged: one of two cells matches at
    # a proximity of exp(-0.35 * 5); both ways of DTW cost 2.5 km, closed, and 0 to 2.5 open (the
    # last row is matched with any prefix left out, the first row is not).
    assert why["gain_geobleu"][0] == pytest.approx(0.5 * (1 - np.exp(-0.35 * 5)) / 2)
    assert why["gain_dtw"][0] == pytest.approx(0.5 * 2.5 / 10 + 0.5 * 2.5 / 20)
    # Expected proximity: 0.4 + 0.6 e to 0.6 + 0.4 e, over two rows; likewise kilometres.
    e = np.exp(-0.5 * 5)
    assert why["gain_proximity"][0] == pytest.approx(0.5 * 0.4 * (0.2 * e - 0.2) / 2)
    assert why["gain_distance"][0] == pytest.approx(-0.5 * 0.2 * (0.6 - 0.4) * 2.5 / 2)
    assert why["gain_copies"][0] == 0.0
    assert why["term"].tolist() == ["geobleu", "probability"]
    assert why["copied_day"].tolist() == [1, 1]
    assert [why[f"gain_{name}"][1] for name in TERMS] == [0.0] * 5


def test_decoders_of_slots_say_their_own_term():
    one = user(KNOWN, [(14, 21), (14, 22)])
    other = np.array([[4, 5], [4, 5]], dtype=np.int32)
    three = SlotDistributions(
        np.array([[1, 1], [2, 1], [3, 1]], dtype=np.int32), np.array([[0.4, 0.25, 0.35]])
    )
    middle = np.array([[2, 1]], dtype=np.int32)  # 0.5 km from both others
    single = user(KNOWN, [(14, 21)])
    found = decoding(single, city(), three, middle, "dtw")
    assert found["term"].tolist() == ["distance"]
    assert found["gain_distance"][0] == pytest.approx((0.25 * 0.5 + 0.35 * 1) - 0.75 * 0.5)
    found = decoding(single, city(), three, middle, "geobleu")
    assert found["term"].tolist() == ["proximity"]
    assert np.isnan(found["gain_distance"]).all()
    assert decoding(one, city(), TWO, other, "sample")["term"].tolist() == ["draw", "probability"]


def test_gains_tell_why_a_less_probable_cell_was_chosen(cli, workdir):
    done = cli("predict", "challenge.csv", "--explain", "3", cwd=workdir)
    found = pl.read_csv(done.out.encode())
    same = (found["x"] == found["best_x"]) & (found["y"] == found["best_y"])
    assert found.filter(same)["term"].unique().to_list() == ["probability"]
    others = found.filter(~same)
    assert others.height > 0
    # The decoder climbs: no single cell is better by more than it may leave out.
    assert others.select(pl.sum_horizontal(pl.col("^gain_.*$")))["gain_geobleu"].min() > -0.01
    assert set(others["term"].drop_nulls()) <= set(TERMS)
    assert found["copied_day"].max() < 60
    shown = cli("predict", "challenge.csv", "--explain", "3", "--decode", "argmax", cwd=workdir)
    assert set(pl.read_csv(shown.out.encode())["term"]) == {"probability"}


def test_a_cell_that_is_no_candidate_has_no_probability():
    dist = SlotDistributions(np.array([[9, 9]], dtype=np.int32), np.ones((1, 1)))
    cells = np.array([[1, 2]], dtype=np.int32)
    one = user([], [(14, 21)])
    (row,) = table(
        one, city(), dist, cells, decoding(one, city(), dist, cells, "sample")
    ).to_dicts()
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
    [
        ("day", ("day", None)),
        ("day:0.25", ("day", 0.25)),
        ("thorough:1", ("thorough", 1.0)),
        ("dtw", ("dtw", None)),
    ],
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
    values = [float(line.split(",")[4]) for line in done.out.splitlines()[1:5]]
    assert values[0] < values[2]


def test_the_candidates_of_a_day_are_drawn(cli, tmp_path):
    """Twice at 3, 4 and once at 5, 6, by the mode: two thirds and one third."""
    pytest.importorskip("matplotlib")
    known = "7,0,16,3,4\n7,0,40,3,4\n7,1,16,5,6\n"
    (tmp_path / "a.csv").write_text(f"uid,d,t,x,y\n{known}7,2,14,999,999\n7,3,16,999,999\n")
    explained = ("predict", "a.csv", "--model", "mode", "--explain", "7", "--plot")
    done = cli(*explained, "day.svg", cwd=tmp_path)
    assert done.code == 0, done.err
    assert len(done.out.splitlines()) == 3
    drawn = texts(tmp_path / "day.svg")
    for text in ("2 candidates, 1 row to predict, day 2 of days 2-3", "67%", "3, 4", "5, 6"):
        assert text in drawn
    assert drawn.count("no row to predict") == 3
    fails(cli(*explained, "day.pdf", cwd=tmp_path), "day.pdf", ".svg", code=2)
    fails(cli("predict", "a.csv", "--plot", "day.svg", cwd=tmp_path), "--explain", code=2)
