"""``humobctl train embedder``: one vector a user, from places and times."""

from __future__ import annotations

from typing import Annotated

import typer

from humobctl.commands.options import FirstWeekday, OnErrorOption
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
    Trajectories,
    Warmup,
    WeightDecay,
    given,
    option,
)


def embedder(
    ctx: typer.Context,
    inputs: Trajectories,
    output: ModelDir,
    preset: Preset = None,
    settings: SettingsFile = None,
    width: Annotated[int | None, option("Of the rows' embeddings and the blocks.")] = None,
    blocks: Annotated[int | None, option("Transformer blocks.")] = None,
    heads: Annotated[int | None, option("Of all attention.")] = None,
    lstm_units: Annotated[int | None, option("Of the LSTM, each way.")] = None,
    decoder_units: Annotated[
        int | None, option("Of the LSTM that rebuilds rows from a vector.")
    ] = None,
    dropout: Annotated[float | None, option("Share of activations dropped.")] = None,
    objective: Annotated[
        str | None,
        option(
            "reconstruct (rows of a span and the cells after it), contrast (two spans of a user "
            "are close), or both."
        ),
    ] = None,
    contrast_weight: Annotated[
        float | None, option("Of the contrastive loss beside the others.")
    ] = None,
    temperature: Annotated[float | None, option("Of the contrastive loss.")] = None,
    noise: Annotated[
        float | None, option("Standard deviation of the noise on places, in cells.")
    ] = None,
    moved: Annotated[
        float | None, option("Share of batches whose city is turned over and shifted.")
    ] = None,
    hide_city: Annotated[
        float | None, option("Share of batches that do not say their city.")
    ] = None,
    span_rows: Annotated[int | None, option("Most rows of a span.")] = None,
    next_rows: Annotated[
        int | None, option("Rows to rebuild of a span, and to predict after it.")
    ] = None,
    train_below: Annotated[
        int | None, option("Only users with a lower uid are seen; 0 for --train-share.")
    ] = None,
    train_share: Annotated[
        float | None, option("Seeded share of each city's users that is seen.")
    ] = None,
    validation_share: Annotated[
        float | None, option("Share of the users seen that only validate.")
    ] = None,
    steps: Annotated[int | None, option("Optimiser steps, at most.")] = None,
    batch_size: Annotated[int | None, option("Users in a step of one process.")] = None,
    learning_rate: LearningRate = None,
    warmup: Warmup = None,
    weight_decay: WeightDecay = None,
    evaluate_every: Annotated[int | None, option("Steps between validations.")] = None,
    patience: Annotated[
        int | None,
        option("Validations without a better loss that end the training; 0 for never."),
    ] = None,
    precision: Precision = None,
    seed: SettingsSeed = None,
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
    from humobctl.embed.config import SETTING_NAMES

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
        **given(ctx, SETTING_NAMES),
    )
