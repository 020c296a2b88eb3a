"""``humobctl data split``: train, validation and test files."""

from __future__ import annotations

from typing import Any

import humobctl as hm
from humobctl.commands.options import options_from


@options_from(hm.split, required=("train", "test"))
def split(**options: Any) -> None:
    """Split a table into train, validation and test files.

    Every row is in exactly one file. --by user: all rows of the test users. --by day: all rows
    from the first test day on. --by both: the test users' rows from --from-day on, while their
    earlier rows stay in the train file with the rows of all other users, as in the HuMob
    challenges; 'data mask' makes the challenge's own file, with those rows in place but masked. The
    validation part (only with --validation) has its own users, chosen the same way; with --by day
    it is the days just before the test part. Fractions are rounded to whole users or days, at least
    one. The same seed draws the same users, whatever the order of the rows.

    --task next is for next-location prediction from check-ins, visits or cells (the protocol of
    GETNext, 2022): places with fewer than 10 records, then users with fewer than 10 are left out;
    the first 80 % of the records in time train, the next 10 % validate (without --validation they
    train, too), the last 10 % test. Each part has sessions of 24 hours. Of the later parts, users
    and places that are not in the train part are left out, then sessions of a single record. What
    is left out is counted.

    Example: humobctl data split city.csv --train train.csv --test test.csv

    Example: humobctl data split city.csv --by day --from-day 60 --train past.csv --test future.csv

    Example: humobctl data split city.csv --by both --from-day 60 --train a.parquet --test b.parquet

    Example: humobctl data split city.csv --validation v.csv --train t.csv --test s.csv --seed 3

    Example: humobctl data split city.csv --task next --train past.csv --test next.csv
    """
    hm.split(**options)
