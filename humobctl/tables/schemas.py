"""The tables of humobctl, declared once and checked at every door with dataframely.

Column order is fixed. Integers are as small as the data allow: a row of a grid trajectory takes
11 bytes, so that the 111 million rows of a 100,000-user city fit in 1.2 GB.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import dataframely as dy
import polars as pl

MASKED = 999
"""Stands for x and y of a cell that is to be predicted (HuMob)."""
GRID_SIDE = 200
"""Cells along each side of a HuMob city, counted from 1."""
SLOTS_PER_DAY = 48
"""Half-hour slots, counted from 0."""
MAX_DAY = 9999
EMBEDDING_SIZE = 512
"""Numbers of a user's vector."""

INTENTS = (
    "go to work",
    "go home",
    "eat",
    "do shopping",
    "do sports",
    "excursion",
    "leisure or entertainment",
    "go to sleep",
    "medical treatment",
    "handle the trivialities of life",
    "banking and financial services",
    "cultural institutions and events",
)
"""The twelve intents of CoPB (Chain-of-Planned-Behaviour)."""
NOT_EMPLOYED = "not employed"
"""The occupation of a profile of who does not go to work."""


def _cell() -> dy.Int16:
    expected = f"an integer from 1 to {GRID_SIDE}, or {MASKED} for a masked cell"
    return dy.Int16(
        min=1,
        check={"cell": lambda cell: (cell <= GRID_SIDE) | (cell == MASKED)},
        metadata={"expected": expected},
    )


def _true_cell(*, nullable: bool = False) -> dy.Int16:
    expected = f"an integer from 1 to {GRID_SIDE}"
    return dy.Int16(nullable=nullable, min=1, max=GRID_SIDE, metadata={"expected": expected})


class GridTrajectory(dy.Schema):
    """Who was in which cell in which half hour (HuMob); (999, 999) marks a masked cell."""

    uid = dy.UInt32(metadata={"expected": "a user number from 0 to 4294967295"})
    d = dy.Int16(min=0, max=MAX_DAY, metadata={"expected": f"a day index from 0 to {MAX_DAY}"})
    t = dy.UInt8(max=SLOTS_PER_DAY - 1, metadata={"expected": "a half-hour slot from 0 to 47"})
    x = _cell()
    y = _cell()

    @dy.rule()
    def half_masked(cls) -> pl.Expr:  # noqa: N805 - dataframely passes the class
        """Both coordinates are masked, or neither is."""
        return (pl.col("x") == MASKED) == (pl.col("y") == MASKED)


class PointTrajectory(dy.Schema):
    """Who was where at what moment, in degrees (WGS 84)."""

    uid = dy.String(min_length=1, metadata={"expected": "a user id"})
    datetime = dy.Datetime(time_unit="us", metadata={"expected": "a date and time"})
    lat = dy.Float64(min=-90, max=90, metadata={"expected": "a latitude from -90 to 90"})
    lon = dy.Float64(min=-180, max=180, metadata={"expected": "a longitude from -180 to 180"})
    place_id = dy.String(nullable=True)
    category = dy.String(nullable=True)


class AccuratePoint(PointTrajectory):
    """A point with the radius in metres that it is known to."""

    accuracy = dy.Float64(nullable=True, metadata={"expected": "a number of metres from 0"}, min=0)


class Profile(dy.Schema):
    """A person's attributes, with home and work where they are known."""

    uid = dy.UInt32(metadata={"expected": "a user number"})
    education = dy.String(min_length=1)
    gender = dy.String(min_length=1)
    consumption = dy.String(min_length=1)
    occupation = dy.String(min_length=1)
    home_lat = dy.Float64(nullable=True, min=-90, max=90)
    home_lon = dy.Float64(nullable=True, min=-180, max=180)
    work_lat = dy.Float64(nullable=True, min=-90, max=90)
    work_lon = dy.Float64(nullable=True, min=-180, max=180)


