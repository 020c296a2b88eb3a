"""``humobctl data twin``: other people in the same city."""

from __future__ import annotations

from typing import Any

import humobctl as hm
from humobctl.commands.options import options_from


@options_from(hm.twin, names={"users": "-n"})
def twin(**options: Any) -> None:
    """Make a city's double: other people in the same city, to share in place of its users.

    Fits tables on the users of a grid trajectory: densities of homes and of visited cells, averaged
    until twenty users share each; how people choose the next cell (time of day, weekday, frequency,
    recency, distance, exploration); when they have records, weekends, holidays and days that differ
    in the whole city. Then draws people from the tables. No user's trajectory or routine is kept.
    From visits, as 'data stays' writes them, it makes visits in cells of 500 m.

    --shift turns or mirrors the map. --epsilon adds differential privacy: homes, cells and days
    get noise, and everything else is that of 'data synth'.

    Example: humobctl data twin city.csv --users 1000 --output twin.parquet

    Example: humobctl data stays gps.csv | humobctl data twin --users 50 --output twin.csv

    Example: humobctl data twin city.csv --epsilon 4 --output private.csv
    """
    hm.twin(**options)
