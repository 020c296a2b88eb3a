"""A first look at a table that was just made: the picture that ``data describe`` draws of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from humobctl.api.tables import PathName, as_path, paths_of
from humobctl.errors import UsageError
from humobctl.io.frame_path import FramePath

if TYPE_CHECKING:
    import polars as pl

    from humobctl.tables.schemas import Table

_READ_AGAIN = ("csv", "ndjson", "parquet", "arrow")


def check_first_look(plot: PathName | None, output: str | None, format: str | None) -> str | None:
    """The picture that is wanted, which can be drawn of that output.

    Raises:
        UsageError: the output cannot be read again, or the picture has no such ending.
        HumobError: the library that draws it is not installed.
    """
    from humobctl.io.outputs import check_distinct
    from humobctl.io.streams import STANDARD, is_special, output_format
    from humobctl.plots.files import check_plot

    picture = as_path(plot)
    if picture is None:
        return None
    check_plot(picture)
    if output is None:
        return picture
    check_distinct({"--output": output, "--plot": picture})
    if output == STANDARD or is_special(Path(output)):
        raise UsageError(f"--plot {picture}: needs --output FILE, from which it is drawn")
    kind = output_format(output, format)
    if kind not in _READ_AGAIN:
        raise UsageError(
            f"--plot {picture}: found {output} of the format {kind}, expected "
            f"{', '.join(_READ_AGAIN[:-1])} or {_READ_AGAIN[-1]} to draw from"
        )
    return picture


def draw_first_look(
    picture: str | None,
    table: Table,
    made: pl.DataFrame,
    output: str | None,
    *,
    areas: pl.DataFrame | None = None,
) -> None:
    """Draw what was made: visits, day plans or flows.

    Args:
        picture: as ``check_first_look`` gave it; None for none.
        table: which table it is.
        made: the table itself, where there is no output.
        output: the file or folder that it went to.
        areas: of flows, for distances.

    Raises:
        HumobError: it has no row, or the picture cannot be written.
    """
    if picture is None:
        return
    from humobctl.data.describe.flows import describe_flows
    from humobctl.data.describe.plans import describe_plans
    from humobctl.data.describe.plots import write_plot
    from humobctl.data.describe.visits import describe_visits
    from humobctl.io.read import iter_table
    from humobctl.tables.schemas import FLOWS, VISITS

    source = made if output is None else FramePath(Path(output), output)
    with paths_of(source, areas) as (path, areas_at):
        if table is FLOWS:
            write_plot(describe_flows(path, areas=areas_at), picture)
            return
        describe = describe_visits if table is VISITS else describe_plans
        write_plot(describe(iter_table(path, table), str(path)), picture)
