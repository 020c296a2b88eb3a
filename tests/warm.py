"""Processes forked from one that has torch imported already: command lines, and pytest's workers.

Importing torch and transformers takes eight seconds of a core, several times what most commands do
in tests. One process imports them for a whole run. Each worker of pytest is a fork of it (``python
-m tests.warm`` stands in for it), and so is each command line that is sent to it, with its own
folder, environment and files as standard streams. humobctl is imported there, too; what is about
its own imports runs in a process that is not forked. polars is, whose threads for work start only
where it works first.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import random
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

HEAVY = (
    "polars",
    "dataframely",
    "typer",
    "scipy.optimize",
    "scipy.stats",
    "openai",
    "pandas",
    "matplotlib.pyplot",
    "torch",
    "torch.utils.tensorboard",
    "accelerate",
    "transformers.models.bert.modeling_bert",
    "transformers.models.llama.modeling_llama",
    "peft",
    "diffusers.schedulers.scheduling_dpmsolver_multistep",
)
ROOT = Path(__file__).resolve().parent.parent
ADDRESS = "HUMOBCTL_TESTS_WARM"
"""The variable with the socket of the process that workers are forked from."""
EVENTS = ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.listdir")
"""What Python tells of the files that it touches."""


def dies(name: str, at: int = 0) -> str:
    """Python with which a process kills itself before it touches files for the ``at``-th time.

    Those whose path contains ``name`` count, and their folders. A process that is not killed says
    at its end, last of all, how often it touched them.
    """
    return f"""
import atexit, os, signal, sys
touched = 0
def touch(event, arguments):
    global touched
    if event in {EVENTS!r} and any({name!r} in str(argument) for argument in arguments):
        touched += 1
        if touched == {at}:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(touch)
atexit.register(lambda: print(touched, file=sys.stderr))
"""


class WarmStart:
    """A connection to the process that is forked from; ``run`` runs a command line.

    Args:
        address: its socket; who finds nobody there starts it, and ends it by ``close``.
        environment: of the process, where it is started here.
    """

    def __init__(self, address: Path, environment: dict[str, str]) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(str(address))
            except OSError:
                self.process = _start(address, environment)
                connection.connect(str(address))
            self.jobs = connection.makefile("rw", encoding="utf-8")

    def run(
        self,
        arguments: list[str],
        *,
        input: bytes,
        cwd: str,
        env: dict[str, str],
        timeout: float,
        processes: int = 1,
        before: str = "",
    ) -> tuple[int, bytes, bytes]:
        """Exit code, standard output and standard error of ``humobctl`` with these arguments.

        Several processes share the streams and are told what ``torchrun`` tells its own. Unlike
        there, none is ended when another fails; the code is that of all, or -1 where they differ.
        ``before`` is Python to run in each process first, such as a fault to come.
        """
        with tempfile.TemporaryDirectory() as folder:
            streams = [Path(folder, name) for name in ("in", "out", "err")]
            streams[0].write_bytes(input)
            job = {"arguments": arguments, "streams": list(map(str, streams))}
            job |= {"cwd": cwd, "env": env, "timeout": timeout, "processes": processes}
            job |= {"before": before}
            self.jobs.write(json.dumps(job) + "\n")
            self.jobs.flush()
            code = int(self.jobs.readline())
            return code, streams[1].read_bytes(), streams[2].read_bytes()

    def close(self) -> None:
        """End the process if it is ours; who is connected to it still is served to the end."""
        self.jobs.close()
        if self.process:
            self.process.communicate()


def _start(address: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """A process that listens already."""
    address.unlink(missing_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-c", "from tests import warm; warm.listen()", address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"listening\n"
    return process


def listen() -> None:
    """Serve whoever connects, each in a process of its own, until standard input ends."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(sys.argv[1])
        listener.listen()
        os.write(1, b"listening\n")
        for name in (*HEAVY, *_ours()):
            with contextlib.suppress(ImportError):
                import_module(name)
        gc.collect()
        gc.freeze()  # forks share it, and do not look through it for garbage
        while listener in select.select([listener, 0], [], [])[0]:
            connection, _ = listener.accept()
            if not os.fork():
                listener.close()
                serve(connection)
                os._exit(0)
            connection.close()
    with contextlib.suppress(ChildProcessError):
        while os.wait():
            pass


