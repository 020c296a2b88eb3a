"""Inputs that other programs write: each is read right, or refused in one line that names it."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.conftest import Cli, Run
from tests.messages import fails, says

WHEN = "2023-01-01T10:30:00.000000"


def points(*rows: str, header: str = "uid,time,lat,lon") -> str:
    return "\n".join([header, *rows, ""])


def imported(cli: Cli, content: str | bytes, *options: str) -> Run:
    done = cli("data", "import", *options, input=content)
    assert done.code == 0, done.err
    return done


def column(done: Run, at: int) -> list[str]:
    return [line.split(",")[at] for line in done.out.splitlines()[1:]]


# -- times ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1701120312345", "2023-11-27T21:25:12.345000"),
        ("1672569000.5", "2023-01-01T10:30:00.500000"),
        ("1672569000123456", "2023-01-01T10:30:00.123456"),
        ("1672569000123456789", "2023-01-01T10:30:00.123456"),
        ("1672569000000.0", WHEN),
        ("1.672569e9", WHEN),
        ("-100000000", "1966-10-31T14:13:20.000000"),
        ("999999999", "2001-09-09T01:46:39.000000"),
        ("202301011030", WHEN),
        ("20230101103000", WHEN),
        ("20230101103000123", "2023-01-01T10:30:00.123000"),
        ("2023010110", "2023-01-01T10:00:00.000000"),
        ("20230101", "2023-01-01T00:00:00.000000"),
        ("2023-01-01 10:30:00 UTC", WHEN),
        ("2023-01-01 10:30:00.25 UTC", "2023-01-01T10:30:00.250000"),
        ("20230101T103000Z", WHEN),
        ("20230101T1030", WHEN),
        ("20230101T193000+0900", WHEN),
        ("2023-01-01T10:30:00Z", WHEN),
        ("2023/1/1 9:05", "2023-01-01T09:05:00.000000"),
        ("2023-01-01 24:00", "2023-01-02T00:00:00.000000"),
        ('"2023-01-01 10:30:00,25"', "2023-01-01T10:30:00.250000"),
        ("1969-12-31 23:59:59", "1969-12-31T23:59:59.000000"),
    ],
)
def test_times(cli: Cli, text: str, expected: str) -> None:
    assert column(imported(cli, points(f"1,{text},39.9,116.3")), 1) == [expected]
    if text.lstrip("-").replace(".", "").isdigit():  # the same in numbers as in text
        line = json.dumps({"uid": 1, "time": json.loads(text), "lat": 39.9, "lon": 116.3})
        assert column(imported(cli, line + "\n"), 1) == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "45000",
        "-86400",
        "16725690000",
        "99999999999999999999",
        "23-01-01 10:00",
        "nan",
        "2023-01-01 10:30:00+15:00",
        "2023-01-01 10:30:00+99:00",
        "2023-02-30 10:00",
        "9" * 5000,
        "2023-01-01 24:30",
        "01/02/2023 10:00",
        "Tue Apr 03 18:00:09 +1900 2012",
    ],
)
def test_what_is_no_time(cli: Cli, text: str) -> None:
    done = cli("data", "import", input=points(f"1,{text},39.9,116.3"))
    fails(done, "row 1", "line 2", "column time", "2023-01-01 10:30:00")


def test_ambiguous_numbers_are_decided_by_the_column_and_told(cli: Cli) -> None:
    done = imported(cli, points("1,2023010110,1,1", "1,2023010111,1,1"))
    says(done.err, 2023010110, "10 digits", "YYYYMMDDhh")
    # As seconds, most of these are not dates: so the one that could be is none.
    rows = [f"1,{number},1,1" for number in (2023010110, 2023019911, 2050000000)]
    done = imported(cli, points(*rows))
    assert column(done, 1)[0] == "2034-02-08T11:15:10.000000"
    done = cli(
        "data", "import", input=points("1,2023010110,1,1", "1,2023010111,1,1", "1,2023019911,1,1")
    )
    fails(done, "row 3", "column time", "'2023019911'")
    done = imported(cli, points("1,999999999999,1,1"))
    assert column(done, 1) == ["2001-09-09T01:46:39.999000"]
    says(done.err, "12 digits", "milliseconds")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (pl.Datetime("ns", "Asia/Tokyo"), dt.datetime(2023, 1, 1, 10, 30)),
        (pl.Datetime("ms", "UTC"), dt.datetime(2023, 1, 1, 10, 30)),
        (pl.Int128, 1672569000),
        (pl.UInt64, 1672569000000),
        (pl.Decimal(20, 2), Decimal("1672569000.00")),
        (pl.Categorical, "2023-01-01 10:30:00"),
        (pl.Enum(["2023-01-01 10:30:00"]), "2023-01-01 10:30:00"),
        (pl.Binary, b"2023-01-01 10:30:00"),
        (pl.Float64, 1672569000123456.0),
    ],
)
def test_times_of_any_type(cli: Cli, tmp_path: Path, kind: Any, value: Any) -> None:
    time = pl.Series("time", [value], strict=False)
    if isinstance(kind, pl.Datetime):
        time = time.dt.replace_time_zone("UTC").dt.convert_time_zone(kind.time_zone)
    frame = pl.DataFrame({"uid": ["a"], "time": time.cast(kind), "lat": [1.0], "lon": [2.0]})
    frame.write_parquet(tmp_path / "a.parquet")
    done = cli("data", "import", "a.parquet", cwd=tmp_path)
    assert done.code == 0, done.err
    assert column(done, 1)[0][:19] == WHEN[:19]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("time", [[1]]),
        ("time", [True]),
        ("time", pl.Series([1672569000.0], dtype=pl.Float32)),
        ("uid", [[1]]),
        ("geom", [1.5]),
    ],
)
def test_a_type_that_cannot_be_is_named(cli: Cli, tmp_path: Path, name: str, values: Any) -> None:
    where = {"geom": ["POINT (1 2)"]}
    frame = pl.DataFrame({"uid": [1], "time": ["2023-01-01"], **where, name: values})
    frame.write_parquet(tmp_path / "a.parquet")
    done = cli("data", "import", "a.parquet", cwd=tmp_path)
    fails(done, "a.parquet", f"column {name}", str(frame.schema[name]))


def test_a_date_and_a_time_in_two_columns(cli: Cli) -> None:
    rows = ("1,2023-01-01,10:30:00,39.9,116.3", "1,20230101,10:30,39.9,116.3")
    for row in rows:
        done = imported(cli, points(row, header="uid,date,time,lat,lon"))
        assert column(done, 1) == [WHEN]
    # A time that is whole by itself needs no date.
    row = "1,2022-05-05,2023-01-01 10:30:00,39.9,116.3"
    assert column(imported(cli, points(row, header="uid,date,time,lat,lon")), 1) == [WHEN]


@pytest.mark.parametrize("offset", ["-14400", "", "x", "nan", "841"])
def test_an_offset_is_named_where_it_is_bad(cli: Cli, offset: str) -> None:
    header = "userId,latitude,longitude,timezoneOffset,utcTimestamp"
    row = "470,40.7,-74.0,{},Tue Apr 03 18:00:09 +0000 2012"
    text = points(row.format(840), row.format(offset), header=header)
    done = cli("data", "import", input=text)
    fails(done, "row 2", "line 3", "column timezoneOffset", -840, 840)
    # Nobody needs it where the zone is told.
    assert len(column(imported(cli, text, "--timezone", "America/New_York"), 1)) == 2


def test_an_hour_that_clocks_show_twice(cli: Cli) -> None:
    minutes = ("2:15", "2:45", "2:15", "3:05")
    rows = [f"1,2023-10-29 {minute},52.5,13.4" for minute in minutes]
    rows.insert(2, "2,2023-10-29 2:10,52.5,13.4")
    done = imported(cli, points(*rows), "--source-timezone", "Europe/Berlin", "--timezone", "UTC")
    assert [time[11:16] for time in column(done, 1)] == [
        "00:15",
        "00:45",
        "00:10",
        "01:15",
        "02:05",
    ]
    says(done.err, 4, "times", 1, "second")


# -- ids ------------------------------------------------------------------------------------------


def test_ids_that_mean_the_same_are_one(cli: Cli, tmp_path: Path) -> None:
    header = "uid , time , lat , lon "
    times = "2023-01-01 10:30:00,39.9,116.3"
    rows = [f" 1 , {times} ", f"1,{times}", f"1.0,{times}", f"\u00a01,{times}"]
    assert column(imported(cli, points(*rows, header=header)), 0) == ["1"] * 4
    frame = pl.DataFrame({"uid": [" 1", "1.0"], "time": ["2023-01-01"] * 2, "lat": 1, "lon": 2})
    for uid in (pl.String, pl.Categorical, pl.Float64, pl.Decimal(4, 1)):
        bare = frame.with_columns(pl.col("uid").str.strip_chars().cast(pl.Float64))
        ids = frame if uid in (pl.String, pl.Categorical) else bare
        ids.with_columns(pl.col("uid").cast(uid)).write_parquet(tmp_path / "a.parquet")
        done = cli("data", "import", "a.parquet", cwd=tmp_path)
        assert column(done, 0) == ["1", "1"], uid


def test_float_ids_stay_numbers_on_a_grid(cli: Cli) -> None:
    rows = ("5.0,2023-01-01 10:30:00,39.9,116.3", "12.0,2023-01-01 10:30:00,39.9,116.3")
    done = imported(cli, points(*rows), "--grid", "500m@39.5,116")
    assert column(done, 0) == ["5", "12"]


@pytest.mark.parametrize("to", ["csv", "ndjson", "parquet"])
def test_names_of_users_become_numbers_in_a_grid(cli: Cli, tmp_path: Path, to: str) -> None:
    frame = pl.DataFrame({"uid": ["3f25-04e0", "abc", "3f25-04e0"], "d": 0, "t": [3, 4, 5]})
    frame = frame.with_columns(x=pl.lit(10), y=pl.lit(20))
    getattr(frame, f"write_{to}")(tmp_path / f"a.{to}")
    done = cli("data", "import", f"a.{to}", "--uid-map", "map.csv", cwd=tmp_path)
    assert column(done, 0) == ["0", "1", "0"], done.err
    assert (tmp_path / "map.csv").read_text() == "uid,name\n0,3f25-04e0\n1,abc\n"


def test_one_name_among_numbers_is_a_fault(cli: Cli) -> None:
    text = points("1,0,3,1,1", "x,0,4,1,1", "2,0,4,1,1", header="uid,d,t,x,y")
    fails(cli("data", "import", input=text), "row 2", "column uid", "'x'")


def test_names_of_users_become_numbers_in_visits(cli: Cli) -> None:
    header = "uid,d,seq,intent,start_min,end_min,place_id,lat,lon"
    done = imported(cli, points("ann,0,0,eat,0,60,p,1,2", "bob,0,0,eat,0,60,p,1,2", header=header))
    assert column(done, 0) == ["0", "1"]
    says(done.err, "numbered", 2, "--uid-map")


# -- columns, separators, encodings ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "row"),
    [
        (",uid,d,t,x,y", "7,1,0,3,10,20"),
        ("Unnamed: 0,uid,d,t,x,y", "7,1,0,3,10,20"),
        ("uid,d,t,x,y,", "1,0,3,10,20,"),
    ],
)
def test_columns_without_a_name_are_left_out(cli: Cli, header: str, row: str) -> None:
    done = imported(cli, points(row, header=header))
    assert done.out == "uid,d,t,x,y\n1,0,3,10,20\n"
    says(done.err, "left out", "without a name")


def test_spaces_that_do_not_break_are_no_value(cli: Cli) -> None:
    text = points("1,0,\u00a03,10,20\u3000", header="uid,d,t,x,y")
    assert imported(cli, text).out == "uid,d,t,x,y\n1,0,3,10,20\n"
    fails(cli("data", "import", input=points("1,0,1_0,1,2", header="uid,d,t,x,y")), "'1_0'")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("packed", [False, True])
def test_text_as_windows_writes_it(cli: Cli, encoding: str, packed: bool) -> None:
    text = "sep=;\r\nuid;d;t;x;y\r\n1;0;3;10;20\r\n"
    mark = "" if encoding in ("utf-16", "utf-32", "utf-8-sig") else "\ufeff"
    content = (mark + text).encode(encoding)
    done = imported(cli, gzip.compress(content) if packed else content)
    assert done.out == "uid,d,t,x,y\n1,0,3,10,20\n"


def test_utf16_that_is_none(cli: Cli) -> None:
    text = "uid,d,t,x,y\n1,0,3,10,20\n"
    fails(cli("data", "import", input=text.encode("utf-16-le")), "UTF-16", "byte order mark")
    fails(cli("data", "import", input=text.encode("utf-16")[:-1]), "damaged", "UTF-16")


@pytest.mark.parametrize(
    "text",
    [
        "uid;time;lat;lon\n1;2023-01-01 10:30:00;39,9;116,3\n",
        'uid,time,lat,lon\n1,2023-01-01 10:30:00,"39,9","116,3"\n',
        "sep=;\nuid;time;lat;lon\n1;2023-01-01 10:30:00;39,9;116,3\n",
        "uid\ttime\tlat\tlon\n1\t2023-01-01 10:30:00,0\t39,9\t116,3\n",
    ],
)
def test_decimal_commas(cli: Cli, text: str) -> None:
    fails(cli("data", "import", input=text), "'39,9'", "--decimal-comma")
    done = imported(cli, text, "--decimal-comma")
    assert done.out.splitlines()[1] == f"1,{WHEN},39.9,116.3,,"


def test_longitudes_to_360(cli: Cli) -> None:
    text = points("1,2023-01-01 10:30:00,-17,181.5", "1,2023-01-01 10:30:00,-17,180")
    fails(cli("data", "import", input=text), "row 1", "column lon", 181.5, "--wrap-longitude")
    assert column(imported(cli, text, "--wrap-longitude"), 3) == ["-178.5", "180.0"]


def test_void_rows(cli: Cli) -> None:
    text = points("1,2023-01-01 10:30:00,0,0", "1,2023-01-01 10:30:00,39.9,116.3")
    done = imported(cli, text)
    assert column(done, 2) == ["39.9"]
    says(done.err, 1, "void row", "--keep-zero")
    assert column(imported(cli, text, "--keep-zero"), 2) == ["0.0", "39.9"]
    fails(cli("data", "import", input=points("1,2023-01-01,0,0")), "void")


# -- quotes ---------------------------------------------------------------------------------------

GOOD_PLACE = "{},B,bar,eat,39.9,116.3{}"


def tables() -> dict[str, tuple[str, list[str]]]:
    """Header -> rows of a table with a text column, a field of which may get a stray quote."""
    return {
        "points": ("uid,time,lat,lon,category", ["{n},2023-01-01,39.9,116.3,{q}x"]),
        "places": ("place_id,name,category,intent,lat,lon", ["{n},{q}Moe,bar,eat,39.9,116.3"]),
        "visits": (
            "uid,d,seq,intent,start_min,end_min,place_id,lat,lon",
            ["{n},0,0,eat,0,60,{q}p,39.9,116.3"],
        ),
        "grid": ("uid,d,t,x,y", ["{q}{n},0,1,5,6"]),
    }


@pytest.mark.parametrize("name", tables())
@pytest.mark.parametrize("separator", [",", "\t"])
@pytest.mark.parametrize("strays", [(2,), (2, 4), (4,), (1, 2, 3, 4)])
def test_a_stray_quote_is_named_by_its_line(
    cli: Cli, name: str, separator: str, strays: tuple[int, ...]
) -> None:
    header, (row,) = tables()[name]
    rows = [row.format(n=n, q='"' if n in strays else "") for n in (1, 2, 3, 4)]
    text = points(*rows, header=header).replace(",", separator)
    first = strays[0]
    done = cli("data", "import", input=text)
    fails(done, f"row {first}", f"line {first + 1}", "quote")
    if len(strays) < 4:
        done = imported(cli, gzip.compress(text.encode()), "--on-error", "drop")
        assert column(done, 0) == [str(n) for n in (1, 2, 3, 4) if n not in strays]
        says(done.err, "dropped", len(strays), "open quote")


OTHERS = {
    "flows": ("origin,destination,flow", '"1,2,3\n2,1,3', ["eval", "{}", "-t", "{}"]),
    "areas": ("area_id,lat,lon,population", '1,"2,3,4\n2,1,3,5', ["generate", "flows", "{}"]),
    "plans": (
        "uid,d,seq,intent,start_min,end_min,reason",
        '1,0,0,eat,0,60,"why\n1,0,1,eat,60,70,x',
        ["eval", "{}", "-t", "{}"],
    ),
    "mapping": ("category,intent", '"bar,eat\nfoo,eat', ["data", "import", "p.csv", "--mapping"]),
    "calendar": ("d,off", '"0,1\n1,0', ["predict", "g.csv", "--calendar"]),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_stray_quote_in_other_tables(cli: Cli, tmp_path: Path, name: str) -> None:
    header, rows, command = OTHERS[name]
    (tmp_path / "a.csv").write_text(points(rows, header=header))
    (tmp_path / "p.csv").write_text("place_id,category,lat,lon\n1,bar,1,2\n")
    (tmp_path / "g.csv").write_text("uid,d,t,x,y\n1,0,0,1,1\n1,1,0,999,999\n")
    words = [word.format("a.csv") for word in command]
    words += [] if "a.csv" in words else ["a.csv"]
    fails(cli(*words, cwd=tmp_path), "a.csv", "line 2", "quote")


def test_fields_of_several_lines_and_inch_marks_are_no_stray_quotes(cli: Cli) -> None:
    header = "place_id,name,category,intent,lat,lon"
    rows = ('1,"Moe, Sons\n& ""Co""",bar,eat,39.9,116.3', '2,TV 32",bar,eat,39.9,116.3')
    done = imported(cli, points(*rows, header=header), "--to", "ndjson")
    names = [json.loads(line)["name"] for line in done.out.splitlines()]
    assert names == ['Moe, Sons\n& "Co"', 'TV 32"']


