"""Records of all users in flat columns on disk, mapped into memory: what trainings draw from.

Shapes:  n records of all users, u users.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from humobctl.io.scratch import Scratch
from humobctl.io.streams import clear_os_errors
from humobctl.native import Int64s

_OF_USERS = ("starts", "uid", "city")


class UserColumns(Scratch):
    """Columns in a temporary folder that the context ends; a subclass names and fills them.

    Attributes:
        kinds: the type of each column by name, which becomes an attribute, (n,).
        starts: first record of each user, and the end, (u + 1,).
        uid, city: of each user, (u,); cities count from 1.
        rows: records so far, n.
    """

    kinds: ClassVar[Mapping[str, Any]]
    starts: Int64s
    uid: Int64s
    city: Int64s

    def __init__(self) -> None:
        self._files = {name: (self.scratch / name).open("wb") for name in self.kinds}
        self._users: list[tuple[Int64s, Int64s, Int64s]] = []
        self.rows = 0

    def close(self) -> None:
        """Close the files and remove them with their folder."""
        for file in self._files.values():
            file.close()
        super().close()

    def append(self, uid: NDArray[Any], columns: Mapping[str, NDArray[Any]], city: int) -> None:
        """Append whole users of a city, whose records stand together.

        Args:
            uid: the user of each record.
            columns: the records, by name of the column.
            city: number of the city.
        """
        with clear_os_errors("temporary files"):
            for name, values in columns.items():
                self._files[name].write(values.astype(self.kinds[name]).tobytes())
        begins = np.flatnonzero(np.diff(uid.astype(np.int64), prepend=-1))
        cities = np.full(len(begins), city, np.int64)
        self._users.append((begins + self.rows, uid[begins].astype(np.int64), cities))
        self.rows += len(uid)

    def close_columns(self) -> None:
        """End the appending; map the columns into memory."""
        for file in self._files.values():
            file.close()
        self._map(self.scratch)
        none = np.empty(0, np.int64)
        starts, self.uid, self.city = (
            (np.concatenate([none, *parts]) for parts in zip(*self._users, strict=True))
            if self._users
            else (none, none, none)
        )
        self.starts = np.append(starts, self.rows)

    def publish(self, folder: Path) -> None:
        """Put the columns where other processes open them with ``open_published``."""
        with clear_os_errors(str(folder)):
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(self.scratch, folder)
            for name in _OF_USERS:
                np.save(folder / f"{name}.npy", getattr(self, name))

    def open_published(self, folder: Path) -> Self:
        """Take the columns that another process wrote, in place of its own; itself."""
        with clear_os_errors(str(folder)):
            for name in _OF_USERS:
                setattr(self, name, np.load(folder / f"{name}.npy", allow_pickle=False))
            self.rows = int(self.starts[-1])
            self._map(folder)
        return self

    def _map(self, folder: Path) -> None:
        for name, kind in self.kinds.items():
            mapped = np.memmap(folder / name, kind, "r") if self.rows else np.zeros(0, kind)
            setattr(self, name, np.asarray(mapped))