class Population(Profile):
    """Profiles of single people, or of ``count`` people each."""

    count = dy.UInt32(nullable=True, metadata={"expected": "a number of people from 0"})


class Place(dy.Schema):
    """A place one can go to, its category and the intent it serves."""

    place_id = dy.String(min_length=1, metadata={"expected": "a place id"})
    name = dy.String(nullable=True)
    category = dy.String(nullable=True)
    intent = dy.String(
        nullable=True,
        check={"intent": lambda intent: intent.is_in(INTENTS)},
        metadata={"expected": "one of the twelve intents"},
    )
    lat = dy.Float64(min=-90, max=90, metadata={"expected": "a latitude from -90 to 90"})
    lon = dy.Float64(min=-180, max=180, metadata={"expected": "a longitude from -180 to 180"})


class WeightedPlace(Place):
    """A place, how often people came there, and how many work there."""

    visits = dy.Float64(
        nullable=True,
        min=0,
        allow_inf=False,
        allow_nan=False,
        metadata={"expected": "a number of visits from 0"},
    )
    jobs = dy.Float64(
        nullable=True,
        min=0,
        allow_inf=False,
        allow_nan=False,
        metadata={"expected": "a number of jobs from 0"},
    )


class Visit(dy.Schema):
    """A stay at a place, with its intent where it is known. Minutes count from 0:00 of day d."""

    uid = dy.UInt32(metadata={"expected": "a user number"})
    d = dy.Int16(min=0, max=MAX_DAY)
    seq = dy.Int16(min=0)
    intent = dy.String(nullable=True)
    start_min = dy.Int16(min=0, max=1440, metadata={"expected": "a minute from 0 to 1440"})
    end_min = dy.Int16(min=0, max=1440, metadata={"expected": "a minute from 0 to 1440"})
    place_id = dy.String(nullable=True)
    lat = dy.Float64(min=-90, max=90, metadata={"expected": "a latitude from -90 to 90"})
    lon = dy.Float64(min=-180, max=180, metadata={"expected": "a longitude from -180 to 180"})

    @dy.rule()
    def ends_before_it_starts(cls) -> pl.Expr:  # noqa: N805
        """A stay does not end before it starts."""
        return pl.col("end_min") >= pl.col("start_min")


class CategorisedVisit(Visit):
    """A stay with the category of its place, where that is known."""

    category = dy.String(nullable=True, metadata={"expected": "a category of places"})


class TimedVisit(Visit):
    """A stay found in points, or its part of a day, with the moments of the whole stay."""

    started_at = dy.Datetime(time_unit="us")
    finished_at = dy.Datetime(time_unit="us")


class HomeWork(dy.Schema):
    """Home and work of a person, in degrees, and how much speaks for them."""

    id = dy.String(nullable=True)
    home_lat = dy.Float64(min=-90, max=90, metadata={"expected": "a latitude from -90 to 90"})
    home_lon = dy.Float64(min=-180, max=180, metadata={"expected": "a longitude from -180 to 180"})
    work_lat = dy.Float64(min=-90, max=90, metadata={"expected": "a latitude from -90 to 90"})
    work_lon = dy.Float64(min=-180, max=180, metadata={"expected": "a longitude from -180 to 180"})
    home_days = dy.UInt32(nullable=True)
    work_days = dy.UInt32(nullable=True)
    home_confidence = dy.Float64(nullable=True)
    work_confidence = dy.Float64(nullable=True)


class Location(dy.Schema):
    """Where a user stays, at the mean of the stays there, and how often and long."""

    uid = dy.UInt32(metadata={"expected": "a user number"})
    place_id = dy.String(min_length=1)
    lat = dy.Float64(min=-90, max=90)
    lon = dy.Float64(min=-180, max=180)
    intent = dy.String(nullable=True)
    stays = dy.UInt32()
    minutes = dy.Float64(min=0)


