"""CoPB's JSON: ``{user: [...], ...}``, a list for each user.

Intentions are templates ``[intent, "(HH:MM, HH:MM)"]``; visits are traces ``[intent, "(HH:MM,
HH:MM)", [place, place id]]`` where all have an intent, otherwise stay lists ``[start, end, "",
place id, [longitude, latitude]]`` with times as parts of a day.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import polars as pl

from humobctl.console import report
from humobctl.data.export.tables import ExportTable

_DAY_MINUTES = 1440


def copb_lines(table: ExportTable) -> Iterator[str]:
    """The lines of a file, one for each user.

    What the form has no place for is said on standard error.
    """
    rows = pl.concat(table.batches).sort("uid", "d", "start_min", maintain_order=True)
    keys = ["uid"] if rows["d"].n_unique() == 1 else ["uid", "d"]
    if len(keys) > 1:
        report.info("the table has several days: each user-day becomes a list named UID_DAY")
    item, lost = _form(rows)
    report.info(f"left out columns that CoPB's lists cannot hold: {', '.join(lost)}")
    between = "{\n"
    for key, group in rows.group_by(keys, maintain_order=True):
        items = [item(row) for row in group.iter_rows(named=True)]
        name = json.dumps("_".join(map(str, key)))
        yield f"{between}{name}: {json.dumps(items, ensure_ascii=False)}"
        between = ",\n"
    yield "\n}\n"


def _form(rows: pl.DataFrame) -> tuple[Callable[[dict[str, Any]], list[Any]], list[str]]:
    """What makes the items of a list, and the columns that are lost."""
    held = {"uid", "d", "seq", "start_min", "end_min"}
    if "lat" not in rows.columns:
        item, more = _template, {"intent"}
    elif "intent" in rows.columns and not rows["intent"].null_count():
        item, more = _trace, {"intent", "place_id"}
    else:
        item, more = _stay, {"place_id", "lat", "lon"}
    return item, [name for name in rows.columns if name not in held | more]


def _template(row: dict[str, Any]) -> list[Any]:
    return [row["intent"], f"({_clock(row['start_min'])}, {_clock(row['end_min'])})"]


def _trace(row: dict[str, Any]) -> list[Any]:
    place = row.get("place_id") or f"{row['lat']} {row['lon']}"
    return [*_template(row), [place, place]]


def _stay(row: dict[str, Any]) -> list[Any]:
    start, end = (row[name] / _DAY_MINUTES for name in ("start_min", "end_min"))
    place = row.get("place_id") or f"{row['lat']} {row['lon']}"
    return [start, end, "", place, [row["lon"], row["lat"]]]


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"
