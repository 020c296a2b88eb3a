"""`predict --top-k`: ranked cells of masked rows."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

import humobctl as hm
from humobctl.predict.new_cells import USUAL
from tests.messages import fails

CHALLENGE = """uid,d,t,x,y
1,0,16,5,6
1,1,16,5,6
1,2,16,7,8
1,3,16,999,999
2,3,16,999,999
"""


def test_cells_by_probability(cli):
    done = cli("predict", "--model", "mode", "--top-k", "2", input=CHALLENGE)
    assert done.code == 0, done.err
    rows = [line.split(",") for line in done.out.splitlines()]
    assert rows[0] == ["uid", "d", "t", "rank", "x", "y", "p"]
    assert [row[:6] for row in rows[1:3]] == [
        ["1", "3", "16", "1", "5", "6"],
        ["1", "3", "16", "2", "7", "8"],
    ]
    first, second = (float(row[6]) for row in rows[1:3])
    assert first / second == pytest.approx(2)
    assert 0.3 < first + second < 1  # the rest is that of cells new to the user
    assert rows[3][:6] == ["2", "3", "16", "1", "5", "6"]  # the cell that most are in


def test_the_first_cells_are_those_of_argmax(cli, workdir):
    done = cli(
        *("predict", "challenge.csv", "--top-k", "5", "-o", "ranked.parquet"),
        cwd=workdir,
    )
    assert done.code == 0, done.err
    ranked = pl.read_parquet(workdir / "ranked.parquet")
    first = ranked.filter(rank=1).select("uid", "d", "t", "x", "y")
    chosen = hm.predict(workdir / "challenge.csv", decode="argmax")
    assert first.equals(chosen)
    done = cli(
        *("eval", "ranked.parquet", "-t", "city.csv", "--metric", "acc@1", "--users", "predicted"),
        cwd=workdir,
    )
    assert done.code == 0, done.err
    found = json.loads(done.out)["scores"][0]["value"]
    truth = hm.read(workdir / "city.csv").join(chosen, on=["uid", "d", "t"], suffix="_p")
    hits = (truth["x"] == truth["x_p"]) & (truth["y"] == truth["y_p"])
    assert found == pytest.approx(hits.mean())


def test_no_decoder_beside_it(cli):
    done = cli("predict", "--top-k", "2", "--decode", "dtw", input=CHALLENGE)
    fails(done, "--decode", "--top-k", code=2)


def test_what_is_left_is_the_chance_of_a_cell_new_to_the_user(cli):
    known = "".join(f"1,{d},16,{5 + (d == 7)},6\n" for d in range(20))
    done = cli("predict", "--top-k", "9", input=f"uid,d,t,x,y\n{known}1,20,16,999,999\n")
    assert done.code == 0, done.err
    p = pl.read_csv(done.out.encode())["p"]
    assert len(p) == 2
    # Of the last 14 days' records, days 6 to 19, one was in a new cell; of 20 records; at 8:00.
    # Day 20 is a Saturday, a day off.
    features = [1, np.log(1.5 / 19), np.log(20), np.sin(np.pi * 2 / 3), np.cos(np.pi * 2 / 3), 1]
    score = np.dot(features, USUAL[:6])
    best = p[0] / p.sum()
    score += USUAL[6] * np.log(best)
    assert p.sum() == pytest.approx(1 - 1 / (1 + np.exp(-score)), rel=1e-6)
