"""Batches side by side: each is done on its share of the threads, and errors come out."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch", reason="needs torch")

from humobctl import native  # noqa: E402
from humobctl.training.device import MOST_BESIDE, side_by_side  # noqa: E402

CPU = torch.device("cpu")


@pytest.fixture
def cores():
    """Set torch's threads for a test."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize(("count", "share"), [(1, 1), (2, 1), (3, 1), (4 * MOST_BESIDE, 4)])
def test_each_is_done_with_its_share_of_the_threads(count: int, share: int, cores) -> None:
    cores(count)
    seen: list[tuple[int, int]] = []
    side_by_side(lambda item: seen.append((item, torch.get_num_threads())), range(50), CPU)
    assert sorted(item for item, _ in seen) == list(range(50))
    assert {threads for _, threads in seen} == {share}
    assert torch.get_num_threads() == count


def test_one_item_has_all_threads(cores) -> None:
    cores(3)
    seen: list[int] = []
    side_by_side(lambda _: seen.append(torch.get_num_threads()), [0], CPU)
    assert seen == [3]


def test_an_error_comes_out_and_threads_stay(cores) -> None:
    cores(2)

    def work(item: int) -> None:
        if item == 3:
            raise ValueError("three")

    with pytest.raises(ValueError, match="three"):
        side_by_side(work, range(10), CPU)
    assert torch.get_num_threads() == 2


def test_memory_is_kept_by_glibc_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []

    def mallopt(what: int, value: int) -> int:
        asked.append((what, value))
        return 1

    for platform, library, kept in (
        ("darwin", SimpleNamespace(mallopt=mallopt, gnu_get_libc_version=str), []),
        ("linux", SimpleNamespace(mallopt=mallopt), []),  # musl
        ("linux", SimpleNamespace(mallopt=mallopt, gnu_get_libc_version=str), [-1, -3]),
    ):
        monkeypatch.setattr(native.sys, "platform", platform)
        monkeypatch.setattr(native.ctypes, "CDLL", lambda _, library=library: library)
        assert native.keep_memory() is bool(kept)
        assert asked == [(what, 1 << 30) for what in kept]