class TripLeg(dy.Schema):
    """A way between two stays without a gap; distance and line go through its points."""

    uid = dy.UInt32(metadata={"expected": "a user number"})
    leg = dy.UInt32(metadata={"expected": "a number from 0"})
    trip = dy.UInt32(nullable=True, metadata={"expected": "a number from 0"})
    started_at = dy.Datetime(time_unit="us", metadata={"expected": "a date and time"})
    finished_at = dy.Datetime(time_unit="us", metadata={"expected": "a date and time"})
    distance_m = dy.Float64(min=0)
    points = dy.UInt32()
    line = dy.String(nullable=True, metadata={"expected": "a line as WKT"})
    mode = dy.String(nullable=True, metadata={"expected": "a mode of transport"})


class Trip(dy.Schema):
    """A way from one activity to the next; null ends where it begins or ends in a gap."""

    uid = dy.UInt32(metadata={"expected": "a user number"})
    trip = dy.UInt32(metadata={"expected": "a number from 0"})
    started_at = dy.Datetime(time_unit="us", metadata={"expected": "a date and time"})
    finished_at = dy.Datetime(time_unit="us", metadata={"expected": "a date and time"})
    origin = dy.String(nullable=True)
    destination = dy.String(nullable=True)
    origin_lat = dy.Float64(min=-90, max=90)
    origin_lon = dy.Float64(min=-180, max=180)
    destination_lat = dy.Float64(min=-90, max=90)
    destination_lon = dy.Float64(min=-180, max=180)
    distance_m = dy.Float64(min=0)
    duration_min = dy.Float64(min=0)
    points = dy.UInt32()
    line = dy.String(nullable=True, metadata={"expected": "a line as WKT"})
    mode = dy.String(nullable=True, metadata={"expected": "a mode of transport"})
    intent = dy.String(nullable=True)


class Tour(dy.Schema):
    """Trips in a row, ``first_trip`` to ``last_trip``, that end where they began."""

    uid = dy.UInt32(metadata={"expected": "a user number"})
    tour = dy.UInt32(metadata={"expected": "a number from 0"})
    started_at = dy.Datetime(time_unit="us", metadata={"expected": "a date and time"})
    finished_at = dy.Datetime(time_unit="us", metadata={"expected": "a date and time"})
    place_id = dy.String(min_length=1, metadata={"expected": "the place_id of a location"})
    first_trip = dy.UInt32(metadata={"expected": "a number from 0"})
    last_trip = dy.UInt32(metadata={"expected": "a number from 0"})
    trips = dy.UInt32(min=1)
    distance_m = dy.Float64(min=0)
    duration_min = dy.Float64(min=0)


class Density(dy.Schema):
    """How many people live around a point, in degrees."""

    lat = dy.Float64(min=-90, max=90, metadata={"expected": "a latitude from -90 to 90"})
    lon = dy.Float64(min=-180, max=180, metadata={"expected": "a longitude from -180 to 180"})
    population = dy.Float64(
        min=0, allow_inf=False, allow_nan=False, metadata={"expected": "a number of people from 0"}
    )


class Intention(dy.Schema):
    """What a person intends to do, when and why. Minutes count from 0:00 of day d."""

    uid = dy.UInt32(metadata={"expected": "a user number"})
    d = dy.Int16(min=0, max=MAX_DAY, metadata={"expected": f"a day index from 0 to {MAX_DAY}"})
    seq = dy.Int16(min=0, metadata={"expected": "a number from 0"})
    intent = dy.String(
        check={"intent": lambda intent: intent.is_in(INTENTS)},
        metadata={"expected": "one of the twelve intents"},
    )
    start_min = dy.Int16(min=0, max=1440, metadata={"expected": "a minute from 0 to 1440"})
    end_min = dy.Int16(min=0, max=1440, metadata={"expected": "a minute from 0 to 1440"})
    reason = dy.String(nullable=True)

    @dy.rule()
    def no_duration(cls) -> pl.Expr:  # noqa: N805
        """An event ends after it starts."""
        return pl.col("end_min") > pl.col("start_min")


