"""Lines of a shell as the pages show them: humobctl in this process, bash for whatever else."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
from io import BufferedRWPair
from pathlib import Path

import pytest

from tests.conftest import Run, environment, run_cli


def run_line(line: str, cwd: Path, env: dict[str, str] | None = None) -> Run:
    """Run a line; of a pipe the last command's output and all messages, until one fails.

    Pipes between processes, and readers that go away, are tested in test_cli.py.
    """
    words = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
    words.whitespace_split = True
    pipes = [_split(part, "|") for part in _split(list(words), "&&")]
    if not all(_is_ours(command) for pipe in pipes for command in pipe):
        return in_bash(line, cwd, env)
    err, done = "", Run(0, "", "", b"")
    for pipe in pipes:
        done = Run(0, "", "", b"")
        for command in pipe:
            if command[0] == "head":
                kept = b"".join(done.raw.splitlines(keepends=True)[: int(command[1][1:])])
                done = Run(0, kept.decode(), "", kept)
                continue
            done = run_cli(*command[1:], input=done.raw, cwd=cwd, env=env)
            err += done.err
            if done.code:
                return Run(done.code, done.out, err, done.raw)
    return Run(done.code, done.out, err, done.raw)


def _split(words: list[str], sign: str) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for word in words:
        if word == sign:
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


def _is_ours(command: list[str]) -> bool:
    if any(set(word) <= set("|&;<>") for word in command if word) or not command:
        return False
    is_head = command[0] == "head" and len(command) == 2 and command[1][1:].isdigit()
    return command[0] == "humobctl" or is_head


def in_bash(line: str, cwd: Path, env: dict[str, str] | None = None) -> Run:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    done = subprocess.run(
        [bash, "-o", "pipefail", "-c", line],
        capture_output=True,
        check=False,
        cwd=cwd,
        env=environment(**(env or {})),
        stdin=subprocess.DEVNULL,
        timeout=300,
    )
    return Run(done.returncode, done.stdout.decode(), done.stderr.decode(), done.stdout)


ASKS = """#!{python} -SE
import json, os, socket, sys
sent = sys.stdin.buffer.read()  # before it asks: what is before it in a pipe must be answered
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect({address!r})
    with connection.makefile("rwb") as stream:
        asked = {{"arguments": sys.argv[1:], "cwd": os.getcwd(), "input": len(sent)}}
        stream.write(json.dumps(asked).encode() + b"\\n" + sent)
        stream.flush()
        code, *sizes = json.loads(stream.readline())
        out, err = map(stream.read, sizes)
sys.stdout.buffer.write(out)
sys.stderr.buffer.write(err)
sys.exit(code)
"""
"""A program named humobctl that asks this process, where torch is imported, to run it."""


def run_script(command: list[str], cwd: Path, env: dict[str, str]) -> tuple[int, str, str]:
    """Exit code, standard output and error of a script; its humobctl runs in this process.

    One command after another: the parts of a pipe wait for each other.
    """
    folder = cwd / ".bin"
    folder.mkdir()
    address = str(folder / "socket")
    program = folder / "humobctl"
    program.write_text(ASKS.format(python=sys.executable, address=address))
    program.chmod(0o755)
    env = {**env, "PATH": f"{folder}{os.pathsep}{env['PATH']}"}
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        server.settimeout(0.05)
        files = [(folder / name).open("w+b") for name in ("out", "err")]
        streams = {"stdin": subprocess.DEVNULL, "stdout": files[0], "stderr": files[1]}
        with subprocess.Popen(command, cwd=cwd, env=env, **streams) as script:
            while script.poll() is None:
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection, connection.makefile("rwb") as stream:
                    connection.settimeout(60)
                    _answer(stream)
    said = []
    for file in files:
        with file:
            file.seek(0)
            said.append(file.read().decode())
    shutil.rmtree(folder)
    return script.returncode, said[0], said[1]


def _answer(stream: BufferedRWPair) -> None:
    asked = json.loads(stream.readline())
    done = run_cli(*asked["arguments"], input=stream.read(asked["input"]), cwd=Path(asked["cwd"]))
    err = done.err.encode()
    stream.write(json.dumps([done.code, len(done.raw), len(err)]).encode() + b"\n")
    stream.write(done.raw + err)
    stream.flush()
