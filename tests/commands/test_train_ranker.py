"""`train ranker`, and `predict` with what it wrote, through the real command line."""

from __future__ import annotations

import json
import subprocess
import sys

import polars as pl
import pytest

from tests.conftest import environment
from tests.messages import fails, says
from tests.plots.svg import texts

SMALL = ("--rows", "1500", "--epochs", "1", "--hidden", "8")


@pytest.fixture
def ranker(cli, workdir):
    done = cli("train", "ranker", "challenge.csv", *SMALL, "-o", "ranker", cwd=workdir)
    assert done.code == 0, done.err
    says(done.err, "ranker:", "ranker trained")
    return workdir


def test_the_losses_of_its_members_are_drawn(cli, workdir):
    pytest.importorskip("matplotlib")
    out = ("-o", "two", "--members", "2", "--plot", "two.svg")
    assert cli("train", "ranker", "challenge.csv", *SMALL, *out, cwd=workdir).code == 0
    assert {"loss", "member 1", "member 2"} <= set(texts(workdir / "two.svg"))
    done = cli("train", "ranker", "challenge.csv", "-o", "a", "--plot", "a.pdf", cwd=workdir)
    fails(done, "a.pdf", ".svg", code=2)
    assert not (workdir / "a").exists()


def test_a_model_dir_says_how_it_came_to_be(ranker):
    files = sorted(p.name for p in (ranker / "ranker").iterdir())
    assert files == ["config.json", "metrics.jsonl", "model.safetensors", "run.json"]
    run = json.loads((ranker / "ranker" / "run.json").read_text())
    (city,) = run["cities"]
    assert (city["file"], city["users"], city["last_day"]) == ("challenge.csv", 20, 59)
    assert city["fingerprint"].startswith("blake2b:")
    assert run["settings"]["hidden"] == 8
    assert json.loads((ranker / "ranker" / "config.json").read_text())["type"] == "ranker"


def test_predicting_with_it_beats_the_mode(cli, ranker):
    scores = {}
    for model in ("mode", "ranker"):
        done = cli("predict", "challenge.csv", "-m", model, "-o", f"{model}.csv", cwd=ranker)
        assert done.code == 0, done.err
        found = cli(
            *("eval", f"{model}.csv", "-t", "city.csv", "--metric", "geobleu", "-f", "csv"),
            cwd=ranker,
        )
        scores[model] = float(found.out.splitlines()[1].split(",")[4])
    assert scores["ranker"] > scores["mode"]
    assert cli("predict", "challenge.csv", "--validate", "ranker.csv", cwd=ranker).code == 0


def test_training_repeats_itself_bit_for_bit(cli, ranker):
    again = cli("train", "ranker", "challenge.csv", *SMALL, "-o", "again", cwd=ranker)
    assert again.code == 0
    first, second = (ranker / name / "model.safetensors" for name in ("ranker", "again"))
    assert first.read_bytes() == second.read_bytes()


KILLED = """
import os, signal
from humobctl.cli import main
from humobctl.predict.ranker.train import RankerTraining
kept = RankerTraining.save
def save(self, path, numbers, *, write):
    kept(self, path, numbers, write=write)
    if self.note()["member"] == 1:
        os.kill(os.getpid(), signal.SIGKILL)
RankerTraining.save = save
main()
"""


def test_a_killed_training_goes_on_bit_for_bit(cli, workdir):
    command = ("train", "ranker", "challenge.csv", *SMALL[:2], "--epochs", "2", "--hidden", "8")
    assert cli(*command, "-o", "straight", cwd=workdir).code == 0
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *command, "-o", "killed"],
        cwd=workdir,
        env=environment(),
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -9, killed.stderr
    assert not (workdir / "killed").exists()
    refused = cli(*command, "-o", "killed", cwd=workdir)
    fails(refused, "killed.training", "unfinished", "--resume", notes=True)
    other = cli(*command, "--seed", "1", "--resume", "-o", "killed", cwd=workdir)
    fails(other, "seed", 1, 0, notes=True)
    done = cli(*command, "--resume", "-o", "killed", cwd=workdir)
    assert done.code == 0, done.err
    for name in ("model.safetensors", "metrics.jsonl", "config.json", "run.json"):
        first, second = (workdir / folder / name for folder in ("straight", "killed"))
        assert first.read_bytes() == second.read_bytes(), name
    assert not (workdir / "killed.training").exists()


def test_the_days_to_predict_are_never_learnt_from(cli, ranker):
    # The truth of days 60 and later makes no difference when training ends on day 59.
    done = cli(
        *("train", "ranker", "city.csv", "--to-day", "59", *SMALL, "-o", "early"), cwd=ranker
    )
    assert done.code == 0, done.err
    first, second = (ranker / name / "model.safetensors" for name in ("ranker", "early"))
    assert first.read_bytes() == second.read_bytes()


def test_the_last_15_days_of_a_whole_file_are_held_out(cli, ranker):
    """Without a masked row its days 60 to 74 are there, but the truth of what is predicted."""
    train = ("train", "ranker", "city.csv", *SMALL)
    done = cli(*train, "-o", "early", cwd=ranker)
    assert done.code == 0, done.err
    says(done.err, "city.csv", "after 59", "held out", "--hold-out")
    first, second = (ranker / name / "model.safetensors" for name in ("ranker", "early"))
    assert first.read_bytes() == second.read_bytes()
    assert cli(*train, "--hold-out", "0", "-o", "all", cwd=ranker).code == 0
    (city,) = json.loads((ranker / "all" / "run.json").read_text())["cities"]
    assert city["last_day"] == 74
    gone = cli(*train, "--hold-out", "75", "-o", "none", cwd=ranker)
    fails(gone, "city.csv", "no known cell", "day -1", "--hold-out", notes=True)