class CategorisedIntention(Intention):
    """An intention with the category of the place that it is for, where that is known."""

    category = dy.String(nullable=True, metadata={"expected": "a category of places"})


class Calendar(dy.Schema):
    """Which days are days off: weekends, holidays, and days on which a city stands still."""

    d = dy.Int16(min=0, max=MAX_DAY, metadata={"expected": f"a day index from 0 to {MAX_DAY}"})
    off = dy.UInt8(max=1, metadata={"expected": "1 for a day off, 0 for a working day"})


class Area(dy.Schema):
    """An area that people live in and travel between, at its centroid."""

    area_id = dy.String(min_length=1, metadata={"expected": "an area id"})
    lat = dy.Float64(min=-90, max=90, metadata={"expected": "a latitude from -90 to 90"})
    lon = dy.Float64(min=-180, max=180, metadata={"expected": "a longitude from -180 to 180"})
    population = dy.Float64(min=0, metadata={"expected": "a number of people from 0"})
    outflow = dy.Float64(
        nullable=True, min=0, metadata={"expected": "a number of trips to other areas from 0"}
    )


class Flow(dy.Schema):
    """Trips from one area to another; both may be the same."""

    origin = dy.String(min_length=1, metadata={"expected": "an area id"})
    destination = dy.String(min_length=1, metadata={"expected": "an area id"})
    flow = dy.Float64(min=0, metadata={"expected": "a number of trips from 0"})


class FlowOfDay(dy.Schema):
    """Flow of a day from one area to another; areas that are cells are called ``y_x``.

    A hidden day is one row with only a date. A row without a destination has flow 0: a known day
    without any flow, or an origin without destinations (``tables/flow_series.py``).
    """

    date = dy.Date(metadata={"expected": "a date such as 2024-02-01"})
    origin = dy.String(nullable=True, metadata={"expected": "an area id"})
    destination = dy.String(nullable=True, metadata={"expected": "an area id"})
    flow = dy.Float64(
        nullable=True,
        min=0,
        allow_inf=False,
        allow_nan=False,
        metadata={"expected": "a finite number from 0"},
    )

    @dy.rule()
    def half_a_pair(cls) -> pl.Expr:  # noqa: N805
        """A hidden day has no areas; no areas have no flow; no destination without an origin."""
        none = pl.col("destination").is_null()
        hidden = pl.col("flow").is_null()
        return (
            pl.when(hidden)
            .then(none & pl.col("origin").is_null())
            .when(none)
            .then(pl.col("flow") == 0)
            .otherwise(pl.col("origin").is_not_null())
        )


class Covariate(dy.Schema):
    """What is known of a cell on a day beside its flows: water outage, evacuees, rain."""

    date = dy.Date(metadata={"expected": "a date such as 2024-02-01"})
    cell = dy.String(min_length=1, metadata={"expected": "an area id of the flow series"})
    value = dy.Float64(allow_inf=False, allow_nan=False, metadata={"expected": "a finite number"})


class Embedding(dy.Schema):
    """A user's vector; users of several cities stand apart by the name of the city."""

    uid = dy.UInt32(metadata={"expected": "a user number from 0 to 4294967295"})
    embedding = dy.Array(dy.Float32(), EMBEDDING_SIZE, metadata={"expected": "512 finite numbers"})
    city = dy.String(nullable=True)


class Score(dy.Schema):
    """One value of one metric, of a file, of a user in it, or of a difference of two files."""

    file = dy.String(min_length=1)
    uid = dy.UInt32(nullable=True, metadata={"expected": "a user number, or none for all"})
    metric = dy.String(min_length=1)
    edition = dy.String(nullable=True)
    value = dy.Float64(nullable=True)
    low = dy.Float64(nullable=True)
    high = dy.Float64(nullable=True)
    sd = dy.Float64(nullable=True)
    intent = dy.String(nullable=True)
    p = dy.Float64(nullable=True)
    p_holm = dy.Float64(nullable=True)


