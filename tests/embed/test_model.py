"""The network and its batches, by what must hold of them."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
import torch

from humobctl.embed.config import EmbedderSettings as Settings
from humobctl.embed.config import tiny
from humobctl.embed.data import (
    CityBatchSampler,
    EmbedderColumns,
    GridAugmentation,
    _halves,
    by_length,
    draw_spans,
    padded_length,
)
from humobctl.embed.model import Encoder, contrast
from humobctl.embed.train import EmbedderData, EmbedderRecipe, seen_users
from humobctl.errors import UsageError
from humobctl.training.distributed import Group
from humobctl.training.session import run_training
from humobctl.training.torch_loop import TorchTraining
from tests.messages import raises


@pytest.fixture(scope="module")
def rows():
    """Users 1 (one day), 5 (six days) and 9 (three days) of a city."""
    frame = pl.DataFrame(
        [
            (uid, d, t, 10 * uid + t, 20 + d)
            for uid, days in ((1, 1), (5, 6), (9, 3))
            for d in range(days)
            for t in (0, 20, 40)
        ],
        schema=["uid", "d", "t", "x", "y"],
        orient="row",
    )
    with EmbedderColumns() as found:
        found.add(frame, 1)
        found.close_columns()
        yield found


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    torch.manual_seed(1)
    return Encoder(tiny(), 1).eval()


def test_columns_hold_the_middles_of_cells(rows) -> None:
    assert rows.starts.tolist() == [0, 3, 21, 30]
    assert rows.uid.tolist() == [1, 5, 9]
    spans = rows.spans([np.arange(4, 6)], np.array([1]))
    # User 5, day 0, slots 20 and 40: cells (70, 20) and (90, 20), their middles half a cell less.
    assert spans.place[0, :2].tolist() == [[69.5, 19.5], [89.5, 19.5]]
    assert spans.mask.sum() == 2
    assert spans.dow[0, 0] == 0


def test_a_vector_has_length_1_and_does_not_depend_on_its_batch(rows, encoder) -> None:
    parts = [np.arange(a, b) for a, b in ((0, 3), (3, 21), (21, 30))]
    city = np.array([1, 1, 0])
    with torch.no_grad():
        together = encoder(rows.spans(parts, city))
        alone = [encoder(rows.spans([p], city[i : i + 1]))[0] for i, p in enumerate(parts)]
    assert together.shape == (3, 512)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(3))
    torch.testing.assert_close(together, torch.stack(alone), atol=1e-5, rtol=1e-4)


def test_order_place_and_time_matter(rows, encoder) -> None:
    part = np.arange(3, 9)
    base = rows.spans([part, part[::-1].copy(), part + 9], np.array([1, 1, 1]))
    with torch.no_grad():
        found = encoder(base)
        other_city = encoder(rows.spans([part], np.array([0])))[0]
    for other in (found[1], found[2], other_city):
        assert (found[0] - other).abs().max() > 1e-4


def test_halves_share_no_day_and_lose_no_row(rows) -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        for user in (1, 2):
            first, second = _halves(rows, user, random)
            assert len(first)
            assert len(second)
            assert not set(rows.d[first]) & set(rows.d[second])
            both = np.sort(np.concatenate([first, second]))
            assert both.tolist() == list(range(rows.starts[user], rows.starts[user + 1]))
    one, other = _halves(rows, 0, random)
    assert one.tolist() == other.tolist() == [0, 1, 2]


def test_a_draw_follows_from_its_seed_and_asks_for_what_comes_next(rows) -> None:
    users = np.array([1, 2])
    settings = Settings(noise=0, moved=0, hide_city=0, span_rows=4, next_rows=3)
    first, again = (
        draw_spans(rows, users, settings, np.random.default_rng(4), plain=False) for _ in range(2)
    )
    assert torch.equal(first.spans.place, again.spans.place)
    assert first.spans.mask.shape[0] == 4
    for one in range(4):
        seen = first.spans.place[one][first.spans.mask[one]]
        ahead = first.following.place[one][first.following.mask[one]]
        if len(ahead):
            assert torch.equal(first.before[one, 0], seen[-1])
        inside = first.inside.place[one][first.inside.mask[one]]
        assert all((seen == row).all(dim=1).any() for row in inside)


def test_a_move_keeps_distances_within_the_grid() -> None:
    move = GridAugmentation(swap=True, flip=(True, False), shift=(10.0, 190.0))
    place = torch.tensor([[1.5, 2.5], [4.5, 6.5]])
    # (x, y) -> (y, x) -> (-y, x) -> + (10, 190), modulo 200
    assert move(place).tolist() == [[7.5, 191.5], [3.5, 194.5]]


def test_order_takes_everybody_once_a_round_in_batches_of_one_city() -> None:
    users, city = np.arange(10), np.array([1] * 7 + [2] * 3)
    order = CityBatchSampler(users, city, 3, seed=0)
    batches = [order.batch(step) for step in range(4)]
    assert all(len(set(city[batch])) == 1 for batch in batches)
    assert all(len(batch) == len(set(batch)) == 3 for batch in batches)
    assert set(np.concatenate(batches)) == set(range(10))
    again = CityBatchSampler(users, city, 3, seed=0)
    assert again.batch(5).tolist() == order.batch(5).tolist()


def test_batches_by_length_hold_everybody_within_the_rows() -> None:
    lengths = np.random.default_rng(0).integers(1, 50, 300)
    batches = list(by_length(lengths, 100))
    assert sorted(np.concatenate(batches).tolist()) == list(range(300))
    assert all(len(set(lengths[batch])) == 1 for batch in batches)
    assert all(len(batch) * lengths[batch].max() <= 100 or len(batch) <= 4 for batch in batches)


def test_spans_are_padded_by_their_own_length() -> None:
    lengths = np.arange(1, 5000)
    padded = padded_length(lengths)
    assert (padded > lengths).all()
    assert (np.diff(padded) >= 0).all()
    long = lengths >= 64
    assert (padded[long] <= 1.125 * lengths[long] + 8).all()
    assert len(np.unique(padded)) < 70


def test_contrast_by_hand() -> None:
    # Two users with right angles between them: -log(e / (e + 1)) at temperature 1.
    vectors = torch.eye(2).expand(2, 2, 2)
    assert float(contrast(vectors, 1.0)) == pytest.approx(np.log(1 + np.exp(-1)))


def test_seen_users() -> None:
    everyone = np.arange(100, dtype=np.uint32)
    assert seen_users(everyone, Settings(train_below=40)).tolist() == list(range(40))
    some = seen_users(everyone, Settings(train_fraction=0.25, seed=3))
    assert len(set(some.tolist())) == 25
    assert set(some) == set(seen_users(everyone[::-1], Settings(train_fraction=0.25, seed=3)))
    assert set(some) != set(seen_users(everyone, Settings(train_fraction=0.25, seed=4)))


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"width": 30}, ("--width", 30, "--heads", 4)),
        ({"temperature": 0}, ("--temperature", 0)),
        ({"objective": "x"}, ("--objective", "'x'", "contrast", "reconstruct", "both")),
    ],
)
def test_settings_that_cannot_be(changes, names) -> None:
    with raises(UsageError, *names):
        Settings(**changes)


def start_training(rows, **changes) -> TorchTraining:
    """A training of the rows' three users, of whom the last one validates, too."""
    torch.manual_seed(0)
    recipe = EmbedderRecipe(Settings(**{**vars(tiny()), **changes}), paths=[])
    data = EmbedderData(rows, np.array([0, 1]), np.array([1, 2]), ["city"], [])
    return recipe.start(data, "cpu", Group())


