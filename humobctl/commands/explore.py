"""``humobctl explore``: the map of an embedding space, in a browser."""

from __future__ import annotations

from typing import Annotated

import typer

from humobctl.api.options import OnError


def explore(
    embeddings: Annotated[
        str, typer.Argument(metavar="EMBEDDINGS", help="Table, npy or safetensors of 'embed'.")
    ],
    trajectories: Annotated[
        list[str],
        typer.Argument(metavar="TRAJECTORIES...", help="Grid trajectories, one city a file."),
    ],
    city: Annotated[
        list[str] | None,
        typer.Option(help="Name of the city of each TRAJECTORIES; else the files' names."),
    ] = None,
    umap: Annotated[
        bool, typer.Option("--umap", help="Also make a map by UMAP (extra umap; minutes).")
    ] = False,
    export: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write one HTML file that needs nothing else, and end."),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than this machine's are warned of.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any that is free.")
    ] = 8050,
    browser: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the clusters and of UMAP.")] = 0,
    on_error: Annotated[
        OnError,
        typer.Option(help="Stop at the first bad row, or drop bad rows and say how many."),
    ] = "fail",
) -> None:
    """Look at an embedding space: a map of users, and what those you select do.

    Choose users on the map by lasso, box or click, by id, by city or by cluster; see where and
    when they are, keep two selections and compare them, and save a selection's trajectories and
    picture. The page takes nothing from elsewhere; it is served to this machine only, until
    Ctrl-C. With --export it is a file to pass on; up to 4 million rows of trajectories are in it.

    Example: humobctl explore embeddings.parquet city.csv --export page.html
    """
    from humobctl.console import report
    from humobctl.embed.vectors import read_embeddings
    from humobctl.errors import UsageError
    from humobctl.explore.data import load_world
    from humobctl.explore.page import check_plotly, page
    from humobctl.io.city_names import city_names
    from humobctl.io.streams import whole_file

    if [embeddings, *trajectories].count("-") > 1:
        raise UsageError("standard input (-) can be read only once")
    if export is not None and not export.lower().endswith((".html", ".htm")):
        raise UsageError(f"--export: found {export}, expected a file that ends in .html")
    check_plotly()
    names = city_names(trajectories, tuple(city) if city else None)
    world = load_world(
        read_embeddings(embeddings), trajectories, names, on_error=on_error, umap=umap, seed=seed
    )
    if export is not None:
        with whole_file(export) as place:
            place.write_text(page(world, served=False), encoding="utf-8")
        report.info(f"{export}: {len(world):,} users, {len(world.cell):,} rows")
        return
    from humobctl.explore.serve import serve

    serve(world, host, port, browser=browser)
