"""``humobctl data stays``: stays, homes and works in points."""

from __future__ import annotations

from typing import Any

import humobctl as hm
from humobctl.commands.options import options_from


@options_from(hm.stays)
def stays(**options: Any) -> None:
    """Find stays in points: visits at each user's locations, with homes and works.

    Reads points in any form that 'data import' reads. Filters them first and reports how many each
    filter leaves out: points at (0, 0), outside --box, beyond --accuracy, repeated, and reached
    faster than --max-speed. Then finds stays (--method, --distance, --minutes, --gap), clusters
    them into locations (--location-distance), and finds each user's home and work by the hours
    spent at each location.

    Writes visits: stays split at midnight, with the intents 'go home' and 'go to work' at home and
    work. 'eval', 'train diffusion' and 'generate gravity --fit' read them; --home-work writes the
    pairs that 'generate' takes. Homes and works go by local time: where times are UTC, give
    --timezone, and --source-timezone UTC where they have no zone.

    Example: humobctl data stays gps.csv --output visits.parquet --home-work pairs.parquet

    Example: humobctl data import gps.csv | humobctl data stays --max-speed 200 --box 39,115,41,118

    Example: humobctl data stays gps.csv --method scikit-mobility --distance 300 --minutes 15
    """
    hm.stays(**options)
