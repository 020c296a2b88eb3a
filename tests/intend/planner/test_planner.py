"""The planner: valid days, the published distributions, profiles, ablation, sameness."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from humobctl.evaluate.divergence import jsd
from humobctl.evaluate.plans.run import statistics
from humobctl.intend.backends.base import BackendSettings
from humobctl.intend.day_plan import Event, settle
from humobctl.intend.planner import config, model, run
from humobctl.intend.planner.calibrate import calibrate, class_shares
from humobctl.intend.planner.run import Planner
from humobctl.intend.planner.traits import normal_share, traits
from humobctl.tables.copb_reference import durations, events_per_day
from humobctl.tables.schemas import INTENTIONS, INTENTS


def people(count=4000, first=0, **attributes) -> pl.DataFrame:
    """People with the occupations of the published profiles, unless one is given."""
    jobs = list(config.OCCUPATIONS)
    uid = range(first, first + count)
    columns = {
        "education": ["uncertain"] * count,
        "gender": ["uncertain"] * count,
        "consumption": ["medium"] * count,
        "occupation": [jobs[u % len(jobs)] for u in uid],
    }
    columns |= {name: [value] * count for name, value in attributes.items()}
    return pl.DataFrame({"uid": uid, "profile": uid, **columns}).cast({"uid": pl.UInt32})


def planned(some=None, **settings) -> pl.DataFrame:
    some = people() if some is None else some
    return pl.concat(list(Planner(BackendSettings(**settings)).tables(some)))


@pytest.fixture(scope="module")
def plans() -> pl.DataFrame:
    return planned(days=3, seed=1)


def counted(frame: pl.DataFrame):
    return statistics(frame.with_columns(pl.col("intent").cast(pl.Enum(INTENTS))))


@pytest.mark.parametrize(
    "without", [(), ("attitude",), ("norm",), ("control",), tuple(config.LIKING)]
)
def test_every_day_is_valid(without) -> None:
    parts = frozenset(("attitude", "norm", "control") if len(without) > 1 else without)
    frame = planned(people(300), days=2, without=parts)
    INTENTIONS.schema.validate(frame)
    assert frame.select("uid", "d").unique().height == 600
    assert frame.equals(frame.sort("uid", "d", "seq"))
    for _, day in frame.group_by("uid", "d"):
        assert day["seq"].to_list() == list(range(day.height))
        events = [Event(*row) for row in day.select("intent", "start_min", "end_min").iter_rows()]
        settled = settle(events)
        assert settled.events == tuple(events)
        assert settled.repairs == ()


def test_an_event_is_a_stay_of_its_own(plans) -> None:
    """People travel between two events, and are somewhere else afterwards."""
    pairs = plans.with_columns(
        before=pl.col("intent").shift(1).over("uid", "d"),
        gap=pl.col("start_min") - pl.col("end_min").shift(1).over("uid", "d"),
    ).drop_nulls("before")
    assert pairs["gap"].min() >= 1
    assert pairs["gap"].max() <= 240
    assert 45 < pairs["gap"].median() < 80
    same = pairs.filter(pl.col("intent") == pl.col("before"))["intent"].unique().to_list()
    assert same == ["handle the trivialities of life"]
    at_home = pl.col("intent", "before").is_in(["go home", "go to sleep"])
    assert pairs.filter(pl.all_horizontal(at_home)).is_empty()


def test_published_distributions_are_met(plans) -> None:
    found = counted(plans)
    assert jsd(found.events_per_day[:17], events_per_day()) < 0.005
    assert jsd(found.intents, durations().sum(axis=1)) < 0.02
    weights = durations().sum(axis=1)
    apart = [
        jsd(found.intent_lengths[code], durations()[code]) if weights[code] else 0.0
        for code in range(len(INTENTS))
    ]
    assert np.average(apart, weights=weights) < 0.03


def test_the_shipped_weights_are_those_of_the_calibration() -> None:
    shipped, found = model.calibrated_weights(), calibrate()
    assert np.allclose(np.log(shipped.attitude), np.log(found.attitude), atol=2e-3)
    assert np.allclose(np.log(shipped.length), np.log(found.length), atol=2e-3)


def test_drawn_plans_do_what_the_chain_expects() -> None:
    """The exact expectations and the draws are two ways to the same numbers."""
    chain = model.build(model.calibrated_weights())
    days = events_per_day() / events_per_day().sum()
    expected = model.expectations(chain, days)
    share = class_shares()
    starts = np.tensordot(share, expected.starts.sum(axis=1), 1)
    assert starts.sum() == pytest.approx((days * np.arange(17)).sum(), rel=1e-4)
    found = counted(planned(people(6000), days=7))
    assert jsd(starts.reshape(48, 2).sum(axis=1), found.starts) < 0.003
    assert jsd(np.tensordot(share, expected.length, 1).sum(axis=0), found.lengths) < 0.003


def test_a_plan_does_not_depend_on_who_is_planned_beside_it(monkeypatch) -> None:
    whole = planned(people(60), days=2, seed=9)
    few = planned(people(20, first=30), days=2, seed=9)
    assert whole.filter(pl.col("uid").is_between(30, 49)).equals(few)
    monkeypatch.setattr(run, "_ROWS_AT_ONCE", 7)
    assert planned(people(60), days=2, seed=9).equals(whole)
    longer = planned(people(20), days=5, seed=9)
    assert longer.filter(pl.col("d") < 2).equals(whole.filter(pl.col("uid") < 20))


def test_another_seed_is_another_plan() -> None:
    assert not planned(people(50), seed=1).equals(planned(people(50), seed=2))


def share_of(frame: pl.DataFrame, intent: str) -> float:
    return (frame["intent"] == intent).mean()


def test_working_hours_follow_the_occupation() -> None:
    def median_start(occupation: str) -> float:
        frame = planned(people(3000, occupation=occupation), weekday=1)
        work = frame.filter((pl.col("intent") == "go to work") & (pl.col("seq") > 0))
        return work["start_min"].median()

    site, sales = median_start("Warehousing"), median_start("Online Sales")
    assert sales - site > 45


def test_days_off_have_less_work_and_more_leisure() -> None:
    office = people(3000, occupation="IT Engineer")
    monday, sunday = planned(office, weekday=1), planned(office, weekday=0)
    assert share_of(sunday, "go to work") < 0.4 * share_of(monday, "go to work")
    assert share_of(sunday, "do shopping") > 1.2 * share_of(monday, "do shopping")
    week = planned(office, days=7, weekday=1)
    of_sunday = week.filter(pl.col("d") == 6)
    assert share_of(of_sunday, "go to work") == pytest.approx(
        share_of(sunday, "go to work"), abs=0.02
    )


def test_attitudes_follow_the_profile() -> None:
    rich, poor = (planned(people(4000, consumption=level)) for level in ("high", "low"))
    assert share_of(rich, "do shopping") > 1.3 * share_of(poor, "do shopping")
    assert len(rich) > len(poor)  # they undertake more, too


def test_unknown_values_are_planned_for_as_well() -> None:
    frame = planned(people(200, occupation="Beekeeper", gender="x", education="", consumption="?"))
    assert frame["uid"].n_unique() == 200


def test_without_norm_hours_do_not_matter() -> None:
    def at_work_by_day(without) -> float:
        frame = planned(people(3000), without=frozenset(without))
        work = frame.filter((pl.col("intent") == "go to work") & (pl.col("seq") > 0))
        return work["start_min"].is_between(420, 840).mean()

    assert at_work_by_day(["norm"]) < at_work_by_day([]) - 0.1


def test_without_attitude_all_are_liked_the_same(plans) -> None:
    frame = planned(people(3000), without=frozenset(["attitude"]))
    assert share_of(frame, "excursion") > 5 * share_of(plans, "excursion")


def test_without_control_no_number_of_events_is_kept(plans) -> None:
    frame = planned(people(3000), without=frozenset(["control"]))
    assert jsd(counted(frame).events_per_day[:17], events_per_day()) > 0.05
    assert jsd(counted(plans).events_per_day[:17], events_per_day()) < 0.01


def test_reasons_name_what_led_to_the_event(plans) -> None:
    said = plans["reason"].unique()
    words = ("Attitude: ", "Norm: ", "Control: ")
    for text in said:
        assert sum(word in text for word in words) in (1, 2)
        assert text.endswith(".")
    assert (plans["reason"].str.count_matches("Norm")).mean() > 0.5
    assert said.str.contains("office workers").any()
    two = plans["reason"].str.count_matches("(Attitude|Norm|Control): ") == 2
    assert 0.5 < two.mean() < 1


def test_what_is_rare_is_not_called_usual() -> None:
    """Work at 3:00 is not a norm; a reason that names the norm says so."""
    office = people(20_000, occupation="IT Engineer")
    frame = planned(office, without=frozenset(["attitude", "control"]))
    norm = frame.filter(pl.col("reason").str.starts_with("Norm: ") & (pl.col("seq") > 0))
    work = norm.filter(
        (pl.col("intent") == "go to work") & pl.col("reason").str.contains("a working day")
    )
    usual = work.filter(pl.col("start_min").is_between(530, 610))["reason"]
    night = work.filter(pl.col("start_min").is_between(1320, 1440))["reason"]
    assert usual.str.contains("if rarely").mean() < 0.1  # late risers, at 9:00
    assert night.str.contains("if rarely").all()
    assert night.len() > 10


@pytest.mark.parametrize("part", ["attitude", "norm", "control"])
def test_reasons_leave_out_what_is_left_out(part) -> None:
    frame = planned(people(200), without=frozenset([part]))
    assert not frame["reason"].str.contains(part.capitalize()).any()
    assert (frame["reason"].str.len_chars() > 20).all()


def test_reasons_without_anything() -> None:
    frame = planned(people(20), without=frozenset(["attitude", "norm", "control"]))
    assert frame["reason"].unique().to_list() == [
        "drawn by chance: attitude, norm and control are left out"
    ]


def test_reasons_name_the_attribute_that_counts() -> None:
    frame = planned(people(3000, consumption="high"))
    shopping = frame.filter(pl.col("intent") == "do shopping")["reason"]
    assert shopping.str.contains("likes shopping a lot (consumption: high)", literal=True).any()


def test_traits_are_kept_from_day_to_day() -> None:
    found = traits(people(20_000), seed=0)
    assert found.off[:, 0].mean() > 0.75
    assert found.off[:, 1].mean() < 0.25
    assert found.liking.shape == (20_000, len(INTENTS))
    assert np.allclose(found.shares.sum(axis=1), found.liking)
    again = traits(people(1, first=5), seed=0)
    assert np.array_equal(again.liking[0], found.liking[5])


@pytest.fixture(scope="module")
def weeks() -> dict[bool, pl.DataFrame]:
    """Two weeks from a Monday on, with habits and without."""
    return {habits: planned(people(1000), days=14, habits=habits) for habits in (True, False)}


def hours_alike(frame: pl.DataFrame, first: int, second: int) -> float:
    """Share of hours at which people do the same on two days."""
    hours = pl.DataFrame({"minute": range(30, 1440, 60)})
    at = (
        frame.filter(pl.col("d").is_in([first, second]))
        .join_where(
            hours, pl.col("start_min") <= pl.col("minute"), pl.col("end_min") > pl.col("minute")
        )
        .select("uid", "d", "minute", "intent")
    )
    days = [at.filter(pl.col("d") == d).drop("d") for d in (first, second)]
    both = days[0].join(days[1], on=["uid", "minute"])
    return (both["intent"] == both["intent_right"]).mean()


def test_days_of_a_person_are_alike_and_the_same_weekday_most(weeks) -> None:
    monday_tuesday, same_monday = hours_alike(weeks[True], 0, 1), hours_alike(weeks[True], 0, 7)
    before = hours_alike(weeks[False], 0, 1)
    assert before + 0.1 < monday_tuesday < same_monday < 0.9
    assert hours_alike(weeks[False], 0, 7) == pytest.approx(before, abs=0.03)


def test_habits_leave_single_days_as_they_are(weeks) -> None:
    habits, anew = weeks[True], weeks[False]
    first = [frame.filter(pl.col("d") == 0) for frame in (habits, anew)]
    assert first[0].equals(first[1])
    assert first[0].equals(planned(people(1000)))
    of_week = [frame.filter(pl.col("d") > 0) for frame in (habits, anew)]
    found, usual = map(counted, of_week)
    assert jsd(found.events_per_day, usual.events_per_day) < 0.002
    assert jsd(found.starts, usual.starts) < 0.004


def test_the_normal_distribution_function() -> None:
    expected = {-2.0: 0.02275, -1.0: 0.15866, 0.0: 0.5, 1.0: 0.84134, 3.0: 0.99865}
    found = normal_share(np.array(list(expected)))
    assert found == pytest.approx(list(expected.values()), abs=4e-4)


# -- real stays ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stays(shared_data) -> pl.DataFrame:
    """The real day of Beijing, in which nobody has fewer than three stays."""
    frame = pl.read_parquet(shared_data / "beijing" / "stays.parquet")
    return frame.with_columns(
        d=pl.lit(0), intent=pl.lit(None, pl.Enum(INTENTS)), end_min=pl.col("end_min").round()
    )


def test_real_stays(stays, shared_data) -> None:
    from humobctl.intend.population import read_population

    path = str(shared_data / "beijing" / "profiles.csv")
    some = pl.concat(list(read_population(path, count=20_000, seed=1).batches(4096)))
    plans = planned(some.select(people(1).columns))
    frame = plans.with_columns(pl.col("intent").cast(pl.Enum(INTENTS)))
    found, real = statistics(frame, least_events=3), statistics(stays)
    assert jsd(found.events_per_day, real.events_per_day) < 0.02
    assert jsd(found.starts, real.starts) < 0.05
    assert jsd(found.lengths, real.lengths) < 0.03
    assert jsd(statistics(frame).starts, real.starts) < 0.05
