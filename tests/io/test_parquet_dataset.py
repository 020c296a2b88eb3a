"""Folders of Parquet files as input: which files are read, what is refused, and how it is said."""

from __future__ import annotations

import json
import os
from pathlib import Path

import polars as pl
import pytest

from humobctl.data.importers.options import ImportOptions
from humobctl.data.importers.run import import_data
from humobctl.data.importers.stays import read_stays
from humobctl.data.importers.table_kind import kind_of
from humobctl.embed.vectors import read_embeddings
from humobctl.errors import HumobError
from humobctl.io.parquet_dataset import is_parquet_folder, key_columns, parquet_parts
from humobctl.io.read import Reader, iter_table, read_table
from humobctl.io.streams import open_input
from humobctl.tables.schemas import GRID, POINTS, VISITS
from tests.conftest import Cli
from tests.messages import raises, says

ROWS = pl.DataFrame(
    [(1, 0, 0, 5, 6), (1, 0, 1, 5, 7), (2, 0, 0, 8, 9), (2, 1, 3, 8, 9), (10, 1, 0, 1, 1)],
    schema=GRID.dtypes,
    orient="row",
)


def parts(folder: Path, *names: str, rows: pl.DataFrame = ROWS) -> Path:
    """Rows dealt out to files of a folder, one after the other, as equal shares."""
    size = -(-rows.height // len(names))
    for number, name in enumerate(names):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        rows.slice(number * size, size).write_parquet(file)
    return folder


def complaint(folder: Path, **options: object) -> str:
    with pytest.raises(HumobError) as caught:
        read_table(str(folder), **options)  # type: ignore[arg-type]
    return str(caught.value).replace(str(folder), "F")


def test_files_are_read_in_the_order_of_their_names(tmp_path: Path) -> None:
    folder = parts(tmp_path / "f", "a.parquet", "b/1.pq", "b/2.snappy.parquet")
    (folder / "_SUCCESS").touch()
    (folder / "_metadata").write_text("no data")
    (folder / ".a.parquet.crc").write_text("no data")
    parts(folder / "_delta_log", "x.parquet")
    (folder / "empty").mkdir()
    assert read_table(str(folder)).equals(ROWS)
    assert read_table(f"{folder}/").equals(ROWS)
    names = [part.name for part in parquet_parts(f"{folder}")]
    assert names == [f"{folder}/{end}" for end in ("a.parquet", "b/1.pq", "b/2.snappy.parquet")]


def test_keys_are_columns_where_the_table_has_them(tmp_path: Path) -> None:
    for day in (0, 1):
        rows = ROWS.filter(pl.col("d") == day).drop("d")
        parts(tmp_path / f"d={day}" / "uid_block=3", "part=7.parquet", rows=rows)
    assert read_table(str(tmp_path)).sort("uid", "d", "t").equals(ROWS)
    assert dict(read_table(str(tmp_path)).schema) == GRID.dtypes
    assert key_columns(["d", "part", "uid_block"], ["uid", "t", "x", "y"]) == ["d"]
    assert key_columns(["day"], ["uid", "d"]) == []  # the file says it already


def test_a_key_that_is_no_day_is_a_fault_of_its_file(tmp_path: Path) -> None:
    parts(tmp_path / "d=monday", "a.parquet", rows=ROWS.drop("d"))
    said = complaint(tmp_path)
    says(said, "F/d=monday/a.parquet", "row 1", "column d", "'monday'")
    hive_null = parts(
        tmp_path / "n" / "d=__HIVE_DEFAULT_PARTITION__", "a.parquet", rows=ROWS.drop("d")
    )
    says(complaint(hive_null.parent), "column d", "nothing")


def test_a_fault_counts_within_its_file(tmp_path: Path) -> None:
    bad = ROWS.with_columns(t=pl.when(pl.col("uid") == 10).then(48).otherwise("t"))
    folder = parts(tmp_path, "a.parquet", "b.parquet", rows=bad)
    says(complaint(folder), "F/b.parquet", "row 2", "column t", 48, 0, 47)
    assert read_table(str(folder), on_error="drop").height == 4


def test_repeats_are_found_across_files(tmp_path: Path) -> None:
    parts(tmp_path, "a.parquet")
    parts(tmp_path, "b.parquet", rows=ROWS.tail(1))
    says(complaint(tmp_path), "F/b.parquet", "row 1", "column uid, d, t", "(10, 1, 0)")


def test_messages_name_the_folder_again_after_its_files(tmp_path: Path) -> None:
    parts(tmp_path, "a.parquet", "b.parquet", rows=ROWS.clear())
    source = open_input(str(tmp_path))
    with raises(HumobError, f"{tmp_path}:", "no rows"):
        list(Reader(source, GRID).batches())
    source.close()
    assert source.position() == source.size == sum(f.stat().st_size for f in tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "content", "names"),
    [
        ("b.csv", b"uid,d\n", ("else than Parquet",)),
        ("b.parquet", b"", ("empty",)),
        ("b.parquet", b"PAR1", ("cut off",)),
        ("b.parquet", b"PAR1.....", ("cut off",)),
        ("b.parquet", b"PAR1\1\0\0\0PAR1", ("damaged",)),
    ],
)
def test_what_is_no_parquet(
    name: str, content: bytes, names: tuple[str, ...], tmp_path: Path
) -> None:
    parts(tmp_path, "a.parquet")
    (tmp_path / name).write_bytes(content)
    says(complaint(tmp_path), f"F/{name}", *names)


def test_other_columns(tmp_path: Path) -> None:
    parts(tmp_path, "a.parquet")
    parts(tmp_path, "b.parquet", rows=ROWS.rename({"x": "z"}))
    said = complaint(tmp_path)
    says(said, "F/b.parquet", "uid, d, t, z, y", "uid, d, t, x, y", "F/a.parquet")


