"""Descriptions of grid trajectories, against values worked out by hand."""

import json
import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from humobctl.data.describe.grid import describe, describe_batches, periods, totals
from humobctl.data.measures.spread import spread, weighted_spread
from humobctl.data.synth.run import SyntheticCity
from humobctl.errors import HumobError
from humobctl.io import by_user as users_module
from humobctl.tables.schemas import GRID
from tests.messages import raises

# uid 1 stands on the corners of a square of 6 cells (3 km), uid 2 is masked but for one row.
ROWS = [
    (1, 0, 0, 10, 10),
    (1, 0, 1, 16, 10),
    (1, 0, 5, 10, 16),
    (1, 3, 5, 16, 16),
    (2, 2, 47, 50, 60),
    (2, 3, 0, 999, 999),
    (2, 3, 2, 999, 999),
    (3, 3, 4, 999, 999),
]


def frame(rows: list[tuple[int, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=GRID.dtypes, orient="row")


def test_by_hand() -> None:
    found = describe_batches([frame(ROWS)], source="hand")
    assert (found.users, found.rows, found.masked_rows) == (3, 8, 3)
    assert found.users_without_place == 1
    assert (found.first_day, found.last_day, found.days) == (0, 3, 3)
    assert found.coverage == pytest.approx(8 / (3 * 4 * 48))
    assert found.cells == 5
    assert found.bounding_box == {"x_min": 10, "x_max": 50, "y_min": 10, "y_max": 60}
    # Corners of a 3 km square lie 3 / sqrt(2) km from its middle; one row lies on its own middle.
    assert found.radius_of_gyration_km.max == pytest.approx(3 / math.sqrt(2))
    assert found.radius_of_gyration_km.min == 0
    # Four cells of one row each: 2 bits both ways; one cell: none.
    for entropy in (found.entropy_random_bits, found.entropy_uncorrelated_bits):
        assert (entropy.min, entropy.max, entropy.mean) == (0, 2, 1)
    assert (found.top_cell_share.min, found.top_cell_share.max) == (0.25, 1)
    assert found.cells_per_user.mean == 2.5
    # User-days with rows: 3, 1 (uid 1), 1, 2 (uid 2), 1 (uid 3).
    per_day = found.rows_per_user_day
    assert (per_day.mean, per_day.median, per_day.max) == (pytest.approx(8 / 5), 1, 3)
    assert found.rows_per_user.max == 4
    assert (found.days_per_user.min, found.days_per_user.max) == (1, 2)
    # uid 1: slots 6 of day 0 to 4 of day 3 are 3 * 48 - 1 slots; days 1 and 2. uid 2: slot 1.
    assert found.longest_gap_slots.max == 143
    assert found.longest_gap_slots.median == 1
    assert found.longest_gap_slots.min == 0
    assert (found.longest_gap_days.max, found.longest_gap_days.min) == (2, 0)
    assert found.by_day == [
        {"d": 0, "rows": 3, "masked": 0, "users": 1},
        {"d": 1, "rows": 0, "masked": 0, "users": 0},
        {"d": 2, "rows": 1, "masked": 0, "users": 1},
        {"d": 3, "rows": 4, "masked": 3, "users": 3},
    ]
    assert {t: n for t, n in enumerate(found.by_slot) if n} == {0: 2, 1: 1, 2: 1, 4: 1, 5: 2, 47: 1}
    assert found.heat.sum() == 5
    assert found.heat[49, 59] == 1


def test_uneven_shares_by_hand() -> None:
    """Shares 3/4 and 1/4: 2 - 0.75 * log2(3) bits; gyration sqrt(3)/4 of the distance, 2 km."""
    rows = [(7, 0, t, 1, 1) for t in range(3)] + [(7, 0, 3, 5, 1)]
    found = describe_batches([frame(rows)])
    assert found.entropy_uncorrelated_bits.mean == pytest.approx(2 - 0.75 * math.log2(3))
    assert found.entropy_random_bits.mean == 1
    assert found.radius_of_gyration_km.mean == pytest.approx(2 * math.sqrt(3) / 4)
    double = describe_batches([frame(rows)], cell_km=1.0)
    assert double.radius_of_gyration_km.mean == pytest.approx(math.sqrt(3))


def test_all_masked_has_no_place() -> None:
    found = describe_batches([frame(ROWS[5:])])
    assert found.bounding_box is None
    assert found.cells == 0
    assert found.radius_of_gyration_km.mean is None
    assert found.users_without_place == 2
    assert all(
        isinstance(cell, str) for part in found.sections() for row in part.rows for cell in row
    )
    assert ("bounding box", "-") in totals(found)


def test_order_and_batches_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = pl.concat(list(SyntheticCity(30, 20, 5).trajectories()))
    expected = describe_batches([whole])
    mixed = whole.sample(fraction=1, shuffle=True, seed=1)
    assert _same(describe_batches(mixed.iter_slices(1000)), expected)
    # Through sorted files on disk, a few users at a time.
    monkeypatch.setattr(users_module, "IN_MEMORY_ROWS", 2000)
    monkeypatch.setattr(users_module, "GROUP_ROWS", 1500)
    assert _same(describe_batches(mixed.iter_slices(1000)), expected)


def _same(one: object, two: object) -> bool:
    a, b = json.loads(json.dumps(one.to_dict())), json.loads(json.dumps(two.to_dict()))
    assert (one.heat == two.heat).all()
    assert alike(a, b)
    return True


def alike(one: object, two: object) -> bool:
    """Equal up to rounding, however deep."""
    if isinstance(one, dict):
        return one.keys() == two.keys() and all(alike(one[name], two[name]) for name in one)
    if isinstance(one, list):
        return len(one) == len(two) and all(map(alike, one, two))
    return one == (pytest.approx(two) if isinstance(two, float) else two)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 47)), min_size=1))
