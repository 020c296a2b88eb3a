"""``humobctl data twin``: other people in the same city."""

from __future__ import annotations

from typing import Any

import humobctl as hm
from humobctl.commands.options import options_from


@options_from(hm.twin, names={"users": "-n"})
def twin(**options: Any) -> None:
    """Make a city's double: other people in the same city.

    For cities whose users cannot be shared. Only --epsilon proves privacy: without it, an attack
    guessed which of a hundred users were fitted a little better than by chance, and by chance
    alone where --shared averaged over all fitted users.

    Fits tables on the users of a grid trajectory: densities of homes and of visited cells, averaged
    until --shared users share each; how people choose the next cell (time of day, weekday,
    frequency, recency, distance, exploration); when they have records, weekends, holidays and days
    that differ in the whole city. Then draws people from the tables. No user's trajectory or
    routine is kept. From visits, as 'data stays' writes them, it makes visits in cells of 500 m.

    --shift turns or mirrors the map. --epsilon adds differential privacy: homes, cells and days
    get noise, and everything else is that of 'data synth'.

    'humobctl eval twin.csv --truth city.csv --generated' says how near the double is to the city.

    Example: humobctl data synth -n 30 --days 4 -o a.csv && humobctl data twin a.csv -o twin.csv
    """
    hm.twin(**options)