def test_columns_in_another_order(tmp_path: Path) -> None:
    parts(tmp_path, "a.parquet", rows=ROWS.head(2))
    parts(tmp_path, "b.parquet", rows=ROWS.slice(2).select("y", "x", "t", "d", "uid"))
    assert read_table(str(tmp_path)).equals(ROWS)


def test_a_folder_without_data(tmp_path: Path) -> None:
    (tmp_path / "_SUCCESS").touch()
    says(complaint(tmp_path), "F:", "without Parquet files")


def test_links_and_pipes_are_not_followed(tmp_path: Path) -> None:
    secret = parts(tmp_path / "elsewhere", "s.parquet")
    folder = parts(tmp_path / "f", "a.parquet")
    for target in (secret, secret / "s.parquet", folder, Path("a.parquet"), Path("..", "no")):
        (folder / "z").symlink_to(target)
        says(complaint(folder), "F/z", "symbolic link")
        (folder / "z").unlink()
    os.mkfifo(folder / "pipe.parquet")
    says(complaint(folder), "F/pipe.parquet", "pipe")


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    folder = parts(tmp_path / "f", "a.parquet")
    (tmp_path / "latest").symlink_to(folder)
    assert read_table(str(tmp_path / "latest")).equals(ROWS)


def test_names_that_mean_something_to_others(tmp_path: Path) -> None:
    folder = parts(tmp_path / "f*", "[a].parquet", "?b.parquet", "d%20e.parquet")
    parts(tmp_path / "fx", "other.parquet")
    assert read_table(str(folder)).height == ROWS.height
    assert read_table(str(parts(tmp_path, "a*.parquet") / "a*.parquet")).equals(ROWS)


def test_which_folders_are_tables(tmp_path: Path) -> None:
    assert is_parquet_folder(parts(tmp_path / "a", "x/y=1/a.parquet"))
    assert is_parquet_folder(parts(tmp_path / "b", "000001_0"))  # as Hive names them
    trips = tmp_path / "trips" / "000" / "Trajectory"
    trips.mkdir(parents=True)
    (trips / "1.plt").write_text("Geolife trajectory\n")
    assert not is_parquet_folder(tmp_path / "trips")
    assert not is_parquet_folder(trips / "1.plt")
    assert kind_of(str(tmp_path / "trips")) is POINTS
    assert kind_of(str(tmp_path / "a")) is GRID


def test_importers_and_stays_read_folders(tmp_path: Path) -> None:
    points = pl.DataFrame(
        {
            "user": ["a", "a", "b"],
            "timestamp": ["2024-01-01 08:00", "2024-01-01 09:00", "2024-01-01 08:00"],
            "latitude": [39.9, 39.8, 39.9],
            "longitude": [116.3, 116.3, 116.4],
        }
    )
    parts(tmp_path / "p" / "user=a", "1.parquet", rows=points[:2].drop("user"))
    parts(tmp_path / "p" / "user=b", "1.parquet", rows=points[2:].drop("user"))
    imported = import_data(str(tmp_path / "p"), ImportOptions())
    assert imported.table is POINTS
    assert pl.concat(list(imported.batches))["uid"].to_list() == ["a", "a", "b"]
    assert read_stays(str(tmp_path / "p")).frame.height == 3
    visits = pl.DataFrame({"uid": [1, 2], "d": 0, "seq": 0, "start_min": 0, "end_min": 60})
    visits = visits.with_columns(intent=None, place_id=pl.lit("h"), lat=39.9, lon=116.3)
    parts(tmp_path / "v", "1.parquet", "2.parquet", rows=visits)
    assert kind_of(str(tmp_path / "v")) is VISITS
    assert read_stays(str(tmp_path / "v")).frame.height == 2


def test_embeddings_by_city(tmp_path: Path) -> None:
    rows = pl.DataFrame({"uid": [1, 2], "embedding": [[0.5, 1.0], [2.0, 3.0]]})
    parts(tmp_path / "city=B", "1.parquet", rows=rows)
    parts(tmp_path / "city=C", "1.parquet", rows=rows)
    found = read_embeddings(str(tmp_path))
    assert found.city is not None
    assert found.city.tolist() == ["B", "B", "C", "C"]
    assert found.vectors[2].tolist() == [0.5, 1.0]


def test_batches_go_by_file(tmp_path: Path) -> None:
    parts(tmp_path, *(f"{number}.parquet" for number in range(5)))
    assert [batch.height for batch in iter_table(str(tmp_path))] == [1] * 5


def test_a_folder_is_a_file_to_every_command(cli: Cli, workdir: Path) -> None:
    city = pl.read_csv(workdir / "challenge.csv", schema=GRID.dtypes)
    parts(workdir / "folder", "u=0/a.parquet", "u=1/b.parquet", rows=city)
    parts(workdir / "truth", "a.parquet", rows=pl.read_csv(workdir / "city.csv"))
    for command in (
        ("data", "mask", "INPUT", "--from-day", "50"),
        ("data", "import", "INPUT"),
        ("predict", "INPUT", "--model", "history"),
        ("eval", "predicted.csv", "--truth", "INPUT", "--format", "json"),
    ):
        inputs = ("city.csv", "truth") if "eval" in command else ("challenge.csv", "folder")
        file, folder = (
            cli(*(path if word == "INPUT" else word for word in command), cwd=workdir)
            for path in inputs
        )
        assert (file.code, folder.code) == (0, 0), file.err + folder.err
        assert folder.out.replace(inputs[1], inputs[0]) == file.out, command
    described = json.loads(cli("data", "describe", "folder", cwd=workdir).out)
    assert (described["rows"], described["users"]) == (city.height, city["uid"].n_unique())
