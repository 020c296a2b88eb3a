"""LibCity's atomic files: a folder with NAME.geo, NAME.usr, NAME.dyna or NAME.rel, config.json.

``.geo`` has the places, numbered from 0, with coordinates [longitude, latitude]; ``.dyna`` who was
at which of them when; of flows, ``.rel`` has their numbers between areas.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from humobctl.console import report
from humobctl.data.export.stays import whole_stays
from humobctl.data.export.tables import ExportTable
from humobctl.errors import UsageError
from humobctl.io.parquet_folder import whole_folder
from humobctl.io.streams import STANDARD
from humobctl.io.write import write_table

_GEO = {"including_types": ["Point"], "Point": {"place_id": "other"}}
_USR = {"properties": {"uid": "other"}}
_DYNA = {
    "including_types": ["trajectory"],
    "trajectory": {"entity_id": "usr_id", "location": "geo_id"},
}
_REL = {"including_types": ["geo"], "geo": {"flow": "num"}}
"""What ``config.json`` says of the files."""


def write_libcity(table: ExportTable, output: str) -> int:
    """Write a table as a folder of atomic files, which are called like the folder.

    Returns:
        Number of records: rows of .dyna, or of .rel.

    Raises:
        UsageError: standard output.
        HumobError: the folder is not empty, or cannot be written.
    """
    if output == STANDARD:
        raise UsageError("--to libcity: found standard output, expected a folder as --output")
    frames = _flows(table) if table.has("flow") else _trajectories(table)
    config = {"geo": _GEO, "usr": _USR, "dyna": _DYNA, "rel": _REL}
    name = Path(output).name
    with whole_folder(output, marker=False) as folder:
        for ending, frame in frames.items():
            write_table(frame, str(folder / f"{name}.{ending}"), format="csv")
        told: dict[str, Any] = {ending: config[ending] for ending in frames}
        told["info"] = {f"{ending}_file": name for ending in frames}
        text = json.dumps(told, indent=2) + "\n"
        (folder / "config.json").write_text(text, encoding="utf-8")
    return [*frames.values()][-1].height


def _trajectories(table: ExportTable) -> dict[str, pl.DataFrame]:
    """Places, users and who was where, each user's records in the order of time."""
    stays = whole_stays(table) if table.has("start_min") else table
    time = "started_at" if table.has("started_at") else "datetime"
    place = pl.concat_str("lat", "lon", separator=" ")
    if table.has("place_id"):
        place = pl.coalesce("place_id", place)
    lost = [c for c in stays.schema if c not in ("uid", "lat", "lon", "place_id", time)]
    if lost:
        report.info(f"left out columns that atomic files cannot hold: {', '.join(lost)}")
    records = pl.concat(
        batch.select("lat", "lon", uid=pl.col("uid").cast(pl.String), place=place, time=time)
        for batch in stays.batches
    )
    places = records.unique("place", keep="first", maintain_order=True).with_row_index("geo_id")
    users = records.select("uid").unique(maintain_order=True).with_row_index("usr_id")
    visits = (
        records.join(places.select("place", "geo_id"), on="place")
        .join(users, on="uid")
        .sort("usr_id", "time", maintain_order=True)
        .select(
            type=pl.lit("trajectory"),
            time=_utc(records.schema["time"]),
            entity_id="usr_id",
            location="geo_id",
        )
        .with_row_index("dyna_id")
    )
    return {"geo": _geo(places, "place"), "usr": users, "dyna": visits}


def _flows(table: ExportTable) -> dict[str, pl.DataFrame]:
    """Areas and the flows between them."""
    flows = pl.concat(table.batches)
    ends = (
        flows.select(
            pl.col(end).alias("area"),
            **{axis: pl.col(f"{end}_{axis}") for axis in ("lat", "lon")},
        )
        for end in ("origin", "destination")
    )
    areas = pl.concat(ends).unique("area", maintain_order=True).with_row_index("geo_id")
    for end in ("origin", "destination"):
        codes = areas.select(pl.col("area").alias(end), pl.col("geo_id").alias(f"{end}_id"))
        flows = flows.join(codes, on=end, how="left", maintain_order="left")
    relations = flows.select(pl.lit("geo").alias("type"), "origin_id", "destination_id", "flow")
    return {"geo": _geo(areas, "area"), "rel": relations.with_row_index("rel_id")}


def _geo(places: pl.DataFrame, name: str) -> pl.DataFrame:
    return places.select(
        "geo_id",
        pl.lit("Point").alias("type"),
        pl.concat_str(pl.lit("["), "lon", pl.lit(","), "lat", pl.lit("]")).alias("coordinates"),
        pl.col(name).alias("place_id"),
    )


def _utc(kind: pl.DataType) -> pl.Expr:
    """Times in LibCity's form, which also reads local times as UTC."""
    zoned = isinstance(kind, pl.Datetime) and kind.time_zone is not None
    time = pl.col("time").dt.convert_time_zone("UTC") if zoned else pl.col("time")
    return time.dt.strftime("%Y-%m-%dT%H:%M:%SZ")
