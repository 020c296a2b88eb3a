"""Times as text, in the forms that other programs read."""

from __future__ import annotations

import polars as pl


def pandas_times(batch: pl.DataFrame, between: str) -> pl.DataFrame:
    """Times in one form for all rows, for pandas: microseconds, in UTC if they have a zone.

    Args:
        batch: any frame.
        between: what stands between date and time.
    """
    return batch.with_columns(
        pl.col(name).dt.convert_time_zone("UTC").dt.strftime(f"%Y-%m-%d{between}%H:%M:%S%.6f+00:00")
        if kind.time_zone
        else pl.col(name).dt.strftime(f"%Y-%m-%d{between}%H:%M:%S%.6f")
        for name, kind in batch.schema.items()
        if isinstance(kind, pl.Datetime)
    )


def short_times(batch: pl.DataFrame) -> pl.DataFrame:
    """Times as ``YYYY-MM-DD hh:mm:ss``, with fractions and offsets where there are any."""
    return batch.with_columns(
        pl.col(name).dt.strftime(f"%Y-%m-%d %H:%M:%S%.f{'%:z' if kind.time_zone else ''}")
        for name, kind in batch.schema.items()
        if isinstance(kind, pl.Datetime)
    )