def test_a_field_may_be_long(cli: Cli) -> None:
    wkt = "POLYGON ((" + ", ".join(f"116.{n:06} 39.9" for n in range(20_000)) + "))"
    text = f'place_id,category,lat,lon,wkt\n1,bar,39.9,116.3,"{wkt}"\n\n2,bar,39.9,116.3,\n'
    assert column(imported(cli, text), 0) == ["1", "2"]


# -- JSON -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["ndjson", "json"])
@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("[]", "'[]'"),
        ('{"a":1}', "a"),
        ("1e400", "inf"),
        ("NaN", "nan"),
        ('"x"', "'x'"),
        ("1" + "0" * 30, "1" + "0" * 30),
        ("null", "nothing"),
    ],
)
def test_odd_values_of_json_are_named(cli: Cli, form: str, value: str, found: str) -> None:
    good = '{"uid":1,"d":0,"t":%s,"x":1,"y":1}'
    rows = [good % 1, good % 2, good % value]
    text = "\n".join(rows) + "\n" if form == "ndjson" else f"[{','.join(rows)}]"
    fails(cli("data", "import", input=text), "row 3", "column t", found)


@pytest.mark.parametrize("form", ["ndjson", "json"])
def test_numbers_of_thousands_of_digits(cli: Cli, form: str) -> None:
    row = '{"uid":1,"d":0,"t":1,"x":1,"y":%s}' % ("1" * 5000)
    text = row + "\n" if form == "ndjson" else f"[{row}]"
    fails(cli("data", "import", input=text), "digits")


