"""``humobctl data import``, as people call it."""

from __future__ import annotations

import gzip
import io
import math
import pickle
import stat
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import zstandard

from tests.conftest import Cli
from tests.messages import fails, says

GRID = "uid,d,t,x,y\n1,0,0,5,6\n1,0,1,5,7\n2,74,47,999,999\n"
PICKLES = Path(__file__).parent.parent / "data" / "importers" / "pickles"


def test_a_huge_help_says_which_format_is_which(cli: Cli) -> None:
    done = cli("data", "import", "--help")
    assert done.code == 0
    assert "Format of the input (the output's is --to)" in " ".join(done.out.split())


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "csv.zst", "parquet", "arrow", "ndjson"])
def test_a_grid_table_goes_from_any_container_to_any(cli: Cli, tmp_path: Path, ending: str) -> None:
    (tmp_path / "a.csv").write_text(GRID)
    made = cli("data", "import", "a.csv", "-o", f"b.{ending}", cwd=tmp_path)
    assert made.code == 0, made.err
    assert made.out == ""
    says(made.err, "a.csv", "CSV, header", "3 rows", "2 users", "days 0-74")
    assert made.err.count("\n") == 1
    back = cli("data", "import", f"b.{ending}", cwd=tmp_path)
    assert back.out == GRID


def test_pipes_of_any_container(cli: Cli) -> None:
    for packed in (
        GRID.encode(),
        gzip.compress(GRID.encode()),
        zstandard.compress(GRID.encode()),
        GRID.split("\n", 1)[1].encode(),
    ):
        done = cli("data", "import", input=packed)
        assert done.out == GRID, done.err
        says(done.err, "stdin", "CSV")
    for to in ("parquet", "arrow"):
        first = cli("data", "import", "--to", to, input=GRID)
        again = cli("data", "import", "-", input=first.raw)
        assert again.out == GRID
        says(again.err, "stdin", to.capitalize())


def test_quiet_says_nothing(cli: Cli) -> None:
    done = cli("data", "import", "--quiet", input=GRID)
    assert (done.out, done.err) == (GRID, "")


