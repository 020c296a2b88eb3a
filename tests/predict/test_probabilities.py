"""`predict --probabilities`: whole distributions of masked rows, and room for new cells."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from humobctl.predict.base import SlotDistributions, UserHistory
from humobctl.predict.city_profile import CityCounter
from humobctl.predict.new_cells import USUAL, fit_weights, spare_new_cells
from humobctl.predict.registry import MODELS
from tests.messages import fails, says

KEY = ["uid", "d", "t"]
PREDICT = ("predict", "challenge.csv", "--decode", "argmax")


@pytest.mark.parametrize("model", MODELS)
def test_all_of_the_probability_is_there(cli, few_people, tmp_path, model):
    files = ("--probabilities", "all.parquet", "--top-k", "1000", "-o", "ranked.parquet")
    done = cli("predict", few_people / "challenge.csv", "-m", model, *files, cwd=tmp_path)
    assert done.code == 0, done.err
    cells = pl.read_parquet(tmp_path / "all.parquet")
    assert cells.columns == [*KEY, "x", "y", "p"]
    by_row = cells.group_by(KEY, maintain_order=True)
    assert by_row.agg(pl.col("p").sum())["p"].to_numpy() == pytest.approx(1)
    rest = by_row.agg(pl.col("p", "x").last(), empty=pl.col("x").null_count())
    assert set(rest["empty"]) == {1}  # of cells new to the user, the last one of each row
    assert rest["x"].null_count() == rest.height
    assert rest["p"].is_between(0.001, 0.9).all()
    ranked = pl.read_parquet(tmp_path / "ranked.parquet")
    assert cells.drop_nulls("x").equals(ranked.drop("rank"))
    if model == "history":
        truth = ("-t", few_people / "city.csv", "--users", "predicted")
        done = cli("eval", "all.parquet", "ranked.parquet", *truth, cwd=tmp_path)
        assert done.code == 0, done.err
        whole, listed = json.loads(done.out)
        assert whole["scores"] == listed["scores"]


def test_beside_a_pipe(cli, few_people, tmp_path):
    decoded = ("--decode", "argmax")
    done = cli(
        *("predict", "-", *decoded, "--probabilities", "all.csv"),
        input=(few_people / "challenge.csv").read_text(),
        cwd=tmp_path,
    )
    assert done.code == 0, done.err
    assert done.out == cli("predict", few_people / "challenge.csv", *decoded).out
    assert pl.read_csv(tmp_path / "all.csv")["x"].null_count() > 100


def test_parts_and_resumed_runs_give_the_same(cli, workdir, monkeypatch):
    one = (*PREDICT, "--probabilities", "one.parquet", "-o", "one.csv")
    assert cli(*one, cwd=workdir).code == 0
    monkeypatch.setenv("HUMOBCTL_PART_ROWS", "5000")
    done = cli(*PREDICT, "--probabilities", "p.parquet", "--resume", "-o", "p.csv", cwd=workdir)
    assert done.code == 0, done.err
    assert (workdir / "p.csv").read_bytes() == (workdir / "one.csv").read_bytes()
    frames = [pl.read_parquet(workdir / name) for name in ("one.parquet", "p.parquet")]
    assert frames[0].equals(frames[1])


@pytest.mark.parametrize(
    ("flags", "says_what"),
    [
        (("--probabilities", "challenge.csv", "-o", "p.csv"), ("challenge.csv", "overwrite")),
        (("--probabilities", "p.csv", "-o", "p.csv"), ("--output", "--probabilities", "p.csv")),
        (("--probabilities", "no/p.parquet", "-o", "p.csv"), ("no/p.parquet", "folder")),
        (("--probabilities", "p.unknown", "-o", "p.csv"), ("p.unknown", ".parquet")),
        (("--probabilities", "p.parquet", "-o", "parts/"), ("--output", "--probabilities")),
        (("--probabilities", "p.parquet", "--explain", "1"), ("--probabilities", "--explain")),
        (("--probabilities", "p.parquet", "--task", "next"), ("--probabilities", "--task next")),
    ],
)
def test_refused_before_the_work(cli, workdir, flags, says_what):
    before = {path.name: path.read_bytes() for path in workdir.iterdir() if path.is_file()}
    done = cli("predict", "challenge.csv", *flags, cwd=workdir)
    assert done.code in (1, 2)
    says(done.err, *says_what)
    assert {p.name: p.read_bytes() for p in workdir.iterdir() if p.is_file()} == before


def test_half_a_cell_is_a_fault(cli, workdir):
    text = "uid,d,t,x,y,p\n1,60,3,5,6,.5\n1,60,3,,7,.5\n"
    (workdir / "p.csv").write_text(text)
    fails(cli("eval", "p.csv", "-t", "city.csv", cwd=workdir), "p.csv", "line 3", "x", "neither")


def test_new_cells_of_a_model_keep_what_they_have_up_to_the_chance():
    rows = pl.DataFrame(
        {"uid": 1, "d": range(20), "t": 16, "x": 5, "y": [6] * 19 + [7]},
        schema={"uid": pl.UInt32, "d": pl.Int16, "t": pl.UInt8, "x": pl.Int16, "y": pl.Int16},
    )
    counter = CityCounter(30)
    counter.add(rows)
    known = [rows[name].to_numpy().astype(np.int64) for name in "dtxy"]
    user = UserHistory(1, *known, np.array([20, 20]), np.array([16, 18]))
    cells = np.array([[5, 6], [5, 7], [90, 90]], np.int32)
    dist = SlotDistributions(cells, np.array([[0.6, 0.39, 0.01], [0.05, 0.05, 0.9]]))
    best = np.array([0.6, 0.05])
    p = spare_new_cells(user, dist, counter.city(), np.array(USUAL), best).p
    assert p[0, 0] / p[0, 1] == pytest.approx(0.6 / 0.39)
    assert p[0, 2] == 0.01
    assert p[0].sum() < 1  # what is left is that of other new cells
    assert p[1].sum() == pytest.approx(1)
    assert p[1, 2] < 0.9  # at most the chance


def test_weights_are_learnt_from_many_rows_and_kept_with_few():
    random = np.random.default_rng(0)
    features = np.column_stack([np.ones(20_000), random.normal(size=(20_000, 6))])
    true = np.array([-1.0, 0.5, -0.3, 0.2, 0.0, 0.4, -0.6])
    new = random.random(20_000) < 1 / (1 + np.exp(-features @ true))
    assert fit_weights(features, new) == pytest.approx(true, abs=0.08)
    assert fit_weights(features[:0], new[:0]) == pytest.approx(USUAL)
    certain = fit_weights(features[:50], features[:50, 1] > 0)  # separable: still finite
    assert np.isfinite(certain).all()
    assert np.abs(certain).max() < 10
