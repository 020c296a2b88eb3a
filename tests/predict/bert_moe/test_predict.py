"""A network as a predictor: windows of a user's rows, candidates, and answers fed back."""

from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from humobctl.predict.base import PredictOptions
from humobctl.predict.baselines.history import History
from humobctl.predict.bert_moe.config import tiny
from humobctl.predict.bert_moe.model import DAYS_BACK, BertMoe, BertMoeConfig
from humobctl.predict.bert_moe.predict import OTHERS, BertMoePredictor, _batches, _rounds, _User
from humobctl.tables.cells import encode_cells
from tests.predict.helpers import city, user

SETTINGS = replace(tiny(), input_length=12, prediction_length=4, copy_heads=2)
PLACES = [(5, 5), (6, 5), (90, 17)]


def predictor(visited=range(0, 40_000, 7), **changes) -> BertMoePredictor:
    torch.manual_seed(0)
    config = BertMoeConfig(settings=asdict(replace(SETTINGS, **changes)), cities=["a", "b"])
    net = BertMoe(config)
    net.restrict(torch.tensor(list(visited)))
    return BertMoePredictor(net, city(days=75))


def person(days=6, targets=10, uid=1):
    known = [(d, 10 * i, *PLACES[(d + i) % 3]) for d in range(days) for i in range(3)]
    return user(known, [(days + j // 3, 12 * (j % 3)) for j in range(targets)], uid)


class Spy:
    """Keeps what the network was called with."""

    def __init__(self, model: BertMoePredictor) -> None:
        self.calls, self._forward = [], model.network.forward
        model.network.forward = self

    def __call__(self, **inputs):
        self.calls.append(inputs)
        return self._forward(**inputs)


@pytest.mark.parametrize("horizon", [0, 15])
def test_every_row_gets_a_distribution(horizon):
    dist = predictor(horizon=horizon).distribution(person())
    assert dist.p.shape == (10, len(dist.cells))
    np.testing.assert_allclose(dist.p.sum(axis=1), 1.0)
    assert (dist.p >= 0).all()
    cells = {tuple(cell) for cell in dist.cells.tolist()}
    assert set(PLACES) <= cells
    assert len(cells) == len(dist.cells) == 3 + OTHERS


@pytest.mark.parametrize("horizon", [0, 15])
def test_users_together_get_what_each_gets_alone(horizon):
    model = predictor(horizon=horizon)
    people = [person(), person(days=2, targets=3, uid=2), person(days=9, targets=1, uid=3)]
    for one, dist in zip(people, model.distributions(people), strict=True):
        alone = model.distribution(one)
        assert alone.cells.tolist() == dist.cells.tolist()
        np.testing.assert_allclose(alone.p, dist.p, atol=1e-5)


@pytest.mark.parametrize("beside", [1, 2, 8])
@pytest.mark.parametrize("count", [1, 7, 100, 900, 2500])
def test_batches_are_alike_and_fill_the_cores(beside, count):
    people = [_User(person(days=2 + i % 9, targets=1 + i % 9)) for i in range(9)]
    windows = [
        window for part in _rounds(people, predictor(horizon=15).settings) for window in part
    ]
    windows = [windows[i % len(windows)] for i in range(count)]
    batches = _batches(windows, beside)
    found = [window for batch in batches for window in batch]
    assert sorted(map(id, found)) == sorted(map(id, windows))
    sizes = [
        len(batch) * (max(len(w.past) for w in batch) + max(w.end - w.begin for w in batch))
        for batch in batches
    ]
    assert max(sizes) <= 4096
    if count < 100:
        assert len(batches) == 1
    if count >= 900:
        assert len(batches) % beside == 0
        assert min(sizes) > 0.7 * max(sizes)


def test_with_a_horizon_all_windows_look_at_the_known_rows():
    model = predictor(horizon=15)
    spy = Spy(model)
    model.distribution(person())
    (call,) = spy.calls
    assert call["location"].shape == (3, 12)
    assert (call["location"] == call["location"][0]).all()
    # Days count from the first one to predict, in all windows.
    ahead = (call["day"][:, 12:] - DAYS_BACK)[call["mask"][:, 12:]]
    assert sorted(ahead.tolist()) == [0] * 3 + [1] * 3 + [2] * 3 + [3]


def test_without_a_horizon_a_window_looks_at_the_answers_of_the_one_before():
    model = predictor(horizon=0)
    spy = Spy(model)
    dist = model.distribution(person())
    assert [call["location"].shape for call in spy.calls] == [(1, 12)] * 3
    best = encode_cells(*dist.cells[dist.p.argmax(axis=1)].T)
    assert spy.calls[1]["location"][0, -4:].tolist() == best[:4].tolist()
    assert spy.calls[2]["location"][0, -8:].tolist() == best[:8].tolist()


def test_own_cells_that_training_never_visited_are_candidates():
    # The network knows cells 0 to 99 only, none of them the user's.
    model = predictor(visited=range(100), copy_heads=0)
    dist = model.distribution(person())
    own = [tuple(cell) in PLACES for cell in dist.cells.tolist()]
    assert sum(own) == 3
    assert (dist.p[:, own] > 0).all()


def test_known_rows_between_masked_ones_are_seen():
    known = [(d, 10, 5, 5) for d in range(4)] + [(5, 10, 90, 17)]
    model = predictor(horizon=15)
    spy = Spy(model)
    model.distribution(user(known, [(4, 10), (6, 10)]))
    (call,) = spy.calls
    there = call["mask"][0]
    past = call["location"].shape[1]
    assert call["location"][0][there[:past]].tolist() == [804] * 4 + [89 * 200 + 16]
    assert (call["day"][0] - DAYS_BACK)[there].tolist() == [-4, -3, -2, -1, 1, 0, 2]


def test_rows_before_all_known_ones():
    model = predictor(horizon=15)
    dist = model.distribution(user([(9, 10, 5, 5), (10, 10, 6, 5)], [(1, 10), (2, 10)]))
    np.testing.assert_allclose(dist.p.sum(axis=1), 1.0)


def test_a_user_without_a_known_row_is_where_most_people_are():
    model = predictor()
    nobody = user([], [(60, 20)])
    first, second = model.distributions([nobody, person()])
    assert first.cells.tolist() == [[50, 60]]
    assert len(second.cells) == 3 + OTHERS


def test_the_declared_city_reaches_the_network():
    model = predictor()
    model.city_number = 2
    with torch.no_grad():
        model.network.city.weight[2] = 3.0
    spy = Spy(model)
    model.distribution(person())
    assert set(spy.calls[0]["city"].tolist()) == {2}


def test_an_untrained_head_copies_as_the_history_model_does():
    # Gaps of eight slots within a day and a night of 32, which count as any long gap.
    known = [(d, 8 * i, *PLACES[(d * d + i) % 3]) for d in range(20) for i in range(3)]
    someone = user(known, [(d, 8 * i) for d in (20, 21, 24) for i in range(3)])
    model = predictor(copy_heads=1, input_length=90, max_seq_length=150, prediction_length=20)
    heads = model.network.copy
    with torch.no_grad():
        for layer in (heads.query, heads.key, heads.gate):
            torch.nn.init.zeros_(layer.weight)
            torch.nn.init.zeros_(layer.bias)
        heads.gate.bias[0] = -50  # nothing is left for the generator
    found = model.distribution(someone)
    wanted = History(model.city, PredictOptions()).distribution(someone)
    assert found.cells[:3].tolist() == wanted.cells.tolist()
    np.testing.assert_allclose(found.p[:, :3], wanted.p, atol=1e-4)
