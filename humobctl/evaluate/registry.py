"""The metrics of `eval`, as options, tables and signatures name them.

The tables that they come from stand beside their computation: ``cells/points.py``,
``generated/statistics.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from humobctl.evaluate.cells.dtw import HUMOB_CELL_KM
from humobctl.evaluate.cells.geobleu import BETA, DIALECTS, RULES
from humobctl.evaluate.cells.points import POINT_METRICS
from humobctl.evaluate.generated.statistics import BINS

DtwKind = Literal["exact", "fast"]


@dataclass(frozen=True)
class Metric:
    """A score of a user-day; users' scores are means over days, a city's the mean over users.

    Attributes:
        name: as options and JSON spell it.
        dialect: humob24, humob25, or "" where there is only one way.
        unit: km, share, or "" for a pure number.
        higher_is_better: which way is better.
        settings: every setting that changes the value, for the signature.
    """

    name: str
    dialect: str
    unit: str
    higher_is_better: bool
    settings: tuple[tuple[str, str], ...] = ()

    @property
    def column(self) -> str:
        """Name of its column in detail tables."""
        return f"{self.name}_{self.dialect}" if self.dialect else self.name

    @property
    def label(self) -> str:
        """Name in tables for people."""
        unit = f" ({self.unit})" if self.unit == "km" else ""
        title = {"geobleu": "GEO-BLEU", "dtw": "DTW"}.get(self.name, self.name.replace("_", " "))
        return f"{title} {self.dialect}".strip() + unit


def _dialect_metrics(dialect: str, dtw: DtwKind, cell: tuple[str, str]) -> list[Metric]:
    grams = str(RULES[dialect].max_n)
    start = "open" if dialect == "humob24" else "closed"
    return [
        Metric("geobleu", dialect, "", True, (("n", grams), ("beta", str(BETA)))),
        Metric("dtw", dialect, "km", False, (("start", start), ("algorithm", dtw), cell)),
    ]


def metrics(
    dialects: tuple[str, ...] = DIALECTS, dtw: DtwKind = "exact", cell_km: float = HUMOB_CELL_KM
) -> list[Metric]:
    """The metrics of predictions, in the order they are shown."""
    cell = ("cell", f"{cell_km:g}km")
    scores = [metric for dialect in dialects for metric in _dialect_metrics(dialect, dtw, cell)]
    scores.sort(key=lambda metric: metric.name, reverse=True)
    points = [
        Metric(name, "", one.unit, one.higher_is_better, (cell,) if one.by_cell else ())
        for name, one in POINT_METRICS.items()
    ]
    return scores + points


NAMES = ("geobleu", "dtw", *POINT_METRICS)


def intention_metrics() -> list[Metric]:
    """The metrics of day plans, in the order they are shown; all are better when lower."""
    jsd, half_hours = (("divergence", "jsd"), ("log", "e")), ("bins", "48x30min")
    return [
        Metric("events_per_day", "", "", False, (*jsd, ("bins", "1-48"))),
        Metric("intent", "", "", False, (*jsd, ("bins", "12"))),
        Metric("intent_duration", "", "", False, (*jsd, half_hours, _BY_REFERENCE)),
        Metric("duration", "", "", False, (*jsd, half_hours)),
        Metric("start", "", "", False, (*jsd, half_hours)),
        Metric("transition", "", "", False, (("distance", "total-variation"), _BY_REFERENCE)),
    ]


def generated_metrics() -> list[Metric]:
    """The metrics of generated data, in the order they are shown; all are better when lower.

    Those of day plans that have no name of their own here come last.
    """
    own = [
        Metric(
            name,
            "",
            "",
            False,
            (("divergence", "jsd"), ("log", "e"), ("bins", str(bins)), *_SAYS.get(name, ())),
        )
        for name, bins in BINS.items()
    ]
    return own + [metric for metric in intention_metrics() if metric.name not in BINS]


_SAYS = {
    "jump_distance": (("within", "day"),),
    "radius": (("of", "person-day"), ("weights", "none")),
    "daily_loc": (("of", "person-day"),),
    "periodicity": (("of", "person-day"),),
    "grank": (("visits", "stays"),),
    "irank": (("visits", "stays"), ("of", "person")),
}
_BY_REFERENCE = ("weights", "reference-events")
INTENTION_NAMES = tuple(metric.name for metric in intention_metrics())
GENERATED_NAMES = tuple(metric.name for metric in generated_metrics())
