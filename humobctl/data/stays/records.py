"""Stays from records that say where a user is: check-ins at venues, and cells of half hours.

Nothing is searched for: each record is a stay, and records of one place in a row are one.
"""

from __future__ import annotations

import polars as pl

from humobctl.data.importers.places.mapping import VOCABULARIES, mapping_for

_SAME = (pl.col("lat") == pl.col("lat").shift(1)) & (pl.col("lon") == pl.col("lon").shift(1))
_HERE = (pl.col("uid") == pl.col("uid").shift(1)) & pl.col("place_id").eq_missing(
    pl.col("place_id").shift(1)
)


def merge_records(records: pl.DataFrame, *, lasts: float, gap: float) -> pl.DataFrame:
    """Stays of records (uid, at, lat, lon, place_id, category) sorted by user and time.

    Args:
        records: all records of whole users.
        lasts: minutes that a record lasts, at most until the user's next one.
        gap: longest time in minutes between two records of a stay.

    Returns:
        As ``detect.find_stays``, with place_id and category, and ``place``, a number for each
        place of a user in the order of first visits: the venue, or the position without one.
    """
    again = _HERE & (pl.col("place_id").is_not_null() | _SAME)
    following = pl.col("at").shift(-1).over("uid")
    ends = pl.min_horizontal(pl.col("at") + int(lasts * 60e6), following)
    stays = (
        records.with_columns(until=ends)
        .with_columns(
            stay=(~(again & (pl.col("at") - pl.col("until").shift(1) <= gap * 60e6)))
            .fill_null(value=True)
            .cum_sum()
        )
        .with_row_index("row")
        .group_by("stay", maintain_order=True)
        .agg(
            pl.col("uid").first(),
            pl.col("at").first(),
            pl.col("until").last(),
            pl.col("lat").first(),
            pl.col("lon").first(),
            pl.col("place_id").first(),
            pl.col("category").first(),
            begin=pl.col("row").first().cast(pl.Int64),
            stop=pl.col("row").last().cast(pl.Int64) + 1,
        )
    )
    spot = pl.coalesce("place_id", pl.format("{} {}", "lat", "lon"))
    first = stays.with_row_index("row").select(pl.col("row").min().over("uid", spot)).to_series()
    numbered = stays.drop("stay").with_columns(place=first.rank("dense").cast(pl.Int64))
    return numbered.with_columns(place=pl.col("place") - pl.col("place").min().over("uid"))


def intents_of(categories: pl.Series) -> pl.Series:
    """The intent that each category of places serves by the built-in mapping, or null."""
    if categories.null_count() == len(categories):
        return pl.repeat(None, len(categories), dtype=pl.String, eager=True)
    mapping = mapping_for(None, *VOCABULARIES)
    known = {
        category: mapping.find([category]).intent for category in categories.drop_nulls().unique()
    }
    return categories.replace_strict(known, default=None, return_dtype=pl.String)
