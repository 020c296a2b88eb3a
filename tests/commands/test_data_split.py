"""``humobctl data split`` as a user runs it."""

import polars as pl
import pytest

from tests.messages import fails, says


def test_says_what_went_where(cli, workdir) -> None:
    done = cli("data", "split", "city.csv", "--train", "a.csv", "--test", "b.parquet", cwd=workdir)
    assert (done.code, done.out) == (0, "")
    train, test = pl.read_csv(workdir / "a.csv"), pl.read_parquet(workdir / "b.parquet")
    says(done.err, "train", train.height, "16 users", "days 0-74")
    says(done.err, "test", test.height, "4 users", "days 0-74")
    assert done.err.count("\n") == 2
    assert train.height + test.height == pl.read_csv(workdir / "city.csv").height


def test_from_a_pipe_by_both(cli, workdir) -> None:
    done = cli(
        *("data", "split", "--by", "both", "--test-users", "2", "--from-day", "60"),
        *("--train", "a.csv", "--test", "b.csv", "--quiet"),
        input=(workdir / "city.csv").read_bytes(),
        cwd=workdir,
    )
    assert (done.code, done.err) == (0, "")
    test = pl.read_csv(workdir / "b.csv")
    assert test["d"].min() == 60
    assert test["uid"].n_unique() == 2
    assert pl.read_csv(workdir / "a.csv")["uid"].n_unique() == 20


def test_one_part_may_go_to_standard_output(cli, workdir) -> None:
    done = cli("data", "split", "city.csv", "--train", "a.csv", "--test", "-", cwd=workdir)
    assert done.code == 0
    assert done.out.startswith("uid,d,t,x,y\n")
    lines = done.out.count("\n") + (workdir / "a.csv").read_text().count("\n")
    assert lines == (workdir / "city.csv").read_text().count("\n") + 1


def test_both_files_are_needed(cli, workdir) -> None:
    done = cli("data", "split", "city.csv", "--train", "a.csv", cwd=workdir)
    assert done.code == 2
    says(done.err, "--test")


def test_options_that_do_not_go_together(cli, workdir) -> None:
    files = ("--train", "a.csv", "--test", "b.csv")
    done = cli("data", "split", "city.csv", "--by", "both", *files, cwd=workdir)
    fails(done, "--by both", "--from-day", code=2)


@pytest.mark.parametrize("option", ["--test-fraction", "--validation-fraction"])
def test_a_share_of_nothing_is_wrong_usage(cli, workdir, option) -> None:
    files = ("--train", "a.csv", "--test", "b.csv", "--validation", "c.csv")
    done = cli("data", "split", "city.csv", *files, option, "0", cwd=workdir)
    fails(done, option, 0, 1, code=2)
    assert not (workdir / "a.csv").exists()


def test_repeated_rows_are_an_error_and_leave_no_file(cli, tmp_path) -> None:
    rows = "uid,d,t,x,y\n1,0,0,1,1\n2,0,0,1,1\n1,0,0,2,2\n"
    done = cli("data", "split", "--train", "a.csv", "--test", "b.csv", input=rows, cwd=tmp_path)
    fails(done, "(1, 0, 0)", "second")
    assert list(tmp_path.iterdir()) == []
