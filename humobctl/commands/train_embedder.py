"""``humobctl train embedder``: one vector a user, from places and times."""

from __future__ import annotations

from typing import Annotated

import typer

from humobctl.commands.options import FirstWeekday, OnErrorOption
from humobctl.commands.settings_options import Changes, add_settings_options
from humobctl.commands.training_options import (
    Device,
    DryRun,
    ModelDir,
    Overwrite,
    Preset,
    Resume,
    SettingsFile,
    Trajectories,
)
from humobctl.embed.config import PRESETS


@add_settings_options(PRESETS, aliases={"learning_rate": ("--lr",)})
def embedder(
    inputs: Trajectories,
    output: ModelDir,
    preset: Preset = None,
    settings: SettingsFile = None,
    changes: Changes | None = None,
    city: Annotated[
        list[str] | None,
        typer.Option(help="Name of the city of each INPUT, in their order; else the files' names."),
    ] = None,
    last_day: Annotated[
        int | None, typer.Option(min=0, help="Last day to learn from.", show_default=False)
    ] = None,
    first_weekday: FirstWeekday = "sunday",
    device: Device = "auto",
    resume: Resume = False,
    overwrite: Overwrite = False,
    dry_run: DryRun = False,
    on_error: OnErrorOption = "fail",
) -> None:
    """Train an embedder: 512 numbers that say where and when a user is.

    Places and times of a user's rows attend to each other, go through transformer blocks and an
    LSTM both ways, and become one vector. It is learnt by rebuilding rows from it, by predicting
    the next cells, and by telling two spans of a user from those of others. Users that are not
    seen (--train-below, --train-share) stay for 'eval embedding'. Several processes train together
    under torchrun. An unfinished training lies in DIR.training; --resume goes on with it.

    Example: humobctl train embedder city.csv --preset tiny --steps 5 --output users

    Example: humobctl train embedder city.csv --train-below 10 --dry-run --output none
    """
    import humobctl as hm

    hm.train_embedder(
        inputs,
        output,
        preset=preset,
        settings=settings,
        city=city,
        last_day=last_day,
        first_weekday=first_weekday,
        device=device,
        resume=resume,
        overwrite=overwrite,
        dry_run=dry_run,
        on_error=on_error,
        **(changes or {}),
    )
