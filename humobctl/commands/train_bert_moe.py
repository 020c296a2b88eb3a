"""``humobctl train bert-moe``: ST-MoE-BERT, from scratch or from a trained model."""

from __future__ import annotations

from typing import Annotated

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
    ModelDir,
    MostUsers,
    Overwrite,
    Precision,
    Resume,
    SettingsFile,
    SettingsSeed,
    ToDay,
    Trajectories,
    Warmup,
    WeightDecay,
    given,
    option,
)


def bert_moe(
    ctx: typer.Context,
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
    model_name: Annotated[
        str | None,
        option("MobilityBERTMoE, or MobilityBERT, without experts."),
    ] = None,
    location_ids: Annotated[int | None, option("Rows of the location tables.")] = None,
    hidden_size: Annotated[int | None, option("Width of the encoder.")] = None,
    hidden_layers: Annotated[int | None, option("Layers of the encoder.")] = None,
    attention_heads: Annotated[int | None, option("Heads of its attention.")] = None,
    feed_forward: Annotated[
        int | None, option("Width of its feed-forward layers, in hidden sizes.")
    ] = None,
    day_embedding_size: Annotated[
        int | None, option("Of the days to the first day to predict.")
    ] = None,
    time_embedding_size: Annotated[int | None, option("Of the half-hour slot.")] = None,
    dow_embedding_size: Annotated[
        int | None,
        option(
            "Of the day of the week.",
            "--dow-embedding-size",
            "--day-of-week-embedding-size",
        ),
    ] = None,
    weekday_embedding_size: Annotated[int | None, option("Of working day or day off.")] = None,
    location_embedding_size: Annotated[int | None, option("Of the cell.")] = None,
    gap_embedding_size: Annotated[
        int | None, option("Of the time to the rows before and after.")
    ] = None,
    dropout: Annotated[float | None, option("Share of activations dropped.")] = None,
    max_seq_length: Annotated[int | None, option("Most rows of a window, past and future.")] = None,
    copy_heads: Annotated[int | None, option("Heads that copy past cells; 0 as published.")] = None,
    experts: Annotated[int | None, option("Number of experts.")] = None,
    top_k: Annotated[int | None, option("Experts used for a row; 0 for all, weighted.")] = None,
    load_balance: Annotated[
        float | None, option("Weight of the load-balance term of --top-k.")
    ] = None,
    input_length: Annotated[int | None, option("Past rows of a window.", "--input-length")] = None,
    prediction_length: Annotated[int | None, option("Rows predicted at once.")] = None,
    horizon: Annotated[
        int | None,
        option(
            "Days predicted from one past; 0 to go on from the model's own answers, as published.",
        ),
    ] = None,
    relabel: Annotated[
        float | None,
        option("Share of windows whose cells are shown under other numbers."),
    ] = None,
    stride: Annotated[
        int | None,
        option("Rows from one window to the next.", "--stride", "--look-back-len"),
    ] = None,
    epochs: Annotated[
        int | None, option("Passes over the windows.", "--epochs", "--num-epochs")
    ] = None,
    max_steps: MaxSteps = None,
    batch_size: Annotated[int | None, option("Windows of a step of one process.")] = None,
    accumulate: Annotated[int | None, option("Steps whose gradients are added up.")] = None,
    learning_rate: LearningRate = None,
    location_learning_rate: Annotated[
        float | None,
        option(
            "The same of the location embedding.",
            "--location-learning-rate",
            "--location-embedding-lr",
        ),
    ] = None,
    warmup: Warmup = None,
    weight_decay: WeightDecay = None,
    precision: Precision = None,
    validation_share: Annotated[float | None, option("Users that only validate.")] = None,
    validation_days: Annotated[int | None, option("Last days, for scores alone.")] = None,
    blend_users: Annotated[
        int | None, option("Users to learn the weight of the history model on; 0: none.")
    ] = None,
    evaluate_every: EvaluateEvery = None,
    patience: Annotated[
        int | None,
        option("Validations without a better GEO-BLEU to stop after; 0: never."),
    ] = None,
    seed: SettingsSeed = None,
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
    from humobctl.predict.bert_moe.config import SETTING_NAMES

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
        **given(ctx, SETTING_NAMES),
    )
