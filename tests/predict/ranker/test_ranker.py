"""The ranker: features and network worked out by hand, edge cases, repeatable training."""

from __future__ import annotations

import dataclasses
import itertools
from collections import defaultdict

import numpy as np
import polars as pl
import pytest

from humobctl.errors import HumobError
from humobctl.io import by_user as users_module
from humobctl.predict.base import PredictOptions, UserHistory, find_gaps, number_days
from humobctl.predict.baselines.history import History
from humobctl.predict.city_profile import CityCounter, CityProfile
from humobctl.predict.ranker import train
from humobctl.predict.ranker.config import KERNELS, RankerConfig
from humobctl.predict.ranker.context import smooth_days
from humobctl.predict.ranker.data import (
    RankerCity,
    RankerSource,
    RankerTrainingSet,
    RankerUser,
    soft_labels,
    training_set,
    windows,
)
from humobctl.predict.ranker.features import NAMES, encode
from humobctl.predict.ranker.gradients import first_weights, gradients
from humobctl.predict.ranker.model import Ranker, RankerNetwork, from_checkpoint, to_checkpoint
from humobctl.predict.ranker.train import RankerRecipe, RankerTraining
from humobctl.training.model_dir import load, save
from tests.messages import raises, says
from tests.predict.helpers import frame

SMALL = RankerConfig(hidden=8, epochs=1, windows=(15,), least_history=10)
TARGETS = [(60, 3), (60, 30), (61, 0), (74, 47)]
HOME, WORK = (10, 10), (13, 14)


def commuter(days=60, home=HOME, work=WORK, seed=0):
    rng = np.random.default_rng(seed)
    rows = []
    for d in range(days):
        for t in range(2, 47, 3):
            away = d % 7 not in (0, 6) and 18 <= t < 40 and rng.random() < 0.9
            rows.append((d, t, *(work if away else home)))
    return np.array(rows, dtype=np.int64)


def task(rows, targets, uid=1):
    known = np.array(rows, dtype=np.int64).reshape(-1, 4)
    wanted = np.array(targets, dtype=np.int64).reshape(-1, 2)
    return UserHistory(uid, *known.T.copy(), *wanted.T.copy())


def records(rows, uid=1):
    return RankerUser(uid, *np.array(rows, dtype=np.int64).reshape(-1, 4).T.copy())


def always(city):
    """A city that shows the same before every window."""
    return defaultdict(lambda: city)


def city_of(*tables) -> CityProfile:
    counter = CityCounter(75)
    for uid, rows in enumerate(tables):
        d, t, x, y = np.array(rows, dtype=np.int64).reshape(-1, 4).T
        counter.add(
            pl.DataFrame(
                {"uid": np.full(len(d), uid), "d": d, "t": t, "x": x, "y": y},
                schema={
                    "uid": pl.UInt32,
                    "d": pl.Int16,
                    "t": pl.UInt8,
                    "x": pl.Int16,
                    "y": pl.Int16,
                },
            )
        )
    return counter.city()


def fit(data: RankerTrainingSet, config: RankerConfig) -> RankerNetwork:
    """A network that is trained to its last step."""
    training = RankerTraining(data, config)
    while training.step < training.plan.steps:
        training.advance()
    return training.network()


@pytest.fixture(scope="module")
def trained():
    people = [commuter(seed=s, home=(10 + s, 10)) for s in range(8)]
    city = city_of(*people)
    data = training_set([records(p, s) for s, p in enumerate(people)], 59, always(city), SMALL)
    return city, data, Ranker(city, fit(data, SMALL), SMALL)


def column(encoded, name):
    return encoded.x[:, :, NAMES.index(name)]


def test_days_and_gaps_by_hand():
    d, t = np.array([3, 3, 3, 5]), np.array([1, 4, 40, 7])
    days, number = number_days(d)
    assert (days.tolist(), number.tolist()) == ([3, 5], [0, 0, 0, 1])
    before, after = find_gaps(d, t)
    assert (before.tolist(), after.tolist()) == ([24, 3, 24, 24], [3, 24, 24, 24])


