"""What the door lets in, and the one line it answers to everything else."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from humobctl.errors import HumobError, TableError
from humobctl.io import text as text_module
from humobctl.io.read import read_table
from humobctl.io.write import write_table
from humobctl.tables.schemas import GRID, PLACES, POINTS, PROFILES, Table
from tests.conftest import Cli

Save = Callable[..., str]
GOOD = "uid,d,t,x,y\n1,0,0,5,6\n1,0,1,5,7\n2,74,47,200,1\n"
ROWS = [(1, 0, 0, 5, 6), (1, 0, 1, 5, 7), (2, 74, 47, 200, 1)]


def complaint(path: str, table: Table = GRID) -> str:
    """The error's text without the folder."""
    with pytest.raises(HumobError) as caught:
        read_table(path, table)
    text = str(caught.value)
    assert "\n" not in text
    return text.replace(path, Path(path).name)


# -- what is accepted -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        GOOD.removeprefix("uid,d,t,x,y\n"),
        "\ufeff" + GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\n", "\r"),
        GOOD.replace("1,0,0,5,6\n", "1,0,0,5,6\r\n"),
        GOOD.rstrip("\n"),
        GOOD.replace("\n", "\r\n").rstrip("\r\n"),
        "\n\n" + GOOD + "\n\n",
        GOOD.replace("1,0,1", "\n1,0,1"),
        GOOD.replace("1,0,1,5,7", '"1","0","1","5","7"'),
        GOOD.replace("1,0,1,5,7", " 1, 0, 1, 5, 7 "),
        GOOD.replace("1,0,1,5,7", "1.0,0.0,1.0,5.0,7.0"),
        "y,x,t,d,uid\n6,5,0,0,1\n7,5,1,0,1\n1,200,47,74,2\n",
    ],
    ids=[
        *("plain", "no header", "byte order mark", "CRLF", "CR", "mixed line ends"),
        *("no last line end", "CRLF, no last line end", "blank lines around", "blank line inside"),
        *("quoted", "spaces", "decimals", "other column order"),
    ],
)
def test_accepted_text(text: str, save: Save) -> None:
    frame = read_table(save(text))
    assert frame.rows() == ROWS
    assert dict(frame.schema) == GRID.dtypes


def test_masked_cells_are_accepted(save: Save) -> None:
    assert read_table(save("uid,d,t,x,y\n1,60,0,999,999\n")).rows() == [(1, 60, 0, 999, 999)]


def test_ndjson_and_json_are_recognised(save: Save) -> None:
    records = [dict(zip(GRID.columns, row, strict=True)) for row in ROWS]
    lines = "\n".join(map(json.dumps, records))
    assert read_table(save(lines)).rows() == ROWS
    assert read_table(save(lines.replace("\n", "\r\n\r\n"))).rows() == ROWS
    assert read_table(save(json.dumps(records, indent=1))).rows() == ROWS


def test_columns_are_renamed(save: Save) -> None:
    path = save(GOOD.replace("uid", "user"))
    assert read_table(path, rename={"user": "uid"}).rows() == ROWS


def test_optional_columns_are_filled(save: Save) -> None:
    frame = read_table(save("uid,datetime,lat,lon\nann,2012-04-03 18:00:09,1.5,-2\n"), POINTS)
    assert frame.columns == POINTS.columns
    assert frame["place_id"].to_list() == [None]
    assert str(frame["datetime"][0]) == "2012-04-03 18:00:09"


def test_text_fields_keep_quotes_commas_and_line_ends(save: Save) -> None:
    text = 'place_id,name,category,lat,lon\n7,"a ""b"", c\nd",,1,2\n8,e,Café,3,4\n'
    frame = read_table(save(text), PLACES)
    assert frame["name"].to_list() == ['a "b", c\nd', "e"]
    assert frame["category"].to_list() == [None, "Café"]


# -- what is refused --------------------------------------------------------------------------