# -- visits ---------------------------------------------------------------------------------------

VISITS = "uid,d,seq,intent,start_min,end_min,place_id,lat,lon"


@pytest.mark.parametrize("minute", ["NaN", "inf", "1e999", "x", "-5", "\u00a0", "99999"])
def test_minutes_that_are_none(cli: Cli, tmp_path: Path, minute: str) -> None:
    text = points(f"1,0,0,eat,0,{minute},p,39.9,116.3", "1,0,1,eat,0,9,p,39.9,116.3", header=VISITS)
    (tmp_path / "a.csv").write_text(text)
    for command in (["data", "import", "a.csv"], ["eval", "a.csv", "-t", "a.csv"]):
        fails(cli(*command, cwd=tmp_path), "row 1", "end_min", notes=True)
    done = imported(cli, text, "--on-error", "drop")
    assert column(done, 5) == ["9"]


def test_visits_over_midnight_are_split(cli: Cli) -> None:
    rows = (
        "1,0,0,go home,1320,360,a,39.9,116.3",
        "1,1,0,eat,400,500,b,39.9,116.3",
        "2,0,0,eat,1400,1500,b,39.9,116.3",
        "2,1,0,eat,1380,0,b,39.9,116.3",
    )
    done = imported(cli, points(*rows, header=VISITS))
    assert [
        tuple(map(int, (u, d, s, b, e)))
        for u, d, s, _, b, e, *_ in (line.split(",") for line in done.out.splitlines()[1:])
    ] == [
        (1, 0, 0, 1320, 1440),
        (1, 1, 0, 0, 360),
        (1, 1, 1, 400, 500),
        (2, 0, 0, 1400, 1440),
        (2, 1, 0, 0, 60),
        (2, 1, 1, 1380, 1440),
    ]
    says(done.err, "split", 2, "midnight")
    # No night lasts so long: the ends are swapped.
    swapped = points("1,0,0,eat,720,660,a,39.9,116.3", header=VISITS)
    fails(cli("data", "import", input=swapped), "row 1", "720, 660")


