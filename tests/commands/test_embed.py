"""`train embedder`, `embed`, `eval embedding` and `explore --export` through the command line."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from safetensors.numpy import load_file

from tests.conftest import Cli
from tests.messages import fails, says
from tests.warm import dies


@pytest.fixture(scope="session")
def cli(warm_cli: Cli) -> Cli:
    """Torch is imported once for all these tests."""
    return warm_cli


def test_a_model_dir_says_whom_it_saw(example_files) -> None:
    folder = example_files / "embedder"
    names = {path.name for path in folder.iterdir()}
    assert names == {"config.json", "metrics.jsonl", "model.safetensors", "run.json"}
    run = json.loads((folder / "run.json").read_text())
    assert (run["trained_on"], run["cities"][0]["of_users"]) == (10, 20)
    beside = run["scores"]["compared"]
    assert set(beside) == {"embedder", "median day", "most visited cell", "tf-idf + SVD"}
    assert "reid_top1_alternate" not in beside["median day"]  # it has no vector
    home = beside["most visited cell"]["home_km"]
    assert 0 <= home["low"] <= home["value"] <= home["high"]
    assert json.loads((folder / "config.json").read_text())["cities"] == ["city"]
    seen = load_file(folder / "model.safetensors")["seen.1"]
    assert len(seen) == 10
    assert not Path(f"{folder}.training").exists()


def test_the_same_vectors_in_every_form_and_order(cli, workdir) -> None:
    table = pl.read_parquet(workdir / "embeddings.parquet")
    assert table.columns == ["uid", "embedding", "city"]
    assert table.schema["embedding"] == pl.Array(pl.Float32, 512)
    assert table["uid"].to_list() == list(range(20))
    vectors = table["embedding"].to_numpy()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    # Rows in another order and small batches, from a pipe.
    shuffled = pl.read_csv(workdir / "city.csv").sample(fraction=1.0, shuffle=True, seed=1)
    done = cli(
        *("embed", "-", "--model", "embedder", "--city", "city", "--batch-rows", "500"),
        input=shuffled.write_csv(),
        cwd=workdir,
    )
    assert done.code == 0, done.err
    wide = pl.read_csv(done.out.encode())
    assert wide.columns[:4] == ["uid", "city", "e1", "e2"]
    np.testing.assert_allclose(wide[:, 2:].to_numpy(), vectors, atol=1e-4)
    for name in ("v.npy", "v.safetensors", "v.csv"):
        again = cli("embed", "embeddings.parquet", "--pca", "2", "-o", name, cwd=workdir)
        assert again.code == 0, again.err
        back = cli("embed", name, "--format", "parquet", cwd=workdir)
        found = pl.read_parquet(back.raw)
        assert found["uid"].to_list() == list(range(20))
        np.testing.assert_allclose(found["embedding"].to_numpy(), vectors, atol=1e-6)
        assert found.columns[-2:] == ["pc1", "pc2"]
    whole = np.load(workdir / "v.npy", allow_pickle=False)
    assert whole.dtype.names == ("uid", "embedding", "pca", "city")
    centred = vectors - vectors.mean(axis=0)
    spread = np.linalg.svd(centred, compute_uv=False)[:2]
    np.testing.assert_allclose(np.linalg.norm(whole["pca"], axis=0), spread, rtol=1e-3)


def test_nearest_users_are_those_of_the_highest_cosine(cli, workdir) -> None:
    done = cli("embed", "embeddings.parquet", "--nearest", "7", "-k", "3", cwd=workdir)
    found = pl.read_csv(done.out.encode())
    vectors = pl.read_parquet(workdir / "embeddings.parquet")["embedding"].to_numpy()
    cosines = vectors @ vectors[7]
    cosines[7] = -2
    assert found["neighbour"].to_list() == np.argsort(-cosines)[:3].tolist()
    np.testing.assert_allclose(found["cosine"], np.sort(cosines)[::-1][:3], atol=1e-5)
    everybody = cli("embed", "embeddings.parquet", "--nearest", "all", "-k", "2", cwd=workdir)
    assert pl.read_csv(everybody.out.encode()).height == 40


def test_only_users_not_seen_are_scored(cli, workdir) -> None:
    command = ("eval", "embedding", "city.csv", "-m", "embedder", "--metric", "reid_top1")
    done = cli(*command, cwd=workdir)
    assert done.code == 0, done.err
    found = json.loads(done.out)
    counted = ["mean cell", "median cell", "median day", "most visited cell"]
    bags = ["tf-idf + SVD", "slots x cells", "slot histograms"]
    assert [one["method"] for one in found] == ["embedder", *counted, *bags]
    assert found[0]["trained_on"] == ["city"]
    assert found[1]["trained_on"] is None
    assert found[0]["users"] == {"city": 10}
    signature = found[0]["scores"][0]["signature"]
    assert signature.startswith("reid_top1_alternate|halves:alternate|similarity:cosine|gallery:10")
    # The file under another name is known by its rows.
    (workdir / "city.csv").rename(workdir / "other.csv")
    renamed = cli(*command[:2], "other.csv", *command[3:], cwd=workdir)
    assert json.loads(renamed.out)[0]["users"] == {"other": 10}
    everybody = cli(*command[:2], "other.csv", *command[3:], "--users", "all", cwd=workdir)
    assert json.loads(everybody.out)[0]["users"] == {"other": 20}


def test_each_of_several_cities_is_scored_with_intervals(cli, workdir) -> None:
    # Moved by one cell it is another city, and the model was trained on nobody of it.
    moved = pl.read_csv(workdir / "city.csv").with_columns(pl.col("x") - 1)
    moved.filter(pl.col("x") > 0).write_csv(workdir / "moved.csv")
    command = ("eval", "embedding", "city.csv", "moved.csv", "-m", "embedder")
    more = ("--metric", "home_km", "--metric", "reid_top1", "--output")
    for name, form in (("scores.json", "json"), ("scores.txt", "table"), ("scores.csv", "csv")):
        done = cli(*command, *more, name, "-f", form, cwd=workdir)
        assert done.code == 0, done.err
    one, *_ = json.loads((workdir / "scores.json").read_text())
    assert one["users"] == {"city": 10, "moved": 20}
    assert one["trained_on"] == ["city"]
    home = next(score for score in one["scores"] if score["metric"] == "home_km")
    assert home["low"] <= home["value"] <= home["high"]
    assert list(one["by_city"]) == ["city", "moved"]
    text = (workdir / "scores.txt").read_text()
    says(
        " ".join(text.split()), "city; city of training: embedder", "moved; another city: embedder"
    )
    files = pl.read_csv(workdir / "scores.csv")["file"].to_list()
    assert {"embedder", "embedder in city", "embedder in moved"} <= set(files)


@pytest.mark.parametrize(
    ("command", "code", "names"),
    [
        (("embed", "city.csv"), 2, ("--model", "model dir")),
        (("embed", "embeddings.parquet", "--nearest", "99"), 1, ("user 99",)),
        (("embed", "embeddings.parquet", "--nearest", "x"), 2, ("--nearest", "'x'")),
        (("embed", "embeddings.parquet", "--pca", "21"), 2, ("--pca", 21, 1, 20)),
        (("embed", "embeddings.parquet", "-f", "npy"), 2, ("--format npy", "--output")),
        (("embed", "city.csv", "-m", "city.csv"), 1, ("config.json",)),
        (("embed", "city.csv", "-m", "embedder", "--city", "z"), 2, ("--city", "'z'")),
        (("eval", "embedding", "city.csv", "--metric", "x"), 2, ("--metric", "'x'")),
        (("explore", "city.csv", "city.csv", "--export", "p.html"), 1, ("columns uid, d, t",)),
        (("explore", "embeddings.parquet", "city.csv", "--export", "p.txt"), 2, ("p.txt", ".html")),
        (
            ("train", "embedder", "city.csv", "--train-below", "1", "-o", "z"),
            1,
            ("1 of 20", "--train-below 1", "from 0 to 19"),
        ),
    ],
)
def test_bad_input_is_one_line(cli, example_files, tmp_path, command, code, names) -> None:
    for name in ("city.csv", "embeddings.parquet", "embedder"):
        (tmp_path / name).symlink_to(example_files / name)
    done = cli(*command, cwd=tmp_path)
    fails(done, *names, code=code, notes=True)
    assert {path.name for path in tmp_path.iterdir()} == {
        "city.csv", "embeddings.parquet", "embedder"
    }  # fmt: skip


def test_damaged_vectors_are_named(cli, workdir) -> None:
    table = pl.read_parquet(workdir / "embeddings.parquet")
    vectors = table["embedding"].to_numpy().copy()
    vectors[4, 7] = np.nan
    table.with_columns(embedding=vectors).write_parquet(workdir / "nan.parquet")
    done = cli("embed", "nan.parquet", "--nearest", "1", cwd=workdir)
    fails(done, "nan.parquet", "row 5", "column embedding", "finite")
    pl.concat([table, table[3:4]]).write_parquet(workdir / "twice.parquet")
    done = cli("embed", "twice.parquet", "--pca", "1", cwd=workdir)
    fails(done, "twice.parquet", "row 21", "column uid", "user 3")


def test_a_killed_training_goes_on_to_the_same_bits(cli, example_files, tmp_path) -> None:
    (tmp_path / "city.csv").symlink_to(example_files / "city.csv")
    flags = ("--preset", "tiny", "--steps", "12", "--evaluate-every", "2", "--batch-size", "8")
    command = ("train", "embedder", "city.csv", *flags)
    straight = dies("straight.training/state")
    whole = cli(*command, "-o", "straight", cwd=tmp_path, before=straight)
    assert whole.code == 0, whole.err
    times = int(whole.err.splitlines()[-1])
    killed = cli(
        *command, "-o", "killed", cwd=tmp_path, before=dies("killed.training/state", times // 2)
    )
    assert killed.code == -signal.SIGKILL, killed.err
    assert not (tmp_path / "killed").exists()
    refused = cli(*command, "-o", "killed", cwd=tmp_path)
    fails(refused, "killed.training", "unfinished", "--resume", notes=True)
    done = cli(*command, "-o", "killed", "--resume", cwd=tmp_path)
    assert done.code == 0, done.err
    for name in ("model.safetensors", "config.json", "metrics.jsonl"):
        first, second = ((tmp_path / folder / name) for folder in ("straight", "killed"))
        assert first.read_bytes() == second.read_bytes(), name
    assert not (tmp_path / "killed.training").exists()
