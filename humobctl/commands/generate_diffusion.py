"""``humobctl generate diffusion``: visits drawn from a trained model."""

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

SamplerName = Literal["ddpm", "ddim", "dpm", "euler"]


def diffusion(
    input: Annotated[
        str | None,
        typer.Argument(
            metavar="[INTENTIONS]", help="Table to read; - or nothing for standard input."
        ),
    ] = None,
    model: Annotated[
        str, typer.Option("--model", "-m", metavar="DIR", help="As 'train diffusion' writes it.")
    ] = ...,  # type: ignore[assignment]
    count: Annotated[
        int | None,
        typer.Option(min=1, help="People, a day each, of a model without a condition."),
    ] = None,
    places: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Places; points become the nearest of their intent."),
    ] = None,
    no_snap: Annotated[
        bool, typer.Option("--no-snap", help="Leave points where they are, whatever --places.")
    ] = False,
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
    sampler: Annotated[
        SamplerName | None,
        typer.Option(
            "--sampler", help="How to sample; euler is for flow.", show_default="dpm, or euler"
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Evaluations of the network.",
            show_default="16 of dpm, 20 of ddim and euler, all of ddpm",
        ),
    ] = None,
    guidance: Annotated[
        float, typer.Option(min=0, max=20, help="Weight of the condition; 1 as learnt, 0 for none.")
    ] = 1.0,
    batch_size: Annotated[int, typer.Option(min=1, help="Days that are sampled together.")] = 256,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where to sample.")] = "auto",
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
    """Draw visits from a model that 'train diffusion' made.

    Reads intentions (as 'intend' writes them, each person's rows together) and keeps their times;
    a model without a condition takes --count instead, and makes the times, too. A model that was
    told categories needs the column category beside the intents, and takes places of the category.
    Writes visits (uid, d, seq, intent, start_min, end_min, place_id, lat, lon).

    A person has one home and one work, on all days: those of --people or a pair of --home-work, or
    else what the model draws on the person's first day with work. A visit depends on the seed, the
    person and their days alone.

    Example: humobctl train diffusion stays.csv --preset tiny -o m && humobctl generate diffusion plans.csv -m m

    Example: humobctl train diffusion stays.csv --preset tiny --condition none -o m && humobctl generate diffusion -m m --count 50 | head -3
    """  # noqa: E501 - an example is one line
    import humobctl as hm

    hm.generate_diffusion(
        input if count is not None else input or "-",
        model=model,
        count=count,
        places=places,
        no_snap=no_snap,
        people=people,
        home_work=home_work,
        sampler=sampler,
        steps=steps,
        guidance=guidance,
        batch_size=batch_size,
        device=device,
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
