"""What processes that train join_processes agree on; see also tests/commands/test_processes.py."""

from __future__ import annotations

import os
import time
from datetime import timedelta

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributed import TCPStore

from humobctl import ranks
from humobctl.errors import HumobError, UsageError
from humobctl.training import distributed
from humobctl.training.device import set_up_torch, torch_device
from humobctl.training.distributed import Group, Share, choose_backend, join_processes
from tests.messages import raises

NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@pytest.fixture
def told(monkeypatch):
    """``told(RANK="1", ...)`` sets what torchrun sets, and nothing else."""

    def tell(**values: str) -> None:
        for name in NAMES:
            monkeypatch.delenv(name, raising=False)
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    before = {name: os.environ.get(name) for name in NAMES}
    tell()
    yield tell
    # What is tested sets one of them itself, which later tests would inherit.
    for name, value in before.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value


@given(st.integers(0, 1000), st.integers(1, 17))
def test_shares_are_everything_once_and_about_equal(count, size) -> None:
    parts = [list(range(count))[Share(rank, size).of(count)] for rank in range(size)]
    assert [number for part in parts for number in part] == list(range(count))
    assert [len(part) for part in parts] == Share(0, size).counts(count)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_who_a_process_is(told) -> None:
    assert (ranks.rank(), ranks.world_size(), ranks.local_size()) == (0, 1, 1)
    told(RANK="5", WORLD_SIZE="8", LOCAL_RANK="1", LOCAL_WORLD_SIZE="4")
    assert (ranks.rank(), ranks.world_size()) == (5, 8)
    assert (ranks.local_rank(), ranks.local_size()) == (1, 4)
    assert not ranks.is_main()
    # A process a machine, of which nobody says so: a PyTorchJob.
    told(RANK="0", WORLD_SIZE="2")
    assert (ranks.local_rank(), ranks.local_size(), ranks.is_main()) == (0, 1, True)
    # A number without company is some other program's.
    told(RANK="3")
    assert ranks.is_main()
    told(RANK="one", WORLD_SIZE="2")
    with raises(UsageError, "RANK", "'one'"):
        ranks.rank()


def test_each_process_takes_the_gpu_of_its_number(told, monkeypatch) -> None:
    chosen: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    assert str(torch_device("auto")) == "cuda"
    assert str(torch_device("cuda:1")) == "cuda:1"
    assert chosen == []
    told(RANK="3", WORLD_SIZE="4", LOCAL_RANK="1", LOCAL_WORLD_SIZE="2")
    assert str(torch_device("auto")) == str(torch_device("cuda")) == "cuda:1"
    assert chosen == [1, 1]
    assert str(torch_device("cpu")) == "cpu"
    with raises(UsageError, "cuda:0", "auto"):
        torch_device("cuda:0")
    told(RANK="2", WORLD_SIZE="3", LOCAL_RANK="2", LOCAL_WORLD_SIZE="3")
    with raises(UsageError, "2 GPUs", "3 processes"):
        torch_device("auto")


def test_gradients_on_gpus_go_through_nccl() -> None:
    assert choose_backend(torch.device("cuda", 1)) == "cpu:gloo,cuda:nccl"
    assert choose_backend(torch.device("cpu")) == "gloo"


def test_processes_of_a_machine_share_its_threads(told, monkeypatch) -> None:
    before = torch.get_num_threads()
    monkeypatch.setenv("HUMOBCTL_THREADS", "6")
    try:
        told(RANK="0", WORLD_SIZE="8", LOCAL_RANK="0", LOCAL_WORLD_SIZE="2")
        set_up_torch(0)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_a_process_alone_needs_nobody(told) -> None:
    with join_processes(torch.device("cpu")) as group:
        assert (group.size, group.main, group.broadcast({"a": 1})) == (1, True, {"a": 1})
        rows = torch.ones(3, 2, requires_grad=True)
        assert group.all_rows(rows, 3) is rows
        module = torch.nn.Linear(1, 1)
        assert group.wrap(module) is module


def test_a_process_that_finds_no_others_says_where_it_looked(told, monkeypatch) -> None:
    told(RANK="1", WORLD_SIZE="2")
    cpu = torch.device("cpu")
    with raises(UsageError, "MASTER_ADDR", "WORLD_SIZE = 2"):
        distributed._join(cpu)
    told(RANK="1", WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT="9")
    monkeypatch.setattr(distributed, "_MEETING", timedelta(seconds=1))
    with raises(HumobError, "process 1 of 2", "127.0.0.1:9"):
        distributed._join(cpu)


def group_of_two() -> tuple[Group, Group]:
    """Two groups on one store, as of two processes."""
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    return Group(Share(0, 2), store), Group(Share(1, 2), store)


def test_what_is_told_is_heard_in_turn() -> None:
    main, other = group_of_two()
    for value in ({"a": 0.1 + 0.2}, [], True):
        assert main.broadcast(value) == value
    assert [other.receive() for _ in range(3)] == [{"a": 0.1 + 0.2}, [], True]


@pytest.mark.parametrize(
    ("error", "code"), [(HumobError("x"), 1), (UsageError("x"), 2), (KeyboardInterrupt(), 130)]
)
def test_the_first_to_fail_speaks_and_the_others_end_alike(error, code) -> None:
    main, other = group_of_two()
    with pytest.raises(type(error)):
        other.abort(error)
    # The main process waits for what does not come, and hears of it.
    with pytest.raises(SystemExit) as end:
        main.abort(HumobError("also"))
    assert end.value.code == code


def test_who_waits_hears_that_another_failed() -> None:
    main, other = group_of_two()
    with pytest.raises(HumobError, match="bad"):
        main.abort(HumobError("bad"))
    with pytest.raises(distributed._ElsewhereError):
        other.receive()  # it would wait for ever for what nobody sends


def test_an_error_before_the_processes_met_is_the_main_ones_to_tell(told, monkeypatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(time, "sleep", waited.append)
    ranks.give_way()
    told(RANK="0", WORLD_SIZE="2")
    ranks.give_way()
    assert waited == []
    told(RANK="1", WORLD_SIZE="2")
    monkeypatch.setattr(ranks, "_joined", False)
    ranks.give_way()
    assert waited == [3.0]
    monkeypatch.setattr(ranks, "_joined", True)
    ranks.give_way()
    assert waited == [3.0]
