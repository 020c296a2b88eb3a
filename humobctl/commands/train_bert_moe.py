"""``humobctl train bert-moe``: ST-MoE-BERT, from scratch or from a trained model."""

from __future__ import annotations

from typing import Annotated

import typer

from humobctl.commands.options import (
    Calendar,
    FirstWeekday,
    OnErrorOption,
)
from humobctl.commands.settings_options import Changes, add_settings_options
from humobctl.commands.training_options import (
    Device,
    HoldOut,
    ModelDir,
    MostUsers,
    Overwrite,
    Resume,
    SettingsFile,
    ToDay,
    Trajectories,
)
from humobctl.predict.bert_moe.config import PRESETS


@add_settings_options(
    PRESETS,
    aliases={
        "learning_rate": ("--lr",),
        "dow_embedding_size": ("--day-of-week-embedding-size",),
        "stride": ("--look-back-len",),
        "epochs": ("--num-epochs",),
        "location_learning_rate": ("--location-embedding-lr",),
    },
)
def bert_moe(
    inputs: Trajectories,
    output: ModelDir,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="tiny|small|paper",
            help="Settings that the options below change; small, or those of --init-from.",
        ),
    ] = None,
    settings: SettingsFile = None,
    init_from: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Fine-tune this bert-moe: keep of it what fits."),
    ] = None,
    changes: Changes | None = None,
    city: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Name of each INPUT's city; else the file's."),
    ] = None,
    users: MostUsers = None,
    to_day: ToDay = None,
    hold_out: HoldOut = 15,
    device: Device = "auto",
    calendar: Calendar = "auto",
    first_weekday: FirstWeekday = "sunday",
    resume: Resume = False,
    overwrite: Overwrite = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only print parameters, memory and one batch's shapes."),
    ] = False,
    on_error: OnErrorOption = "fail",
) -> None:
    """Train ST-MoE-BERT: a BERT encoder with a mixture of experts (arXiv 2410.14099).

    Learns to fill masked cells from windows of past and future rows. Give several files to learn
    from several cities, and --init-from to fine-tune a trained model on another. The last 15 days
    of each file are never seen, and some users only validate. Several processes train together
    under torchrun. An unfinished training lies in DIR.training; --resume goes on with it.

    Example: humobctl train bert-moe challenge.csv --preset tiny --output bert

    Example: humobctl train bert-moe challenge.csv --preset tiny --dry-run --output none
    """
    import humobctl as hm

    hm.train_bert_moe(
        inputs,
        output,
        preset=preset,
        settings=settings,
        init_from=init_from,
        city=city,
        users=users,
        to_day=to_day,
        hold_out=hold_out,
        device=device,
        calendar=calendar,
        first_weekday=first_weekday,
        resume=resume,
        overwrite=overwrite,
        dry_run=dry_run,
        on_error=on_error,
        **(changes or {}),
    )
