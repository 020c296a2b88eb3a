"""``humobctl generate gravity``: places for intentions by laws of mobility."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from humobctl.commands.options import (
    Address,
    Engine,
    Format,
    LongOutput,
    OnErrorOption,
    Overwrite,
    Resume,
    Seed,
    Workers,
)

LawName = Literal[
    "gravity", "power", "exponential", "radiation", "opportunity", "epr", "random", "home-work"
]


def gravity(
    input: Annotated[
        str | None,
        typer.Argument(
            metavar="[INTENTIONS]", help="Table to read; - or nothing for standard input."
        ),
    ] = None,
    places: Annotated[
        str, typer.Option("--places", metavar="FILE", help="Places, as 'data import' writes them.")
    ] = ...,  # type: ignore[assignment]
    law: Annotated[
        LawName, typer.Option("--law", help="How people choose among places; docs/generate.md.")
    ] = "gravity",
    people: Annotated[
        str | None,
        typer.Option("--people", metavar="FILE", help="Profiles with home and work coordinates."),
    ] = None,
    home_work: Annotated[
        str | None,
        typer.Option(
            "--home-work", metavar="FILE", help="Pairs of home and work; each person draws one."
        ),
    ] = None,
    density: Annotated[
        str | None,
        typer.Option(
            "--density",
            metavar="FILE",
            help="Points (lat, lon, population) from which homes are drawn; else the places.",
        ),
    ] = None,
    radius: Annotated[
        float, typer.Option(min=0.1, max=500, help="km within which people look for a place.")
    ] = 10.0,
    max_radius: Annotated[
        float | None,
        typer.Option(
            min=0.1, max=4000, help="km up to which it is doubled where there is none. [8 times it]"
        ),
    ] = None,
    exponent: Annotated[
        float | None,
        typer.Option(min=0, max=10, help="Of distance: gravity, power, epr. [2]"),
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option(min=0.05, max=500, help="km: exponential falls to 1/e over it. [2]"),
    ] = None,
    alpha: Annotated[
        float | None, typer.Option(min=0, max=1, help="opportunity: exploratory tendency. [1/3]")
    ] = None,
    beta: Annotated[
        float | None, typer.Option(min=0, max=1, help="opportunity: cautious tendency. [1/3]")
    ] = None,
    rho: Annotated[
        float | None, typer.Option(min=0, max=1, help="epr: explores with rho * S^-gamma. [0.6]")
    ] = None,
    gamma: Annotated[
        float | None, typer.Option(min=0, max=5, help="epr: explores with rho * S^-gamma. [0.21]")
    ] = None,
    fit: Annotated[
        str | None,
        typer.Option(
            "--fit",
            metavar="FILE",
            help="Visits or stays; the law's parameters become those that make them most likely.",
        ),
    ] = None,
    speed: Annotated[
        float,
        typer.Option(min=0.1, max=1000, help="km/h of travel, straight from door to door."),
    ] = 20.0,
    least: Annotated[
        int,
        typer.Option(
            "--min-minutes", min=0, max=720, help="That travel leaves of an event, at least."
        ),
    ] = 5,
    snap: Annotated[
        float,
        typer.Option(
            min=0,
            max=10_000,
            help="Metres within which a given home or work is the nearest place that serves it.",
        ),
    ] = 500.0,
    seed: Seed = 0,
    output: LongOutput = None,
    format: Format = None,
    engine: Engine = "local",
    address: Address = None,
    workers: Workers = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    on_error: OnErrorOption = "fail",
) -> None:
    """Give every event of day plans a place, by a law of mobility.

    Reads intentions (as 'intend' writes them, each person's rows together) and writes visits (uid,
    d, seq, intent, start_min, end_min, place_id, lat, lon).

    People go home and sleep at home, and work at work; for all other events the law chooses among
    the places that serve the intent, seen from where the person is. A place without an intent
    serves all. Home and work are fixed for each person: from --people, else from a pair of
    --home-work, else home is drawn by population (--density) or is a place like any other, and work
    is drawn from home by the radiation law.

    A visit depends on the seed, the person, the day and the event alone, so that the result is the
    same with any number of threads.

    Example: humobctl generate gravity plans.csv --places places.csv --output visits.csv

    Example: humobctl intend population.csv | humobctl generate gravity - --places places.csv

    Example: humobctl generate gravity plans.csv --places places.csv --law radiation | head -3
    """
    import humobctl as hm

    hm.generate_gravity(
        input or "-",
        places=places,
        law=law,
        people=people,
        home_work=home_work,
        density=density,
        radius=radius,
        max_radius=max_radius,
        exponent=exponent,
        scale=scale,
        alpha=alpha,
        beta=beta,
        rho=rho,
        gamma=gamma,
        fit=fit,
        speed=speed,
        min_minutes=least,
        snap=snap,
        seed=seed,
        output=output or "-",
        format=format,
        engine=engine,
        address=address,
        workers=workers,
        resume=resume,
        overwrite=overwrite,
        on_error=on_error,
    )
