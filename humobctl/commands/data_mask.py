"""``humobctl data mask``: hide cells that are to be predicted."""

from __future__ import annotations

from typing import Any

import humobctl as hm
from humobctl.commands.options import options_from


@options_from(hm.mask)
def mask(**options: Any) -> None:
    """Mask the cells to predict (x and y become 999), or hide days of a flow series.

    Masks the rows of some days (--from-day, --to-day, both inclusive) and of some users (--users,
    --last, --fraction or --users-file; all users by default), and writes all rows in their order,
    in the format of a HuMob challenge file. Rows that are masked already stay masked. The number of
    masked rows is reported; it is an error if nothing is masked. The same seed draws the same
    users, whatever the order of the rows.

    Of daily flows (date, origin, destination, flow, or a file of HuMob 2026) the days from
    --from-date to --to-date become hidden: one row with only a date, NA in a .tsv file.

    Example: humobctl data mask city.csv --from-day 60 --output masked.csv

    Example: humobctl data mask noto.csv --from-date 2024-02-01 --to-date 2024-03-31 -o hidden.tsv

    Example: humobctl data mask city.csv --from-day 60 --to-day 74 --last 5 -o last5.parquet

    Example: humobctl data mask city.csv --from-day 60 --fraction 0.2 | humobctl data describe
    """
    hm.mask(**options)
