"""The places of visits and check-ins: what people went to, each place once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import polars as pl

from humobctl.console.words import pluralize
from humobctl.data.importers.options import ImportOptions
from humobctl.data.importers.places.assign import Assigned
from humobctl.data.importers.places.mapping import VOCABULARIES, mapping_for
from humobctl.errors import HumobError
from humobctl.io.read import BATCH_ROWS
from humobctl.io.row_errors import LineNumbers
from humobctl.tables.schemas import PLACES

_SAME_DEGREES = 1e-5
"""A metre or so: coordinates of one place that differ by less are the same."""


def visited_places(
    batches: Iterable[pl.DataFrame], name: str, options: ImportOptions, notes: list[str]
) -> Iterator[pl.DataFrame]:
    """The distinct places of visits or points, in the order in which they appear.

    A place is where its first visit is. Where visits have a category, that gives the intent;
    otherwise places have none, and serve every intent.

    Args:
        batches: checked batches of a visit table or a point trajectory.
        name: of the input, for messages.
        options: the mapping.
        notes: things to say at the end; filled here.

    Raises:
        HumobError: no row names a place.
    """
    known: pl.DataFrame | None = None
    without = 0
    for batch in batches:
        category = pl.col("category") if "category" in batch.columns else pl.lit(None, pl.String)
        rows = batch.drop_nulls("place_id").select(
            "place_id",
            "lat",
            "lon",
            category=category,
            south="lat",
            north="lat",
            west="lon",
            east="lon",
        )
        without += batch.height - rows.height
        known = _merge(rows if known is None else pl.concat([known, rows]))
    if known is None or known.is_empty():
        raise HumobError(f"{name}: found no place ids, expected some; name them with --columns")
    yield from _places(known, name, options, notes)
    if without:
        notes.append(f"left out {pluralize(without, 'row')} without a place id")
    wide = (pl.col("north") - pl.col("south") > _SAME_DEGREES) | (
        pl.col("east") - pl.col("west") > _SAME_DEGREES
    )
    moved = known.filter(wide).height
    if moved:
        notes.append(f"{pluralize(moved, 'place')} with several coordinates: kept the first")


def _merge(rows: pl.DataFrame) -> pl.DataFrame:
    return (
        rows.group_by("place_id", maintain_order=True)
        .agg(
            pl.col("lat", "lon").first(),
            pl.col("category").drop_nulls().first(),
            pl.col("south", "west").min(),
            pl.col("north", "east").max(),
        )
        .select(rows.columns)
    )


def _places(
    known: pl.DataFrame, name: str, options: ImportOptions, notes: list[str]
) -> Iterator[pl.DataFrame]:
    named = known["category"].null_count() < known.height
    vocabularies = VOCABULARIES if named else ()
    assigned = Assigned(mapping_for(options.mapping, *vocabularies), options.keep_unmapped)
    own = {} if named else {"intent": pl.lit(None, pl.String)}
    frame = known.select(
        "place_id",
        "category",
        "lat",
        "lon",
        name=pl.lit(None, pl.String),
        categories="category",
        **own,
    )
    full, _ = assigned.intents(frame, LineNumbers(1))
    if full.is_empty():
        raise HumobError(assigned.nothing(name))
    yield from full.select(PLACES.columns).iter_slices(BATCH_ROWS)
    notes += assigned.notes()
