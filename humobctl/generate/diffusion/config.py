"""Settings of diffusion and its presets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from humobctl.errors import UsageError
from humobctl.training import settings

DenoiserName = Literal["add", "queryonce", "querymulti", "unet", "unet-condition"]
Objective = Literal["pred_v", "pred_noise", "pred_x0", "flow"]
Condition = Literal["auto", "none", "intent", "category", "home-work"]
Precision = Literal["fp32", "bf16"]
Sampler = Literal["ddpm", "ddim", "dpm", "euler"]

TYPE = "diffusion"
"""Of model dirs."""
STEPS, STEP_MINUTES = 144, 10
"""A day in steps of ten minutes (CoPB)."""
UNCONDITIONED = "unet"
"""The denoiser that has no input for a condition."""


@dataclass(frozen=True)
class DiffusionSettings:
    """What a model is built from, and how it is trained; the defaults are the preset ``small``.

    Attributes:
        denoiser: network: add, queryonce or querymulti (transformers that take in the condition in
            three ways; CoPB), unet (convolutional, without a condition) or unet-condition.
        condition: what each step is conditioned on: intent, category (of the place), home-work
            (home, work or other), none (the model makes the times of the stays, too), or auto: the
            first of them that the table has; none for unet.
        objective: training objective: pred_v (Salimans and Ho, 2022), pred_noise (Ho et al., 2020),
            pred_x0, or flow (flow matching on straight paths; Lipman et al., 2023).
        diffusion_steps: number of steps of the noise schedule; flow has none.
        width: width of the network.
        layers: number of layers of the transformer, or of levels of the U-Net.
        heads: number of attention heads of the transformer; they divide ``width``.
        patch: number of time steps in one token of the transformer; 1 in CoPB.
        unconditioned: fraction of training days without their condition, for guidance (Ho and
            Salimans, 2022).
        min_stays: minimum number of stays of a day; days with fewer are left out.
        steps: number of optimizer steps.
        epochs: number of passes over the days, in place of ``steps``; 0: see ``steps``.
        batch_size: number of days in a step of one process.
        learning_rate: highest learning rate; it falls along a cosine.
        warmup: fraction of steps used for learning-rate warm-up.
        weight_decay: AdamW weight decay.
        ema: decay of the moving average of the weights, which is what is kept.
        precision: numeric precision of matrix products: fp32 or bf16.
        validation_share: fraction of people that only validate.
        evaluate_every: number of steps between validations and saved states; 0: a tenth of the
            training.
        seed: seed of all random choices.
    """

    denoiser: DenoiserName = "add"
    condition: Condition = "auto"
    objective: Objective = "pred_v"
    diffusion_steps: int = 100
    width: int = 96
    layers: int = 4
    heads: int = 4
    patch: int = 8
    unconditioned: float = 0.1
    min_stays: int = 2
    steps: int = 2500
    epochs: int = 0
    batch_size: int = 64
    learning_rate: float = 2e-3
    warmup: float = 0.05
    weight_decay: float = 0.01
    ema: float = 0.995
    precision: Precision = "fp32"
    validation_share: float = 0.1
    evaluate_every: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what cannot be built or trained.

        Raises:
            UsageError: a setting out of range, or settings that do not go together.
        """
        settings.check(self, _RANGES, _CHOICES)
        unet = self.denoiser.startswith("unet")
        if not unet and self.width % (2 * self.heads):
            raise UsageError(
                f"--width: found {self.width}, expected a multiple of twice --heads ({self.heads})"
            )
        if not unet and (STEPS % self.patch or self.width % self.patch):
            raise UsageError(
                f"--patch: found {self.patch}, expected a divisor of {STEPS} and of --width "
                f"({self.width})"
            )
        if unet and self.layers > MOST_LEVELS:
            raise UsageError(
                f"--layers: found {self.layers}, expected at most {MOST_LEVELS} levels of a U-Net"
            )
        if self.denoiser == UNCONDITIONED and self.condition not in ("auto", "none"):
            raise UsageError(
                f"--condition: found {self.condition}, expected none with --denoiser unet, or "
                "--denoiser unet-condition"
            )


MOST_LEVELS = 5
"""144 steps can be halved four times."""
_MANY = 1 << 20
_RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("width", "layers", "heads", "patch", "batch_size"), (1, _MANY)),
    **dict.fromkeys(("steps", "min_stays"), (1, (1 << 31) - 1)),
    **dict.fromkeys(("epochs", "evaluate_every", "seed"), (0, (1 << 31) - 1)),
    "diffusion_steps": (2, 10_000),
    "unconditioned": (0, 0.9),
    "learning_rate": (0, 100),
    "warmup": (0, 1),
    "weight_decay": (0, 10),
    "ema": (0, 0.999999),
    "validation_share": (0, 0.9),
}
_CHOICES: dict[str, tuple[str, ...]] = {
    "denoiser": get_args(DenoiserName),
    "condition": get_args(Condition),
    "objective": get_args(Objective),
    "precision": get_args(Precision),
}


def tiny() -> DiffusionSettings:
    """Seconds on a CPU; for tests and for trying things out."""
    return DiffusionSettings(
        width=16,
        layers=2,
        heads=2,
        steps=30,
        batch_size=16,
        learning_rate=3e-3,
        ema=0.9,
        evaluate_every=30,
    )


def small() -> DiffusionSettings:
    """Half an hour on two cores, for a few thousand days."""
    return DiffusionSettings()


def paper() -> DiffusionSettings:
    """The published sizes (CoPB, ``trajectory_Diffusion.py``)."""
    return DiffusionSettings(
        width=256,
        layers=4,
        heads=8,
        patch=1,
        unconditioned=0.0,
        steps=10_001,
        batch_size=500,
        learning_rate=8e-5,
    )


PRESETS: dict[str, Callable[[], DiffusionSettings]] = {"tiny": tiny, "small": small, "paper": paper}


def resolve(preset: str | None, toml: str | None, given: Mapping[str, Any]) -> DiffusionSettings:
    """A preset, changed by a TOML file, changed by flags; see ``settings.resolve``."""
    return settings.resolve(PRESETS, preset, toml, given)


def settings_of(folder: str) -> DiffusionSettings:
    """The settings of a trained model.

    Raises:
        HumobError: there is no such model dir.
    """
    from humobctl.training.model_dir import load  # noqa: PLC0415 - settings alone are light

    record = load(folder, type=TYPE, arrays=False).config.get("settings", {})
    return settings.from_record(DiffusionSettings, record)
