"""``humobctl view``: tables on a map."""

from __future__ import annotations

from typing import Any

import humobctl as hm
from humobctl.commands.options import options_from


@options_from(hm.view, metavars={"base": "FILE", "user": "UID"})
def view(**options: Any) -> None:
    """See tables on a map, in a browser or as a picture.

    Draws points, stays, visits, cells (on a grid that --grid places, or on a bare one), trips,
    places, flows (with the table of their areas), daily flows between cells (day by day, with the
    slider) and day plans (as strips of 24 hours); several tables beside each other, and predictions
    beside the truth. The page has a time slider, filters by hour and weekday, users by id, click
    and lasso, and colours by intent, user, hour, speed or error. It loads nothing from the
    internet; it is served to this machine only, until Ctrl-C, or written as one file with --export.

    Example: humobctl view city.csv --export city.html

    Example: humobctl view gps.csv --user 1,2 --days 0 --colour-by value --export day.html

    Example: humobctl view predicted.csv --truth city.csv --user 7 --days 60 --export day.html

    Example: humobctl view noto.csv --cell-km 2 --export noto.html

    Example: humobctl view flows.csv counties.csv --base city.geojson --export flows.html
    """
    hm.view(**options)
