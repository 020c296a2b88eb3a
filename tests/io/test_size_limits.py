"""Inputs that are packed to explode: gzip, zstd, Parquet, JSON."""

from __future__ import annotations

import gzip
import io
import re
import resource
import subprocess
import sys
import tempfile
from contextlib import closing, suppress
from pathlib import Path

import polars as pl
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from humobctl.errors import HumobError, UsageError
from humobctl.io import size_limits
from humobctl.io.arrow_lengths import check_arrow
from humobctl.io.parquet_pages import Holding, read_holding
from humobctl.io.read import read_table
from humobctl.io.size_limits import (
    VARIABLE,
    check_bytes,
    check_parquet,
    parse_json,
    parse_size,
)
from humobctl.io.streams import open_input
from tests.conftest import Cli, environment
from tests.messages import fails, raises, says


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), ("200MB", 200_000_000), ("1.5 gib", 1_610_612_736), ("2k", 2000), ("1TB", 10**12)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "-1", "many", "1e9", "2 PB", "GB", "nan", "0.2"])
def test_what_is_no_size(text: str) -> None:
    with raises(UsageError, "--max-bytes", f"'{text}'"):
        parse_size(text)


def test_what_is_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    check_bytes(1_000_000_000, 1, "f")  # free
    check_bytes(2_000_000_000, 10_000_000, "f")  # 200 times
    check_bytes(10**15, None, "f")  # nothing is packed
    with raises(HumobError, "f:", 9_999_999, 2_000_000_000):
        check_bytes(2_000_000_000, 9_999_999, "f")
    monkeypatch.setenv(VARIABLE, "3GB")
    check_bytes(3_000_000_000, 1, "f")
    with raises(HumobError, "f:", 3_000_000_000):
        check_bytes(3_000_000_001, None, "f")


def zeros(kind: str, size: int) -> bytes:
    """A text that begins well and goes on with zeros, packed."""
    text = b"uid,d,t,x,y\n1,0,0,5,6\n" + b"0" * size
    if kind == "gz":
        return gzip.compress(text)
    return zstandard.ZstdCompressor(level=3).compress(text)


@pytest.mark.parametrize("kind", ["gz", "zst"])
@pytest.mark.parametrize("piped", [False, True])
def test_bombs_end_where_they_exceed(
    kind: str, piped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(size_limits, "FREE_BYTES", 1_000_000)
    packed = zeros(kind, 20_000_000)
    (tmp_path / "bomb").write_bytes(packed)
    if piped:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(packed)))
    name = "-" if piped else str(tmp_path / "bomb")
    names = ("bytes", "unpack", "at most 200")
    with raises(HumobError, *names), closing(open_input(name)) as source:
        while source.stream.read(1 << 16):
            pass


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_honest_data_are_read_to_the_end(kind: str, tmp_path: Path) -> None:
    text = b"".join(b"%d,0,0,5,6\n" % uid for uid in range(100_000))
    pack = gzip.compress if kind == "gz" else zstandard.ZstdCompressor().compress
    (tmp_path / "a").write_bytes(pack(text[:700_000]) + pack(text[700_000:]))  # two members
    source = open_input(str(tmp_path / "a"))
    assert source.packing == {"gz": "gzip", "zst": "zstd"}[kind]
    assert source.stream.read() == text
    assert source.position() == source.size
    source.close()


SCRIPT = """
import sys
from humobctl.io.streams import open_input
source = open_input(sys.argv[1])
while source.stream.read(1 << 20):
    pass
"""


def test_a_zstd_bomb_takes_little_memory(tmp_path: Path) -> None:
    """Some KB that unpack to 4 GB: refused at 1 GB of text, with 700 MB of memory at hand."""
    pack = zstandard.ZstdCompressor(level=1).compress
    (tmp_path / "bomb.zst").write_bytes(pack(b"uid,d\n") + pack(bytes(1 << 27)) * 32)
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "bomb.zst")],
        capture_output=True,
        text=True,
        env=environment(),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (700 << 20, 700 << 20)),
        check=False,
    )
    says(done.stderr.splitlines()[-1], "bomb.zst", 200)


def test_max_bytes_bounds_every_input(cli: Cli, example_files: Path) -> None:
    for words in (
        ("data", "describe", "city.csv", "--max-bytes", "9kB"),
        ("--max-bytes=9kB", "data", "mask", "city.csv", "--from-day", "60"),
        ("predict", "challenge.csv", "--max-bytes", "9kB"),
    ):
        done = cli(*words, cwd=example_files)
        name = next(word for word in words if "." in word)
        assert done.out == ""
        fails(done, name, 9000, "--max-bytes")
    text = (example_files / "city.csv").read_text()
    done = cli("data", "describe", "--max-bytes", "9kB", input=text)
    fails(done, "stdin", 9000, "--max-bytes")
    done = cli("data", "describe", "--max-bytes", "lots", input=text)
    assert done.code == 2
    assert cli("data", "describe", "--max-bytes", "1GB", input=text).code == 0


# -- Parquet --------------------------------------------------------------------------------------


