"""From paths to what is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from humobctl.data.importers.areas import read_areas
from humobctl.errors import UsageError
from humobctl.tables.schemas import FLOW_SERIES, FLOWS, GRID
from humobctl.view.base import BaseLines
from humobctl.view.scene import Scene, make_scene
from humobctl.view.tables import (
    DrawnTable,
    ViewOptions,
    flow_difference,
    kind_by_columns,
    load_table,
    table_name,
)

_FLOWS = (FLOWS, FLOW_SERIES)


def load_scene(
    paths: Sequence[str],
    truth: str | None,
    options: ViewOptions,
    *,
    title: str | None,
    cell_km: float,
    weekday: int,
    base: Sequence[BaseLines],
) -> Scene:
    """Read tables and bring them together.

    Args:
        paths: of the tables; areas beside flows say where these begin and end.
        truth: of the true rows; None for none.
        options: what is wanted, and how it is read.
        title: None for the names of the files.
        cell_km: side of a cell of a bare grid.
        weekday: day of the week of day 0, where no date says it.
        base: lines below.

    Raises:
        HumobError: a table cannot be read or drawn.
        UsageError: tables or options that do not go together.
    """
    if [*paths, truth].count("-") > 1:
        raise UsageError("standard input (-) can be read only once")
    if len(paths) > 1 or truth is not None:
        options = replace(options, counted=False)
    kinds = [kind_by_columns(path) for path in paths]
    areas = None
    others = [path for path, kind in zip(paths, kinds, strict=True) if kind not in _FLOWS]
    if any(kind in _FLOWS for kind in kinds) and len(others) == 1:
        areas = read_areas(others[0], on_error=options.on_error)
        paths = [path for path in paths if path != others[0]]
    tables = [load_table(path, table_name(path), options, areas=areas) for path in paths]
    if truth is not None:
        if len(tables) > 1:
            raise UsageError(f"--truth needs exactly one table to compare, found {len(tables)}")
        true = load_table(truth, table_name(truth), options, only=_keys(tables[0]), areas=areas)
        tables.append(true)
    _check_kinds(tables, options)
    names = ", ".join(one.name for one in tables)
    difference = len(tables) == 2 and {one.kind.name for one in tables} == {FLOWS.name}
    if difference:
        tables = tables if truth is None else tables[::-1]
        tables.append(flow_difference(*tables))
        names = tables[2].name
    return make_scene(
        tables,
        title=title or names,
        grid=options.grid,
        cell_km=cell_km,
        weekday=weekday,
        truth=truth is not None and not difference,
        difference=difference,
        base=base,
    )


def _keys(table: DrawnTable) -> pl.DataFrame | None:
    """Users and days of a table; None where it has none."""
    return None if table.users is None else table.frame.select("uid", "day").unique()


def _check_kinds(tables: Sequence[DrawnTable], options: ViewOptions) -> None:
    """Refuse tables that do not lie on one map."""
    cells = [one for one in tables if one.kind is GRID]
    rest = [one for one in tables if one.kind is not GRID]
    if cells and rest and options.grid is None:
        raise UsageError(
            f"{cells[0].name} has cells and {rest[0].name} degrees: give --grid and --axes to "
            "place the cells"
        )
    if options.grid is not None and not cells:
        raise UsageError(f"--grid does nothing for a {tables[0].kind.name} table")
