"""``humobctl finetune llama``: a LoRA adapter for a language model."""

from __future__ import annotations

from typing import Annotated, Literal

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
    MostUsers,
    Overwrite,
    Resume,
    ToDay,
)
from humobctl.predict.llama.config import PRESETS

TaskName = Literal["mobility", "intention"]


@add_settings_options(
    PRESETS,
    aliases={
        "learning_rate": ("--lr",),
        "max_length": ("--cutoff-len",),
        "rank": ("--lora-rank",),
        "alpha": ("--lora-alpha",),
        "dropout": ("--lora-dropout",),
    },
)
def llama(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Grid trajectories, one city a file; for --task intention, JSONL records.",
        ),
    ],
    base: Annotated[
        str | None,
        typer.Option(
            "--base", "-b", metavar="MODEL", help="The model: a folder, a GGUF file or a hub name."
        ),
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="DIR", help="Adapter dir to write.")
    ] = None,
    task: Annotated[
        TaskName,
        typer.Option(help="Learn to predict cells, or to plan days from intend --distill."),
    ] = "mobility",
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="tiny|small|llama3-8b-mob|copb",
            help="Settings that the options below change. [small]",
        ),
    ] = None,
    settings: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="TOML file of settings, named as the options below, or a YAML file of "
            "LLaMA-Factory (.yaml, .yml).",
        ),
    ] = None,
    changes: Changes | None = None,
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
        typer.Option(
            "--dry-run",
            help="Print one record; say tokens, memory and time. Nothing is trained.",
        ),
    ] = False,
    on_error: OnErrorOption = "fail",
) -> None:
    """Fine-tune a Llama model: LoRA on questions about where people will be, or what they plan.

    Mobility records ask for the cells of some days, given the days before. The last 15 days of each
    file are never seen, and some people only validate. What is learnt is the answers alone.
    `predict --model DIR` uses the adapter; `finetune merge` adds it to the model. Several processes
    train together under torchrun. An unfinished training lies in DIR.training; --resume goes on
    with it.

    Example: humobctl finetune llama challenge.csv --base tinyllama --preset tiny --output adapter

    Example: humobctl finetune llama records.jsonl --task intention --base tinyllama --dry-run
    """
    import humobctl as hm

    hm.finetune_llama(
        inputs,
        output,
        base=base,
        task=task,
        preset=preset,
        settings=settings,
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