BAD = {
    "missing column": ("uid,d,t,x\n1,0,0,5\n", ("columns uid, d, t, x",)),
    "extra column": ("uid,d,t,x,y,z\n1,0,0,5,6,7\n", ("z", "--columns")),
    "text in a number": ("uid,d,t,x,y\n1,0,a,5,6\n", ("row 1", "line 2", "column t", "'a'")),
    "day": ("uid,d,t,x,y\n1,76,0,5,6\n", ("column d", 76, 0, 75)),
    "slot": ("uid,d,t,x,y\n1,0,48,5,6\n", ("column t", 48)),
    "cell": ("uid,d,t,x,y\n1,0,0,201,6\n", ("column x", 201, 1, 200)),
    "repeat": ("uid,d,t,x,y\n1,0,0,5,6\n1,0,0,5,7\n", ("row 2", "line 3", "column uid, d, t")),
    "half masked": ("uid,d,t,x,y\n1,0,0,999,6\n", ("column x, y", "999, 6", 999)),
    "empty": ("", ("empty",)),
    "header only": ("uid,d,t,x,y\n", ("no rows",)),
    "points without rows": ("uid,datetime,lat,lon\n", ("no rows",)),
    "cut gzip": (gzip.compress(GRID.encode() * 99)[:-9], ("cut off",)),
    "rubbish": (b"\x00\x01\x02" * 99, ("binary",)),
    "no UTF-8": (b"uid,d,t,x,y\n1,0,0,5,6\n1,0,\xe9,5,6\n", ("line 3", "0xe9")),
    "points, text in a number": (
        "uid,datetime,lat,lon\n1,2020-01-01,north,2\n",
        ("row 1", "line 2", "column lat", "'north'"),
    ),
    "nothing known": ("a,b\n1,2\n", ("columns a, b", "CSV, header", "format")),
    "evil pickle": (pickle.dumps({"a": eval}), ("builtins.eval", "pickle", "nothing was run")),
    "broken json": ('[["eat", "(1:00, 2:00)"', ("broken JSON",)),
    "cut parquet": (b"PAR1" + b"\1" * 99, ("damaged", "parquet")),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_ends_with_one_clear_line(cli: Cli, name: str) -> None:
    content, names = BAD[name]
    fails(cli("data", "import", input=content), "stdin", *names)


def test_a_file_that_is_not_there_or_may_not_be_read(cli: Cli, tmp_path: Path) -> None:
    done = cli("data", "import", "none.csv", cwd=tmp_path)
    fails(done, "none.csv", "no such file")
    done = cli("data", "import", ".", cwd=tmp_path)
    fails(done, ".", "found folder")
    locked = tmp_path / "locked.csv"
    locked.write_text(GRID)
    locked.chmod(0)
    try:
        locked.open().close()
    except PermissionError:
        done = cli("data", "import", "locked.csv", cwd=tmp_path)
        fails(done, "locked.csv", "Permission denied")
    finally:
        locked.chmod(stat.S_IRUSR | stat.S_IWUSR)


def test_nothing_is_left_of_an_import_that_failed(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(GRID + "1,0,99,5,6\n")
    done = cli("data", "import", "a.csv", "-o", "b.parquet", cwd=tmp_path)
    assert done.code == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_dropped_rows_are_counted_and_shown(cli: Cli) -> None:
    done = cli("data", "import", "--on-error", "drop", input=GRID + "1,0,99,5,6\n1,0,a,5,6\n")
    assert done.code == 0
    assert done.out == GRID
    says(done.err, "dropped 2 rows")
    says(done.err, "column t", 99)
    says(done.err, "row 5", "line 6", "column t", "'a'")


def test_mixed_line_ends_and_a_bom_come_in(cli: Cli) -> None:
    done = cli("data", "import", input=b"\xef\xbb\xbfuid,d,t,x,y\r\n1,0,0,5,6\n1,0,1,5,7\r\n")
    assert done.code == 0, done.err
    assert done.out == "uid,d,t,x,y\n1,0,0,5,6\n1,0,1,5,7\n"


USAGE = {
    "axes alone": (["--axes", "east,north"], ("--axes", "--grid")),
    "outside alone": (["--outside", "drop"], ("--outside", "--grid")),
    "back without axes": (
        ["--cells-to-points", "--grid", "500m@1,2", "--start-date", "2020-01-01"],
        ("--cells-to-points", "--grid", "--axes", "--start-date"),
    ),
    "zone of a grid": (["--timezone", "Asia/Tokyo"], ("--timezone", "grid trajectory")),
    "grid of a grid": (["--grid", "500m@1,2"], ("--grid", "grid trajectory")),
    "numbers of numbers": (["--uid-map", "a.csv"], ("--uid-map", "grid trajectory")),
    "places of a grid": (["--places", "a.csv"], ("--places", "grid trajectory")),
}


@pytest.mark.parametrize("name", USAGE)
def test_options_that_would_do_nothing_are_refused(cli: Cli, name: str) -> None:
    options, names = USAGE[name]
    fails(cli("data", "import", *options, input=GRID), *names, code=2)


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--grid", "500"], ("--grid", "'500'", "CELL@LAT,LON")),
        (["--timezone", "Tokio"], ("--timezone", "'Tokio'")),
        (["--start-date", "today"], ("--start-date", "'today'")),
        (["--columns", "foo"], ("--columns", "'foo'")),
        (["--columns", "a=uid,b=uid"], ("--columns", "uid", "a", "b")),
        (["--grid", "500m@39.6"], ("--grid", "'500m@39.6'", "CELL@LAT,LON")),
        (["--grid", "0m@39.6,116"], ("--grid", "cell size", 0)),
        (["--grid", "500m@39.6,116", "--axes", "up,down"], ("--axes", "up,down")),
        (["--timezone", "Mars/Base"], ("--timezone", "'Mars/Base'")),
        (["--start-date", "2024-13-01"], ("--start-date", "'2024-13-01'")),
        (["-o", "one.xyz"], ("one.xyz", "'.xyz'", ".csv")),
        (["-o", ""], ("--output", "-o", "empty")),
        (["--grid", ""], ("--grid", "empty")),
        (["--columns", ""], ("--columns", "empty")),
        ([""], ("INPUT", "empty")),
    ],
)
def test_values_that_mean_nothing_are_named(
    cli: Cli, options: list[str], names: tuple[str, ...]
) -> None:
    table = GRID.replace("uid,", "a,b,") if "a=uid,b=uid" in options else GRID
    done = cli("data", "import", *options, input=table)
    assert done.out == ""
    fails(done, *names, code=2)


