"""Files appear only when they are whole; formats follow endings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from humobctl.errors import HumobError
from humobctl.io.streams import open_input, output_format, seekable, whole_file
from tests.messages import raises


@pytest.mark.parametrize(
    ("path", "asked", "kind"),
    [
        (None, None, "csv"),
        ("-", None, "csv"),
        ("-", "parquet", "parquet"),
        ("a.csv", None, "csv"),
        ("a.CSV", None, "csv"),
        ("a.csv.gz", None, "csv"),
        ("a.jsonl.zst", None, "ndjson"),
        ("a.parquet", None, "parquet"),
        ("a.feather", None, "arrow"),
        ("a.csv", "arrow", "arrow"),
        ("/dev/null", None, "csv"),
    ],
)
def test_output_format(path: str | None, asked: str | None, kind: str) -> None:
    assert output_format(path, asked) == kind


@pytest.mark.parametrize("path", ["a", "a.xlsx", "a.gz", "a.csv.bz2"])
def test_an_ending_that_says_nothing(path: str) -> None:
    with raises(HumobError, ".csv", "--format"):
        output_format(path, None)


def test_unknown_format() -> None:
    with raises(HumobError, "--format", "'xlsx'", "csv"):
        output_format("a.csv", "xlsx")


def test_whole_file_appears_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    target.write_text("old")
    with whole_file(target) as partial:
        partial.write_text("new")
        assert partial.parent == tmp_path, "a rename must not cross file systems"
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_appears_after_a_failure(failure: type[BaseException], tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    target.write_text("old")
    with pytest.raises(failure), whole_file(target) as partial:
        partial.write_text("half")
        raise failure
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    no_folder = whole_file(tmp_path / "no" / "a.csv")
    with raises(HumobError, "no/a.csv", "no folder"), no_folder:
        pass
    folder = whole_file(tmp_path)
    with raises(HumobError, f"{tmp_path}", "directory"), folder:
        pass


def test_a_pipe_is_written_in_place(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with whole_file(pipe) as place:
        assert place == pipe


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"uid,d\n1,2\n", "csv"),
        (b"\xef\xbb\xbfuid,d\n", "csv"),
        (b' {"uid": 1}\n', "ndjson"),
        (b"\n[{}]", "json"),
        (b"PAR1....", "parquet"),
        (b"ARROW1..", "arrow"),
        (b"\xff\xff\xff\xff....", "arrow-stream"),
        (b"\x80\x04....", "pickle"),
    ],
)
def test_kinds(content: bytes, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "any.name"
    path.write_bytes(content)
    source = open_input(str(path))
    assert source.kind == kind
    assert source.size == len(content)
    assert source.stream.read() == content
    source.close()


def test_seekable_uses_the_file_itself_or_a_copy(tmp_path: Path) -> None:
    import gzip

    plain, packed = tmp_path / "a.csv", tmp_path / "a.csv.gz"
    plain.write_bytes(b"uid\n1\n")
    packed.write_bytes(gzip.compress(b"uid\n1\n"))
    source = open_input(str(plain))
    with seekable(source) as place:
        assert place == plain
    source.close()
    source = open_input(str(packed))
    with seekable(source) as place:
        assert place != packed
        assert place.read_bytes() == b"uid\n1\n"
    assert not place.exists()
    source.close()
