"""``humobctl data export``: tables as other programs and libraries read them."""

from __future__ import annotations

from typing import Any

import humobctl as hm
from humobctl.commands.options import options_from


@options_from(hm.export)
def export(**options: Any) -> None:
    """Export a table to the format of a GIS or of another mobility library.

    Writes GeoJSON, GeoParquet, FlatGeobuf and GeoPackage (QGIS, geopandas), GPX, CSV and animated
    trips for kepler.gl, the CSV files of trackintel and scikit-mobility, points for movingpandas,
    LibCity's atomic files (a folder), CoPB's JSON, and daily flows as HuMob 2026 has them (.tsv).
    Points, places, visits and locations become points, trips and flows (--areas) lines, cells
    (--grid, --axes) polygons; all other columns stay beside them. Columns that a format cannot hold
    are reported on stderr.

    Visits and cells have dates and times if --start-date says which day 0 is, or if 'data stays'
    found them. GeoJSON, GeoParquet, FlatGeobuf, GeoPackage and GPX are also written by any other
    command whose --output ends in .geojson, .geoparquet, .fgb, .gpkg or .gpx.

    Example: humobctl data export stays.csv --output stays.geojson

    Example: humobctl data export flows.csv --areas counties.csv -o flows.gpkg

    Example: humobctl data export city.csv --grid 500m@39.6,116.0 --axes east,north -o cells.fgb

    Example: humobctl data export stays.csv --to trackintel --start-date 2026-01-05 -o out.csv
    """
    hm.export(**options)
