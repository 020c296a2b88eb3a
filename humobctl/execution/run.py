"""A run over parts of people: by which engine, and whether finished parts are kept."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import polars as pl

from humobctl.console import report, signals
from humobctl.console.words import pluralize
from humobctl.errors import HumobError, UsageError
from humobctl.execution.part_store import PartFolder, folder_of, refuse_unfinished
from humobctl.execution.task import (
    PEOPLE_VARIABLE,
    ROWS_VARIABLE,
    Done,
    Moved,
    PartTask,
    TaskPart,
    Worker,
    part_size,
)
from humobctl.io.streams import STANDARD, is_special
from humobctl.io.write import write_table
from humobctl.tables.schemas import Table

EngineName = Literal["local", "ray"]
LONG = 16
"""A run of more parts keeps those that are finished, asked or not."""

About = Callable[[], dict[str, Any]]


@dataclass
class LongRun:
    """How a command carries out its parts.

    Use it as a context manager around the writing of the output, and say ``finished`` at its end.

    Attributes:
        output: file or folder to write; None or ``-`` for standard output, where nothing is kept.
        engine: local or ray.
        address: of the cluster; None to start one on this machine.
        workers: of the cluster; None for as many as it has room for.
        resume: continue with the parts that an earlier run finished.
        overwrite: throw them away.
    """

    output: str | None = None
    engine: EngineName = "local"
    address: str | None = None
    workers: int | None = None
    resume: bool = False
    overwrite: bool = False
    _folder: PartFolder | None = field(default=None, init=False)
    _count: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """See that the options go together.

        Raises:
            UsageError: they do not.
            HumobError: an unfinished run is there, and neither resume nor overwrite is given.
        """
        if self.engine == "local":
            given = {"--address": self.address, "--workers": self.workers}
            for option, value in given.items():
                if value is not None:
                    raise UsageError(f"{option} needs --engine ray")
        if self.resume and self.overwrite:
            raise UsageError("--resume and --overwrite: found both, expected one of them")
        if self._place is None:
            if self.resume:
                raise UsageError(
                    "--resume needs --output FILE: finished parts are kept in FILE.parts"
                )
            return
        if self.into_folder and self._place.is_dir() and any(self._place.iterdir()):
            raise HumobError(f"{self.output}: found a folder that is not empty, expected a new one")
        refuse_unfinished(folder_of(str(self._place)), resume=self.resume, overwrite=self.overwrite)

    @property
    def _place(self) -> Path | None:
        """The output; None for standard output, a device or a pipe."""
        if self.output in (None, STANDARD) or is_special(Path(str(self.output))):
            return None
        return Path(str(self.output))

    @property
    def into_folder(self) -> bool:
        """Whether the output is a folder of parts."""
        place = self._place
        return place is not None and (str(self.output).endswith("/") or place.is_dir())

    def __enter__(self) -> LongRun:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._folder is None:
            return
        if isinstance(error, Exception) and self._folder.finished:
            report.info(self._tell_kept())
        self._folder.close()

    def _tell_kept(self) -> str:
        """What is kept of an unfinished run, and how to go on."""
        assert self._folder is not None
        if not (count := self._folder.finished):
            return f"{self._folder.path}: interrupted before the first part; nothing is kept"
        return f"{self._folder.path} keeps {pluralize(count, 'finished part')}; --resume continues"

    def results(
        self,
        work: PartTask,
        parts: Iterable[TaskPart],
        about: About,
        moved: Moved,
        *,
        long: int = LONG,
    ) -> Iterator[Done]:
        """The results of all parts, in order.

        Args:
            work: what to do.
            parts: with what.
            about: what makes the result: command, settings, data; asked where parts are kept.
            moved: called with the number of finished units of work.
            long: parts beyond which those that are finished are kept, asked or not.

        Raises:
            HumobError: see ``PartFolder``; or the work or the engine failed.
        """
        wanted = self.resume or self.engine == "ray" or self.into_folder
        if self._place is not None and not wanted:
            parts = iter(parts)
            first = list(itertools.islice(parts, long + 1))
            wanted, parts = len(first) > long, itertools.chain(first, parts)
        if self._place is None or not wanted:
            for _, done in self._run(work, parts, moved, in_order=True):
                yield _in_one_piece(done)
            return
        self._keep_all(self._place, work, parts, about, moved)
        assert self._folder is not None
        yield from self._folder.results(self._count)

    def _keep_all(
        self, place: Path, work: PartTask, parts: Iterable[TaskPart], about: About, moved: Moved
    ) -> None:
        """Finish all parts in the folder."""
        if not place.parent.is_dir():
            raise HumobError(f"{place}: found no folder {place.parent}, expected an existing one")
        folder = PartFolder(
            folder_of(str(place)), place, resume=self.resume, overwrite=self.overwrite
        )
        self._folder = folder
        sizes = {"part_rows": ROWS_VARIABLE, "part_users": PEOPLE_VARIABLE}
        folder.check(
            {**about(), **{name: part_size(variable, 0) for name, variable in sizes.items()}}
        )
        if folder.marks:
            report.info(f"{folder.path}: {pluralize(len(folder.marks), 'part')} already finished")

        def missing() -> Iterator[TaskPart]:
            for part in parts:
                self._count += 1
                if folder.holds(part):
                    moved(folder.read(part.number).units)
                else:
                    yield part

        with signals.last_words(self._tell_kept):
            for part, done in self._run(work, missing(), moved, in_order=False):
                folder.keep(part, _in_one_piece(done))

    def _run(
        self, work: PartTask, parts: Iterable[TaskPart], moved: Moved, *, in_order: bool
    ) -> Iterator[tuple[TaskPart, Done]]:
        if self.engine == "local":
            return _in_turn(work, parts, moved)
        from humobctl.execution.ray_cluster import Cluster  # noqa: PLC0415 - the extra is needed only here

        return Cluster(self.address, self.workers).run(work, parts, moved, in_order=in_order)

    def write(
        self, frames: Iterator[pl.DataFrame], table: Table | None, format: str | None = None
    ) -> int:
        """Write frames to the output, and let the parts go.

        Args:
            frames: made of ``results``, a frame a part.
            table: what they hold.
            format: see ``write_table``.

        Returns:
            Number of rows.

        Raises:
            UsageError: a folder in another format than Parquet.
        """
        if not self.into_folder:
            return self.write_and_clean(
                lambda: write_table(frames, self.output, table=table, format=format)
            )
        if format not in (None, "parquet"):
            raise UsageError(f"--format {format}: a folder of parts is Parquet")
        return self.write_and_clean(lambda: sum(frame.height for frame in frames))

    def write_and_clean(self, write: Callable[[], int]) -> int:
        """What ``write`` returns, which goes through all results; then the parts go, or stay."""
        rows = write()
        if self._folder is not None and self.into_folder:
            self._folder.become_output(self._count)
        elif self._folder is not None:
            self._folder.remove()
        return rows


def _in_turn(
    work: PartTask, parts: Iterable[TaskPart], moved: Moved
) -> Iterator[tuple[TaskPart, Done]]:
    """One part after another here, whose kernels have threads; the first part opens the work."""
    worker: Worker | None = None
    for part in parts:
        worker = worker or work.open()
        yield part, worker(part.payload, moved)


def _in_one_piece(done: Done) -> Done:
    """With a frame that is written the same whether it was computed or read."""
    return Done(done.frame.rechunk(), done.tally, done.units)
