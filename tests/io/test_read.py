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
from tests.messages import fails, raises, says

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

CELL = (1, 200, 999)


@pytest.mark.parametrize(
    ("row", "names"),
    [
        ("1,0,1,5,abc", ("column y", "'abc'", *CELL)),
        ("1,0,1,5,", ("column y", "nothing", *CELL)),
        ("1,0,1,5,6.5", ("column y", "'6.5'", *CELL)),
        ("1,0,1,5,nan", ("column y", "'nan'", *CELL)),
        ("1,0,1,5,99999", ("column y", "'99999'", *CELL)),
        ("1,0,1,201,6", ("column x", 201, *CELL)),
        ("1,0,1,0,6", ("column x", 0, *CELL)),
        ("1,0,1,-1,6", ("column x", -1, *CELL)),
        ("1,0,48,5,6", ("column t", 48, 0, 47)),
        ("1,0,-1,5,6", ("column t", "'-1'", 0, 47)),
        ("1,-1,1,5,6", ("column d", -1, 0, 9999)),
        ("1,10000,1,5,6", ("column d", 10000, 0, 9999)),
        ("-1,0,1,5,6", ("column uid", "'-1'", 0, 4294967295)),
        ("1,0,1,999,6", ("column x, y", "999, 6", "both x and y")),
        ("1,0,1,5,999", ("column x, y", "5, 999", "both x and y")),
        ("1,0,0,9,9", ("column uid, d, t", "(1, 0, 0)", "once")),
        ("1,0,1,5", (4, 5, "fields")),
        ("1,0,1,5,6,7", (6, 5, "fields")),
    ],
)
def test_refused_rows(row: str, names: tuple[str | int, ...], save: Save) -> None:
    # The fault is in the third row; its line is the fifth, because of the blank one before it.
    path = save(f"uid,d,t,x,y\n1,0,0,5,6\n1,0,2,5,6\n\n{row}\n2,0,0,1,1\n")
    says(complaint(path), "a.csv", "row 3", "line 5", *names)


def test_the_first_fault_is_the_one_named(save: Save) -> None:
    path = save("uid,d,t,x,y\n1,0,0,5,6\n1,0,1,5,201\n1,0,2,201,5\n")
    says(complaint(path), "a.csv", "row 2", "line 3", "column y", 201)


def test_other_headers(save: Save) -> None:
    wanted = ("a.csv", "uid, d, t, x, y")
    missing = complaint(save("uid,d,t,x\n1,0,0,5\n"))
    says(missing, "columns uid, d, t, x", *wanted, "missing: y", "humobctl data import --columns")
    extra = complaint(save("uid,d,t,x,y,z\n1,0,0,5,6,7\n"))
    says(extra, "columns uid, d, t, x, y, z", *wanted, "humobctl data import --columns")
    twice = complaint(save("uid,d,t,x,y,y\n1,0,0,5,6,7\n"))
    says(twice, "columns uid, d, t, x, y, y", *wanted, "twice")
    assert "--columns" not in twice


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("uid,datetime,lat,lon\n1,2020-01-01,1,2\n", "--grid"),
        ("user,time,Latitude,lng\n1,2020-01-01,1,2\n", "--grid"),
        ("uid;d;t;x;y\n1;0;0;5;6\n", ""),
        ("uid\td\tt\tx\ty\n1\t0\t0\t5\t6\n", ""),
        ("1;0;0;5;6\n", ""),
        ("lat;y\n1;2\n", ""),
        ("user,d,t,x,y\n1,0,0,5,6\n", "--columns"),
    ],
)
def test_other_tables_get_the_hint_that_helps(text: str, option: str, save: Save) -> None:
    says(complaint(save(text)), f"'humobctl data import {option}".strip() + "'")


def test_no_header_and_another_width(save: Save) -> None:
    says(complaint(save("1,0,0,5\n")), "a.csv", "row 1", "line 1", 4, 5, "(uid, d, t, x, y)")


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (b"", ("empty",)),
        (gzip.compress(b"", mtime=0), ("empty",)),
        (b"\n\n", ("no rows",)),
        (b"\xef\xbb\xbf", ("no rows",)),
        (b"uid,d,t,x,y\n", ("no rows", "at least one")),
        (bytes(range(256)) * 9, ("binary", "CSV", "NDJSON", "Parquet", "Arrow", ".gz", ".zst")),
        (b"PAR1 and then nothing good PAR1", ("damaged parquet",)),
        (b"ARROW1 and then nothing good", ("damaged arrow",)),
        (b"\xff\xff\xff\xff and then nothing good", ("damaged arrow-stream",)),
        (b"PK\x03\x04 a zip", ("ZIP",)),
        (b"BZh91AY&SY", ("bzip2",)),
        (b"BZh11AY&SY", ("bzip2",)),
        (b"\x80\x04K\x01.", ("pickle",)),
        (b"[1, 2", ("broken JSON",)),
        (b"[1, 2]", ("found",)),
        (b"[]", ("found",)),
        (b"{}\n", ("columns",)),
        (b"\x28\xb5\x2f\xfd rubbish after the magic number", ("damaged",)),
        (b"\x1f\x8b rubbish after the magic number", ("damaged",)),
    ],
)
def test_files_that_are_no_table(content: bytes, names: tuple[str, ...], save: Save) -> None:
    says(complaint(save(content)), *names)


