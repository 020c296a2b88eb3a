"""The library: its examples run, it gives what the commands give, and it comes in quickly."""

from __future__ import annotations

import doctest
import inspect
import io
import json
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Literal, TypedDict, Unpack

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import humobctl as hm
from humobctl.api.options import Between
from humobctl.api.signatures import entries, options_of, public
from humobctl.api.tables import PathName, Source
from humobctl.console import report
from scripts import api as page
from tests.conftest import ROOT, Cli, environment

FUNCTIONS = [name for name in hm.__all__ if inspect.isfunction(getattr(hm, name))]
HEAVY = ("polars", "numpy", "typer", "rich", "torch", "dataframely", "humobctl.api")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_example_runs(
    name: str, workdir: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.chdir(workdir)
    if name == "finetune_llama":
        llama: Path = request.getfixturevalue("tiny_llama")
        (workdir / "tinyllama").symlink_to(llama / "tinyllama")
    text = inspect.getdoc(getattr(hm, name)) or ""
    example = doctest.DocTestParser().get_doctest(text, {"hm": hm}, name, None, 0)
    assert example.examples, f"{name}: no example in its docstring"
    said = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("default")  # torch and others warn of what is their own
        doctest.DocTestRunner().run(example, out=said.write)
    assert said.getvalue() == ""


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
        lambda: hm.mask("city.csv", from_day=70, fraction=0.2, seed=4),
        "data mask city.csv --from-day 70 --fraction 0.2 --seed 4",
    ),
    "predict": (
        lambda: hm.predict(hm.read("challenge.csv"), model="markov", decode="sample", seed=5),
        "predict challenge.csv --model markov --decode sample --seed 5",
    ),
    "stays": (
        lambda: hm.stays(hm.read("gps.csv"), minutes=30, include_last=True),
        "data stays gps.csv --minutes 30 --include-last",
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
    parts = hm.split(hm.read("city.csv"), seed=2, validation_fraction=0.1)
    for name, file in (("train", "t.arrow"), ("validation", "v.arrow"), ("test", "s.arrow")):
        assert_frame_equal(parts[name], pl.read_ipc(file))
    files = hm.split("city.csv", seed=2, train="a.csv", test="b.csv")
    assert files["test"]["rows"].item() == hm.read("b.csv").height == parts["test"].height


SCORED = [
    ("predicted.csv", "city.csv", {"days": (60, 70), "metric": ["dtw"], "allow_partial": True}),
    ("generated.csv", "stays.csv", {"privacy": True, "seed": 3}),
    ("predicted.csv", "city.csv", {"generated": True, "metric": ["radius"]}),
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


def test_line_of_the_page_on_files_equals_the_commands(workdir: Path, cli: Cli) -> None:
    page = (ROOT / "docs" / "files.md").read_text().splitlines()
    line = next(line for line in page if "import humobctl as hm; t =" in line)
    done = subprocess.run(
        ["bash", "-c", line.strip()],
        capture_output=True,
        text=True,
        check=True,
        cwd=workdir,
        env=environment(),
    )
    words = "eval predicted.csv --truth city.csv --format table"
    theirs = cli(*words.split(), cwd=workdir).out
    numbers = re.compile(r"-?\d+\.\d+ │")
    assert numbers.findall(done.stdout) == numbers.findall(theirs) != []


def rounded(text: str) -> object:
    """JSON with numbers of twelve digits: polars adds up in any order."""
    return json.loads(text, parse_float=lambda number: f"{float(number):.12g}")


def test_description_equals_the_command(
    workdir: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workdir)
    for name in ("city.csv", "places.csv"):
        found = hm.describe(name)
        out = cli("data", "describe", name, cwd=workdir).out
        assert rounded(out) == rounded(json.dumps(found.to_dict()))
        out = cli("data", "describe", name, "--format", "table", cwd=workdir).out
        assert out.rstrip("\n") == str(found)


# -- what a function takes, which is what its command offers --------------------------------------


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstring_tells_of_every_parameter(name: str) -> None:
    function = getattr(hm, name)
    names = [str(one).partition(":")[0] for one in inspect.signature(function).parameters.values()]
    told = entries(inspect.getdoc(function) or "", "Args")
    assert [one for one in names if not told.get(one)] == []
    assert all(text.endswith(".") for text in told.values())
    assert [text for text in told.values() if re.match("(of|else|the same)\\b", text)] == []


def sample(
    table: Source,
    *,
    hours: Annotated[int, Between(1, 24)] = 6,
    names: Sequence[str] = (),
    near: Annotated[float, Between(None, 1)] | None = None,
    output: PathName | None = None,
    kind: Literal["a", "b"] | None = None,
    **more: Unpack[Sampled],
) -> None:
    """Sample a table.

    Args:
        table: any, of
            many.
        hours: number of hours (with ``near``).
        names: names to use.
        near: nearest.
        kind: which.

    Returns:
        Nothing.
    """


class Sampled(TypedDict, total=False):
    """More.

    Attributes:
        whole: number of wholes.
    """

    whole: Annotated[int, Between(1)] | None


def test_options_are_those_of_signature_and_docstring() -> None:
    function = public({"output": "a file."})(sample)
    assert [
        (one.name, one.kind, one.default, tuple(one.limits), one.metavar, one.text)
        for one in options_of(function)
    ] == [
        (
            "table",
            str,
            inspect.Parameter.empty,
            (None, None),
            "FILE",
            "any, of many.",
        ),
        ("hours", int, 6, (1, 24), None, "number of hours (with ``near``)."),
        ("names", list[str], (), (None, None), None, "names to use."),
        ("near", float, None, (None, 1), None, "nearest."),
        ("output", str, None, (None, None), "FILE", "a file."),
        ("kind", Literal["a", "b"], None, (None, None), None, "which."),
        ("whole", int, None, (1, None), None, "number of wholes."),
    ]
    assert list(inspect.signature(function).parameters)[-1] == "whole"
    assert (function.__doc__ or "").count("\n    whole: number of wholes.\n\nReturns:") == 1
    for hours in (1, 24):
        function("a.csv", hours=hours)
    for wrong, said in (
        ({"hours": 25}, "--hours: found 25, expected at least 1 and at most 24"),
        ({"near": 1.5}, "--near: found 1.5, expected at most 1"),
        ({"whole": 0}, "--whole: found 0, expected at least 1"),
    ):
        with pytest.raises(hm.UsageError) as caught:
            function("a.csv", **wrong)
        assert str(caught.value) == said


# -- what goes in and comes out ------------------------------------------------------------------


def grid(**columns: list[int]) -> pl.DataFrame:
    """A user's day: known in slots 0 and 1, masked in slot 2."""
    rows = {"uid": [7, 7, 7], "d": [0, 0, 0], "t": [0, 1, 2], "x": [5, 5, 999], "y": [6, 6, 999]}
    return pl.DataFrame({**rows, **columns})


def test_frames_of_all_kinds_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {"uid": [7], "d": [0], "t": [2], "x": [5], "y": [6]}
    path = tmp_path / "a.csv"
    hm.write(grid(), path)
    stranger = type("DataFrame", (), {"__module__": "pandas.core.frame"})()
    monkeypatch.setattr(pl, "from_pandas", lambda table: grid() if table is stranger else None)
    arrow = type("Table", (), {"__arrow_c_stream__": grid().__arrow_c_stream__})()
    for table in (grid(), grid().lazy(), stranger, arrow, path, str(path)):
        assert hm.predict(table).to_dict(as_series=False) == wanted
    with pytest.raises(hm.UsageError, match="list"):
        hm.read([1, 2])


def test_frames_of_pandas_are_taken() -> None:
    pandas = pytest.importorskip("pandas")
    assert hm.predict(pandas.DataFrame(grid().to_dict(as_series=False))).rows() == [(7, 0, 2, 5, 6)]
    # Texts with gaps and an index of its own.
    stays = pandas.DataFrame(
        {
            **{"uid": [1, 1], "seq": [0, 1], "start_min": [0, 570], "end_min": [540, 1440]},
            **{"place_id": ["home", None], "lon": [116.25, 116.5], "lat": [39.75, 40.0]},
        },
        index=[5, 3],
    )
    read = hm.read(stays).select("start_min", "end_min", "place_id", "lon", "lat")
    assert read.rows() == [(0, 540, "home", 116.25, 39.75), (570, 1440, None, 116.5, 40.0)]


def test_fault_of_a_frame_is_told_by_row_and_column() -> None:
    with pytest.raises(hm.TableError) as caught:
        hm.predict(grid(x=[5, 201, 999]))
    assert (caught.value.source, caught.value.row, caught.value.column) == ("<DataFrame>", 2, "x")
    assert isinstance(caught.value, hm.HumobError)


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (lambda: hm.predict(grid(), model="guess"), ["--model"]),
        (lambda: hm.predict(grid(), first_weekday="someday"), ["--first-weekday", "someday"]),
        (lambda: hm.predict(grid(), format="csv"), ["--format", "--output"]),
        (lambda: hm.explain(grid(), 7, workers=2), ["--workers"]),
        (lambda: hm.evaluate(grid(), grid(), dialect="humob26"), ["--dialect", "humob26"]),
        (lambda: hm.evaluate(grid(), grid(), min_events=2), ["--min-events", "predicted cells"]),
        (lambda: hm.evaluate(grid(), grid(), within=True), ["--within", "flows"]),
        (lambda: hm.evaluate(grid(), grid(), colour="red"), ["--colour"]),
        (lambda: hm.split(grid(), by="day", from_day=0, train="a.csv"), ["--train", "--test"]),
        (lambda: hm.generate_diffusion(model="none"), ["--count"]),
        (lambda: hm.synth(users=0), ["--users"]),
        (lambda: hm.predict(grid(), batch_size=0), ["--batch-size", "4096"]),
        (lambda: hm.intend(grid(), retries=101), ["--retries", "100"]),
        (lambda: hm.evaluate(grid(), grid(), cell_km=0), ["--cell-km"]),
    ],
)
def test_wrong_usage(call: Callable[[], object], names: list[str]) -> None:
    with pytest.raises(hm.UsageError) as caught:
        call()
    assert [name for name in names if name not in str(caught.value)] == []


