"""Routines without places: vectors by which similar users of different cities are found.

Everything is counted, relative to the user's own home and work: where a user is by hour, how far
the user goes, and how many cells the user knows. Nothing tells where on the map that is.

Shapes:  u users, n rows of all users, R numbers of a routine, E numbers of a vector.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from humobctl.console import report
from humobctl.embed.vectors import UserEmbeddings, table
from humobctl.errors import HumobError
from humobctl.evaluate.embedding.metrics import CELL_KM, CityRecords, homes_and_works
from humobctl.evaluate.embedding.run import records_of
from humobctl.execution.task import user_parts
from humobctl.io.by_user import UserStore
from humobctl.io.read import iter_table
from humobctl.io.row_errors import OnError
from humobctl.native import Bools, Floats, Int64s
from humobctl.tables.cells import decode_cells
from humobctl.tables.schemas import EMBEDDING_SIZE, MASKED

HOURS, PARTS = 24, 2
"""Hours of the day, of weekdays and of weekends."""
_SLOTS_AN_HOUR = 2
_PRIOR = 3.0
"""Records by which an hour's fractions are pulled to those of the whole day."""
_RANKS = 5
"""Most visited cells whose fractions of the records count."""
_USUAL_HOME, _USUAL_WORK = 0.5, 0.15
_USUAL = np.array([1.5, 2.0, 1.5, 3.0, 3.0, 0.15, 1.0])
_SPREAD = np.array([1.0, 1.0, 1.0, 1.0, 1.5, 0.15, 0.4])
"""Middle and spread of the measures of ``measure_ways``, so that each counts alike."""
_WAYS_WEIGHT = 0.4


def describe_routines(people: CityRecords) -> Floats:
    """Vectors of length 1, (u, E): the routine's numbers come first, the others are 0."""
    usual = np.repeat([_USUAL_HOME, _USUAL_WORK], PARTS * HOURS)
    parts = [
        measure_hours(people) - usual,
        _WAYS_WEIGHT * (measure_ways(people) - _USUAL) / _SPREAD,
        _rank_shares(people),
    ]
    numbers = np.concatenate(parts, axis=1)
    numbers /= np.maximum(np.linalg.norm(numbers, axis=1, keepdims=True), 1e-12)
    return np.pad(numbers, ((0, 0), (0, EMBEDDING_SIZE - numbers.shape[1])))


def measure_hours(people: CityRecords) -> Floats:
    """Fractions of each user's records at home, and at work, by hour, (u, 2 * PARTS * HOURS)."""
    owner, users = _owner(people), len(people.uid)
    home, work = _anchors(people)
    hour = people.weekend * HOURS + people.t.astype(np.int64) // _SLOTS_AN_HOUR
    there = [_by_hour(people.cell == cell[owner], owner, hour, users) for cell in (home, work)]
    return np.concatenate(there, axis=1)


def _owner(people: CityRecords) -> Int64s:
    return np.repeat(np.arange(len(people.uid)), np.diff(people.starts))


def _anchors(people: CityRecords) -> tuple[Int64s, Int64s]:
    """Home, of users without nights the most visited cell, and work, -1 without any, (u,) each."""
    home, work = homes_and_works(people)
    return np.where(home < 0, most_visited(people.cell, people.starts), home), work


def most_visited(cells: Int64s, starts: Int64s) -> Int64s:
    """The cell of most of each user's rows, the lowest number first, (u,)."""
    found = [np.unique(one, return_counts=True) for one in np.split(cells, starts[1:-1])]
    return np.array([numbers[counts.argmax()] for numbers, counts in found])


def _by_hour(there: Bools, owner: Int64s, hour: Int64s, users: int) -> Floats:
    """Fraction of each user's records of an hour that are there, (u, PARTS * HOURS)."""
    size = PARTS * HOURS
    key = owner * size + hour
    records = np.bincount(key, minlength=users * size).reshape(users, size)
    hits = np.bincount(key, there, users * size).reshape(users, size)
    whole = hits.sum(axis=1, keepdims=True) / records.sum(axis=1, keepdims=True)
    found: Floats = (hits + _PRIOR * whole) / (records + _PRIOR)
    return found