def test_not_utf8(save: Save) -> None:
    header = "place_id,lat,lon\n"
    path = save(header.encode() + b"a,1,2\nCaf\xe9,1,2\n")
    says(complaint(path, PLACES), "a.csv", "line 3", "0xe9", "UTF-8")
    grid = save(b"uid,d,t,x,y\n1,0,0,5,6\n1,0,1,5,\xff\n")
    says(complaint(grid), "a.csv", "line 3", "0xff", "UTF-8")
    says(complaint(save(b"uid,d,t,x,\xff\n1,0,0,5,6\n")), "a.csv", "line 1", "byte")


@pytest.mark.parametrize("packed", [gzip.compress, zstandard.ZstdCompressor().compress])
def test_cut_off_and_damaged(packed: Callable[[bytes], bytes], save: Save) -> None:
    rows = "".join(f"{uid},0,{t},{uid % 200 + 1},7\n" for uid in range(2000) for t in range(48))
    whole = packed(("uid,d,t,x,y\n" + rows).encode())
    assert read_table(save(whole)).height == 96_000
    for cut in (len(whole) - 3, len(whole) // 2):
        says(complaint(save(whole[:cut])), "cut off")
    middle = len(whole) // 2
    damaged = whole[:middle] + bytes(64) + whole[middle + 64 :]
    says(complaint(save(damaged)), "damaged")


def test_several_members_are_one_file(save: Save) -> None:
    head, tail = GOOD[:20].encode(), GOOD[20:].encode()
    zstd = zstandard.ZstdCompressor().compress
    assert read_table(save(gzip.compress(head) + gzip.compress(tail))).rows() == ROWS
    assert read_table(save(zstd(head) + zstd(tail))).rows() == ROWS


def test_directory_and_nothing(tmp_path: Path) -> None:
    says(complaint(str(tmp_path)), "directory")
    says(complaint(str(tmp_path / "no.csv")), "no.csv", "no such file")


@pytest.mark.parametrize("record", ["[]", "7", "{bad", '"text"'])
def test_broken_ndjson(record: str, save: Save) -> None:
    good = '{"uid": 1, "d": 0, "t": %d, "x": 5, "y": 6}\n'
    said = complaint(save(good % 0 + good % 1 + record + "\n", "a.ndjson"))
    says(said, "a.ndjson", "line 3")


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ('"abc"', ("column y", "'abc'", *CELL)),
        ("6.5", ("column y", 6.5, *CELL)),
        ("201", ("column y", 201, *CELL)),
        ("null", ("column y", "nothing", *CELL)),
        ("99999999999", ("column y", 99999999999, *CELL)),
        ("999", ("column x, y", "5, 999", "both x and y")),
    ],
)
def test_refused_ndjson_values(value: str, names: tuple[str | int, ...], save: Save) -> None:
    good = '{"uid": 1, "d": 0, "t": %d, "x": 5, "y": %s}\n'
    path = save(good % (0, 6) + good % (1, value), "a.ndjson")
    says(complaint(path), "a.ndjson", "row 2", "line 2", *names)


@pytest.mark.parametrize("value", ["[6]", '{"a": 1}'])
def test_nested_ndjson_values(value: str, save: Save) -> None:
    path = save('{"uid": 1, "d": 0, "t": 0, "x": 5, "y": ' + value + "}\n", "a.ndjson")
    says(complaint(path), "row 1", "line 1", "column y")


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
@pytest.mark.parametrize(
    ("column", "values", "names"),
    [
        ("y", [6, 7, 201], ("row 3", "column y", 201, *CELL)),
        ("y", [6, None, 7], ("row 2", "column y", "nothing", *CELL)),
        ("y", ["6", "7", "b"], ("row 3", "column y", "'b'", *CELL)),
        ("y", [6.0, 7.25, 7.0], ("row 2", "column y", 7.25, *CELL)),
        ("y", [[6], [7], [8]], ("row 1", "column y")),
        ("t", [0, 1, 0], ("row 3", "column uid, d, t", "(1, 0, 0)")),
        ("z", [1, 2, 3], ("z",)),
    ],
)
def test_refused_columnar(
    ending: str, column: str, values: list[object], names: tuple[str | int, ...], tmp_path: Path
) -> None:
    frame = pl.DataFrame({"uid": 1, "d": 0, "t": [0, 1, 2], "x": 5, "y": 6})
    frame = frame.with_columns(pl.Series(column, values))
    path = tmp_path / f"a.{ending}"
    if ending == "parquet":
        frame.write_parquet(path)
    else:
        frame.write_ipc(path)
    says(complaint(str(path)), *names)


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
    says(complaint(str(path)), "a.parquet", "damaged parquet")


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
    says(told.splitlines()[0], "warning:", "dropped 5 rows", "1 with a bad y", "2 out of range")
    says(told.splitlines()[0], "1 with a wrong number of fields", "1 with a repeated (uid, d, t)")
    says(told, "row 2", "line 3", "column y", "'abc'")


