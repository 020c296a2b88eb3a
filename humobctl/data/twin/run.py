"""``data twin``: read a city, fit its tables, make other people, write them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.data.importers.table_kind import kind_of
from humobctl.data.twin.fit import fit_tables, read_users
from humobctl.data.twin.people import make_people
from humobctl.data.twin.private import fit_private
from humobctl.data.twin.space import SHARED
from humobctl.data.twin.tables import TwinTables
from humobctl.data.twin.visits import cells_to_visits, visits_to_cells
from humobctl.errors import HumobError
from humobctl.io.read import read_table
from humobctl.io.row_errors import OnError
from humobctl.io.streams import STANDARD
from humobctl.io.write import check_output, write_table
from humobctl.tables.grid import Grid
from humobctl.tables.schemas import GRID, GRID_SIDE, MASKED, VISITS, Table

LEAST_USERS = 20
"""Fewer do not hide one another."""
MOST_USERS = 1000
"""The number of users drawn to fit where there are more: memory grows with them."""
_BATCH = 128


@dataclass(frozen=True)
class TwinSettings:
    """What to make of a city.

    Attributes:
        users: number of people; None for as many as were fitted.
        seed: of the fit and of the people.
        shift: whether the map is turned and mirrored.
        epsilon: of differential privacy; None for none.
        first_weekday: of day 0; 0 is Sunday.
        shared: users whom each value of the densities is averaged over.
    """

    users: int | None = None
    seed: int = 0
    shift: bool = False
    epsilon: float | None = None
    first_weekday: int = 0
    shared: int = SHARED


def write_twin(
    path: str | None,
    output: str | None,
    settings: TwinSettings,
    *,
    format: str | None = None,
    on_error: OnError = "fail",
) -> int:
    """Write the double of a city.

    Args:
        path: grid trajectory or visits: a file, or None or ``-`` for standard input.
        output: the same for the output.
        settings: what to make of it.
        format: of the output; by default the file's ending decides.
        on_error: stop at the first bad row of the input, or drop bad rows with a warning.

    Returns:
        Number of rows written.

    Raises:
        HumobError: the table cannot be read, or has too few users.
    """
    path = path or STANDARD
    source = "stdin" if path == STANDARD else path
    kind = kind_of(path)
    check_output(output, VISITS if kind is VISITS else GRID, format)
    if kind not in (GRID, VISITS):
        raise HumobError(
            f"{source}: found a table of the kind {kind.name}, expected a grid trajectory or "
            "visits; 'humobctl data stays' finds visits in points, 'data import --grid' makes cells"
        )
    rows, grid = _read_rows(path, source, kind, on_error)
    found = rows["uid"].n_unique()
    if found < LEAST_USERS:
        raise HumobError(
            f"{source}: found {pluralize(found, 'user')}, expected at least {LEAST_USERS}: fewer "
            "do not hide one another"
        )
    if settings.epsilon is None:
        users = read_users(_some_users(rows, settings.seed), settings.first_weekday)
        tables = fit_tables(users, settings.first_weekday, settings.seed, settings.shared)
    else:
        users = read_users(rows, settings.first_weekday)
        tables = fit_private(users, settings.epsilon, settings.first_weekday, settings.seed)
    people = iter_people(tables, settings, found)
    if grid is None:
        return write_table(people, output, format=format)
    visits = cells_to_visits(people, grid, settings.first_weekday)
    return write_table(visits, output, table=VISITS, format=format)


def _read_rows(
    path: str, source: str, kind: Table, on_error: OnError
) -> tuple[pl.DataFrame, Grid | None]:
    """Rows that have a cell; the grid that visits were put on."""
    if kind is VISITS:
        return visits_to_cells(path, on_error)
    rows = read_table(path, on_error=on_error)
    known = rows.filter(pl.col("x") != MASKED)
    if len(known) < len(rows):
        left_out = pluralize(len(rows) - len(known), "masked row")
        report.warn(f"{source}: left out {left_out}, whose cell is not known")
    return known, None


def _some_users(rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """The rows of all users, or of some drawn from many."""
    users = rows["uid"].unique().sort()
    if len(users) <= MOST_USERS:
        return rows
    report.info(f"fitted on {MOST_USERS:,} of {len(users):,} users, drawn at random")
    return rows.filter(pl.col("uid").is_in(users.sample(MOST_USERS, seed=seed).implode()))


def iter_people(tables: TwinTables, settings: TwinSettings, fitted: int) -> Iterator[pl.DataFrame]:
    """People of a twin, some at a time."""
    users = settings.users or fitted
    turn = np.random.default_rng(settings.seed).integers(1, 8) if settings.shift else 0
    with report.progress("making people", users, "users") as ticker:
        for first in range(0, users, _BATCH):
            many = min(_BATCH, users - first)
            people = make_people(tables, first, many, settings.seed)
            yield turn_map(people, int(turn)) if turn else people
            ticker.advance(many)


def turn_map(people: pl.DataFrame, turn: int) -> pl.DataFrame:
    """The map after one of the square's eight symmetries; all distances stay.

    Args:
        people: grid trajectory.
        turn: 1 mirrors east and west, 2 north and south, 4 swaps the axes, afterwards; their sums
            do several. 6 and 5 are quarter turns, 3 is a half turn.
    """
    x, y = pl.col("x"), pl.col("y")
    x = GRID_SIDE + 1 - x if turn & 1 else x
    y = GRID_SIDE + 1 - y if turn & 2 else y
    x, y = (y, x) if turn & 4 else (x, y)
    return people.with_columns(x=x, y=y)