def test_features_by_hand():
    rows = [(0, 2, *HOME), (0, 20, *WORK), (1, 2, *HOME), (1, 20, *WORK), (1, 40, *HOME)]
    encoded = encode(task(rows, [(2, 20), (2, 26)]), city_of(rows), 5)
    assert encoded.cells.tolist() == [list(HOME), list(WORK)]
    assert encoded.kept.tolist() == [[1, 0], [1, 0]]  # at 10:00 and 13:00 at work
    of = lambda name: column(encoded, name)[0].tolist()  # noqa: E731
    assert of("distance_home") == [5.0, 0.0]  # 3 and 4 cells away
    assert of("distance_work") == [0.0, 5.0]
    assert of("distance_last") == [5.0, 0.0]
    assert of("visits") == pytest.approx([0.4, 0.6])
    assert of("visited_days") == [1.0, 1.0]
    assert of("last_visit") == [1.0, 1.0]
    assert of("first_visit") == [1.0, 1.0]
    assert of("rank") == [0.0, 1.0]
    assert of("gap_before") == [24.0, 24.0]
    assert of("gap_after") == [6.0, 6.0]
    assert of("rows_of_day") == [2.0, 2.0]
    assert column(encoded, "place_in_day")[:, 0].tolist() == [0.0, 0.5]
    assert of("kernel_1")[0] == pytest.approx(1.0, abs=1e-6)  # only work was ever seen at 10:00
    expected = 5.0 * np.array(of("kernel_0"))[::-1]  # the other cell's share x 5 cells
    assert of("expected_distance") == pytest.approx(expected)


def test_features_of_the_rows_beside_and_of_days_by_hand():
    once = (16, 10)
    rows = [(0, 2, *HOME), (0, 20, *WORK), (0, 44, *once), (1, 2, *HOME), (1, 20, *WORK)]
    encoded = encode(task(rows, [(2, 20), (2, 26)]), city_of(rows), 5)
    kept, main = encoded.kept.astype(int), encoded.main
    home, work = 0, 1
    assert encoded.cells[[home, work]].tolist() == [list(HOME), list(WORK)]
    visits = np.array([0.4, 0.4, 0.2])
    # After home twice work; after work once the third cell; two more records as all are.
    after = (np.array([[0, 2, 0], [0, 0, 1], [0, 0, 0]]) + 2 * visits) / [[4], [3], [2]]
    step, rows_of = after / visits, np.arange(2)[:, None]
    before, later = main[0] @ step, step @ main[1]
    beside = main * [np.ones(3), before] * np.array([later, np.ones(3)])
    beside /= beside.sum(axis=1, keepdims=True)
    close = lambda values: pytest.approx(np.array(values)[rows_of, kept], rel=1e-4)  # noqa: E731
    assert column(encoded, "share_by_row_before") == close([visits, visits * before])
    assert column(encoded, "share_by_row_after") == close([visits * later, visits])
    assert column(encoded, "share_by_rows_beside") == close(beside)
    # Neither day is of the weekday of day 2; the third cell was visited on one of two.
    assert column(encoded, "share_of_weekday_days") == close([[1.0, 1.0, 0.5]] * 2)
    holds = 1 - (1 - main[0]) * (1 - main[1])
    assert column(encoded, "share_of_day_to_hold") == close([holds] * 2)


def test_shares_along_a_day_are_those_of_all_its_paths():
    random = np.random.default_rng(0)
    shares, step = random.random((5, 3)), random.random((3, 3)) + 0.1
    expected = np.zeros((5, 3))
    for rows in (range(1), range(1, 5)):  # a day of one record, and one of four
        for path in itertools.product(range(3), repeat=len(rows)):
            weight = shares[list(rows), list(path)].prod() * step[path[:-1], path[1:]].prod()
            expected[list(rows), list(path)] += weight
    expected /= expected.sum(axis=1, keepdims=True)
    assert smooth_days(shares, step, np.array([0, 1, 5])) == pytest.approx(expected)


def test_first_kernel_is_the_history_model():
    rows = commuter()
    one, city = task(rows, TARGETS), city_of(rows)
    history = History(city, PredictOptions()).distribution(one)
    np.testing.assert_allclose(encode(one, city, 9).main, history.p, atol=1e-5)
    assert len(KERNELS) % 4 == 0