def test_drop_tells_a_sample_only(save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"1,{d},0,5,bad\n" for d in range(30))
    read_table(save(GOOD + rows), on_error="drop")
    told = capsys.readouterr().err.splitlines()
    says(told[0], "warning:", "dropped 30 rows", "30 with a bad y")
    assert len(told) == 7
    says(told[-1], "warning:", 25, "more")


def test_numbers_of_dropped_rows_have_one_form(
    save: Save, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"1,{d % 76},{d % 48},5,bad\n" for d in range(2006))
    read_table(save(GOOD + rows), on_error="drop")
    told = capsys.readouterr().err.splitlines()
    says(told[0], "2,006 rows", "2,006 with a bad y")
    says(told[-1], "2,001 more")


def test_a_text_named_like_a_binary_file(save: Save) -> None:
    for name, kind in (("a.parquet", "Parquet"), ("a.arrow", "Arrow"), ("a.feather", "Arrow")):
        text = save("hello world\nand more\n", name)
        says(complaint(text), name, "found text", f"expected a {kind} file")
        assert read_table(save(GOOD, name)).rows() == ROWS


def test_drop_with_nothing_left(save: Save, capsys: pytest.CaptureFixture[str]) -> None:
    with raises(HumobError, "a.csv", "no good row"):
        read_table(save("uid,d,t,x,y\n1,0,0,5,bad\n"), on_error="drop")
    says(capsys.readouterr().err, "dropped 1 row")


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
    assert done.out == ""
    says(done.err.splitlines()[0], "warning:", "dropped 1 row")
    fails(done, "stdin", "no good row", notes=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


def test_drop_in_columnar_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.parquet"
    frame = pl.DataFrame({"uid": 1, "d": 0, "t": [0, 1, 2, 2], "x": 5, "y": [6.0, 6.5, 7.0, 8.0]})
    frame.write_parquet(path)
    assert read_table(str(path), on_error="drop")["y"].to_list() == [6, 7]
    told = capsys.readouterr().err
    says(told, "dropped 2 rows")
    says(told, "row 2", "column y", 6.5)
    says(told, "row 4", "column uid, d, t", "(1, 0, 2)")


# -- repeats -----------------------------------------------------------------------------------


def test_repeats_are_found_over_blocks(save: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_module, "BLOCK_BYTES", 50)
    path = save("uid,d,t,x,y\n" + "".join(f"{u % 90},0,0,5,6\n" for u in range(91)))
    says(complaint(path), "a.csv", "row 91", "line 92", "column uid, d, t", "(0, 0, 0)")


def test_profiles_key(save: Save) -> None:
    text = "uid,education,gender,consumption,occupation\n1,a,b,c,d\n1,a,b,c,e\n"
    says(complaint(save(text), PROFILES), "row 2", "line 3", "column uid", 1)


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


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frame=grids(), block=st.integers(1, 200))
def test_written_and_read_back(frame: pl.DataFrame, block: int, tmp_path: Path) -> None:
    for ending in (*ENDINGS, "parquet", "arrow"):
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
    ("content", "names"),
    [
        (GOOD.replace("5,7", "5,abc"), ("row 2", "line 3", "column y", "'abc'")),
        ("", ("empty",)),
        (b"\0\1\2\3", ("binary",)),
    ],
)
def test_one_line_and_exit_code_1(cli: Cli, content: str | bytes, names: tuple[str, ...]) -> None:
    fails(cli("data", "mask", "--from-day", "60", input=content), "stdin", *names)


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
    with raises(HumobError, "city.csv") as caught:
        read_table(str(tmp_path / "city.csv"))
    assert "frame parameter" not in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "command", "names"),
    [
        ("uid,d,seq,intent,start_min,end_min", "predict", ("day plan table", "generate gravity")),
        ("uid,d,t,x,y", "intend", ("grid trajectory table", "'predict'")),
        ("uid,datetime,lat,lon", "predict", ("point trajectory table", "data stays")),
    ],
)
def test_a_table_of_another_kind_is_named(cli, tmp_path, columns, command, names) -> None:
    (tmp_path / "a.csv").write_text(f"{columns}\n")
    done = cli(command, "a.csv", cwd=tmp_path)
    fails(done, "a.csv", *names)


@pytest.mark.parametrize("model", ["history", "slot-mode"])
def test_a_device_is_refused_by_models_that_use_none(cli, tmp_path, model) -> None:
    done = cli("predict", "a.csv", "--model", model, "--device", "gpu", cwd=tmp_path)
    fails(done, "--device", "'gpu'", "cuda", code=2)
