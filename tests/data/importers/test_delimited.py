"""Delimited text: ragged rows, quotes, encodings."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from humobctl.data.importers.delimited import Delimited
from humobctl.errors import HumobError, TableError
from humobctl.io import text
from humobctl.io.row_errors import Dropped
from humobctl.io.streams import open_input
from tests.messages import raises


def read(path: Path, content: bytes, **options: object) -> tuple[pl.DataFrame, list[int | None]]:
    path.write_bytes(content)
    source = open_input(str(path))
    frames, lines = [], []
    with closing(source):
        for frame, places in Delimited(source, **options).frames():  # type: ignore[arg-type]
            frames.append(frame)
            lines += [places.of(index)["line"] for index in range(frame.height)]
    return pl.concat(frames), lines


def test_rows_are_text_and_empty_fields_null(tmp_path: Path) -> None:
    frame, lines = read(tmp_path / "a.csv", b"\xef\xbb\xbfa,b\r\n1,\r\n\r\nx,2\r\n")
    assert frame.to_dicts() == [{"a": "1", "b": None}, {"a": "x", "b": "2"}]
    assert lines == [2, 4]


def test_quotes_hold_separators_and_line_ends(tmp_path: Path) -> None:
    frame, lines = read(tmp_path / "a.csv", b'a,b\n"x,y","1\n2"\nz,3\n')
    assert frame.rows() == [("x,y", "1\n2"), ("z", "3")]
    assert lines == [2, 4]


@pytest.mark.parametrize("row", [b"1", b"1,2,3"])
def test_a_row_of_another_width_is_named(tmp_path: Path, row: bytes) -> None:
    found = row.count(b",") + 1
    with raises(TableError, "a.csv", "row 2", "line 3", found, 2, "(a, b)"):
        read(tmp_path / "a.csv", b"a,b\n1,2\n" + row + b"\n3,4\n")


def test_or_dropped_and_counted(tmp_path: Path) -> None:
    dropped = Dropped()
    content = b"a,b\n1,2\n1\n3,4\n1,2,3\n"
    frame, lines = read(tmp_path / "a.csv", content, on_error="drop", dropped=dropped)
    assert frame.rows() == [("1", "2"), ("3", "4")]
    assert lines == [2, 4]
    assert dropped.rows == 2


def test_latin1_is_read_where_it_is_allowed(tmp_path: Path) -> None:
    content = b"1\tCaf\xe9\n"
    frame, _ = read(
        tmp_path / "a.txt", content, separator="\t", names=["a", "b"], quoted=False, latin1=True
    )
    assert frame.rows() == [("1", "Café")]
    with raises(TableError, "b.csv", "line 2", "0xe9", "UTF-8"):
        read(tmp_path / "b.csv", b"a,b\n1,Caf\xe9\n")


def test_a_name_twice_is_an_error(tmp_path: Path) -> None:
    with raises(HumobError, "a.csv", "columns a, a", "once"):
        read(tmp_path / "a.csv", b"a,a\n1,2\n")


FIELD = st.text(
    st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters='",\ufeff'),
    min_size=1,
).filter(lambda text: text == text.strip())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(FIELD, FIELD), min_size=1, max_size=8))
def test_what_was_written_is_read(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    body = "".join(f"{a},{b}\n" for a, b in rows)
    frame, lines = read(tmp_path / "a.csv", ("first,second\n" + body).encode())
    assert frame.rows() == rows
    assert lines == list(range(2, len(rows) + 2))


def test_a_lone_quote_is_text_where_nothing_is_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text, "BLOCK_BYTES", 8)
    monkeypatch.setattr(text, "MAX_LINE_BYTES", 64)
    content = b'1\t7" pipe shop\n' + b"2\tcafe\n" * 50
    frame, lines = read(tmp_path / "a.tsv", content, separator="\t", names=["a", "b"], quoted=False)
    assert frame["b"][0] == '7" pipe shop'
    assert lines == list(range(1, 52))