class UserMeasures(dy.Schema):
    """What is measured of one user (docs/measures.md); null where records are too few."""

    uid = dy.UInt32(metadata={"expected": "a user number"})
    records = dy.Int64(min=1)
    days = dy.Int64(min=1)
    coverage = dy.Float64(nullable=True)
    longest_gap_hours = dy.Float64()
    locations = dy.Int64(min=1)
    top_location_share = dy.Float64()
    radius_of_gyration_km = dy.Float64()
    radius_of_gyration_duration_km = dy.Float64(nullable=True)
    k2_radius_of_gyration_km = dy.Float64()
    jump_length_mean_km = dy.Float64(nullable=True)
    jump_length_median_km = dy.Float64(nullable=True)
    maximum_distance_km = dy.Float64(nullable=True)
    distance_straight_line_km = dy.Float64()
    waiting_time_mean_min = dy.Float64(nullable=True)
    waiting_time_median_min = dy.Float64(nullable=True)
    distance_from_home_mean_km = dy.Float64()
    distance_from_home_max_km = dy.Float64()
    square_displacement_1h_km2 = dy.Float64()
    square_displacement_24h_km2 = dy.Float64()
    square_displacement_168h_km2 = dy.Float64()
    entropy_random_bits = dy.Float64()
    entropy_uncorrelated_bits = dy.Float64()
    entropy_real_bits = dy.Float64()
    predictability = dy.Float64(nullable=True, min=0, max=1)


def _order(name: str) -> dy.UInt32:
    return dy.UInt32(metadata={"expected": f"a number of a {name} from 0"})


class SessionRecord(dy.Schema):
    """A record of a user's session at a place; records are numbered in each session."""

    uid = dy.String(min_length=1, metadata={"expected": "a user id"})
    session = _order("session")
    step = _order("record")
    datetime = dy.Datetime(time_unit="us", metadata={"expected": "a date and time"})
    lat = dy.Float64(min=-90, max=90, metadata={"expected": "a latitude from -90 to 90"})
    lon = dy.Float64(min=-180, max=180, metadata={"expected": "a longitude from -180 to 180"})
    place_id = dy.String(min_length=1, metadata={"expected": "a place id"})
    category = dy.String(nullable=True)


class SessionCell(dy.Schema):
    """A record of a user's session in a cell."""

    uid = dy.UInt32(metadata={"expected": "a user number from 0 to 4294967295"})
    session = _order("session")
    step = _order("record")
    d = dy.Int16(min=0, max=MAX_DAY, metadata={"expected": f"a day index from 0 to {MAX_DAY}"})
    t = dy.UInt8(max=SLOTS_PER_DAY - 1, metadata={"expected": "a half-hour slot from 0 to 47"})
    x = _true_cell()
    y = _true_cell()


def _rank() -> dy.UInt16:
    return dy.UInt16(min=1, metadata={"expected": "a rank from 1"})


def _probability() -> dy.Float64:
    return dy.Float64(min=0, max=1, metadata={"expected": "a probability from 0 to 1"})


class RankedCell(dy.Schema):
    """A candidate cell of a masked row, the most probable of the row first (rank 1)."""

    uid = dy.UInt32(metadata={"expected": "a user number from 0 to 4294967295"})
    d = dy.Int16(min=0, max=MAX_DAY, metadata={"expected": f"a day index from 0 to {MAX_DAY}"})
    t = dy.UInt8(max=SLOTS_PER_DAY - 1, metadata={"expected": "a half-hour slot from 0 to 47"})
    rank = _rank()
    x = _true_cell()
    y = _true_cell()
    p = _probability()


