"""``humobctl data describe``: what is in a table."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Literal

import typer

from humobctl.commands.options import Input, OnError, OnErrorOption


def describe(
    input: Input = None,
    format: Annotated[
        Literal["table", "json"] | None,
        typer.Option(
            "--format", "-f", help="Output format; else a table on a terminal, json in a pipe."
        ),
    ] = None,
    plot: Annotated[
        str | None,
        typer.Option("--plot", help="Also draw a picture: a .png or a self-contained .html file."),
    ] = None,
    cell_km: Annotated[
        float, typer.Option("--cell-km", min=0.001, help="Side of a grid cell in km.")
    ] = 0.5,
    on_error: OnErrorOption = "fail",
) -> None:
    """Describe a grid trajectory, or a table of places.

    Of a trajectory: users, days, coverage, cells, gyration, entropy, gaps.
    Masked rows (999) count as rows but have no place. A gap is a run of half hours, or of whole
    days, without a row between a user's first and last row. The radius of gyration is the root
    mean square distance of a user's rows from their mean position (Gonzalez et al. 2008); random
    entropy is log2 of a user's cells, uncorrelated entropy that of the shares of their rows by
    cell (Song et al. 2010). Numbers by day and by slot stand in the json; --plot needs the extra
    humobctl[plot].

    Of places: how many of each intent and category, where, and how dense, by square km and in
    cells of --cell-km.

    Example: humobctl data describe city.csv

    Example: humobctl data describe places.csv

    Example: humobctl data describe city.csv --format table --plot city.png

    Example: humobctl data describe challenge.csv --plot challenge.html
    """
    from humobctl.console import report
    from humobctl.data import describe as library
    from humobctl.data.describe_places import holds_places
    from humobctl.data.describe_plots import check_plot, write_plot

    if holds_places(input):
        _describe_places(input, format, plot, cell_km, on_error)
        return
    if plot is not None:
        check_plot(plot)
    found = library.describe(input, cell_km=cell_km, on_error=on_error)
    if plot is not None:
        write_plot(found, plot)
    if format == "json" or (format is None and not sys.stdout.isatty()):
        sys.stdout.write(json.dumps(found.as_json()) + "\n")
        return
    over = ("over users", "mean", "median", "10 %", "90 %", "least", "most")
    by_day = ("days", "rows", "masked", "users: least", "mean", "most")
    report.table(found.source, ("in all", ""), library.totals(found), stream=sys.stdout)
    report.table("", over, library.spreads(found), stream=sys.stdout)
    report.table("", by_day, library.periods(found), stream=sys.stdout)


def _describe_places(
    input: str | None, format: str | None, plot: str | None, cell_km: float, on_error: OnError
) -> None:
    from humobctl.console import report
    from humobctl.data import describe_places as library
    from humobctl.errors import UsageError

    if plot is not None:
        raise UsageError("--plot does nothing for a place table")
    found = library.describe_places(input, cell_km=cell_km, on_error=on_error)
    if format == "json" or (format is None and not sys.stdout.isatty()):
        sys.stdout.write(json.dumps(found.as_json()) + "\n")
        return
    report.table(found.source, ("in all", ""), library.totals(found), stream=sys.stdout)
    for title, counts in (("intent", found.intents), ("category", found.top_categories)):
        rows = library.shares(counts, found.places)
        report.table("", (title, "places", "share"), rows, stream=sys.stdout)