# -- geometry -------------------------------------------------------------------------------------

LITTLE = "01010000006666666666766140cdcccccccccc4140"
BIG = "000000000140617666666666664041cccccccccccd"
EWKB = "0101000020E61000006666666666766140cdcccccccccc4140"
LINE = "0102000000010000006666666666766140cdcccccccccc4140"


@pytest.mark.parametrize("form", ["wkb", "extension"])
def test_points_of_geopandas(cli: Cli, tmp_path: Path, form: str) -> None:
    shapes = pl.Series("geometry", [bytes.fromhex(text) for text in (LITTLE, BIG, EWKB)])
    if form == "extension":
        shapes = shapes.ext.to(pl.Extension("geoarrow.wkb", pl.Binary()))
    frame = pl.DataFrame({"user_id": 1, "tracked_at": ["2023-01-01"] * 3, "geometry": shapes})
    frame.write_parquet(tmp_path / "a.parquet")
    done = cli("data", "import", "a.parquet", cwd=tmp_path)
    assert done.code == 0, done.err
    assert column(done, 2) == ["35.6"] * 3
    assert column(done, 3) == ["139.7"] * 3
    bad = frame.with_columns(geometry=pl.lit(bytes.fromhex(LINE)))
    bad.write_parquet(tmp_path / "b.parquet")
    fails(cli("data", "import", "b.parquet", cwd=tmp_path), "row 1", "column geometry", "POINT")