CELL = "an integer from 1 to 200, or 999 for a masked cell"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("1,0,1,5,abc", f"column y: found 'abc', expected {CELL}"),
        ("1,0,1,5,", f"column y: found nothing, expected {CELL}"),
        ("1,0,1,5,6.5", f"column y: found '6.5', expected {CELL}"),
        ("1,0,1,5,nan", f"column y: found 'nan', expected {CELL}"),
        ("1,0,1,5,99999", f"column y: found '99999', expected {CELL}"),
        ("1,0,1,201,6", f"column x: found 201, expected {CELL}"),
        ("1,0,1,0,6", f"column x: found 0, expected {CELL}"),
        ("1,0,1,-1,6", f"column x: found -1, expected {CELL}"),
        ("1,0,48,5,6", "column t: found 48, expected a half-hour slot from 0 to 47"),
        ("1,0,-1,5,6", "column t: found '-1', expected a half-hour slot from 0 to 47"),
        ("1,-1,1,5,6", "column d: found -1, expected a day index from 0 to 9999"),
        ("1,10000,1,5,6", "column d: found 10000, expected a day index from 0 to 9999"),
        ("-1,0,1,5,6", "column uid: found '-1', expected a user number from 0 to 4294967295"),
        ("1,0,1,999,6", "column x, y: found 999, 6, expected 999 in both x and y, or in neither"),
        ("1,0,1,5,999", "column x, y: found 5, 999, expected 999 in both x and y, or in neither"),
        (
            "1,0,0,9,9",
            "column uid, d, t: found (1, 0, 0) a second time, expected each (uid, d, t) once",
        ),
        ("1,0,1,5", ": found 4 fields, expected 5"),
        ("1,0,1,5,6,7", ": found 6 fields, expected 5"),
    ],
)
def test_refused_rows(row: str, said: str, save: Save) -> None:
    # The fault is in the third row; its line is the fifth, because of the blank one before it.
    path = save(f"uid,d,t,x,y\n1,0,0,5,6\n1,0,2,5,6\n\n{row}\n2,0,0,1,1\n")
    separator = "" if said.startswith(":") else ", "
    assert complaint(path) == f"a.csv: row 3 (line 5){separator}{said}"


def test_the_first_fault_is_the_one_named(save: Save) -> None:
    path = save("uid,d,t,x,y\n1,0,0,5,6\n1,0,1,5,201\n1,0,2,201,5\n")
    assert complaint(path) == f"a.csv: row 2 (line 3), column y: found 201, expected {CELL}"


def test_other_headers(save: Save) -> None:
    end = "; rename or drop columns with 'humobctl data import --columns'"
    wanted = "expected uid, d, t, x, y for a grid trajectory table"
    missing = complaint(save("uid,d,t,x\n1,0,0,5\n"))
    assert missing == f"a.csv: found columns uid, d, t, x, {wanted} (missing: y){end}"
    extra = complaint(save("uid,d,t,x,y,z\n1,0,0,5,6,7\n"))
    assert extra == f"a.csv: found columns uid, d, t, x, y, z, {wanted} (not known: z){end}"
    twice = complaint(save("uid,d,t,x,y,y\n1,0,0,5,6,7\n"))
    assert twice == f"a.csv: found columns uid, d, t, x, y, y, {wanted} (one is there twice)"


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("uid,datetime,lat,lon\n1,2020-01-01,1,2\n", "put points on a grid with"),
        ("user,time,Latitude,lng\n1,2020-01-01,1,2\n", "put points on a grid with"),
        ("uid;d;t;x;y\n1;0;0;5;6\n", "convert it with"),
        ("uid\td\tt\tx\ty\n1\t0\t0\t5\t6\n", "convert it with"),
        ("1;0;0;5;6\n", "convert it with"),
        ("lat;y\n1;2\n", "convert it with"),
        ("user,d,t,x,y\n1,0,0,5,6\n", "rename or drop columns with"),
    ],
)
def test_other_tables_get_the_hint_that_helps(text: str, remedy: str, save: Save) -> None:
    said = complaint(save(text))
    assert f"; {remedy} 'humobctl data import" in said
    assert said.endswith("--grid'" if "points" in remedy else "s'" if "drop" in remedy else "t'")


