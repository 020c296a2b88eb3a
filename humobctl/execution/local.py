"""One part after another in this process, whose kernels have threads of their own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from humobctl.execution.task import Done, Moved, PartTask, TaskPart, Worker


def run(work: PartTask, parts: Iterable[TaskPart], moved: Moved) -> Iterator[tuple[TaskPart, Done]]:
    """Parts with their results, in their order; the work is opened when the first one comes."""
    worker: Worker | None = None
    for part in parts:
        if worker is None:
            worker = work.open()
        yield part, worker(part.payload, moved)
