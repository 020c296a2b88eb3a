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
import threading
from importlib import import_module
from pathlib import Path
from typing import Any

HEAVY = (
    "torch",
    "torch.utils.tensorboard",
    "accelerate",
    "transformers.trainer",
    "transformers.models.bert.modeling_bert",
    "transformers.models.llama.modeling_llama",
    "peft",
    "diffusers.schedulers",
)


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
        kill_after: float = 0,
    ) -> tuple[int, bytes, bytes]:
        """Exit code, standard output and standard error of ``humobctl`` with these arguments.

        After ``kill_after`` seconds it kills itself, if that is above 0.
        """
        with tempfile.TemporaryDirectory() as folder:
            streams = [Path(folder, name) for name in ("in", "out", "err")]
            streams[0].write_bytes(input)
            job = {"arguments": arguments, "streams": list(map(str, streams))}
            job |= {"cwd": cwd, "env": env, "timeout": timeout, "kill_after": kill_after}
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
            child = os.fork()
            if not child:
                _become(job)
            _, status = os.waitpid(child, 0)
            jobs.write(f"{os.waitstatus_to_exitcode(status)}\n")
            jobs.flush()


def _become(job: dict[str, Any]) -> None:
    """Be ``python -m humobctl`` with a job's arguments; never returns."""
    code: Any = 1
    try:
        signal.alarm(int(job["timeout"]))
        if job["kill_after"]:
            threading.Timer(job["kill_after"], os.kill, (os.getpid(), signal.SIGKILL)).start()
        os.chdir(job["cwd"])
        os.environ.clear()
        os.environ.update(job["env"])
        for number, (path, flags) in enumerate(
            zip(job["streams"], (os.O_RDONLY, *[os.O_WRONLY | os.O_CREAT] * 2), strict=True)
        ):
            opened = os.open(path, flags, 0o600)
            os.dup2(opened, number)
            os.close(opened)
        sys.stdin = os.fdopen(0, encoding="utf-8")
        sys.stdout = os.fdopen(1, "w", encoding="utf-8")
        sys.stderr = os.fdopen(2, "w", 1, encoding="utf-8")
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
