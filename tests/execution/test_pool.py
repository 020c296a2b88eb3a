"""The pool of workers, with a Ray that is played: deaths, order, errors, how much is on its way."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from humobctl.console import report
from humobctl.errors import HumobError, UsageError
from humobctl.execution.ray_cluster import AHEAD, DEATHS, _Pool
from humobctl.execution.task import Done, TaskPart
from tests.messages import raises


class RayError(Exception):
    pass


class RayTaskError(RayError):
    cause: Any = None


class Played:
    """A Ray whose tasks end in a random order; some kill their worker."""

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self, deadly: dict[int, int] | None = None, seed: int = 0) -> None:
        self.deadly = dict(deadly or {})
        self.draws = random.Random(seed)
        self.workers = self.most_on_their_way = self.on_their_way = 0

    def remote(self, **_options: Any) -> Any:
        ray = self

        def wrapped(kind: Any) -> Any:
            class Actor:
                @staticmethod
                def remote(*given: Any) -> Any:
                    ray.workers += 1
                    actor = kind(*given)
                    return SimpleNamespace(run=SimpleNamespace(remote=lambda p: ray.task(actor, p)))

            return Actor

        return wrapped

    def task(self, actor: Any, payload: Any) -> object:
        self.on_their_way += 1
        self.most_on_their_way = max(self.most_on_their_way, self.on_their_way)
        return _Ref(actor, payload)

    def put(self, value: Any) -> Any:
        return value

    def wait(self, refs: list[Any], **_options: Any) -> Any:
        return [self.draws.choice(refs)], []

    def get(self, ref: Any) -> Any:
        self.on_their_way -= 1
        if self.deadly.get(ref.payload, 0) > 0:
            self.deadly[ref.payload] -= 1
            raise RayError
        return ref.actor.run(ref.payload)


class _Ref:
    def __init__(self, actor: Any, payload: Any) -> None:
        self.actor, self.payload = actor, payload


class Doubling:
    """Can be pickled; fails for numbers from ``bad`` on."""

    def __init__(self, bad: int = 1 << 20, kind: type[HumobError] = HumobError) -> None:
        self.bad, self.kind = bad, kind

    def open(self) -> Any:
        report.warn("this is slow here")

        def work(number: int, _moved: Any) -> Done:
            if number >= self.bad:
                raise self.kind(f"found {number}")
            return Done(pl.DataFrame({"x": [2 * number]}), {}, 1)

        return work


def run(ray: Played, work: Doubling, count: int = 30, *, in_order: bool = True, size: int = 3):
    taken: list[int] = []

    def parts():
        for number in range(count):
            taken.append(number)
            yield TaskPart(number, number, f"user {number}")

    told: list[float] = []
    pool = _Pool(ray, work, (size, 0), told.append, own=False)
    for part, done in pool.run(parts(), in_order=in_order):
        assert done.frame["x"][0] == 2 * part.number
        assert len(told) <= count
        yield part.number, len(taken)


@pytest.mark.parametrize("seed", range(5))
def test_results_come_in_order_and_not_far_ahead(seed, capsys) -> None:
    ray = Played(seed=seed)
    found = list(run(ray, Doubling()))
    assert [number for number, _ in found] == list(range(30))
    assert all(taken - number <= 1 + AHEAD * 3 for number, taken in found)
    assert ray.most_on_their_way == ray.workers == 3
    assert capsys.readouterr().err == "warning: this is slow here\n"


def test_out_of_order_all_come(capsys) -> None:
    found = [number for number, _ in run(Played(seed=3), Doubling(), in_order=False)]
    assert sorted(found) == list(range(30))
    assert found != sorted(found)


def test_deaths_cost_time_only(capsys) -> None:
    ray = Played({4: DEATHS - 1, 5: 1, 29: 1})
    assert [number for number, _ in run(ray, Doubling())] == list(range(30))
    assert 3 < ray.workers <= 3 + 4  # one a death, where nobody is idle


def test_a_part_that_ends_its_workers_ends_the_run(capsys) -> None:
    found = []
    with raises(HumobError, "part 4", "user 4", 3):
        found.extend(number for number, _ in run(Played({4: 99}), Doubling()))


@pytest.mark.parametrize("seed", range(5))
def test_the_first_error_is_the_one_that_is_told(seed, capsys) -> None:
    """As one after another would find it, whoever is quicker; the parts before it are there."""
    found = []
    with raises(UsageError, 7):
        for number, _ in run(Played(seed=seed), Doubling(7, UsageError)):
            found.append(number)
    assert found == list(range(7))