def test_a_training_that_goes_on_is_the_same_to_the_last_bit(rows, tmp_path) -> None:
    changes = {"steps": 6, "batch_size": 2, "evaluate_every": 2}
    whole, first = start_training(rows, **changes), start_training(rows, **changes)
    for _ in range(4):
        whole.advance()
    for _ in range(2):
        first.advance()
    assert math.isfinite(first.validate()["validation_loss"])
    first.keep_best()
    first.save(tmp_path / "state", {"best_step": 2.0}, write=True)
    second = start_training(rows, **changes)
    assert second.restore(tmp_path / "state") == {"best_step": 2.0}
    assert second.step == 2
    for _ in range(2):
        second.advance()
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, second.network.state_dict()[name]), name
    second.restore_best()
    for name, value in first.network.state_dict().items():
        assert torch.equal(value, second.network.state_dict()[name]), name


def test_early_stopping_counts_validations(rows, tmp_path, monkeypatch) -> None:
    training = start_training(rows, steps=100, batch_size=2, evaluate_every=2, patience=3)
    scores = iter([5.0, 1.0, 2.0, 1.0, 3.0])
    monkeypatch.setattr(training, "validate", lambda: {"validation_loss": next(scores)})
    log = run_training(training, lambda record: "", tmp_path, Group())
    # The second of the five is the best, and the three after it are no better.
    assert [one["step"] for one in log.records] == [2, 4, 6, 8, 10]
    assert (log.best_step, log.best_score) == (4, 1.0)
