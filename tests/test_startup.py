"""No --help imports a heavy library (how long it takes is in the benchmarks)."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import humobctl
from scripts.reference import Command, commands
from tests.conftest import environment

HEAVY = (
    *("torch", "transformers", "polars", "numba", "plotly", "matplotlib", "dataframely", "numpy"),
    *("zstandard", "fastdtw", "rich", "openai", "pydantic", "scipy", "shapely", "diffusers"),
    *("faiss", "umap", "safetensors", "peft", "ray"),
)
PROBE = f"""
import atexit, json, os, sys
import humobctl.cli
for words in json.loads(sys.argv[1]):
    read, write = os.pipe()
    if not os.fork():  # each call starts with the command line loaded, and nothing more
        os.dup2(write, 1)
        sys.argv[1:] = words
        tell = lambda: print("", *(name for name in {HEAVY!r} if name in sys.modules), sep="\\n")
        atexit.register(tell)
        humobctl.cli.main()
    os.close(write)
    said = os.fdopen(read).read()
    print(json.dumps([os.wait()[1], said]), flush=True)
"""
COMMANDS = commands()


@pytest.fixture(scope="module")
def imported() -> dict[tuple[str, ...], tuple[str, list[str]]]:
    """Standard output of calls, and which heavy libraries they imported."""
    calls = [*((*command.words, "--help") for command in COMMANDS), ("--version",), ("doctor",)]
    done = subprocess.run(
        [sys.executable, "-c", PROBE, json.dumps(calls)],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    found = {}
    for call, line in zip(calls, done.stdout.splitlines(), strict=True):
        status, said = json.loads(line)
        assert status == 0, call
        out, _, heavy = said.rpartition("\n\n")
        found[call] = (out, heavy.split())
    return found


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c.title)
def test_help_imports_nothing_heavy(command: Command, imported) -> None:
    out, heavy = imported[*command.words, "--help"]
    assert out.startswith(f"Usage: {command.title}")
    assert heavy == []


def test_version_imports_nothing_heavy(imported) -> None:
    assert imported["--version",] == (f"humobctl {humobctl.__version__}", [])


def test_probe_sees_what_is_imported(imported) -> None:
    assert "numpy" in imported["doctor",][1]
