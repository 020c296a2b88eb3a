"""Routines without places: what moves with the map does not change them."""

from __future__ import annotations

import numpy as np
import polars as pl

from humobctl.embed.routine import describe_routines
from humobctl.evaluate.embedding.run import records_of
from tests.messages import fails

DAYS = range(14)


def user(uid: int, home: tuple[int, int], work: tuple[int, int], hours: range) -> pl.DataFrame:
    """At home but for working hours of weekdays; day 0 is a Sunday."""
    rows = [
        (uid, d, 2 * hour, *(work if hour in hours and d % 7 not in (0, 6) else home))
        for d in DAYS
        for hour in range(24)
    ]
    return pl.DataFrame(rows, schema=["uid", "d", "t", "x", "y"], orient="row")


def vectors(*users: pl.DataFrame) -> np.ndarray:
    return describe_routines(records_of(pl.concat(users), 0))


def test_a_routine_is_found_in_another_place() -> None:
    office, night = range(9, 18), range(0, 5)
    here, there, other = vectors(
        user(1, (10, 10), (14, 10), office),
        user(2, (150, 90), (150, 94), office),
        user(3, (10, 10), (14, 10), night),
    )
    np.testing.assert_allclose(np.linalg.norm([here, there, other], axis=1), 1)
    np.testing.assert_allclose(here, there, atol=1e-12)
    assert here @ other < 0.9


def test_neighbours_across_cities_share_routines(cli, tmp_path) -> None:
    office, late = range(9, 18), range(12, 22)
    for name, at in (("one", 10), ("two", 120)):
        users = [user(1, (at, at), (at + 3, at), office), user(2, (at, at), (at + 3, at), late)]
        pl.concat(users).write_csv(tmp_path / f"{name}.csv")
    command = ("embed", "one.csv", "two.csv", "--place-free")
    done = cli(*command, "--nearest", "all", "-k", "1", cwd=tmp_path)
    assert done.code == 0, done.err
    found = pl.read_csv(done.out.encode())
    assert found["neighbour"].to_list() == found["uid"].to_list()
    assert found["neighbour_city"].to_list() == ["two", "two", "one", "one"]
    fails(cli(*command, "--model", "m", cwd=tmp_path), "--place-free", "--model", code=2)
