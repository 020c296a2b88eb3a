"""Each recipe of CONTRIBUTING.md is followed on a copy of the checkout."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, environment
from tests.test_imports import PACKAGE, circle, climbing, inside, read_imports
from tests.warm import ADDRESS

PAGE = (ROOT / "CONTRIBUTING.md").read_text()
COPIED = ("humobctl", "tests", "scripts", "docs", "completions", "pyproject.toml", "Makefile")
COPIED += ("hatch_build.py", "README.md", "CONTRIBUTING.md", "constraints-cpu.txt")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)


def sections(page: str) -> dict[str, str]:
    """The recipes, each by its title."""
    parts = page.partition("\n## Recipes\n")[2].split("\n### ")
    return {part.partition("\n")[0]: part for part in parts[1:]}


RECIPES = sections(PAGE)


def write_new(block: str, folder: Path) -> list[Path]:
    """Write a file whose first line is a comment with its path."""
    first, _, text = block.partition("\n")
    path = folder / first.removeprefix("# ")
    assert not path.exists(), f"{path} is there already"
    path.write_text(text)
    return [path]


def edit(block: str, folder: Path) -> list[Path]:
    """Replace each hunk without its ``+`` lines by the hunk without its ``-`` lines."""
    paths = []
    for part in re.split(r"^\+\+\+ ", block, flags=re.M)[1:]:
        name, _, body = part.partition("\n")
        path = folder / name
        text = path.read_text()
        for hunk in re.split(r"^@@\n", body, flags=re.M):
            lines = hunk.splitlines(keepends=True)
            old, new = ("".join(line[1:] for line in lines if line[0] != sign) for sign in "+-")
            assert old != new, f"{name}: no line comes or goes"
            assert text.count(old) == 1, f"{name}: found {text.count(old)} times:\n{old}"
            text = text.replace(old, new)
        path.write_text(text)
        paths.append(path)
    return paths


def commands(block: str) -> list[tuple[str, str]]:
    """Each command of a console, and what is shown below it."""
    parts = [part.partition("\n") for part in re.split(r"^\$ ", block, flags=re.M)[1:]]
    return [(command, shown) for command, _, shown in parts]


def copy_checkout(folder: Path) -> dict[str, str]:
    """Copy what recipes touch; the environment in which the copy is the one that runs."""
    for name in COPIED:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, folder / name)
    # Stands in for the packages that make would install.
    (folder / ".venv" / "bin").mkdir(parents=True)
    python = folder / ".venv" / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    (folder / ".venv" / ".installed-dev").touch()
    env = environment(PYTHONPATH=str(folder), PYTEST_DEBUG_TEMPROOT=str(folder / ".venv"))
    own = ("PYTEST_XDIST", ADDRESS)  # the copy has workers of its own
    return {name: value for name, value in env.items() if not name.startswith(own)}


def run(command: str, folder: Path, env: dict[str, str]) -> str:
    """Standard output of a command that must end well."""
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=env,
        timeout=300,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_there_is_a_recipe_for_each() -> None:
    assert list(RECIPES) == ["A predictor", "A metric", "An importer", "A law", "A command"]
    assert {kind for text in RECIPES.values() for kind, _ in BLOCK.findall(text)} == {
        *("python", "diff", "console")
    }


@pytest.mark.parametrize("title", RECIPES)
def test_recipe_does_what_it_says(title: str, tmp_path: Path) -> None:
    for program in ("bash", "make"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    env = copy_checkout(tmp_path)
    touched, ran = [], []
    for kind, block in BLOCK.findall(RECIPES[title]):
        if kind == "console":
            for command, shown in commands(block):
                out = run(command, tmp_path, env)
                assert not shown or out == shown, command
                ran.append(command)
        else:
            touched += (write_new if kind == "python" else edit)(block, tmp_path)
    assert any(command.startswith("python -m pytest ") for command in ran)
    for check in ("check", "format --check"):
        run(f"python -m ruff {check} {' '.join(map(str, touched))}", tmp_path, env)
    graph = inside(read_imports(tmp_path / PACKAGE.name))
    assert climbing(graph) + circle(graph) == []
