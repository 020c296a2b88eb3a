"""``humobctl generate gravity``: places for intentions by laws of mobility."""

from __future__ import annotations

from typing import Any

import humobctl as hm
from humobctl.commands.options import options_from


@options_from(hm.generate_gravity)
def gravity(**options: Any) -> None:
    """Choose a place for each activity of day plans by a mobility law.

    Reads intentions (as 'intend' writes them, each person's rows together) and writes visits (uid,
    d, seq, intent, start_min, end_min, place_id, lat, lon).

    'go home' and 'go to sleep' take place at home, 'go to work' at work. For all other activities
    the law chooses among the places that serve the intent, from the person's location. A place
    without an intent serves all intents. Home and work are fixed for each person: from --people or
    a pair of --home-work; otherwise home is drawn by population (--density) or from the places,
    and work from home by the law.

    A visit depends only on the seed, the person, the day and the activity, so the result is the
    same with any number of threads.

    Example: humobctl generate gravity plans.csv --places places.csv --output visits.csv

    Example: humobctl intend population.csv | humobctl generate gravity - --places places.csv

    Example: humobctl generate gravity plans.csv --places places.csv --law radiation | head -3
    """
    hm.generate_gravity(**options)
