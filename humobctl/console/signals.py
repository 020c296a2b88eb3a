"""Ctrl-C and SIGTERM end the process soon and leave no half-written file.

Python runs its signal handlers between two instructions of the main thread, and that thread may
be inside native code (a Parquet sink, a sort) for as long as the data last. So a second thread
waits for signals as well: when the main thread has not ended within a grace period, it removes
the unfinished files and ends the process itself.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

GRACE_SECONDS = 1.0
_unfinished: set[Path] = set()
_words: list[Callable[[], str]] = []
_last: str | None = None
_installed = False


def install(before_exit: Callable[[], None]) -> None:
    """Called once by the command line, in the main thread; Ctrl-C raises from here on.

    Args:
        before_exit: what else to tidy up when the process is ended from the second thread.
    """
    global _installed, _last  # noqa: PLW0603 - signals belong to the process, too
    _last = None
    signal.signal(signal.SIGTERM, _terminate)
    if callable(signal.getsignal(signal.SIGINT)):  # the quiet end of __main__
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if os.name != "posix":
        return  # no pipe can be waited for there; Python's own handlers must do
    receiving, sending = os.pipe()
    os.set_blocking(sending, False)
    signal.set_wakeup_fd(sending, warn_on_full_buffer=False)
    watch = threading.Thread(target=_watch, args=(receiving, before_exit), daemon=True)
    watch.start()
    _installed = True


def claim() -> None:
    """Take Ctrl-C back from polars, which claims it when it is imported.

    Its handler restarts a blocked read, so that Ctrl-C would do nothing while a pipe is silent.
    Outside the command line this leaves all handlers as they are.
    """
    if not _installed or threading.current_thread() is not threading.main_thread():
        return
    handler = signal.getsignal(signal.SIGINT)
    if callable(handler):  # not where the parent has us ignore it (nohup, a shell's &)
        signal.signal(signal.SIGINT, handler)


@contextmanager
def remove_if_ended(path: Path) -> Iterator[Path]:
    """A file or folder that must not outlive the block, however the process ends."""
    _unfinished.add(path)
    try:
        yield path
    finally:
        _remove(path)
        _unfinished.discard(path)


@contextmanager
def last_words(words: Callable[[], str]) -> Iterator[None]:
    """What is kept of the block's work, and how to go on, if the process is interrupted in it.

    Args:
        words: asked when that happens, in any thread; nothing is said if they are none.
    """
    global _last  # noqa: PLW0603 - one process, one end
    _words.append(words)
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        _last = words() if _last is None else _last  # before others tidy up
        raise
    finally:
        _words.remove(words)


def take_last_words() -> str:
    """The line that an interrupted process ends with; nothing the second time."""
    global _last  # noqa: PLW0603 - the same
    text = _last
    if text is None:
        text = _words[-1]() if _words else "interrupted; unfinished files were removed"
    _last = ""
    return text


def _remove(path: Path) -> None:
    with suppress(OSError):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """A longer grace period for a block whose end takes time, such as a cluster's."""
    global GRACE_SECONDS  # noqa: PLW0603 - one process, one period
    before, GRACE_SECONDS = GRACE_SECONDS, seconds
    try:
        yield
    finally:
        GRACE_SECONDS = before


def _terminate(_signal: int, _frame: object) -> None:
    raise SystemExit(128 + signal.SIGTERM)


def _watch(receiving: int, before_exit: Callable[[], None]) -> None:
    wanted = (signal.SIGINT, signal.SIGTERM)
    number = 0
    while number not in wanted:
        number = os.read(receiving, 1)[0]
    select.select([receiving], [], [], GRACE_SECONDS)  # a second signal ends the wait
    for path in list(_unfinished):
        _remove(path)
    before_exit()
    os._exit(128 + number)
