"""The page: a template, its style and script, and the data, as one text.

There are no callbacks: the browser has for each user the cells with their rows and the hours, and
adds them up. So the page that is served and the one that is exported are the same.
"""

from __future__ import annotations

import base64
import html
import json
from importlib.resources import files
from typing import Any

import numpy as np

from humobctl.console.safe_text import printable
from humobctl.explore.data import World, hours
from humobctl.extras import require

MOST_ROWS = 4_000_000
"""Rows up to which an exported page holds the trajectories, too: 5 bytes a row."""


POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'"
)
"""Nothing from or to elsewhere, and no text becomes code."""


def check_plotly() -> None:
    """Refuse early where plotly is not installed.

    Raises:
        HumobError: it is not.
    """
    require("explore", "explore")


def plotly_script() -> str:
    """plotly.js, as the Python package carries it."""
    return (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


def page(world: World, *, served: bool) -> str:
    """The page.

    Args:
        world: what to show.
        served: whether a server gives plotly.js and the trajectories; otherwise all is in the page.
    """
    here = files("humobctl.explore")
    parts = {
        "__POLICY__": POLICY,
        "__TITLE__": html.escape(printable(world.title)),
        "__CSS__": (here / "page.css").read_text(encoding="utf-8"),
        "__DATA__": payload(world, served=served),
        "__PLOTLY__": '<script src="plotly.js"></script>'
        if served
        else f"<script>{plotly_script()}</script>",
        "__MAP__": (here / "map.js").read_text(encoding="utf-8"),
        "__SCRIPT__": (here / "page.js").read_text(encoding="utf-8"),
    }
    rest = (here / "page.html").read_text(encoding="utf-8")
    done = []
    while places := [(rest.index(mark), mark) for mark in parts if mark in rest]:
        place, mark = min(places)  # what was put in is not looked at again
        done += [rest[:place], parts[mark]]
        rest = rest[place + len(mark) :]
    return "".join([*done, rest])


def payload(world: World, *, served: bool) -> str:
    """The data as JSON that may stand in a page: arrays as base64, no ``<``."""
    visits = world.visits
    record: dict[str, Any] = {
        "served": served,
        "cities": [printable(name) for name in world.cities],
        "maps": {
            name: [_pack(axis, "<f4") for axis in places.T] for name, places in world.maps.items()
        },
        "uid": _pack(world.uid, "<u4"),
        "city": _pack(world.city, "<u2"),
        "cluster": _pack(world.cluster, "<u2"),
        "rows": _pack(world.rows, "<u4"),
        "entropy": _pack(world.entropy, "<f4"),
        "radius": _pack(world.radius, "<f4"),
        "hours": _pack(hours(world), "<u2"),
        "starts": _pack(visits.starts, "<u4"),
        "cells": _pack(visits.cell, "<u2"),
        "times": _pack(np.minimum(visits.times, np.iinfo(np.uint16).max), "<u2"),
        "whole": None,
    }
    if not served and len(world.cell) <= MOST_ROWS:
        record["whole"] = {
            "d": _pack(world.d, "<i2"),
            "t": _pack(world.t, "<u1"),
            "cell": _pack(world.cell, "<u2"),
        }
    return json.dumps(record).replace("<", "\\u003c")


def _pack(values: np.ndarray[Any, Any], kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode("ascii")
