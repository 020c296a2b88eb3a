"""Tables are told apart by their columns, and nothing of an input is used up."""

from __future__ import annotations

import polars as pl
import pytest

from humobctl.data.importers.table_kind import kind_of
from humobctl.errors import HumobError
from humobctl.io.read import read_table
from humobctl.tables.schemas import GRID, INTENTIONS, VISITS
from tests.messages import raises

PLAN = pl.DataFrame([(1, 0, 0, "eat", 0, 1440, "hungry")], schema=INTENTIONS.dtypes, orient="row")


@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet", "arrow"])
def test_by_columns(tmp_path, form) -> None:
    write = {
        "csv": pl.DataFrame.write_csv,
        "ndjson": pl.DataFrame.write_ndjson,
        "parquet": pl.DataFrame.write_parquet,
        "arrow": pl.DataFrame.write_ipc,
    }[form]
    cell = pl.DataFrame([(1, 0, 0, 5, 5)], schema=GRID.dtypes, orient="row")
    visit = PLAN.drop("reason").with_columns(place_id=pl.lit("p"), lat=1.0, lon=2.0)
    for frame, table in ((PLAN, INTENTIONS), (cell, GRID), (visit, VISITS)):
        path = tmp_path / f"{table.name}.{form}"
        write(frame, path)
        assert kind_of(str(path)) is table
        # Looked at twice, then read: all rows are there.
        assert kind_of(str(path)) is table
        assert read_table(str(path), table).height == 1


def test_cells_without_a_header(tmp_path) -> None:
    path = tmp_path / "cells.csv"
    path.write_text("1,0,0,5,5\n")
    assert kind_of(str(path)) is GRID


def test_what_cannot_be_read(tmp_path) -> None:
    with raises(HumobError, "none.csv", "no such file"):
        kind_of(str(tmp_path / "none.csv"))
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and nothing else")
    with raises(HumobError, "bad.parquet", "damaged"):
        kind_of(str(tmp_path / "bad.parquet"))
