"""The page of ``view``: a template, its style and scripts, and the data, as one text."""

from __future__ import annotations

import html
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from humobctl.console.safe_text import printable
from humobctl.errors import UsageError
from humobctl.page.serve import Site, SiteAnswer
from humobctl.page.template import as_json, fill, pack, page_text, policy, shared_parts
from humobctl.tables.schemas import FLOW_SERIES, FLOWS, GRID, POINTS
from humobctl.view.scene import Scene

_KINDS = {
    **dict.fromkeys(("layer", "intent"), "<u1"),
    **dict.fromkeys(("x", "y", "to_x", "to_y", "value"), "<f4"),
    **dict.fromkeys(("user", "label"), "<u4"),
    **dict.fromkeys(("day", "start", "end"), "<i4"),
}
_LABELS = {GRID.name: "cell "}


def page(scene: Scene, *, colour: str | None = None, tiles: str | None = None) -> str:
    """The page, which needs nothing else.

    Args:
        scene: what to show.
        colour: what the colours say at first; None for what suits the tables.
        tiles: address of a tile server, with {z}, {x} and {y}; None for no tiles.
    """
    here = __package__ or ""
    parts = {
        **shared_parts(),
        "__POLICY__": page_policy(tiles),
        "__TITLE__": html.escape(printable(scene.title)),
        "__CSS__": page_text(here, "page.css"),
        "__DATA__": payload(scene, colour=colour, tiles=tiles),
        "__MAP__": page_text(here, "map.js"),
        "__STRIP__": page_text(here, "strip.js"),
        "__SCRIPT__": page_text(here, "page.js"),
    }
    return fill(page_text(here, "page.html"), parts)


def page_policy(tiles: str | None) -> str:
    """The Content-Security-Policy; pictures may come from the tile server, where there is one."""
    return policy([] if tiles is None else [check_tiles(tiles)])


def check_tiles(address: str) -> str:
    """The origin of a tile server.

    Raises:
        UsageError: no address of one.
    """
    found = urlsplit(address)
    marks = all(mark in address for mark in ("{z}", "{x}", "{y}"))
    plain = found.netloc.replace(".", "").replace("-", "").replace(":", "").isalnum()
    if found.scheme not in ("http", "https") or not marks or not plain:
        raise UsageError(
            f"--tiles: found {address!r}, expected an address such as "
            "https://tiles.example.org/{z}/{x}/{y}.png"
        )
    return f"{found.scheme}://{found.netloc}"


_COLUMN_OF = {"intent": "intent", "value": "value", "user": "user", "hour": "day", "day": "day"}


def check_colour(scene: Scene, by: str | None) -> None:
    """Refuse colours by columns that the tables lack.

    Raises:
        UsageError: they do not have it.
    """
    missing = by in _COLUMN_OF and _COLUMN_OF[by] not in scene.rows
    missing |= by == "table" and len(scene.tables) < 2
    missing |= by == "density" and scene.cell is None
    missing |= by == "difference" and not scene.difference
    if missing:
        names = ", ".join(one.name for one in scene.tables)
        raise UsageError(f"--colour-by {by}: found no column with such values in {names}")


def make_site(text: str, tiles: str | None) -> Site:
    """The answers of a server of the page."""
    return Site(page_policy(tiles), {"": SiteAnswer("text/html; charset=utf-8", text.encode())})


def payload(scene: Scene, *, colour: str | None, tiles: str | None) -> str:
    """The data as JSON that may stand in a page: arrays as base64, no ``<``."""
    plane = scene.plane
    record: dict[str, Any] = {
        "n": len(scene),
        "tables": [
            {
                "name": printable(one.name),
                "noun": one.noun,
                "label": _LABELS.get(one.kind.name, ""),
            }
            for one in scene.tables
        ],
        "note": note(scene),
        "users": [printable(name) for name in scene.users],
        "intents": scene.intents,
        "labels": [printable(name) for name in scene.labels],
        "rows": {
            name: pack(_whole(values, _KINDS[name]), _KINDS[name])
            for name, values in scene.rows.items()
        },
        "line": None
        if not len(scene.line)
        else {
            "ends": pack(scene.line, "<u4"),
            "x": pack(scene.line_x, "<f4"),
            "y": pack(scene.line_y, "<f4"),
        },
        "base": [] if plane is None else [_base(one, plane) for one in scene.base],
        "plane": plane and {"lat": plane.lat, "lon": plane.lon, "cell_km": plane.cell_km},
        "measure": scene.measure,
        "start": scene.start and scene.start.isoformat(),
        "weekday": scene.weekday,
        "cell": scene.cell,
        "truth": scene.truth,
        "sides": scene.sides,
        "difference": scene.difference,
        "counted": scene.counted,
        "records": scene.records,
        "flows": scene.tables[0].kind in (FLOWS, FLOW_SERIES),
        "compass": "N\n↑" if plane and plane.cell_km is None else "y\n↑\n x →",
        "colour": colour or _suits(scene),
        "tiles": tiles,
    }
    return as_json(record)


def _suits(scene: Scene) -> str | None:
    """The default colours: hour for check-ins, None for the first available."""
    if scene.difference:
        return "difference"
    if scene.counted:
        return "density"
    return "hour" if scene.tables[0].kind is POINTS and scene.labels else None


def _whole(values: np.ndarray[Any, Any], kind: str) -> np.ndarray[Any, Any]:
    """Numbers ready to be packed; NaN stays NaN in floats, 0 in integers."""
    return np.nan_to_num(values) if values.dtype.kind == "f" and "f" not in kind else values


def _base(lines: Any, plane: Any) -> dict[str, str]:
    x, y = plane.place(lines.lat, lines.lon)
    return {"ends": pack(lines.ends, "<u4"), "x": pack(x, "<f4"), "y": pack(y, "<f4")}


def _true_metres(scene: Scene) -> float:
    """Metres on the ground of a metre of the map, in its middle."""
    plane = scene.plane
    if plane is None or plane.cell_km is not None:
        return 1.0
    return float(np.cos(np.radians(plane.lat)))


def note(scene: Scene) -> str:
    """Notes on tables of which only a sample is drawn."""
    said = []
    for one in scene.tables:
        if one.squares is not None:
            side = (scene.cell or 0.0) * _true_metres(scene)
            size = f"{side / 1000:,.3g} km" if side >= 1000 else f"{side:,.3g} m"
            said.append(
                f"The {one.rows:,} rows of {one.users:,} users of {printable(one.name)}, counted "
                f"in squares of {size} by hour of the day."
            )
        elif one.frame.height < one.rows:
            users = "" if one.users is None else f" of {one.users:,} users"
            said.append(f"A sample of the {one.rows:,} rows{users} of {printable(one.name)}.")
    return " ".join(said)
