"""The journal: every answer, appended as it comes, so that a killed run pays for none twice.

One line of JSON an answer. A line is found by a digest of all that leads to the answer: server,
model, sampling, messages, and which of several answers to the same question it is. In memory are
the digests and the places of the lines, not the lines.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.errors import HumobError
from humobctl.io.kept_inputs import refuse_input
from humobctl.io.output_lock import take_lock
from humobctl.io.streams import clear_os_errors


@dataclass(frozen=True)
class JournalEntry:
    """An answer.

    Attributes:
        reply: what the model said.
        fault: why it is not an answer, such as a refusal; empty if it may be one.
        prompt: tokens sent.
        completion: tokens answered.
        cut: whether it ended at its limit of tokens.
    """

    reply: str
    fault: str = ""
    prompt: int = 0
    completion: int = 0
    cut: bool = False


class Journal:
    """An append-only file of answers.

    Args:
        path: the file; it is made where there is none.

    Raises:
        HumobError: another run has it open, or it cannot be read and written.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._places: dict[bytes, tuple[int, int]] = {}
        refuse_input(path, path)
        if not Path(path).parent.is_dir():
            raise HumobError(f"{path}: found no folder {Path(path).parent}")
        with clear_os_errors(path):
            self._file = Path(path).open("a+b")  # noqa: SIM115 - open as long as the run
            self._lock()
            self._read()
        self.found = len(self._places)

    def _lock(self) -> None:
        if take_lock(self._file, self.path) is False:
            self._file.close()
            raise HumobError(
                f"{self.path}: another run is using this journal; choose another --journal"
            )

    def _read(self) -> None:
        self._file.seek(0)
        place = unread = 0
        line = b"\n"
        for line in self._file:
            try:
                key = bytes.fromhex(json.loads(line)["key"])
                self._places[key] = (place, len(line))
            except (ValueError, TypeError, KeyError, RecursionError):
                unread += 1
            place += len(line)
        if not line.endswith(b"\n"):  # the run was killed while it wrote
            self._append(b"\n")
        if unread:
            report.warn(f"{self.path}: ignored {pluralize(unread, 'line')} without an answer")

    def _append(self, line: bytes) -> int:
        """Write in one go, at the end; the place of the line."""
        place = self._file.seek(0, os.SEEK_END)
        self._file.write(line)
        self._file.flush()
        return place

    def get(self, key: str) -> JournalEntry | None:
        """The answer to a question that was asked before."""
        where = self._places.get(bytes.fromhex(key))
        if where is None:
            return None
        with clear_os_errors(self.path):
            line = os.pread(self._file.fileno(), where[1], where[0])
        try:
            kept = json.loads(line)
            entry = JournalEntry(
                reply=kept["reply"],
                fault=kept["fault"],
                prompt=kept["prompt"],
                completion=kept["completion"],
                cut=kept.get("cut") is True,
            )
        except (ValueError, TypeError, KeyError, RecursionError):
            return None
        return entry if isinstance(entry.reply, str) and isinstance(entry.fault, str) else None

    def put(self, key: str, entry: JournalEntry, **about: Any) -> None:
        """Keep an answer; it outlives the process from here on.

        Args:
            key: its ``digest``.
            entry: the answer.
            about: what else a reader of the file may want to know.
        """
        kept = {
            "key": key,
            **about,
            "reply": entry.reply,
            "fault": entry.fault,
            "prompt": entry.prompt,
            "completion": entry.completion,
            **({"cut": True} if entry.cut else {}),
        }
        # ASCII: half a surrogate in a reply is not UTF-8.
        line = json.dumps(kept, ensure_ascii=True).encode() + b"\n"
        with clear_os_errors(self.path):
            place = self._append(line)
        self._places[bytes.fromhex(key)] = (place, len(line))

    def close(self) -> None:
        """Close the file; all of it is on the disk then."""
        if not self._file.closed:
            with clear_os_errors(self.path):
                if Path(self.path).is_file():  # /dev/null cannot be synchronised
                    os.fsync(self._file.fileno())
                self._file.close()
