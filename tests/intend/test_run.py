"""The driver: order, failures and reports, with backends made for the purpose."""

from __future__ import annotations

import json

import polars as pl
import pytest

from humobctl.errors import HumobError, UsageError
from humobctl.intend.backends.base import BackendSettings, Failure, parse_parts
from humobctl.intend.day_plan import DayPlan, Event
from humobctl.intend.population import SyntheticPopulation
from humobctl.intend.run import PLANS_PER_BATCH, IntendJob, write_plans
from humobctl.tables.schemas import INTENTIONS, POPULATION
from tests.messages import raises, says


class AtHome:
    """Everybody stays at home; those of ``failing`` cannot be planned."""

    def __init__(self, failing=()):
        self.failing = set(failing)
        self.asked = []

    def plans(self, requests):
        for request in requests:
            self.asked.append(request)
            uid, d = request.person.uid, request.d
            if uid in self.failing:
                yield Failure(uid, d, 'said "no"')
            else:
                yield DayPlan(uid, d, (Event("go home", 0, 1440, 'a, "b"\nc'),))

    def summary(self):
        return {"calls": len(self.asked)}


def job(backend, people=3, **settings) -> IntendJob:
    rows = [(uid, "e", "g", "c", "o", None, None, None, None, None) for uid in range(people)]
    population = SyntheticPopulation(pl.DataFrame(rows, schema=POPULATION.dtypes, orient="row"))
    return IntendJob(population, backend, BackendSettings(**settings))


def test_every_person_and_day_is_asked_for_in_order() -> None:
    backend = AtHome()
    found = pl.concat(list(job(backend, days=9, weekday=5, seed=4).run()))
    assert found.schema == INTENTIONS.dtypes
    assert found.select("uid", "d").rows() == [(u, d) for u in range(3) for d in range(9)]
    assert [r.weekday for r in backend.asked[:9]] == [5, 6, 0, 1, 2, 3, 4, 5, 6]
    assert {r.seed for r in backend.asked} == {4}


def test_plans_are_passed_on_before_all_are_there() -> None:
    backend = AtHome()
    batches = job(backend, people=3 * PLANS_PER_BATCH).run()
    next(batches)
    assert len(backend.asked) <= PLANS_PER_BATCH + 1


def test_failures_are_warned_of_and_reported(tmp_path, capsys) -> None:
    run = job(AtHome({1}), days=2)
    write_plans(run, str(tmp_path / "p.csv"), report_to=str(tmp_path / "r.json"))
    assert pl.read_csv(tmp_path / "p.csv")["uid"].to_list() == [0, 0, 2, 2]
    record = json.loads((tmp_path / "r.json").read_text())
    assert record["people"] == 3
    assert (record["plans"], record["failed"], record["calls"]) == (4, 2, 6)
    assert record["failures"] == [
        {"uid": 1, "d": 0, "reason": 'said "no"'},
        {"uid": 1, "d": 1, "reason": 'said "no"'},
    ]
    says(capsys.readouterr().err, "2 of 6 day plans")


def test_nothing_but_failures_is_an_error_with_a_report(tmp_path) -> None:
    run = job(AtHome({0, 1, 2}))
    with raises(HumobError, "3 of 3 day plans"):
        write_plans(run, str(tmp_path / "p.csv"), report_to=str(tmp_path / "r.json"))
    assert not (tmp_path / "p.csv").exists()
    assert json.loads((tmp_path / "r.json").read_text())["failed"] == 3


@pytest.mark.parametrize("fault", ["missing", "swapped", "extra"])
def test_a_backend_that_loses_count_is_found_out(fault) -> None:
    class Wrong(AtHome):
        def plans(self, requests):
            answers = list(super().plans(requests))
            return iter(
                {
                    "missing": answers[:-1],
                    "swapped": answers[::-1],
                    "extra": [*answers, answers[0]],
                }[fault]
            )

    with pytest.raises(RuntimeError):
        list(job(Wrong()).run())


@pytest.mark.parametrize("format", ["csv", "ndjson", "parquet", "arrow"])
def test_reasons_survive_quotes_commas_and_line_ends(tmp_path, format) -> None:
    from humobctl.io.read import read_table

    path = tmp_path / f"p.{format}"
    write_plans(job(AtHome()), str(path))
    assert read_table(str(path), INTENTIONS)["reason"].to_list() == ['a, "b"\nc'] * 3


def test_one_file_for_two_tables_is_wrong_usage() -> None:
    with raises(UsageError, "--output and --people", "standard output"):
        write_plans(job(AtHome()), None, people="-")
    with raises(UsageError, "--report", "standard output"):
        write_plans(job(AtHome()), "x.csv", report_to="-")


def test_parts() -> None:
    assert parse_parts(None) == frozenset()
    assert parse_parts(["norm", "control", "norm"]) == {"norm", "control"}
    with raises(UsageError, "'mood'", "attitude", "norm", "control"):
        parse_parts(["mood"])


def test_a_run_that_breaks_off_still_reports(tmp_path) -> None:
    class Stops(AtHome):
        def plans(self, requests):
            yield next(super().plans(requests))
            raise HumobError("the money is spent")

    backend = Stops()
    with raises(HumobError, "the money is spent"):
        write_plans(job(backend), str(tmp_path / "p.csv"), report_to=str(tmp_path / "r.json"))
    record = json.loads((tmp_path / "r.json").read_text())
    assert (record["people"], record["plans"], record["calls"]) == (3, 1, 1)


def test_a_report_that_has_no_folder_is_found_out_before_the_run(tmp_path) -> None:
    backend = AtHome()
    with raises(HumobError, "r.json", "no folder"):
        write_plans(job(backend), str(tmp_path / "p.csv"), report_to=str(tmp_path / "no/r.json"))
    assert backend.asked == []
