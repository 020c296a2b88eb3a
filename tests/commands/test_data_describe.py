"""``humobctl data describe`` as a user runs it."""

import json
import os
import pty
import subprocess
import sys

import polars as pl
import pytest

import humobctl as hm
from humobctl.errors import UsageError
from humobctl.tables.schemas import USER_MEASURES
from tests.messages import fails, raises, says
from tests.plots.svg import texts

ROWS = "uid,d,t,x,y\n1,0,0,10,10\n1,0,1,16,10\n2,1,0,999,999\n"


def test_json_in_a_pipe(cli) -> None:
    done = cli("data", "describe", input=ROWS)
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    assert found["source"] == "stdin"
    assert (found["users"], found["rows"], found["masked_rows"], found["days"]) == (2, 3, 1, 2)
    assert found["radius_of_gyration_km"]["mean"] == 1.5  # 6 cells are 3 km, half of it each
    assert found["by_day"][1] == {"d": 1, "rows": 1, "masked": 1, "users": 1}
    assert "heat" not in found


def test_cell_size_scales_lengths(cli) -> None:
    found = json.loads(cli("data", "describe", "--cell-km", "1", input=ROWS).out)
    assert found["radius_of_gyration_km"]["mean"] == 3.0


def test_table_when_asked_for(cli, example_files) -> None:
    done = cli("data", "describe", "challenge.csv", "--format", "table", cwd=example_files)
    assert done.code == 0
    for text in ("radius of gyration, km", "uncorrelated entropy, bits", "longest gap", "70-74"):
        assert text in done.out
    with pytest.raises(ValueError, match="Expecting"):
        json.loads(done.out)


def test_table_on_a_terminal(example_files) -> None:
    main, side = pty.openpty()
    command = [sys.executable, "-m", "humobctl", "data", "describe", "city.csv"]
    environment = {**os.environ, "COLUMNS": "120", "TERM": "xterm"}
    with subprocess.Popen(
        command, stdout=side, stderr=subprocess.DEVNULL, cwd=example_files, env=environment
    ) as process:
        os.close(side)
        shown = b""
        try:
            while block := os.read(main, 1 << 16):
                shown += block
        except OSError:  # Linux: the other side was closed
            pass
        os.close(main)
    assert process.returncode == 0
    assert "fraction in the top cell" in shown.decode()


def test_plots(cli, workdir) -> None:
    pytest.importorskip("matplotlib")
    pytest.importorskip("plotly")
    for file, magic in (("a.png", b"\x89PNG"), ("a.html", b"<html")):
        done = cli("data", "describe", "challenge.csv", "--plot", file, cwd=workdir)
        assert (done.code, done.err) == (0, "")
        assert magic in (workdir / file).read_bytes()[:100]
        json.loads(done.out)


VISITS = "uid,d,seq,intent,start_min,end_min,place_id,lat,lon\n"


@pytest.mark.parametrize(
    ("table", "written"),
    [
        (
            "uid,datetime,lat,lon\na,2020-01-01 08:00,1,2\na,2020-01-01 09:00,1.1,2\n",
            ("1 user, 2 records, 2020-01-01 to 2020-01-01", "where", "records by hour", "latitude"),
        ),
        (
            VISITS + "1,0,0,eat,0,60,a,1,2\n1,0,1,go home,90,300,b,1.1,2\n",
            ("1 user, 2 visits, day 0", "visits and users by day", "intents", "eat", "go home"),
        ),
        (
            "place_id,name,category,lat,lon,intent\na,A,cafe,1,2,eat\nb,B,$x$,1.1,2,\n",
            ("2 places, 0.0 km by 11.1 km, 2 categories", "any intent", "cafe", "$x$"),
        ),
        (
            "uid,d,seq,intent,start_min,end_min\n1,0,0,eat,0,60\n",
            ("1 user, 1 user-day, 1 activity", "durations", "minutes: median, 25-75 %, 5-95 %"),
        ),
        (
            "origin,destination,flow\na,b,2\nb,a,1\na,a,1\n",
            (
                "2 areas, 3 pairs with a flow, 4 trips, 25.0% within areas",
                "a to b",
                "largest flows",
            ),
        ),
    ],
)
def test_what_is_written_in_the_picture_of_each_kind(cli, tmp_path, table: str, written) -> None:
    pytest.importorskip("matplotlib")
    done = cli("data", "describe", "--plot", "a.svg", input=table, cwd=tmp_path)
    assert done.code == 0, done.err
    found = texts(tmp_path / "a.svg")
    assert set(written) <= set(found), found
    assert "heat" not in json.loads(done.out)