def measure_ways(people: CityRecords) -> Floats:
    """Radius, home to work, median distance from home; entropy and number of cells; (u, 7).

    Distances as log(1 + km), the number as half its binary logarithm; last come cells per record
    and half of the cells per day.
    """
    owner, users, rows = _owner(people), len(people.uid), np.diff(people.starts)
    home, work = _anchors(people)
    place = np.column_stack([people.x, people.y]) * CELL_KM
    anchor = decode_cells(home).astype(float) * CELL_KM
    mean = np.column_stack([np.bincount(owner, place[:, a], users) / rows for a in (0, 1)])
    radius = np.sqrt(np.bincount(owner, ((place - mean[owner]) ** 2).sum(axis=1), users) / rows)
    job = np.where((work >= 0)[:, None], decode_cells(np.maximum(work, 0)) * CELL_KM, anchor)
    away = np.linalg.norm(place - anchor[owner], axis=1)
    found = []
    for user in range(users):
        here = slice(people.starts[user], people.starts[user + 1])
        out = away[here][away[here] > 0]
        counts = np.unique(people.cell[here], return_counts=True)[1]
        share = counts / rows[user]
        days = len(np.unique(people.d[here]))
        daily = len(np.unique(people.d[here].astype(np.int64) * (1 << 20) + people.cell[here]))
        entropy = -(share * np.log2(share)).sum()
        found.append(
            [
                np.log1p(np.median(out)) if len(out) else 0.0,
                entropy,
                np.log2(len(counts)) / 2,
                len(counts) / rows[user],
                daily / days / 2,
            ]
        )
    own = np.array(found).reshape(users, 5)
    far = np.log1p(np.column_stack([radius, np.linalg.norm(job - anchor, axis=1)]))
    return np.column_stack([far, own])


def _rank_shares(people: CityRecords) -> Floats:
    """Fractions of the records in the most visited cells, highest first, (u, _RANKS)."""
    found = np.zeros((len(people.uid), _RANKS))
    for user, cells in enumerate(np.split(people.cell, people.starts[1:-1])):
        counts = np.sort(np.unique(cells, return_counts=True)[1])[::-1][:_RANKS]
        found[user, : len(counts)] = counts / len(cells)
    return found


def embed_routines(
    paths: Sequence[str],
    names: Sequence[str],
    days: tuple[int, int] | None,
    first_weekday: int,
    on_error: OnError,
) -> Iterator[pl.DataFrame]:
    """Routines of grid trajectories as embeddings, file after file; no model is needed.

    Args:
        paths: the files; ``-`` for standard input.
        names: of their cities.
        days: first and last day to look at; None for all.
        first_weekday: of day 0; 0 is Sunday.
        on_error: stop at the first bad row, or drop bad rows.

    Raises:
        HumobError: a file cannot be read, or has no known cell.
    """
    known = pl.col("x") != MASKED
    if days is not None:
        known &= pl.col("d").is_between(*days)
    for path, name in zip(paths, names, strict=True):
        title, users = "stdin" if path == "-" else path, 0
        with UserStore() as store, report.progress("counting routines", 0, "rows") as ticker:
            store.collect(iter_table(path, on_error=on_error))
            ticker.expect(store.rows)
            for part in user_parts([store]):
                kept = part.payload.filter(known)
                ticker.advance(part.payload.height)
                if not kept.height:
                    continue
                people = records_of(kept, first_weekday)
                vectors = describe_routines(people).astype(np.float32)
                users += len(people.uid)
                city = np.full(len(people.uid), name)
                yield table(UserEmbeddings(title, people.uid, vectors, city))
        if not users:
            raise HumobError(f"{title}: found no known cell, expected some to embed")
