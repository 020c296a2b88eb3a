"""What is said of a cluster, against people whose days were written by hand."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

pytest.importorskip("plotly")

from humobctl.embed.vectors import UserEmbeddings
from humobctl.explore.data import load_world
from humobctl.explore.sentences import describe_clusters


def test_commuters_and_people_at_home(tmp_path) -> None:
    rows = []
    for day in range(14):
        for slot in range(0, 48, 2):
            works = day % 7 not in (0, 6) and 16 <= slot < 36
            # Users 0 to 5 work 20 cells east of home from 8:00 to 18:00, 6 to 8 stay at home.
            rows += [(user, day, slot, 10 + user + 20 * works, 50) for user in range(6)]
            rows += [(user, day, slot, 90, 90) for user in range(6, 9)]
    table = pl.DataFrame(rows, schema=["uid", "d", "t", "x", "y"], orient="row")
    table.write_csv(tmp_path / "city.csv")
    world = load_world(
        UserEmbeddings("v", np.arange(9), np.eye(9, dtype=np.float32)),
        [str(tmp_path / "city.csv")],
        ["city"],
    )
    object.__setattr__(world, "cluster", np.repeat([0, 1], [6, 3]))
    assert describe_clusters(world) == [
        "6 users: weekday commuters, 10 km to work, home by 18:00",
        "3 users: mostly at home by day",
    ]
