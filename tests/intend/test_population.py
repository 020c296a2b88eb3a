"""Profiles become people: everybody, by counts, or drawn."""

from __future__ import annotations

import polars as pl
import pytest

from humobctl.errors import HumobError
from humobctl.intend.population import SyntheticPopulation, persons, read_population
from humobctl.tables.schemas import POPULATION
from tests.messages import raises


def profiles(counts=None, uids=(10, 11, 12)) -> pl.DataFrame:
    counts = [None] * len(uids) if counts is None else counts
    rows = [
        (uid, "e", "g", "c", f"job {uid}", None, None, None, None, count)
        for uid, count in zip(uids, counts, strict=True)
    ]
    return pl.DataFrame(rows, schema=POPULATION.dtypes, orient="row")


def everybody(population: SyntheticPopulation, people: int = 1000) -> pl.DataFrame:
    return pl.concat(list(population.batches(people)))


def test_rows_without_counts_are_people_with_their_uids() -> None:
    people = everybody(SyntheticPopulation(profiles()))
    assert people["uid"].to_list() == [10, 11, 12]
    assert people["profile"].to_list() == [10, 11, 12]
    assert people["occupation"].to_list() == ["job 10", "job 11", "job 12"]


def test_counts_are_expanded_in_the_order_of_the_table() -> None:
    people = everybody(SyntheticPopulation(profiles([2, 0, 3])), people=2)
    assert people["uid"].to_list() == [0, 1, 2, 3, 4]
    assert people["profile"].to_list() == [10, 10, 12, 12, 12]


def test_fewer_people_than_rows_are_different_people() -> None:
    uids = tuple(range(100, 150))
    people = everybody(SyntheticPopulation(profiles(uids=uids), count=20, seed=3))
    assert people["uid"].n_unique() == 20
    assert people["uid"].is_sorted()
    assert (people["uid"] == people["profile"]).all()
    other = everybody(SyntheticPopulation(profiles(uids=uids), count=20, seed=4))
    assert not people["uid"].equals(other["uid"])


def test_more_people_than_rows_are_drawn_again_and_numbered_anew() -> None:
    people = everybody(SyntheticPopulation(profiles(), count=300, seed=1))
    assert people["uid"].to_list() == list(range(300))
    assert set(people["profile"]) == {10, 11, 12}


def test_drawn_by_their_counts() -> None:
    people = everybody(SyntheticPopulation(profiles([70, 20, 10]), count=20_000, seed=5))
    share = people["profile"].value_counts(normalize=True).sort("profile")["proportion"]
    # three standard deviations of the largest share are 0.01
    assert share.to_list() == pytest.approx([0.7, 0.2, 0.1], abs=0.01)


def test_a_person_is_the_same_whatever_the_number_of_people_and_the_batches() -> None:
    few = everybody(SyntheticPopulation(profiles([70, 20, 10]), count=50, seed=5), people=7)
    many = everybody(SyntheticPopulation(profiles([70, 20, 10]), count=1000, seed=5))
    assert few.equals(many[:50])


def test_persons() -> None:
    person = next(persons(everybody(SyntheticPopulation(profiles([2, 1, 1])))))
    assert (person.uid, person.profile) == (0, 10)
    assert person.key == ("e", "g", "c", "job 10")


def test_counts_of_nothing(tmp_path) -> None:
    path = tmp_path / "none.csv"
    path.write_text("profile_id,education,gender,consumption,occupation,count\n0,e,g,c,o,0\n")
    with raises(HumobError, "none.csv", "counts of 0"):
        read_population(str(path))
