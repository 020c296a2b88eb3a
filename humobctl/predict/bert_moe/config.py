"""Settings of bert-moe, its presets, and how a TOML file and flags become settings."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from humobctl.training import settings

ModelName = Literal["MobilityBERT", "MobilityBERTMoE"]
TYPE = "bert-moe"
"""Type in the config of model dirs."""


@dataclass(frozen=True)
class BertMoeSettings(settings.ModelSettings):
    """What a model is built from, and how it is trained; the defaults are the preset ``small``.

    Attributes:
        model_name: network: MobilityBERTMoE (with a mixture of experts before the location head) or
            MobilityBERT (without).
        location_ids: number of location ids; 40000 for a grid of 200 by 200 cells.
        hidden_size: width of the encoder.
        hidden_layers: number of layers of the encoder.
        attention_heads: number of attention heads of the encoder; a divisor of ``hidden_size``.
        feed_forward: width of the feed-forward layers, as a multiple of ``hidden_size``.
        day_embedding_size: size of the day embedding (days until the first day to predict).
        time_embedding_size: size of the embedding of the half-hour slot.
        dow_embedding_size: size of the day-of-week embedding.
        holiday_embedding_size: size of the holiday-flag embedding (working day or day off).
        location_embedding_size: size of the cell embedding.
        gap_embedding_size: size of the embedding of the time gaps to the previous and next record.
        dropout: dropout, except on attention weights.
        max_seq_length: maximum number of records per window, past and future together.
        copy_heads: number of attention heads that copy past cells (pointer-generator; Gulcehre et
            al. 2016, See et al. 2017); 0: none, as published.
        experts: number of experts.
        top_k: number of experts used per record; 0: all, weighted (dense, as published).
        load_balance: weight of the load-balancing loss with ``top_k`` (Fedus et al. 2021).
        input_length: maximum number of past records per window.
        prediction_length: maximum number of records predicted at once.
        horizon: forecast horizon in days, predicted in one pass; 0: autoregressive, as published.
        relabel: fraction of training windows with randomly permuted cell ids (augmentation).
        stride: number of records between the starts of two training windows (look_back_len in the
            original).
        epochs: number of epochs: passes over the windows.
        max_steps: maximum number of optimizer steps, whatever the epochs; 0: no limit.
        batch_size: number of windows per step and process.
        accumulate: number of batches per optimizer step (gradient accumulation).
        learning_rate: peak learning rate; it decays linearly to 0.
        location_learning_rate: peak learning rate of the cell embedding; none: same as
            ``learning_rate``.
        warmup: warm-up fraction: fraction of steps with a rising learning rate.
        weight_decay: AdamW weight decay.
        precision: numeric precision of matrix products: fp32, bf16, or auto (bf16 if the processor
            supports it).
        validation_fraction: fraction of users used for validation only.
        validation_days: number of last known days excluded from training, used for validation and
            to learn the weight of the history baseline.
        blend_users: number of users whose validation days the weight of the history baseline is
            learnt on; 0: not learnt.
        evaluate_every: number of steps between validations; 0: once per epoch.
        patience: early stopping: stop after this many validations without a better GEO-BLEU (0:
            off).
        seed: seed of the random numbers.
    """

    model_name: ModelName = "MobilityBERTMoE"
    location_ids: Annotated[int, settings.Range(1, 40_000)] = 40_000
    hidden_size: settings.Count = 128
    hidden_layers: settings.Count = 2
    attention_heads: settings.Count = 2
    feed_forward: settings.Count = 4
    day_embedding_size: settings.Count = 16
    time_embedding_size: settings.Count = 32
    dow_embedding_size: settings.Count = 16
    holiday_embedding_size: settings.Count = 8
    location_embedding_size: settings.Count = 64
    gap_embedding_size: settings.Count = 16
    dropout: settings.Part = 0.1
    max_seq_length: settings.Count = 640
    copy_heads: Annotated[int, settings.Range(0, 256)] = 4
    experts: settings.Count = 8
    top_k: Annotated[int, settings.Range(0, settings.MANY)] = 0
    load_balance: Annotated[float, settings.Range(0, 100)] = 0.01
    input_length: settings.Count = 512
    prediction_length: settings.Count = 128
    horizon: Annotated[int, settings.Range(0, 60)] = 15
    relabel: settings.Fraction = 0.5
    stride: settings.Count = 168
    epochs: settings.Count = 1
    max_steps: settings.CountOrNone = 0
    batch_size: settings.Count = 16
    accumulate: settings.Count = 1
    learning_rate: settings.Rate = 3e-4
    location_learning_rate: Annotated[float | None, settings.Range(0, 100)] = None
    warmup: settings.Fraction = 0.1
    weight_decay: settings.WeightDecay = 0.01
    precision: settings.Precision = "fp32"
    validation_fraction: settings.Part = 0.1
    validation_days: settings.Count = 15
    blend_users: settings.CountOrNone = 200
    evaluate_every: settings.CountOrNone = 0
    patience: settings.CountOrNone = 0
    seed: settings.CountOrNone = 0

    def check_together(self) -> None:
        """Refuse settings that do not go together."""
        divisor = f"a divisor of --hidden-size ({self.hidden_size})"
        self.expect(self.hidden_size % self.attention_heads == 0, "attention_heads", divisor)
        self.expect(self.top_k <= self.experts, "top_k", f"at most {self.experts} experts")
        together = self.input_length + self.prediction_length
        least = f"at least {together} (--input-length and --prediction-length together)"
        self.expect(together <= self.max_seq_length, "max_seq_length", least)


def tiny() -> BertMoeSettings:
    """Seconds on a CPU; for tests and for trying things out."""
    return BertMoeSettings(
        hidden_size=16,
        hidden_layers=1,
        attention_heads=2,
        day_embedding_size=4,
        time_embedding_size=16,
        dow_embedding_size=4,
        holiday_embedding_size=4,
        location_embedding_size=16,
        gap_embedding_size=4,
        max_seq_length=144,
        copy_heads=2,
        experts=2,
        input_length=96,
        prediction_length=48,
        stride=96,
        epochs=2,
        learning_rate=5e-3,
        blend_users=3,
    )


def small() -> BertMoeSettings:
    """Minutes on two cores for a few hundred users."""
    return BertMoeSettings()


def paper() -> BertMoeSettings:
    """The published sizes (arXiv 2410.14099 and its authors' code), 41 million parameters.

    The feed-forward layers are 4 times the hidden size wide here; the published code leaves
    BertConfig's 3072, 12 times, for 66.7 million parameters (``feed_forward=12``).
    """
    return BertMoeSettings(
        hidden_size=256,
        hidden_layers=24,
        attention_heads=16,
        day_embedding_size=64,
        time_embedding_size=64,
        dow_embedding_size=64,
        holiday_embedding_size=32,
        location_embedding_size=256,
        gap_embedding_size=16,
        dropout=0.2,
        max_seq_length=3648,
        copy_heads=0,
        input_length=240,
        prediction_length=30,
        horizon=0,
        relabel=0.0,
        stride=24,
        epochs=30,
        batch_size=8,
        learning_rate=3e-4,
        location_learning_rate=1e-4,
    )


PRESETS: dict[str, Callable[[], BertMoeSettings]] = {"tiny": tiny, "small": small, "paper": paper}
resolve = functools.partial(settings.resolve_settings, PRESETS)
settings_of = functools.partial(settings.read_settings, BertMoeSettings, TYPE)
