"""See tables: a page of a map, served or as one file, or a picture."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from humobctl.api.options import (
    Between,
    CellKm,
    Count,
    Days,
    OnError,
    Seed,
    Weekday,
    first_and_last,
    weekday_number,
)
from humobctl.api.signatures import public
from humobctl.api.tables import PathName, Source, Sources, as_path, paths_of, several, summary
from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.errors import UsageError

if TYPE_CHECKING:
    import polars as pl

ColourBy = Literal[
    "auto", "table", "density", "difference", "intent", "value", "user", "hour", "day"
]


@public()
def view(
    tables: Sources,
    *,
    truth: Source | None = None,
    user: Iterable[str] = (),
    days: Days | None = None,
    export: PathName | None = None,
    title: str | None = None,
    colour_by: ColourBy = "auto",
    base: Iterable[str] = (),
    tiles: Annotated[str, "URL"] | None = None,
    grid: str | None = None,
    axes: str | None = None,
    cell_km: CellKm = 0.5,
    start_date: str | None = None,
    first_weekday: Weekday = "sunday",
    columns: Iterable[str] = (),
    max_rows: Count = 1_000_000,
    seed: Seed = 0,
    host: Annotated[str, "HOST"] = "127.0.0.1",
    port: Annotated[int, Between(0, 65535)] = 8051,
    open_: bool = False,
    on_error: OnError = "fail",
) -> pl.DataFrame:
    """Draw tables on a map: points, stays, visits, cells, trips, places, flows or day plans.

    Args:
        tables: points in any form that 'data import' reads, visits, grid trajectories, trips,
            places, locations, flows with the table of their areas, daily flows between cells, or
            day plans; several of a kind are drawn beside each other; of two tables of flows, the
            second minus the first.
            Embeddings with trajectories: as 'explore' draws them.
        truth: table of the true rows, compared with predictions user by user and day by day.
            Default: no comparison.
        user: id of a user to draw; several with commas. Default: all users.
        days: days to draw. Default: all days.
        export: write one self-contained page (.html) or a picture (.png, .svg, .pdf) instead of
            serving the page.
        title: title of the page. Default: the names of the files.
        colour_by: column that the colours show at first; auto: chosen by table. value is the speed
            of points and trips, the size of flows, or the error of predictions.
        base: file of lines or areas to draw below, such as roads or counties: GeoJSON, or
            OpenStreetMap data (extra places).
            Default: nothing.
        tiles: address of a tile server to draw below, with {z}, {x} and {y}; the page then asks
            it for pictures. Default: no tiles.
        grid: position of the cells of a grid trajectory: cell size (m or km), corner of cell
            (1, 1), number of cells, such as 500m@39.6,116.0,200x200. Default: a bare grid.
        axes: compass directions in which x and y of ``grid`` grow, such as east,north; needed with
            ``grid``.
        cell_km: cell size in km of a bare grid.
        start_date: date of day 0, YYYY-MM-DD. Default: the date of the earliest point; days of
            other tables then have numbers only.
        columns: rename a column (``OLD=NEW``) or leave it out (``OLD=``); several with commas.
        max_rows: maximum number of rows to draw. More cells or points are counted in squares, by
            hour of the day; of other tables, and with ``colour_by``, a sample of whole users is
            drawn.
        seed: seed of the sample.
        host: address to listen on; others than this machine's give a warning.
        port: port to listen on; 0: any free port.
        open_: open the page in a browser.

    Returns:
        One row: the output and the number of rows and users that it shows. Without ``export`` the
        page is served until Ctrl-C.

    Raises:
        HumobError: a table cannot be read, or is of no kind that can be drawn.
        UsageError: options that do not go together.

    Example:
        >>> hm.view("city.csv", export="map.html")["users"].item()
        20
    """
    from humobctl.embed import vectors
    from humobctl.io.streams import whole_file
    from humobctl.tables.calendar import parse_date
    from humobctl.tables.column_names import parse_columns
    from humobctl.tables.grid import parse_grid
    from humobctl.view.base import read_base
    from humobctl.view.page import check_colour, check_tiles, make_site, page
    from humobctl.view.picture import check_picture, draw_picture
    from humobctl.view.run import load_scene
    from humobctl.view.tables import ViewOptions

    given = several(tables)
    target = as_path(export)
    ending = "" if target is None else Path(target).suffix.lower()
    is_page = ending in ("", ".html", ".htm") and target != "-"
    if target is not None and (not is_page or not ending):
        check_picture(target)
    if (grid is None) != (axes is None):
        raise UsageError("--grid and --axes: found one, expected both (they place the cells)")
    if tiles is not None:
        check_tiles(tiles)
    users = [user] if isinstance(user, str) else list(user)
    options = ViewOptions(
        users=tuple(one.strip() for text in users for one in str(text).split(",")),
        days=first_and_last(days),
        grid=parse_grid(grid, axes) if grid else None,
        start_date=parse_date(start_date) if start_date else None,
        max_rows=max_rows,
        seed=seed,
        columns=parse_columns(columns),
        on_error=on_error,
        counted=colour_by in ("auto", "density"),
    )
    with paths_of(*given, truth) as paths:
        if vectors.is_embeddings(paths[0]):
            from humobctl.explore.run import show_embeddings

            if len(given) < 2:
                raise UsageError(
                    f"{paths[0]}: embeddings need the users' trajectories: humobctl view "
                    "embeddings.parquet city.csv"
                )
            rows, people = show_embeddings(
                paths[0],
                paths[1:-1],
                export=target,
                host=host,
                port=port,
                browser=open_,
                seed=seed,
                on_error=on_error,
            )
            return summary(target or "", rows=rows, users=people)
        scene = load_scene(
            paths[:-1],
            paths[-1],
            options,
            title=title,
            cell_km=cell_km,
            weekday=(weekday_number(first_weekday) - 1) % 7,
            base=[read_base(path) for path in base],
        )
    users_in = (scene.tables[0].users or 0) if scene.counted else len(scene.users)
    colour = None if colour_by == "auto" else colour_by
    check_colour(scene, colour)
    if target is not None:
        with whole_file(target) as place:
            if is_page:
                place.write_text(page(scene, colour=colour, tiles=tiles), encoding="utf-8")
            else:
                draw_picture(scene, place, ending=ending, colour=colour)
        report.info(f"{target}: {pluralize(scene.records, 'row')}, {pluralize(users_in, 'user')}")
    else:
        from humobctl.page.serve import serve

        text = page(scene, colour=colour, tiles=tiles)
        serve(make_site(text, tiles), host, port, browser=open_)
    return summary(target or "", rows=scene.records, users=users_in)
