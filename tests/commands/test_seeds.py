"""`--seeds` of predictions and trainings, and `eval --as-seeds` of what they wrote."""

from __future__ import annotations

import json

import polars as pl
import pytest

from humobctl.commands.seeds import add_seed
from humobctl.evaluate.cells.run import CellEvalSettings, Evaluator
from humobctl.evaluate.cells.seeds import entry_of, pool_seeds
from tests.messages import fails, says

TRUTH = "uid,d,t,x,y\n" + "".join(f"{uid},60,0,50,50\n" for uid in range(12))
FILES = {"a.seed-0.csv": 50, "b.csv": 58, "a.seed-1.csv": 54}
"""Everyone is 0 and 2 km off with the seeds of a, and 4 km with b."""


@pytest.fixture
def entries(tmp_path):
    (tmp_path / "truth.csv").write_text(TRUTH)
    for name, x in FILES.items():
        (tmp_path / name).write_text(TRUTH.replace(",50,50", f",{x},50"))
    return tmp_path


def test_names_with_and_without_seeds():
    names = {"a.csv": "a.seed-3.csv", "d/b.x.csv.gz": "d/b.x.seed-3.csv.gz", "f/": "f.seed-3/"}
    assert {name: add_seed(name, 3) for name in names} == names
    assert {name: entry_of(given) for name, given in names.items()} == {
        name: name for name in names
    }
    assert entry_of("ranker/seed-2/p.seed-4.csv") == "ranker/p.csv"


def test_each_seed_is_what_it_is_alone(cli, few_people, tmp_path):
    flags = ("-m", "mode", "--decode", "sample", "--seed", "4")
    done = cli(
        *("predict", few_people / "challenge.csv", *flags, "--seeds", "2", "-o", "p.csv"),
        cwd=tmp_path,
    )
    assert done.code == 0, done.err
    files = {"p.seed-4.csv", "p.seed-5.csv"}
    assert {p.name for p in tmp_path.iterdir()} == files | {f"{one}.run.json" for one in files}
    alone = cli("predict", few_people / "challenge.csv", *flags[:-1], "5")
    assert (tmp_path / "p.seed-5.csv").read_text() == alone.out
    assert alone.out != (tmp_path / "p.seed-4.csv").read_text()
    record = json.loads((tmp_path / "p.seed-5.csv.run.json").read_text())
    assert record["options"]["seed"] == 5
    assert "--seed 5" in record["command"]


def test_what_cannot_be_done_with_several_seeds(cli, few_people, tmp_path):
    city, two = few_people / "challenge.csv", ("--seeds", "2")
    out = ("-o", tmp_path / "p.csv")
    fails(cli("predict", city, *two), "--seeds", "'-'", "--output", code=2)
    fails(cli("predict", city, *two, "-o", "/dev/null"), "--seeds", "/dev/null", code=2)
    fails(cli("predict", "-", *two, *out, input=""), "--seeds", "standard input", code=2)
    for other in (("--explain", "0"), ("--validate", city), ("--task", "next")):
        fails(cli("predict", city, *two, *out, *other), "--seeds", other[0], code=2)
    assert not [*tmp_path.iterdir()]


def test_model_dirs_of_several_seeds(cli, few_people, tmp_path):
    small = ("--rows", "200", "--epochs", "1", "--hidden", "2", "--members", "1")
    train = ("train", "ranker", few_people / "city.csv", *small, "--to-day", "45", "-o", "ranker")
    done = cli(*train, "--seeds", "2", "--plot", "loss.svg", cwd=tmp_path)
    assert done.code == 0, done.err
    runs = [tmp_path / "ranker" / f"seed-{seed}" for seed in range(2)]
    assert [json.loads((run / "run.json").read_text())["settings"]["seed"] for run in runs] == [
        0,
        1,
    ]
    assert {"loss.seed-0.svg", "loss.seed-1.svg", "ranker"} == {p.name for p in tmp_path.iterdir()}
    fails(cli(*train, "--seeds", "2", cwd=tmp_path), "seed-0", "--overwrite")
    more = cli(*train, "--seeds", "3", "--resume", cwd=tmp_path)
    says(more.err, "seed-0: left as it is")
    says(more.err, "seed-2: ranker trained")
    inside = (*train[:-1], "ranker/seed-0", "--seeds", "2")
    fails(cli(*inside, cwd=tmp_path), "ranker/seed-0", "model dir", "--seeds")


def test_a_dry_run_says_once_what_each_seed_would_do(cli, few_people, tmp_path):
    flags = ("--preset", "tiny", "--dry-run", "-o", "gru", "--seeds", "3")
    pytest.importorskip("torch")
    done = cli("train", "next-gru", few_people / "city.csv", *flags, cwd=tmp_path)
    assert done.code == 0, done.err
    assert not [*tmp_path.iterdir()]


def evaluate(cli, folder, *flags):
    done = cli(
        *("eval", *FILES, "-t", "truth.csv", "--metric", "distance", "--as-seeds", *flags),
        cwd=folder,
    )
    assert done.code == 0, done.err
    return done.out


