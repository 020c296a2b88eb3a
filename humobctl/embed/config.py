"""Settings of the embedder and its presets."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from humobctl.training import settings

Objective = Literal["contrast", "reconstruct", "both"]

TYPE = "embedder"
"""Type in the config of model dirs."""


@dataclass(frozen=True)
class EmbedderSettings(settings.ModelSettings):
    """Settings of the network and its training; the defaults are the preset ``small``.

    Attributes:
        width: width of the record embeddings and the transformer blocks.
        blocks: number of transformer blocks.
        heads: number of attention heads; a divisor of ``width``.
        lstm_units: number of LSTM units in each direction.
        decoder_units: number of units of the LSTM decoder that reconstructs records in training.
        dropout: dropout in the transformer blocks.
        objective: training objective: reconstruct (records of a span and the next cells), contrast
            (two spans of one user against those of others; van den Oord et al., 2018), or both.
        contrast_weight: weight of the contrastive loss, with ``objective`` both.
        temperature: temperature of the contrastive loss.
        noise: standard deviation of the Gaussian noise added to positions, in cells (augmentation).
        moved: fraction of batches with mirrored and translated coordinates (augmentation).
        hide_city: fraction of batches without the city token, so that unknown cities can be
            embedded.
        span_rows: maximum number of records per training span.
        next_rows: number of records to reconstruct within a span, and to predict after it.
        train_below: train only on users with a lower uid; 0: see ``train_fraction``.
        train_fraction: fraction of each city's users to train on, drawn at random.
        validation_fraction: fraction of the training users used for validation only.
        steps: maximum number of optimizer steps.
        batch_size: number of users per step and process.
        learning_rate: peak learning rate of a cosine schedule.
        warmup: warm-up fraction: fraction of steps with a rising learning rate.
        weight_decay: AdamW weight decay.
        evaluate_every: number of steps between validations.
        patience: early stopping: stop after this many validations without improvement (0: off).
        precision: numeric precision of matrix products: fp32, bf16, or auto (bf16 if the processor
            supports it).
        seed: seed of the random numbers.
    """

    width: Annotated[int, settings.Range(1, 1 << 14)] = 128
    blocks: Annotated[int, settings.Range(1, 1 << 14)] = 2
    heads: Annotated[int, settings.Range(1, 1 << 14)] = 4
    lstm_units: Annotated[int, settings.Range(1, 1 << 14)] = 256
    decoder_units: Annotated[int, settings.Range(1, 1 << 14)] = 128
    dropout: settings.Part = 0.1
    objective: Objective = "both"
    contrast_weight: Annotated[float, settings.Range(0, 1000)] = 1.0
    temperature: Annotated[float, settings.Range(0.001, 10)] = 0.05
    noise: Annotated[float, settings.Range(0, 100)] = 0.5
    moved: settings.Fraction = 0.5
    hide_city: settings.Fraction = 0.1
    span_rows: Annotated[int, settings.Range(2, 1 << 14)] = 128
    next_rows: Annotated[int, settings.Range(1, 1 << 14)] = 32
    train_below: settings.CountOrNone = 0
    train_fraction: Annotated[float, settings.Range(0.01, 1)] = 0.8
    validation_fraction: settings.Part = 0.1
    steps: settings.Steps = 300
    batch_size: Annotated[int, settings.Range(2, settings.MANY)] = 32
    learning_rate: settings.Rate = 1e-3
    warmup: settings.Fraction = 0.05
    weight_decay: settings.WeightDecay = 0.01
    evaluate_every: settings.Steps = 25
    patience: settings.CountOrNone = 5
    precision: settings.Precision = "fp32"
    seed: settings.CountOrNone = 0

    def check_together(self) -> None:
        """Refuse settings that do not go together."""
        multiple = f"a multiple of --heads ({self.heads})"
        self.expect(self.width % self.heads == 0, "width", multiple)


def tiny() -> EmbedderSettings:
    """Seconds on a CPU; for tests and for trying things out."""
    return EmbedderSettings(
        width=16,
        blocks=1,
        heads=2,
        lstm_units=16,
        decoder_units=16,
        span_rows=48,
        next_rows=8,
        steps=20,
        batch_size=8,
        learning_rate=3e-3,
        evaluate_every=10,
    )


def small() -> EmbedderSettings:
    """Ten minutes on one core, with bf16 instructions."""
    return EmbedderSettings()


def paper() -> EmbedderSettings:
    """The sizes of the original: users below 4,000 of a city are trained on; for a GPU."""
    return EmbedderSettings(
        width=256,
        blocks=4,
        heads=8,
        decoder_units=256,
        span_rows=1024,
        train_below=4000,
        steps=20_000,
        batch_size=64,
        learning_rate=3e-4,
        evaluate_every=500,
        patience=10,
    )


PRESETS: dict[str, Callable[[], EmbedderSettings]] = {"tiny": tiny, "small": small, "paper": paper}
resolve = functools.partial(settings.resolve_settings, PRESETS)
