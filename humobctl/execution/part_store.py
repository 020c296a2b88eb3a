"""The folder of an unfinished run, ``OUTPUT.parts`` beside the output.

    job.json             what the run is: command, settings, seed, versions, size of the parts
    part-00007.parquet   a finished part; its metadata hold its tally and a digest of its input
    lock                 held while a run works here; it names the process

A part is written under a name that starts with a dot, flushed to the disk and renamed, so that one
under its own name is whole, whenever the run is killed.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from humobctl import __version__
from humobctl.errors import HumobError
from humobctl.execution.task import Done, TaskPart
from humobctl.io.json_files import read_json
from humobctl.io.output_lock import take_lock
from humobctl.io.streams import clear_os_errors

JOB, LOCK, SUCCESS = "job.json", "lock", "_SUCCESS"
METADATA = "humobctl"


class PartFolder:
    """Finished parts of one run; no other process works in the folder while it is open.

    Args:
        path: of the folder.
        output: of the run, a file or a folder.
        resume: continue with what is there.
        overwrite: throw away what is there.

    Raises:
        HumobError: another run works in it, or it holds what is not to go on.
    """

    def __init__(self, path: Path, output: Path, *, resume: bool, overwrite: bool) -> None:
        self.path, self.output = path, output
        with clear_os_errors(str(path)):
            existed = path.is_dir()
            path.mkdir(exist_ok=True)
            self._lock = (path / LOCK).open("a+")
            try:
                before = _take(self._lock, path)
                if existed:
                    refuse_unfinished(path, resume=resume, overwrite=overwrite)
                    self._tidy(before, keep=resume)
                self._lock.truncate(0)
                self._lock.write(str(os.getpid()))
                self._lock.flush()
                self.marks = self._find_finished()
            except BaseException:
                self._lock.close()
                raise

    def _tidy(self, before: str, *, keep: bool) -> None:
        """Remove what a kill left behind, and all that is not to go on."""
        if before.isdigit():  # the final output that the killed process was writing
            self.output.with_name(f".{self.output.name}.{before}.part").unlink(missing_ok=True)
        keep = keep and (self.path / JOB).is_file()
        for file in self.path.iterdir():
            if file.name != LOCK and (not keep or file.name.startswith(".")):
                file.unlink()

    def check(self, about: dict[str, Any]) -> None:
        """Remember what the run is, or see that the one that is to go on is the same.

        Raises:
            HumobError: it is another.
        """
        note, about = self.path / JOB, json.loads(json.dumps(_with_versions(about)))
        with clear_os_errors(str(self.path)):
            if not note.is_file():
                _write_whole(note, (json.dumps(about, indent=2) + "\n").encode())
                return
            before = read_json(note, "; --overwrite starts again")
        for key in {**before, **about}:
            if before.get(key) != about.get(key):
                raise HumobError(
                    f"{self.path}: found {_difference(key, before.get(key), about.get(key))}; "
                    "--overwrite starts again"
                )

    def holds(self, part: TaskPart) -> bool:
        """Whether a part is finished.

        Raises:
            HumobError: it is, but of other data.
        """
        mark = self.marks.get(part.number)
        if mark is not None and mark != part.mark():
            raise HumobError(
                f"{self.path}: found other data in part {part.number} ({part.name}), expected "
                "those of the run to resume; --overwrite starts again"
            )
        return mark is not None

    def keep(self, part: TaskPart, done: Done) -> None:
        """Write a finished part."""
        target = self.path / _name(part.number)
        partial = target.with_name(f".{target.name}")
        mark = part.mark()
        note = {"mark": mark, "tally": done.tally, "units": done.units}
        with clear_os_errors(str(self.path)):
            try:
                done.frame.write_parquet(partial, metadata={METADATA: json.dumps(note)})
            except pl.exceptions.PolarsError as exc:
                raise HumobError(f"{partial}: {str(exc).splitlines()[0]}") from exc
            _rename_whole(partial, target)
        self.marks[part.number] = mark

    def read(self, number: int) -> Done:
        """A finished part."""
        path = self.path / _name(number)
        note = _note(path)
        frame = pl.read_parquet(path, hive_partitioning=False).rechunk()
        return Done(frame, note["tally"], note["units"])

    def results(self, count: int) -> Iterator[Done]:
        """All parts, in order."""
        return map(self.read, range(count))

    def become_output(self, count: int) -> None:
        """The folder takes the name of the output: its parts are the result.

        Raises:
            HumobError: there is something under that name.
        """
        for number in [n for n in self.marks if n >= count]:
            (self.path / _name(number)).unlink()
        with clear_os_errors(str(self.output)):
            _write_whole(self.path / SUCCESS, b"")
            (self.path / JOB).unlink()
            (self.path / LOCK).unlink()
            if self.output.is_dir():
                self.output.rmdir()
            self.path.rename(self.output)
        self._lock.close()

    def remove(self) -> None:
        """The output is whole: nothing here is needed any more."""
        with clear_os_errors(str(self.path)):
            # job.json goes last: parts without it belong to no run.
            for file in sorted(self.path.iterdir(), key=lambda file: file.name in (JOB, LOCK)):
                file.unlink()
            self.path.rmdir()
        self._lock.close()

    @property
    def finished(self) -> int:
        """Parts on the disk: a signal may come between a part and its mark."""
        return sum(1 for _ in self.path.glob("part-*.parquet"))

    def close(self) -> None:
        """Let others work here; an empty folder goes."""
        if self._lock.closed:
            return
        if not self.finished:
            with contextlib.suppress(OSError):
                shutil.rmtree(self.path)
        self._lock.close()

    def _find_finished(self) -> dict[int, str]:
        numbers = (int(file.stem.split("-")[1]) for file in self.path.glob("part-*.parquet"))
        return {number: _note(self.path / _name(number))["mark"] for number in sorted(numbers)}


def folder_of(output: str) -> Path:
    """Where the parts of a run with this output are."""
    path = Path(output)
    return path.with_name(f"{path.name}.parts")


def refuse_unfinished(path: Path, *, resume: bool, overwrite: bool) -> None:
    """Refuse a folder with an unfinished run that is neither to go on nor to be thrown away.

    Raises:
        HumobError: there is one.
    """
    if not resume and not overwrite and (path / JOB).is_file():
        raise HumobError(
            f"{path}: found an unfinished run, expected --resume to continue it or "
            "--overwrite to start again"
        )


def _take(lock: Any, path: Path) -> str:
    """Lock the folder; the process that held it before, if it was killed."""
    if take_lock(lock, path / LOCK) is False:
        lock.seek(0)
        raise HumobError(
            f"{path}: found another run writing here (process {lock.read() or 'unknown'}); wait "
            "until it ends, or choose another --output"
        )
    lock.seek(0)
    return str(lock.read())


def _name(number: int) -> str:
    return f"part-{number:05d}.parquet"


def _note(path: Path) -> dict[str, Any]:
    try:
        note: dict[str, Any] = json.loads(pl.read_parquet_metadata(path)[METADATA])
    except (pl.exceptions.PolarsError, OSError, KeyError, ValueError) as exc:
        raise HumobError(
            f"{path}: found a damaged part, expected one that humobctl wrote; delete it, and "
            "--resume computes it again"
        ) from exc
    return note


def _with_versions(about: dict[str, Any]) -> dict[str, Any]:
    return {**about, "version": __version__, "polars": pl.__version__}


def _difference(key: str, before: Any, now: Any) -> str:
    if isinstance(before, dict) and isinstance(now, dict):
        changed = [name for name in {**before, **now} if before.get(name) != now.get(name)]
        name = changed[0]
        return _difference(name, before.get(name), now.get(name))
    if key in ("data", "model") or len(f"{before}{now}") > 200:
        what = "other data" if key == "data" else f"another {key}"
        return f"{what} than in the run that --resume would continue"
    return f"{key} = {now}, expected {before} as in the run that --resume would continue"


def _write_whole(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}")
    partial.write_bytes(content)
    _rename_whole(partial, path)


def _rename_whole(partial: Path, target: Path) -> None:
    _flush(partial)
    partial.rename(target)
    _flush(target.parent)


def _flush(path: Path) -> None:
    with contextlib.suppress(PermissionError):  # a folder cannot be opened on Windows
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
