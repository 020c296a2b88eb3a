"""Tables in a real PostgreSQL with PostGIS, started for these tests, and in DuckDB files."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import humobctl as hm
from humobctl.errors import HumobError, UsageError
from humobctl.io.databases import read_query, write_database
from humobctl.tables.schemas import TIMED_VISITS, TRIPS
from tests.conftest import ROOT, Cli, environment
from tests.messages import fails, says

SERVERS = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
SECRET = "s3cret"  # noqa: S105 - of a server that lives as long as the tests


@pytest.fixture(scope="module")
def postgis() -> Iterator[str]:
    """URL of a database with PostGIS; the server asks for a password and listens on loopback."""
    pytest.importorskip("adbc_driver_postgresql")
    pytest.importorskip("duckdb")
    extension = Path("/usr/share/postgresql").glob("*/extension/postgis.control")
    if not SERVERS or not list(extension):
        pytest.skip("needs PostgreSQL with PostGIS, which are not here")
    account = "postgres" if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name
    folder = Path(tempfile.mkdtemp(prefix="humobctl-pg-"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def run(*command: str | Path) -> None:
        who = ["runuser", "-u", account, "--"] if os.getuid() == 0 else []
        subprocess.run([*who, *map(str, command)], check=True, capture_output=True, cwd="/")

    try:
        (folder / "password").write_text(SECRET)
        if os.getuid() == 0:
            for path in (folder, folder / "password"):
                shutil.chown(path, account)
        bin_ = SERVERS[-1].parent
        made = ("--username=ann", "--auth=scram-sha-256", f"--pwfile={folder / 'password'}")
        run(bin_ / "initdb", f"--pgdata={folder / 'data'}", "--no-sync", "--encoding=UTF8", *made)
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c fsync=off -k {folder}"
        run(
            *(bin_ / "pg_ctl", "start", "-w", "-D", folder / "data", "-o", options),
            *("-l", folder / "log"),
        )
        try:
            url = f"postgresql://ann:{SECRET}@127.0.0.1:{port}/postgres"
            execute(url, "create extension postgis")
            yield url
        finally:
            run(bin_ / "pg_ctl", "stop", "-D", folder / "data", "-m", "immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def execute(url: str, statement: str) -> None:
    import adbc_driver_postgresql.dbapi as driver

    with driver.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        connection.commit()


def ask(url: str, query: str, folder: Path) -> list[tuple[object, ...]]:
    return pl.read_parquet(read_query(url, query, folder).file).rows()


VISITS = """uid,d,seq,intent,start_min,end_min,place_id,lat,lon,started_at,finished_at
1,0,0,go home,0,500,1-0,60.17,24.93,2026-01-05T00:00:00.000000,2026-01-05T08:20:00.000000
1,0,1,,520,900,1-1,60.2,24.96,2026-01-05T08:40:00.000000,2026-01-05T15:00:00.000000
"""


@pytest.fixture
def visits() -> pl.DataFrame:
    table = pl.read_csv(VISITS.encode(), try_parse_dates=True)
    return table.select(pl.col(name).cast(kind) for name, kind in TIMED_VISITS.dtypes.items())


def test_visits_go_to_postgis_and_back(postgis: str, visits: pl.DataFrame, tmp_path: Path) -> None:
    url = f"{postgis}?table=visits"
    assert write_database([visits, visits], url, TIMED_VISITS.dtypes, folder=tmp_path) == 4
    known = ask(postgis, "select ST_AsText(geom) from visits order by seq", tmp_path)
    assert known[0] == ("POINT(24.93 60.17)",)
    indexes = "select indexdef from pg_indexes where tablename = 'visits'"
    assert any("gist (geom)" in row[0] for row in ask(postgis, indexes, tmp_path))
    columns = ", ".join(visits.columns)
    limited = f"select {columns} from visits limit 2"  # noqa: S608 - our own names
    again = read_query(postgis, limited, tmp_path)
    back = pl.read_parquet(again.file)
    assert_frame_equal(back, visits, check_dtypes=False)
    with pytest.raises(HumobError, match="--if-exists") as refused:
        write_database([visits], url, TIMED_VISITS.dtypes, folder=tmp_path)
    assert SECRET not in str(refused.value)
    write_database([visits], url, TIMED_VISITS.dtypes, if_exists="append", folder=tmp_path)
    assert ask(postgis, "select count(*) from visits", tmp_path) == [(6,)]
    write_database([visits], url, TIMED_VISITS.dtypes, if_exists="replace", folder=tmp_path)
    assert ask(postgis, "select count(*) from visits", tmp_path) == [(2,)]


def test_trips_have_their_lines(postgis: str, tmp_path: Path) -> None:
    moment = pl.Series(["2026-01-05T08:00:00"]).str.to_datetime(time_unit="us")
    row = {
        **{"uid": 1, "trip": 0, "started_at": moment, "finished_at": moment, "origin": "1-0"},
        **{"destination": None, "origin_lat": 60.0, "origin_lon": 24.0, "destination_lat": 60.1},
        **{"destination_lon": 24.1, "distance_m": 9.0, "duration_min": 1.0, "points": 2},
        **{"line": "LINESTRING (24 60, 24.1 60.1)", "mode": None, "intent": "eat"},
    }
    trips = pl.DataFrame(row).select(pl.col(n).cast(kind) for n, kind in TRIPS.dtypes.items())
    write_database([trips], f"{postgis}?table=public.trips", TRIPS.dtypes, folder=tmp_path)
    query = "select ST_NPoints(path), ST_X(destination_geom) from trips"
    assert ask(postgis, query, tmp_path) == [(2, 24.1)]


def test_a_killed_writing_leaves_nothing(postgis: str, tmp_path: Path) -> None:
    code = f"""