CASES = {
    "no rows": [],
    "one row": [(5, 20, 7, 9)],
    "one cell": [(d, t, 7, 9) for d in range(10) for t in (3, 20)],
    "corners": [(0, 0, 1, 1), (59, 47, 200, 200)],
    "far past": [(0, 0, 1, 1), (0, 1, 1, 2)],
    "commuter": commuter().tolist(),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("targets", [TARGETS, [(60, 11)], []])
def test_every_case_gets_a_distribution(case, targets, trained):
    _, _, ranker = trained
    dist = ranker.distribution(task(CASES[case], targets))
    assert dist.p.shape == (len(targets), len(dist.cells))
    np.testing.assert_allclose(dist.p.sum(axis=1), 1.0)
    assert (dist.p >= 0).all()
    if case not in ("no rows",):
        assert {tuple(c) for c in dist.cells.tolist()} == {tuple(r[2:]) for r in CASES[case]}


@pytest.mark.parametrize("case", [c for c in CASES if c != "no rows"])
def test_features_are_finite(case, trained):
    assert np.isfinite(encode(task(CASES[case], TARGETS), trained[0], 24).x).all()


def test_shifting_the_city_changes_nothing(trained):
    _, _, ranker = trained
    rows = commuter()
    moved = rows + np.array([0, 0, 50, 20])
    here, there = (ranker.distribution(task(r, TARGETS)) for r in (rows, moved))
    np.testing.assert_array_equal(here.p, there.p)


def test_commuter_is_at_work_and_at_home(trained):
    dist = trained[2].distribution(task(commuter(), [(61, 5), (61, 26)]))
    assert dist.cells[dist.p.argmax(axis=1)].tolist() == [list(HOME), list(WORK)]


def test_network_by_hand():
    f = len(NAMES)
    ones = lambda *shape: np.ones(shape, dtype=np.float32)  # noqa: E731
    w0 = np.zeros((1, f, 1), dtype=np.float32)
    w0[0, NAMES.index("slot")] = 2.0
    network = RankerNetwork(
        np.zeros(f, np.float32),
        10 * ones(f),
        w0,
        ones(1, 1),
        3 * ones(1, 1, 1),
        -ones(1, 1),
        ones(1, 1),
        0.5 * ones(1),
    )
    x = np.zeros((3, f), dtype=np.float32)
    x[:, NAMES.index("slot")] = [5, -20, 47]  # 0.5, -2, 4.7 clipped to 4
    # slot 5: relu(2 * .5 + 1) = 2, relu(3 * 2 - 1) = 5, + .5
    assert network(x).tolist() == [5.5, 0.5, 26.5]


def test_gradients_are_those_of_the_loss(trained):
    city, _, _ = trained
    people = [commuter(seed=s) for s in range(2)]
    data = training_set([records(p, s) for s, p in enumerate(people)], 59, always(city), SMALL)
    rng = np.random.default_rng(1)
    weights = first_weights(len(NAMES), 8, rng)
    weights[4] += rng.normal(0, 0.5, weights[4].shape).astype(np.float32)
    weights = [w.astype(np.float64) for w in weights]
    rows = np.arange(60)
    slopes, _ = gradients(data, rows, weights)
    for w, g in zip(weights, slopes, strict=True):
        at = np.unravel_index(np.abs(g).argmax(), g.shape)
        losses = []
        for step in (1e-5, -2e-5):
            w[at] += step
            losses.append(gradients(data, rows, weights)[1] / len(rows))
        w[at] += 1e-5
        assert (losses[0] - losses[1]) / 2e-5 == pytest.approx(g[at], rel=0.02, abs=1e-9)


def test_a_training_is_scored_on_users_that_a_smaller_one_did_not_see(monkeypatch, capsys):
    monkeypatch.setattr(train, "LEAST_SCORED", 1)
    people = [commuter(seed=s) for s in range(6)]
    users = [records(p, s) for s, p in enumerate(people)]
    city = RankerCity(users, 59, always(city_of(*people)))
    rows = training_set(users, 59, city.cities, SMALL)
    scores = train._compare(train.RankerData(rows, [city], []), SMALL)["compared"]
    assert set(scores) == {"ranker of 20,000 rows", "history"}
    assert {"mean", "low", "high"} <= set(scores["history"]["gained"]["geobleu_humob24"])
    says(capsys.readouterr().err, "2 users not trained on")


def test_training_repeats_itself():
    people = [commuter(seed=s) for s in range(3)]
    city = city_of(*people)
    users = [records(p, s) for s, p in enumerate(people)]
    first, second = (
        fit(training_set(users, 59, always(city), SMALL), SMALL).arrays() for _ in range(2)
    )
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_training_that_goes_on_is_the_same_to_the_last_bit(steps, tmp_path):
    """It goes on after an epoch of the first member, after its last one, and of the second."""
    people = [commuter(seed=s) for s in range(2)]
    config = dataclasses.replace(SMALL, epochs=2)
    users = [records(p, s) for s, p in enumerate(people)]

    def start() -> RankerTraining:
        return RankerTraining(training_set(users, 59, always(city_of(*people)), config), config)

    first, second = start(), start()
    for _ in range(steps * first.plan.evaluate_every):
        first.advance()
    first.save(tmp_path / "state", {"best_step": 0.0}, write=True)
    assert second.restore(tmp_path / "state") == {"best_step": 0.0}
    while first.step < first.plan.steps:
        first.advance()
        second.advance()
    assert second.step == first.step
    for name, array in first.network().arrays().items():
        np.testing.assert_array_equal(array, second.network().arrays()[name])


def test_training_lowers_the_loss(trained):
    people = [commuter(seed=s) for s in range(3)]
    city, losses = trained[0], []
    config = dataclasses.replace(SMALL, epochs=4)
    data = training_set([records(p, s) for s, p in enumerate(people)], 59, always(city), config)
    training = RankerTraining(data, config)
    while training.step < training.plan.steps:
        training.advance()
        if training.step % training.plan.evaluate_every == 0:
            losses.append((training.note(), training.collect_losses()["loss"]))
    found = [(note["member"], note["epoch"]) for note, _ in losses]
    assert found == [(m, e) for m in range(2) for e in range(4)]
    assert losses[3][1] < losses[0][1]


def test_only_as_many_rows_as_allowed():
    users = [records(commuter(seed=s), s) for s in range(4)]
    config = dataclasses.replace(SMALL, most_rows=1000)
    data = training_set(users, 59, always(city_of(commuter())), config)
    assert 800 < len(data.y) < 1200
    np.testing.assert_allclose(data.y.sum(axis=1), 1.0, rtol=1e-5)


def test_days_drawn_have_the_features_that_they_have_among_all():
    users, cities = [records(commuter(), 0)], always(city_of(commuter()))
    every = training_set(users, 59, cities, dataclasses.replace(SMALL, most_rows=10**6))
    some = training_set(users, 59, cities, dataclasses.replace(SMALL, most_rows=len(every.y) // 2))
    rows = [np.flatnonzero((every.z == z).all(axis=(1, 2))) for z in some.z]
    assert 0 < len(some.y) < len(every.y) and min(map(len, rows)) > 0
    assert set(some.weight) <= set(every.weight)


def test_other_features_are_refused(trained, tmp_path):
    city, _, ranker = trained
    save(to_checkpoint(ranker.network, SMALL), tmp_path / "m")
    config = tmp_path / "m" / "config.json"
    config.write_text(config.read_text().replace("expected_proximity", "other"))
    with raises(HumobError, "features"):
        from_checkpoint(load(tmp_path / "m"), city, "m")


def test_other_arrays_are_refused(trained):
    city, _, ranker = trained
    model = to_checkpoint(ranker.network, SMALL)
    del model.arrays["b2"]
    with raises(HumobError, "arrays"):
        from_checkpoint(model, city, "m")


def test_a_model_dir_keeps_the_model(trained, tmp_path):
    city, _, ranker = trained
    save(to_checkpoint(ranker.network, SMALL), tmp_path / "m")
    one = task(commuter(), TARGETS)
    again = from_checkpoint(load(tmp_path / "m", type="ranker"), city, "m")
    np.testing.assert_array_equal(again.distribution(one).p, ranker.distribution(one).p)


def test_windows_hold_their_days_and_only_the_past():
    user = records(commuter(days=60))
    config = dataclasses.replace(SMALL, windows=(15, 30, 45, 55))  # day 5: too little before it
    spans = [
        (w.d.max(), w.target_d.min(), w.target_d.max(), len(t) == len(w.target_d))
        for _, w, t in windows(user, 59, config)
    ]
    assert spans == [(44, 45, 59, True), (29, 30, 44, True), (14, 15, 29, True)]


def test_labels_of_seen_and_unseen_cells():
    rows = [(0, 2, 10, 10), (0, 20, 10, 12)]
    encoded = encode(task(rows, [(2, 2), (2, 2)]), city_of(rows), 5)
    labels = soft_labels(encoded, np.array([[10, 10], [10, 13]]), 1.0)
    assert labels[0].tolist() == [1.0, 0.0]
    near = 1 / (1 + np.exp(-2.0))  # 1 and 3 cells away
    assert labels[1] == pytest.approx([1 - near, near])


@pytest.mark.parametrize("people", [1, 2, 4])
def test_a_city_of_few_users_trains(people):
    tables = [commuter(seed=s) for s in range(people)]
    city = city_of(*tables)
    data = training_set([records(p, s) for s, p in enumerate(tables)], 59, always(city), SMALL)
    dist = Ranker(city, fit(data, SMALL), SMALL).distribution(task(tables[0], TARGETS))
    np.testing.assert_allclose(dist.p.sum(axis=1), 1.0)


def test_nobody_with_a_past_is_a_clear_error():
    rows = [(59, 3, 5, 5)]
    with raises(HumobError, "no user", "training window"):
        training_set([records(rows)], 59, always(city_of(rows)), SMALL)


def test_a_few_users_of_a_city_on_disk(tmp_path, monkeypatch):
    tables = [np.insert(commuter(seed=s), 0, s, axis=1) for s in range(6)]
    frame(np.concatenate(tables).tolist()).write_csv(tmp_path / "city.csv")
    recipe = RankerRecipe(SMALL, [str(tmp_path / "city.csv")], RankerSource(most_users=2))

    def arrays() -> tuple[dict, list]:
        with recipe.prepare() as data:
            return fit(data.rows, SMALL).arrays(), data.about

    whole, _ = arrays()
    monkeypatch.setattr(users_module, "IN_MEMORY_ROWS", 500)
    monkeypatch.setattr(users_module, "GROUP_ROWS", 500)
    parts, about = arrays()
    assert about[0]["users"] == 2
    for name, array in whole.items():
        np.testing.assert_array_equal(array, parts[name])
