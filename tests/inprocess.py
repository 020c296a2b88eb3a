"""Command lines in this process: the real entry, with streams, folder and environment of its own.

A process a command takes a second, nearly all of it for imports. Here the real ``run()`` of
``humobctl.__main__`` runs between two pipes; then everything that it may have changed is put back.
Real processes stay for what is about processes: signals, closed streams, kills, what is imported,
and for variables that Python and libraries read only when they start.
"""

from __future__ import annotations

import atexit
import builtins
import functools
import gc
import io
import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from humobctl import cli, ranks
from humobctl.__main__ import run
from humobctl.console import report
from humobctl.console import signals as our_signals
from humobctl.io import streams

AT_ANY_TIME = ("HUMOBCTL_", "_HUMOBCTL_", "_TYPER_", "OPENAI_API_KEY", "OPENAI_BASE_URL")
AT_ANY_TIME += ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "PATH", "MAKE", "MFLAGS")
"""Variables read whenever they are needed begin so, and those of make, which we never read."""
_app = functools.cache(cli.build_app)
"""The command tree, which takes longer to make than most calls take: each call finds it whole."""
_FILTERS = ("PendingDeprecationWarning", "DeprecationWarning", "ImportWarning", "ResourceWarning")
"""Those that Python leaves out unless it is told otherwise."""


class _Left(BaseException):
    """``os._exit`` was called."""


def serves(env: dict[str, str]) -> bool:
    """Whether a command in this environment can run here."""
    here = threading.current_thread() is threading.main_thread()
    names = {name for name in env | os.environ if env.get(name) != os.environ.get(name)}
    return here and all(name.startswith(AT_ANY_TIME) for name in names)


def run_here(
    arguments: list[str], *, input: bytes, cwd: str | Path | None, env: dict[str, str]
) -> tuple[int, bytes, bytes]:
    """Exit code, standard output and standard error of ``humobctl`` with these arguments."""
    with ExitStack() as stack:
        for what in (_state(), _variables(env), _folder(cwd), _quiet_python(), _signals()):
            stack.enter_context(what)
        said, told = (stack.enter_context(_collected(number)) for number in (1, 2))
        stack.enter_context(_fed(input))
        stack.enter_context(mock.patch.object(sys, "argv", ["humobctl", *arguments]))
        code = _code()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    return code, said[0], told[0]


def _code() -> int:
    """Run it to its end, that of Python's own included."""
    at_exit: list[Callable[[], Any]] = []
    register = atexit.register

    def registered(function: Callable[..., Any], *args: Any, **more: Any) -> Callable[..., Any]:
        if not str(getattr(function, "__module__", "")).startswith("humobctl"):
            return register(function, *args, **more)
        at_exit.append(lambda: function(*args, **more))
        return function

    def finish() -> None:
        while at_exit:
            at_exit.pop()()

    def leave(code: int) -> None:
        raise _Left(code)

    with (
        mock.patch.object(atexit, "register", registered),
        mock.patch.object(atexit, "_run_exitfuncs", finish),
        mock.patch.object(os, "_exit", leave),
        mock.patch.object(our_signals, "install"),
        mock.patch.object(cli, "build_app", _app),
    ):
        try:
            run()
            end: Any = 0
        except (SystemExit, _Left) as exc:
            end = exc.args[0] if exc.args else 0
        except BaseException:
            traceback.print_exc()
            end = 1
        if isinstance(end, str):
            sys.stderr.write(f"{end}\n")
            end = 1
        finish()
    return int(end or 0)


@contextmanager
def _state() -> Iterator[None]:
    """What modules keep for the length of a process, ours and those of libraries."""
    report.configure(quiet=False, verbose=False)
    threshold = gc.get_threshold()
    threads = sys.modules["torch"].get_num_threads() if "torch" in sys.modules else 0
    try:
        yield
    finally:
        gc.set_threshold(*threshold)
        report.configure(quiet=False, verbose=False)
        while streams._put_back:
            streams._put_back.popitem()[1].close()
        ranks._joined = False
        if threads:
            sys.modules["torch"].set_num_threads(threads)
        if "accelerate.state" in sys.modules:
            sys.modules["accelerate.state"].AcceleratorState._reset_state(True)


@contextmanager
def _variables(env: dict[str, str]) -> Iterator[None]:
    """This environment, and no other."""
    before = dict(os.environ)
    _change(env)
    try:
        yield
    finally:
        _change(before)


def _change(env: dict[str, str]) -> None:
    for name in set(os.environ) - set(env):
        del os.environ[name]
    for name, value in env.items():
        if os.environ.get(name) != value:
            os.environ[name] = value


@contextmanager
def _folder(cwd: str | Path | None) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(cwd or before)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def _quiet_python() -> Iterator[None]:
    """Warnings as a fresh Python has them, rather than as errors."""

    def show(message: Any, category: Any, name: str, line: int, *_: object) -> None:
        sys.stderr.write(warnings.formatwarning(message, category, name, line))

    with warnings.catch_warnings(), mock.patch.object(warnings, "showwarning", show):
        warnings.resetwarnings()
        for name in _FILTERS:
            warnings.simplefilter("ignore", getattr(builtins, name))
        yield


@contextmanager
def _signals() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


_writers: dict[int, io.TextIOWrapper] = {}
"""Standard output and error; libraries keep the ones that they found when they were imported."""


@contextmanager
def _collected(number: int) -> Iterator[list[bytes]]:
    """A standard stream into a pipe; its bytes are in the list when the block ends."""
    name = {1: "stdout", 2: "stderr"}[number]
    if number not in _writers or _writers[number].closed:
        opened = os.fdopen(number, "wb", closefd=False)
        errors = "strict" if number == 1 else "backslashreplace"
        _writers[number] = io.TextIOWrapper(
            opened, encoding="utf-8", errors=errors, line_buffering=number == 2
        )
    bytes_read: list[bytes] = []
    reading, writing = os.pipe()
    with _moved(number, writing), mock.patch.object(sys, name, _writers[number]):
        reader = threading.Thread(target=lambda: bytes_read.append(_whole(reading)))
        reader.start()
        try:
            yield bytes_read
        finally:
            if not _writers[number].closed:
                _writers[number].flush()
    reader.join()


def _whole(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as stream:
        return stream.read()


@contextmanager
def _fed(input: bytes) -> Iterator[None]:
    """Standard input from a pipe in which these bytes come."""
    reading, writing = os.pipe()

    def feed() -> None:
        try:
            with os.fdopen(writing, "wb") as stream:
                stream.write(input)
        except BrokenPipeError:
            pass  # not all was wanted

    feeder = threading.Thread(target=feed)
    feeder.start()
    with _moved(0, reading):
        stdin = os.fdopen(0, encoding="utf-8", closefd=False)
        with mock.patch.object(sys, "stdin", stdin):
            yield
    feeder.join()


@contextmanager
def _moved(number: int, to: int) -> Iterator[None]:
    """A standard stream's descriptor leads elsewhere, to where ``to`` does; that is closed."""
    before = os.dup(number)
    os.dup2(to, number)
    os.close(to)
    try:
        yield
    finally:
        os.dup2(before, number)
        os.close(before)
