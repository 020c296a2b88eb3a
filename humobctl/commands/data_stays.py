"""``humobctl data stays``: stays, homes and works in points."""

from __future__ import annotations

from typing import Any

import humobctl as hm
from humobctl.commands.options import options_from


@options_from(hm.stays)
def stays(**options: Any) -> None:
    """Find stays in points: visits at each user's locations, with homes and works.

    Reads points as 'data import' writes them, or as it reads them. Filters them first, and says how
    many each filter left out: points at (0, 0), outside --box, of a larger --accuracy, repeated
    ones, and those reached faster than --max-speed. Then finds stays (--method, --distance,
    --minutes, --gap), joins those that are near each other to locations (--location-distance), and
    takes the home and the work of each user from the hours spent there.

    Writes visits: stays split at midnight, with the intents 'go home' and 'go to work' at home and
    work. 'eval', 'train diffusion' and 'generate gravity --fit' read them; --home-work writes the
    pairs that 'generate' takes. Homes and works go by local time: give --timezone where times are
    UTC.

    Example: humobctl data stays gps.csv --output visits.parquet --home-work pairs.parquet

    Example: humobctl data import gps.csv | humobctl data stays --max-speed 200 --box 39,115,41,118

    Example: humobctl data stays gps.csv --method scikit-mobility --distance 300 --minutes 15
    """
    hm.stays(**options)
