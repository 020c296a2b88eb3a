"""The declared tables: order, types and size are a promise to every file written before."""

from __future__ import annotations

import polars as pl
import pytest

from humobctl.tables.schemas import (
    GRID,
    INTENTIONS,
    INTENTS,
    PLACES,
    POINTS,
    POPULATION,
    PROFILES,
    TABLES,
    VISITS,
)


def test_column_order_is_fixed() -> None:
    assert GRID.columns == ["uid", "d", "t", "x", "y"]
    assert POINTS.columns == ["uid", "datetime", "lat", "lon", "place_id", "category"]
    assert PROFILES.columns[:5] == ["uid", "education", "gender", "consumption", "occupation"]
    assert PLACES.columns == ["place_id", "name", "category", "intent", "lat", "lon"]
    assert VISITS.columns[:6] == ["uid", "d", "seq", "intent", "start_min", "end_min"]
    assert VISITS.columns[6:] == ["place_id", "lat", "lon"]
    intention = ["uid", "d", "seq", "intent", "start_min", "end_min", "reason"]
    assert INTENTIONS.columns == intention
    assert [*PROFILES.columns, "count"] == POPULATION.columns


def test_a_grid_row_takes_eleven_bytes() -> None:
    rows = pl.DataFrame([(1, 0, 0, 5, 6)] * 1000, schema=GRID.dtypes, orient="row")
    assert rows.estimated_size() == 11_000


def test_twelve_intents() -> None:
    assert len(set(INTENTS)) == 12
    expected = "one of the twelve intents"
    assert PLACES.describe_expected("intent") == expected


@pytest.mark.parametrize("name", TABLES)
def test_every_column_says_what_it_expects(name: str) -> None:
    table = TABLES[name]
    assert table.name == name
    for column in table.columns:
        assert table.describe_expected(column)
    assert set(table.optional) <= set(table.columns)
    assert set(table.key) <= set(table.columns)


@pytest.mark.parametrize(
    ("x", "y", "valid"),
    [
        (1, 1, True),
        (200, 200, True),
        (999, 999, True),
        (0, 1, False),
        (201, 1, False),
        (998, 998, False),
        (1000, 1000, False),
        (999, 1, False),
        (1, 999, False),
    ],
)
def test_cells(x: int, y: int, valid: bool) -> None:
    frame = pl.DataFrame([(1, 0, 0, x, y)], schema=GRID.dtypes, orient="row")
    assert GRID.schema.is_valid(frame) == valid


def test_a_stay_does_not_end_before_it_starts() -> None:
    row = (1, 0, 0, "eat", 700, 699, "p", 1.0, 2.0)
    frame = pl.DataFrame([row], schema=VISITS.dtypes, orient="row")
    assert not VISITS.schema.is_valid(frame)
    assert VISITS.schema.is_valid(frame.with_columns(end_min=pl.lit(700, pl.Int16)))


@pytest.mark.parametrize(
    ("intent", "start", "end", "valid"),
    [
        ("eat", 0, 1440, True),
        ("eat", 1439, 1440, True),
        ("eat", 700, 700, False),
        ("eat", -1, 10, False),
        ("eat", 10, 1441, False),
        ("Eat", 0, 10, False),
        (None, 0, 10, False),
    ],
)
def test_intentions(intent: str | None, start: int, end: int, valid: bool) -> None:
    row = (1, 0, 0, intent, start, end, None)
    frame = pl.DataFrame([row], schema=INTENTIONS.dtypes, orient="row")
    assert INTENTIONS.schema.is_valid(frame) == valid