def test_plot_with_another_ending_is_wrong_usage(cli) -> None:
    done = cli("data", "describe", "--plot", "a.bmp", input=ROWS)
    fails(done, "--plot", "a.bmp", ".png", ".html", code=2)


def test_every_kind_says_what_it_is(cli, example_files) -> None:
    """The examples have one of each; of points it is said how they were read, too."""
    flows = "origin,destination,flow\na,b,2\n"
    (example_files / "some_flows.csv").write_text(flows)
    kinds = {
        "city.csv": "grid trajectory",
        "gps.csv": "points",
        "places.csv": "places",
        "some_flows.csv": "flows",
    }
    for file, kind in kinds.items():
        done = cli("data", "describe", file, cwd=example_files)
        assert done.code == 0, done.err
        assert json.loads(done.out)["kind"] == kind
        shown = cli("data", "describe", file, "-f", "table", cwd=example_files)
        assert f"{file}: {kind}" in shown.out


def test_a_table_of_each_user(cli, workdir) -> None:
    done = cli("data", "describe", "gps.csv", "--per-user", "users.parquet", cwd=workdir)
    assert done.code == 0
    users = pl.read_parquet(workdir / "users.parquet")
    assert users.columns == USER_MEASURES.columns
    assert users.height == json.loads(done.out)["users"]
    over = json.loads(done.out)["measures"]["radius_of_gyration_km"]
    assert over["mean"] == pytest.approx(users["radius_of_gyration_km"].mean())


def test_a_table_of_each_user_is_not_written_over_the_input(cli, workdir) -> None:
    before = (workdir / "gps.csv").read_bytes()
    done = cli("data", "describe", "gps.csv", "--per-user", "gps.csv", cwd=workdir)
    fails(done, "gps.csv", "overwrite", code=2, notes=True)
    with raises(UsageError, "gps.csv", "overwrite"):
        hm.describe(workdir / "gps.csv", per_user=workdir / "gps.csv")
    assert (workdir / "gps.csv").read_bytes() == before


@pytest.mark.parametrize(
    ("option", "table"),
    [
        (("--per-user", "a.csv"), "origin,destination,flow\na,b,2\n"),
        (("--areas", "a.csv"), ROWS),
        (("--timezone", "Asia/Tokyo"), ROWS),
        (("--columns", "d="), ROWS),
        (("--per-user", "a.csv"), "uid,d,seq,intent,start_min,end_min\n1,0,0,eat,0,9\n"),
    ],
)
def test_options_of_other_kinds_are_wrong_usage(cli, workdir, option, table: str) -> None:
    fails(cli("data", "describe", *option, input=table, cwd=workdir), option[0], code=2)
    assert not (workdir / "a.csv").exists()


def test_bad_row_is_one_line_or_dropped(cli) -> None:
    bad = ROWS + "3,1,0,201,5\n"
    done = cli("data", "describe", input=bad)
    fails(done, "stdin", "row 4", "line 5", "column x", 201)
    done = cli("data", "describe", "--on-error", "drop", input=bad)
    assert done.code == 0
    assert json.loads(done.out)["rows"] == 3
    says(done.err, "dropped 1 row")


def test_only_bad_rows_are_an_error(cli) -> None:
    done = cli("data", "describe", "--on-error", "drop", input="uid,d,t,x,y\n3,1,0,201,5\n")
    fails(done, "stdin", "no good row", notes=True)
