"""`train diffusion` and `generate diffusion` through the real command line."""

from __future__ import annotations

import functools
import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from safetensors.numpy import load_file

from tests.conftest import Cli
from tests.messages import fails, raises, says

# diffusers 0.42 with numpy 2
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TINY = ("--preset", "tiny", "--steps", "20")
PLACES = """place_id,name,category,intent,lat,lon
a,,,,39.90,116.30
b,,,,39.91,116.30
c,,,eat,39.92,116.30
d,,,,39.93,116.31
"""


@pytest.fixture(scope="session")
def cli(warm_cli) -> Cli:
    """Torch is imported once for all these tests."""
    return warm_cli


@pytest.fixture(scope="module")
def folder(cli, example_files, tmp_path_factory) -> Path:
    """A folder with stays.csv, plans.csv, places.csv, and the models ``days`` and ``free``."""
    place = tmp_path_factory.mktemp("diffusion")
    for name in ("stays.csv", "plans.csv"):
        (place / name).write_text((example_files / name).read_text())
    (place / "places.csv").write_text(PLACES)
    free = ("--condition", "none", "--min-stays", "3")
    for name, options in (("days", ("--name", "first try")), ("free", free)):
        done = cli("train", "diffusion", "stays.csv", *TINY, *options, "-o", name, cwd=place)
        assert done.code == 0, done.err
        says(done.err, f"{name}:", "diffusion", "20 steps", "JSD")
        says(done.err, "nearest training day")
    return place


def generated(cli, folder, *options, code=0):
    done = cli("generate", "diffusion", *options, cwd=folder)
    assert done.code == code, done.err
    return pl.read_csv(done.out.encode()) if code == 0 else done.err


