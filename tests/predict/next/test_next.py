"""`predict --task next`: baselines by hand, the ranker, and that nothing of the future is seen."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import humobctl as hm
from humobctl.data.sessions import SessionTable, read_sessions
from humobctl.predict.next.data import choose_targets, gather
from humobctl.tables.schemas import SESSION_RECORDS
from tests.data.test_split_next import check_ins
from tests.messages import fails, says

PAST = [("u", hour, place) for hour, place in enumerate("ABABACAB")]
"""A 4, B 3, C 1; after A come B, B, C, B, after B come A, A."""
NOW = [("u", 100.0, "A"), ("u", 101.0, "B"), ("u", 102.0, "A")]


@pytest.fixture
def files(tmp_path):
    (tmp_path / "past.csv").write_text(check_ins(*PAST, ("w", 0.0, "D")))
    (tmp_path / "now.csv").write_text(check_ins(*NOW))
    return tmp_path


def predict(cli, folder, model: str, *options: str) -> pl.DataFrame:
    done = cli(
        *("predict", "now.csv", "--task", "next", "--history", "past.csv", "-m", model),
        *("-o", "ranked.csv", *options),
        cwd=folder,
    )
    assert done.code == 0, done.err
    return pl.read_csv(folder / "ranked.csv")


def test_the_most_frequent_places_of_the_user(cli, files):
    found = predict(cli, files, "most-frequent")
    assert found.columns == [
        *("uid", "session", "step", "datetime", "rank", "place_id", "lat", "lon", "p")
    ]
    first = found.filter(step=1)
    # Known: the past and A: 5 of A, 3 of B, 1 of C; D has one of four visitors (0.1 each more).
    assert first["place_id"].to_list() == ["A", "B", "C", "D"]
    assert first["p"].to_list() == pytest.approx([0.95 * n / 9 + 0.05 / 4 for n in (5, 3, 1, 0)])
    assert first["datetime"].unique().item().startswith("2024-01-05T05:00")
    assert found["step"].unique().sort().to_list() == [1, 2]


def test_markov_chains_back_off(cli, files):
    found = predict(cli, files, "markov").filter(step=1)
    base = {place: 0.95 * n / 9 + 0.05 / 4 for place, n in zip("ABCD", (5, 3, 1, 0), strict=True)}
    after_a = {"A": 0, "B": 3, "C": 1, "D": 0}
    expected = {place: (after_a[place] + base[place]) / 5 for place in base}
    assert dict(found.select("place_id", "p").rows()) == pytest.approx(expected)
    assert found["place_id"][0] == "B"
    second = predict(cli, files, "markov-2").filter(step=2)
    assert second["place_id"][0] == "A"  # after A, B came A twice


def test_top_k_targets_and_rolling(cli, files):
    assert predict(cli, files, "markov", "--top-k", "1").height == 2
    last = predict(cli, files, "markov", "--targets", "last", "--top-k", "1")
    assert last["step"].to_list() == [2]
    every = predict(cli, files, "markov", "--targets", "all", "--top-k", "2")
    assert every["step"].unique().sort().to_list() == [0, 1, 2]
    (files / "now.csv").write_text(check_ins(*NOW, ("u", 200.0, "D"), ("u", 201.0, "D")))
    frozen = predict(cli, files, "most-frequent").filter(session=1)
    rolling = predict(cli, files, "most-frequent", "--rolling").filter(session=1)
    share = [float(one.filter(place_id="A")["p"].item()) for one in (frozen, rolling)]
    assert share == pytest.approx([0.95 * 4 / 9 + 0.0125, 0.95 * 6 / 12 + 0.0125])


@pytest.mark.parametrize("model", ["markov-2", "next"])
def test_a_record_is_predicted_without_looking_at_it(files, monkeypatch, model):
    """Another place and time of the last record, and all that follows, change no prediction."""
    monkeypatch.chdir(files)
    past = [("u", float(n), "ABCAD"[n % 5]) for n in range(120)]
    (files / "past.csv").write_text(check_ins(*past))
    if model == "next":
        hm.train_next("past.csv", "next", rows=100, epochs=1, members=1, hidden=4)
    found = []
    for last in (("u", 103.0, "C"), ("u", 119.0, "D")):
        (files / "now.csv").write_text(
            check_ins(("u", 200.0, "A"), ("u", 201.0, "B"), ("u", 100 + last[1], last[2]))
        )
        found.append(hm.predict("now.csv", task="next", history="past.csv", model=model))
    assert found[0].drop("datetime").equals(found[1].drop("datetime"))


def test_the_ranker_learns_what_follows(files, cli):
    rng = np.random.default_rng(0)
    follows = {"A": "B", "B": "C", "C": "A"}
    rows, place = [], "A"
    for n in range(400):
        place = follows[place] if rng.random() < 0.8 else "ABC"[rng.integers(3)]
        rows.append((f"u{n // 100}", float(n % 100), place))
    (files / "past.csv").write_text(check_ins(*rows))
    now = [(f"u{n}", 200.0 + k, "ABCABC"[n + k]) for n in range(4) for k in range(3)]
    (files / "now.csv").write_text(check_ins(*now))
    done = cli(
        *("train", "next", "past.csv", "--hidden", "8", "--members", "1", "--epochs", "8"),
        *("-o", "model"),
        cwd=files,
    )
    assert done.code == 0, done.err
    says(done.err, "model: next-ranker trained")
    found = predict(cli, files, "model", "--top-k", "3")
    scores = cli("eval", "ranked.csv", "-t", "now.csv", "--metric", "acc@1", "-f", "csv", cwd=files)
    assert float(scores.out.splitlines()[1].split(",")[4]) >= 0.75
    assert found.group_by("uid", "session", "step").agg(pl.col("p").sum())["p"].max() <= 1 + 1e-9


@pytest.mark.parametrize("of_cells", [False, True])
def test_a_model_is_asked_for_what_it_was_trained_on(cli, files, of_cells):
    if of_cells:
        rows = hm.synth(users=3, days=14)
        for name, days in (("past.csv", pl.col("d") < 10), ("now.csv", pl.col("d") >= 10)):
            rows.filter(days).write_csv(files / name)
    else:
        past = [("u", float(n), "ABCAD"[n % 5]) for n in range(60)]
        (files / "past.csv").write_text(check_ins(*past))
        (files / "now.csv").write_text(
            check_ins(*(("u", n + 100.0, place) for _, n, place in past))
        )
    small = ("--hidden", "2", "--members", "1", "--epochs", "1", "-o", "model")
    done = cli("train", "next", "past.csv", *small, cwd=files)
    assert done.code == 0, done.err
    asked = ("predict", "--task", "next", "-m", "model", "--top-k", "1")
    later = cli(*asked, "now.csv", "--history", "past.csv", cwd=files)
    assert (later.code, "trained on" in later.err) == (0, False)
    lines = (files / "past.csv").read_text().splitlines()
    (files / "same.csv").write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n")
    again = cli(*asked, "same.csv", "--rolling", cwd=files)
    assert again.code == 0, again.err
    says(again.err, "model", "100% of the rows to predict", "data split --task next")


def test_users_and_places_without_a_past_get_popular_places(cli, files):
    (files / "now.csv").write_text(check_ins(("new", 0.0, "X"), ("new", 1.0, "A")))
    found = predict(cli, files, "markov")
    assert found["place_id"].to_list() == ["X", "A", "B", "C", "D"]
    assert found["p"].sum() == pytest.approx(1)


def test_cells(cli, tmp_path):
    hm.synth(users=3, days=14, output=tmp_path / "city.csv")
    done = cli(
        *("predict", "city.csv", "--task", "next", "--rolling", "--top-k", "3", "-o", "r.parquet"),
        cwd=tmp_path,
    )
    assert done.code == 0, done.err
    found = pl.read_parquet(tmp_path / "r.parquet")
    assert found.columns == ["uid", "session", "step", "d", "t", "rank", "x", "y", "p"]
    done = cli(
        "eval", "r.parquet", "-t", "city.csv", "--metric", "acc@1", "-f", "csv", cwd=tmp_path
    )
    assert done.code == 0, done.err
    assert float(done.out.splitlines()[1].split(",")[4]) > 0.2


def test_what_is_refused(cli, files):
    call = ("predict", "now.csv", "--task", "next")
    fails(cli(*call, "--model", "history", cwd=files), "--model", "most-frequent", code=2)
    fails(cli(*call, "--decode", "argmax", cwd=files), "--decode", "--task next", code=2)
    head = "uid,session,step,datetime,lat,lon,place_id,category\n"
    fails(cli("predict", input=head + "u,0,0,2024-01-01T00:00:00,1,1,A,\n"), "--task next")
    done = cli("predict", "now.csv", "--rolling", cwd=files)
    fails(done, "--rolling", "--task masked", code=2)
    (files / "one.csv").write_text(check_ins(("u", 0.0, "A")))
    done = cli("-q", "predict", "one.csv", "--task", "next", cwd=files)
    fails(done, "one.csv", "two records")
    done = cli("predict", "one.csv", "--task", "next", "--targets", "all", cwd=files)
    says(done.err, "1 record", "no candidate", "--history")
    (files / "cells.csv").write_text("uid,d,t,x,y\n1,0,0,1,1\n")
    fails(cli("-q", *call, "--history", "cells.csv", cwd=files), "now.csv", "places", "cells")


def test_last_targets_are_of_sessions():
    frame = pl.DataFrame({"uid": ["a"] * 4, "session": [0, 0, 0, 1], "step": [0, 1, 2, 0]})
    table = SessionTable("t", SESSION_RECORDS, frame)
    assert choose_targets(table, "last").to_list() == [False, False, True, False]
    assert choose_targets(table, "all").all()


def test_history_that_lies_later_is_not_known(files):
    """Files may overlap: what is known of a record lies before it in time."""
    past = read_sessions(str(files / "now.csv"))
    now = read_sessions(str(files / "past.csv"))
    (user, *_) = gather([past], now).users()
    wanted = np.flatnonzero(user.target)
    known = user.find_known(wanted)
    assert not known[:, user.history].any()
