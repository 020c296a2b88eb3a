"""``humobctl data synth``: the embedded synthetic city."""

from __future__ import annotations

from typing import Any

import humobctl as hm
from humobctl.commands.options import options_from


@options_from(hm.synth, names={"users": "-n"})
def synth(**options: Any) -> None:
    """Make a synthetic city with HuMob-like trajectories.

    Writes a grid trajectory (uid, d, t, x, y): 200 by 200 cells of 500 m, half-hour slots, day 0 a
    Sunday. Its users live, work, return to places by exploration and preferential return, have
    weekends and holidays, travel now and then, and have records in about 13 of 48 slots per day.
    The same seed gives the same city; user 7 is the same among 100 users and among 100,000. The
    city lies in the open Atlantic, on the grid 500m@40,-30,200x200: the south-west corner of cell
    (1, 1) is at 40 N 30 W, x grows to the east and y to the north.

    --flows makes daily flows between the 2 km cells of a peninsula instead, before and after an
    earthquake, as in HuMob 2026; a .tsv file is written as that challenge has it.

    Example: humobctl data synth --users 100 --output synthetic.csv

    Example: humobctl data synth -n 50 --places places.csv --profiles profiles.csv -o city50.parquet

    Example: humobctl data synth --users 300 --output folder/ --users-per-block 100

    Example: humobctl data synth --flows --flows-grid 12x10 --output noto.parquet

    Example: humobctl data synth --users 20 --days 14 --seed 7 | humobctl data describe
    """
    hm.synth(**options)
