"""`eval --privacy` and `--flows` of generated data, through the command line."""

from __future__ import annotations

import json

import pytest

from tests.conftest import run_cli
from tests.messages import fails

HEAD = "uid,d,seq,intent,start_min,end_min,place_id,lat,lon\n"
REAL = "".join(
    f"{uid},0,0,,0,500,h{uid},{lat},0\n{uid},0,1,,540,1440,w,0.10,0\n"
    for uid, lat in ((1, 0.0), (2, 0.01), (3, 0.03), (4, 0.07))
)
"""Four people who go from homes on a line to one place of work."""
COPY = "9,0,0,,0,500,a,0.0,0\n9,0,1,,540,1440,b,0.10,0\n"
OTHER = "8,0,0,,0,500,c,0.05,0\n8,0,1,,540,1440,d,0.30,0\n"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "real.csv").write_text(HEAD + REAL)
    (tmp_path / "made.csv").write_text(HEAD + COPY + OTHER)
    return tmp_path


def scores(folder, *options: str) -> dict[str, dict]:
    done = run_cli("eval", "made.csv", "--truth", "real.csv", *options, cwd=folder)
    assert done.code == 0, done.err
    return {score["metric"]: score for score in json.loads(done.out)["scores"]}


def test_a_copied_day_is_found(folder):
    found = scores(folder, "--privacy", "--metric", "jump_distance")
    assert found["copies"]["value"] == 0.5
    assert found["copies"]["floor"] == 0.0
    assert found["closer_share"]["value"] == 0.5
    assert "seed" not in found["copies"]["signature"].split("|floor")[0]
    assert "cpc" not in found


def test_flows_between_cells_by_hand(folder):
    # A cell of 200 km holds every trip.
    found = scores(folder, "--flows", "200", "--metric", "jump_distance")
    assert found["cpc"]["value"] == 1.0
    assert found["cpc"]["floor"] == 1.0
    far = scores(folder, "--flows", "0.5", "--metric", "jump_distance")
    # Cells of 0.5 km tell all homes apart. Of two generated trips, scaled to four, one is made by
    # a real person: 2 * min(1, 2) / (4 + 4).
    assert far["cpc"]["value"] == pytest.approx(0.25)
    assert far["cpc"]["floor"] == 0.0
    assert "cell:0.5km" in far["cpc"]["signature"]


def test_a_table_for_people_shows_them_apart(folder):
    done = run_cli(
        *("eval", "made.csv", "--truth", "real.csv", "--privacy", "--flows", "1"),
        *("--format", "table"),
        cwd=folder,
    )
    assert done.code == 0, done.err
    assert "privacy and flows" in done.out
    assert "place copies" in done.out
    assert done.out.index("jump distance") < done.out.index("place copies")


def test_too_few_people_give_no_distances_but_no_fault(folder):
    (folder / "real.csv").write_text(HEAD + COPY)
    found = scores(folder, "--privacy", "--metric", "jump_distance")
    assert found["nearest_p5"]["floor"] is None
    assert found["copies"]["value"] == 0.5


@pytest.mark.parametrize("option", [("--privacy",), ("--flows", "1")])
def test_they_go_with_generated_data_only(workdir, option):
    done = run_cli("eval", "predicted.csv", "--truth", "city.csv", *option, cwd=workdir)
    fails(done, option[0], "generated data", code=2)


def raw(every_seconds: int, named: bool) -> str:
    """Two people's fixes over a day."""
    rows = [
        f"{uid},2023-09-04 {second // 3600:02}:{second // 60 % 60:02}:{second % 60:02},"
        f"{39.9 + 1e-4 * second / 60:.6f},116.3,{'a' if named else ''}"
        for uid in (1, 2)
        for second in range(0, 36_000, every_seconds)
    ]
    return "\n".join(["uid,datetime,lat,lon,place_id", *rows, ""])


@pytest.mark.parametrize(("every", "named"), [(60, False), (3600, False), (60, True)])
def test_raw_gps_points_are_no_stays(tmp_path, every: int, named: bool) -> None:
    for name in ("made.csv", "real.csv"):
        (tmp_path / name).write_text(raw(every, named))
    done = run_cli("eval", "made.csv", "--truth", "real.csv", cwd=tmp_path)
    if every == 60 and not named:
        fails(done, "real.csv", "1 min", "raw GPS", "humobctl data stays", "--grid", notes=True)
    else:
        assert done.code == 0
        assert "raw GPS" not in done.err
