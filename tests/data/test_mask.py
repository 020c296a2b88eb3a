"""Masks: the right rows lose their cell, and no other row changes."""

import numpy as np
import polars as pl
import pytest

from humobctl.data.mask import Mask, choose_users, mask_table, read_users
from humobctl.data.synth.run import SyntheticCity
from humobctl.errors import HumobError, TableError, UsageError
from humobctl.io.read import read_table
from tests.messages import raises


@pytest.fixture(scope="module")
def city() -> pl.DataFrame:
    return pl.concat(list(SyntheticCity(10, 20, 0).trajectories()))


def run(city: pl.DataFrame, folder, mask: Mask) -> tuple[pl.DataFrame, pl.DataFrame]:
    """All rows written, and those that lost their cell."""
    source, output = folder / "in.parquet", folder / "out.parquet"
    city.write_parquet(source)
    done = mask_table(str(source), str(output), mask)
    written = read_table(str(output))
    assert written.select("uid", "d", "t").equals(city.select("uid", "d", "t"))
    lost = (written["x"] == 999) & (city["x"] != 999)
    assert (written.filter(lost)["y"] == 999).all()
    assert written.filter(~lost).equals(city.filter(~lost))
    assert (done.rows, done.written) == (lost.sum(), city.height)
    assert done.users == written.filter(lost)["uid"].n_unique()
    return written, city.filter(lost)


def test_days(city: pl.DataFrame, tmp_path) -> None:
    assert run(city, tmp_path, Mask(15))[1].equals(city.filter(pl.col("d") >= 15))
    assert run(city, tmp_path, Mask(15, 15))[1].equals(city.filter(pl.col("d") == 15))
    assert run(city, tmp_path, Mask(to_day=3))[1].equals(city.filter(pl.col("d") <= 3))


def test_last_users_are_those_of_highest_uid(city: pl.DataFrame, tmp_path) -> None:
    hidden = run(city, tmp_path, Mask(15, last=2))[1]
    assert hidden.equals(city.filter((pl.col("d") >= 15) & (pl.col("uid") >= 8)))


def test_random_users_are_seeded_and_do_not_depend_on_the_order(
    city: pl.DataFrame, tmp_path
) -> None:
    def hidden(rows: pl.DataFrame, **options: object) -> set[int]:
        return set(run(rows, tmp_path, Mask(10, **options))[1]["uid"].to_list())

    assert len(hidden(city, users=4)) == 4
    assert hidden(city, users=4) == hidden(city.reverse(), users=4)
    assert len({frozenset(hidden(city, users=4, seed=s)) for s in range(5)}) > 1
    assert hidden(city, fraction=0.4) == hidden(city, users=4)
    assert len(hidden(city, fraction=0.01)) == 1  # at least one
    assert hidden(city, fraction=1.0) == set(range(10))


def test_users_file(city: pl.DataFrame, tmp_path) -> None:
    users = tmp_path / "users.txt"
    users.write_text("uid\n7\n 3\r\n\n3\n")
    assert read_users(str(users)).tolist() == [3, 7]
    hidden = run(city, tmp_path, Mask(users_file=str(users)))[1]
    assert hidden.equals(city.filter(pl.col("uid").is_in([3, 7])))


@pytest.mark.parametrize(
    ("text", "place"),
    [("1\nx\n", "line 2"), ("-1\n", "line 1"), ("4294967296\n", "line 1"), ("1,2\n", "line 1")],
)
def test_users_file_with_something_else(tmp_path, text: str, place: str) -> None:
    users = tmp_path / "users.txt"
    users.write_text(text)
    with raises(TableError, place, text.rsplit(maxsplit=1)[-1], "uid"):
        read_users(str(users))


def test_users_file_without_users(tmp_path) -> None:
    users = tmp_path / "users.txt"
    users.write_text("uid\n")
    with raises(HumobError, "users.txt", "no uid"):
        read_users(str(users))


def test_users_that_are_not_there() -> None:
    present = np.arange(5, dtype=np.uint32)
    listed = np.array([2, 9, 11], dtype=np.uint32)
    with raises(HumobError, "u.txt", 2, "a.csv", 9):
        choose_users(present, Mask(users_file="u.txt"), "a.csv", listed)
    with raises(HumobError, "5 users", 6):
        choose_users(present, Mask(users=6), "a.csv")
    assert choose_users(present, Mask(3), "a.csv") is None


def test_masked_rows_stay_masked_and_are_not_counted(city: pl.DataFrame, tmp_path) -> None:
    once = run(city, tmp_path, Mask(15))[0]
    again = run(once, tmp_path, Mask(12))[1]
    assert again.equals(once.filter(pl.col("d").is_between(12, 14)))


def test_nothing_to_mask_is_an_error_and_writes_nothing(city: pl.DataFrame, tmp_path) -> None:
    with raises(HumobError, "days 0-19", "10 users"):
        run(city, tmp_path, Mask(20))
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({}, ("nothing to mask",)),
        ({"users": 1, "last": 2}, ("--users", "--last")),
        ({"fraction": 0.1, "users_file": "u"}, ("--fraction", "--users-file")),
        ({"from_day": 5, "to_day": 4}, ("--to-day 4", "--from-day 5")),
    ],
)
def test_options_that_do_not_go_together(options: dict, names: tuple[str, ...]) -> None:
    with raises(UsageError, *names):
        Mask(**options)


def test_challenge_files_come_out_as_published(shared_data, tmp_path) -> None:
    folder = shared_data / "humob"
    output = tmp_path / "b.csv"
    mask_table(str(folder / "cityB_100users.csv.gz"), str(output), Mask(60))
    published = read_table(str(folder / "cityB_challenge.csv.gz"))
    key = ["uid", "d", "t"]
    assert read_table(str(output)).sort(key).equals(published.sort(key))
