"""Compact prompts against prompts that were written by hand."""

from __future__ import annotations

import numpy as np
import pytest

from humobctl.predict.base import SlotDistributions
from humobctl.predict.city_profile import CityProfile
from humobctl.predict.llama import template_compact
from humobctl.predict.llama.config import PromptShape
from humobctl.predict.llama.predict_compact import NEIGHBOURS, spread, with_neighbours
from tests.predict.llama.test_template_published import user_of

HOME, WORK, CAFE = [9, 9], [20, 30], [21, 30]


def city_of(days: int = 20) -> CityProfile:
    """Days from a Sunday on; weekends are off."""
    weekday = np.arange(days) % 7
    off = (weekday == 0) | (weekday == 6)
    nothing = np.zeros(days, np.bool_)
    return CityProfile(weekday, off, nothing, np.array([[1, 1]], np.int32), np.ones((48, 1)))


def week() -> list[list[int]]:
    """Monday to Friday: home at 4, work at 20 (the café on Friday), home at 40."""
    return [
        [day, slot, *cell]
        for day in range(1, 6)
        for slot, cell in ((4, HOME), (20, CAFE if day == 5 else WORK), (40, HOME))
    ]


def test_the_prompt_names_cells_by_visits_and_counts_like_records() -> None:
    user = user_of(week(), [[8, 20], [9, 20], [8, 4]])
    prompt = template_compact.ask(user, city_of(), PromptShape(letters=2, evidence=5, shown=2))
    assert prompt.profile == f"{template_compact.INTRO} A 9,9 B 20,30{template_compact.RULES}"
    # Monday and Tuesday are asked alike: five records in slot 20, one of them in a third cell.
    assert prompt.questions == ["\n20 work B4 ? =", "\n4 work A5 ="]
    assert prompt.number.tolist() == [0, 0, 1]
    letter = {
        tuple(cell): int(n) for cell, n in zip(prompt.cells.tolist(), prompt.letter, strict=True)
    }
    assert letter == {(9, 9): 0, (20, 30): 1, (21, 30): 2}


def test_a_record_is_like_a_row_in_slot_day_gaps_and_age() -> None:
    # Monday, day 8: a Sunday, a Monday, a Tuesday, and a Monday with rows in slots 20 and 22.
    known = [[0, 20, 3, 3], [1, 20, 1, 1], [2, 20, 2, 2], [15, 20, 4, 4], [15, 22, 5, 5]]
    score = template_compact.likeness(user_of(known, [[8, 20]]), city_of())[0]
    day_off, monday, tuesday, gap, later = -np.array([8, 7, 6, 7, 7]) / 300
    gaps = np.log(24 / 2)  # alone on its day counts as a gap of 24 slots
    wanted = [day_off - 1.3, monday, tuesday - 0.3, gap - gaps, later - 2 - gaps]
    assert score == pytest.approx(wanted)


def test_only_some_days_of_the_history_may_be_used() -> None:
    prompt = template_compact.ask(user_of(week(), [[8, 20]]), city_of(), PromptShape(), days=1)
    assert prompt.questions == ["\n20 work A2 B ="]
    assert "21,30" in prompt.profile
    assert "20,30" not in prompt.profile


def test_scores_become_shares_of_cells() -> None:
    user = user_of(week(), [[8, 20], [8, 4]])
    prompt = template_compact.ask(user, city_of(), PromptShape(letters=2, evidence=5, shown=2))
    scores = np.log([[0.1, 0.6, 0.3], [0.8, 0.1, 0.1]])
    dist = spread(prompt, scores, near=False)
    by_cell = {tuple(c): p.tolist() for c, p in zip(dist.cells.tolist(), dist.p.T, strict=True)}
    assert by_cell[(9, 9)] == pytest.approx([0.1, 0.8])
    assert by_cell[(20, 30)] == pytest.approx([0.6, 0.1])
    assert by_cell[(21, 30)] == pytest.approx([0.3, 0.1])  # the only cell without a letter


def test_other_cells_share_by_how_like_their_records_are() -> None:
    user = user_of([[1, 10, 1, 1], [2, 11, 2, 2], [3, 14, 3, 3], [4, 10, 1, 1]], [[8, 11]])
    prompt = template_compact.ask(user, city_of(), PromptShape(letters=1))
    dist = spread(prompt, np.log([[0.5, 0.5]]), near=False)
    p = dict(zip(map(tuple, dist.cells.tolist()), dist.p[0].tolist(), strict=True))
    assert p[(1, 1)] == pytest.approx(0.5)
    assert p[(2, 2)] > 10 * p[(3, 3)]
    assert dist.p.sum() == pytest.approx(1)


def test_neighbours_get_a_small_share_inside_the_grid() -> None:
    dist = SlotDistributions(np.array([[1, 1], [1, 2]], np.int32), np.array([[0.25, 0.75]]))
    wide = with_neighbours(dist)
    p = dict(zip(map(tuple, wide.cells.tolist()), wide.p[0].tolist(), strict=True))
    assert set(p) == {(x, y) for x in (1, 2) for y in (1, 2, 3)}
    total = 1 + NEIGHBOURS * (0.25 * 4 + 0.75 * 6)
    assert p[(1, 2)] == pytest.approx((0.75 + NEIGHBOURS) / total)
    assert p[(2, 3)] == pytest.approx(NEIGHBOURS * 0.75 / total)