def test_output_gets_the_rows_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    done = hm.mask(hm.synth(users=3, days=9, seed=1), from_day=8, output=path)
    there = hm.read(path)
    assert done["output"].item() == str(path)
    assert done["rows"].item() == there.height
    assert done["masked_rows"].item() == there.filter(x=999).height > 0


def test_scores_of_several_frames_go_by_their_names() -> None:
    city = hm.synth(users=12, days=20, seed=2)
    challenge = hm.mask(city, from_day=18)
    tables = {"a": hm.predict(challenge), "b": hm.predict(challenge, model="mode")}
    scores = hm.evaluate(tables, city, dialect="humob25", days=(18, 19))
    assert scores.to_frame()["file"].unique(maintain_order=True).to_list() == ["a", "b", "b - a"]
    assert [one["file"] for one in scores.to_dict()] == ["a", "b"]
    assert "b minus a" in str(scores) == repr(scores)
    assert scores.to_latex().count(r"\begin{tabular}{l") == 2
    assert scores.to_markdown().count("| --- ") == 3
    assert r"95 \% interval" in scores.to_latex()
    assert scores._repr_html_().count("<table>") == 2


def test_silence_in_a_block_and_from_here_on(capsys: pytest.CaptureFixture[str]) -> None:
    city = hm.synth(users=2, days=3, seed=1)
    with hm.quiet():
        hm.mask(city, from_day=1)
    assert capsys.readouterr().err == ""
    hm.mask(city, from_day=1)
    assert capsys.readouterr().err.startswith("masked ")
    hm.quiet()
    hm.mask(city, from_day=1)
    hm.quiet(False)
    assert capsys.readouterr().err == ""
    assert not report.settings.quiet