def test_a_model_dir_says_how_it_came_to_be(folder) -> None:
    names = {path.name for path in (folder / "days").iterdir()}
    assert names == {"config.json", "metrics.jsonl", "model.safetensors", "run.json"}
    assert not (folder / "days.training").exists()
    run = json.loads((folder / "days" / "run.json").read_text())
    assert (run["data"]["days"], run["data"]["people"]) == (54, 27)
    assert run["data"]["validation_days"] == 6
    assert run["name"] == "first try"
    # Everybody goes to a meal at the same place and a few to work; a sampled day is not a copy.
    assert (run["privacy"]["copies"], run["privacy"]["nearest_median"] > 0.01) == (0.0, True)
    config = json.loads((folder / "days" / "config.json").read_text())
    assert (config["type"], config["condition"]) == ("diffusion", "intent")
    assert config["scale"]["lon"] == pytest.approx(116.3)
    lines = (folder / "days" / "metrics.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    assert records[-1]["loss"] < records[0]["loss"]
    assert records[-1]["step"] == 20


def test_places_and_homes_of_another_city_are_refused(cli, folder) -> None:
    (folder / "helsinki.csv").write_text("place_id,lat,lon\na,60.17,24.94\n")
    (folder / "pairs.csv").write_text(
        "id,home_lat,home_lon,work_lat,work_lon\na,60.17,24.94,60.2,24.9\n"
    )
    for options in (("--places", "helsinki.csv"), ("--home-work", "pairs.csv")):
        done = cli("generate", "diffusion", "plans.csv", "-m", "days", *options, cwd=folder)
        fails(done, "km from", "model", "60.17", notes=True)
        assert done.out == ""


def test_a_model_whose_days_are_not_like_its_training_says_so(cli, folder) -> None:
    config = json.loads((folder / "free" / "config.json").read_text())
    stays = pl.read_csv(folder / "stays.csv")
    days = stays.group_by("uid", "d").len().filter(pl.col("len") >= 3)
    assert config["visits_a_day"] == pytest.approx(days["len"].mean(), rel=0.1)
    done = cli("generate", "diffusion", "-m", "free", "--count", "4", cwd=folder)
    assert pl.read_csv(done.out.encode()).height > 4 * 2 * 4
    says(done.err, "warning:", "visits a day", f"{config['visits_a_day']:.1f}")
    # A model of before says nothing of it, and works.
    del config["visits_a_day"]
    shutil.copytree(folder / "free", folder / "old")
    (folder / "old" / "config.json").write_text(json.dumps(config))
    old = cli("generate", "diffusion", "-m", "old", "--count", "4", cwd=folder)
    assert old.out == done.out
    assert "warning" not in old.err


def test_guidance_of_what_was_never_left_out(cli, folder) -> None:
    config = json.loads((folder / "days" / "config.json").read_text())
    config["settings"]["unconditioned"] = 0
    shutil.copytree(folder / "days", folder / "always")
    (folder / "always" / "config.json").write_text(json.dumps(config))
    flags = ("plans.csv", "-m", "always", "--guidance")
    done = cli("generate", "diffusion", *flags, "2", cwd=folder)
    fails(done, "--guidance", "--unconditioned", code=2, notes=True)
    assert cli("generate", "diffusion", *flags, "1", cwd=folder).code == 0


def test_plans_keep_their_times_and_people_their_home(cli, folder) -> None:
    visits = generated(cli, folder, "plans.csv", "-m", "days")
    plans = pl.read_csv(folder / "plans.csv").drop("reason")
    assert visits.select(plans.columns).equals(plans)
    home = visits.filter(pl.col("intent").is_in(["go home", "go to sleep"]))
    assert (home.group_by("uid").agg(pl.struct("lat", "lon").n_unique())["lat"] == 1).all()
    assert home["place_id"].str.starts_with("home-").all()
    assert visits["lat"].is_between(39, 41).all()


def test_a_visit_depends_on_the_seed_and_the_person_alone(cli, folder) -> None:
    whole = generated(cli, folder, "plans.csv", "-m", "days", "--places", "places.csv")
    small = generated(
        cli, folder, "plans.csv", "-m", "days", "--places", "places.csv", "--batch-size", "7"
    )
    assert small.equals(whole)
    some = pl.read_csv(folder / "plans.csv").filter(pl.col("uid") % 3 == 1)
    some.write_csv(folder / "some.csv")
    part = generated(cli, folder, "some.csv", "-m", "days", "--places", "places.csv")
    assert part.equals(whole.filter(pl.col("uid") % 3 == 1))
    raw, other = (
        generated(cli, folder, "plans.csv", "-m", "days", "--seed", seed) for seed in ("0", "1")
    )
    assert not raw.equals(other)


def test_points_become_the_nearest_place_of_their_intent(cli, folder) -> None:
    raw = generated(cli, folder, "plans.csv", "-m", "days", "--places", "places.csv", "--no-snap")
    nearest = ("--places", "places.csv", "--decode", "nearest")
    visits = generated(cli, folder, "plans.csv", "-m", "days", *nearest)
    places = pl.read_csv(folder / "places.csv")
    both = visits.with_columns(raw_lat=raw["lat"], raw_lon=raw["lon"])
    pairs = both.join(
        places.select(p="place_id", p_lat="lat", p_lon="lon", serves="intent"), how="cross"
    )
    pairs = pairs.filter(pl.col("serves").is_null() | (pl.col("serves") == pl.col("intent")))
    north = (pl.col("raw_lat") - pl.col("p_lat")) * 111.195
    east = (pl.col("raw_lon") - pl.col("p_lon")) * 85.3
    nearest = pairs.sort(north**2 + east**2).group_by("uid", "d", "seq").first()
    found = visits.join(nearest.select("uid", "d", "seq", "p"), on=["uid", "d", "seq"])
    assert found.height == visits.height
    assert (found["place_id"] == found["p"]).mean() > 0.97  # but for the roundings of the distance


def test_a_model_without_a_law_takes_the_nearest_places(cli, folder) -> None:
    """As those of older versions."""
    shutil.copytree(folder / "days", folder / "older")
    config = json.loads((folder / "days" / "config.json").read_text())
    assert 0 <= config.pop("law")["return_chance"] <= 1
    (folder / "older" / "config.json").write_text(json.dumps(config))
    given = ("plans.csv", "--places", "places.csv")
    older = generated(cli, folder, *given, "-m", "older")
    assert older.equals(generated(cli, folder, *given, "-m", "days", "--decode", "nearest"))
    assert not older.equals(generated(cli, folder, *given, "-m", "days"))
    refused = generated(cli, folder, *given, "-m", "older", "--decode", "law", code=2)
    assert "older has no law of distances" in refused


@pytest.mark.parametrize("law", [[], {"law": "empirical"}, "short", "negative"])
def test_a_damaged_law_of_a_model_is_one_line(cli, folder, tmp_path, law) -> None:
    """Its tables go to a kernel, which trusts them."""
    shutil.copytree(folder / "days", tmp_path / "damaged")
    config = json.loads((folder / "days" / "config.json").read_text())
    weights = config["law"]["from_home"]
    changed = {"short": weights[:5], "negative": [-1.0] * len(weights)}
    config["law"] = (
        {**config["law"], "from_home": changed[str(law)]} if str(law) in changed else law
    )
    (tmp_path / "damaged" / "config.json").write_text(json.dumps(config))
    given = ("plans.csv", "--places", "places.csv", "-m", str(tmp_path / "damaged"))
    says(generated(cli, folder, *given, code=1), "damaged", "law", "expected")


def test_given_homes_are_kept(cli, folder) -> None:
    (folder / "pairs.csv").write_text(
        "home_lat,home_lon,work_lat,work_lon\n39.95,116.35,39.91,116.45\n"
    )
    visits = generated(cli, folder, "plans.csv", "-m", "days", "--home-work", "pairs.csv")
    at = {
        name: visits.filter(pl.col("intent") == name).select("lat", "lon").unique().rows()
        for name in ("go home", "go to work")
    }
    assert at == {"go home": [(39.95, 116.35)], "go to work": [(39.91, 116.45)]}


def test_days_from_nothing(cli, folder) -> None:
    visits = generated(cli, folder, "-m", "free", "--count", "40", "--places", "places.csv")
    assert visits["uid"].n_unique() == 40
    assert visits.columns[:3] == ["uid", "d", "seq"]
    assert (visits["start_min"] % 10 == 0).all()
    assert (visits["end_min"] > visits["start_min"]).all()
    later = visits.with_columns(before=pl.col("end_min").shift(1).over("uid"))
    assert (later["start_min"] >= later["before"].fill_null(0)).all()
    again = generated(
        cli, folder, "-m", "free", "--count", "40", "--places", "places.csv", "--batch-size", "9"
    )
    assert again.equals(visits)


def test_samplers_and_guidance_are_taken(cli, folder) -> None:
    usual = generated(cli, folder, "plans.csv", "-m", "days")
    for options in (("--sampler", "ddim", "--steps", "5"), ("--guidance", "3")):
        assert not generated(cli, folder, "plans.csv", "-m", "days", *options).equals(usual)


@pytest.mark.parametrize(
    ("options", "code", "names"),
    [
        (("plans.csv", "-m", "free"), 2, ("--count",)),
        (("-m", "days", "--count", "3"), 2, ("condition is intent", "intentions")),
        (("plans.csv", "-m", "free", "--count", "3"), 2, ("--count", "intentions")),
        (("plans.csv", "-m", "days", "--sampler", "euler"), 2, ("ddpm", "ddim", "dpm")),
        (("plans.csv", "-m", "stays.csv"), 1, ("stays.csv", "model dir")),
    ],
)
def test_wrong_usage(cli, folder, options, code, names) -> None:
    says(generated(cli, folder, *options, code=code), "error:", *names)


def test_a_model_whose_arrays_do_not_fit_is_refused(cli, folder) -> None:
    config = json.loads((folder / "days" / "config.json").read_text())
    config["settings"]["width"] = 32
    bad = folder / "bad"
    bad.mkdir()
    for name in ("run.json", "model.safetensors"):
        (bad / name).write_bytes((folder / "days" / name).read_bytes())
    (bad / "config.json").write_text(json.dumps(config))
    says(generated(cli, folder, "plans.csv", "-m", "bad", code=1), "error:", "bad", "damaged")


def test_a_training_goes_on_to_the_last_bit(cli, folder, tmp_path) -> None:
    (tmp_path / "stays.csv").write_text((folder / "stays.csv").read_text())
    common = ("train", "diffusion", "stays.csv", *TINY, "--evaluate-every", "10")
    assert cli(*common, "-o", "whole", cwd=tmp_path).code == 0
    # Stop after the first state, as a kill would: the scores of the second cannot be taken.
    from humobctl.generate.diffusion.config import resolve
    from humobctl.generate.diffusion.train import DiffusionRecipe
    from humobctl.training.session import TrainingJob, train
    from humobctl.training.torch_loop import TorchTraining

    settings = resolve("tiny", None, {"steps": 20, "evaluate_every": 10})
    recipe = DiffusionRecipe(settings, str(tmp_path / "stays.csv"))
    kept, calls = TorchTraining.save, []

    def save(training, path, numbers, *, write):
        kept(training, path, numbers, write=write)
        calls.append(training.step)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TorchTraining, "save", save)
        with pytest.raises(KeyboardInterrupt):
            train(recipe, TrainingJob(str(tmp_path / "cut"), device="cpu"))
    assert calls == [10]
    assert (tmp_path / "cut.training" / "state.safetensors").is_file()
    refused = cli(*common, "-o", "cut", cwd=tmp_path)
    fails(refused, "cut.training", "--resume", notes=True)
    other = cli(*common, "--lr", "0.1", "-o", "cut", "--resume", cwd=tmp_path)
    fails(other, "learning_rate", 0.1, 0.003, notes=True)
    done = cli(*common, "-o", "cut", "--resume", cwd=tmp_path)
    assert done.code == 0, done.err
    whole, cut = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "cut"))
    assert all((whole[name] == cut[name]).all() for name in whole)
    logs = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("whole", "cut")]
    assert logs[0] == logs[1]


