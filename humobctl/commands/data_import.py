"""``humobctl data import``: what other programs and data sets write, as a table of ours."""

from __future__ import annotations

from typing import Any

import humobctl as hm
from humobctl.commands.options import options_from


@options_from(hm.read)
def import_(**options: Any) -> None:
    """Convert a data set to a humobctl table.

    Reads HuMob tables (2023, 2024, 2025, and the daily flows of 2026), GPS points, stays and
    check-ins with a header (scikit-mobility, trackintel, movingpandas, GeoPandas, kepler.gl,
    Veraset, Cuebiq), GPX, Foursquare TSMC2014, Gowalla and Brightkite, Massive-STEPS, GeoLife,
    T-Drive and Porto taxis, OpenPFLOW, LibCity folders, people of the American Time Use Survey,
    IPUMS and the American Community Survey (as profiles), and CoPB's stay lists, JSON traces,
    templates and pickles. They may be CSV or other separated text, NDJSON, JSON, GeoJSON, Parquet
    or Arrow, plain, .gz or .zst; GeoPackage, FlatGeobuf or Shapefile with the extra geo. The
    detected format is reported on stderr. --format is the format of the input, --to that of the
    output. See docs/importing.md.

    Writes a grid trajectory (uid, d, t, x, y), a point trajectory (uid, datetime, lat, lon,
    place_id, category, and accuracy where it is known) or, from stays and traces, visits, split
    at midnight. Coordinates in another reference system become degrees. Points become cells
    with --grid; several points in one half hour give the most frequent cell. User ids that are not
    all whole numbers are then numbered from 0.

    Writes places (place_id, name, category, intent, lat, lon) from OpenStreetMap PBF or XML,
    Overture places, Foursquare OS Places, GeoJSON, tables of places, and HuMob's places by cell
    (cell_POIcat, with --grid and --axes). Categories are mapped to one of the twelve intents;
    places without an intent are left out and counted. --as places takes the distinct places of
    visits and check-ins; places from visits serve every intent. See docs/places.md.

    Writes a flow series (date, origin, destination, flow) from daily flows: those of HuMob 2026,
    where a hidden day (NA) becomes one row with only a date, or any table of these columns.

    Times are local wall-clock times. Times with an offset or in UTC are converted to --timezone;
    without it TSMC2014 times use their own offset and others stay UTC. Times without a zone are
    local times, unless --source-timezone is given. Numbers of 10, 13, 16 or 19 digits count
    seconds to nanoseconds since 1970; numbers of 8, 12 or 14 digits are YYYYMMDD[hhmm[ss]].

    Days of a grid table stay as they are, 0-74 or 1-75. --format humob23, humob24 or humob25
    accepts only the days of that year, --format grid accepts any.

    Example: humobctl data import city.csv --output city.parquet

    Example: humobctl data import gps.csv --columns uid=user_id --timezone Asia/Tokyo --to ndjson

    Example: humobctl data import city.geojson --output places.parquet

    Example: humobctl data import stays.csv --as places --output places.csv

    Example: humobctl data import gps.csv --grid 500m@39.6,116.0 --outside drop --output cells.csv
    """
    hm.read(**options)