def test_no_header_and_another_width(save: Save) -> None:
    said = complaint(save("1,0,0,5\n"))
    assert said == "a.csv: row 1 (line 1): found 4 fields, expected 5 (uid, d, t, x, y)"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "found an empty file, expected a table"),
        (gzip.compress(b"", mtime=0), "found an empty file, expected a table"),
        (b"\n\n", "found no rows, expected a table"),
        (b"\xef\xbb\xbf", "found no rows, expected a table"),
        (b"uid,d,t,x,y\n", "found no rows, expected a table"),
        (
            bytes(range(256)) * 9,
            "found binary data, expected CSV, NDJSON, Parquet or Arrow (plain, .gz, .zst)",
        ),
        (b"PAR1 and then nothing good PAR1", "found a damaged parquet file"),
        (b"ARROW1 and then nothing good", "found a damaged arrow file"),
        (b"\xff\xff\xff\xff and then nothing good", "found a damaged arrow-stream file"),
        (b"PK\x03\x04 a zip", "found a zip, bzip2 or xz archive"),
        (b"BZh91AY&SY", "found a zip, bzip2 or xz archive"),
        (b"BZh11AY&SY", "found a zip, bzip2 or xz archive"),
        (b"\x80\x04K\x01.", "found a pickle, expected a table"),
        (b"[1, 2", "found broken JSON"),
        (b"[1, 2]", "found"),
        (b"[]", "found"),
        (b"{}\n", "found columns"),
        (b"\x28\xb5\x2f\xfd rubbish after the magic number", "damaged"),
        (b"\x1f\x8b rubbish after the magic number", "damaged"),
    ],
)
def test_files_that_are_no_table(content: bytes, said: str, save: Save) -> None:
    assert said in complaint(save(content))


def test_not_utf8(save: Save) -> None:
    header = "place_id,lat,lon\n"
    path = save(header.encode() + b"a,1,2\nCaf\xe9,1,2\n")
    assert complaint(path, PLACES) == "a.csv: line 3: found byte 0xe9, expected UTF-8 text"
    grid = save(b"uid,d,t,x,y\n1,0,0,5,6\n1,0,1,5,\xff\n")
    assert complaint(grid) == "a.csv: line 3: found byte 0xff, expected UTF-8 text"
    assert complaint(save(b"uid,d,t,x,\xff\n1,0,0,5,6\n")).startswith("a.csv: line 1: found byte")


@pytest.mark.parametrize("packed", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_cut_off_and_damaged(packed: Callable[[bytes], bytes], save: Save) -> None:
    rows = "".join(f"{uid},0,{t},{uid % 200 + 1},7\n" for uid in range(2000) for t in range(48))
    whole = packed(("uid,d,t,x,y\n" + rows).encode())
    assert read_table(save(whole)).height == 96_000
    for cut in (len(whole) - 3, len(whole) // 2):
        said = complaint(save(whole[:cut]))
        assert "compressed data that are cut off or damaged" in said
        assert said.endswith("expected a whole file")
    middle = len(whole) // 2
    damaged = whole[:middle] + bytes(64) + whole[middle + 64 :]
    assert "damaged" in complaint(save(damaged))


def test_several_members_are_one_file(save: Save) -> None:
    head, tail = GOOD[:20].encode(), GOOD[20:].encode()
    zstd = zstandard.ZstdCompressor().compress
    assert read_table(save(gzip.compress(head) + gzip.compress(tail))).rows() == ROWS
    assert read_table(save(zstd(head) + zstd(tail))).rows() == ROWS


def test_directory_and_nothing(tmp_path: Path) -> None:
    assert complaint(str(tmp_path)).endswith("expected a table")
    assert complaint(str(tmp_path / "no.csv")) == "no.csv: No such file or directory"


@pytest.mark.parametrize("record", ["[]", "7", "{bad", '"text"'])
def test_broken_ndjson(record: str, save: Save) -> None:
    good = '{"uid": 1, "d": 0, "t": %d, "x": 5, "y": 6}\n'
    said = complaint(save(good % 0 + good % 1 + record + "\n", "a.ndjson"))
    assert said.startswith("a.ndjson: line 3: found ")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ('"abc"', f"column y: found 'abc', expected {CELL}"),
        ("6.5", f"column y: found 6.5, expected {CELL}"),
        ("201", f"column y: found 201, expected {CELL}"),
        ("null", f"column y: found nothing, expected {CELL}"),
        ("99999999999", f"column y: found 99999999999, expected {CELL}"),
        ("999", "column x, y: found 5, 999, expected 999 in both x and y, or in neither"),
    ],
)
def test_refused_ndjson_values(value: str, said: str, save: Save) -> None:
    good = '{"uid": 1, "d": 0, "t": %d, "x": 5, "y": %s}\n'
    path = save(good % (0, 6) + good % (1, value), "a.ndjson")
    assert complaint(path) == f"a.ndjson: row 2 (line 2), {said}"


