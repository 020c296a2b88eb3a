"""Command lines in processes of their own, forked from one that has torch imported already.

Importing torch and transformers takes five seconds of a core, several times what most commands do
in tests. ``python -m tests.warm SOCKET`` imports them once; each job that is sent to it runs in a
fork, with its own folder, environment and files as standard streams. polars and humobctl are not
imported here: polars starts threads, which a fork would lack, and humobctl is what is tested.
"""

from __future__ import annotations

import contextlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

HEAVY = (
    "torch",
    "torch.utils.tensorboard",
    "accelerate",
    "transformers.models.bert.modeling_bert",
    "transformers.models.llama.modeling_llama",
    "peft",
    "diffusers.schedulers",
)
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
    """The process that is forked from; ``run`` runs a command line."""

    def __init__(self, environment: dict[str, str]) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "tests.warm", str(theirs.fileno())]
            root = Path(__file__).resolve().parent.parent
            self.process = subprocess.Popen(
                command, pass_fds=[theirs.fileno()], env=environment, cwd=root
            )
        self.jobs = ours.makefile("rw", encoding="utf-8")
        ours.close()

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
        """End the process, which ends when nothing more can come."""
        self.jobs.close()
        self.process.wait()


def serve(connection: socket.socket) -> None:
    """Import, then run a job a line until the other end is closed; answer with exit codes."""
    for name in HEAVY:
        with contextlib.suppress(ImportError):
            import_module(name)
    assert "polars" not in sys.modules
    with connection, connection.makefile("rw", encoding="utf-8") as jobs:
        for line in jobs:
            job = json.loads(line)
            ranks = _told(job["processes"])
            children = [os.fork() or _become(job, told) for told in ranks]
            ends = {os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children}
            jobs.write(f"{ends.pop() if len(ends) == 1 else -1}\n")
            jobs.flush()


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
    serve(socket.socket(fileno=int(sys.argv[1])))
