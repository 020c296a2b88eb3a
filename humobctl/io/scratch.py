"""A temporary folder that is removed when the context of its owner ends."""

from __future__ import annotations

import shutil
import tempfile
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from humobctl.io.streams import clear_os_errors


class Scratch:
    """Base of whatever keeps rows in temporary files; a context manager."""

    @cached_property
    def scratch(self) -> Path:
        """The temporary folder, made when it is first asked for.

        Raises:
            HumobError: there is no room for temporary files.
        """
        with clear_os_errors("temporary files"):
            return Path(tempfile.mkdtemp(prefix="humobctl-"))

    @property
    def has_scratch(self) -> bool:
        """Whether the folder was asked for."""
        return "scratch" in self.__dict__

    def close(self) -> None:
        """Remove the temporary folder."""
        if self.has_scratch:
            shutil.rmtree(self.scratch, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
