"""`train bert-moe`, and `predict` with what it wrote, through the real command line."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import load_file, save_file

from tests.conftest import Cli
from tests.messages import fails, says
from tests.warm import dies

TINY = ("--preset", "tiny", "--epochs", "1")
UNBLENDED = ("--blend-users", "0")
"""Without the search for the best blend, which takes longer than a short training."""
SCORES = ("--metric", "geobleu", "-f", "csv")


@pytest.fixture(scope="session")
def cli(warm_cli) -> Cli:
    """Torch is imported once for all these tests."""
    return warm_cli


def records(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def trained(cli, example_files, once, tmp_path_factory):
    """A folder with the example files and ``bert``, trained on challenge.csv."""

    def make(folder: Path) -> None:
        for name in ("city.csv", "challenge.csv"):
            (folder / name).symlink_to(example_files / name)
        challenge = pl.read_csv(folder / "challenge.csv")
        challenge.filter(pl.col("uid") < 3).write_csv(folder / "few.csv")
        train = ("train", "bert-moe", "challenge.csv", "--preset", "tiny", "-o", "bert")
        done = cli(*train, cwd=folder)
        assert done.code == 0, done.err
        says(done.err, "bert:", "bert-moe", "54 steps", "GEO-BLEU")

    folder = tmp_path_factory.mktemp("trained")
    return shutil.copytree(once("bert-moe", make), folder, symlinks=True, dirs_exist_ok=True)


def test_a_model_dir_says_how_it_came_to_be(trained):
    names = {path.name for path in (trained / "bert").iterdir()}
    assert names == {
        "config.json", "metrics.jsonl", "model.safetensors", "run.json", "tensorboard",
    }  # fmt: skip
    assert not (trained / "bert.training").exists()
    run = json.loads((trained / "bert" / "run.json").read_text())
    (city,) = run["cities"]
    assert (city["city"], city["users"], city["last_day"]) == ("challenge", 20, 59)
    assert run["settings"]["hidden_size"] == 16
    assert run["scores"]["geobleu"] > 0
    config = json.loads((trained / "bert" / "config.json").read_text())
    assert (config["type"], config["cities"]) == ("bert-moe", ["challenge"])
    assert 0 <= config["blend"] <= 1


def test_losses_and_scores_are_logged(trained):
    found = records(trained / "bert")
    losses = [record["loss"] for record in found if "loss" in record]
    assert losses[-1] < losses[0]
    assert [record["step"] for record in found if "eval_geobleu" in record] == [27, 54]
    (events,) = (trained / "bert" / "tensorboard").iterdir()
    assert b"train/loss" in events.read_bytes()


def test_it_predicts_better_than_the_mode(cli, trained):
    scores = {}
    for model, blend in (("mode", ()), ("bert", ()), ("bert", ("--blend", "0"))):
        name = f"{model}{len(blend)}.csv"
        flags = ("--decode", "geobleu", *blend)
        done = cli("predict", "challenge.csv", "-m", model, *flags, "-o", name, cwd=trained)
        assert done.code == 0, done.err
        found = cli("eval", name, "-t", "city.csv", *SCORES, cwd=trained)
        scores[name] = float(found.out.splitlines()[1].split(",")[4])
    assert scores["bert0.csv"] > scores["mode0.csv"]
    assert scores["bert0.csv"] != scores["bert2.csv"]
    assert cli("predict", "challenge.csv", "--validate", "bert0.csv", cwd=trained).code == 0


def test_the_days_to_predict_are_never_learnt_from(cli, trained):
    # The file with the truth of days 60 to 74 gives the same model to the last bit.
    flags = (*TINY, "--max-steps", "4", *UNBLENDED, "--city", "challenge")
    for name, output in (("challenge.csv", "masked"), ("city.csv", "whole")):
        done = cli("train", "bert-moe", name, *flags, "-o", output, cwd=trained)
        assert done.code == 0, done.err
    says(done.err, "city.csv", 59, 3870)
    first, second = (trained / name / "model.safetensors" for name in ("masked", "whole"))
    assert first.read_bytes() == second.read_bytes()


def test_a_ranker_is_trained_beside_it_for_users_enough_to_decide(cli, trained):
    flags = (*TINY, "--max-steps", "1", *UNBLENDED)
    found = {}
    for fraction in ("0.1", "0.5"):  # 2 and 10 of 20 users
        name = f"half{fraction}"
        more = ("--validation-fraction", fraction, "-o", name)
        done = cli("train", "bert-moe", "challenge.csv", *flags, *more, cwd=trained)
        assert done.code == 0, done.err
        run = json.loads((trained / name / "run.json").read_text())
        found[fraction] = set(run["scores"]["compared"])
    assert found == {"0.1": {"bert-moe", "history"}, "0.5": {"bert-moe", "history", "ranker"}}


def test_fine_tuning_starts_from_the_trained_weights(cli, trained):
    flags = ("--max-steps", "3", "--learning-rate", "1e-9", "--city", "other", "--seed", "3")
    flags += UNBLENDED
    done = cli(
        *("train", "bert-moe", "city.csv", "--init-from", "bert", *flags, "-o", "tuned"),
        cwd=trained,
    )
    assert done.code == 0, done.err
    says(done.err, "bert", "tensors kept")
    first, second = (load_file(trained / n / "model.safetensors") for n in ("bert", "tuned"))
    assert first.pop("visited").sum() > 0  # of other users: the seed draws who validates
    for name, array in first.items():
        # A city that is new starts as the unknown one.
        wanted = array[[0, 0]] if name == "city.weight" else array
        np.testing.assert_allclose(second[name], wanted, atol=1e-6, err_msg=name)
    run = json.loads((trained / "tuned" / "run.json").read_text())
    assert (run["init_from"], run["settings"]["hidden_size"]) == ("bert", 16)


def test_what_does_not_fit_is_new_and_told(cli, trained):
    flags = ("--init-from", "bert", "--experts", "3", *TINY, "--max-steps", "2", *UNBLENDED)
    done = cli("train", "bert-moe", "city.csv", *flags, "-o", "wide", cwd=trained)
    assert done.code == 0, done.err
    says(done.err, "initialised anew", "moe.weight", "moe.bias", "moe.gate")


def test_several_cities_and_the_city_to_predict(cli, trained):
    files = ("challenge.csv", "city.csv")
    flags = (*TINY, "--max-steps", "3", *UNBLENDED, "--city", "B", "--city", "C", "-o", "both")
    done = cli("train", "bert-moe", *files, *flags, cwd=trained)
    assert done.code == 0, done.err
    for city, code in ((("--city", "C"), 0), ((), 0), (("--city", "D"), 2)):
        done = cli("predict", "few.csv", "-m", "both", *city, "-o", "p.csv", cwd=trained)
        assert done.code == code, done.err
    fails(done, "--city", "'D'", "B", "C", code=2, notes=True)


def test_the_published_way_of_predicting(cli, trained):
    # MobilityBERT, no copy heads, windows that go on from the model's own answers.
    flags = ("--model-name", "MobilityBERT", "--copy-heads", "0", "--horizon", "0")
    flags += ("--max-steps", "4", *UNBLENDED)
    done = cli("train", "bert-moe", "city.csv", *TINY, *flags, "-o", "plain", cwd=trained)
    assert done.code == 0, done.err
    done = cli("predict", "few.csv", "-m", "plain", "--blend", "0", "-o", "p.csv", cwd=trained)
    assert done.code == 0, done.err
    assert cli("predict", "few.csv", "--validate", "p.csv", cwd=trained).code == 0


def test_settings_from_a_file(cli, trained):
    (trained / "s.toml").write_text('preset = "tiny"\nmax_steps = 2\ntop_k = 1\nepochs = 5\n')
    flags = ("--settings", "s.toml", "--precision", "bf16", "--accumulate", "2", *UNBLENDED)
    done = cli("train", "bert-moe", "city.csv", *flags, "-o", "filed", cwd=trained)
    assert done.code == 0, done.err
    run = json.loads((trained / "filed" / "run.json").read_text())
    wanted = {"top_k": 1, "precision": "bf16", "accumulate": 2, "hidden_size": 16}
    assert {key: run["settings"][key] for key in wanted} == wanted
    assert run["steps"] == 2


def test_a_dry_run_writes_nothing(cli, trained):
    before = sorted(trained.iterdir())
    done = cli("train", "bert-moe", "city.csv", *TINY, "--dry-run", "-o", "none", cwd=trained)
    assert done.code == 0, done.err
    assert sorted(trained.iterdir()) == before
    says(done.err, "parameters", 1346653)
    says(done.err, "windows", 419, 27, 16)
    says(done.err, "(16, 96)", "(16, 48)")
    says(done.err, "time:", "on this machine", "after the last step")
    says(done.err, "memory:", "at the peak")
    says(done.err, "disk:", "22 MB a checkpoint", "5 MB the model")


def test_early_stopping(cli, trained):
    # Nothing is learnt at this rate: the second validation is no better than the first.
    flags = (*TINY, "--learning-rate", "0", "--evaluate-every", "4", "--patience", "1", *UNBLENDED)
    done = cli("train", "bert-moe", "city.csv", *flags, "-o", "early", cwd=trained)
    assert done.code == 0, done.err
    assert json.loads((trained / "early" / "run.json").read_text())["steps"] == 8


def test_a_loss_that_is_no_number_stops_with_a_reason(cli, trained):
    folder = trained / "sick"
    subprocess.run(["cp", "-r", trained / "bert", folder], check=True)
    arrays = load_file(folder / "model.safetensors")
    arrays["input_projection.bias"][0] = np.nan
    save_file(arrays, folder / "model.safetensors", metadata={"format": "pt"})
    done = cli("train", "bert-moe", "city.csv", "--init-from", "sick", "-o", "nan", cwd=trained)
    fails(done, "loss", "nan", "step 1", "learning rate", notes=True)
    assert not (trained / "nan").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "names"),
    [
        (["city.csv", "-o", "bert"], 1, ("bert", "--overwrite")),
        (["city.csv", "-o", "no/such"], 1, ("no/such", "existing folder")),
        (["city.csv", "--to-day", "0", "-o", "m"], 2, ("--to-day",)),
        (["city.csv", "--hold-out", "75", "-o", "m"], 1, ("no known cell", "day -1")),
        (["nowhere.csv", "-o", "m"], 1, ("nowhere.csv",)),
        (["city.csv", "--preset", "huge", "-o", "m"], 2, ("tiny", "small", "paper")),
        (["city.csv", "--city", "a", "--city", "b", "-o", "m"], 2, ("2 names", "1 files")),
        (["city.csv", "--device", "cuda", "-o", "m"], 2, ("no GPU",)),
        (["city.csv", "--device", "tape", "-o", "m"], 2, ("auto", "cpu", "cuda")),
        (["city.csv", "--init-from", "city.csv", "-o", "m"], 1, ("city.csv", "model dir")),
        (["city.csv", "--location-ids", "50", "-o", "m"], 1, ("--location-ids", 50)),
        (["city.csv", "--settings", "none.toml", "-o", "m"], 1, ("none.toml",)),
    ],
)
def test_what_cannot_be_trained_is_told(cli, trained, arguments, code, names):
    preset = [] if {"--preset", "--init-from"} & set(arguments) else ["--preset", "tiny"]
    done = cli("train", "bert-moe", *arguments, *preset, cwd=trained)
    fails(done, *names, code=code, notes=True)
    assert not (trained / "m").exists()


def test_a_damaged_model_is_told(cli, trained):
    folder = trained / "broken"
    subprocess.run(["cp", "-r", trained / "bert", folder], check=True)
    (folder / "model.safetensors").write_bytes(b"not arrays")
    done = cli("predict", "challenge.csv", "--model", "broken", cwd=trained)
    fails(done, "broken/model.safetensors", "damaged")


def test_options_of_other_models_are_refused(cli, trained):
    done = cli("predict", "challenge.csv", "--city", "B", cwd=trained)
    assert done.out == ""
    fails(done, "--city", "cities", code=2)
    done = cli("predict", "challenge.csv", "-m", "bert", "--blend", "2", cwd=trained)
    fails(done, "--blend", "'2'", "auto", 0, 1, code=2)


RESUMED = ("--preset", "tiny", "--max-steps", "24", "--evaluate-every", "4", "--seed", "7")
RESUMED += ("--blend-users", "1")


def test_a_killed_training_goes_on_bit_for_bit(cli, trained):
    command = ("train", "bert-moe", "city.csv", *RESUMED, "-o")
    whole = cli(*command, "straight", cwd=trained, before=dies("straight.training"))
    assert whole.code == 0, whole.err
    times = int(whole.err.splitlines()[-1])
    # Between checkpoints, and while one is written.
    draws = random.Random(1)
    for resume in ((), ("--resume",)):
        moment = dies("killed.training", draws.randint(times // 8, times // 4))
        killed = cli(*command, "killed", *resume, cwd=trained, before=moment)
        assert killed.code == -signal.SIGKILL, killed.err
        assert not (trained / "killed").exists()
    # As if a kill had cut the next state short.
    (trained / "killed.training" / ".state.safetensors").write_bytes(b"cut")
    refused = cli(*command, "killed", cwd=trained)
    fails(refused, "killed.training", "unfinished", "--resume", notes=True)
    other = cli(*command, "killed", "--dropout", "0.3", "--resume", cwd=trained)
    fails(other, "dropout", 0.3, 0.1, notes=True)
    done = cli(*command, "killed", "--resume", cwd=trained)
    assert done.code == 0, done.err
    for name in ("model.safetensors", "metrics.jsonl", "config.json", "run.json"):
        first, second = (trained / folder / name for folder in ("straight", "killed"))
        assert first.read_bytes() == second.read_bytes(), name


def test_a_fine_tuned_model_learns_faster_than_a_new_one(cli, trained):
    """At equal steps on the second city, weights from the first one fit unseen users better."""
    for seed, name in ((11, "first"), (12, "second")):
        flags = ("--users", "12", "--seed", str(seed), "-o", f"{name}.parquet")
        assert cli("data", "synth", *flags, cwd=trained).code == 0
    first = ("first.parquet", "--preset", "tiny", "--epochs", "2", "-o", "pre", "--city", "c")
    assert cli("train", "bert-moe", *first, *UNBLENDED, cwd=trained).code == 0
    losses = []
    for name, start_from in (("alone", ("--preset", "tiny")), ("after", ("--init-from", "pre"))):
        flags = (
            "second.parquet",
            *start_from,
            "--max-steps",
            "12",
            "--evaluate-every",
            "12",
            "--city",
            "c",
            "-o",
            name,
            *UNBLENDED,
        )
        done = cli("train", "bert-moe", *flags, cwd=trained)
        assert done.code == 0, done.err
        losses += [r["eval_loss"] for r in records(trained / name) if "eval_loss" in r]
    alone, after = losses
    assert after < alone - 0.05
