"""``humobctl generate flows``: flows between areas by a law."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from humobctl.commands.options import Format, OnErrorOption, Output, Seed

Deterrence = Literal["power", "exponential", "combined"]
Constraint = Literal["origin", "total", "none"]
Mass = Literal["population", "inflow", "attraction"]


def flows(
    areas: Annotated[
        str | None,
        typer.Argument(
            metavar="AREAS",
            help="Table of area_id, lat, lon, population, or GeoJSON; - for standard input.",
        ),
    ] = None,
    law: Annotated[
        str,
        typer.Option(
            "--law",
            "-l",
            metavar="NAME|FILE",
            help="gravity, radiation, extended-radiation, opportunities, or a --save-law file.",
        ),
    ] = "gravity",
    fit: Annotated[
        str | None,
        typer.Option(metavar="FLOWS", help="Fit the law to these flows first; may be of a part."),
    ] = None,
    deterrence: Annotated[
        Deterrence | None,
        typer.Option(help="How gravity falls with distance.  [default: power]"),
    ] = None,
    constraint: Annotated[
        Constraint | None,
        typer.Option(
            help="What gravity keeps: each area's outflow, the total, nothing.  [default: origin]"
        ),
    ] = None,
    mass: Annotated[
        Mass | None,
        typer.Option(
            help="What draws people: population, the inflow in --fit, or an attraction fitted to "
            "it (gravity).  [default: population]"
        ),
    ] = None,
    trips: Annotated[
        float | None,
        typer.Option(min=1, help="Trips in all, shared out by population."),
    ] = None,
    sample: Annotated[
        bool, typer.Option("--sample", help="Draw whole trips; else mean flows are written.")
    ] = False,
    min_flow: Annotated[float, typer.Option(min=0, help="Leave out smaller flows.")] = 0.0,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--columns", metavar="IN=OUT", help="Columns or properties by their names in the files."
        ),
    ] = None,
    seed: Seed = 0,
    save_law: Annotated[
        str | None, typer.Option("--save-law", help="Also write the fitted law here, as JSON.")
    ] = None,
    output: Output = None,
    format: Format = None,
    on_error: OnErrorOption = "fail",
) -> None:
    """Make flows of people between areas: commuting, say, by county.

    Reads areas (area_id, lat, lon, population, and outflow where it is known) or GeoJSON with such
    properties, whose polygons stand for their centroids. Writes origin, destination, flow. Usual
    names of columns are known (tile_ID, tot_outflow, ...); --columns says others.

    Laws: gravity (masses and distance), radiation (Simini et al. 2012; nothing to fit),
    extended-radiation (Yang et al. 2014), opportunities (Schneider 1959). Parameters come from
    --fit, by maximum likelihood; without it gravity is the inverse square of the distance. Trips
    within an area are left out.

    How many trips leave an area is its outflow, else that in --fit, else what the other areas have
    per person; --trips shares out a number instead. docs/flows.md has the formulas.

    Example: humobctl generate flows counties.csv --law radiation --trips 100000 -o flows.csv

    Example: humobctl generate flows counties.csv --fit commuting.csv --deterrence exponential

    Example: humobctl generate flows counties.csv --fit commuting.csv --sample --save-law law.json

    Example: humobctl generate flows counties.csv --fit commuting.csv | humobctl eval - -t flows.csv
    """
    import humobctl as hm

    hm.generate_flows(
        areas or "-",
        law=law,
        fit=fit,
        deterrence=deterrence,
        constraint=constraint,
        mass=mass,
        trips=trips,
        sample=sample,
        min_flow=min_flow,
        columns=columns or (),
        seed=seed,
        save_law=save_law,
        output=output or "-",
        format=format,
        on_error=on_error,
    )
