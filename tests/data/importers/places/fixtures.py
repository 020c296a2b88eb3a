"""Small data sets in the documented schemas of Overture and Foursquare, and ways to import them."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from humobctl.data.importers.options import ImportOptions
from humobctl.data.importers.run import import_data
from humobctl.errors import HumobError


def imported(path: str | Path, format: str = "auto", **options: Any) -> pl.DataFrame:
    """All places of a file."""
    wanted = import_data(str(path), ImportOptions(**options), format)
    assert wanted.table.name == "place"
    return pl.concat(list(wanted.batches))


def refused(path: str | Path, format: str = "auto", **options: Any) -> str:
    """What is said of a file that cannot be imported."""
    with pytest.raises(HumobError) as caught:
        list(import_data(str(path), ImportOptions(**options), format).batches)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def wkb(lon: float, lat: float) -> bytes:
    """A point as little-endian WKB."""
    return struct.pack("<BIdd", 1, 1, lon, lat)


def overture(path: Path, *rows: dict[str, Any], form: str) -> None:
    """A file in Overture's schema: ``form`` is "former" (categories), "present" or "both"."""
    columns: dict[str, Any] = {
        "id": [row["id"] for row in rows],
        "geometry": [wkb(*row["at"]) for row in rows],
        "bbox": [
            {"xmin": x - 1e-6, "xmax": x + 1e-6, "ymin": y - 1e-6, "ymax": y + 1e-6}
            for x, y in (row["at"] for row in rows)
        ],
        "version": [1 for _ in rows],
        "names": [{"primary": row.get("name"), "rules": None} for row in rows],
        "confidence": [0.9 for _ in rows],
        "websites": [["https://example.org"] for _ in rows],
        "operating_status": [row.get("status", "open") for row in rows],
    }
    if form in ("former", "both"):
        columns["categories"] = [
            {"primary": row.get("primary"), "alternate": row.get("alternate")} for row in rows
        ]
    if form in ("present", "both"):
        columns["basic_category"] = [row.get("basic") for row in rows]
        columns["taxonomy"] = [
            {
                "primary": row["hierarchy"][-1],
                "hierarchy": row["hierarchy"],
                "alternates": row.get("alternate"),
            }
            if row.get("hierarchy")
            else None
            for row in rows
        ]
    pl.DataFrame(columns).write_parquet(path)


def foursquare(*rows: dict[str, Any]) -> pl.DataFrame:
    """A table in the schema of Foursquare OS Places (a part of its columns)."""
    return pl.DataFrame(
        {
            "fsq_place_id": [row["id"] for row in rows],
            "name": [row.get("name") for row in rows],
            "latitude": [row.get("lat", 1.0) for row in rows],
            "longitude": [row.get("lon", 2.0) for row in rows],
            "country": ["FI" for _ in rows],
            "date_closed": [row.get("closed") for row in rows],
            "fsq_category_ids": [["4bf58dd8d48988d1c4941735"] for _ in rows],
            "fsq_category_labels": [row.get("labels") for row in rows],
        },
        schema_overrides={
            "date_closed": pl.String,
            "fsq_category_labels": pl.List(pl.String),
            "latitude": pl.Float64,
            "longitude": pl.Float64,
        },
    )
