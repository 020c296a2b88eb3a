"""The library: its examples run, it gives what the commands give, and it comes in quickly."""

from __future__ import annotations

import doctest
import inspect
import io
import json
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import humobctl as hm
from humobctl.cli import COMMANDS
from scripts import api as page
from tests.conftest import ROOT, Cli, environment

FUNCTIONS = [name for name in hm.__all__ if inspect.isfunction(getattr(hm, name))]
HEAVY = ("polars", "numpy", "typer", "rich", "torch", "dataframely", "humobctl.api")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_example_runs(name: str, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workdir)
    text = inspect.getdoc(getattr(hm, name)) or ""
    example = doctest.DocTestParser().get_doctest(text, {"hm": hm}, name, None, 0)
    assert example.examples, f"{name}: no example in its docstring"
    said = io.StringIO()
    doctest.DocTestRunner().run(example, out=said.write)
    assert not said.getvalue()


def test_page_equals_docstrings() -> None:
    assert (ROOT / "docs" / "api.md").read_text() == page.page(), "docs/api.md: make docs"


def test_import_brings_nothing_heavy() -> None:
    probe = f"import sys, humobctl; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", probe],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    assert done.stdout.strip() == "[]"


def test_names_are_those_that_are_offered() -> None:
    assert set(hm.__all__) == set(hm._HOME_OF)
    assert set(dir(hm)) >= set(hm.__all__)
    with pytest.raises(AttributeError, match="guess"):
        hm.guess  # noqa: B018


@pytest.mark.parametrize("room", ["predict", "intend", "embed", "evaluate"])
def test_functions_are_not_hidden_by_rooms_of_the_same_name(room: str) -> None:
    import_module(f"humobctl.{room}")
    assert inspect.isfunction(getattr(hm, room))


# -- the same as the commands --------------------------------------------------------------------

