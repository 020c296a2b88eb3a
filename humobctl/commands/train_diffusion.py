"""``humobctl train diffusion``: days as series of points, by diffusion or flow matching."""

from __future__ import annotations

from typing import Annotated

import typer

from humobctl.commands.options import OnErrorOption
from humobctl.commands.training_options import (
    Device,
    DryRun,
    LearningRate,
    ModelDir,
    Overwrite,
    Precision,
    Preset,
    Resume,
    SettingsFile,
    SettingsSeed,
    Warmup,
    WeightDecay,
    given,
    option,
)


def diffusion(
    ctx: typer.Context,
    input: Annotated[
        str,
        typer.Argument(metavar="INPUT", help="Visits, stays or points; - for standard input."),
    ],
    output: ModelDir,
    preset: Preset = None,
    settings: SettingsFile = None,
    denoiser: Annotated[
        str | None, option("add, queryonce, querymulti, unet or unet-condition.")
    ] = None,
    condition: Annotated[
        str | None,
        option(
            "What each step is told: intent, category, home-work, none, or auto (the first of them "
            "that the table has)."
        ),
    ] = None,
    objective: Annotated[str | None, option("pred_v, pred_noise, pred_x0 or flow.")] = None,
    diffusion_steps: Annotated[int | None, option("Steps of the noise schedule.")] = None,
    width: Annotated[int | None, option("Of the network.")] = None,
    layers: Annotated[int | None, option("Of the transformer, or levels of the U-Net.")] = None,
    heads: Annotated[int | None, option("Of the transformer's attention.")] = None,
    patch: Annotated[int | None, option("Steps that are one token of the transformer.")] = None,
    unconditioned: Annotated[
        float | None, option("Share of days trained without their condition, for --guidance.")
    ] = None,
    min_stays: Annotated[int | None, option("Days with fewer stays are left out.")] = None,
    steps: Annotated[int | None, option("Optimiser steps.")] = None,
    epochs: Annotated[int | None, option("Passes over the days, instead of --steps.")] = None,
    batch_size: Annotated[int | None, option("Days in a step of one process.")] = None,
    learning_rate: LearningRate = None,
    warmup: Warmup = None,
    weight_decay: WeightDecay = None,
    ema: Annotated[float | None, option("Decay of the moving average of the weights.")] = None,
    precision: Precision = None,
    validation_share: Annotated[float | None, option("People that only validate.")] = None,
    evaluate_every: Annotated[
        int | None, option("Steps between samples with scores; 0 for a tenth of all.")
    ] = None,
    seed: SettingsSeed = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Of the experiment, for the record and the picture."),
    ] = None,
    device: Device = "auto",
    plot: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Draw the loss and the scores (.png or .html)."),
    ] = None,
    resume: Resume = False,
    overwrite: Overwrite = False,
    dry_run: DryRun = False,
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
    import humobctl as hm
    from humobctl.generate.diffusion.config import SETTING_NAMES

    hm.train_diffusion(
        input,
        output,
        preset=preset,
        settings=settings,
        name=name,
        device=device,
        plot=plot,
        resume=resume,
        overwrite=overwrite,
        dry_run=dry_run,
        on_error=on_error,
        **given(ctx, SETTING_NAMES),
    )
