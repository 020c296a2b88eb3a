"""Work shared out over threads."""

from __future__ import annotations

import threading

import pytest

from humobctl import native


@pytest.mark.parametrize(
    ("threads", "total", "calls"), [("4", 1000, 16), ("1", 1000, 1), ("4", 127, 1), ("4", 130, 8)]
)
def test_work_is_cut_into_pieces_that_cover_it(
    threads: str, total: int, calls: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUMOBCTL_THREADS", threads)
    pieces: list[tuple[int, int]] = []
    lock = threading.Lock()

    def work(begin: int, end: int) -> None:
        with lock:
            pieces.append((begin, end))

    native.share_out(total, work)
    assert len(pieces) == calls
    assert [one for piece in sorted(pieces) for one in range(*piece)] == list(range(total))