# -- stays with arrival and leaving ---------------------------------------------------------------


def test_staypoints_of_trackintel_become_visits(cli: Cli, tmp_path: Path) -> None:
    header = "id,user_id,started_at,finished_at,purpose,geom"
    rows = (
        "0,7,2023-01-01 22:00:00+09:00,2023-01-02 07:30:00+09:00,home,POINT (139.7 35.6)",
        "1,7,2023-01-02 09:00:00+09:00,2023-01-04 00:00:00+09:00,,POINT (139.75 35.65)",
        "2,9,2023-01-01 10:00:00+09:00,2023-01-01 10:00:00+09:00,eat,POINT (139.7 35.6)",
    )
    text = points(*rows, header=header)
    done = imported(cli, text, "--timezone", "Asia/Tokyo")
    night = "2023-01-01T22:00:00.000000,2023-01-02T07:30:00.000000"
    away = "2023-01-02T09:00:00.000000,2023-01-04T00:00:00.000000"
    meal = "2023-01-01T10:00:00.000000,2023-01-01T10:00:00.000000"
    assert done.out.splitlines()[1:] == [
        f"7,0,0,go home,1320,1440,,35.6,139.7,{night}",
        f"7,1,0,go home,0,450,,35.6,139.7,{night}",
        f"7,1,1,,540,1440,,35.65,139.75,{away}",
        f"7,2,0,,0,1440,,35.65,139.75,{away}",
        f"9,0,0,eat,600,600,,35.6,139.7,{meal}",
    ]
    says(done.err, "day 0", "2023-01-01")
    (tmp_path / "a.csv").write_text(text)
    scored = cli("eval", "a.csv", "-t", "a.csv", cwd=tmp_path)
    assert scored.code == 0, scored.err


