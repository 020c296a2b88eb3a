"""``humobctl train bert-moe``: ST-MoE-BERT, from scratch or from a trained model."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from humobctl.commands.options import (
    Calendar,
    FirstWeekday,
    OnErrorOption,
    read_calendar,
    weekday_number,
)


def _option(text: str, *names: str, low: float | None = None) -> Any:
    return typer.Option(*names, help=text, min=low, show_default=False)


def bert_moe(
    ctx: typer.Context,
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT...", help="Grid trajectories, one city a file."),
    ],
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="DIR", help="Model dir to write.")
    ],
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="tiny|small|paper",
            help="Settings that the options below change; small, or those of --init-from.",
        ),
    ] = None,
    settings: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="TOML file of settings, named as the options below."),
    ] = None,
    init_from: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Fine-tune this bert-moe: keep of it what fits."),
    ] = None,
    model_name: Annotated[
        str | None,
        _option("MobilityBERTMoE, or MobilityBERT, without experts."),
    ] = None,
    location_ids: Annotated[int | None, _option("Rows of the location tables.")] = None,
    hidden_size: Annotated[int | None, _option("Width of the encoder.")] = None,
    hidden_layers: Annotated[int | None, _option("Layers of the encoder.")] = None,
    attention_heads: Annotated[int | None, _option("Heads of its attention.")] = None,
    feed_forward: Annotated[
        int | None, _option("Width of its feed-forward layers, in hidden sizes.")
    ] = None,
    day_embedding_size: Annotated[
        int | None, _option("Of the days to the first day to predict.")
    ] = None,
    time_embedding_size: Annotated[int | None, _option("Of the half-hour slot.")] = None,
    dow_embedding_size: Annotated[
        int | None,
        _option(
            "Of the day of the week.",
            "--dow-embedding-size",
            "--day-of-week-embedding-size",
        ),
    ] = None,
    weekday_embedding_size: Annotated[int | None, _option("Of working day or day off.")] = None,
    location_embedding_size: Annotated[int | None, _option("Of the cell.")] = None,
    gap_embedding_size: Annotated[
        int | None, _option("Of the time to the rows before and after.")
    ] = None,
    dropout: Annotated[float | None, _option("Share of activations dropped.")] = None,
    max_seq_length: Annotated[
        int | None, _option("Most rows of a window, past and future.")
    ] = None,
    copy_heads: Annotated[
        int | None, _option("Heads that copy past cells; 0 as published.")
    ] = None,
    experts: Annotated[int | None, _option("Number of experts.")] = None,
    top_k: Annotated[int | None, _option("Experts used for a row; 0 for all, weighted.")] = None,
    load_balance: Annotated[
        float | None, _option("Weight of the load-balance term of --top-k.")
    ] = None,
    input_length: Annotated[int | None, _option("Past rows of a window.", "--input-length")] = None,
    prediction_length: Annotated[int | None, _option("Rows predicted at once.")] = None,
    horizon: Annotated[
        int | None,
        _option(
            "Days predicted from one past; 0 to go on from the model's own answers, as published.",
        ),
    ] = None,
    relabel: Annotated[
        float | None,
        _option("Share of windows whose cells are shown under other numbers."),
    ] = None,
    stride: Annotated[
        int | None,
        _option("Rows from one window to the next.", "--stride", "--look-back-len"),
    ] = None,
    epochs: Annotated[
        int | None, _option("Passes over the windows.", "--epochs", "--num-epochs")
    ] = None,
    max_steps: Annotated[int | None, _option("Steps at most; 0 for no bound.")] = None,
    batch_size: Annotated[int | None, _option("Windows of a step of one process.")] = None,
    accumulate: Annotated[int | None, _option("Steps whose gradients are added up.")] = None,
    learning_rate: Annotated[
        float | None, _option("Highest learning rate.", "--learning-rate", "--lr")
    ] = None,
    location_learning_rate: Annotated[
        float | None,
        _option(
            "The same of the location embedding.",
            "--location-learning-rate",
            "--location-embedding-lr",
        ),
    ] = None,
    warmup: Annotated[float | None, _option("Share of the steps in which it rises.")] = None,
    weight_decay: Annotated[float | None, _option("Of AdamW.")] = None,
    precision: Annotated[str | None, _option("fp32, or bf16.")] = None,
    validation_share: Annotated[float | None, _option("Users that only validate.")] = None,
    validation_days: Annotated[int | None, _option("Last days, for scores alone.")] = None,
    blend_users: Annotated[
        int | None, _option("Users to learn the weight of the history model on; 0: none.")
    ] = None,
    evaluate_every: Annotated[
        int | None, _option("Steps between validations and checkpoints; 0: epochs.")
    ] = None,
    patience: Annotated[
        int | None,
        _option("Validations without a better GEO-BLEU to stop after; 0: never."),
    ] = None,
    seed: Annotated[int | None, _option("Seed of all random choices.")] = None,
    city: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Name of each INPUT's city; else the file's."),
    ] = None,
    users: Annotated[
        int | None, _option("Users of each city, at most; drawn by seed.", low=1)
    ] = None,
    to_day: Annotated[
        int | None, _option("Last day to learn from; else see --hold-out.", low=1)
    ] = None,
    hold_out: Annotated[
        int,
        typer.Option(
            min=0,
            help="Last days of a file, masked ones included, that are not learnt from.",
        ),
    ] = 15,
    device: Annotated[
        str,
        typer.Option(metavar="auto|cpu|cuda", help="Where to train."),
    ] = "auto",
    calendar: Calendar = "auto",
    first_weekday: FirstWeekday = "sunday",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a training that was cut short.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a model dir of that name.")
    ] = False,
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
    from humobctl import report
    from humobctl.models.bert_moe.config import SETTING_NAMES, resolve, settings_of
    from humobctl.models.registry import require
    from humobctl.processes import is_main

    given = {k: v for k, v in ctx.params.items() if k in SETTING_NAMES and v is not None}
    earlier = settings_of(init_from) if init_from is not None else None
    chosen = resolve(preset, settings, given, earlier)
    require("torch")
    from humobctl.models.bert_moe.run import Job, train
    from humobctl.models.bert_moe.run import dry_run as describe

    job = Job(
        chosen,
        output,
        cities=tuple(city) if city else None,
        most_users=users,
        last_day=to_day,
        hold_out=hold_out,
        init_from=init_from,
        resume=resume,
        overwrite=overwrite,
        device=device,
        calendar=read_calendar(calendar),
        first_weekday=weekday_number(first_weekday),
        on_error=on_error,
    )
    if dry_run and not is_main():
        return
    if dry_run:
        report.lines(describe(inputs, job))
        return
    run = train(inputs, job)
    if run:
        scores = run["scores"]
        best = f", validation GEO-BLEU {scores['geobleu']:.4f}" if "geobleu" in scores else ""
        report.info(f"{output}: bert-moe trained in {run['steps']:,} steps{best}")
