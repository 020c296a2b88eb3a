"""Settings of bert-moe, its presets, and how a TOML file and flags become settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from humobctl.errors import UsageError
from humobctl.training import settings

ModelName = Literal["MobilityBERT", "MobilityBERTMoE"]
Precision = Literal["fp32", "bf16"]
TYPE = "bert-moe"
"""Of model dirs."""


@dataclass(frozen=True)
class BertMoeSettings:
    """What a model is built from, and how it is trained; the defaults are the preset ``small``.

    Attributes:
        model_name: network: MobilityBERTMoE, or MobilityBERT, without the mixture of experts before
            the location head.
        location_ids: number of rows of the location tables; 40000 for a grid of 200 by 200 cells.
        hidden_size: width of the encoder.
        hidden_layers: number of layers of the encoder.
        attention_heads: number of attention heads of the encoder; they divide ``hidden_size``.
        feed_forward: width of the encoder's feed-forward layers, as a multiple of ``hidden_size``.
        day_embedding_size: size of the embedding of the days until the first day to predict.
        time_embedding_size: size of the embedding of the half-hour slot.
        dow_embedding_size: size of the embedding of the day of the week.
        weekday_embedding_size: size of the holiday-flag embedding.
        location_embedding_size: size of the embedding of the cell.
        gap_embedding_size: size of the embedding of time gaps to the previous and next record.
        dropout: fraction of activations dropped in training, outside of the attention weights.
        max_seq_length: maximum number of records of a window, past and future together.
        copy_heads: number of attention heads that copy past cells; 0: none, as published (Gulcehre
            et al. 2016; See et al. 2017, pointer-generator).
        experts: number of experts.
        top_k: number of experts used for a record; 0: all of them, weighted (dense, as published).
        load_balance: weight of the load-balance term of ``top_k`` routing (Fedus et al. 2021).
        input_length: maximum number of past records of a window.
        prediction_length: maximum number of records predicted at once.
        horizon: forecast horizon in days, predicted in one pass; 0: autoregressive, from the
            records just before, as published.
        relabel: fraction of training windows with randomly permuted cell ids (augmentation), so
            that the network learns how a user uses places rather than which ones.
        stride: number of records from one training window to the next (look_back_len of the
            original).
        epochs: number of passes over the windows.
        max_steps: maximum number of optimizer steps, whatever the epochs; 0: no bound.
        batch_size: number of windows in a step of one process.
        accumulate: number of batches whose gradients are added up in a step.
        learning_rate: highest learning rate; it falls to 0 in a line.
        location_learning_rate: highest learning rate of the location embedding; none: see
            ``learning_rate``.
        warmup: fraction of steps used for learning-rate warm-up.
        weight_decay: AdamW weight decay.
        precision: numeric precision of matrix products: fp32 or bf16.
        validation_share: fraction of users that only validate.
        validation_days: number of last known days that nobody is trained on, for scores and the
            weight of the history baseline.
        blend_users: number of users on whose validation days the weight of the history baseline is
            learnt; 0: learn none.
        evaluate_every: number of steps between validations and saved states; 0: an epoch.
        patience: early stopping: stop after this many validations without a better GEO-BLEU (0:
            off).
        seed: seed of all random choices.
    """

    model_name: ModelName = "MobilityBERTMoE"
    location_ids: int = 40_000
    hidden_size: int = 128
    hidden_layers: int = 2
    attention_heads: int = 2
    feed_forward: int = 4
    day_embedding_size: int = 16
    time_embedding_size: int = 32
    dow_embedding_size: int = 16
    weekday_embedding_size: int = 8
    location_embedding_size: int = 64
    gap_embedding_size: int = 16
    dropout: float = 0.1
    max_seq_length: int = 640
    copy_heads: int = 4
    experts: int = 8
    top_k: int = 0
    load_balance: float = 0.01
    input_length: int = 512
    prediction_length: int = 128
    horizon: int = 15
    relabel: float = 0.5
    stride: int = 24
    epochs: int = 1
    max_steps: int = 0
    batch_size: int = 16
    accumulate: int = 1
    learning_rate: float = 3e-4
    location_learning_rate: float | None = None
    warmup: float = 0.1
    weight_decay: float = 0.01
    precision: Precision = "fp32"
    validation_share: float = 0.1
    validation_days: int = 15
    blend_users: int = 200
    evaluate_every: int = 0
    patience: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be built or trained.

        Raises:
            UsageError: a setting out of range, or settings that do not go together.
        """
        settings.check(self, _RANGES, _CHOICES)
        self._check_together()

    def _check_together(self) -> None:
        if self.hidden_size % self.attention_heads:
            raise UsageError(
                f"--attention-heads: found {self.attention_heads}, expected a divisor of "
                f"--hidden-size ({self.hidden_size})"
            )
        if self.top_k > self.experts:
            raise UsageError(
                f"--top-k: found {self.top_k}, expected at most {self.experts} experts"
            )
        if self.input_length + self.prediction_length > self.max_seq_length:
            raise UsageError(
                f"--max-seq-length: found {self.max_seq_length}, expected at least "
                f"{self.input_length + self.prediction_length} (--input-length and "
                "--prediction-length together)"
            )


