"""The command reference says what --help says, and every example in it works."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from scripts import reference
from tests.conftest import ROOT, environment

COMMANDS = reference.commands()
EXAMPLES = [(c.title, example) for c in COMMANDS for example in c.examples]


def test_all_commands_are_walked() -> None:
    titles = {command.title for command in COMMANDS}
    assert {"humobctl", "humobctl data", "humobctl data mask", "humobctl eval"} <= titles


def test_reference_equals_help() -> None:
    written = (ROOT / "docs" / "reference.md").read_text()
    assert written == reference.reference(), "docs/reference.md is out of date: make docs"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c.title)
def test_every_help_has_an_example(command: reference.Command) -> None:
    assert command.examples, f"{command.title}: no 'Example: humobctl ...' in its help"
    for example in command.examples:
        assert "humobctl " in example


@pytest.mark.parametrize(("title", "example"), EXAMPLES, ids=[e for _, e in EXAMPLES])
def test_example_runs(
    title: str, example: str, workdir: Path, request: pytest.FixtureRequest
) -> None:
    bash = shutil.which("bash")
    assert bash, "examples are written for bash"
    if "finetune" in example:
        models: Path = request.getfixturevalue("tiny_llama")
        for name in ("tinyllama", "trained", "records.jsonl"):
            (workdir / name).symlink_to(models / name)
    done = subprocess.run(
        [bash, "-o", "pipefail", "-c", example],
        capture_output=True,
        text=True,
        check=False,
        cwd=workdir,
        env=environment(),
        stdin=subprocess.DEVNULL,
        timeout=240,
    )
    assert done.returncode == 0, f"{title}: {example}\n{done.stderr}"
    assert "error:" not in done.stderr
