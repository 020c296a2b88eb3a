"""Flows between cells and areas: hand-worked agreement, sparse grids, bounds."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from humobctl.evaluate.flows.metrics import (
    Flows,
    align,
    cells_of,
    common_part,
    common_part_of_distances,
    compare_flows,
    count_flows,
    flows,
    pearson,
    root_mean_square,
    trips,
)
from humobctl.tables.stays import UNKNOWN_INTENT, Stays


def dense(matrix: list[list[float]] | np.ndarray) -> Flows:
    values = np.asarray(matrix, dtype=np.float64)
    origin, destination = np.nonzero(values)
    return Flows(origin, destination, values[origin, destination], len(values))


def stays(rows: list[tuple[int, int, int, int, int, float, float]]) -> Stays:
    """From (uid, day, start, end, place, km east, km north)."""
    uid, day, start, end, place, east, north = np.array(rows, dtype=np.float64).reshape(-1, 7).T
    return Stays(
        uid.astype(np.int64),
        day.astype(np.int32),
        start.astype(np.int32),
        end.astype(np.int32),
        place.astype(np.int64),
        east * 1000.0,
        north * 1000.0,
        np.full(len(uid), UNKNOWN_INTENT, np.int8),
    )


A = [[0, 10, 5], [4, 0, 0], [0, 6, 0]]
B = [[0, 8, 0], [4, 0, 2], [1, 10, 0]]


def by_name(scores):
    return {score.name: score.value for score in scores}


def test_three_areas_by_hand() -> None:
    found = by_name(compare_flows(dense(A), dense(B), pairs=9))
    # Both have 8 + 4 + 6 = 18 trips in common, of 25 each.
    assert found["cpc"] == pytest.approx(2 * 18 / 50)
    # Travelled: 4 pairs and 5 pairs, 3 of them in both.
    assert found["cpl"] == pytest.approx(2 * 3 / 9)
    # Differences 2, 5, 0, -2, -1, -4.
    assert found["rmse"] == pytest.approx(np.sqrt(50 / 9))
    assert found["rmse_travelled"] == pytest.approx(np.sqrt(50 / 6))
    assert found["correlation"] == pytest.approx(np.corrcoef(np.ravel(A), np.ravel(B))[0, 1])
    pairs = [(10, 8), (5, 0), (4, 4), (0, 2), (0, 1), (6, 10)]
    assert found["correlation_travelled"] == pytest.approx(np.corrcoef(np.array(pairs).T)[0, 1])


def test_signatures_say_what_changes_the_value() -> None:
    scores = compare_flows(dense(A), dense(B), pairs=6, settings=(("cell", "1km"),))
    signatures = {score.name: score.signature for score in scores}
    assert signatures["rmse"].startswith("rmse|pairs:6|cell:1km|v:")
    assert signatures["cpc"].startswith("cpc|pairs:travelled|cell:1km|v:")


def test_distances_have_bins_of_two_km() -> None:
    first = np.array([3.0, 1.0]), np.array([1.9, 2.0])
    second = np.array([2.0, 2.0]), np.array([0.0, 4.1])
    # By bin: 3, 1, 0 against 2, 0, 2.
    assert common_part_of_distances(first, second) == pytest.approx(2 * 2 / 8)


def test_pairs_are_counted_once() -> None:
    found = count_flows(np.array([0, 2, 0]), np.array([1, 1, 1]), 3, np.array([1.0, 0.0, 2.5]))
    assert (found.origin.tolist(), found.destination.tolist()) == ([0], [1])
    assert found.flow.tolist() == [3.5]


def test_nothing_to_compare_is_nan() -> None:
    nothing = count_flows(np.empty(0, np.int64), np.empty(0, np.int64), 3)
    found = by_name(compare_flows(nothing, nothing, pairs=9))
    assert np.isnan(found["cpc"])
    assert np.isnan(found["correlation"])
    assert found["rmse"] == 0.0


matrices = arrays(np.float64, (4, 4), elements=st.integers(0, 20).map(float))


@given(matrices, matrices)
def test_bounds_symmetry_and_the_dense_formulas(a: np.ndarray, b: np.ndarray) -> None:
    there, back = (
        by_name(compare_flows(dense(x), dense(y), pairs=16)) for x, y in ((a, b), (b, a))
    )
    assert there == pytest.approx(back, nan_ok=True)
    if a.sum() + b.sum():
        assert 0 <= there["cpc"] <= 1
        assert there["cpc"] == pytest.approx(2 * np.minimum(a, b).sum() / (a.sum() + b.sum()))
    assert there["rmse"] == pytest.approx(np.sqrt(((a - b) ** 2).mean()))
    if np.ptp(a) and np.ptp(b):
        assert there["correlation"] == pytest.approx(np.corrcoef(a.ravel(), b.ravel())[0, 1])
        assert -1 <= there["correlation"] <= 1


@given(matrices)
def test_the_same_flows_agree_wholly(a: np.ndarray) -> None:
    if not a.sum():
        return
    found = by_name(compare_flows(dense(a), dense(a), pairs=16))
    assert (found["cpc"], found["cpl"], found["rmse"]) == (1.0, 1.0, 0.0)


def test_correlation_of_large_flows_keeps_its_digits() -> None:
    a, b = np.array([1e9, 1e9 + 1, 1e9 + 2]), np.array([3.0, 2.0, 1.0])
    assert pearson(a, b, 3) == pytest.approx(-1.0)
    assert root_mean_square(a, a, 3) == 0.0


# -- trips of stays -----------------------------------------------------------------------------

DAYS = [
    (0, 0, 0, 480, 1, 0.1, 0.1),
    (0, 0, 540, 1000, 2, 2.5, 0.1),  # from cell 0,0 to 2,0
    (0, 0, 1010, 1440, 2, 2.5, 0.1),  # the same place: no trip
    (0, 1, 0, 600, 1, 0.1, 0.1),  # another day: no trip
    (0, 1, 660, 1440, 3, 0.2, 0.3),  # within a cell
    (1, 1, 0, 1440, 1, 0.1, 0.1),  # another person: no trip
]


def test_trips_go_to_another_place_on_the_same_day() -> None:
    assert trips(stays(DAYS)).tolist() == [0, 3]


def test_cells_of_a_grid_through_the_centre_of_the_plane() -> None:
    (cells,), count, centres = cells_of([stays(DAYS)], 1.0)
    assert count == 3
    assert centres[cells].tolist()[:2] == [[0.5, 0.5], [2.5, 0.5]]
    assert len(centres) == 2


def test_flows_of_stays_by_hand() -> None:
    real = stays(DAYS)
    only_far = stays(DAYS[:3])
    found = by_name(flows(only_far, real, cell_km=1.0))
    # One trip of a kind, scaled to the two real ones: 2, 0 against 1, 1 over 9 pairs of cells.
    assert found["cpc"] == pytest.approx(0.5)
    assert found["cpl"] == pytest.approx(2 / 3)
    assert found["cpd"] == pytest.approx(0.5)
    assert found["rmse"] == pytest.approx(np.sqrt(2 / 9))


def test_nobody_travels() -> None:
    found = by_name(flows(stays(DAYS[5:]), stays(DAYS), cell_km=1.0))
    assert (found["cpc"], found["cpd"]) == (0.0, 0.0)
    assert np.isnan(found["correlation"])
    assert np.isnan(by_name(flows(stays(DAYS[5:]), stays([]), cell_km=1.0))["cpc"])


def test_a_grid_of_200_by_200_cells_stays_sparse() -> None:
    rng = np.random.default_rng(0)
    people, each = 20_000, 5
    uid = np.repeat(np.arange(people), each)
    many = len(uid)

    def table() -> Stays:
        return Stays(
            uid,
            np.zeros(many, np.int32),
            np.tile(np.arange(each, dtype=np.int32) * 200, people),
            np.tile(np.arange(each, dtype=np.int32) * 200 + 150, people),
            np.arange(many),
            rng.uniform(0, 100_000, many),
            rng.uniform(0, 100_000, many),
            np.full(many, UNKNOWN_INTENT, np.int8),
        )

    first, second = table(), table()
    tracemalloc.start()
    scores = flows(first, second, cell_km=0.5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    found = {score.name: score for score in scores}
    assert "pairs:1600000000" in found["rmse"].signature
    assert found["cpd"].value > 0.95
    # Dense, one of the two matrices alone would take 12.8 GB.
    assert peak < 100e6


def test_alignment_needs_no_common_pairs() -> None:
    a, b = align(dense([[0, 1], [0, 0]]), dense([[0, 0], [2, 0]]))
    assert (a.tolist(), b.tolist()) == ([1, 0], [0, 2])
    assert common_part(a, b) == 0.0
