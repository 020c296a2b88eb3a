"""Parts on the workers of a Ray cluster.

Each worker is an actor that opens the work once. A few parts are on their way at a time; they pass
through Ray's object store. A worker that dies costs time only: its part goes to a new one.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import secrets
import shutil
import signal
import socket
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from humobctl import __version__
from humobctl.console import report, signals
from humobctl.errors import HumobError, UsageError
from humobctl.execution.task import Done, Moved, PartTask, TaskPart
from humobctl.extras import require
from humobctl.native import threads

AHEAD = 2
"""Parts a worker that are on their way, or done and waiting for their turn."""
DEATHS = 3
"""Workers that a part may cost."""
STORE = 1 << 29
"""Bytes of the object store of a cluster that is started here."""
_CONNECT_SECONDS = 5.0
_ROOM = 16
_PATIENCE_SECONDS = 30.0
_LEAVE_SECONDS = 15.0
"""After Ctrl-C, for the end of the workers."""


@dataclass(frozen=True)
class _Answer:
    """What a worker sends back.

    Attributes:
        done: the result; None for a failure.
        failure: the line of an error of ours.
        usage: whether it was a wrong usage.
        messages: what the worker said, kind and text.
    """

    done: Done | None = None
    failure: str = ""
    usage: bool = False
    messages: tuple[tuple[str, str], ...] = ()


class _Worker:
    """The actor: opens the work when the first part comes."""

    def __init__(self, work: bytes, folder: str, version: str, threads: int | None) -> None:
        if threads is not None:
            os.environ["HUMOBCTL_THREADS"] = str(threads)
        with contextlib.suppress(OSError):  # so that relative paths mean the same
            os.chdir(folder)
        self._pickled, self._version = work, version
        self._open: Any = None

    def run(self, payload: Any) -> _Answer:
        with report.heard() as messages:
            try:
                done = self._run(payload)
            except HumobError as exc:
                usage = isinstance(exc, UsageError)
                return _Answer(None, str(exc), usage, tuple(messages))
            return _Answer(done, messages=tuple(messages))

    def _run(self, payload: Any) -> Done:
        if self._version != __version__:
            raise HumobError(
                f"{socket.gethostname()}: found humobctl {__version__} at a worker, expected "
                f"{self._version} as here"
            )
        if self._open is None:
            work: PartTask = pickle.loads(self._pickled)  # noqa: S301 - made by ourselves, sent by Ray
            self._open = work.open()
        done: Done = self._open(payload, lambda _units: None)
        return done


@dataclass
class _Task:
    part: TaskPart
    payload: Any
    deaths: int = 0


@dataclass
class Cluster:
    """A cluster to join, or to start on this machine for one run.

    Attributes:
        address: host:port of its head, or auto; None to start one.
        workers: at most; None for as many as it has cores (or GPUs, where the work wants those).
    """

    address: str | None = None
    workers: int | None = None
    _temporary: str | None = field(default=None, init=False)

    def run(
        self, work: PartTask, parts: Iterable[TaskPart], moved: Moved, *, in_order: bool
    ) -> Iterator[tuple[TaskPart, Done]]:
        """Parts with their results.

        Args:
            work: what to do.
            parts: with what; taken as they are needed.
            moved: called with the number of finished units of work.
            in_order: of the parts, rather than as they are done.

        Raises:
            HumobError: Ray is not installed, there is no cluster, a part ends its workers again
                and again, or an error of ours in a worker, which reads as it does here.
        """
        require("ray", "--engine ray")
        waiting = iter(parts)
        first = next(waiting, None)
        if first is None:
            return
        with signals.patience(_LEAVE_SECONDS):
            try:
                ray = self._connect()
                pool = _Pool(ray, work, self._size(ray, work), moved, self.address is None)
                yield from pool.run(_put_back(first, waiting), in_order=in_order)
            finally:
                self._leave()

    def _connect(self) -> Any:
        handler = signal.getsignal(signal.SIGTERM)
        environment = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
        options: dict[str, Any] = {"address": self.address}
        if self.address is None:
            environment |= {
                # What Ray does on macOS: every port is bound to loopback.
                "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
                # Nobody else gets in, and no token is left in the home folder.
                "RAY_AUTH_MODE": "token",
                "RAY_AUTH_TOKEN": secrets.token_hex(32),
                "POLARS_MAX_THREADS": os.environ.get("POLARS_MAX_THREADS", "1"),
            }
            self._temporary = _short_folder()
            options = {
                "address": "local",
                "num_cpus": self.workers or threads(),
                "include_dashboard": False,
                "object_store_memory": STORE,
                "_temp_dir": self._temporary,
            }
        else:
            _knock(self.address)
        os.environ.update(environment)
        ray = _import()
        try:
            ray.init(**options, log_to_driver=False, logging_level=logging.CRITICAL)
        except Exception as exc:  # a node that is not up within Ray's half minute is no other
            text = str(exc).strip().splitlines()[0] if str(exc).strip() else type(exc).__name__
            where = "a cluster on this machine" if self.address is None else self.address
            raise HumobError(f"--engine ray: cannot start or join {where}: {text}") from exc
        finally:
            if signal.getsignal(signal.SIGTERM) is not handler:
                signal.signal(signal.SIGTERM, handler)
            signals.claim()
        return ray

    def _size(self, ray: Any, work: PartTask) -> tuple[int, int]:
        """Workers, and GPUs of each."""
        resources = ray.cluster_resources()
        wants_gpu = getattr(work, "device", "cpu") != "cpu" and resources.get("GPU", 0) >= 1
        room = int(resources.get("GPU" if wants_gpu else "CPU", 1))
        # More than there is room for would wait for a place with a part in their hands.
        return max(1, min(self.workers or room, room)), int(wants_gpu)

    def _leave(self) -> None:
        ray = _import()
        ray.shutdown()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)


def _short_folder() -> str:
    """A temporary folder whose name leaves room for Ray's sockets, whose paths have 107 bytes."""
    usual = tempfile.gettempdir()
    return tempfile.mkdtemp(
        prefix="humobctl-",
        dir="/tmp" if len(usual) > _ROOM else usual,  # noqa: S108 - made by mkdtemp
    )


