"""Scores of embeddings against answers worked out by hand."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from humobctl.evaluate.embedding.metrics import (
    CELL_KM,
    MEAN,
    MEDIAN,
    CityRecords,
    across,
    halves,
    homes_and_works,
    interval,
    most_visited,
    ranks,
    ridge,
    score_city,
    slot_cells_of,
    slot_histograms,
    summarize,
    tfidf_svd,
)


def scored(*args) -> dict[tuple[str, str], float]:
    """Scores of a city from its users' values."""
    return {key: summarize(key[0], one) for key, one in score_city(*args).items()}


def people(rows) -> CityRecords:
    """Rows of (uid, d, t, x, y), sorted."""
    uid, d, t, x, y = (np.array(part) for part in zip(*sorted(rows), strict=True))
    begins = np.flatnonzero(np.diff(uid, prepend=-1))
    return CityRecords(x, y, d, t, np.append(begins, len(uid)), uid[begins])


# Day 0 is a Sunday: user 3 works at (9, 9) on Monday and Tuesday, and lives at (5, 5).
ONE = [(3, d, t, 5, 5) for d in (0, 1, 2, 6) for t in (2, 46)]
ONE += [(3, 1, 24, 9, 9), (3, 2, 24, 9, 9), (3, 0, 24, 7, 7), (3, 6, 25, 7, 7), (3, 6, 26, 7, 7)]


def test_home_and_work() -> None:
    homes, works = homes_and_works(people(ONE))
    assert homes.tolist() == [4 * 200 + 4]
    assert works.tolist() == [8 * 200 + 8]
    assert homes_and_works(people([(1, 1, 24, 5, 5)]))[0].tolist() == [-1]


def test_halves_of_days() -> None:
    found = people(ONE)
    alternate = halves(found, np.array([0]), "alternate")
    assert [sorted(set(found.d[half[0]].tolist())) for half in alternate] == [[0, 2], [1, 6]]
    early, late = halves(found, np.array([0]), "chronological")
    assert [sorted(set(found.d[half[0]].tolist())) for half in (early, late)] == [[0, 1], [2, 6]]


def test_ranks_by_hand() -> None:
    gallery = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    queries = np.array([[1.0, 0.1], [1.0, 0.0], [1.0, 1.0]])
    # The second finds users 0 and 2 before its own; lengths do not matter.
    assert ranks(queries, 7 * gallery).tolist() == [1, 3, 1]


def test_equal_vectors_find_nobody() -> None:
    assert ranks(np.ones((4, 2)), np.ones((4, 2))).tolist() == [4, 4, 4, 4]


def test_ridge_finds_a_line_and_leaves_noise_alone() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(60, 5))
    y = x @ random.normal(size=(5, 2)) + 3
    np.testing.assert_allclose(ridge(x[:50], y[:50], x[50:]), y[50:], atol=0.02)
    noise = random.normal(size=(60, 1))
    told = ridge(random.normal(size=(60, 200)), noise, random.normal(size=(40, 200)))
    assert np.abs(told - noise.mean()).max() < 1


def test_ridge_is_not_led_by_a_few_far_rows() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=(60, 4))
    y = x[:, :2].copy()
    y[:6] += 1000  # one in ten is far off
    told = ridge(x[:50], y[:50], x[50:])
    assert np.linalg.norm(told - x[50:, :2], axis=1).max() < 2


def test_probes_never_see_whom_they_are_asked_about() -> None:
    # Labels are random: who saw them would be right.
    random = np.random.default_rng(1)
    label = (random.random(60) < 0.5).astype(float)
    told = across(random.normal(size=(60, 40)), label[:, None], 0)
    assert abs(np.corrcoef(told[:, 0], label)[0, 1]) < 0.3


def city(users: int) -> CityRecords:
    """Users each with a home, a work and one more cell of their own, over eight days."""
    rows = []
    for user in range(users):
        for d in range(8):
            rows += [(user, d, 2, 1 + user, 5), (user, d, 24, 1 + user, 150 - user)]
            rows += [(user, d, 40, 1 + user, 20 + d)]
    return people(rows)


def test_who_has_cells_of_their_own_is_found_by_them_and_not_by_slots() -> None:
    found = city(30)
    names = ["reid_top1", "reid_top10", "reid_mrr", "home_km"]
    bag = scored(found, tfidf_svd(found), names, 0)
    assert bag["reid_top1", "alternate"] == bag["reid_mrr", "chronological"] == 1.0
    slots = scored(found, slot_histograms, names, 0)
    assert slots["reid_top1", "alternate"] == 0.0
    assert slots["reid_mrr", "alternate"] == pytest.approx(1 / 30)


def test_a_vector_that_holds_the_home_tells_it() -> None:
    found = city(30)

    def places(them, parts):
        return np.array([[them.x[p].mean(), them.y[p].mean()] for p in parts], float)

    scores = scored(found, places, ["home_km", "next_day_km"], 0)
    assert scores["home_km", ""] < 0.2
    assert scores["next_day_km", ""] < 0.2
    alike = scored(found, lambda them, parts: np.ones((len(parts), 3)), ["home_km"], 0)
    assert alike["home_km", ""] > 3


def test_counted_places_by_hand() -> None:
    found = people(ONE)
    part = [np.array([0, 1, 2, 3])]  # day 0: (5, 5), (7, 7), (5, 5); day 1: (5, 5)
    assert MEAN.places(found, part).tolist() == [[5.5, 5.5]]
    assert MEDIAN.places(found, part).tolist() == [[5, 5]]
    assert most_visited.places(found, part).tolist() == [[5, 5]]


def test_counted_places_need_no_probe_and_find_nobody() -> None:
    scores = scored(city(30), most_visited, ["home_km", "work_km", "reid_top1"], 0)
    # All three cells of a day have one row: the most visited is the one with the lowest number.
    assert scores["home_km", ""] == 0
    assert scores["work_km", ""] == pytest.approx(CELL_KM * (145 - 14.5))
    assert np.isnan(scores["reid_top1", "alternate"])


def test_words_of_slots_and_cells_tell_users_of_one_cell_apart() -> None:
    found = people([(user, d, user, 5, 5) for user in range(12) for d in range(4)])
    assert scored(found, tfidf_svd(found), ["reid_top1"], 0)["reid_top1", "alternate"] == 0
    both = scored(found, tfidf_svd(found, slot_cells_of), ["reid_mrr"], 0)
    assert both["reid_mrr", "alternate"] > 0.5


def test_an_interval_holds_the_score_and_needs_known_values() -> None:
    values = np.arange(101, dtype=float)
    low, high = interval("home_km", [values, values], np.ones(2), 0)
    assert 30 < low < 50 < high < 70
    assert np.isnan(interval("home_km", [values, np.full(1, np.nan)], np.ones(2), 0)).all()


def test_too_few_users_have_no_score() -> None:
    scores = scored(people(ONE), slot_histograms, ["reid_top1", "home_km", "next_day_km"], 0)
    assert all(np.isnan(value) for value in scores.values())


def test_the_frame_of_people_is_the_table() -> None:
    assert people(ONE).frame().select("uid", "d", "t", "x", "y").rows() == sorted(ONE)
    assert isinstance(people(ONE).frame(), pl.DataFrame)
