"""Attempts in processes that may crash, hang or grow, watched from outside.

They are spawned, since polars has threads, which a fork would lack.
"""

from __future__ import annotations

import multiprocessing
import resource
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

HANG_SECONDS = 20
MOST_BYTES = 8 << 30
"""Of address space a process; polars and pyarrow reserve much of it."""

Attempt = Callable[[int], bool]
"""Attempts input ``n``; whether it was refused in one clear line. What breaks is raised."""


@dataclass
class Outcome:
    """What attempts led to.

    Attributes:
        tried: how many.
        refused: how many ended in one clear line.
        findings: what broke, by the number of the attempt: a crash, a hang, an exception.
        most_bytes: of memory that a process held.
    """

    tried: int = 0
    refused: int = 0
    findings: dict[int, str] = field(default_factory=dict)
    most_bytes: int = 0


def watch(numbers: Sequence[int], attempt: Attempt) -> Outcome:
    """Attempt each number in a process beside this one; one that dies or hangs is replaced."""
    context = multiprocessing.get_context("spawn")
    outcome, left = Outcome(), numbers
    while left:
        counts = context.Array("q", 3)
        found: Any = context.SimpleQueue()
        worker = context.Process(target=_work, args=(left, attempt, counts, found))
        worker.start()
        why = _wait(worker, counts)
        while not found.empty():
            number, text = found.get()
            outcome.findings[number] = text
        tried, refused, held = counts[:]
        outcome.refused += refused
        outcome.most_bytes = max(outcome.most_bytes, held)
        if why:
            outcome.findings[left[tried]] = why
            tried += 1
        outcome.tried += tried
        left = left[tried:]
    return outcome


def _wait(worker: Any, counts: Any) -> str:
    """Wait for a worker's end; what it died of, or nothing."""
    seen = -1
    while True:
        worker.join(HANG_SECONDS)
        if worker.exitcode is not None:
            return f"died with exit code {worker.exitcode}" if worker.exitcode else ""
        if counts[0] == seen:
            worker.kill()
            worker.join()
            return f"hung for {HANG_SECONDS} s"
        seen = counts[0]


def _work(numbers: Sequence[int], attempt: Attempt, counts: Any, found: Any) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    for number in numbers:
        try:
            counts[1] += attempt(number)
        except BaseException as exc:  # a panic of polars is not an Exception
            found.put((number, f"{type(exc).__name__}: {str(exc)[:300]}"))
        counts[0] += 1
        counts[2] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