def test_a_model_that_was_trained_on_the_days_asked_for_is_named(cli, ranker):
    """As masked rows, as days of the whole file, and of some of the users in another order."""
    train = ("train", "ranker", "city.csv", *SMALL, "--hold-out", "0", "-o", "all")
    assert cli(*train, cwd=ranker).code == 0
    city = pl.read_csv(ranker / "city.csv")
    some = city.filter(pl.col("uid") < 8).sort("t", "d", "uid", descending=True)
    masked = pl.when(pl.col("d") >= 60).then(999)
    some.with_columns(x=masked.otherwise("x"), y=masked.otherwise("y")).write_parquet(
        ranker / "some.parquet"
    )
    cli("data", "synth", "--users", "8", "--seed", "9", "-o", "other.csv", cwd=ranker)
    days, past = ("--from-day", "60"), ("--from-day", "50", "--to-day", "54")
    asked = (["challenge.csv"], ["some.parquet"], ["city.csv", *days], ["other.csv", *days])
    for model, table, warned in (
        *(("all", table, table[0] != "other.csv") for table in asked),
        *(("ranker", table, False) for table in asked),
        ("ranker", ["city.csv", *past], True),
    ):
        done = cli("predict", *table, "--decode", "argmax", "-m", model, cwd=ranker)
        assert done.code == 0, done.err
        said = "trained on" in done.err
        assert said == warned, (model, table, done.err)
        if warned:
            says(done.err, model, "100%", "--hold-out", "--to-day")


def test_days_after_the_last_one_are_not_read(cli, ranker):
    rows = (ranker / "city.csv").read_text().splitlines(keepends=True)
    (ranker / "past.csv").write_text(
        "".join(row for row in rows if row.startswith("uid") or int(row.split(",")[1]) <= 44)
    )
    flags = ("--from-day", "40", "--to-day", "44", "--model", "ranker")
    whole, past = (cli("predict", name, *flags, cwd=ranker) for name in ("city.csv", "past.csv"))
    assert whole.out == past.out
    assert whole.code == past.code == 0


def test_a_model_serves_a_city_it_has_not_seen(cli, ranker):
    cli("data", "synth", "--users", "4", "--seed", "9", "-o", "other.csv", cwd=ranker)
    flags = ("--from-day", "60", "--model", "ranker")
    done = cli("predict", "other.csv", *flags, "-o", "p.csv", cwd=ranker)
    assert (done.code, done.out) == (0, "")
    assert pl.read_csv(ranker / "p.csv")["uid"].n_unique() == 4


def test_several_cities_at_once(cli, workdir):
    cli("data", "synth", "--users", "3", "--seed", "9", "-o", "other.csv", cwd=workdir)
    files = ("challenge.csv", "other.csv")
    done = cli("train", "ranker", *files, *SMALL, "-o", "both", cwd=workdir)
    assert done.code == 0, done.err
    run = json.loads((workdir / "both" / "run.json").read_text())
    assert [city["file"] for city in run["cities"]] == list(files)


def test_users_without_or_with_one_record_are_answered(cli, ranker):
    lines = ["uid,d,t,x,y", "1,3,20,50,60", "1,60,20,999,999", "2,60,20,999,999"]
    (ranker / "few.csv").write_text("\n".join(lines) + "\n")
    done = cli("predict", "few.csv", "--model", "ranker", cwd=ranker)
    assert done.code == 0
    assert done.out.splitlines()[1:] == ["1,60,20,50,60", "2,60,20,50,60"]


@pytest.mark.parametrize(
    ("arguments", "code", "names"),
    [
        (["challenge.csv", "-o", "ranker"], 1, ("ranker", "--overwrite")),
        (["challenge.csv", "-o", "no/such"], 1, ("no/such", "existing folder")),
        (["challenge.csv", "--to-day", "9", "-o", "m"], 1, ("no user", "training window")),
        (["nowhere.csv", "-o", "m"], 1, ("nowhere.csv",)),
        (["challenge.csv", "--rows", "0", "-o", "m"], 2, ("--rows",)),
    ],
)
def test_what_cannot_be_trained_is_told(cli, ranker, arguments, code, names):
    done = cli("train", "ranker", *arguments, cwd=ranker)
    fails(done, *names, code=code, notes=True)
    assert not (ranker / "m").exists()


def test_overwrite_replaces_the_model(cli, ranker):
    flags = (*SMALL, "--seed", "5", "--overwrite", "-o", "ranker")
    assert cli("train", "ranker", "challenge.csv", *flags, cwd=ranker).code == 0
    assert json.loads((ranker / "ranker" / "run.json").read_text())["seed"] == 5


@pytest.mark.parametrize(
    ("model", "code", "names"),
    [
        ("challenge.csv", 2, ("challenge.csv", "model dir", "GGUF")),
        (".", 1, (".", "config.json", "model dir")),
    ],
)
def test_what_is_no_model_is_told(cli, workdir, model, code, names):
    done = cli("predict", "challenge.csv", "--model", model, cwd=workdir)
    fails(done, *names, code=code)


def test_a_damaged_model_is_told(cli, ranker):
    (ranker / "ranker" / "model.safetensors").write_bytes(b"not arrays")
    done = cli("predict", "challenge.csv", "--model", "ranker", cwd=ranker)
    fails(done, "ranker/model.safetensors", "damaged")


def test_only_a_dry_run_needs_no_output(cli, example_files) -> None:
    command = ("train", "ranker", "challenge.csv")
    done = cli(*command, "--dry-run", cwd=example_files)
    assert done.code == 0, done.err
    fails(cli(*command, cwd=example_files), "--output", "model dir", code=2)
    fails(cli(*command, "--seeds", "2", cwd=example_files), "--seeds", "--output", code=2)