def test_stays_of_scikit_mobility_become_visits(cli: Cli) -> None:
    header = "uid,datetime,leaving_datetime,lat,lng"
    row = "{},2023-01-02 09:00:00,{},35.65,139.75"
    text = points(row.format("ann", "2023-01-02 10:30:00"), header=header)
    done = imported(cli, text, "--start-date", "2023-01-01")
    whole = "2023-01-02T09:00:00.000000,2023-01-02T10:30:00.000000"
    assert done.out.splitlines()[1:] == [f"0,1,0,,540,630,,35.65,139.75,{whole}"]
    for leaving in ("", "noon", "2023-01-02 08:00:00"):
        done = cli("data", "import", input=points(row.format("ann", leaving), header=header))
        fails(done, "row 1", "column")
    done = cli("data", "import", "--start-date", "2023-01-03", input=text)
    fails(done, "2023-01-02", "2023-01-03")
    fails(cli("data", "import", "--grid", "500m@35,139", input=text), "--grid", code=2)


@pytest.mark.parametrize("year", ["-12023", "-0001", "12023", "+12023", "99999"])
def test_a_year_of_other_than_four_digits_is_a_bad_row(year: str, cli: Cli) -> None:
    text = f"user,datetime,lat,lng\nann,{year}-09-04 08:00:00,39.9,116.3\n"
    text += "bob,2023-09-04T09:10:00Z,39.9,116.3\n"
    fails(cli("data", "import", "-", input=text), "stdin", "datetime", year)


