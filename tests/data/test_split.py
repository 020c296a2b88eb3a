"""Splits: every row in exactly one file, and who goes where."""

import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from humobctl.data.split import Split, shuffle_users, split_table
from humobctl.data.synth.run import SyntheticCity
from humobctl.errors import HumobError, UsageError
from humobctl.io import replayable as spool_module
from humobctl.io.read import read_table
from tests.messages import raises


@pytest.fixture(scope="module")
def city() -> pl.DataFrame:
    return pl.concat(list(SyntheticCity(20, 30, 0).trajectories()))


def run(city: pl.DataFrame, folder, split: Split, validation: bool = False) -> dict:
    source = folder / "in.parquet"
    city.write_parquet(source)
    files = {"train": str(folder / "train.csv"), "test": str(folder / "test.csv")}
    if validation:
        files["validation"] = str(folder / "validation.csv")
    parts = split_table(str(source), split, **files)
    frames = {name: read_table(path) for name, path in files.items()}
    for part in parts:
        frame = frames[part.name]
        assert (part.rows, part.users) == (frame.height, frame["uid"].n_unique())
        assert (part.first_day, part.last_day) == (frame["d"].min(), frame["d"].max())
    # Nothing lost, nothing twice, and each part in the order of the input.
    together = pl.concat(frames.values())
    assert together.sort(pl.all()).equals(city.sort(pl.all()))
    for frame in frames.values():
        assert frame.equals(
            city.join(frame, on=["uid", "d", "t"], how="semi", maintain_order="left")
        )
    return frames


def users(frame: pl.DataFrame) -> set[int]:
    return set(frame["uid"].to_list())


def test_by_user(city: pl.DataFrame, tmp_path) -> None:
    parts = run(city, tmp_path, Split("user"), validation=True)
    assert {name: len(users(frame)) for name, frame in parts.items()} == {
        **{"train": 14, "test": 4, "validation": 2}  # 20 %, 10 % of 20
    }
    assert not any(users(a) & users(b) for a, b in itertools.combinations(parts.values(), 2))


def test_by_user_number_is_exact_and_seeded(city: pl.DataFrame, tmp_path) -> None:
    chosen = [
        users(run(city, tmp_path, Split("user", test_users=7, seed=s))["test"]) for s in (0, 1)
    ]
    assert [len(c) for c in chosen] == [7, 7]
    assert chosen[0] != chosen[1]
    mixed = city.sample(fraction=1, shuffle=True, seed=4)
    assert users(run(mixed, tmp_path, Split("user", test_users=7, seed=0))["test"]) == chosen[0]
    fewer = users(run(city, tmp_path, Split("user", test_users=3, seed=0))["test"])
    assert fewer < chosen[0]


def test_by_day(city: pl.DataFrame, tmp_path) -> None:
    parts = run(city, tmp_path, Split("day"), validation=True)
    days = {name: (frame["d"].min(), frame["d"].max()) for name, frame in parts.items()}
    # 20 % of 30 days to test on, and 10 % before them.
    assert days == {"train": (0, 20), "validation": (21, 23), "test": (24, 29)}
    parts = run(city, tmp_path, Split("day", from_day=10))
    assert (parts["train"]["d"].max(), parts["test"]["d"].min()) == (9, 10)


def test_by_both(city: pl.DataFrame, tmp_path) -> None:
    split = Split("both", test_users=3, from_day=20, validation_fraction=0.25)
    parts = run(city, tmp_path, split, validation=True)
    test, validation, train = users(parts["test"]), users(parts["validation"]), parts["train"]
    assert (len(test), len(validation)) == (3, 5)
    assert not test & validation
    assert parts["test"]["d"].min() == parts["validation"]["d"].min() == 20
    # The test users' past is in the train file, and the others' whole history.
    assert users(train) == users(city)
    assert users(train.filter(pl.col("d") >= 20)) == users(city) - test - validation


def test_through_the_disk(city: pl.DataFrame, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = run(city, tmp_path, Split("user"))
    monkeypatch.setattr(spool_module, "IN_MEMORY_ROWS", 100)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = set(tmp_path.iterdir())
    again = run(city, tmp_path, Split("user"))
    assert all(again[name].equals(expected[name]) for name in expected)
    assert set(tmp_path.iterdir()) == before  # temporary files are gone


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"by": "user", "from_day": 3}, ("--from-day", "--by user")),
        ({"by": "day", "test_users": 3}, ("--test-users", "--by day")),
        ({"by": "both"}, ("--by both", "--from-day")),
        (
            {"by": "user", "test_users": 3, "test_fraction": 0.5},
            ("--test-fraction", "--test-users"),
        ),
        ({"by": "day", "from_day": 3, "test_fraction": 0.5}, ("--test-fraction", "--from-day")),
    ],
)
def test_options_that_do_not_go_together(options: dict, names: tuple[str, ...]) -> None:
    with raises(UsageError, *names):
        Split(**options)


@pytest.mark.parametrize(
    ("split", "names"),
    [
        (Split("user", test_users=20), ("found 20 users", "20 to test")),
        (Split("user", test_fraction=1.0), ("found 20 users", "20 to test")),
        (Split("day", from_day=30), ("no rows", "test part")),
        (Split("day", from_day=0), ("no rows", "train part")),
        (Split("both", from_day=99), ("no rows", "test part")),
    ],
)
def test_empty_parts_are_errors_and_nothing_is_written(
    city: pl.DataFrame, tmp_path, split: Split, names: tuple[str, ...]
) -> None:
    with raises(HumobError, *names):
        run(city, tmp_path, split)
    assert [file.name for file in tmp_path.iterdir()] == ["in.parquet"]


def test_validation_takes_no_day_that_is_not_there(city: pl.DataFrame, tmp_path) -> None:
    with raises(HumobError, "validation part"):
        run(city, tmp_path, Split("day", from_day=2), validation=True)


def test_one_file_for_two_parts_is_refused(tmp_path) -> None:
    same = str(tmp_path / "a.csv")
    with raises(UsageError, "--train and --test", "a.csv"):
        split_table(None, Split("user"), train=same, test=same)
    with raises(UsageError, "--validation-fraction", "--validation"):
        split_table(None, Split("user", validation_fraction=0.1), train=same, test="b.csv")


@given(st.sets(st.integers(0, 2**32 - 1), min_size=1, max_size=50), st.integers(0, 2**70))
def test_shuffled_order_depends_on_each_uid_alone(uids: set[int], seed: int) -> None:
    array = np.array(sorted(uids), dtype=np.uint32)
    order = shuffle_users(array, seed)
    assert sorted(order.tolist()) == sorted(uids)
    assert shuffle_users(array[::-1], seed).tolist() == order.tolist()
    some = array[::2]
    assert shuffle_users(some, seed).tolist() == [
        u for u in order.tolist() if u in set(some.tolist())
    ]


def test_shuffled_is_even() -> None:
    """The mean place of the lower half is the middle: 5 standard errors of 2,500 draws."""
    order = shuffle_users(np.arange(5000, dtype=np.uint32), 3)
    places = np.flatnonzero(order < 2500)
    assert abs(places.mean() - 2499.5) < 5 * 5000 / np.sqrt(12 * 5000)
