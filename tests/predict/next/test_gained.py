"""What a training of next places gained: hits of the last window, beside a Markov chain's."""

from __future__ import annotations

import pytest

from humobctl.data.sessions import read_sessions
from humobctl.predict.next.baselines import MarkovChain
from humobctl.predict.next.config import NextRankerConfig
from humobctl.predict.next.data import gather
from humobctl.predict.next.gained import say_gained
from tests.data.test_split_next import check_ins
from tests.messages import says


def test_a_chain_gains_nothing_over_itself(tmp_path, capsys) -> None:
    rows = [(uid, float(n), "ABC"[n % 3]) for uid in "uv" for n in range(60)]
    (tmp_path / "past.csv").write_text(check_ins(*rows))
    records = gather([read_sessions(str(tmp_path / "past.csv"))], None)
    config = NextRankerConfig(windows=(0.5, 0.8, 1.0))
    found = say_gained("mine", lambda city: MarkovChain(city, 1), records, config)["compared"]
    assert found["mine"]["acc@1"] == pytest.approx(1)  # A, B, C by turns
    assert found["mine"]["mrr"] == found["markov"]["mrr"] == pytest.approx(1)
    assert found["markov"]["gained"]["mrr"] == {"mean": 0, "low": 0, "high": 0}
    said = capsys.readouterr().err
    says(said, "2 users", "last window")
    says(said, "warning", "not decidedly better", "markov")
