"""Folders of Parquet files as output: whole users a file, blocks of users, all or nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from humobctl.errors import HumobError, UsageError
from humobctl.io import parquet_folder
from humobctl.io.parquet_folder import check_folder, whole_folder, write_folder
from humobctl.io.read import read_table
from humobctl.io.write import write_table
from humobctl.tables.schemas import GRID, POINTS
from tests.conftest import Cli
from tests.messages import fails, raises


def rows_of(users: list[tuple[int, int]]) -> pl.DataFrame:
    """``(uid, rows)`` pairs as a grid trajectory, in their order."""
    uid = np.repeat([u for u, _ in users], [n for _, n in users])
    slot = np.concatenate([np.arange(n) for _, n in users])
    return pl.DataFrame({"uid": uid, "d": slot // 48, "t": slot % 48, "x": 1, "y": 1}).cast(
        GRID.dtypes
    )


def files(folder: Path) -> dict[str, list[int]]:
    """Users of each file by its name in the folder."""
    return {
        str(path.relative_to(folder)): pl.read_parquet(path, hive_partitioning=False)["uid"]
        .unique()
        .sort()
        .to_list()
        for path in sorted(folder.rglob("*.parquet"))
    }


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_users_stay_whole(batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_folder, "FILE_ROWS", 5)
    rows = rows_of([(1, 4), (2, 3), (3, 5), (4, 1)])
    count = write_folder(rows.iter_slices(batch), tmp_path / "out", GRID.dtypes)
    assert count == 13
    # 4 rows are not enough, 7 are; 5 are enough at once.
    assert files(tmp_path / "out") == {
        "part-00000.parquet": [1, 2],
        "part-00001.parquet": [3],
        "part-00002.parquet": [4],
    }
    assert (tmp_path / "out" / "_SUCCESS").read_bytes() == b""
    assert read_table(str(tmp_path / "out")).equals(rows)
    assert names(tmp_path) == ["out"]


@pytest.mark.parametrize("batch", [1, 4, 100])
def test_a_user_of_too_many_rows_is_cut(
    batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_folder, "FILE_ROWS", 5)
    rows = rows_of([(1, 23)])
    write_folder(rows.iter_slices(batch), tmp_path / "out", GRID.dtypes)
    sizes = [pl.read_parquet(path).height for path in sorted((tmp_path / "out").glob("*.parquet"))]
    assert sizes == [10, 10, 3]
    assert read_table(str(tmp_path / "out")).equals(rows)


def test_no_rows_still_have_their_columns(tmp_path: Path) -> None:
    for name, block in (("a", None), ("b", 5)):
        assert write_table(iter(()), f"{tmp_path / name}/", table=POINTS, users_a_block=block) == 0
        (file,) = (tmp_path / name).rglob("*.parquet")
        assert pl.read_parquet(file, hive_partitioning=False).columns == POINTS.columns


def test_blocks_of_users(tmp_path: Path) -> None:
    rows = rows_of([(0, 2), (9, 1), (10, 2), (35, 1)])
    write_table(rows, f"{tmp_path}/out/", users_a_block=10)
    assert files(tmp_path / "out") == {
        "uid_block=00000/part-00000.parquet": [0, 9],
        "uid_block=00001/part-00000.parquet": [10],
        "uid_block=00003/part-00000.parquet": [35],
    }
    assert read_table(str(tmp_path / "out")).equals(rows)
    other = pl.scan_parquet(tmp_path / "out", hive_partitioning=True).collect()
    assert other["uid_block"].to_list() == [0, 0, 0, 1, 1, 3]


@pytest.mark.parametrize("batch", [1, 7, 100])
def test_blocks_of_rows_in_any_order(
    batch: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_folder, "FILE_ROWS", 20)
    rows = rows_of([(uid, 5) for uid in range(12)]).sample(fraction=1, shuffle=True, seed=1)
    write_folder(rows.iter_slices(batch), tmp_path / "out", GRID.dtypes, users_a_block=4)
    found = files(tmp_path / "out")
    assert {name.split("/")[0] for name in found} == {f"uid_block=0000{n}" for n in range(3)}
    for name, users in found.items():
        block = int(name[len("uid_block=") :].split("/")[0])
        assert {uid // 4 for uid in users} == {block}
    keys = ["uid", "d", "t"]
    assert read_table(str(tmp_path / "out")).sort(keys).equals(rows.sort(keys))


def test_users_in_order_stay_whole_in_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_folder, "FILE_ROWS", 7)
    rows = rows_of([(uid, 3) for uid in range(6)])
    write_folder(rows.iter_slices(2), tmp_path / "out", GRID.dtypes, users_a_block=100)
    listed = [uid for users in files(tmp_path / "out").values() for uid in users]
    assert listed == [0, 1, 2, 3, 4, 5]  # each in one file


def test_users_with_names_are_counted(tmp_path: Path) -> None:
    rows = pl.DataFrame({"uid": ["b", "a", "b", "c"], "x": [1, 2, 3, 4]})
    write_folder([rows[:2], rows[2:]], tmp_path / "out", dict(rows.schema), users_a_block=2)
    assert files(tmp_path / "out") == {
        "uid_block=00000/part-00000.parquet": ["a", "b"],
        "uid_block=00001/part-00000.parquet": ["c"],
    }


def test_too_many_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_folder, "MAX_BLOCKS", 2)
    with raises(HumobError, 2, "blocks of 1 user"):
        write_folder(
            [rows_of([(1, 1), (2, 1), (9, 1)])], tmp_path / "o", GRID.dtypes, users_a_block=1
        )
    assert names(tmp_path) == []
    with raises(UsageError, "uid"):
        write_folder([], tmp_path / "o", {"x": pl.Int8()}, users_a_block=1)


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
def test_all_or_nothing(failure: type[BaseException], tmp_path: Path) -> None:
    def broken() -> Iterator[pl.DataFrame]:
        yield rows_of([(1, 3)])
        raise failure

    with pytest.raises(failure):
        write_folder(broken(), tmp_path / "out", GRID.dtypes)
    assert names(tmp_path) == []


def test_success_comes_last(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "out") as place:
        (place / "a").touch()
        assert place.parent == tmp_path
        assert place.name.startswith(".")
        assert not (place / "_SUCCESS").exists()
    assert names(tmp_path / "out") == ["_SUCCESS", "a"]


def test_what_is_there_is_not_lost(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    for path, said in (
        ("file", ("found a file", "folder")),
        ("full", ("not empty", "new name")),
        ("no/out", ("no folder",)),
    ):
        with raises(HumobError, path, *said):
            check_folder(tmp_path / path)
    (tmp_path / "empty").mkdir()
    write_table(rows_of([(1, 1)]), str(tmp_path / "empty"))
    assert names(tmp_path / "empty") == ["_SUCCESS", "part-00000.parquet"]


def test_a_mounted_folder_is_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "is_mount", lambda self: self.name == "volume")
    volume = tmp_path / "volume"
    volume.mkdir()
    inode = volume.stat().st_ino
    write_folder([rows_of([(2, 1)])], volume, GRID.dtypes, users_a_block=2)
    assert volume.stat().st_ino == inode
    assert names(volume) == ["_SUCCESS", "uid_block=00001"]


def test_a_folder_takes_parquet_alone(cli: Cli, workdir: Path) -> None:
    for command, said in (
        (
            ("data", "mask", "city.csv", "--from-day", "1", "-o", "out/", "--format", "csv"),
            ("--format", "csv", "out/", "parquet"),
        ),
        (
            ("data", "synth", "-n", "1", "-o", "a.csv", "--users-per-block", "5"),
            ("--users-per-block", "a.csv", "/"),
        ),
        (
            ("data", "split", "city.csv", "--train", "a", "--test", "a/"),
            ("--train and --test", "a/"),
        ),
    ):
        fails(cli(*command, cwd=workdir), *said, code=2)
    assert not (workdir / "out").exists()


def test_through_the_commands(cli: Cli, workdir: Path) -> None:
    city = pl.read_csv(workdir / "city.csv", schema=GRID.dtypes)
    for command in (
        ("data", "import", "city.csv", "-o", "made/", "--users-per-block", "8"),
        ("data", "mask", "made", "--from-day", "60", "-o", "masked/"),
        ("predict", "masked/", "--model", "history", "-o", "predicted/"),
        ("data", "split", "made", "--train", "a/", "--test", "b/", "--users-per-block", "10"),
    ):
        done = cli(*command, cwd=workdir)
        assert done.code == 0, done.err
    assert read_table(str(workdir / "made")).equals(city)
    assert len(files(workdir / "made")) == 3
    masked = pl.read_csv(workdir / "challenge.csv", schema=GRID.dtypes)
    assert read_table(str(workdir / "masked")).equals(masked)
    assert read_table(str(workdir / "predicted")).height == masked.filter(pl.col("x") == 999).height
    whole = pl.concat([read_table(str(workdir / name)) for name in ("a", "b")])
    assert whole.sort("uid", "d", "t").equals(city)
    again = cli("data", "mask", "made", "--from-day", "60", "-o", "masked", cwd=workdir)
    fails(again, "masked", "not empty")
