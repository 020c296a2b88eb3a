"""From paths to the page of an embedding space, served or in a file."""

from __future__ import annotations

from collections.abc import Sequence

from humobctl.console import report
from humobctl.console.words import pluralize
from humobctl.embed.vectors import read_embeddings
from humobctl.errors import UsageError
from humobctl.explore.data import load_world
from humobctl.explore.page import check_plotly, page
from humobctl.explore.serve import make_site
from humobctl.io.city_names import city_names
from humobctl.io.row_errors import OnError
from humobctl.io.streams import whole_file
from humobctl.page.serve import serve


def show_embeddings(
    embeddings: str,
    trajectories: Sequence[str],
    *,
    cities: Sequence[str] | None = None,
    umap: bool = False,
    export: str | None = None,
    host: str,
    port: int,
    browser: bool = False,
    seed: int = 0,
    on_error: OnError = "fail",
) -> tuple[int, int]:
    """Write the page to a file, or serve it until the process is interrupted.

    Args:
        embeddings: path of vectors of users.
        trajectories: paths of their grid trajectories, one city a file.
        cities: names of the cities; None for those of the files.
        umap: whether to make a map by UMAP, too.
        export: the file; None to serve.
        host: address to listen on.
        port: 0 for any that is free.
        browser: open the page in one.
        seed: of clusters and UMAP.
        on_error: stop at the first bad row, or drop bad rows.

    Returns:
        Numbers of rows and users.

    Raises:
        HumobError: a file cannot be read or written, or plotly is not installed.
        UsageError: a file to write that is not a page.
    """
    if [embeddings, *trajectories].count("-") > 1:
        raise UsageError("standard input (-) can be read only once")
    if export is not None and not export.lower().endswith((".html", ".htm")):
        raise UsageError(f"--export: found {export}, expected a file that ends in .html")
    check_plotly()
    names = city_names(list(trajectories), tuple(cities) if cities else None)
    found = read_embeddings(embeddings)
    world = load_world(found, trajectories, names, on_error=on_error, umap=umap, seed=seed)
    rows, users = len(world.cell), len(world)
    if export is None:
        serve(make_site(world), host, port, browser=browser)
        return rows, users
    with whole_file(export) as place:
        place.write_text(page(world, served=False), encoding="utf-8")
    report.info(f"{export}: {pluralize(users, 'user')}, {pluralize(rows, 'row')}")
    return rows, users
