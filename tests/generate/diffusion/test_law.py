"""Places by the law of a model: near its points, returned to, the same over a person's days."""

from __future__ import annotations

import json

import numpy as np
import polars as pl

from humobctl.generate.diffusion.data import HOME_CLASS, OTHER_CLASS, WORK_CLASS, Known, Layout
from humobctl.generate.diffusion.decode import GeneratedDays
from humobctl.generate.diffusion.law import SPREAD, choose_places, fit_law
from humobctl.generate.gravity.distance_weights import BINS, DistanceWeights, weights_of
from humobctl.generate.gravity.places import city_of
from humobctl.tables.stays import UNKNOWN_INTENT
from tests.generate.gravity.cities import CENTRE, places

FLAT = (1.0,) * BINS
PLAN = ("go home", "eat", "go home")
HOME = (0.0, 0.0)


def weights(*, back: float = 0.0, rho: float = 1.0) -> DistanceWeights:
    """A law to which all distances are alike."""
    return DistanceWeights(FLAT, FLAT, FLAT, back=back, rho=rho, gamma=0.0)


def choose(points, aims, *, law: DistanceWeights, days: int = 1, plan=PLAN):
    """Rows of places of people whose stays are aimed at `aims`, (people * days, stays, 2)."""
    aims = np.asarray(aims, float)
    count = len(aims)
    kinds = {"go home": HOME_CLASS, "go to work": WORK_CLASS}
    place_class = np.array([kinds.get(intent, OTHER_CLASS) for intent in plan] * count, np.int8)
    number = np.tile(np.arange(len(plan)), count)
    day = np.repeat(np.arange(count), len(plan))
    table = pl.DataFrame(
        {
            **{"uid": (day // days).astype(np.uint32), "d": (day % days).astype(np.int16)},
            **{"seq": number.astype(np.int16), "intent": plan * count},
            **{"start_min": (100 * number).astype(np.int16)},
            **{"end_min": (100 * number + 90).astype(np.int16)},
        }
    )
    layout = Layout(np.arange(count + 1) * len(plan), 100 * number, 100 * number + 90)
    drawn = GeneratedDays(layout, place_class, aims.reshape(-1, 2), np.zeros((count, 2)))
    nearest = np.where(place_class == HOME_CLASS, -1, 0)
    rows = choose_places(
        city_of(places(points, None), "places", CENTRE), law, table, drawn, nearest, seed=3
    )
    return rows.reshape(count, len(plan))


def test_a_new_place_weighs_what_the_law_and_the_point_say() -> None:
    """One place at the point, and one where the Gaussian is a third: 3 of 4 go to the first."""
    far = SPREAD * np.sqrt(2 * np.log(3))
    aims = np.tile([HOME, (5000.0, 0.0), HOME], (4000, 1, 1))
    rows = choose([(5000.0, 0.0), (5000.0, far)], aims, law=weights())
    assert (rows[:, [0, 2]] == -1).all()
    assert abs((rows[:, 1] == 0).mean() - 0.75) < 0.02


def test_far_from_all_places_the_law_alone_chooses() -> None:
    aims = np.tile([HOME, (-80_000.0, 0.0), HOME], (400, 1, 1))
    rows = choose([(5000.0, 0.0), (0.0, 5000.0)], aims, law=weights())
    assert abs((rows[:, 1] == 0).mean() - 0.5) < 0.1


def test_stays_of_a_day_return_to_its_places() -> None:
    plan = ("go home", "eat", "go home", "eat", "go home")
    here, there = (5000.0, 0.0), (0.0, 5000.0)
    aims = np.tile([HOME, here, HOME, there, HOME], (50, 1, 1))
    returning = choose([here, there], aims, law=weights(back=1.0), plan=plan)
    assert (returning[:, 1] == returning[:, 3]).all()
    exploring = choose([here, there], aims, law=weights(), plan=plan)
    assert (exploring[:, 1] != exploring[:, 3]).all()


def test_days_of_a_person_have_the_same_places() -> None:
    """Who never explores after the first day goes where they were then, wherever points lie."""
    points = np.random.default_rng(1).uniform(-9000, 9000, (60, 2))
    plan = ("go home", "go to work", "eat", "go home")
    aims = np.zeros((10 * 7, 4, 2))
    aims[:, 1] = points[0]
    aims[:, 2] = np.random.default_rng(2).uniform(-9000, 9000, (70, 2))
    rows = choose(points, aims, law=weights(rho=0.0), days=7, plan=plan).reshape(10, 7, 4)
    assert (rows[:, :, 2] == rows[:, :1, 2]).all()
    assert len(np.unique(rows[:, 0, 2])) > 5
    assert (rows[:, :, 1] == 0).all()
    assert (rows[:, :, 2] != 0).all(), "a work is not a place to eat"


def test_the_law_of_training_days() -> None:
    """Each of 30 people has lunch 1 km from home twice, in between at home: all return."""
    people, plan = 30, (HOME_CLASS, OTHER_CLASS, HOME_CLASS, OTHER_CLASS, HOME_CLASS)
    number = np.tile(np.arange(len(plan)), people)
    random = np.random.default_rng(0)
    home = random.uniform(-9000, 9000, (people, 2))
    relative = np.zeros((people, len(plan), 2))
    relative[:, [1, 3], 0] = 1000.0
    known = Known(
        Layout(np.arange(people + 1) * len(plan), 100 * number, 100 * number + 90),
        np.arange(people),
        np.array(plan * people, np.int8),
        np.full(len(number), UNKNOWN_INTENT, np.int8),
        np.full(len(number), -1, np.int8),
        relative.reshape(-1, 2),
        home,
    )
    law = fit_law(known, CENTRE)
    assert law is not None
    assert (law.back, law.away) == (1.0, 0.0)
    assert weights_of(json.loads(json.dumps(law.record())), "config.json") == law
    assert fit_law(known.take(np.arange(people) < 3), CENTRE) is None