def _import() -> Any:
    import ray  # noqa: PLC0415
    from ray._private import worker  # noqa: PLC0415

    # It prints the deaths of workers to standard output, which is for data.
    worker.print_to_stdstream = lambda *_given, **_named: None
    return ray


def _knock(address: str) -> None:
    """See that a server listens there: Ray itself would try for half a minute.

    Raises:
        UsageError: no address of this form.
        HumobError: no server listens there.
    """
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "/" in address:
        raise UsageError(f"--address: found {address!r}, expected HOST:PORT of Ray's head, or auto")
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()
    except OSError as exc:
        raise HumobError(
            f"--address: found no Ray cluster at {address} ({exc.strerror or exc}), expected the "
            "address that 'ray start --head' prints"
        ) from exc


def _put_back(first: TaskPart, others: Iterator[TaskPart]) -> Iterator[TaskPart]:
    yield first
    yield from others


class _Pool:
    """Actors, and the parts that are on their way."""

    def __init__(
        self, ray: Any, work: PartTask, size: tuple[int, int], moved: Moved, own: bool
    ) -> None:
        self._ray, self._moved = ray, moved
        self._size, gpus = size
        self._actor = ray.remote(num_cpus=1, num_gpus=gpus, max_restarts=0)(_Worker)
        each = max(1, threads() // self._size) if own else None
        # Through the object store once: with a city's places it is megabytes.
        self._given = (ray.put(pickle.dumps(work)), str(Path.cwd()), __version__, each)
        self._idle: list[Any] = []
        self._busy: dict[Any, tuple[Any, _Task]] = {}
        self._again: deque[_Task] = deque()
        self._said: set[tuple[str, str]] = set()
        self._failed: tuple[int, HumobError] | None = None

    def run(self, parts: Iterator[TaskPart], *, in_order: bool) -> Iterator[tuple[TaskPart, Done]]:
        """See ``Cluster.run``."""
        done: dict[int, tuple[TaskPart, Done]] = {}
        order: deque[int] = deque()
        more = True
        while True:
            while more and not self._failed and self._room(len(done)):
                part = next(parts, None)
                if part is None:
                    more = False
                    break
                order.append(part.number)
                self._start(_Task(part, self._ray.put(part.payload)))
            while self._again and not self._failed and len(self._busy) < self._size:
                self._start(self._again.popleft())
            if not self._busy:
                break
            for part, result in self._wait():
                done[part.number] = part, result
            ready = order if not in_order else _ahead(order, done)
            for number in [n for n in ready if n in done]:
                order.remove(number)
                yield done.pop(number)
        if self._failed:
            raise self._failed[1]

    def _room(self, held: int) -> bool:
        on_their_way = len(self._busy) + len(self._again)
        return len(self._busy) < self._size and on_their_way + held < AHEAD * self._size

    def _start(self, task: _Task) -> None:
        actor = self._idle.pop() if self._idle else self._actor.remote(*self._given)
        self._busy[actor.run.remote(task.payload)] = actor, task

    def _wait(self) -> Iterator[tuple[TaskPart, Done]]:
        """Wait for a part at least; those that are done."""
        errors = self._ray.exceptions
        ready, _ = self._ray.wait(list(self._busy), num_returns=1, timeout=_PATIENCE_SECONDS)
        if not ready:  # a worker may be waiting for the place of one that has nothing to do
            self._idle.clear()
        for ref in ready:
            actor, task = self._busy.pop(ref)
            try:
                answer: _Answer = self._ray.get(ref)
            except errors.RayTaskError as exc:
                raise (exc.cause if isinstance(exc.cause, Exception) else exc) from None
            except errors.RayError:  # of the actor, its node or its memory
                self._retry(task)
                continue
            self._idle.append(actor)
            self._say(answer)
            if answer.done is None:
                kind = UsageError if answer.usage else HumobError
                self._fail(task.part.number, kind(answer.failure))
                continue
            self._moved(answer.done.units)
            yield task.part, answer.done

    def _retry(self, task: _Task) -> None:
        task.deaths += 1
        if task.deaths < DEATHS:
            report.detail(f"part {task.part.number} ({task.part.name}): its worker died; retrying")
            self._again.append(task)
            return
        self._fail(
            task.part.number,
            HumobError(
                f"--engine ray: part {task.part.number} ({task.part.name}) killed its worker "
                f"{task.deaths} times; give each worker more memory, or use fewer --workers"
            ),
        )

    def _fail(self, number: int, error: HumobError) -> None:
        """Keep the error of the lowest part, as one after another would find it."""
        if self._failed is None or number < self._failed[0]:
            self._failed = number, error

    def _say(self, answer: _Answer) -> None:
        """What workers said, once."""
        for kind, text in answer.messages:
            if (kind, text) not in self._said:
                self._said.add((kind, text))
                getattr(report, kind)(text)


def _ahead(order: deque[int], done: dict[int, Any]) -> list[int]:
    """The numbers whose turn it is."""
    ready = []
    for number in order:
        if number not in done:
            break
        ready.append(number)
    return ready