@pytest.mark.parametrize("value", ["[6]", '{"a": 1}'])
def test_nested_ndjson_values(value: str, save: Save) -> None:
    path = save('{"uid": 1, "d": 0, "t": 0, "x": 5, "y": ' + value + "}\n", "a.ndjson")
    assert "row 1 (line 1), column y: found" in complaint(path)


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("y", [6, 7, 201], f"row 3, column y: found 201, expected {CELL}"),
        ("y", [6, None, 7], f"row 2, column y: found nothing, expected {CELL}"),
        ("y", ["6", "7", "b"], f"row 3, column y: found 'b', expected {CELL}"),
        ("y", [6.0, 7.25, 7.0], f"row 2, column y: found 7.25, expected {CELL}"),
        ("y", [[6], [7], [8]], "row 1, column y: found"),
        ("t", [0, 1, 0], "row 3, column uid, d, t: found (1, 0, 0) a second time"),
        ("z", [1, 2, 3], "(not known: z)"),
    ],
)
def test_refused_columnar(
    ending: str, column: str, values: list[object], said: str, tmp_path: Path
) -> None:
    frame = pl.DataFrame({"uid": 1, "d": 0, "t": [0, 1, 2], "x": 5, "y": 6})
    frame = frame.with_columns(pl.Series(column, values))
    path = tmp_path / f"a.{ending}"
    if ending == "parquet":
        frame.write_parquet(path)
    else:
        frame.write_ipc(path)
    assert said in complaint(str(path))


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_wide_types_that_mean_the_same(ending: str, tmp_path: Path) -> None:
    frame = pl.DataFrame(ROWS, schema=GRID.columns, orient="row").cast(pl.Int64)
    frame = frame.with_columns(pl.col("x").cast(pl.Float64), pl.col("y").cast(pl.String))
    path = tmp_path / f"a.{ending}"
    if ending == "parquet":
        frame.write_parquet(path)
    else:
        frame.write_ipc_stream(path)
    back = read_table(str(path))
    assert back.rows() == ROWS
    assert dict(back.schema) == GRID.dtypes


def test_cut_off_parquet(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame(ROWS, schema=GRID.columns, orient="row").write_parquet(path)
    path.write_bytes(path.read_bytes()[:-20])
    assert "a.parquet: found a damaged parquet file" in complaint(str(path))


# -- drop -------------------------------------------------------------------------------------

FAULTY = (
    "uid,d,t,x,y\n1,0,0,5,6\n1,0,1,5,abc\n1,0,2,201,6\n1,0,3,999,6\n1,0,0,7,7\n1,0,4,5\n1,0,5,8,9\n"
)


@pytest.mark.parametrize("block", [16 << 20, 64, 7])
def test_drop_keeps_good_rows_and_tells(
    block: int, save: Save, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_module, "BLOCK_BYTES", block)
    frame = read_table(save(FAULTY), on_error="drop")
    assert frame.rows() == [(1, 0, 0, 5, 6), (1, 0, 5, 8, 9)]
    told = capsys.readouterr().err
    first = told.splitlines()[0]
    assert first.startswith("warning: dropped 5 rows (")
    for part in (
        "1 with a bad y",
        "2 out of range",
        "1 with a wrong number of fields",
        "1 with a repeated (uid, d, t)",
    ):
        assert part in first
    assert "row 2 (line 3), column y: found 'abc'" in told


def test_drop_tells_a_sample_only(save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"1,{d},0,5,bad\n" for d in range(30))
    read_table(save(GOOD + rows), on_error="drop")
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "warning: dropped 30 rows (30 with a bad y)"
    assert len(told) == 7
    assert told[-1] == "warning:   and 25 more"


def test_drop_with_nothing_left(save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(HumobError, match=r"a\.csv: found no good row, expected a table$"):
        read_table(save("uid,d,t,x,y\n1,0,0,5,bad\n"), on_error="drop")
    assert "dropped 1 rows" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict",),
        ("eval", "-", "--truth", "a.csv"),
        ("data", "import"),
        ("data", "import", "-o", "b.parquet"),
        ("data", "describe"),
        ("data", "mask", "--last", "1"),
    ],
)
def test_drop_with_nothing_left_is_one_line(
    cli: Cli, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text(GOOD)
    bad = "uid,d,t,x,y\n1,0,0,300,4\n"
    done = cli(*arguments, "--on-error", "drop", input=bad, cwd=tmp_path)
    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines()[0] == "warning: dropped 1 rows (1 out of range)"
    assert done.err.splitlines()[-1] == "error: stdin: found no good row, expected a table"
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_drop_in_columnar_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.parquet"
    frame = pl.DataFrame({"uid": 1, "d": 0, "t": [0, 1, 2, 2], "x": 5, "y": [6.0, 6.5, 7.0, 8.0]})
    frame.write_parquet(path)
    assert read_table(str(path), on_error="drop")["y"].to_list() == [6, 7]
    told = capsys.readouterr().err
    assert "dropped 2 rows" in told
    assert "row 2, column y: found 6.5" in told
    assert "row 4, column uid, d, t: found (1, 0, 2) a second time" in told


# -- repeats -----------------------------------------------------------------------------------


def test_repeats_are_found_over_blocks(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_module, "BLOCK_BYTES", 50)
    path = save("uid,d,t,x,y\n" + "".join(f"{u % 90},0,0,5,6\n" for u in range(91)))
    assert complaint(path).startswith("a.csv: row 91 (line 92), column uid, d, t: found (0, 0, 0)")


def test_profiles_key(save: Save) -> None:
    text = "uid,education,gender,consumption,occupation\n1,a,b,c,d\n1,a,b,c,e\n"
    assert "row 2 (line 3), column uid: found 1 a second time" in complaint(save(text), PROFILES)


# -- any table, any format, back again --------------------------------------------------------


@st.composite
def grids(draw: st.DrawFn) -> pl.DataFrame:
    key = st.tuples(
        st.integers(0, 2**32 - 1) | st.integers(0, 3), st.integers(0, 9999), st.integers(0, 47)
    )
    keys = draw(st.lists(key, unique=True, min_size=1, max_size=30))
    cell = st.integers(1, 200)
    cells = st.tuples(cell, cell) | st.just((999, 999))
    rows = [(*one, *draw(cells)) for one in keys]
    return pl.DataFrame(rows, schema=GRID.dtypes, orient="row")


ENDINGS = [f"{kind}{packed}" for kind in ("csv", "ndjson") for packed in ("", ".gz", ".zst")]


@pytest.mark.parametrize("ending", [*ENDINGS, "parquet", "arrow"])
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frame=grids(), block=st.integers(1, 200))
def test_written_and_read_back(
    frame: pl.DataFrame, block: int, ending: str, tmp_path: Path
) -> None:
    path = str(tmp_path / f"a.{ending}")
    assert write_table(frame, path) == frame.height
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_module, "BLOCK_BYTES", block)
        assert_frame_equal(read_table(path), frame)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300) | st.text(max_size=300).map(str.encode))
