"""``humobctl intend``: day plans from profiles."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from humobctl.commands.options import Format, Input, OnErrorOption, Output, Seed, Weekday

BackendName = Literal["planner"]


def intend(
    input: Input = None,
    backend: Annotated[
        BackendName, typer.Option("--backend", "-b", help="What makes the plans.")
    ] = "planner",
    count: Annotated[
        int | None,
        typer.Option(
            "--count",
            "-n",
            min=1,
            max=100_000_000,
            help="People to draw, by the profiles' counts; else everybody.",
        ),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=10_000, help="Days to plan, from day 0.")] = 1,
    weekday: Annotated[Weekday, typer.Option("--weekday", help="Of day 0.")] = "monday",
    without: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PART",
            help="Leave out attitude, norm or control, for ablation; may be repeated.",
        ),
    ] = None,
    seed: Seed = 0,
    output: Output = None,
    format: Format = None,
    people: Annotated[
        str | None, typer.Option("--people", help="Also write the people's profiles here.")
    ] = None,
    report_to: Annotated[
        str | None, typer.Option("--report", help="Also write how it went here, as JSON.")
    ] = None,
    on_error: OnErrorOption = "fail",
) -> None:
    """Plan people's days: what they intend to do, when, and why.

    Example: humobctl intend profiles.csv --output plans.csv

    Example: humobctl intend population.csv --count 1000 --days 7 | head -3
    """
    from humobctl.intentions.backend import BACKENDS, WEEKDAYS, Settings, parse_parts
    from humobctl.intentions.people import read_population
    from humobctl.intentions.run import Job, write_plans

    settings = Settings(seed, days, WEEKDAYS.index(weekday), parse_parts(without))
    maker = BACKENDS[backend].make(settings, {})
    population = read_population(input, count=count, seed=seed, on_error=on_error)
    write_plans(
        Job(population, maker, settings),
        output,
        format=format,
        people=people,
        report_to=report_to,
    )
