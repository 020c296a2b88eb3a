"""A temporary folder that is removed when the context of its owner ends."""

from __future__ import annotations

import secrets
import tempfile
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from humobctl.console import signals
from humobctl.io.streams import clear_os_errors


class Scratch:
    """Base of whatever keeps rows in temporary files; a context manager.

    The folder does not outlive the process, however that ends short of SIGKILL.
    """

    @cached_property
    def scratch(self) -> Path:
        """The temporary folder, made when it is first asked for.

        Raises:
            HumobError: there is no room for temporary files.
        """
        with clear_os_errors("temporary files"), ExitStack() as undo:
            folder = Path(tempfile.gettempdir(), f"humobctl-{secrets.token_hex(8)}")
            # Known before it is there, since a signal may come at any time.
            undo.enter_context(signals.remove_if_ended(folder))
            folder.mkdir(mode=0o700)
            self._remove = undo.pop_all()
        return folder

    @property
    def has_scratch(self) -> bool:
        """Whether the folder was asked for."""
        return "scratch" in self.__dict__

    def close(self) -> None:
        """Remove the temporary folder."""
        if self.has_scratch:
            self._remove.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