PAIRS: dict[str, tuple[Callable[[], pl.DataFrame], str]] = {
    "synth": (
        lambda: hm.synth(users=5, days=9, seed=3),
        "data synth -n 5 --days 9 --seed 3",
    ),
    "read": (
        lambda: hm.read("gps.csv", grid="500m@39.6,116.0", outside="drop"),
        "data import gps.csv --grid 500m@39.6,116.0 --outside drop",
    ),
    "mask": (
        lambda: hm.mask("city.csv", from_day=70, share=0.2, seed=4),
        "data mask city.csv --from-day 70 --share 0.2 --seed 4",
    ),
    "predict": (
        lambda: hm.predict(hm.read("challenge.csv"), model="markov", decode="sample", seed=5),
        "predict challenge.csv --model markov --decode sample --seed 5",
    ),
    "explain": (
        lambda: hm.explain("challenge.csv", 3, model="slot-mode"),
        "predict challenge.csv --explain 3 --model slot-mode",
    ),
    "intend": (
        lambda: hm.intend(hm.read("population.csv"), count=9, days=2, seed=6),
        "intend population.csv --count 9 --days 2 --seed 6",
    ),
    "gravity": (
        lambda: hm.generate_gravity(
            hm.read("plans.csv"), places=hm.read("places.csv"), law="epr", seed=7
        ),
        "generate gravity plans.csv --places places.csv --law epr --seed 7",
    ),
    "flows": (
        lambda: hm.generate_flows(hm.read("counties.csv"), fit="commuting.csv", sample=True),
        "generate flows counties.csv --fit commuting.csv --sample",
    ),
    "nearest": (
        lambda: hm.embed("embeddings.parquet", nearest=7, k=3),
        "embed embeddings.parquet --nearest 7 -k 3",
    ),
    "embed": (
        lambda: hm.embed(hm.read("city.csv"), model="embedder", city=["city"]),
        "embed city.csv --model embedder --city city",
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_frame_equals_what_the_command_writes(
    name: str, workdir: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workdir)
    function, words = PAIRS[name]
    done = cli(*words.split(), "--output", "there.arrow", cwd=workdir)
    assert done.code == 0, done.err
    assert_frame_equal(function(), pl.read_ipc("there.arrow"), check_exact=True)


def test_split_equals_what_the_command_writes(
    workdir: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workdir)
    words = "data split city.csv --seed 2 --validation v.arrow --train t.arrow --test s.arrow"
    assert cli(*words.split(), cwd=workdir).code == 0
    parts = hm.split(hm.read("city.csv"), seed=2, validation_share=0.1)
    for name, file in (("train", "t.arrow"), ("validation", "v.arrow"), ("test", "s.arrow")):
        assert_frame_equal(parts[name], pl.read_ipc(file))
    files = hm.split("city.csv", seed=2, train="a.csv", test="b.csv")
    assert files["test"]["rows"].item() == hm.read("b.csv").height == parts["test"].height


SCORED = [
    ("predicted.csv", "city.csv", {"days": (60, 70), "metric": ["dtw"], "allow_partial": True}),
    ("generated.csv", "stays.csv", {"privacy": True, "seed": 3}),
    ("plans.csv", None, {"min_events": 2}),
    ("flows.csv", "commuting.csv", {"within": True}),
]


@pytest.mark.parametrize(("table", "truth", "options"), SCORED, ids=[one[0] for one in SCORED])
def test_scores_equal_those_of_the_command(
    table: str,
    truth: str | None,
    options: dict[str, object],
    workdir: Path,
    cli: Cli,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(workdir)
    words = ["--truth", truth] if truth else []
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        values = value if isinstance(value, list) else [value]
        for one in values:
            shown = f"{one[0]}-{one[1]}" if isinstance(one, tuple) else str(one)
            words += [flag] if one is True else [flag, shown]
    scores = hm.evaluate(table, truth, **options)
    done = cli("eval", table, *words, cwd=workdir)
    assert done.code == 0, done.err
    assert json.loads(done.out) == scores.to_dict()
    assert cli("eval", table, *words, "-f", "csv", cwd=workdir).out == scores.to_frame().write_csv()
    done = cli("eval", table, *words, "--output", "table.txt", "-f", "table", cwd=workdir)
    assert (workdir / "table.txt").read_text() == f"{scores}\n"


def test_evaluation_of_embedders_equals_the_command(
    workdir: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workdir)
    scores = hm.evaluate_embedding("city.csv", model="embedder", metric=["reid_top1"])
    words = ["eval", "embedding", "city.csv", "--model", "embedder", "--metric", "reid_top1"]
    assert json.loads(cli(*words, cwd=workdir).out) == scores.to_dict()


def test_description_equals_the_command(
    workdir: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workdir)
    for name in ("city.csv", "places.csv"):
        found = hm.describe(name)
        assert json.loads(cli("data", "describe", name, cwd=workdir).out) == found.to_dict()
        out = cli("data", "describe", name, "--format", "table", cwd=workdir).out
        assert out.rstrip("\n") == str(found)


def _command_options() -> list[tuple[str, str, object]]:
    """Function of the library, option and default of every command that calls one of its name."""
    names = {
        **{f"data {name}": name for name in ("synth", "describe", "split", "mask")},
        **{"data import": "read", "predict": "predict", "intend": "intend", "embed": "embed"},
        **{f"generate {name}": f"generate_{name}" for name in ("gravity", "diffusion", "flows")},
        "eval embedding": "evaluate_embedding",
    }
    functions = {
        **{words: COMMANDS[words][0] for words in names},
        **{
            f"eval {name}": f"eval_{name}:{function}"
            for name, function in (
                *(("cells", "cells"), ("plans", "plans"), ("generated", "generated_data")),
                ("flows", "flows_between_areas"),
            )
        },
    }
    found = []
    for words, path in functions.items():
        module, _, function = path.partition(":")
        command = getattr(import_module(f"humobctl.commands.{module}"), function)
        name = names.get(words, words.replace("eval ", "evaluate_"))
        options = inspect.signature(command).parameters.values()
        found += [(name, option.name.rstrip("_"), option.default) for option in options]
    return found


@pytest.mark.parametrize(("name", "option", "default"), _command_options())
def test_option_has_the_same_default_in_the_library(
    name: str, option: str, default: object
) -> None:
    theirs = inspect.signature(getattr(hm, name)).parameters
    found = next((one for one in theirs.values() if one.name.rstrip("_") == option), None)
    if found is None or found.default in (inspect.Parameter.empty, ()):
        return
    assert found.default == default
