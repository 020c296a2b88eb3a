"""``humobctl data mask`` as a user runs it."""

import pytest

from tests.messages import fails, says

ROWS = "uid,d,t,x,y\n5,0,0,1,2\n5,1,0,1,2\n2,1,3,7,8\n"


def test_writes_all_rows_in_their_order(cli) -> None:
    done = cli("data", "mask", "--from-day", "1", input=ROWS)
    assert done.code == 0
    assert done.out == "uid,d,t,x,y\n5,0,0,1,2\n5,1,0,999,999\n2,1,3,999,999\n"
    says(done.err, 2, "of 3 rows", "2 users")
    assert done.err.count("\n") == 1


def test_quiet(cli) -> None:
    done = cli("data", "mask", "--last", "1", "--quiet", input=ROWS)
    assert done.out == "uid,d,t,x,y\n5,0,0,999,999\n5,1,0,999,999\n2,1,3,7,8\n"
    assert done.err == ""


def test_nothing_to_mask_is_one_line(cli, tmp_path) -> None:
    done = cli("data", "mask", "--from-day", "2", "-o", "a.csv", input=ROWS, cwd=tmp_path)
    assert done.out == ""
    fails(done, "stdin", "days 0-1", "2 users", "day 2")
    assert list(tmp_path.iterdir()) == []


def test_without_a_choice_is_wrong_usage(cli) -> None:
    done = cli("data", "mask", input=ROWS)
    fails(done, "--from-day", code=2)


@pytest.mark.parametrize("share", ["0", "0.0", "-0.1"])
def test_a_share_of_nothing_is_wrong_usage(cli, share) -> None:
    done = cli("data", "mask", "--fraction", share, input=ROWS)
    assert done.out == ""
    fails(done, "--fraction", float(share), 0, 1, code=2)
    least = cli("data", "mask", "--fraction", "0.01", input=ROWS)
    says(least.err, 1, "of 3 rows", "1 user")


def test_users_file(cli, tmp_path) -> None:
    (tmp_path / "u.txt").write_text("2\n")
    done = cli("data", "mask", "--users-file", "u.txt", input=ROWS, cwd=tmp_path)
    assert done.out == "uid,d,t,x,y\n5,0,0,1,2\n5,1,0,1,2\n2,1,3,999,999\n"
    (tmp_path / "u.txt").write_text("2\n3\n")
    done = cli("data", "mask", "--users-file", "u.txt", input=ROWS, cwd=tmp_path)
    fails(done, "u.txt", 1, "stdin", 3)


def test_missing_users_file_is_one_line(cli, tmp_path) -> None:
    done = cli("data", "mask", "--users-file", "none.txt", input=ROWS, cwd=tmp_path)
    fails(done, "none.txt", "no such file")
