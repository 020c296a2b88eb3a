"""`train next-gru` and `predict --task next` with it: the network, its vocabulary, its contexts."""

from __future__ import annotations

import numpy as np
import pytest

import humobctl as hm
from humobctl.data.sessions import read_sessions
from humobctl.errors import HumobError
from humobctl.predict.next.data import gather
from tests.data.test_split_next import check_ins

torch = pytest.importorskip("torch")
SMALL = {"preset": "tiny", "batch_size": 16, "records": 200}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [("u", float(n), "ABCAD"[n % 5]) for n in range(120)]
    (tmp_path / "past.csv").write_text(check_ins(*rows, ("v", 0.0, "E")))
    return tmp_path


def test_it_learns_and_repeats_itself_and_sees_nothing_of_the_future(folder):
    model = hm.train_next_gru("past.csv", "gru", **SMALL, epochs=3, learning_rate=0.03)
    assert model.type == "next-gru"
    again = hm.train_next_gru("past.csv", "again", **SMALL, epochs=3, learning_rate=0.03)
    arrays = [(folder / name / "model.safetensors").read_bytes() for name in ("gru", "again")]
    assert arrays[0] == arrays[1]
    assert again.config["places"] == ["A", "B", "C", "D", "E"]
    found = []
    for last in (("u", 203.0, "C"), ("u", 219.0, "D")):
        # A user and a place that the training did not see are among them.
        (folder / "now.csv").write_text(
            check_ins(("u", 200.0, "A"), ("u", 201.0, "B"), last, ("w", 0.0, "X"), ("w", 1.0, "A"))
        )
        found.append(hm.predict("now.csv", task="next", history="past.csv", model=model))
    assert found[0].drop("datetime").equals(found[1].drop("datetime"))
    first = found[0].filter(uid="u", step=2, rank=1)
    assert first["place_id"].item() == "C"  # after A and B
    assert found[0].filter(uid="w")["rank"].max() >= 5


def test_contexts_are_the_last_known_records_newest_last(folder):
    from humobctl.predict.next_gru.data import Vocabulary, make_rows

    (folder / "now.csv").write_text(check_ins(("v", 30.0, "B"), ("v", 32.0, "A")))
    records = gather([read_sessions("past.csv")], read_sessions("now.csv"))
    (user,) = records.users()
    vocabulary = Vocabulary(["A", "B", "E"], ["v"])
    places = vocabulary.number_places(records.places)
    rows = make_rows(
        user,
        np.flatnonzero(user.target),
        np.zeros((1, 2, 3), np.float32),
        np.array([[0, -1]]),
        (places, vocabulary.number_user(user.uid)),
        4,
    )
    assert rows.past.tolist() == [[0, 0, 3, 2]]  # nothing, nothing, E, B
    assert rows.hour.tolist() == [[0, 0, 1, 31]]  # hour 0 and hour 30 of the week, from 1
    assert rows.gap[0].tolist() == pytest.approx([0, 0, np.log(31), 0])
    assert rows.candidate.tolist() == [[1, 0]]
    assert rows.user.tolist() == [1]


def test_a_damaged_model_is_said(folder):
    hm.train_next_gru("past.csv", "gru", **SMALL, max_steps=1)
    config = (folder / "gru" / "config.json").read_text()
    (folder / "gru" / "config.json").write_text(
        config.replace('"hidden_size": 8', '"hidden_size": 9')
    )
    with pytest.raises(HumobError, match="gru: found a damaged model"):
        hm.predict("past.csv", task="next", model="gru")
