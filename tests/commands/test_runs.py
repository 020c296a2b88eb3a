"""Records beside outputs: what is in them, that they repeat the output, and `runs`."""

from __future__ import annotations

import json
import shlex

import pytest

import humobctl as hm
from tests.messages import fails

HISTORY = ("predict", "challenge.csv", "--decode", "argmax")


def record_of(path):
    return json.loads(path.with_name(f"{path.name}.run.json").read_text())


def test_the_command_of_a_record_makes_the_output_again(cli, workdir):
    out = workdir / "p.csv"
    done = cli(*HISTORY, "--seed", "3", "-o", "p.csv", cwd=workdir)
    assert (done.code, done.err) == (0, "")
    record = record_of(out)
    assert record["command"] == "humobctl predict challenge.csv --decode argmax --seed 3"
    assert record["options"]["first_weekday"] == "sunday"
    assert list(record["inputs"]) == ["challenge.csv"]
    assert {"python", "polars", "numpy"} <= set(record["packages"])
    again = cli(*shlex.split(record["command"])[1:], "-o", "again.csv", cwd=workdir)
    assert again.code == 0
    assert (workdir / "again.csv").read_bytes() == out.read_bytes()
    assert record_of(workdir / "again.csv") == record


def test_standard_output_and_library_frames_have_no_record(cli, workdir):
    before = sorted(workdir.rglob("*"))
    assert cli(*HISTORY, cwd=workdir).code == 0
    hm.predict(workdir / "challenge.csv", decode="argmax")
    assert sorted(workdir.rglob("*")) == before
    hm.predict(hm.read(workdir / "challenge.csv"), decode="argmax", output=workdir / "f.csv")
    record = record_of(workdir / "f.csv")
    assert record["options"]["table"] == "<DataFrame>"
    assert record["inputs"] == {}


def test_models_and_folders_have_digests(cli, workdir):
    train = ("train", "ranker", "challenge.csv", "--epochs", "1", "--members", "1", "--rows", "200")
    assert cli(*train, "-o", "ranker", cwd=workdir).code == 0
    run = json.loads((workdir / "ranker" / "run.json").read_text())
    assert run["command"] == shlex.join(["humobctl", *train])
    assert cli(*HISTORY, "-m", "ranker", "-o", "parts/", cwd=workdir).code == 0
    record = json.loads((workdir / "parts.run.json").read_text())
    assert list(record["models"]) == ["ranker"]
    assert list(record["inputs"]) == ["challenge.csv"]


def test_no_secret_is_recorded(monkeypatch):
    from humobctl.io.run_record import hide_fields

    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    for text in (
        "http://user:hunter22@host/v1",
        "postgresql://host/db?password=hunter22&user=me",
        '{"api_key": "hunter22", "max_tokens": 512}',
        "sk-0123456789",
    ):
        found = hide_fields([text])[0]
        assert "hunter22" not in found
        assert "sk-0" not in found
    assert "512" in hide_fields('{"api_key": "hunter22", "max_tokens": 512}')
    assert hide_fields("cities/monkey.csv") == "cities/monkey.csv"


def test_runs_are_compared(cli, workdir):
    for seed in ("0", "1"):
        assert cli(*HISTORY, "--seed", seed, "-o", f"p{seed}.csv", cwd=workdir).code == 0
    score = ("eval", "p0.csv", "-t", "city.csv", "--metric", "accuracy", "-o", "scores.csv")
    assert cli(*score, cwd=workdir).code == 0
    with (workdir / "p1.csv").open("a") as file:
        file.write("\n")
    train = ("train", "ranker", "challenge.csv", "--epochs", "1", "--members", "1", "--rows", "200")
    assert cli(*train, "-o", "ranker", cwd=workdir).code == 0
    done = cli("runs", "p0.csv", "p1.csv", cwd=workdir)
    first, second = json.loads(done.out)
    assert (first["seed"], second["seed"]) == (0, 1)
    assert (first["output"], second["output"]) == ("as written", "changed since")
    assert 0 < first["accuracy"] < 1
    assert second["accuracy"] is None
    assert "decode" not in first  # it is the same
    (workdir / "elsewhere").mkdir()
    other = ("predict", "../challenge.csv", "--decode", "argmax", "-o", "p2.csv")
    assert cli(*other, cwd=workdir / "elsewhere").code == 0
    same = json.loads(cli("runs", "p0.csv", "elsewhere/p2.csv", cwd=workdir).out)
    assert "inputs.challenge.csv" not in same[0]  # one file, whatever it is called by
    asked = ("runs", "p0.csv", "p1.csv", "ranker", "--format", "csv")
    head, *_, row = cli(*asked, cwd=workdir).out.splitlines()
    assert head == "run,command,model,seed,output,accuracy,loss"
    assert row.startswith("ranker,train ranker,ranker,0,model,,")
    found = json.loads(cli("runs", ".", cwd=workdir).out)
    assert {"ranker", "p0.csv", "p1.csv"} <= {one["run"] for one in found}
    table = cli("runs", "p0.csv", "--format", "table", cwd=workdir).out
    assert "as written" in table


def test_inputs_of_one_name_in_two_folders_are_told_apart(cli, workdir):
    for name in ("p.csv", "q.csv"):
        (workdir / name).touch()
        inputs = {"a/x.csv": "1", "b/x.csv": name, "c/y.csv": name}
        record = {"command": "humobctl predict", "inputs": inputs}
        (workdir / f"{name}.run.json").write_text(json.dumps(record))
    found = json.loads(cli("runs", "p.csv", "q.csv", cwd=workdir).out)[0]
    assert (found["inputs.b/x.csv"], found["inputs.y.csv"]) == ("p.csv", "p.csv")


@pytest.mark.parametrize(
    ("flags", "model"), [((), "history"), (("--task", "next", "--rolling"), "markov")]
)
def test_the_default_model_is_named(cli, workdir, flags, model):
    (workdir / "small.csv").write_text(
        "uid,d,t,x,y\n1,0,16,5,6\n1,0,18,7,6\n1,1,16,5,6\n" + "1,1,20,999,999\n" * (not flags)
    )
    done = cli("predict", "small.csv", *flags, "-o", "p.csv", cwd=workdir)
    assert done.code == 0, done.err
    (run,) = json.loads(cli("runs", "p.csv", cwd=workdir).out)
    assert run["model"] == model


def test_records_in_a_folder_of_parquet_files_are_no_part_of_the_table(cli, workdir):
    (workdir / "parts").mkdir()
    assert cli(*HISTORY, "-o", "parts/a.parquet", cwd=workdir).code == 0
    assert len([*(workdir / "parts").iterdir()]) == 2
    assert hm.read(workdir / "parts").equals(hm.read(workdir / "parts" / "a.parquet"))


@pytest.mark.parametrize(("name", "says"), [("city.csv", "no record"), ("nowhere", "no record")])
def test_what_has_no_record_is_told(cli, workdir, name, says):
    fails(cli("runs", name, cwd=workdir), name, says, ".run.json")


def test_a_damaged_record_is_told(cli, workdir):
    (workdir / "p.csv.run.json").write_text("{")
    fails(cli("runs", "p.csv", cwd=workdir), "p.csv.run.json", "JSON")
