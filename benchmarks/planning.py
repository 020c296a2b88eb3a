"""Day plans: how fast the planner is, and how near to what was published and to real stays."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from benchmarks.harness import DATA, WORK, interleaved, markdown, peak
from benchmarks.trainings import SEEDS, span
from humobctl.evaluate.plans.run import (
    Statistics,
    published_statistics,
    read_statistics,
    statistics,
    value,
)
from humobctl.evaluate.registry import intention_metrics
from humobctl.intend.backends.base import PARTS, BackendSettings
from humobctl.intend.planner.calibrate import calibrate_to
from humobctl.intend.planner.observed import read_observed
from humobctl.intend.planner.run import Planner
from humobctl.intend.population import read_population
from humobctl.tables.schemas import INTENTS

PROFILES = DATA / "beijing" / "profiles.csv"
STAYS = DATA / "beijing" / "stays.parquet"
PEOPLE = 100_000
COUNTS = (20_000, 200_000, 1_000_000)
LEAST_STAYS = 3  # nobody among the real stays has fewer


def speed() -> str:
    """Whole processes, with start-up, reading, reasons and writing; then the planner alone."""
    rows = []
    for count in COUNTS:
        for form in ("parquet", "csv"):
            target = WORK / f"plans.{form}"
            seconds, megabytes = peak("intend", PROFILES, "--count", count, "--output", target)
            plans = f"{count / seconds:,.0f}"
            rows.append([f"{count:,}", form, f"{seconds:.1f}", plans, f"{megabytes:.0f}"])
            target.unlink()
    people = _people()
    planner = Planner(BackendSettings())
    (seconds,) = interleaved(lambda: [None for _ in planner.tables(people)], runs=5)
    rows.append([f"{PEOPLE:,}", "in memory", f"{seconds:.1f}", f"{PEOPLE / seconds:,.0f}", ""])
    return markdown(["day plans", "written as", "seconds", "plans a second", "peak MB"], rows)


def _people() -> pl.DataFrame:
    return pl.concat(list(read_population(str(PROFILES), count=PEOPLE).batches(PEOPLE)))


def _stays(odd: bool | None) -> Statistics:
    frame = pl.read_parquet(STAYS).with_columns(
        d=pl.lit(0), intent=pl.lit(None, pl.Enum(INTENTS)), end_min=pl.col("end_min").round()
    )
    if odd is not None:
        frame = frame.filter((pl.col("uid") % 2 == 1) == odd)
    return statistics(frame)


def scores() -> str:
    """JSD of 100,000 plans by day of the week and by what is left out of the chain, by seeds."""
    people = _people()
    kinds = [("Monday", BackendSettings(weekday=1)), ("Sunday", BackendSettings(weekday=0))]
    kinds += [
        (f"Monday, without {part}", BackendSettings(without=frozenset([part]))) for part in PARTS
    ]
    rows = []
    for name, settings in kinds:
        found = [_values(people, replace(settings, seed=seed)) for seed in SEEDS]
        rows.append([name, *(span(values, 4) for values in zip(*found, strict=True))])
    # Half of the real people against the other half: what sampling alone makes of it.
    halves = [_stays(odd) for odd in (True, False)]
    wanted = {m.name: m for m in intention_metrics()}
    noise = [f"{value(wanted[n], *halves):.4f}" for n in ("events_per_day", "start", "duration")]
    rows.append(["real people, halves", "", "", "", *noise])
    columns = ["plans", "events per day", "intent", "intent duration"]
    columns += ["stays per day", "start of stays", "duration of stays"]
    return markdown(columns, rows)


def _values(people: pl.DataFrame, settings: BackendSettings) -> list[float]:
    plans = pl.concat(list(Planner(settings).tables(people)))
    plans = plans.with_columns(pl.col("intent").cast(pl.Enum(INTENTS)))
    wanted = {m.name: m for m in intention_metrics()}
    whole, published = statistics(plans), published_statistics()
    long, stays = statistics(plans, LEAST_STAYS), _stays(None)
    against = [(n, whole, published) for n in ("events_per_day", "intent", "intent_duration")]
    against += [(n, long, stays) for n in ("events_per_day", "start", "duration")]
    return [value(wanted[name], found, real) for name, found, real in against]


def calibrated() -> str:
    """Plans by default and calibrated, against stays of others; JSD in nats.

    New York: calibrated to the check-ins of half of the users, scored on the other half. GeoLife:
    calibrated to every second day, scored on the others.
    """
    rows = []
    for name, source, part in (
        ("New York, check-ins", DATA / "foursquare-nyc" / "checkins.parquet", pl.col("uid")),
        ("GeoLife, stays", DATA / "geolife" / "geolife_sample.txt.gz", pl.col("d")),
    ):
        points, visits = (WORK / f"calibrated_{what}.parquet" for what in ("points", "visits"))
        peak("data", "import", source, "-o", points)
        peak("data", "stays", points, "-o", visits)
        odd = part % 2 == 1
        ours, theirs = (WORK / f"calibrated_{what}.parquet" for what in ("fit", "test"))
        table = pl.read_parquet(visits)
        table.filter(odd).write_parquet(ours)
        table.filter(~odd).write_parquet(theirs)
        real = read_statistics(str(theirs))
        people = _people()[:5000]
        weights = calibrate_to(read_observed(str(ours)), people)
        for title, given in (("default", None), ("calibrated", weights)):
            found = []
            for seed in SEEDS:
                plans = pl.concat(list(Planner(BackendSettings(seed=seed), given).tables(people)))
                found.append(
                    statistics(plans.with_columns(pl.col("intent").cast(pl.Enum(INTENTS))))
                )
            known = [metric for metric in intention_metrics() if real.has(metric)]
            scores = (span([value(m, one, real) for one in found], 4) for m in known)
            rows.append([name, title, *scores])
    return markdown(["stays", "planner", *(m.label for m in intention_metrics())], rows)
