"""Names that data sets give to columns, and the names that humobctl gives them.

Compared by letters and digits: ``User ID``, ``user_id`` and ``userId`` are one.
Sources: scikit-mobility (uid, datetime, lat, lng), trackintel (user_id, tracked_at, geom, and
started_at for stay points), movingpandas and pandas habits, Foursquare TSMC2014 as it is shared
with a header (userId, venueId, venueCategory, timezoneOffset, utcTimestamp), CoPB's frames;
Veraset's and Cuebiq's pings (caid, cuebiq_id, horizontal_accuracy), kepler.gl (point_latitude,
location-lat, gps_data.lat, _geojson), Movebank (location-long), trajectories of movingpandas and of
CoPB (traj_id, trajectory_id), GDAL's track points (track_fid); scikit-mobility's tessellations and
flows (tile_ID, relevance, tot_outflow, origin, destination).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from humobctl.errors import HumobError, UsageError

ALIASES: dict[str, tuple[str, ...]] = {
    "uid": (
        *("uid", "userid", "user", "agentid", "agent", "personid", "individualid"),
        *("caid", "cuebiqid", "adid", "deviceid", "trajectoryid", "trajid", "trackfid"),
    ),
    "datetime": (
        "datetime",
        "timestamp",
        "time",
        "trackedat",
        "checkintime",
        "localtime",
        "startedat",
        "dt",
        "checkindatetime",
        "eventzoneddatetime",
    ),
    "date": ("date",),
    "leave": ("finishedat", "leavingdatetime"),
    "utc": (
        *("utctimestamp", "utctime", "utcdatetime"),
        *("timestamputc", "timeutc", "datetimeutc"),
    ),
    "offset": ("timezoneoffset", "timezoneoffsetminutes", "tzoffset", "offset"),
    "lat": ("lat", "latitude", "pointlatitude", "locationlat"),
    "lon": (*("lon", "lng", "long", "longitude", "pointlongitude", "locationlng", "locationlong"),),
    "geom": ("geom", "geometry", "wkt", "geojson"),
    "accuracy": ("accuracy", "horizontalaccuracy", "accuracym", "accuracymeters"),
    "place_id": ("placeid", "poiid", "venueid", "locationid", "locid"),
    "name": ("name", "placename", "poiname", "venuename"),
    "category": ("category", "generalcategory", "venuecategory", "venuecategoryname"),
    "d": ("d", "day"),
    "t": ("t", "slot", "timeslot"),
    "x": ("x",),
    "y": ("y",),
    "start_min": ("startmin",),
    "end_min": ("endmin",),
    "seq": ("seq",),
    "intent": ("intent", "intention"),
    "poi_category": ("poicategory",),
    "area_id": ("areaid", "tileid", "geoid", "zoneid", "id"),
    "population": ("population", "pop", "relevance"),
    "outflow": ("outflow", "totoutflow"),
    "origin": ("origin", "originid", "from"),
    "destination": ("destination", "destinationid", "to"),
    "flow": ("flow", "trips", "commuters"),
}
"""Our name -> other names for it, the best first; only the best that is there is used."""

ROLES = {name: role for role, names in ALIASES.items() for name in names}
"""Each of these names -> ours."""
_DEGREES = re.compile(r"[(\[](deg|degrees?|°|wgs ?84)[)\]]")
PURPOSE = "purpose"
"""What trackintel calls the intent of a stay."""


def plain(name: str) -> str:
    """A name without case, spaces, punctuation, and units of degrees: its letters and digits."""
    return re.sub(r"[\W_]+", "", _DEGREES.sub("", name.lower()))


def parse_columns(pairs: Iterable[str]) -> dict[str, str]:
    """``--columns`` as a mapping: name in the file -> our name, or "" to leave it out.

    Args:
        pairs: texts such as ``when=datetime`` or ``when=datetime,who=uid,altitude=``.

    Raises:
        UsageError: a text without ``=``.
    """
    renamed: dict[str, str] = {}
    for text in pairs:
        for pair in text.split(","):
            old, sign, new = pair.partition("=")
            if not sign or not old.strip():
                raise UsageError(
                    f"--columns: found {pair!r}, expected NAME_IN_FILE=NAME, or NAME_IN_FILE= to "
                    "leave a column out"
                )
            renamed[old.strip()] = new.strip()
    return renamed


def _known_name(name: str, names: list[str]) -> str:
    """A name as ``plain`` has it; of a field such as ``gps_data.lat`` the last part, if only it."""
    last = name.rpartition(".")[2]
    if plain(name) in ROLES or last == name:
        return plain(name)
    alone = sum(plain(other.rpartition(".")[2]) == plain(last) for other in names) == 1
    return plain(last) if alone else plain(name)


def roles(
    names: Iterable[str], columns: dict[str, str] | None = None, source: str = "table"
) -> dict[str, str]:
    """Which column of a file plays which role.

    Args:
        names: the file's column names.
        columns: what ``parse_columns`` gave; it goes before the alias table.
        source: the file's name, for messages.

    Returns:
        Role (a key of ``ALIASES``) -> name in the file.

    Raises:
        HumobError: ``columns`` names a column that is not there.
        UsageError: it gives one name twice.
    """
    listed = list(names)
    columns = columns or {}
    found: dict[str, str] = {}
    for old, new in columns.items():
        if old not in listed:
            raise HumobError(
                f"{source}: found columns {', '.join(listed)}, expected {old!r} among them, as "
                "--columns says"
            )
        role = ROLES.get(plain(new), new)
        if new and role in found:
            raise UsageError(f"--columns: found {role} for both {found[role]} and {old}")
        if new:
            found[role] = old
    fixed = set(found)
    best: dict[str, int] = {}
    for name in listed:
        known = _known_name(name, listed)
        role = ROLES.get(known, "")
        if not role or name in columns or role in fixed:
            continue
        rank = ALIASES[role].index(known)
        if rank < best.get(role, len(ALIASES[role])):
            best[role], found[role] = rank, name
    return found
