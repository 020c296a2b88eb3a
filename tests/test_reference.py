"""The command reference says what --help says, and every example in it works."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scripts import reference
from tests.conftest import ROOT
from tests.shell import run_line

COMMANDS = reference.commands()
EXAMPLES = {example: c.title for c in COMMANDS for example in c.examples}


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


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_runs(
    example: str, few_people: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    shutil.copytree(few_people, tmp_path, dirs_exist_ok=True)
    if "finetune" in example:
        models: Path = request.getfixturevalue("tiny_llama")
        for name in ("tinyllama", "trained", "records.jsonl"):
            (tmp_path / name).symlink_to(models / name)
    done = run_line(example, tmp_path)
    assert done.code == 0, f"{EXAMPLES[example]}: {example}\n{done.err}"
    assert "error:" not in done.err