def test_any_bytes_give_a_table_or_one_clear_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    try:
        read_table(str(path))
    except HumobError as exc:
        assert "\n" not in str(exc)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    row=st.lists(
        st.sampled_from(["1", "0", "999", "", " ", '"', "x", "é", "-1", "1e3"]), max_size=7
    )
)
def test_any_row_gives_a_table_or_its_place(row: list[str], tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("uid,d,t,x,y\n7,1,1,5,6\n" + ",".join(row) + "\n")
    try:
        frame = read_table(str(path))
    except TableError as exc:
        assert exc.row == 2 or exc.line == 3
    else:
        assert frame.height == 2 or not ",".join(row).strip()


# -- through the command line -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (GOOD.replace("5,7", "5,abc"), "stdin: row 2 (line 3), column y: found 'abc'"),
        ("", "stdin: found an empty file, expected a table"),
        (b"\0\1\2\3", "stdin: found binary data"),
    ],
)
def test_one_line_and_exit_code_1(cli: Cli, content: str | bytes, said: str) -> None:
    done = cli("data", "mask", "--from-day", "60", input=content)
    assert done.code == 1
    assert done.err.startswith(f"error: {said}")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
def test_columnar_from_standard_input(cli: Cli, ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{ending}"
    write_table(pl.DataFrame(ROWS, schema=GRID.dtypes, orient="row"), str(path))
    done = cli("data", "mask", "--from-day", "60", input=path.read_bytes())
    assert done.code == 0, done.err
    assert done.out == GOOD.replace("200,1", "999,999")


@pytest.mark.parametrize("magic", [b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"x\x01", b"x\x9c", b"x\xda"])
def test_rows_that_look_packed_are_not_unpacked(tmp_path: Path, magic: bytes) -> None:
    """Polars unpacks a block of text that begins like a compressed file."""
    (tmp_path / "city.csv").write_bytes(b"uid,d,t,x,y\n" + magic + b"junk,0,3,10,20\n")
    with pytest.raises(HumobError, match=r"city\.csv: ") as caught:
        read_table(str(tmp_path / "city.csv"))
    assert "frame parameter" not in str(caught.value)
