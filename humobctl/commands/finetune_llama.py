"""``humobctl finetune llama``: a LoRA adapter for a language model."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from humobctl.commands.options import (
    Calendar,
    FirstWeekday,
    OnErrorOption,
)
from humobctl.commands.training_options import (
    Device,
    EvaluateEvery,
    HoldOut,
    LearningRate,
    MaxSteps,
    MostUsers,
    Overwrite,
    Resume,
    SettingsSeed,
    ToDay,
    Warmup,
    WeightDecay,
    given,
    option,
)

TaskName = Literal["mobility", "intention"]


def llama(
    ctx: typer.Context,
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
    template: Annotated[
        str | None, option("Of mobility records: compact, or llama3-8b-mob, as published.")
    ] = None,
    letters: Annotated[int | None, option("compact: most visited cells with a letter.")] = None,
    evidence: Annotated[int | None, option("compact: records that a question counts.")] = None,
    shown: Annotated[int | None, option("compact: cells of them that it names.")] = None,
    questions: Annotated[int | None, option("compact: questions of a record, at most.")] = None,
    records: Annotated[int | None, option("Records of a person, of different days.")] = None,
    horizon: Annotated[int | None, option("Days to predict of a record.")] = None,
    max_length: Annotated[
        int | None, option("Tokens of a row, at most.", "--max-length", "--cutoff-len")
    ] = None,
    packing: Annotated[
        bool | None, option("Fill rows with several records.", "--packing/--no-packing")
    ] = None,
    rank: Annotated[int | None, option("Of LoRA.", "--rank", "--lora-rank")] = None,
    alpha: Annotated[int | None, option("Of LoRA.", "--alpha", "--lora-alpha")] = None,
    dropout: Annotated[float | None, option("Of LoRA.", "--dropout", "--lora-dropout")] = None,
    target_modules: Annotated[
        str | None, option("Layers with an adapter: all, or names with commas between them.")
    ] = None,
    quantization: Annotated[
        str | None, option("Of the base, on CUDA: none, 8bit or 4bit (bitsandbytes).")
    ] = None,
    gradient_checkpointing: Annotated[
        bool | None,
        option("Save memory for time.", "--gradient-checkpointing/--no-gradient-checkpointing"),
    ] = None,
    epochs: Annotated[int | None, option("Passes over the records.")] = None,
    max_steps: MaxSteps = None,
    batch_size: Annotated[int | None, option("Rows of a step of one process.")] = None,
    learning_rate: LearningRate = None,
    schedule: Annotated[str | None, option("How it falls: cosine or linear.")] = None,
    warmup: Warmup = None,
    weight_decay: WeightDecay = None,
    precision: Annotated[str | None, option("fp32, bf16 or auto.")] = None,
    validation_share: Annotated[
        float | None, option("People, or records, that only validate.")
    ] = None,
    evaluate_every: EvaluateEvery = None,
    patience: Annotated[
        int | None, option("Validations without a lower loss to stop after; 0: never.")
    ] = None,
    seed: SettingsSeed = None,
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
    from humobctl.predict.llama.config import SETTING_NAMES

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
        **given(ctx, SETTING_NAMES),
    )
