"""Settings of the recurrent network of next places, and its presets."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from humobctl.predict.next.config import NextRankerConfig
from humobctl.training import settings

TYPE = "next-gru"
"""Type in the config of model dirs."""


@dataclass(frozen=True)
class NextGruSettings(settings.ModelSettings):
    """What a model is built from, and how it is trained; the defaults are the preset ``small``.

    Attributes:
        embedding_size: size of the embeddings of places and users.
        hidden_size: width of the GRU.
        copy_units: width of the network that scores candidates by the ranker's features.
        past_records: number of past records that the GRU reads.
        candidates: number of candidates per record in training.
        dropout: dropout on embeddings.
        records: approximate number of training records, if there are more: records are drawn at
            random.
        epochs: number of epochs: passes over the training records.
        max_steps: maximum number of optimizer steps; 0: see ``epochs``.
        batch_size: number of records per step and process.
        learning_rate: peak learning rate of a cosine schedule.
        embedding_learning_rate: peak learning rate of the embeddings and the GRU.
        warmup: warm-up fraction: fraction of steps with a rising learning rate.
        weight_decay: AdamW weight decay.
        embedding_weight_decay: AdamW weight decay of the embeddings and the GRU.
        evaluate_every: number of steps between validations; 0: once per epoch.
        patience: early stopping: stop after this many validations without improvement (0: off).
        precision: numeric precision of matrix products: fp32, bf16, or auto (bf16 if the processor
            supports it).
        seed: seed of the random numbers.
    """

    embedding_size: settings.Count = 16
    hidden_size: settings.Count = 32
    copy_units: settings.Count = 64
    past_records: Annotated[int, settings.Range(1, 1024)] = 24
    candidates: Annotated[int, settings.Range(2, 4096)] = 64
    dropout: settings.Part = 0.5
    records: settings.Steps = 40_000
    epochs: settings.Count = 3
    max_steps: settings.CountOrNone = 0
    batch_size: settings.Count = 128
    learning_rate: settings.Rate = 2e-3
    embedding_learning_rate: settings.Rate = 5e-4
    warmup: settings.Fraction = 0.02
    weight_decay: settings.WeightDecay = 0.3
    embedding_weight_decay: settings.WeightDecay = 1.0
    evaluate_every: settings.CountOrNone = 0
    patience: settings.CountOrNone = 0
    precision: settings.Precision = "fp32"
    seed: settings.CountOrNone = 0

    def windows(self) -> NextRankerConfig:
        """Windows of the history, as those of the ranker."""
        return NextRankerConfig(keep=self.candidates, most_rows=self.records, seed=self.seed)


def tiny() -> NextGruSettings:
    """Seconds on a CPU; for tests and for trying things out."""
    return NextGruSettings(
        embedding_size=8,
        hidden_size=8,
        copy_units=16,
        past_records=8,
        candidates=16,
        records=2000,
        epochs=2,
        batch_size=32,
    )


def small() -> NextGruSettings:
    """Minutes on two cores for some hundred users."""
    return NextGruSettings()


PRESETS: dict[str, Callable[[], NextGruSettings]] = {"tiny": tiny, "small": small}
resolve = functools.partial(settings.resolve_settings, PRESETS)
