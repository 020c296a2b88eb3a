"""``humobctl data synth`` as a user runs it."""

import io

import polars as pl

from tests.messages import fails


def test_csv_on_standard_output_is_the_same_each_time(cli) -> None:
    runs = [cli("data", "synth", "--users", "3", "--days", "10", "--seed", "4") for _ in range(2)]
    assert [run.code for run in runs] == [0, 0]
    assert runs[0].err == ""
    assert runs[0].out == runs[1].out
    assert runs[0].out.splitlines()[0] == "uid,d,t,x,y"
    frame = pl.read_csv(io.StringIO(runs[0].out))
    assert frame["uid"].unique().sort().to_list() == [0, 1, 2]


def test_default_is_100_users_and_75_days(cli) -> None:
    frame = pl.read_csv(io.StringIO(cli("data", "synth").out))
    assert frame["uid"].n_unique() == 100
    assert (frame["d"].min(), frame["d"].max()) == (0, 74)


def test_places_and_profiles_beside_it(cli, tmp_path) -> None:
    files = ("--places", "p.csv", "--profiles", "q.parquet", "--output", "t.parquet")
    done = cli("data", "synth", "-n", "5", "--days", "3", *files, cwd=tmp_path)
    assert (done.code, done.out, done.err) == (0, "", "")
    places = pl.read_csv(tmp_path / "p.csv")
    assert places.columns == ["place_id", "name", "category", "intent", "lat", "lon"]
    assert places["intent"].n_unique() == 12
    assert pl.read_parquet(tmp_path / "q.parquet")["uid"].to_list() == [0, 1, 2, 3, 4]
    assert pl.read_parquet(tmp_path / "t.parquet").columns == ["uid", "d", "t", "x", "y"]


def test_one_file_for_two_tables_is_wrong_usage(cli, tmp_path) -> None:
    done = cli("data", "synth", "--places", "-", cwd=tmp_path)
    fails(done, "--output and --places", "standard output", code=2)


def test_numbers_out_of_range_are_wrong_usage(cli) -> None:
    assert cli("data", "synth", "--users", "0").code == 2
    assert cli("data", "synth", "--days", "10001").code == 2


def test_a_place_that_cannot_be_written_is_one_line(cli, tmp_path) -> None:
    done = cli("data", "synth", "-n", "2", "-o", "none/t.csv", cwd=tmp_path)
    fails(done, "none/t.csv", "folder", "none")
