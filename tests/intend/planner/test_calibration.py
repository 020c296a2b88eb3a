"""`intend --calibrate`: counts by hand, plans that come nearer, the file, what is refused."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from humobctl.evaluate.divergence import jsd
from humobctl.evaluate.plans.run import statistics
from humobctl.intend.planner.observed import observe
from humobctl.tables.intents import CODES
from humobctl.tables.schemas import INTENTS
from tests.messages import fails, says

SLEEP, HOME, WORK, EAT = (CODES[name] for name in ("go to sleep", "go home", "go to work", "eat"))
HEAD = "uid,d,seq,intent,start_min,end_min,place_id,lat,lon\n"
PROFILES = (
    "profile_id,education,gender,consumption,occupation,count\n"
    "0,uncertain,woman,medium,Teacher,40\n"
)


def frame(*rows: tuple[int, int, str | None, int, int]) -> pl.DataFrame:
    types = {"uid": int, "d": int, "intent": pl.Enum(INTENTS), "start_min": int, "end_min": int}
    return pl.DataFrame(rows, schema=types, orient="row")


def test_what_is_counted_by_hand() -> None:
    found = observe(
        frame(
            (1, 0, "go to sleep", 0, 480),
            (1, 0, "go to work", 540, 1080),
            (1, 0, "go home", 1110, 1440),
            # Seen from noon to two: at home before and afterwards.
            (1, 1, "eat", 720, 840),
        )
    )
    assert found.days.tolist() == [0, 0, 0, 2, *[0] * 13]
    assert (found.seen, found.long) == (4, 0)
    asleep = 1 / 1.25  # AT_MIDNIGHT: sleep 1, home .25
    assert found.first[[SLEEP, HOME]] == pytest.approx([1 + asleep, 1 - asleep])
    assert found.intents[[WORK, EAT]].tolist() == [1, 1]
    assert found.intents.sum() == 6
    assert found.length.sum() == 4
    assert found.length[WORK, 18] == found.length[EAT, 4] == 1
    assert found.starts.sum() == 3
    assert found.starts[EAT, 24] == found.starts[HOME, 37] == 1
    assert found.after[WORK, HOME] == 1
    assert found.after[SLEEP, EAT] == pytest.approx(asleep)
    assert found.after.sum() == 4
    assert np.flatnonzero(found.gap).tolist() == [3, 5]  # 30 and 60 minutes


def test_stays_of_unknown_intent_are_shared_out_by_their_length() -> None:
    found = observe(frame((1, 0, "go to sleep", 0, 480), (1, 0, None, 500, 1440)))
    assert found.intents.sum() == pytest.approx(2)
    assert found.intents[SLEEP] == 1  # a table that names sleep leaves it named
    assert found.intents[EAT] < 0.05  # nobody eats for 15 hours


def test_stays_of_unknown_intent_are_not_at_the_homes_and_works_that_are_named() -> None:
    """All intents but sleep are named, as places name them: what is unknown is not sleep."""
    named = [name for name in INTENTS if name != "go to sleep"]
    hours = zip(range(0, 1440, 120), (*named, None), strict=True)
    found = observe(frame(*((1, 0, name, at, at + 60) for at, name in hours)))
    assert found.intents[[SLEEP, HOME, WORK]].tolist() == [0, 1, 1]
    assert found.intents[EAT] > 1
    assert found.intents.sum() == pytest.approx(12)


@pytest.fixture(scope="module")
def city(tmp_path_factory, cli):
    """People of another rhythm: up late, at work in the evening, eating at night, at home late."""
    folder = tmp_path_factory.mktemp("calibrated")
    random, rows = np.random.default_rng(0), []
    for uid in range(300):
        late = int(random.integers(0, 90))
        rows += [
            (uid, 0, 0, "go to sleep", 0, 600 + late),
            (uid, 0, 1, "eat", 660 + late, 740 + late),
            (uid, 0, 2, "go to work", 800 + late, 1200 + late),
            (uid, 0, 3, "eat", 1230 + late, 1290 + late),
            (uid, 0, 4, "go home", 1330 + late, 1440),
        ]
    text = "".join(",".join(map(str, (*row, "p", 0, 0))) + "\n" for row in rows)
    (folder / "visits.csv").write_text(HEAD + text)
    (folder / "profiles.csv").write_text(PROFILES)
    done = cli(
        *("intend", "profiles.csv", "--count", "600", "--calibrate", "visits.csv"),
        *("--save-calibration", "city.json", "-o", "plans.csv"),
        cwd=folder,
    )
    assert done.code == 0, done.err
    says(done.err, "visits.csv", "1,500 stays", "300 days", "0 stays at home")
    return folder


def counted(path):
    return statistics(pl.read_csv(path).with_columns(pl.col("intent").cast(pl.Enum(INTENTS))))


def test_plans_come_near_to_the_visits(city, cli) -> None:
    assert cli("intend", "profiles.csv", "--count", "600", "-o", "usual.csv", cwd=city).code == 0
    real, near, far = (counted(city / f"{name}.csv") for name in ("visits", "plans", "usual"))
    for name, most in (("intents", 0.01), ("starts", 0.06), ("lengths", 0.06)):
        found = [jsd(getattr(plans, name), getattr(real, name)) for plans in (near, far)]
        assert found[0] < min(most, found[1] / 3), (name, found)
    after_eating = [plans.transitions[EAT] for plans in (near, far)]
    eat_then = [follows[WORK] / follows.sum() for follows in after_eating]
    assert eat_then[0] > 0.4 > eat_then[1]


def test_a_calibration_is_used_again(city, cli) -> None:
    again = cli("intend", "profiles.csv", "--count", "600", "--calibrate", "city.json", cwd=city)
    assert again.code == 0, again.err
    assert again.out.splitlines()[:200] == (city / "plans.csv").read_text().splitlines()[:200]
    report = ("--count", "2", "--calibrate", "city.json", "--report", "r.json", "-o", "x.csv")
    assert cli("intend", "profiles.csv", *report, cwd=city).code == 0
    assert json.loads((city / "r.json").read_text())["calibration"]


@pytest.mark.parametrize(
    ("arguments", "pieces"),
    [
        (("--calibrate", "profiles.csv"), ("profiles.csv",)),
        (("--calibrate", "broken.json"), ("broken.json", "after", "12 x 12")),
        (("--calibrate", "other.json"), ("other.json", "--save-calibration")),
        (("--calibrate", "none.csv"), ("none.csv",)),
    ],
)
def test_what_is_no_calibration(city, cli, arguments, pieces) -> None:
    record = json.loads((city / "city.json").read_text())
    (city / "broken.json").write_text(json.dumps({**record, "after": [1, 2]}))
    (city / "other.json").write_text("{}")
    fails(cli("intend", "profiles.csv", *arguments, cwd=city), *pieces)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--save-calibration", "x.json"),
        ("--backend", "hf", "--model", "m", "--calibrate", "city.json"),
    ],
)
def test_what_does_not_go_together(city, cli, arguments) -> None:
    fails(cli("intend", "profiles.csv", *arguments, cwd=city), "--calibrate", code=2)


def test_from_records_to_scores(cli, tmp_path) -> None:
    """`data stays`, `intend --calibrate`, `generate gravity --law empirical`, `eval`."""
    rows = [
        (uid, day, slot, *((20 + uid, 30) if slot < 16 or slot > 38 else (50, 20 + uid)))
        for uid in range(12)
        for day in range(5)
        for slot in range(48)
        if slot not in (16, 17, 37, 38)
    ]
    text = "".join(",".join(map(str, row)) + "\n" for row in rows)
    (tmp_path / "cells.csv").write_text("uid,d,t,x,y\n" + text)
    places = "".join(f"p{n},,,,{40.05 + n / 100},-29.8\n" for n in range(20))
    (tmp_path / "places.csv").write_text("place_id,name,category,intent,lat,lon\n" + places)
    (tmp_path / "profiles.csv").write_text(PROFILES)
    grid = ("--grid", "500m@40,-30,200x200", "--axes", "east,north", "--start-date", "2024-03-04")
    for command in (
        ("data", "stays", "cells.csv", *grid, "-o", "visits.csv"),
        ("intend", "profiles.csv", "--calibrate", "visits.csv", "--days", "5", "-o", "week.csv"),
        ("generate", "gravity", "week.csv", "--places", "places.csv", "-o", "made.csv"),
    ):
        law = ("--law", "empirical") if "gravity" in command else ()
        done = cli(*command, *law, cwd=tmp_path)
        assert done.code == 0, done.err
    scores = ("eval", "made.csv", "--truth", "visits.csv", "--format", "json")
    found = json.loads(cli(*scores, cwd=tmp_path).out)["scores"]
    value = {score["metric"]: score["value"] for score in found}
    assert value["events_per_day"] == 0  # three stays a day
    assert value["daily_loc"] < 0.05  # at two places