def test_what_cannot_be_learnt_from(cli, folder) -> None:
    bare = pl.read_csv(folder / "stays.csv").drop("intent")
    bare.write_csv(folder / "bare.csv")
    train = functools.partial(cli, "train", "diffusion", cwd=folder)
    found = train("bare.csv", *TINY, "--condition", "intent", "-o", "x")
    fails(found, "bare.csv", "column intent", notes=True)
    found = train("bare.csv", *TINY, "--condition", "category", "-o", "x")
    fails(found, "bare.csv", "column category", notes=True)
    found = train("stays.csv", *TINY, "--min-stays", "9", "-o", "x")
    says(found.err, "60 of 60 days")
    fails(found, "at least 2", notes=True)
    found = train("stays.csv", "--preset", "tiny", "--patch", "7", "-o", "x")
    fails(found, "--patch", 7, code=2, notes=True)
    assert not (folder / "x").is_dir() or (folder / "x" / "run.json").is_file()


@pytest.fixture(scope="module")
def categorised(cli, folder) -> Path:
    """The model ``kinds`` of points with categories: cafes in the north, gyms in the east."""
    rows = []
    for uid in range(20):
        gym = uid % 2
        lat, lon = (39.90, 116.33) if gym else (39.93, 116.30)
        for time, place, at, category in (
            ("00:00", f"home{uid}", (39.90, 116.30), ""),
            ("10:00", f"p{gym}", (lat, lon), "gym" if gym else "cafe"),
            ("12:00", f"home{uid}", (39.90, 116.30), ""),
            ("23:00", f"home{uid}", (39.90, 116.30), ""),
        ):
            rows.append(f"u{uid},2024-01-01 {time}:00,{at[0]},{at[1]},{place},{category}")
    header = "uid,datetime,lat,lon,place_id,category"
    (folder / "points.csv").write_text("\n".join([header, *rows]) + "\n")
    done = cli("train", "diffusion", "points.csv", *TINY, "-o", "kinds", cwd=folder)
    assert done.code == 0, done.err
    says(done.err, "condition category")
    says(done.err, "categories", 2, "40 stays without one")
    return folder