def test_gaps_of_any_rows(rows: list[tuple[int, int, int]]) -> None:
    keys = sorted(set(rows))
    found = describe_batches([frame([(*key, 1, 1) for key in keys])])
    slots, days = [], []
    for uid in {key[0] for key in keys}:
        seen = {d * 48 + t for u, d, t in keys if u == uid}
        slots.append(_longest(seen))
        days.append(_longest({moment // 48 for moment in seen}))
    assert found.longest_gap_slots.max == max(slots)
    assert found.longest_gap_days.max == max(days)
    assert found.longest_gap_slots.mean == pytest.approx(np.mean(slots))


def _longest(seen: set[int]) -> int:
    run = longest = 0
    for moment in range(min(seen), max(seen)):
        run = 0 if moment in seen else run + 1
        longest = max(longest, run)
    return longest


@given(st.lists(st.integers(0, 48), min_size=1, max_size=60))
def test_weighted_spread_is_the_spread_of_the_values(values: list[int]) -> None:
    counts = np.bincount(values, minlength=49)
    one, two = weighted_spread(np.arange(49), counts), spread(np.array(values, dtype=float))
    assert list(vars(one).values()) == pytest.approx(list(vars(two).values()))


def test_periods_cover_every_day_once() -> None:
    for days, lines in ((5, 1), (14, 2), (75, 11), (400, 20)):
        rows = [(1, day, 0, 1, 1) for day in range(days)]
        table = periods(describe_batches([frame(rows)]))
        assert len(table) == lines
        assert sum(int(line[1]) for line in table) == days
        assert table[-1][0].endswith(f"-{days - 1}")


def test_no_rows_is_an_error() -> None:
    with raises(HumobError, "x.csv", "no good row"):
        describe_batches([frame([])], source="x.csv")


def test_city_b(shared_data) -> None:
    """Against numbers taken from the file with other tools."""
    found = describe(str(shared_data / "humob" / "cityB_100users.csv.gz"))
    assert (found.users, found.rows, found.masked_rows) == (100, 90885, 0)
    assert found.cells == 4462
    assert found.radius_of_gyration_km.mean == pytest.approx(8.98460293558333)
    assert found.rows_per_user_day.mean == pytest.approx(12.937366548042705)
    assert found.top_cell_share.mean == pytest.approx(0.270, abs=5e-4)
    assert found.by_day[0] == {"d": 0, "rows": 940, "masked": 0, "users": 84}
