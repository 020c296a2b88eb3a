"""``humobctl train diffusion``: days as series of points, by diffusion or flow matching."""

from __future__ import annotations

from typing import Annotated

import typer

from humobctl.commands.options import OnErrorOption
from humobctl.commands.settings_options import Changes, add_settings_options
from humobctl.commands.training_options import (
    Device,
    DryRun,
    ModelDir,
    Overwrite,
    Preset,
    Resume,
    SettingsFile,
)
from humobctl.generate.diffusion.config import PRESETS


@add_settings_options(PRESETS, aliases={"learning_rate": ("--lr",)})
def diffusion(
    input: Annotated[
        str,
        typer.Argument(metavar="INPUT", help="Visits, stays or points; - for standard input."),
    ],
    output: ModelDir,
    preset: Preset = None,
    settings: SettingsFile = None,
    changes: Changes | None = None,
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
        **(changes or {}),
    )
