"""Pictures of flows: what is written in them."""

from __future__ import annotations

import pytest

from tests.messages import fails, says
from tests.plots.svg import texts

HEAD = "origin,destination,flow\n"


def test_flows_against_the_true_ones(cli, tmp_path) -> None:
    pytest.importorskip("matplotlib")
    (tmp_path / "a$.csv").write_text(HEAD + "a,b,2\nb,c,4\n")
    (tmp_path / "true.csv").write_text(HEAD + "a,b,3\nc,a,1\n")
    # c has no position, so that the trips from and to it have no distance.
    (tmp_path / "areas.csv").write_text("area_id,lat,lon,population\na,0,0,1\nb,0,0.1,1\n")
    files = ("eval", "a$.csv", "-t", "true.csv")
    plot = ("--areas", "areas.csv", "--plot", "a.svg")
    done = cli(*files, *plot, cwd=tmp_path)
    assert done.code == 0
    says(done.err, "a$.csv", 4, "areas.csv")
    says(done.err, "true.csv", 1, "areas.csv")
    found = texts(tmp_path / "a.svg")
    assert "Flows: a$.csv against true.csv" in found
    assert "a$.csv: 6 trips; 4 true ones, 3 areas" in found
    assert {"pairs of areas", "trips out of areas", "trips into areas", "true trips"} <= set(found)
    # 11 km from a to b.
    assert {"distance of trips", "10-20", "true", "100%"} <= set(found)
    fails(cli(*files, *plot[:2], cwd=tmp_path), "--areas", "--plot", code=2)
    (tmp_path / "areas.csv").write_text("area_id,lat,lon,population\nx,0,0,1\n")
    fails(cli(*files, *plot, cwd=tmp_path), "areas.csv", "a$.csv", notes=True)
