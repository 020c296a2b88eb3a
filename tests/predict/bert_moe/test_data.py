"""Training windows: an index over flat columns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from humobctl.predict.bert_moe.config import BertMoeSettings as Settings
from humobctl.predict.bert_moe.config import tiny
from humobctl.predict.bert_moe.data import (
    BertMoeColumns,
    CityDays,
    TrainingWindows,
    build_index,
    gap_codes,
    order_windows,
    rows_before,
)
from humobctl.predict.bert_moe.model import DAYS_BACK, IGNORE
from humobctl.predict.bert_moe.train import _cut_batches
from humobctl.tables.schemas import GRID
from humobctl.training.distributed import Share

DAYS = CityDays(np.arange(80) % 7, np.tile(np.arange(80) % 7 == 0, (80, 1)))
SMALL = replace(tiny(), input_length=6, prediction_length=4, stride=1)


def table(*rows: tuple[int, int, int, int, int]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=GRID.dtypes, orient="row")


def filled(*groups: pl.DataFrame) -> BertMoeColumns:
    rows = BertMoeColumns()
    rows.days.append(DAYS)
    for group in groups:
        rows.add(group)
    rows.close_columns()
    return rows


def walk(uid: int, days: int, per_day: int = 2) -> pl.DataFrame:
    """``per_day`` rows a day, each in a cell of its own."""
    return table(
        *((uid, d, 10 * i, d + 1, 10 * uid + i + 1) for d in range(days) for i in range(per_day))
    )


def test_gaps_by_hand():
    # One user: slots 10 and 12 of day 0, slot 10 of day 1 (46 later), day 3 (96), day 9; another.
    d, t = np.array([0, 0, 1, 3, 9, 0]), np.array([10, 12, 10, 10, 10, 0])
    before, after = gap_codes(d, t, np.array([1, 0, 0, 0, 0, 1], bool))
    assert before.tolist() == [27, 2, 25, 26, 27, 27]
    assert after.tolist() == [2, 25, 26, 27, 27, 27]


def test_windows_with_a_horizon_by_hand():
    settings = replace(SMALL, horizon=3, stride=2, prediction_length=4)
    with filled(walk(5, 4)) as rows:
        index = build_index(rows, np.ones(1, bool), settings)
    # Pasts end at days 1, 2 and 3; three days of two rows each are ahead, in pieces of four.
    # The last pieces have two rows, fewer than is worth a pass.
    assert index.past_end.tolist() == [2, 4]
    assert index.begin.tolist() == [2, 4]
    assert index.length.tolist() == [4, 4]


def test_windows_that_follow_each_other_by_hand():
    settings = replace(SMALL, horizon=0, stride=3)
    with filled(walk(1, 8), walk(2, 2)) as rows:
        index = build_index(rows, np.ones(2, bool), settings)
    # 16 rows: futures of 4 after pasts of 6, every third row; 4 rows: 2 and 2.
    assert list(zip(index.user, index.begin, index.length, strict=True)) == [
        (0, 6, 4), (0, 9, 4), (0, 12, 4), (1, 18, 2),
    ]  # fmt: skip
    assert (index.past_end == index.begin).all()


def test_a_batch_by_hand():
    settings = replace(SMALL, horizon=2)
    with filled(walk(1, 3), walk(2, 5)) as rows:
        windows = TrainingWindows(
            rows, build_index(rows, np.ones(2, bool), settings), settings, 0.0
        )
        last = windows.batch([0, len(windows) - 1])
    # User 1: past of day 0 (2 rows), future of days 1 and 2; user 2: past of days 0-2 (6 rows).
    assert last["location"].shape == (2, 6)
    assert last["mask"][0].tolist() == [False] * 4 + [True] * 6
    assert last["mask"][1].all()
    first = 200 * np.arange(3) + 10
    assert last["location"][0].tolist() == [0, 0, 0, 0, first[0], first[0] + 1]
    assert last["labels"][0].tolist() == [first[1], first[1] + 1, first[2], first[2] + 1]
    assert (last["day"][1] - DAYS_BACK).tolist() == [-3, -3, -2, -2, -1, -1, 0, 0, 1, 1]
    assert last["dow"][1].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert last["weekday"][1].tolist() == [1, 1] + [0] * 8
    assert last["time"][1].tolist() == [0, 10] * 5
    assert last["city"].tolist() == [1, 1]


def test_all_48_slots_are_told_apart():
    group = table(*((1, d, t, 1, t + 1) for d in range(3) for t in range(48)))
    settings = replace(SMALL, horizon=1, input_length=96, prediction_length=48, max_seq_length=144)
    with filled(group) as rows:
        windows = TrainingWindows(rows, build_index(rows, np.ones(1, bool), settings), settings)
        batch = windows.batch([len(windows) - 1])
    assert batch["time"][0, -48:].tolist() == list(range(48))


@st.composite
def people(draw):
    groups = []
    for uid in range(draw(st.integers(1, 4))):
        slots = draw(st.sets(st.integers(0, 12 * 48 - 1), min_size=1, max_size=60))
        groups.append(table(*((uid, s // 48, s % 48, 1 + s % 9, 1 + uid) for s in sorted(slots))))
    return groups


@given(
    people(),
    st.sampled_from([0, 1, 3, 15]),
    st.integers(1, 9),
    st.sampled_from([(3, 2), (8, 5), (40, 30)]),
)
def test_windows_hold_what_they_say(groups, horizon, stride, lengths):
    settings = replace(
        SMALL, horizon=horizon, stride=stride, input_length=lengths[0], prediction_length=lengths[1]
    )
    with filled(*groups) as rows:
        index = build_index(rows, np.ones(len(groups), bool), settings)
        windows = TrainingWindows(rows, index, settings, 0.0)
        for number in range(len(windows)):
            user, past_end, begin = (
                int(c[number]) for c in (index.user, index.past_end, index.begin)
            )
            end = begin + int(index.length[number])
            assert rows.starts[user] < past_end <= begin < end <= rows.starts[user + 1]
            assert end - begin <= settings.prediction_length
            if horizon:
                assert rows.d[past_end - 1] < rows.d[past_end]
                assert rows.d[end - 1] < rows.d[past_end] + horizon
            else:
                assert past_end == begin
        if len(windows):
            batch = windows.batch(list(range(len(windows))))
            labels = batch["labels"]
            assert (labels != IGNORE).sum() == int(index.length.sum())
            for number in range(len(windows)):
                begin, length = int(index.begin[number]), int(index.length[number])
                kept = labels[number][labels[number] != IGNORE]
                assert kept.tolist() == rows.cell[begin : begin + length].tolist()


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_the_windows_of_a_step_do_not_depend_on_the_processes(processes):
    lengths = np.random.default_rng(0).integers(1, 500, 1001)
    one = order_windows(lengths, 16, seed=4, epoch=0).tolist()
    assert sorted(one) == list(range(1001))
    spread = [np.ptp(lengths[one[i : i + 16]]) for i in range(0, 992, 16)]
    assert np.mean(spread) < 30
    assert order_windows(lengths, 16, seed=4, epoch=1).tolist() != one
    # Batches go to the processes in turn: a step's windows are the same ones.
    cuts = [_cut_batches(16, 16 // processes, Share(rank, processes)) for rank in range(processes)]
    assert [number for (cut,) in cuts for number in one[slice(*cut)]] == one[:16]


def test_a_share_of_the_windows_hides_its_city():
    with filled(walk(1, 40)) as rows:
        settings = replace(SMALL, horizon=2)
        index = build_index(rows, np.ones(1, bool), settings)
        city = TrainingWindows(rows, index, settings, 0.5).batch(list(range(len(index))))["city"]
    assert set(city.tolist()) == {0, 1}


def test_columns_lie_on_disk_and_go_with_the_context():
    with filled(walk(1, 3)) as rows:
        folder = rows.scratch
        assert isinstance(rows.cell.base, np.memmap)
        assert sum(file.stat().st_size for file in folder.iterdir()) == 7 * rows.rows
    assert not folder.exists()


def test_tensors_are_what_torch_takes():
    with filled(walk(1, 9)) as rows:
        settings = Settings(**{**SMALL.__dict__, "horizon": 2})
        batch = TrainingWindows(
            rows, build_index(rows, np.ones(1, bool), settings), settings
        ).batch([0])
    assert {v.dtype for k, v in batch.items() if k != "mask"} == {torch.int64}


def test_no_window_reaches_the_validation_days():
    settings = replace(SMALL, horizon=3)
    with filled(walk(1, 8), walk(2, 3), walk(3, 5)) as rows:
        ends = rows_before(rows, [4])
        assert ends.tolist() == [8, 22, 30]
        index = build_index(rows, np.ones(3, bool), settings, ends)
        reached = rows.d[index.begin + index.length - 1]
        everything = build_index(rows, np.ones(3, bool), settings)
    assert reached.max() == 3
    # User 2 has days 0 to 2 only, which are all before day 4.
    assert (index.user == 1).sum() == (everything.user == 1).sum() == 1
