"""Options and commands that do not exist: the message names what was meant."""

from pathlib import Path

import pytest

from humobctl.cli import COMMANDS, GROUPS
from humobctl.console import near_misses
from tests.conftest import Cli
from tests.messages import fails, says

TREE = [*GROUPS, *COMMANDS]


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("describe", "'data describe'"),
        ("data descibe", "'data describe'"),
        ("datadescribe", "'data describe'"),
        ("train bert", "'train bert-moe'"),
        ("llama", "'finetune llama'"),
        ("generate-flows", "'generate flows'"),
        ("score", "'eval'"),
        ("embedding", "'eval embedding'"),
        ("help evl", "'eval'"),
        ("help data imprt", "'data import'"),
        ("predict x --gpu", "'--device cuda'"),
        ("predict x -j 4", "'--workers' or 'HUMOBCTL_THREADS=N"),
        ("data describe x --jobs 4", "'HUMOBCTL_THREADS=N"),
        ("eval x --out y", "'--output'"),
        ("view x -o y", "'--export'"),
        ("eval x --dialct humob25", "'--dialect'"),
        ("eval x --dialct=humob25", "'--dialect'"),
        ("predict --input x", "INPUT without an option"),
        ("explore --input x", "EMBEDDINGS TRAJECTORIES without an option"),
        ("train ranker x -o y --cuda", "no such option: --cuda"),
        ("data mask x --days 60-74", "'--from-day FIRST --to-day LAST'"),
        ("generate frob", "expected gravity, diffusion or flows"),
        ("generate plans.csv", "'generate gravity plans.csv'"),
        ("finetune a/city", "'finetune llama a/city'"),
        ("city.parquet", "'data describe city.parquet'"),
        ("train ranker x --init-from y", "'predict --model DIR'"),
        ("--format table eval x", "options of a command stand after it"),
    ],
)
def test_what_was_meant_is_said(line: str, meant: str, cli: Cli) -> None:
    done = cli(*line.split())
    assert done.out == ""
    fails(done, "no such", meant, code=2)


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("eval a.csv -t a.csv --metric geoblue", "'geobleu'"),
        ("eval a.csv -t a.csv --by weekdy", "'weekday'"),
        ("eval a.csv -t a.csv --format jsn", "'json'"),
        ("generate flows x --law gravitty", "'gravity'"),
        ("predict a.csv --decode argmx", "'argmax'"),
        ("predict a.csv --model hstory", "'history'"),
        ("predict a.csv --model rankers", "'humobctl train ranker' makes a model dir"),
        ("predict a.csv --model my_moddel", "'my_model'"),
        ("train bert-moe a.csv -o m --preset smal", "'small'"),
    ],
)
def test_the_nearest_value_is_said(line: str, meant: str, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("uid,d,t,x,y\n1,0,0,5,5\n1,1,0,999,999\n")
    (tmp_path / "my_model").mkdir()
    (tmp_path / "my_model" / "config.json").write_text("{}")
    done = cli(*line.split(), cwd=tmp_path)
    fails(done, meant, code=2)


def test_a_file_beside_a_missing_one_is_said(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "challenge.csv").write_text("uid,d,t,x,y\n")
    fails(cli("predict", "chalenge.csv", cwd=tmp_path), "chalenge.csv", "'challenge.csv'")
    fails(cli("predict", tmp_path / "challenge2.csv"), f"'{tmp_path}/challenge.csv'")
    done = cli("predict", "nothing.csv", cwd=tmp_path)
    fails(done, "nothing.csv", "no such file", "expected")
    assert "did you mean" not in done.err
    done = cli("predict", "none/city.csv", cwd=tmp_path)
    fails(done, "none/city.csv", "no folder none", "expected")


def test_names_of_values_in_any_case_and_spelling(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("uid,d,t,x,y\n1,0,0,5,5\n")
    flags = ("--metric", "GEO-BLEU", "--edition", "HuMob25", "--by", "Weekday")
    done = cli("eval", "a.csv", "-t", "a.csv", *flags, "-f", "CSV", cwd=tmp_path)
    assert [line.split(",")[2:5] for line in done.out.splitlines()[1:]] == [
        ["geobleu", "humob25", "1.0"],
        ["geobleu", "humob25|weekday:Sunday", "1.0"],
    ]


@pytest.mark.parametrize("line", ["help", "help data mask", "data help", "help -q eval embedding"])
def test_help_is_a_command_as_well(line: str, cli: Cli) -> None:
    done = cli(*line.split())
    assert (done.code, done.err) == (0, "")
    wanted = [word for word in line.split() if word not in ("help", "-q")]
    assert done.out.startswith(" ".join(["Usage: humobctl", *wanted]))


@pytest.mark.parametrize(
    "line", ["frobnicate", "train x", "predict --xyzzy", "data describe x --save y"]
)
def test_nothing_is_offered_for_what_is_like_nothing(line: str, cli: Cli) -> None:
    done = cli(*line.split())
    assert done.code == 2
    assert "did you mean" not in done.err


@pytest.mark.parametrize(
    ("typed", "setting"),
    [
        (["--num-location-ids", "5"], "--location-ids"),
        (["--input_seq_length=7"], "--input-length"),
        (["--predict-seq-length", "0"], "--prediction-length"),
        (["--weekday_embedding_size", "0"], "--holiday-embedding-size"),
    ],
)
def test_names_of_published_scripts_are_options(typed: list[str], setting: str, cli: Cli) -> None:
    done = cli("train", "bert-moe", "no.csv", "--dry-run", "-o", "none", *typed)
    assert "No such option" not in done.err
    if typed[-1] == "0":
        says(done.err, f"{setting}: found 0, expected 1")


def test_a_model_path_is_the_model_or_the_base_model() -> None:
    typed = ["a.csv", "--model-path=m", "--", "--batch", "b"]
    known = {"--model", "--base", "--batch-size"}
    assert near_misses.accept_aliases(typed, known) == ["a.csv", "--model=m", "--", "--batch", "b"]
    assert near_misses.accept_aliases(typed[:2], {"--base"}) == ["a.csv", "--base=m"]
    assert near_misses.accept_aliases(["--batch", "3"], known) == ["--batch-size", "3"]
    assert near_misses.accept_aliases(["--batch", "3"], {"--batch"}) == ["--batch", "3"]


def test_everything_offered_exists() -> None:
    from scripts.language import options_of_app

    options = {name for _, one in options_of_app() for name in one.opts} | {"--quiet"}
    for offered in [*near_misses.ALIASES.values(), *near_misses.OPTIONS.values()]:
        for one in offered:
            assert one.split()[0] in options or one.startswith(("HUMOBCTL_THREADS", "humobctl"))
    for command, option in near_misses.ELSEWHERE:
        assert command in TREE
        assert option in options
    assert {*near_misses._OF_FILES.values()} <= {*TREE}
    for offered in near_misses.COMMANDS.values():
        assert any(one in TREE or "-" in one for one in offered), offered
