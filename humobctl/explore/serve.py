"""Answers of the page server: the page, plotly.js, and the trajectories of users."""

from __future__ import annotations

import json

import numpy as np

from humobctl.explore.data import World
from humobctl.explore.page import POLICY, page, plotly_script
from humobctl.page.serve import Site, SiteAnswer, SiteQuestion

_MOST_ASKED, _BYTES_A_USER = 1 << 20, 12
"""Bytes of a question about trajectories: of any, and what the number of a user may take."""


def make_site(world: World) -> Site:
    """The answers of a server about these users."""

    def rows_of(question: bytes) -> SiteAnswer | None:
        users = _users(question, len(world))
        return (
            users
            if users is None
            else SiteAnswer("text/csv", world.table_of(users).write_csv().encode())
        )

    return Site(
        POLICY,
        {
            "": SiteAnswer("text/html; charset=utf-8", page(world, served=True).encode()),
            "plotly.js": SiteAnswer("text/javascript; charset=utf-8", plotly_script().encode()),
        },
        {"trajectories.csv": SiteQuestion(max(_MOST_ASKED, _BYTES_A_USER * len(world)), rows_of)},
    )


def _users(body: bytes, count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]] | None:
    """Numbers of users from a list in JSON, each once; None for anything else."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(told, list) or not all(type(x) is int and 0 <= x < count for x in told):
        return None
    return np.array(list(dict.fromkeys(told)), np.int64)
