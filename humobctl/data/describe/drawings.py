"""Drawings of descriptions of points, visits, places, plans, trips and flows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from humobctl.console.words import day_span, pluralize
from humobctl.data.describe.activities import IntentNumbers
from humobctl.data.describe.description import TableDescription
from humobctl.data.describe.flows import FlowsDescription
from humobctl.data.describe.places import PlacesDescription
from humobctl.data.describe.plans import PlansDescription
from humobctl.data.describe.points import PointsDescription
from humobctl.data.describe.trips import TripsDescription
from humobctl.data.describe.visits import VisitsDescription
from humobctl.data.measures.spread import Spread
from humobctl.plots.files import in_formulas
from humobctl.plots.map_limits import map_limits
from humobctl.plots.style import (
    BLUE,
    as_hours,
    draw_days,
    draw_heat,
    in_rows,
    open_picture,
    say_nothing,
)

Draw = Callable[[Any], None]
_ACROSS = 70
"""Squares along a map."""
_TOP = 12


def draw_description(found: TableDescription, path: str) -> None:
    """Draw a description of any kind but grid trajectories.

    Raises:
        HumobError: the file cannot be written.
    """
    counts, panels = _DRAWN[type(found)](found)
    heat = getattr(found, "heat", None)
    names = list(panels)
    mosaic = in_rows(names)
    if heat is not None:
        half = -(-len(names) // 2)
        mosaic = [["map", "map", *names[:half]], ["map", "map", *names[half:]]]
    title = f"{found.kind.capitalize()} {Path(found.source).name}"
    with open_picture(path, mosaic, title=title, counts=counts, source="data describe") as (
        figure,
        axes,
    ):
        for name, draw in panels.items():
            draw(axes[name])
            axes[name].set_title(name)
        if heat is not None:
            _map(figure, axes["map"], heat)


def _points(found: PointsDescription) -> tuple[str, dict[str, Draw]]:
    days = [
        {
            "d": dt.date.fromisoformat(day["date"]),
            "rows": day["records"],
            "users": day["users"],
        }
        for day in found.by_day
    ]
    counts = f"{pluralize(found.users, 'user')}, {pluralize(found.records, 'record')}, "
    counts += f"{found.first:%Y-%m-%d} to {found.last:%Y-%m-%d}"
    users = found.to_frame()
    return counts, {
        "records and users by day": lambda panel: draw_days(panel, days),
        "records by hour": lambda panel: _hours(panel, found.by_hour, "records"),
        "radius of gyration": lambda panel: _users(
            panel, users["radius_of_gyration_km"], "radius of gyration in km"
        ),
        "records of users": lambda panel: _users(panel, users["records"], "records"),
    }


def _visits(found: VisitsDescription) -> tuple[str, dict[str, Draw]]:
    counts = f"{pluralize(found.users, 'user')}, {pluralize(found.visits, 'visit')}, "
    counts += day_span(found.first_day, found.last_day)
    users = found.to_frame()
    return counts, {
        "visits and users by day": lambda panel: draw_days(panel, found.by_day),
        "beginnings by hour": lambda panel: _hours(panel, found.by_hour, "visits"),
        "intents": lambda panel: _bars(panel, _by_intent(found.intents), "visits"),
        "radius of gyration": lambda panel: _users(
            panel, users["radius_of_gyration_km"], "radius of gyration in km"
        ),
    }


def _places(found: PlacesDescription) -> tuple[str, dict[str, Draw]]:
    counts = f"{pluralize(found.places, 'place')}, {found.width_km:,.1f} km by "
    counts += f"{found.height_km:,.1f} km, {found.categories:,} categories"
    return counts, {
        "intents": lambda panel: _bars(panel, found.intents, "places"),
        "categories": lambda panel: _bars(panel, found.top_categories, "places"),
    }


def _plans(found: PlansDescription) -> tuple[str, dict[str, Draw]]:
    counts = f"{pluralize(found.users, 'user')}, {pluralize(found.user_days, 'user-day')}, "
    counts += f"{pluralize(found.activities, 'activity').replace('activitys', 'activities')}"
    durations = {name: one.duration_min for name, one in found.intents.items()}
    return counts, {
        "beginnings by hour": lambda panel: _hours(panel, found.by_hour, "activities"),
        "intents": lambda panel: _bars(panel, _by_intent(found.intents), "activities"),
        "durations": lambda panel: _spreads(panel, durations, "minutes"),
    }


def _trips(found: TripsDescription) -> tuple[str, dict[str, Draw]]:
    counts = f"{pluralize(found.users, 'user')}, {found.trips:,} {found.kind}, "
    counts += f"{found.first:%Y-%m-%d} to {found.last:%Y-%m-%d}"
    spreads = (
        ("lengths", found.distance_km, "km"),
        ("durations", found.duration_min, "minutes"),
        ("speeds", found.speed_kmh, "km/h"),
    )
    return counts, {
        "beginnings by hour": lambda panel: _hours(panel, found.by_hour, found.kind),
        **{name: partial(_spreads, spreads={"": one}, unit=unit) for name, one, unit in spreads},
    }


def _flows(found: FlowsDescription) -> tuple[str, dict[str, Draw]]:
    counts = f"{pluralize(found.areas, 'area')}, {pluralize(found.pairs, 'pair')} with a flow, "
    counts += f"{found.total:,.0f} trips, {found.self_share:.1%} within areas"
    top = {f"{one['origin']} to {one['destination']}": one["flow"] for one in found.top}
    spreads = {"of a pair": found.flow, "out of an area": found.outflow, "into it": found.inflow}
    far = found.distance_km
    return counts, {
        "largest flows": lambda panel: _bars(panel, top, "trips"),
        "flows": lambda panel: _spreads(panel, spreads, "trips"),
        **({"distances of trips": lambda panel: _bars(panel, far, "km")} if far else {}),
    }


_DRAWN: dict[type, Callable[[Any], tuple[str, dict[str, Draw]]]] = {
    PointsDescription: _points,
    VisitsDescription: _visits,
    PlacesDescription: _places,
    PlansDescription: _plans,
    TripsDescription: _trips,
    FlowsDescription: _flows,
}


# -- panels ------------------------------------------------------------------------------------


def _by_intent(intents: dict[str, IntentNumbers]) -> dict[str, int]:
    return {name: one.count for name, one in intents.items()}


def _hours(panel: Any, by_hour: list[int], of: str) -> None:
    panel.bar(np.arange(24), by_hour, width=1.0, align="edge", color=BLUE)
    as_hours(panel)
    panel.set_ylabel(of)


def _bars(panel: Any, numbers: dict[str, Any], unit: str) -> None:
    shown = dict(list(numbers.items())[:_TOP])
    if not shown:
        say_nothing(panel, "", "none")
        return
    at = np.arange(len(shown))[::-1]
    panel.barh(at, list(shown.values()), color=BLUE)
    names = [name if len(name) < 34 else f"{name[:32]}…" for name in shown]
    panel.set_yticks(at, [in_formulas(name) for name in names], fontsize=8)
    panel.set_xlabel(unit)
    panel.locator_params(axis="x", nbins=5)


def _users(panel: Any, values: pl.Series, label: str) -> None:
    known = values.drop_nulls().drop_nans().to_numpy()
    if not len(known):
        say_nothing(panel, "", "known of no user")
        return
    panel.hist(known, bins=30, color=BLUE)
    panel.set(xlabel=label, ylabel="users")


def _spreads(panel: Any, spreads: dict[str, Spread], unit: str) -> None:
    """Median, quartiles (thick) and 5 to 95 % (thin)."""
    known = {name: one for name, one in spreads.items() if one.count}
    at = np.arange(len(known))[::-1]
    ones = list(known.values())
    panel.hlines(at, [one.p5 for one in ones], [one.p95 for one in ones], color=BLUE, linewidth=1.2)
    panel.hlines(at, [one.p25 for one in ones], [one.p75 for one in ones], color=BLUE, linewidth=6)
    panel.plot([one.median for one in ones], at, "o", color="white", markeredgecolor=BLUE)
    panel.set_yticks(at, [in_formulas(name) for name in known], fontsize=8)
    panel.set_ylim(-0.6, len(known) - 0.4)
    panel.set_xlabel(f"{unit}: median, 25-75 %, 5-95 %")


def _map(figure: Any, panel: Any, heat: pl.DataFrame) -> None:
    """Records by square, north up; as far in the one direction as in the other."""
    lat, lon, rows = (heat[name].to_numpy() for name in ("lat", "lon", "rows"))
    narrow = max(0.05, float(np.cos(np.radians(np.average(lat, weights=rows)))))
    ends = map_limits(lat, lon * narrow, rows)
    side = max(float(np.ptp(ends, axis=1).max()) / _ACROSS, float(heat["side"][0]))
    edges = [np.arange(low - 1.5 * side, high + 2.5 * side, side) for low, high in ends]
    edges[1] /= narrow
    counts, _, _ = np.histogram2d(lat, lon, bins=edges, weights=rows)
    draw_heat(
        figure, panel, counts, (edges[1], edges[0]), f"rows in squares of {side * 111.2:.2g} km"
    )
    panel.set(xlabel="longitude", ylabel="latitude", aspect=1 / narrow)
    outside = round(float(rows.sum() - counts.sum()))
    panel.set_title(f"where, {pluralize(outside, 'row')} outside the map" if outside else "where")
    panel.locator_params(axis="x", nbins=5)
