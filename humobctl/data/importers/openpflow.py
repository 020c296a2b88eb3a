"""OpenPFLOW (Kashiyama et al. 2017): people in the metropolitan area of Tokyo, minute by minute.

Format (its README): tab, no header; agent, local time, longitude, latitude, transport (99 stay,
1 walk, 2 vehicle, 3 train, 4 bicycle) and, in the first edition, a magnification factor.
"""

from __future__ import annotations

import re

from humobctl.data.importers.delimited import Delimited
from humobctl.data.importers.options import ImportOptions, Opened
from humobctl.data.importers.points import PointReader
from humobctl.data.importers.probe import InputProbe
from humobctl.io.text import is_number
from humobctl.tables.schemas import POINTS

NAMES = ["uid", "datetime", "lon", "lat", "transport", "magnification"]
_TIME = re.compile(r"\d{4}[-/]\d\d[-/]\d\d \d\d:\d\d:\d\d")
_MODES = ("99", "1", "2", "3", "4")


def is_openpflow(look: InputProbe, _: ImportOptions) -> bool:
    """Whether the first line is one of OpenPFLOW's."""
    if look.columns is not None or len(look.fields) not in (5, 6):
        return False
    uid, time, lon, lat, mode = look.fields[:5]
    numbers = all(map(is_number, (lon, lat)))
    return uid.isdigit() and bool(_TIME.fullmatch(time)) and numbers and mode in _MODES


def read_openpflow(look: InputProbe, options: ImportOptions) -> Opened:
    """The points of one file, or of several put together by ``cat``."""
    source = look.file("a file of OpenPFLOW")
    reader = PointReader(source, POINTS, options.on_error, options=options)
    names = NAMES[: len(look.fields)]
    text = Delimited(
        source, look.separator, names, on_error=options.on_error, dropped=reader.dropped
    )
    reader.factory = text.frames
    return reader.open("OpenPFLOW")
