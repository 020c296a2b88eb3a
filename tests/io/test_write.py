"""Every format, to files and to standard output."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
import zstandard

from humobctl.errors import HumobError
from humobctl.io.write import write_table
from humobctl.tables.schemas import GRID, POINTS
from tests.conftest import Cli

FRAME = pl.DataFrame([(1, 0, 0, 5, 6), (2, 74, 47, 999, 999)], schema=GRID.dtypes, orient="row")
CSV = "uid,d,t,x,y\n1,0,0,5,6\n2,74,47,999,999\n"


def batches() -> Iterator[pl.DataFrame]:
    yield FRAME[:1]
    yield FRAME[:0]
    yield FRAME[1:]


@pytest.mark.parametrize("streamed", [False, True])
def test_every_format(streamed: bool, tmp_path: Path) -> None:
    def write(name: str) -> bytes:
        path = tmp_path / name
        assert write_table(batches() if streamed else FRAME, str(path)) == 2
        return path.read_bytes()

    assert write("a.csv").decode() == CSV
    assert gzip.decompress(write("a.csv.gz")).decode() == CSV
    unpack = zstandard.ZstdDecompressor().decompressobj().decompress
    assert unpack(write("a.csv.zst")).decode() == CSV
    lines = write("a.ndjson").decode().splitlines()
    assert json.loads(lines[1]) == {"uid": 2, "d": 74, "t": 47, "x": 999, "y": 999}
    assert pl.read_parquet(write("a.parquet")).equals(FRAME)
    assert dict(pl.read_parquet(write("a.parquet")).schema) == GRID.dtypes
    assert pl.read_ipc(write("a.arrow")).equals(FRAME)


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.arrow"])
def test_no_rows_still_have_their_columns(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    assert write_table(iter(()), str(path), table=POINTS) == 0
    read = {"csv": pl.read_csv, "parquet": pl.read_parquet, "arrow": pl.read_ipc}
    assert read[path.suffix[1:]](path).columns == POINTS.columns


def test_packed_files_do_not_depend_on_the_clock(tmp_path: Path) -> None:
    first, second = tmp_path / "a.csv.gz", tmp_path / "b.csv.gz"
    write_table(FRAME, str(first))
    write_table(FRAME, str(second))
    assert first.read_bytes()[4:8] == b"\0\0\0\0"
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet", "a.arrow"])
def test_a_fault_on_the_way_leaves_nothing(name: str, tmp_path: Path) -> None:
    def faulty() -> Iterator[pl.DataFrame]:
        yield FRAME
        raise HumobError("row 7 is bad")

    with pytest.raises(HumobError, match=r"^row 7 is bad$"):
        write_table(faulty(), str(tmp_path / name))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet", "arrow"])
def test_standard_output(kind: str, cli: Cli) -> None:
    unmasked = CSV.replace("999,999", "7,8")
    done = cli("data", "mask", "--from-day", "60", "--format", kind, input=unmasked)
    assert done.code == 0, done.err
    read = {
        "csv": lambda raw: pl.read_csv(raw, schema=GRID.dtypes),
        "ndjson": lambda raw: pl.read_ndjson(io.BytesIO(raw)).cast(GRID.dtypes),
        "parquet": pl.read_parquet,
        "arrow": pl.read_ipc_stream,
    }
    assert read[kind](done.raw).equals(FRAME)