class CellProbability(dy.Schema):
    """A cell with a probability in a masked row; x and y are null for all cells new to the user."""

    uid = dy.UInt32(metadata={"expected": "a user number from 0 to 4294967295"})
    d = dy.Int16(min=0, max=MAX_DAY, metadata={"expected": f"a day index from 0 to {MAX_DAY}"})
    t = dy.UInt8(max=SLOTS_PER_DAY - 1, metadata={"expected": "a half-hour slot from 0 to 47"})
    x = _true_cell(nullable=True)
    y = _true_cell(nullable=True)
    p = _probability()

    @dy.rule()
    def half_a_cell(cls) -> pl.Expr:  # noqa: N805
        """Both coordinates are there, or neither is."""
        return pl.col("x").is_null() == pl.col("y").is_null()


class RankedNextCell(dy.Schema):
    """A candidate cell of a record of a session."""

    uid = dy.UInt32(metadata={"expected": "a user number from 0 to 4294967295"})
    session = _order("session")
    step = _order("record")
    d = dy.Int16(min=0, max=MAX_DAY, metadata={"expected": f"a day index from 0 to {MAX_DAY}"})
    t = dy.UInt8(max=SLOTS_PER_DAY - 1, metadata={"expected": "a half-hour slot from 0 to 47"})
    rank = _rank()
    x = _true_cell()
    y = _true_cell()
    p = _probability()


class RankedNextPlace(dy.Schema):
    """A candidate place of a record of a session."""

    uid = dy.String(min_length=1, metadata={"expected": "a user id"})
    session = _order("session")
    step = _order("record")
    datetime = dy.Datetime(time_unit="us", metadata={"expected": "a date and time"})
    rank = _rank()
    place_id = dy.String(min_length=1, metadata={"expected": "a place id"})
    lat = dy.Float64(nullable=True, min=-90, max=90)
    lon = dy.Float64(nullable=True, min=-180, max=180)
    p = _probability()


@cache
def _bind_columns(schema: type[dy.Schema]) -> dict[str, dy.Column]:
    # dataframely binds every column to its name again at each call.
    return schema.columns()


