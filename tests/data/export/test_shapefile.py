"""Shapefiles out and in again: their files, names, texts and times."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import polars as pl
import pytest

from humobctl.io.shapefile import long_names, short_names
from tests.conftest import Cli
from tests.data.export.test_export import LEGS, PLACES, POINTS, TIMED, TRIPS
from tests.messages import fails, says

pytest.importorskip("pyogrio")
pytest.importorskip("pyarrow")
TABLES = {"points": POINTS, "visits": TIMED, "trips": TRIPS, "legs": LEGS, "places": PLACES}


def data(cli: Cli, folder: Path, *command: str) -> str:
    done = cli("data", *command, cwd=folder)
    assert done.code == 0, done.err
    return done.err


def test_short_names_are_unique_and_ours_come_back() -> None:
    names = ["finished_at", "finished_ab", "destination", "destination_lat", "Category", "category"]
    short = short_names(names)
    assert list(short.values()) == [
        *("finished_a", "finished_1", "dest", "dest_lat", "Category", "category_1")
    ]
    assert long_names(["finished_a", "dest", "other"]) == ["finished_at", "destination", "other"]
    assert long_names(["finished_a", "finished_at"]) == ["finished_a", "finished_at"]


@pytest.mark.parametrize("table", TABLES)
def test_what_goes_out_comes_in(table: str, tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "a.csv").write_text(TABLES[table])
    data(cli, tmp_path, "import", "a.csv", "-o", "once.csv")
    said = data(cli, tmp_path, "export", "once.csv", "-o", "a.shp")
    if table == "trips":
        says(said, "10 characters", "destination_lat is dest_lat", "finished_at is finished_a")
    data(cli, tmp_path, "import", "a.shp", "-o", "again.csv")
    once, again = (pl.read_csv(tmp_path / f"{name}.csv") for name in ("once", "again"))
    if table in ("trips", "legs"):
        # A trip without a line is a straight one; a leg has none at all.
        once, again = (frame.head(1).drop("line") for frame in (once, again))
    assert again.rows() == once.rows()
    parts = {file.name for file in tmp_path.iterdir()} - {"a.csv", "once.csv", "again.csv"}
    assert parts == {"a.shp", "a.dbf", "a.shx", "a.prj", "a.cpg"}


def test_a_zip_in_and_out(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "a.csv").write_text(PLACES)
    data(cli, tmp_path, "export", "a.csv", "-o", "a.shp.zip")
    with zipfile.ZipFile(tmp_path / "a.shp.zip") as packed:
        assert packed.namelist()[0] == "a.shp"
    said = data(cli, tmp_path, "import", "a.shp.zip", "-o", "b.csv")
    says(said, "zipped Shapefile", "layer a", "EPSG:4326")
    assert pl.read_csv(tmp_path / "b.csv").rows() == pl.read_csv(tmp_path / "a.csv").rows()
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []


def test_texts_are_cut_and_counted(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "a.csv").write_text(f"place_id,name,lat,lon\np,{'ä' * 130},1,2\nq,b,1,2\n")
    said = data(cli, tmp_path, "export", "a.csv", "-o", "a.shp")
    says(said, "warning:", "1 text", "254")
    data(cli, tmp_path, "import", "a.shp", "-o", "b.csv")
    assert pl.read_csv(tmp_path / "b.csv")["name"].to_list() == ["ä" * 127, "b"]


def test_files_of_others_are_not_written_over(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "a.csv").write_text(PLACES)
    (tmp_path / "a.dbf").write_text("mine")
    done = cli("data", "export", "a.csv", "-o", "a.shp", cwd=tmp_path)
    fails(done, "a.shp", "a.dbf", notes=True)
    assert (tmp_path / "a.dbf").read_text() == "mine"
    assert not (tmp_path / "a.shp").exists()
    (tmp_path / "a.dbf").unlink()
    data(cli, tmp_path, "export", "a.csv", "-o", "a.shp")
    (tmp_path / "a.qix").write_text("an index of the file before")
    data(cli, tmp_path, "export", "a.csv", "-o", "a.shp")
    assert not (tmp_path / "a.qix").exists()


def pack(folder: Path, **files: bytes) -> None:
    with zipfile.ZipFile(folder / "a.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        for name, held in files.items():
            packed.writestr(name.replace("_", "."), held)


@pytest.mark.parametrize(
    ("files", "names"),
    [
        ({"a_csv": b"x"}, ("a.csv", "Shapefile")),
        ({"a_shp": b"x", "b_shp": b"x"}, ("a, b", "--layer")),
        ({"a_shp": b"x", "a_dbf": b"x"}, ("a.shp", ".shx")),
        ({"a_shp": b"x", "a_dbf": b"x", "a_shx": b"x"}, ("damaged",)),
    ],
)
def test_other_archives_are_refused(
    files: dict[str, bytes], names: tuple[str, ...], tmp_path: Path, cli: Cli
) -> None:
    pack(tmp_path, **files)
    fails(cli("data", "import", "a.zip", "-o", "b.csv", cwd=tmp_path), "a.zip", *names)


def test_an_archive_unpacks_to_no_more_than_it_may(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("humobctl.io.size_limits.FREE_BYTES", 1_000)
    pack(tmp_path, a_shp=b"\0" * 1_000_000, a_dbf=b"x", a_shx=b"x")
    fails(cli("data", "import", "a.zip", cwd=tmp_path), "a.zip", "--max-bytes")
    cut = io.BytesIO((tmp_path / "a.zip").read_bytes()[:200]).getvalue()
    (tmp_path / "a.zip").write_bytes(cut)
    fails(cli("data", "import", "a.zip", cwd=tmp_path), "a.zip", "damaged")
