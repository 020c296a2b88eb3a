"""``humobctl train diffusion``: days as series of points, by diffusion or flow matching."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from humobctl.commands.options import OnErrorOption


def _option(text: str, *names: str) -> Any:
    return typer.Option(*names, help=text, show_default=False)


def diffusion(
    ctx: typer.Context,
    input: Annotated[
        str,
        typer.Argument(metavar="INPUT", help="Visits, stays or points; - for standard input."),
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="DIR", help="Model dir to write.")
    ],
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="tiny|small|paper", help="Settings that the options below change. [small]"
        ),
    ] = None,
    settings: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="TOML file of settings, named as the options below."),
    ] = None,
    denoiser: Annotated[
        str | None, _option("add, queryonce, querymulti, unet or unet-condition.")
    ] = None,
    condition: Annotated[
        str | None,
        _option(
            "What each step is told: intent, category, home-work, none, or auto (the first of them "
            "that the table has)."
        ),
    ] = None,
    objective: Annotated[str | None, _option("pred_v, pred_noise, pred_x0 or flow.")] = None,
    diffusion_steps: Annotated[int | None, _option("Steps of the noise schedule.")] = None,
    width: Annotated[int | None, _option("Of the network.")] = None,
    layers: Annotated[int | None, _option("Of the transformer, or levels of the U-Net.")] = None,
    heads: Annotated[int | None, _option("Of the transformer's attention.")] = None,
    patch: Annotated[int | None, _option("Steps that are one token of the transformer.")] = None,
    unconditioned: Annotated[
        float | None, _option("Share of days trained without their condition, for --guidance.")
    ] = None,
    min_stays: Annotated[int | None, _option("Days with fewer stays are left out.")] = None,
    steps: Annotated[int | None, _option("Optimiser steps.")] = None,
    epochs: Annotated[int | None, _option("Passes over the days, instead of --steps.")] = None,
    batch_size: Annotated[int | None, _option("Days in a step of one process.")] = None,
    learning_rate: Annotated[
        float | None, _option("Highest learning rate.", "--learning-rate", "--lr")
    ] = None,
    warmup: Annotated[float | None, _option("Share of the steps in which it rises.")] = None,
    weight_decay: Annotated[float | None, _option("Of AdamW.")] = None,
    ema: Annotated[float | None, _option("Decay of the moving average of the weights.")] = None,
    precision: Annotated[str | None, _option("fp32, or bf16.")] = None,
    validation_share: Annotated[float | None, _option("People that only validate.")] = None,
    evaluate_every: Annotated[
        int | None, _option("Steps between samples with scores; 0 for a tenth of all.")
    ] = None,
    seed: Annotated[int | None, _option("Seed of all random choices.")] = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Of the experiment, for the record and the picture."),
    ] = None,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where to train.")] = "auto",
    plot: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Draw the loss and the scores (.png or .html)."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a training that was cut short.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a model dir of that name.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be trained, and on what.")
    ] = False,
    on_error: OnErrorOption = "fail",
) -> None:
    """Train a diffusion or flow matching model of days: 144 steps of ten minutes.

    Learns where people are, given what they intend at each step (the column intent), or the
    category of the place (the column category), or else home, work and other, which are inferred.
    With --condition none it learns the times of the stays, too. Some people only validate: scores
    are said against them, and at the end how near sampled days come to training days, beside
    theirs. Several processes train together under torchrun. An unfinished training lies in
    DIR.training; --resume goes on with it.

    Example: humobctl train diffusion stays.csv --preset tiny --output days

    Example: humobctl train diffusion stays.csv --preset tiny --condition none --output free

    Example: humobctl train diffusion stays.csv --denoiser queryonce --dry-run --output none
    """
    from humobctl import report
    from humobctl.data.plots import check_plot
    from humobctl.models.diffusion.config import SETTING_NAMES, resolve
    from humobctl.models.registry import require
    from humobctl.processes import is_main

    given = {k: v for k, v in ctx.params.items() if k in SETTING_NAMES and v is not None}
    if plot is not None:
        check_plot(plot)
    chosen = resolve(preset, settings, given)
    require("diffusion")
    from humobctl.models.diffusion.run import Job, train
    from humobctl.models.diffusion.run import dry_run as describe

    job = Job(
        *(chosen, output, name),
        resume=resume,
        overwrite=overwrite,
        device=device,
        on_error=on_error,
    )
    if dry_run and not is_main():
        return
    if dry_run:
        report.lines(describe(input, job))
        return
    run = train(input, job)
    if not run:  # not the main process
        return
    if plot is not None:
        from humobctl.models.diffusion.plot import write_plot

        write_plot(output, plot, name)
    jsd = run["scores"].get("jsd")
    scored = "" if jsd is None else f", mean JSD of people not trained on {jsd:.4f}"
    report.info(f"{output}: diffusion trained in {run['steps']:,} steps{scored}")
