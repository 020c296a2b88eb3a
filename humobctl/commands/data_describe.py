"""``humobctl data describe``: what is in a table."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any, Literal

import typer

import humobctl as hm
from humobctl.commands.options import options_from


@options_from(hm.describe, before="plot")
def describe(
    format: Annotated[
        Literal["table", "json"] | None,
        typer.Option(
            "--format",
            "-f",
            metavar="table|json",
            help="Format of the output. Default: table on a terminal, json in a pipe.",
        ),
    ] = None,
    **options: Any,
) -> None:
    """Describe a table of any kind: coverage, quality and the field's measures.

    The kind is detected from columns and first bytes. Points and check-ins: sampling interval,
    gaps, repeats, speed. Grid trajectories: days, slots, masked rows (999), gaps. Visits and day
    plans: intents, durations, overlaps, gaps, trips. Trips and trip legs: length, duration, speed.
    Places: intents, categories, density. Flows: areas, pairs, symmetry, and with --areas distances.
    Daily flows: days, hidden ones, flow by day and day of the week.

    Measures, of points, visits and grid trajectories: radius of gyration (also by duration and of
    the two top locations), jump lengths, waiting times, maximum and straight-line distance,
    distance from home, mean square displacement, random, uncorrelated and real entropy,
    predictability, frequency ranks, location entropy. They are those of scikit-mobility and
    trackintel; docs/measures.md has formulas and sources. --per-user writes them for each user.

    Numbers by day, hour and slot are in the JSON output; --plot draws them and a map (extra plot).

    Example: humobctl data describe city.csv

    Example: humobctl data describe gps.csv --per-user measures.csv

    Example: humobctl data describe commuting.csv --areas counties.csv

    Example: humobctl data describe city.csv --format table --plot city.png
    """
    found = hm.describe(**options)
    if format == "json" or (format is None and not sys.stdout.isatty()):
        sys.stdout.write(json.dumps(found.to_dict()) + "\n")
    else:
        found.show()