def test_seeds_of_one_entry_are_scored_as_one(cli, entries):
    seeds, other = json.loads(evaluate(cli, entries))
    assert (seeds["file"], seeds["seeds"]) == ("a.csv", ["a.seed-0.csv", "a.seed-1.csv"])
    (score,) = seeds["scores"]
    # Means of 0 and 2 km: their mean is 1, their deviation the root of 2; one seed has 0 or 2.
    assert score["value"] == 1
    assert score["sd"] == pytest.approx(2**0.5)
    assert (score["interval"], score["confidence"]) == ([0, 2], 0.95)
    assert "|seeds:2|" in score["signature"]
    (difference,) = other["differences"]
    assert (difference["from"], difference["difference"]) == ("a.csv", 3)
    assert difference["interval"] == [2, 4]
    assert "sd" not in other["scores"][0]
    assert "seeds" not in other


def test_tables_of_seeds(cli, entries):
    frame = pl.read_csv(evaluate(cli, entries, "-f", "csv").encode())
    assert frame.select("file", "value", "low", "high", pl.col("sd").round(4)).rows() == [
        ("a.csv", 1, 0, 2, 1.4142),
        ("b.csv", 4, None, None, None),
        ("b.csv - a.csv", 3, 2, 4, None),
    ]
    table = evaluate(cli, entries, "-f", "table")
    says(table, "1.00 ± 1.41 [0.00, 2.00]", "4.00")
    says(table, "standard deviation over seeds", "95 % interval")
    says(table, "bootstrap over users and seeds")


def test_errors_of_seeds_are_means(entries, monkeypatch):
    monkeypatch.chdir(entries)
    settings = CellEvalSettings(names=("distance",), with_errors=True)
    evaluator = Evaluator([*FILES], "truth.csv", settings)
    assert len([*evaluator.run()]) == 3
    seeds, other = pool_seeds(evaluator.evaluations, resamples=100)
    assert seeds.errors.by_slot[0].tolist() == [12, 6, 12]  # rows, hits, km
    assert other.errors.by_slot[0].tolist() == [12, 0, 48]


def test_files_that_are_no_seeds_of_one_entry(cli, entries):
    files = ("a.seed-0.csv", "b.csv")
    done = cli("eval", *files, "-t", "truth.csv", "--as-seeds", cwd=entries)
    fails(done, "--as-seeds", "predicted.seed-0.csv", code=2)
    (entries / "a.seed-1.csv").write_text(TRUTH.replace("11,60,0,50,50\n", ""))
    three = ("a.seed-0.csv", "a.seed-1.csv")
    done = cli(
        *("eval", *three, "-t", "truth.csv", "--as-seeds", "--users", "predicted"), cwd=entries
    )
    fails(done, "a.seed-1.csv", "11 users", "a.seed-0.csv")


def ranked(first, second):
    """Two candidates of everyone's row, of which the true cell (50, 50) is the first or second."""
    lists = "".join(
        f"{uid},60,0,{rank},{x},50,{p}\n"
        for uid in range(12)
        for rank, x, p in ((1, first, 0.6), (2, second, 0.4))
    )
    return f"uid,d,t,rank,x,y,p\n{lists}"


def test_seeds_of_ranked_candidates(cli, entries):
    files = ("r.seed-0.csv", "other.csv", "r.seed-1.csv")
    for name, cells in zip(files, ((50, 51), (51, 50), (51, 50)), strict=True):
        (entries / name).write_text(ranked(*cells))
    what = ("-t", "truth.csv", "--metric", "acc@1", "--metric", "ece", "--as-seeds")
    done = cli("eval", *files, *what, cwd=entries)
    assert done.code == 0, done.err
    pooled, other = json.loads(done.out)
    assert pooled["file"] == "r.csv"
    assert pooled["seeds"] == ["r.seed-0.csv", "r.seed-1.csv"]
    acc, ece = pooled["scores"]
    assert (acc["value"], acc["interval"]) == (0.5, [0.0, 1.0])
    assert acc["sd"] == pytest.approx(0.5**0.5)
    assert ece["value"] == pytest.approx((0.4 + 0.6) / 2)  # not that of both together, .1
    assert "seeds:2" in acc["signature"]
    assert "sd" not in other["scores"][0]
    assert other["differences"][0]["difference"] == pytest.approx(-0.5)
    table = pl.read_csv(cli("eval", *files, *what, "-f", "csv", cwd=entries).out.encode())
    assert table["sd"][0] == pytest.approx(0.5**0.5)


def test_tables_without_seeds_say_what_to_do(cli, entries):
    (entries / "flows.csv").write_text("origin,destination,flow\nA,B,3\n")
    done = cli("eval", "flows.csv", "flows.csv", "-t", "flows.csv", "--as-seeds", cwd=entries)
    fails(done, "--as-seeds", "predicted cells", "flows", "--format csv", "mean", code=2)