def test_categories_are_the_condition_where_there_are_no_intents(cli, categorised) -> None:
    config = json.loads((categorised / "kinds" / "config.json").read_text())
    assert (config["condition"], config["categories"]) == ("category", ["cafe", "gym"])
    (categorised / "kinds.csv").write_text(
        "uid,d,seq,intent,start_min,end_min,category\n"
        "1,0,0,go home,0,600,\n1,0,1,eat,600,720,cafe\n1,0,2,do sports,780,900,zoo\n"
    )
    (categorised / "of_kinds.csv").write_text(
        "place_id,category,lat,lon\nnear,gym,39.90,116.30\nfar,cafe,45.0,120.0\n"
    )
    done = cli(
        *("generate", "diffusion", "kinds.csv", "-m", "kinds", "--places", "of_kinds.csv"),
        cwd=categorised,
    )
    assert done.code == 0, done.err
    assert pl.read_csv(done.out.encode())["place_id"].to_list() == ["near", "far", "near"]
    says(done.err, "1 event", "category", "model")
    says(done.err, "1 event", "category", "no place")


def test_plans_lack_the_categories_of_the_condition(cli, categorised) -> None:
    error = generated(cli, categorised, "plans.csv", "-m", "kinds", code=1)
    says(error, "error:", "plans.csv", "column category")


def test_dry_run_and_plot(cli, folder) -> None:
    found = cli("train", "diffusion", "stays.csv", *TINY, "--dry-run", "-o", "none", cwd=folder)
    assert found.code == 0
    says(found.err, "condition", "intent", "13 classes")
    says(found.err, "training", "20 steps")
    assert not (folder / "none").exists()
    drawn = cli(
        *("train", "diffusion", "stays.csv", *TINY, "--objective", "flow", "-o", "flow"),
        *("--precision", "bf16", "--device", "cpu", "--plot", "loss.html", "--name", "a flow"),
        cwd=folder,
    )
    assert drawn.code == 0, drawn.err
    picture = (folder / "loss.html").read_text()
    assert "mean JSD" in picture
    assert "a flow" in picture
    visits = generated(cli, folder, "plans.csv", "-m", "flow")
    assert visits.height == pl.read_csv(folder / "plans.csv").height


def test_a_loss_that_is_no_number_ends_the_training(tmp_path, folder, monkeypatch) -> None:
    import torch

    from humobctl.errors import HumobError
    from humobctl.generate.diffusion.config import resolve
    from humobctl.generate.diffusion.process import Process
    from humobctl.generate.diffusion.train import DiffusionRecipe
    from humobctl.training.session import TrainingJob, train

    monkeypatch.setattr(
        Process, "loss", lambda self, net, x, *_: net.leave.weight.sum() * torch.nan
    )
    recipe = DiffusionRecipe(resolve("tiny", None, {}), str(folder / "stays.csv"))
    with raises(HumobError, "loss", "nan", "step 1 "):
        train(recipe, TrainingJob(str(tmp_path / "bad"), device="cpu"))
    assert not (tmp_path / "bad").exists()
