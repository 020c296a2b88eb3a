"""Distances to training days, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from humobctl.generate.diffusion.data import known_days
from humobctl.generate.diffusion.decode import real_stays
from humobctl.generate.diffusion.memorisation import in_words, nearness
from humobctl.tables.plane import Plane
from tests.generate.diffusion.test_data import PLANE, table
from tests.messages import says


def day(uid: int, east: float, there: float) -> tuple[tuple, ...]:
    """Home at ``east`` metres until noon, then ``there`` metres farther."""
    return ((uid, 0, 0, 720, 2 * uid, -1, east, 0), (uid, 0, 720, 1440, 2 * uid + 1, -1, there, 0))


def known(*days: tuple[tuple, ...], plane: Plane = PLANE):
    return known_days(table(*(stay for one in days for stay in one)), plane)


def test_copies_and_distances() -> None:
    learnt = known(day(0, 0, 3000), day(1, 10_000, 12_000))
    # A copy of the first; one that is 4 km off the second for half of the day.
    sampled = real_stays(known(day(0, 0, 3000), day(1, 10_000, 16_000)))
    others = real_stays(known(day(0, 1000, 4000), day(1, 11_000, 13_000)))
    found = nearness(sampled, others, learnt)
    half = 4 * np.sqrt(0.5)
    assert found["copies"] == 0.5
    assert found["copies_real"] == 0
    assert found["nearest_median"] == pytest.approx(half / 2, rel=1e-4)
    assert found["nearest_p5"] == pytest.approx(0.05 * half, rel=1e-4)
    assert found["nearest_median_real"] == pytest.approx(1, rel=1e-4)
    says(in_words(found), "1.41 km", "50.0% copies")