def test_footers(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": range(1000), "b": ["x"] * 1000, "c": [[1.5]] * 1000})
    path = tmp_path / "a.parquet"
    frame.write_parquet(path, row_group_size=300, compression="uncompressed")
    held = read_holding(path, "a")
    assert (held.rows, held.most_rows) == (1000, 300)
    assert 0.5 < held.page_bytes / path.stat().st_size < 1
    frame.head(0).write_parquet(path)
    assert read_holding(path, "a") == Holding(0, 0, 0)


@given(st.binary(max_size=200))
def test_any_footer_is_read_or_refused(noise: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "f")
        path.write_bytes(b"PAR1" + noise + len(noise).to_bytes(4, "little") + b"PAR1")
        with suppress(HumobError):
            read_holding(path, "f")


def test_a_page_that_promises_other_values_is_refused(tmp_path: Path) -> None:
    """polars would end the process on a page of -3 values, for want of 2**61 bytes."""
    path = tmp_path / "a.parquet"
    frame = pl.DataFrame(
        {"uid": [1, 1, 2], "d": [0, 1, 0], "t": [3] * 3, "x": [9] * 3, "y": [8] * 3}
    )
    frame.write_parquet(path, compression="uncompressed", statistics=False)
    raw, three, other = path.read_bytes(), b"\x15\x06", b"\x15\x05"
    places = [found.start() for found in re.finditer(re.escape(three), raw)]
    refused = 0
    for place in places:
        path.write_bytes(raw[:place] + other + raw[place + 2 :])
        try:
            read_table(str(path))
        except HumobError as exc:
            refused += "damaged" in str(exc)
    assert refused > 3


@pytest.mark.parametrize("kind", ["ipc", "ipc_stream"])
@pytest.mark.parametrize("compression", ["uncompressed", "zstd"])
def test_a_message_longer_than_its_file_is_refused(
    tmp_path: Path, compression: str, kind: str
) -> None:
    """polars would make room for all of it first, or end the process."""
    path = tmp_path / "a.arrow"
    frame = pl.DataFrame({"uid": [1, 1], "d": [0, 1], "t": [3, 3], "x": [9, 9], "y": [8, 8]})
    getattr(frame, f"write_{kind}")(path, compression=compression)
    assert read_table(str(path)).rows() == frame.rows()
    raw, refused = path.read_bytes(), 0
    for at in range(4, len(raw) - 8, 4):
        path.write_bytes(raw[:at] + (1 << 44).to_bytes(8, "little") + raw[at + 8 :])
        try:
            check_arrow(path, "a.arrow")
        except HumobError:
            refused += 1
    assert refused > 5


@pytest.mark.parametrize("kind", ["ipc", "ipc_stream"])
def test_buffers_that_explode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """One value a hundred thousand times takes a few bytes of zstd."""
    monkeypatch.setattr(size_limits, "FREE_BYTES", 1_000_000)
    path = tmp_path / "a.arrow"
    rows = pl.select(uid=pl.repeat(1, 100_000, dtype=pl.Int64), d=0, t=0, x=0, y=0)
    getattr(rows, f"write_{kind}")(path, compression="zstd")
    with raises(HumobError, "a.arrow", "bytes", "--max-bytes") as caught:
        read_table(str(path))
    assert re.search(r"\b2,[45]\d{2},\d{3}\b", str(caught.value))
    monkeypatch.setenv(VARIABLE, "1GB")
    check_arrow(path, "a.arrow")
    # Lengths are counted as they are, packed or not.
    getattr(rows, f"write_{kind}")(path, compression="uncompressed")
    monkeypatch.setenv(VARIABLE, "2MB")
    with raises(HumobError, "a.arrow", 2_000_000):
        check_arrow(path, "a.arrow")


def test_pages_that_explode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(size_limits, "FREE_BYTES", 1_000_000)
    path = tmp_path / "a.parquet"
    pl.DataFrame({"uid": [1], "d": [0], "t": [0], "x": ["0" * 9_000_000], "y": [1]}).write_parquet(
        path
    )
    with raises(HumobError, "a.parquet", "bytes") as caught:
        read_table(str(path))
    assert re.search(r"\b9,\d{3},\d{3}\b", str(caught.value))
    (tmp_path / "folder").mkdir()
    path.rename(tmp_path / "folder" / "a.parquet")
    with raises(HumobError, "folder/a.parquet", "bytes") as caught:
        read_table(str(tmp_path / "folder"))
    assert re.search(r"\b9,\d{3},\d{3}\b", str(caught.value))


def test_rows_that_explode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that comes a million times takes a few bytes; a row group is unpacked at once."""
    monkeypatch.setattr(size_limits, "FREE_BYTES", 1_000_000)
    rows = pl.select(uid=pl.repeat(1, 1_000_000), d=0, t=0, x=0, y=0)
    rows.write_parquet(tmp_path / "a", row_group_size=1_000_000)
    with raises(HumobError, "a:", 40_000_000):
        check_parquet(tmp_path / "a", 5, "a")
    rows.write_parquet(tmp_path / "b", row_group_size=20_000)
    check_parquet(tmp_path / "b", 5, "b")
    monkeypatch.setenv(VARIABLE, "39MB")
    with raises(HumobError, "b:", 39_000_000):
        check_parquet(tmp_path / "b", 5, "b")


# -- JSON -----------------------------------------------------------------------------------------


def test_nesting_is_a_fault_like_any_other(cli: Cli, tmp_path: Path) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    with pytest.raises(ValueError, match="nested too deeply"):
        parse_json(deep)
    (tmp_path / "a.json").write_text(deep)
    (tmp_path / "b.json").write_text(f'{{"uid":{deep},"d":1,"t":1,"x":1,"y":1}}\n')
    for command in (("data", "describe"), ("data", "import")):
        for name in ("a.json", "b.json"):
            done = cli(*command, name, cwd=tmp_path)
            assert done.out == ""
            fails(done, name, "broken JSON")
