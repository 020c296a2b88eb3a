"""``humobctl explore``: the map of an embedding space, in a browser."""

from __future__ import annotations

from typing import Annotated

import typer

from humobctl.api.options import EVERYWHERE, OnError


def explore(
    embeddings: Annotated[
        str,
        typer.Argument(
            metavar="EMBEDDINGS", help="Embeddings from 'embed': table, npy or safetensors."
        ),
    ],
    trajectories: Annotated[
        list[str],
        typer.Argument(metavar="TRAJECTORIES", help="Grid trajectories, one city per file."),
    ],
    city: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Name of each table's city, in their order. Default: the files' names. "
            "May be repeated.",
        ),
    ] = None,
    umap: Annotated[
        bool, typer.Option("--umap", help="Also compute a UMAP map (extra umap; takes minutes).")
    ] = False,
    export: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Write the page to one self-contained HTML file instead of serving it.",
        ),
    ] = None,
    host: Annotated[
        str,
        typer.Option(
            metavar="HOST",
            help="Address to listen on; others than this machine's give a warning.",
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(metavar="N", min=0, max=65535, help="Port to listen on; 0: any free port."),
    ] = 8050,
    browser: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    seed: Annotated[
        int, typer.Option(metavar="N", min=0, help="Seed of the clusters and of UMAP.")
    ] = 0,
    on_error: Annotated[
        OnError,
        typer.Option(metavar="fail|drop", help=EVERYWHERE["on_error"].capitalize()),
    ] = "fail",
) -> None:
    """Explore an embedding space on an interactive map.

    Select users on the map by lasso, box or click, by id, by city or by cluster; see where and when
    they are, compare two selections, and save the trajectories and the picture of a selection. The
    page loads nothing from the internet; it is served to this machine only, until Ctrl-C. --export
    writes it as one file to share, with up to 4 million records.

    Example: humobctl explore embeddings.parquet city.csv --export page.html
    """
    from humobctl.explore.run import show_embeddings

    show_embeddings(
        embeddings,
        trajectories,
        cities=city,
        umap=umap,
        export=export,
        host=host,
        port=port,
        browser=browser,
        seed=seed,
        on_error=on_error,
    )