def test_points_to_cells_and_back(cli: Cli, workdir: Path) -> None:
    grid = ["--grid", "500m@39.6,116.0"]
    made = cli("data", "import", "gps.csv", *grid, "-o", "cells.csv", cwd=workdir)
    assert made.code == 0, made.err
    cells = pl.read_csv(workdir / "cells.csv")
    # Three people, two days, every half hour, and each half hour once.
    assert cells.height == 3 * 2 * 48
    assert cells["uid"].unique().sort().to_list() == [1, 2, 3]
    back = cli(
        *("data", "import", "cells.csv", *grid, "--axes", "east,north", "--cells-to-points"),
        *("--start-date", "2023-09-04", "-o", "points.csv"),
        cwd=workdir,
    )
    assert back.code == 0, back.err
    again = cli("data", "import", "points.csv", *grid, cwd=workdir)
    assert again.out == (workdir / "cells.csv").read_text()


def test_a_renamed_column_and_ndjson(cli: Cli) -> None:
    text = "who,at,lat,lon\nann,2020-01-01 10:00:00,1.5,2.5\n"
    done = cli("data", "import", "--columns", "who=uid,at=datetime", "--to", "ndjson", input=text)
    assert done.code == 0, done.err
    (row,) = pl.read_ndjson(io.BytesIO(done.raw)).to_dicts()
    assert (row["uid"], row["lat"], row["lon"]) == ("ann", 1.5, 2.5)


def test_a_pickled_data_set(cli: Cli) -> None:
    done = cli("data", "import", PICKLES / "foursquare_2.2.3.pkl")
    assert done.code == 0, done.err
    assert done.out.splitlines()[1].startswith("7,2012-04-03T18:00:09")
    says(done.err, "pickled data frames")


def test_the_challenge_comes_in_whole(cli: Cli, shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "humob" / "cityB_submission_3000users.csv.gz"
    done = cli("data", "import", source, "--format", "humob24", "-o", tmp_path / "b.parquet")
    assert done.code == 0, done.err
    says(done.err, "CSV, gzip, no header", "3,000 users", "days 60-74")
    lines = gzip.decompress(source.read_bytes()).split()
    assert pl.read_parquet(tmp_path / "b.parquet").height == len(lines)


def peak_of_import(users: int, folder: Path) -> int:
    """The most memory that an import of so many users takes, in KiB."""
    cells = pl.select(i=pl.int_range(users * 75 * 48)).select(
        uid=pl.col("i") // 3600,
        d=pl.col("i") // 48 % 75,
        t=pl.col("i") % 48,
        x=pl.col("i") % 200 + 1,
        y=pl.col("i") // 7 % 200 + 1,
    )
    cells.write_csv(folder / "a.csv")
    # A small process in between: a child starts with the peak of the one that made it.
    watch = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = ["data", "import", "a.csv", "-o", "a.parquet", "--quiet"]
    arguments = [sys.executable, "-c", watch, sys.executable, "-m", "humobctl", *command]
    done = subprocess.run(arguments, cwd=folder, capture_output=True, check=True)
    rows = pl.scan_parquet(folder / "a.parquet").select(pl.len()).collect().item()
    assert rows == users * 3600
    return int(done.stdout)


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """8.6 million rows take no more memory than 4.3 million do, give or take a batch."""
    peaks = [math.inf, math.inf]
    # On a busy machine the memory allocator returns less of what it took: the lower of two counts.
    for _ in range(2):
        pairs = zip(peaks, (1200, 2400), strict=True)
        peaks = [min(before, peak_of_import(users, tmp_path)) for before, users in pairs]
        if peaks[1] <= 1.3 * peaks[0]:
            break
    assert peaks[1] <= 1.3 * peaks[0], peaks
