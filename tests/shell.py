"""Lines of a shell as the pages show them: humobctl in this process, bash for whatever else."""

from __future__ import annotations

import shlex
import shutil
import subprocess
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
