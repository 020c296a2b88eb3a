"""Pictures of day plans: what is written in them."""

from __future__ import annotations

import pytest

from tests.plots.svg import texts

PLANS = "uid,d,seq,intent,start_min,end_min\n1,0,0,eat,0,60\n1,0,1,go home,90,300\n"


@pytest.mark.parametrize("truth", [(), ("-t", "b.csv")])
def test_plans_beside_a_reference(cli, tmp_path, truth) -> None:
    pytest.importorskip("matplotlib")
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(PLANS)
    done = cli("eval", "a.csv", *truth, "--plot", "a.svg", cwd=tmp_path)
    assert done.code == 0, done.err
    found = texts(tmp_path / "a.svg")
    reference = "b.csv" if truth else "CoPB (published)"
    assert f"Day plans: a.csv against {reference}" in found
    assert "a.csv: 1 user-day, 2 activities" in found
    assert {"beginnings by hour", "durations", "activities per day", "eat"} <= set(found)
    # What was published has no beginnings.
    assert ("one side does not have it" in found) == (not truth)
