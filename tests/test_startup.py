"""No --help imports a heavy library (how long it takes is in the benchmarks)."""

from __future__ import annotations

import subprocess
import sys

import pytest

from scripts.reference import Command, commands
from tests.conftest import environment

HEAVY = (
    *("torch", "transformers", "polars", "numba", "plotly", "matplotlib", "dataframely", "numpy"),
    *("zstandard", "fastdtw", "rich", "openai", "pydantic", "scipy", "shapely", "diffusers"),
    *("faiss", "umap", "safetensors", "peft", "ray"),
)
PROBE = f"""
import atexit, sys
from humobctl.cli import main
tell = lambda: print(*(name for name in {HEAVY!r} if name in sys.modules), file=sys.stderr)
atexit.register(tell)
main()
"""


def imported(*arguments: str) -> tuple[str, list[str]]:
    """Standard output of a call, and which heavy libraries it imported."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    return done.stdout, done.stderr.split()


@pytest.mark.parametrize("command", commands(), ids=lambda c: c.title)
def test_help_imports_nothing_heavy(command: Command) -> None:
    out, heavy = imported(*command.words, "--help")
    assert out.startswith(f"Usage: {command.title}")
    assert heavy == []


def test_version_imports_nothing_heavy() -> None:
    assert imported("--version")[1] == []


def test_probe_sees_what_is_imported() -> None:
    assert "numpy" in imported("doctor")[1]
