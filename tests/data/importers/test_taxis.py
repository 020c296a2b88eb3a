"""T-Drive and Porto taxis."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import Cli
from tests.messages import fails, says

ROW = "{},2008-02-02 15:36:08,116.51172,39.92123\n"
POINT = "{},2008-02-02T15:36:08.000000,39.92123,116.51172,,\n"
HEAD = "uid,datetime,lat,lon,place_id,category\n"
PORTO = '"TRIP_ID","CALL_TYPE","TAXI_ID","TIMESTAMP","DAY_TYPE","MISSING_DATA","POLYLINE"\n'
TRIP = '"{}","C","20000589","1372636858","A","{}","{}"\n'


def test_a_folder_and_a_file_of_tdrive(cli: Cli, tmp_path: Path) -> None:
    for number in (1, 2, 10):
        text = "" if number == 2 else ROW.format(number) * 2
        (tmp_path / f"{number}.txt").write_text(text)
    done = cli("data", "import", ".", cwd=tmp_path)
    assert done.out == HEAD + POINT.format(1) * 2 + POINT.format(10) * 2, done.err
    says(done.err, "T-Drive", "4 rows", "2 users")
    done = cli("data", "import", "10.txt", "--timezone", "UTC", cwd=tmp_path)
    assert done.out == HEAD + POINT.format(10) * 2
    says(done.err, "without a zone")


def test_a_fault_of_tdrive_names_its_file(cli: Cli, tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"{number}.txt").write_text(ROW.format(number) + "2,noon,1,2\n" * (number - 1))
    fails(cli("data", "import", ".", cwd=tmp_path), "2.txt", "row 2", "column datetime", "'noon'")
    done = cli("data", "import", ".", "--on-error", "drop", cwd=tmp_path)
    assert done.out == HEAD + POINT.format(1) + POINT.format(2)
    says(done.err, "2.txt", "line 2")


def test_trips_of_porto(cli: Cli) -> None:
    line = "[[-8.618643,41.141412],[-8.618499,41.141376]]"
    rows = [("a", "False", line), ("b", "True", line), ("c", "False", "[]")]
    done = cli("data", "import", input=PORTO + "".join(TRIP.format(*row) for row in rows))
    assert done.out == (
        HEAD
        + "20000589,2013-07-01T00:00:58.000000,41.141412,-8.618643,,\n"
        + "20000589,2013-07-01T00:01:13.000000,41.141376,-8.618499,,\n"
    ), done.err
    says(done.err, "1 trip", "MISSING_DATA")
    says(done.err, "1 trip", "without a point")


def test_a_broken_trip_of_porto(cli: Cli) -> None:
    good = TRIP.format("a", "False", "[[-8.6,41.1]]")
    for line in ("[[-8.6,41.1]", "[[-8.6]]", "[[-8.6,41.1],]", "", "[[-8.6,041.1]]"):
        text = PORTO + good + TRIP.format("b", "False", line)
        fails(cli("data", "import", input=text), "row 2", "line 3", "column POLYLINE")
        done = cli("data", "import", "--on-error", "drop", input=text)
        assert done.out.count("\n") == 2
    bad = good.replace("1372636858", "noon")
    fails(cli("data", "import", input=PORTO + bad), "row 1", "column TIMESTAMP", "'noon'")


def test_a_table_that_is_not_porto_s(cli: Cli) -> None:
    done = cli("data", "import", "-", "--format", "porto", input="uid,d,t,x,y\n1,0,3,10,20\n")
    fails(done, "stdin", "TAXI_ID", "uid")