# -- names of columns -----------------------------------------------------------------------------


def test_names_of_columns_as_devices_write_them(cli: Cli) -> None:
    header = "Device ID;Time Stamp (UTC);Lat. (°);Long.;Accuracy (m)"
    done = imported(cli, "\ufeff" + points("a;2023-01-01T12:30:00+02:00;60;25;5", header=header))
    assert done.out.splitlines()[1] == f"a,{WHEN},60.0,25.0,,,5.0"


def test_the_columns_to_name_are_said_before_all_formats(cli: Cli) -> None:
    done = cli("data", "import", input="gadget,when,north,east\na,1,2,3\n")
    fails(done, "gadget", "uid, datetime, lat, lon", "--columns", "--format")
    assert done.err.index("--columns") < done.err.index("--format")


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("<!DOCTYPE html><html><body>404</body></html>\n", ["web page (HTML)"]),
        ("uid;d;t;x;y\n1;0;0;5;5\n", ["separated by ';'", "data import"]),
        ("person_id,age\n1,30\n", ["person_id", "rename or drop columns"]),
    ],
)
def test_what_a_table_is_not(content: str, names: list[str], cli: Cli) -> None:
    command = "intend" if "person" in content else "predict"
    done = cli(command, input=content)
    fails(done, *names)
    assert command != "intend" or "data import" not in done.err