_MANY = 1 << 20
_COUNTS = (
    *("hidden_size", "hidden_layers", "attention_heads", "feed_forward", "experts"),
    *("day_embedding_size", "time_embedding_size", "dow_embedding_size"),
    *("weekday_embedding_size", "location_embedding_size", "gap_embedding_size"),
    *("input_length", "prediction_length", "max_seq_length", "stride", "batch_size"),
    *("accumulate", "epochs", "validation_days"),
)
_RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(_COUNTS, (1, _MANY)),
    **dict.fromkeys(
        ("max_steps", "evaluate_every", "patience", "seed", "blend_users"), (0, (1 << 31) - 1)
    ),
    "location_ids": (1, 40_000),
    "copy_heads": (0, 256),
    "top_k": (0, _MANY),
    "horizon": (0, 60),
    "dropout": (0, 0.9),
    "relabel": (0, 1),
    "load_balance": (0, 100),
    "warmup": (0, 1),
    "weight_decay": (0, 10),
    "learning_rate": (0, 100),
    "location_learning_rate": (0, 100),
    "validation_share": (0, 0.9),
}
_CHOICES: dict[str, tuple[str, ...]] = {
    "model_name": get_args(ModelName),
    "precision": get_args(Precision),
}


def tiny() -> BertMoeSettings:
    """Seconds on a CPU; for tests and for trying things out."""
    return BertMoeSettings(
        hidden_size=16,
        hidden_layers=1,
        attention_heads=2,
        day_embedding_size=4,
        time_embedding_size=16,
        dow_embedding_size=4,
        weekday_embedding_size=4,
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
        weekday_embedding_size=32,
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


def settings_of(folder: str) -> BertMoeSettings:
    """The settings of a trained model.

    Raises:
        HumobError: there is no such model dir.
    """
    from humobctl.training.model_dir import load  # noqa: PLC0415 - settings alone are light

    return from_record(load(folder, type=TYPE, arrays=False).config.get("settings", {}))


def resolve(
    preset: str | None,
    toml: str | None,
    given: Mapping[str, Any],
    earlier: BertMoeSettings | None = None,
) -> BertMoeSettings:
    """A preset, changed by a TOML file, changed by flags; see ``settings.resolve``."""
    return settings.resolve(PRESETS, preset, toml, given, earlier)


def from_record(record: Mapping[str, Any]) -> BertMoeSettings:
    """Settings from what ``as_record`` made; keys of other versions are left out."""
    return settings.from_record(BertMoeSettings, record)


def as_record(settings: BertMoeSettings) -> dict[str, Any]:
    """The settings as JSON can hold them."""
    return asdict(settings)
