"""Events of people's days: one at a time, each once."""

from __future__ import annotations

import polars as pl

from humobctl.errors import HumobError


def refuse_overlaps(events: pl.DataFrame, name: str) -> None:
    """See that no person does two things at once.

    Args:
        events: uid, d, intent, start_min, end_min, sorted by uid, d and start_min.
        name: of the table, for messages.

    Raises:
        HumobError: names the first event that begins before the one before it ends.
    """
    same = (pl.col("uid") == pl.col("uid").shift(1)) & (pl.col("d") == pl.col("d").shift(1))
    bad = events.filter(same & (pl.col("start_min") < pl.col("end_min").shift(1)))
    if not bad.is_empty():
        columns = ("uid", "d", "intent", "start_min", "end_min")
        uid, day, intent, start, end = bad.select(columns).row(0)
        raise HumobError(
            f"{name}: found {intent!r} of user {uid} on day {day}, minutes {start}-{end}, begun "
            f"before the event before it ends ({bad.height} such events), expected one at a time"
        )


def refuse_repeats(events: pl.DataFrame, name: str) -> None:
    """See that no number of a day's events is there twice.

    Args:
        events: uid, d, seq, all rows of a person together.
        name: of the table, for messages.

    Raises:
        HumobError: names the first one.
    """
    key = ["uid", "d", "seq"]
    ordered = events.select(key)
    if not ordered.select(pl.struct(key).is_sorted()).item():
        ordered = ordered.sort(key)
    again = ordered.filter(pl.all_horizontal(pl.col(name) == pl.col(name).shift(1) for name in key))
    if not again.is_empty():
        raise HumobError(
            f"{name}: found (uid, d, seq) = {again.row(0)} a second time ({again.height} such "
            "events), expected each once"
        )
