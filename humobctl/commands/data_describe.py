"""``humobctl data describe``: what is in a table."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any, Literal

import typer

import humobctl as hm
from humobctl.commands.options import options_from


@options_from(hm.describe, before="plot")
def describe(
    format: Annotated[
        Literal["table", "json"] | None,
        typer.Option(
            "--format",
            "-f",
            metavar="table|json",
            help="Format of the output. Default: table on a terminal, json in a pipe.",
        ),
    ] = None,
    **options: Any,
) -> None:
    """Describe a grid trajectory or a table of places.

    Trajectory: users, days, coverage, cells, radius of gyration, entropy, gaps. Masked rows (999)
    count as records but have no location. A gap is a run of half hours, or of whole days, without a
    record between a user's first and last record. The radius of gyration is the root mean square
    distance of a user's records from their centre (Gonzalez et al. 2008); random entropy is log2 of
    the number of a user's cells, uncorrelated entropy that of the visit fractions of the cells
    (Song et al. 2010). Numbers by day and by slot are in the JSON output; --plot needs the extra
    humobctl[plot].

    Places: number per intent and category, extent, and density per square km and in cells of
    --cell-km.

    Example: humobctl data describe city.csv

    Example: humobctl data describe places.csv

    Example: humobctl data describe city.csv --format table --plot city.png

    Example: humobctl data describe challenge.csv --plot challenge.html
    """
    found = hm.describe(**options)
    if format == "json" or (format is None and not sys.stdout.isatty()):
        sys.stdout.write(json.dumps(found.to_dict()) + "\n")
    else:
        found.show()
