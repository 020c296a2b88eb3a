"""``humobctl generate gravity``: places for intentions by laws of mobility."""

from __future__ import annotations

from typing import Any

import humobctl as hm
from humobctl.commands.options import options_from


@options_from(hm.generate_gravity)
def gravity(**options: Any) -> None:
    """Give every event of day plans a place, by a law of mobility.

    Reads intentions (as 'intend' writes them, each person's rows together) and writes visits (uid,
    d, seq, intent, start_min, end_min, place_id, lat, lon).

    People go home and sleep at home, and work at work; for all other events the law chooses among
    the places that serve the intent, seen from where the person is. A place without an intent
    serves all. Home and work are fixed for each person: from --people, else from a pair of
    --home-work, else home is drawn by population (--density) or is a place like any other, and work
    is drawn from home by the radiation law.

    A visit depends on the seed, the person, the day and the event alone, so that the result is the
    same with any number of threads.

    Example: humobctl generate gravity plans.csv --places places.csv --output visits.csv

    Example: humobctl intend population.csv | humobctl generate gravity - --places places.csv

    Example: humobctl generate gravity plans.csv --places places.csv --law radiation | head -3
    """
    hm.generate_gravity(**options)
