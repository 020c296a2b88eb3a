"""Settings of the embedder and its presets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from humobctl.errors import UsageError
from humobctl.training import settings

Objective = Literal["contrast", "reconstruct", "both"]
Precision = Literal["fp32", "bf16"]

TYPE = "embedder"
"""Of model dirs."""


@dataclass(frozen=True)
class EmbedderSettings:
    """What a model is built from, and how it is trained; the defaults are the preset ``small``.

    Attributes:
        width: width of the record embeddings and the transformer blocks.
        blocks: number of transformer blocks.
        heads: number of attention heads; they divide ``width``.
        lstm_units: number of LSTM units in each direction.
        decoder_units: number of units of the LSTM that reconstructs records from a vector; not used
            by embed.
        dropout: fraction of activations dropped in the blocks.
        objective: training objective: reconstruct (records of a span and the next cells after it),
            contrast (two spans of a user are closer than those of others; van den Oord et al.,
            2018), or both.
        contrast_weight: weight of the contrastive loss beside the other two, with ``objective``
            both.
        temperature: temperature of the contrastive loss.
        noise: standard deviation of the Gaussian noise on places, in cells (augmentation).
        moved: fraction of batches with the grid flipped and shifted (augmentation).
        hide_city: fraction of batches without the name of their city, so that other cities can be
            embedded.
        span_rows: maximum number of records of a span in training.
        next_rows: number of records to reconstruct of a span, and to predict after it.
        train_below: train only on users with a lower uid; 0: see ``train_share``.
        train_share: fraction of each city's users to train on, drawn by seed.
        validation_share: fraction of those users that only validate.
        steps: maximum number of optimizer steps.
        batch_size: number of users in a step of one process.
        learning_rate: highest learning rate; it falls along a cosine.
        warmup: fraction of steps used for learning-rate warm-up.
        weight_decay: AdamW weight decay.
        evaluate_every: number of steps between validations.
        patience: early stopping: stop after this many validations without improvement (0: off).
        precision: numeric precision of matrix products: fp32 or bf16.
        seed: seed of all random choices.
    """

    width: int = 128
    blocks: int = 2
    heads: int = 4
    lstm_units: int = 256
    decoder_units: int = 128
    dropout: float = 0.1
    objective: Objective = "both"
    contrast_weight: float = 1.0
    temperature: float = 0.05
    noise: float = 0.5
    moved: float = 0.5
    hide_city: float = 0.1
    span_rows: int = 128
    next_rows: int = 32
    train_below: int = 0
    train_share: float = 0.8
    validation_share: float = 0.1
    steps: int = 300
    batch_size: int = 32
    learning_rate: float = 1e-3
    warmup: float = 0.05
    weight_decay: float = 0.01
    evaluate_every: int = 25
    patience: int = 5
    precision: Precision = "fp32"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be built or trained.

        Raises:
            UsageError: a setting out of range, or settings that do not go together.
        """
        settings.check(self, _RANGES, _CHOICES)
        if self.width % self.heads:
            raise UsageError(
                f"--width: found {self.width}, expected a multiple of --heads ({self.heads})"
            )


_MANY = 1 << 20
_RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("width", "blocks", "heads", "lstm_units", "decoder_units"), (1, 1 << 14)),
    "next_rows": (1, 1 << 14),
    "batch_size": (2, _MANY),
    **dict.fromkeys(("steps", "evaluate_every"), (1, (1 << 31) - 1)),
    **dict.fromkeys(("train_below", "patience", "seed"), (0, (1 << 31) - 1)),
    **dict.fromkeys(("moved", "hide_city", "warmup"), (0, 1)),
    "span_rows": (2, 1 << 14),
    "dropout": (0, 0.9),
    "contrast_weight": (0, 1000),
    "temperature": (0.001, 10),
    "noise": (0, 100),
    "train_share": (0.01, 1),
    "validation_share": (0, 0.9),
    "learning_rate": (0, 100),
    "weight_decay": (0, 10),
}
_CHOICES: dict[str, tuple[str, ...]] = {
    "objective": get_args(Objective),
    "precision": get_args(Precision),
}


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


def resolve(preset: str | None, toml: str | None, given: Mapping[str, Any]) -> EmbedderSettings:
    """A preset, changed by a TOML file, changed by flags; see ``settings.resolve``."""
    return settings.resolve(PRESETS, preset, toml, given)
