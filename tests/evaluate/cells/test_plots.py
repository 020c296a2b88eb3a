"""Pictures of predictions' scores: what is tallied for them, and what is written in them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from humobctl.evaluate.cells.align import Mismatch, align
from humobctl.evaluate.cells.errors import DISTANCES, tally_errors
from tests.messages import fails
from tests.plots.svg import texts

HEAD = "uid,d,t,x,y\n"
PAST = "1,5,20,5,5\n1,6,20,5,5\n1,6,40,6,5\n1,7,20,5,6\n"
TRUTH = HEAD + PAST + "1,8,20,5,5\n1,8,40,9,5\n1,9,20,5,6\n"
PREDICTED = HEAD + "1,8,20,5,5\n1,8,40,5,5\n1,9,20,5,5\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "truth.csv").write_text(TRUTH)
    (tmp_path / "a$b$.csv").write_text(PREDICTED)
    (tmp_path / "_b.csv").write_text(PREDICTED.replace("1,8,40,5", "1,8,40,9"))
    return tmp_path


def test_errors_by_hand() -> None:
    """Errors of 0, 4 and 1 cells; the regularity is 3 of 4: (5, 5) twice at 20, (6, 5) at 40."""
    truth, predicted = (pl.read_csv(text.encode()) for text in (TRUTH, PREDICTED))
    scored = truth.filter(pl.col("d") >= 8)
    aligned, _ = align(predicted, scored, Mismatch(), Mismatch())
    past = truth.filter(pl.col("d") < 8)
    found = tally_errors(aligned, past, (8, 9), 0.5)
    assert found.by_slot[[20, 40]].tolist() == [[2, 1, 0.5], [1, 0, 2]]
    assert found.by_day.tolist() == [[2, 1, 2], [1, 0, 0.5]]
    assert found.by_novelty.tolist() == [[2, 1, 0.5], [1, 0, 2]]
    assert found.by_regularity[7] == pytest.approx([1, 1 / 3, 2.5 / 3])
    assert found.by_regularity.sum() == pytest.approx(1 + 1 / 3 + 2.5 / 3)
    assert dict(zip(DISTANCES, found.within, strict=True))[0.5] == 2
    assert found.by_cell[:, 0].sum() == found.rows == 3
    # Day 0 is a Sunday, so day 8 is a Monday.
    assert found.by_weekday(8, 0)[:2].tolist() == found.by_day.tolist()
    assert np.isclose(found.by_weekday(8, 1)[1:3], found.by_day).all()


def test_what_is_written_in_the_picture_of_two_files(cli, folder) -> None:
    pytest.importorskip("matplotlib")
    files = ("a$b$.csv", "_b.csv", "-t", "truth.csv", "--plot", "a.svg")
    done = cli("eval", *files, "--bootstrap", "100", cwd=folder)
    assert (done.code, done.err) == (0, "")
    found = texts(folder / "a.svg")
    assert "Predicted cells: a$b$.csv and _b.csv" in found
    assert "1 user, 2 user-days, 3 records, days 8-9" in found
    for text in (
        *("GEO-BLEU humob24 of each user; dashed: equal", "minus a$b$.csv", "by hour"),
        *("by weekday (day 0: Sun)", "by days ahead", "by regularity of the user"),
        *("known and novel cells", "67% of records", "33% of records", "distance of errors"),
        *("errors of a$b$.csv", "x (true cells; grey: no error)"),
    ):
        assert text in found, text


def test_a_picture_of_one_file_and_of_a_truth_without_earlier_days(cli, folder) -> None:
    pytest.importorskip("matplotlib")
    (folder / "truth.csv").write_text(TRUTH.replace(PAST, ""))
    plot = ("--plot", "a.svg", "--first-weekday", "tuesday")
    done = cli("eval", "_b.csv", "-t", "truth.csv", *plot, cwd=folder)
    assert (done.code, done.err) == (0, "")
    found = texts(folder / "a.svg")
    assert found.count("the truth has no earlier days") == 2
    assert "by weekday (day 0: Tue)" in found


def test_a_wrong_ending_is_refused(cli, folder) -> None:
    done = cli("eval", "_b.csv", "-t", "truth.csv", "--plot", "a.gif", cwd=folder)
    fails(done, "a.gif", ".png", ".svg", ".html", code=2)