import os, signal, sys
from pathlib import Path
import polars as pl
from humobctl.io.databases import write_database
from humobctl.tables.schemas import TIMED_VISITS
def batches():
    yield pl.DataFrame(schema=TIMED_VISITS.dtypes).clear(50_000)
    os.kill(os.getpid(), signal.SIGKILL)
folder = Path({str(tmp_path)!r})
write_database(batches(), {postgis!r} + "?table=killed", TIMED_VISITS.dtypes, folder=folder)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment(), check=False, capture_output=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert ask(postgis, "select to_regclass('killed') is null", tmp_path) == [(True,)]


def test_import_reads_queries_without_showing_passwords(
    postgis: str, cli: Cli, tmp_path: Path
) -> None:
    execute(
        postgis,
        "create table pings as select 7 as uid, timestamp '2026-01-05' + n * interval '1 min' as "
        "datetime, (60 + n / 1e6)::numeric as lat, 24.9::float8 as lon from generate_series(1, "
        "250000) n",
    )
    query = ("--query", "SELECT * FROM pings ORDER BY datetime;")
    done = cli("data", "import", postgis, *query, "-o", "p.parquet", cwd=tmp_path)
    assert done.code == 0, done.err
    table = pl.read_parquet(tmp_path / "p.parquet")
    assert (table.height, table["lat"][-1]) == (250_000, 60.25)
    says(done.err, "127.0.0.1", "250,000 rows", "1 user")
    wrong = cli("data", "import", postgis, "--query", "select nothing", cwd=tmp_path)
    fails(wrong, "127.0.0.1", "nothing")
    nowhere = cli("data", "import", postgis.replace(SECRET, "Wr0ng"), *query, cwd=tmp_path)
    fails(nowhere, "127.0.0.1", "password", "ann")
    assert SECRET not in done.err + wrong.err
    assert "Wr0ng" not in nowhere.err
    closed = cli("data", "import", "postgresql://ann@127.0.0.1:1/x", *query, cwd=tmp_path)
    fails(closed, "127.0.0.1:1", "refused")


def test_duckdb_files(visits: pl.DataFrame, cli: Cli, tmp_path: Path) -> None:
    pytest.importorskip("duckdb")
    path = str(tmp_path / "city.duckdb")
    write_database([visits], f"{path}?table=visits", TIMED_VISITS.dtypes, folder=tmp_path)
    with pytest.raises(HumobError, match="--if-exists"):
        write_database([visits], f"{path}?table=visits", TIMED_VISITS.dtypes, folder=tmp_path)
    both = f"{path}?table=visits"
    write_database([visits], both, TIMED_VISITS.dtypes, if_exists="append", folder=tmp_path)
    found = hm.read(path, query="SELECT uid, started_at AS datetime, lat, lon FROM visits;")
    assert found["uid"].to_list() == ["1"] * 4
    done = cli("data", "import", path, "-o", "v.csv", cwd=tmp_path)
    assert done.code == 0, done.err
    assert pl.read_csv(tmp_path / "v.csv").height == 4
    write_database([visits], f"{path}?table=again", TIMED_VISITS.dtypes, folder=tmp_path)
    fails(cli("data", "import", path, cwd=tmp_path), "again, visits", "--query", code=2)
    fails(cli("data", "import", "none.duckdb", cwd=tmp_path), "none.duckdb", "no such file")
    bad = cli("data", "import", path, "--query", "drop table visits", cwd=tmp_path)
    fails(bad, "city.duckdb", "drop")
    (tmp_path / "v.duckdb").write_text("no database")
    fails(cli("data", "import", "v.duckdb", cwd=tmp_path), "v.duckdb")


def test_export_writes_into_databases(
    postgis: str, visits: pl.DataFrame, cli: Cli, tmp_path: Path
) -> None:
    visits.write_parquet(tmp_path / "v.parquet")
    export = ("data", "export", "v.parquet", "--output", f"{postgis}?table=exported")
    done = cli(*export, cwd=tmp_path)
    assert done.code == 0, done.err
    says(done.err, "v.parquet", "2 rows", "127.0.0.1")
    again = cli(*export, cwd=tmp_path)
    fails(again, "exported", "--if-exists")
    assert cli(*export, "--if-exists", "append", cwd=tmp_path).code == 0
    assert ask(postgis, "select count(geom) from exported", tmp_path) == [(4,)]
    (tmp_path / "c.csv").write_text("uid,d,t,x,y\n1,0,5,7,8\n")
    cells = cli("data", "export", "c.csv", "-o", "c.duckdb?table=cells", cwd=tmp_path)
    assert cells.code == 0, cells.err
    back = cli("data", "import", "c.duckdb", cwd=tmp_path)
    assert back.out == "uid,d,t,x,y\n1,0,5,7,8\n"
    both = cli(*export, "--to", "geojson", cwd=tmp_path)
    fails(both, "--to", "database", code=2)
    plain = cli("data", "export", "v.parquet", "-o", "v.csv", "--if-exists", "append", cwd=tmp_path)
    fails(plain, "--if-exists", code=2)
    assert SECRET not in done.err + again.err + both.err


@pytest.mark.parametrize("name", ["", "?table=", "?table=a;drop", "?table=a&table=b"])
def test_the_table_needs_a_plain_name(name: str, visits: pl.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="table=NAME"):
        write_database([visits], f"x.duckdb{name}", TIMED_VISITS.dtypes, folder=tmp_path)


def test_query_goes_with_a_database(cli: Cli, tmp_path: Path) -> None:
    done = cli("data", "import", "a.csv", "--query", "select 1", cwd=tmp_path)
    fails(done, "--query", "postgresql://", ".duckdb", code=2)
