"""Tests of the day-level decoder."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from humobctl.predict.base import SlotDistributions, highest
from humobctl.predict.decode_days import run as days_model
from humobctl.predict.decode_days.chain import draw_chains, log_lifts, spread
from humobctl.predict.decode_days.config import DEFAULTS
from humobctl.predict.decode_days.run import decode_days, decode_user
from humobctl.predict.decode_days.sample_days import (
    DaySamples,
    agreeing,
    draw,
    heaviest,
    lay_over,
    past_days,
)
from tests.predict.helpers import city, user

EXACT = replace(DEFAULTS, tolerance=0.0, hope=np.inf)


def tables(cells, beta=0.5):
    apart = np.hypot(*(cells[:, None] - cells[None, :]).astype(float).transpose(2, 0, 1))
    return np.exp(-beta * apart), apart / 2


def greedy(a, b, near, order):
    """Sum of matched proximities, by sorting all pairs."""
    pairs = []
    for i in range(len(a) - order + 1):
        for j in range(len(b) - order + 1):
            product = near[a[i], b[j]]
            for e in range(1, order):
                product *= near[a[i + e], b[j + e]]
            pairs.append((-product, i, j))
    left, right, total = set(), set(), 0.0
    for product, i, j in sorted(pairs):
        if i not in left and j not in right:
            left.add(i)
            right.add(j)
            total -= product
    return total


def has_ties(a, b, near, longest):
    """Whether two pairs of different n-grams are equally near, but not equal."""
    for order in range(2, min(longest, len(a)) + 1):
        grams = [{tuple(day[i : i + order]) for i in range(len(day) - order + 1)} for day in (a, b)]
        near_by = [
            np.prod([near[p, q] for p, q in zip(*pair, strict=True)])
            for pair in itertools.product(*grams)
        ]
        values = np.sort([value for value in near_by if value < 1.0 - 1e-12])
        if (np.diff(values) < 1e-12).any():
            return True
    return False


def slow_geobleu(a, b, near, longest):
    orders = min(longest, len(a))
    parts = [greedy(a, b, near, o) / (len(a) - o + 1) for o in range(1, orders + 1)]
    return float(np.prod(parts)) ** (1 / orders)


def slow_dtw(a, b, apart, open_start):
    table = np.full((len(a) + 1, len(b) + 1), np.inf)
    table[0, 0] = 0.0
    if open_start:
        table[0] = 0.0
    for i, j in itertools.product(range(1, len(a) + 1), range(1, len(b) + 1)):
        table[i, j] = apart[a[i - 1], b[j - 1]] + min(
            table[i - 1, j], table[i, j - 1], table[i - 1, j - 1]
        )
    return table[-1, -1]


def slow_value(chosen, own, samples, weight, near, apart, config):
    value = own[np.arange(len(chosen)), chosen].sum()
    lost = 1.0 - config.weight
    for cell, share in zip(samples, weight, strict=True):
        value += share * config.weight * slow_geobleu(chosen, cell, near, config.longest)
        value -= share * lost * slow_dtw(chosen, cell, apart, True) / config.open_km
        value -= share * lost * slow_dtw(chosen, cell, apart, False) / config.closed_km
    return value


def problem(seed, n=5, k=4, total=3, days=1):
    random = np.random.default_rng(seed)
    cells = random.integers(1, 9, (k, 2))
    samples = random.integers(0, k, (total, n * days))
    weight = random.dirichlet(np.ones(total), days)
    own = 0.1 * random.random((n * days, k))
    begin = random.integers(0, k, n * days)
    options = np.tile(np.arange(k), (n * days, 1))
    starts = np.arange(days + 1) * n
    return cells, DaySamples(samples, weight), own, begin, options, starts


def ascend(parts, config):
    cells, samples, own, begin, options, starts = parts
    return days_model.ascend(starts, tables(cells), own, options, samples, begin, config)


# --- the kernel -------------------------------------------------------------------------------


def test_value_worked_by_hand():
    # Cells 0 and 1 lie 2 cells (1 km) apart. Day 0 0 1 against sample 0 1 1:
    # one-grams 2 exact and one of exp(-1): q1 = 2.3679; two-grams 00 01 | 01 11: 01 exact, and
    # 00 with 11 exp(-2): q2 = 1.1353. DTW: 0 0 1 follows 0 1 1 at no cost.
    parts = (
        np.array([[1, 1], [1, 3]]),
        DaySamples(np.array([[0, 1, 1]]), np.ones((1, 1))),
        np.zeros((3, 2)),
        np.array([0, 0, 1]),
        np.full((3, 1), -1),
        np.array([0, 3]),
    )
    bleu = np.sqrt((2 + np.exp(-1)) / 3 * (1 + np.exp(-2)) / 2)
    config = replace(EXACT, longest=2, weight=1.0, sweeps=0)
    assert ascend(parts, config)[1][0] == pytest.approx(bleu, rel=1e-12)
    assert ascend(parts, replace(config, weight=0.0))[1][0] == 0.0
    constant = (*parts[:3], np.array([1, 1, 1]), *parts[4:])
    # All in cell 1: the free prefix skips the sample's 0; closed DTW pays 1 km for it.
    value = ascend(constant, replace(config, weight=0.0, open_km=40.0, closed_km=80.0))[1][0]
    assert value == pytest.approx(-1 / 80)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("weight", [0.0, 0.6, 1.0])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 7])
def test_value_is_the_slow_one(seed, weight, n):
    parts = problem(seed, n=n)
    config = replace(EXACT, weight=weight, sweeps=0, longest=1 + seed % 5)
    cells, samples, own, begin, options, starts = parts
    random = np.random.default_rng(seed)
    near, apart = tables(cells + random.uniform(-0.4, 0.4, cells.shape))
    near = near ** random.uniform(1.0, 1.1, near.shape)
    slow = slow_value(begin, own, samples.cell, samples.weight[0], near, apart, config)
    chosen, value = days_model.ascend(starts, (near, apart), own, options, samples, begin, config)
    assert (chosen == begin).all()
    # Pairs that are equally near are matched in any order: ab with cc, and ba with cc.
    ties = weight > 0 and any(has_ties(begin, cell, near, config.longest) for cell in samples.cell)
    assert value[0] == pytest.approx(slow, rel=1e-12, abs=0.02 if ties else 1e-12)


@pytest.mark.parametrize("seed", range(60))
def test_ascent_never_lowers_and_ends_where_no_row_improves(seed):
    parts = problem(seed, n=1 + seed % 6)
    config = replace(EXACT, weight=(seed % 4) / 3, sweeps=50, longest=1 + seed % 5)
    cells, samples, own, begin, _, _ = parts
    near, apart = tables(cells)

    def slow(day):
        return slow_value(day, own, samples.cell, samples.weight[0], near, apart, config)

    chosen, value = ascend(parts, config)
    assert value[0] == pytest.approx(slow(chosen), rel=1e-12, abs=1e-12)
    assert value[0] >= slow(begin) - 1e-12
    for row, cell in itertools.product(range(len(begin)), range(len(cells))):
        moved = chosen.copy()
        moved[row] = cell
        assert slow(moved) <= value[0] + 1e-9


@pytest.mark.parametrize("seed", range(15))
def test_ascent_is_close_to_the_best_of_all_days(seed):
    parts = problem(seed, n=4, k=3)
    config = replace(EXACT, sweeps=50)
    cells, samples, own, _, options, starts = parts
    every = np.array(list(itertools.product(range(3), repeat=4)))
    fixed = replace(config, sweeps=0)
    values = [ascend((cells, samples, own, d, options, starts), fixed)[1][0] for d in every]
    value = ascend(parts, config)[1][0]
    assert min(values) - 1e-12 <= value <= max(values) + 1e-12
    # From the best day there is nowhere to go.
    best = every[int(np.argmax(values))]
    assert (ascend((cells, samples, own, best, options, starts), config)[0] == best).all()


@given(st.integers(0, 10**6), st.floats(0, 1), st.floats(0, 1), st.integers(1, 12))
@settings(max_examples=60, deadline=None)
def test_giving_up_early_never_lowers_the_value(seed, weight, hope, n):
    parts = problem(seed, n=n, k=5, total=6, days=2)
    config = replace(EXACT, weight=weight, hope=hope)
    before = ascend(parts, replace(config, sweeps=0))[1]
    assert (ascend(parts, config)[1] >= before - 1e-12).all()


def test_equal_samples_count_by_their_weight():
    cells, samples, own, begin, options, starts = problem(3, n=6)
    twice = DaySamples(
        np.concatenate([samples.cell, samples.cell]),
        np.concatenate([0.25 * samples.weight, 0.75 * samples.weight], axis=1),
    )
    one = ascend((cells, samples, own, begin, options, starts), EXACT)
    two = ascend((cells, twice, own, begin, options, starts), EXACT)
    assert (one[0] == two[0]).all()
    assert one[1] == pytest.approx(two[1])


def test_days_are_independent():
    cells, samples, own, begin, options, starts = problem(5, n=6, days=3)
    whole, value = ascend((cells, samples, own, begin, options, starts), EXACT)
    for d in range(3):
        here = slice(6 * d, 6 * d + 6)
        part = DaySamples(samples.cell[:, here], samples.weight[d : d + 1])
        alone = (cells, part, own[here], begin[here], options[here], np.array([0, 6]))
        chosen, one = ascend(alone, EXACT)
        assert (chosen == whole[here]).all()
        assert one[0] == value[d]


def test_no_samples_leaves_the_rows_own_best():
    cells, _, own, begin, options, starts = problem(7)
    none = DaySamples(np.zeros((0, len(begin)), dtype=int), np.zeros((1, 0)))
    chosen, _ = ascend((cells, none, own, begin, options, starts), EXACT)
    assert (chosen == own.argmax(axis=1)).all()


# --- samples ----------------------------------------------------------------------------------


def test_lay_over_takes_the_nearest_row_of_each_day():
    d, t = np.array([3, 3, 9]), np.array([10, 20, 5])
    found = lay_over(d, t, np.array([4, 7, 1]), np.array([0, 15, 16, 47]))
    assert found.tolist() == [[4, 4, 7, 7], [1, 1, 1, 1]]


def test_heaviest_keeps_the_best_days():
    kept = heaviest(DaySamples(np.zeros((3, 2), int), np.array([[0.5, 0.2, 0.3]])), 2)
    assert kept.weight[0] == pytest.approx([0.625, 0.0, 0.375])


def test_agreeing_prefers_the_day_that_p_expects():
    past = DaySamples(np.array([[0, 0], [1, 1]]), np.array([[0.5, 0.5]]))
    close, starts = np.array([[0.9, 0.1]] * 2), np.array([0, 2])
    odds = 0.901 / 0.101
    one = agreeing(past, close, starts, 1.0).weight[0]
    assert one == pytest.approx([odds / (1 + odds), 1 / (1 + odds)])
    assert agreeing(past, close, starts, 0.0).weight[0] == pytest.approx([0.5, 0.5])


def test_drawn_days_follow_p_and_the_past():
    p, day = np.tile([0.2, 0.3, 0.5], (4, 1)), np.zeros(4, dtype=np.int64)
    past = DaySamples(np.zeros((1, 4), dtype=np.int64), np.ones((1, 1)))
    free = draw(past, p, day, 4000, 1e-9, 0)
    tied = draw(past, p, day, 4000, 5.0, 0)
    assert np.bincount(free.ravel()) / free.size == pytest.approx(p[0], abs=0.02)
    keep = 5 * 0.2 / (5 * 0.2 + 0.8)
    assert (tied == 0).mean() == pytest.approx(keep + (1 - keep) * 0.2, abs=0.02)
    assert (draw(past, p, day, 50, 5.0, 1) == draw(past, p, day, 50, 5.0, 1)).all()


def test_drawn_days_never_hold_an_impossible_cell():
    p, day = np.tile([0.0, 1.0, 0.0], (6, 1)), np.arange(6) // 3
    past = DaySamples(np.full((2, 6), 2), np.full((2, 2), 0.5))
    assert (draw(past, p, day, 100, 5.0, 0) == 1).all()


@pytest.mark.parametrize("most", [1, 2, 9])
def test_highest_are_in_order(most):
    score = np.array([[0.2, 0.9, 0.2, 0.5], [4.0, 3.0, 2.0, 1.0]])
    assert highest(score, most).tolist() == [[1, 3, 0, 2][:most], [0, 1, 2, 3][:most]]


def test_numbers_are_spread_over_equal_parts():
    numbers = spread(np.random.default_rng(0), (5, 400))
    assert (np.sort(numbers * 5 // 1, axis=0) == np.arange(5)[:, None]).all()
    assert numbers.mean(axis=1) == pytest.approx([0.5] * 5, abs=0.05)


def test_lifts_are_worked_out_by_hand():
    # Day 0: 0 1 0 1; day 1: 0 1. After 0 always comes 1; after 1 once 0, but not over night.
    d, index = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 1, 0, 1, 0, 1])
    after_0, after_1 = np.array([0 + 1, 3 + 1]) / 5, np.array([1 + 1, 0 + 1]) / 3
    found = np.exp(log_lifts(d, index, 2))
    assert found == pytest.approx(np.array([after_0, after_1]) / 0.5, rel=1e-6)


def test_chains_follow_the_lifts_and_the_distance():
    p, starts = np.array([[0.5, 0.3, 0.2]] * 5), np.array([0, 2, 5])
    lifts = np.log(np.array([[1.0, 4.0, 1.0]] * 3))
    apart = np.array([[0.0, 1.0, 3.0], [1.0, 0.0, 2.0], [3.0, 2.0, 0.0]])
    config = replace(DEFAULTS, chained=4000, trust=1.0, leave=0.5, lift=1.0, near=1.0)
    drawn = draw_chains(p, starts, lifts, apart, config)
    first, second = drawn[:, [0, 2]], drawn[:, [1, 3]]
    assert np.bincount(first.ravel()) / first.size == pytest.approx(p[0], abs=0.01)
    for before in range(3):
        weight = p[0] * np.exp(lifts[before]) / (1 + apart[before])
        weight[before] *= np.exp(-0.5)
        after = np.bincount(second[first == before], minlength=3) / (first == before).sum()
        assert after == pytest.approx(weight / weight.sum(), abs=0.03)


def test_chains_without_trust_in_distance_or_past_are_p():
    p = np.tile([0.0, 0.7, 0.3], (6, 1))
    config = replace(DEFAULTS, chained=10, trust=1.0, leave=0.0, lift=0.0, near=0.0)
    drawn = draw_chains(p, np.array([0, 6]), np.zeros((3, 3)), np.ones((3, 3)), config)
    assert ((drawn == 1).sum(axis=0) == 7).all()


# --- the whole decoder ------------------------------------------------------------------------


def test_cells_to_try_come_once_each():
    score = np.array([[0.5, 0.9, 0.1, 0.2]] * 4)
    begin, day = np.array([1, 2, 3, 2]), np.array([0, 0, 0, 1])
    # The two best, then what the rows before and after begin with, of the same day.
    assert days_model.options(score, begin, day, 2).tolist() == [
        [1, 0, -1, 2],
        [1, 0, -1, 3],
        [1, 0, 2, -1],
        [1, 0, -1, -1],
    ]


def example(seed, rows=(3, 1, 8), k=6, total=5):
    random = np.random.default_rng(seed)
    day = np.repeat(np.arange(len(rows)), rows)
    p = random.dirichlet(np.full(k, 0.5), len(day))
    past = DaySamples(
        random.integers(0, k, (total, len(day))), random.dirichlet(np.ones(total), len(rows))
    )
    return random.integers(1, 200, (k, 2)).astype(np.int32), p, day, past


@given(st.integers(0, 10**6), st.floats(0, 1), st.integers(1, 7), st.integers(0, 5))
@settings(max_examples=60, deadline=None)
def test_any_input_gets_one_candidate_a_row(seed, weight, k, total):
    parts = example(seed, k=k, total=total) if total else example(seed, k=k)
    cells, p, day, past = parts
    if not total:
        past = DaySamples(past.cell[:0], past.weight[:, :0])
    config = replace(DEFAULTS, weight=weight)
    chosen = decode_days(cells, p, day, past, config)
    assert chosen.shape == day.shape
    assert ((chosen >= 0) & (chosen < k)).all()
    assert (chosen == decode_days(cells, p, day, past, config)).all()


def test_a_certain_day_is_answered():
    cells, p, day, past = example(1)
    sure = past.cell[0]
    p = np.eye(p.shape[1])[sure]
    certain = DaySamples(sure[None, :], np.ones((3, 1)))
    for weight in (0.5, 0.8, 1.0):
        config = replace(DEFAULTS, weight=weight)
        assert (decode_days(cells, p, day, certain, config) == sure).all()


def test_no_rows():
    cells, p, day, past = example(2)
    none = DaySamples(past.cell[:, :0], past.weight)
    assert len(decode_days(cells, p[:0], day[:0], none)) == 0


def test_weight_trades_geobleu_for_dtw():
    bleu, dtw = {}, {}
    for weight in (0.0, 0.8, 1.0):
        bleu[weight], dtw[weight] = [], []
        for seed in range(20):
            cells, p, day, past = example(seed, rows=(8,), total=6)
            cells = cells % 9
            config = replace(EXACT, weight=weight, past=6, drawn=0, chained=0, agreement=0.0)
            config = replace(config, proximity=0.0, auction=0.0, distance=0.0, longest=3)
            chosen = decode_days(cells, p, day, past, config)
            near, apart = tables(cells)
            pairs = list(zip(past.cell, past.weight[0], strict=True))
            bleu[weight].append(sum(w * slow_geobleu(chosen, s, near, 3) for s, w in pairs))
            dtw[weight].append(sum(w * slow_dtw(chosen, s, apart, True) for s, w in pairs))
    assert np.mean(bleu[1.0]) > np.mean(bleu[0.0])
    assert np.mean(dtw[0.0]) < np.mean(dtw[0.8]) < np.mean(dtw[1.0])


# --- with a user's own past -------------------------------------------------------------------


def test_past_days_of_the_same_weekday_and_type_weigh_most():
    # Day 7 is a Sunday; day 0 the Sunday before, day 6 a Saturday, day 3 a Wednesday.
    known = [(d, 20, 1 + d, 5) for d in (0, 3, 6)]
    one = user(known, [(7, 20)])
    past = past_days(one, np.arange(3), city(), np.array([7]), DEFAULTS)
    assert past.cell.tolist() == [[0], [1], [2]]
    recent = np.exp(-np.array([7, 4, 1]) / 60.0)
    expected = recent * [1.0, 0.7 * 0.2, 0.7]
    assert past.weight[0] == pytest.approx(expected / expected.sum())


def test_a_past_day_without_records_near_the_slots_weighs_less():
    one = user([(3, 20, 1, 1), (4, 2, 2, 2)], [(10, 20)])
    past = past_days(one, np.arange(2), city(), np.array([10]), DEFAULTS)
    assert past.weight[0, 0] > 100 * past.weight[0, 1]


@pytest.mark.parametrize(
    "known", [[], [(0, 3, 7, 8)], [(0, 3, 7, 8), (1, 3, 7, 8)]], ids=["none", "one row", "one cell"]
)
def test_any_history_is_answered(known):
    one = user(known, [(60, 3), (60, 30), (61, 0)])
    cells = np.array([[7, 8], [9, 9]], dtype=np.int32)
    dist = SlotDistributions(cells, np.tile([0.7, 0.3], (3, 1)))
    assert decode_user(one, city(), dist).tolist() == [[7, 8]] * 3


def test_past_cells_that_are_no_candidates_count_as_the_nearest():
    one = user([(d, 20, 50, 50) for d in range(5)], [(60, 20)])
    cells = np.array([[1, 1], [51, 50]], dtype=np.int32)
    dist = SlotDistributions(cells, np.array([[0.5, 0.5]]))
    assert decode_user(one, city(), dist).tolist() == [[51, 50]]
