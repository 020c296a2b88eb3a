"""No --help imports a heavy library (how long it takes is in the benchmarks)."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from importlib import import_module

import pytest

from humobctl.cli import COMMANDS
from scripts.reference import Command, commands
from tests.conftest import environment, run_cli

HEAVY = (
    *("torch", "transformers", "polars", "numba", "plotly", "matplotlib", "dataframely", "numpy"),
    *("zstandard", "fastdtw", "rich", "openai", "pydantic", "scipy", "shapely", "diffusers"),
    *("faiss", "umap", "safetensors", "peft", "ray", "typer._adapters"),
)
COMMANDS_PACKAGE = "humobctl.commands."
PROBE = f"""
import atexit, json, os, sys
import humobctl.cli
told = lambda name: name in {HEAVY!r} or name.startswith({COMMANDS_PACKAGE!r})
for words in json.loads(sys.argv[1]):
    read, write = os.pipe()
    if not os.fork():  # each call starts with the command line loaded, and nothing more
        os.dup2(write, 1)
        sys.argv[1:] = words
        atexit.register(lambda: print("", *filter(told, sys.modules), sep="\\n"))
        humobctl.cli.main()
    os.close(write)
    said = os.fdopen(read).read()
    print(json.dumps([os.wait()[1], said]), flush=True)
"""
Imported = dict[tuple[str, ...], tuple[str, list[str]]]


def _module(path: str) -> str:
    return f"{COMMANDS_PACKAGE}{path.partition(':')[0]}"


MODULES = {_module(path) for path, _ in COMMANDS.values()}


@pytest.fixture(scope="module")
def imported() -> Imported:
    """Standard output of calls, and which heavy libraries and commands they imported."""
    calls = [*((*command.words, "--help") for command in commands()), ("--version",), ("doctor",)]
    calls.append(("predict", "--list-models"))
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
        out, _, modules = said.rpartition("\n\n")
        found[call] = (out, modules.split())
    return found


@pytest.mark.parametrize("command", commands(), ids=lambda c: c.title)
def test_help_imports_its_own_command_and_nothing_heavy(
    command: Command, imported: Imported
) -> None:
    out, found = imported[*command.words, "--help"]
    assert out.startswith(f"Usage: {command.title}")
    own = COMMANDS.get(" ".join(command.words))
    assert [name for name in found if name in HEAVY] == []
    assert MODULES & set(found) == ({_module(own[0])} if own else set())


def test_version_imports_nothing_heavy(imported: Imported) -> None:
    assert imported["--version",][1] == []


def test_options_that_are_not_given_are_not_checked(imported: Imported) -> None:
    assert "typer._adapters" not in imported["predict", "--list-models"][1]


def test_probe_sees_what_is_imported(imported: Imported) -> None:
    assert "numpy" in imported["doctor",][1]


@pytest.mark.parametrize("words", COMMANDS)
def test_groups_list_each_command_by_the_first_sentence_of_its_help(words: str) -> None:
    path, summary = COMMANDS[words]
    function = getattr(import_module(_module(path)), path.partition(":")[2])
    first = inspect.getdoc(function).split("\n\n")[0]
    assert " ".join(first.split()) == summary


@pytest.mark.parametrize("words", [(), ("train",)])
def test_a_group_alone_shows_its_help(words: tuple[str, ...]) -> None:
    done = run_cli(*words)
    assert (done.code, done.out) == (2, "")
    assert done.err == run_cli(*words, "--help").out


@pytest.mark.parametrize(
    ("given", "policy"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "active"}, "ACTIVE")]
)
def test_threads_of_torch_do_not_wait_by_running(given: dict[str, str], policy: str) -> None:
    """OpenMP itself says what it goes by; others' cores would be spent on waiting."""
    env = environment(OMP_DISPLAY_ENV="TRUE")
    env.pop("OMP_WAIT_POLICY", None)
    code = "import humobctl.training.device"
    done = subprocess.run(
        [sys.executable, "-c", code], env=env | given, capture_output=True, text=True, check=True
    )
    said = [line for line in done.stderr.splitlines() if "OMP_WAIT_POLICY" in line]
    assert said
    assert all(policy in line for line in said)