def _ours() -> Iterator[str]:
    """All modules of humobctl, but for the one that runs it."""
    for path in sorted((ROOT / "humobctl").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if parts[-1] != "__main__":
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def serve(connection: socket.socket) -> None:
    """Run a job a line until the other end is closed; answer with exit codes."""
    with connection, connection.makefile("rw", encoding="utf-8") as jobs:
        for line in jobs:
            job = json.loads(line)
            if "worker" in job:
                _become_worker(job, jobs, connection)
                return
            ranks = _told(job["processes"])
            children = [os.fork() or _become(job, told) for told in ranks]
            ends = {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children}
            jobs.write(f"{ends.pop() if len(ends) == 1 else -1}\n")
            jobs.flush()


def _become_worker(job: dict[str, Any], jobs: Any, connection: socket.socket) -> None:
    """Be ``python -c CODE`` on the standard streams of who asks; it hears from our end only."""
    jobs.write("streams\n")
    jobs.flush()
    for number, stream in enumerate(socket.recv_fds(connection, 1, 3)[1]):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["env"])
    random.seed()
    for plugin in metadata.entry_points(group="pytest11"):
        # pytest would warn that it cannot rewrite the asserts of what is imported.
        if module := sys.modules.get(plugin.module.partition(".")[0]):
            module.__doc__ = "PYTEST_DONT_REWRITE"
    sys.argv = ["-c"]
    exec(job["worker"], {"__name__": "__main__"})  # noqa: S102 - execnet's own


def stand_in() -> None:
    """Have a worker forked on our standard streams, and end when it does."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.environ[ADDRESS])
        with connection.makefile("rw", encoding="utf-8") as jobs:
            job = {"worker": sys.argv[-1], "cwd": str(Path.cwd()), "env": dict(os.environ)}
            jobs.write(json.dumps(job) + "\n")
            jobs.flush()
            jobs.readline()
            socket.send_fds(connection, [b"."], [0, 1, 2])
            jobs.readline()


def _told(processes: int) -> list[dict[str, str]]:
    """What each process of a group finds in its environment; nothing where it is alone."""
    if processes == 1:
        return [{}]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    together = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    together |= {"WORLD_SIZE": str(processes), "LOCAL_WORLD_SIZE": str(processes)}
    return [{**together, "RANK": str(n), "LOCAL_RANK": str(n)} for n in range(processes)]


def _become(job: dict[str, Any], told: dict[str, str]) -> int:
    """Be ``python -m humobctl`` with a job's arguments; never returns."""
    code: Any = 1
    try:
        signal.alarm(int(job["timeout"]))
        os.chdir(job["cwd"])
        os.environ.clear()
        os.environ.update(job["env"] | told)
        for number, (path, flags) in enumerate(
            zip(
                job["streams"],
                (os.O_RDONLY, *[os.O_WRONLY | os.O_CREAT | os.O_APPEND] * 2),
                strict=True,
            )
        ):
            opened = os.open(path, flags, 0o600)
            os.dup2(opened, number)
            os.close(opened)
        sys.stdin = os.fdopen(0, encoding="utf-8")
        sys.stdout = os.fdopen(1, "w", encoding="utf-8")
        sys.stderr = os.fdopen(2, "w", 1, encoding="utf-8")
        exec(job["before"], {})  # noqa: S102 - a test's own
        sys.argv = ["humobctl", *job["arguments"]]
        runpy.run_module("humobctl", run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 1)


if __name__ == "__main__":
    stand_in()
