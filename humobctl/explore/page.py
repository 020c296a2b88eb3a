"""The page: a template, its style and script, and the data, as one text.

There are no callbacks: the browser has for each user the cells with their rows and the hours, and
adds them up. So the page that is served and the one that is exported are the same.
"""

from __future__ import annotations

import html
from importlib.resources import files
from typing import Any

import numpy as np

from humobctl.console.safe_text import printable
from humobctl.explore.data import World, hours
from humobctl.explore.sentences import describe_clusters
from humobctl.extras import require
from humobctl.page.template import as_json, fill, pack, page_text, policy, shared_parts

MOST_ROWS = 4_000_000
"""Rows up to which an exported page holds the trajectories, too: 5 bytes a row."""

POLICY = policy()


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
    here = __package__ or ""
    script = (
        '<script src="plotly.js"></script>' if served else f"<script>{plotly_script()}</script>"
    )
    parts = {
        **shared_parts(),
        "__POLICY__": POLICY,
        "__TITLE__": html.escape(printable(world.title)),
        "__CSS__": page_text(here, "page.css"),
        "__DATA__": payload(world, served=served),
        "__PLOTLY__": script,
        "__MAP__": page_text(here, "map.js"),
        "__SCRIPT__": page_text(here, "page.js"),
    }
    return fill(page_text(here, "page.html"), parts)


def payload(world: World, *, served: bool) -> str:
    """The data as JSON that may stand in a page: arrays as base64, no ``<``."""
    visits = world.visits
    record: dict[str, Any] = {
        "served": served,
        "cities": [printable(name) for name in world.cities],
        "maps": {
            name: [pack(axis, "<f4") for axis in places.T] for name, places in world.maps.items()
        },
        "uid": pack(world.uid, "<u4"),
        "city": pack(world.city, "<u2"),
        "cluster": pack(world.cluster, "<u2"),
        "sentences": describe_clusters(world),
        "rows": pack(world.rows, "<u4"),
        "entropy": pack(world.entropy, "<f4"),
        "radius": pack(world.radius, "<f4"),
        "hours": pack(hours(world), "<u2"),
        "starts": pack(visits.starts, "<u4"),
        "cells": pack(visits.cell, "<u2"),
        "times": pack(np.minimum(visits.times, np.iinfo(np.uint16).max), "<u2"),
        "whole": None,
    }
    if not served and len(world.cell) <= MOST_ROWS:
        record["whole"] = {
            "d": pack(world.d, "<i2"),
            "t": pack(world.t, "<u1"),
            "cell": pack(world.cell, "<u2"),
        }
    return as_json(record)