@dataclass(frozen=True)
class Table:
    """A named table: its schema, and what messages say about rules over several columns."""

    name: str
    schema: type[dy.Schema]
    rules: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Rule name -> (columns to show, what is expected)."""
    key: tuple[str, ...] = ()
    """Columns that may not repeat together."""
    optional: tuple[str, ...] = ()
    """Columns that a file may leave out; they are filled with nulls."""

    @property
    def columns(self) -> list[str]:
        """Column names, in their fixed order."""
        return list(_bind_columns(self.schema))

    @property
    def dtypes(self) -> dict[str, pl.DataType]:
        """Polars types by column."""
        return {name: column.dtype for name, column in _bind_columns(self.schema).items()}

    def describe_expected(self, column: str) -> str:
        """What a cell of ``column`` should hold, in words."""
        declared = _bind_columns(self.schema)[column]
        text = (declared.metadata or {}).get("expected")
        if text:
            return str(text)
        kind = declared.dtype
        if kind.is_integer():
            return "an integer"
        return "a number" if kind.is_numeric() else "text"


GRID = Table(
    "grid trajectory",
    GridTrajectory,
    rules={"half_masked": ("x, y", f"{MASKED} in both x and y, or in neither")},
    key=("uid", "d", "t"),
)
POINTS = Table("point trajectory", PointTrajectory, optional=("place_id", "category"))
ACCURATE_POINTS = Table("point trajectory", AccuratePoint, optional=POINTS.optional)
PROFILES = Table(
    "profile",
    Profile,
    key=("uid",),
    optional=("home_lat", "home_lon", "work_lat", "work_lon"),
)
PLACES = Table("place", Place, optional=("name", "category", "intent"))
WEIGHTED_PLACES = Table("place", WeightedPlace, optional=(*PLACES.optional, "visits", "jobs"))
VISITS = Table(
    "visit",
    Visit,
    rules={"ends_before_it_starts": ("start_min, end_min", "a stay that ends after its start")},
    optional=("intent", "place_id"),
)
CATEGORISED_VISITS = Table(
    "visit", CategorisedVisit, rules=VISITS.rules, optional=(*VISITS.optional, "category")
)
POPULATION = Table(
    "population",
    Population,
    key=("uid",),
    optional=("home_lat", "home_lon", "work_lat", "work_lon", "count"),
)
INTENTIONS = Table(
    "day plan",
    Intention,
    rules={"no_duration": ("start_min, end_min", "an event that ends after its start")},
    optional=("reason",),
)
CATEGORISED_INTENTIONS = Table(
    "day plan",
    CategorisedIntention,
    rules=INTENTIONS.rules,
    optional=(*INTENTIONS.optional, "category"),
)
TIMED_VISITS = Table("visit", TimedVisit, rules=VISITS.rules, optional=VISITS.optional)
HOME_WORK = Table(
    "home and work",
    HomeWork,
    optional=("id", "home_days", "work_days", "home_confidence", "work_confidence"),
)
LOCATIONS = Table("location", Location, optional=("intent",))
TRIPS = Table(
    "trip", Trip, key=("uid", "trip"), optional=("origin", "destination", "line", "mode", "intent")
)
TRIP_LEGS = Table("trip leg", TripLeg, key=("uid", "leg"), optional=("trip", "line", "mode"))
TOURS = Table("tour", Tour, key=("uid", "tour"))
DENSITY = Table("population density", Density)
AREAS = Table("area", Area, key=("area_id",), optional=("outflow",))
FLOWS = Table("flow", Flow, key=("origin", "destination"))
FLOW_SERIES = Table(
    "flow series",
    FlowOfDay,
    rules={
        "half_a_pair": (
            "origin, destination, flow",
            "both areas and a flow, or (for a hidden day) none of the three",
        )
    },
    optional=("origin", "destination", "flow"),
)
COVARIATES = Table("covariate", Covariate, key=("date", "cell"))
EMBEDDINGS = Table("embedding", Embedding, key=("city", "uid"), optional=("city",))
SCORES = Table(
    "score",
    Score,
    optional=("uid", "edition", "value", "low", "high", "sd", "intent", "p", "p_holm"),
)
CALENDAR = Table("calendar", Calendar, key=("d",))
USER_MEASURES = Table("user measure", UserMeasures, key=("uid",))
STEP_KEY = ("uid", "session", "step")
SESSION_RECORDS = Table("session", SessionRecord, key=STEP_KEY, optional=("category",))
SESSION_CELLS = Table("session", SessionCell, key=STEP_KEY)
CELL_PROBABILITIES = Table(
    "cell probability",
    CellProbability,
    rules={"half_a_cell": ("x, y", "both x and y, or neither (for cells new to the user)")},
    key=("uid", "d", "t", "x", "y"),
    optional=("x", "y"),
)
RANKED_CELLS = Table("ranked cell", RankedCell, key=("uid", "d", "t", "rank"))
RANKED_NEXT_CELLS = Table("ranked next cell", RankedNextCell, key=(*STEP_KEY, "rank"))
RANKED_NEXT_PLACES = Table(
    "ranked next place", RankedNextPlace, key=(*STEP_KEY, "rank"), optional=("lat", "lon")
)
RANKED = (RANKED_CELLS, RANKED_NEXT_CELLS, RANKED_NEXT_PLACES)
"""``uid`` of a point trajectory is the text that stands there."""
_ALL = (
    *(GRID, POINTS, PROFILES, POPULATION, INTENTIONS, PLACES, VISITS, HOME_WORK, DENSITY),
    *(AREAS, FLOWS, FLOW_SERIES, EMBEDDINGS, SCORES, CALENDAR, TRIPS, TRIP_LEGS, TOURS),
)
TABLES = {table.name: table for table in _ALL}
