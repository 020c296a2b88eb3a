"""Pictures of flows: what is written in them."""

from __future__ import annotations

import pytest

from tests.plots.svg import texts

HEAD = "origin,destination,flow\n"


def test_flows_against_the_true_ones(cli, tmp_path) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "a$.csv").write_text(HEAD + "a,b,2\nb,c,4\n")
    (tmp_path / "true.csv").write_text(HEAD + "a,b,3\nc,a,1\n")
    done = cli("eval", "a$.csv", "-t", "true.csv", "--plot", "a.svg", cwd=tmp_path)
    assert (done.code, done.err) == (0, "")
    found = texts(tmp_path / "a.svg")
    assert "Flows: a$.csv against true.csv" in found
    assert "a$.csv: 6 trips; 4 true ones, 3 areas" in found
    assert {"pairs of areas", "trips out of areas", "trips into areas", "true trips"} <= set(found)
