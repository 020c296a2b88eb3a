"""Settings of diffusion and its presets."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from humobctl.training import settings

DenoiserName = Literal["add", "queryonce", "querymulti", "unet", "unet-condition"]
Objective = Literal["pred_v", "pred_noise", "pred_x0", "flow"]
Condition = Literal["auto", "none", "intent", "category", "home-work"]

TYPE = "diffusion"
"""Type in the config of model dirs."""
STEPS, STEP_MINUTES = 144, 10
"""A day in steps of ten minutes (CoPB)."""
UNCONDITIONED = "unet"
"""The denoiser that has no input for a condition."""


@dataclass(frozen=True)
class DiffusionSettings(settings.ModelSettings):
    """Settings of the network and its training; the defaults are the preset ``small``.

    Attributes:
        denoiser: network: add, queryonce or querymulti (transformers with three types of
            conditioning; CoPB), unet (convolutional, unconditioned) or unet-condition.
        condition: condition of each time step: intent, category (of the place), home-work (home,
            work or other), none (the model generates the schedule, too), or auto (the first that
            the table has; none for unet).
        objective: training objective: pred_v (Salimans and Ho, 2022), pred_noise (Ho et al., 2020),
            pred_x0, or flow (flow matching on straight paths; Lipman et al., 2023).
        diffusion_steps: number of steps of the noise schedule (not used by flow).
        width: width of the network.
        layers: number of layers of the transformer, or of levels of the U-Net.
        heads: number of attention heads of the transformer; a divisor of ``width``.
        patch: number of time steps per token of the transformer; 1 in CoPB.
        unconditioned: fraction of training days without their condition, for classifier-free
            guidance (Ho and Salimans, 2022).
        min_stays: minimum number of stays per day; days with fewer are left out.
        steps: number of optimizer steps.
        epochs: number of epochs (passes over the days) instead of ``steps``; 0: see ``steps``.
        batch_size: number of days per step and process.
        learning_rate: peak learning rate of a cosine schedule.
        warmup: warm-up fraction: fraction of steps with a rising learning rate.
        weight_decay: AdamW weight decay.
        ema: decay of the exponential moving average of the weights, which is saved.
        precision: numeric precision of matrix products: fp32, bf16, or auto (bf16 if the processor
            supports it).
        validation_fraction: fraction of users used for validation only.
        evaluate_every: number of steps between validations; 0: a tenth of the training.
        seed: seed of the random numbers.
    """

    denoiser: DenoiserName = "add"
    condition: Condition = "auto"
    objective: Objective = "pred_v"
    diffusion_steps: Annotated[int, settings.Range(2, 10_000)] = 100
    width: settings.Count = 96
    layers: settings.Count = 4
    heads: settings.Count = 4
    patch: settings.Count = 8
    unconditioned: settings.Part = 0.1
    min_stays: settings.Steps = 2
    steps: settings.Steps = 2500
    epochs: settings.CountOrNone = 0
    batch_size: settings.Count = 64
    learning_rate: settings.Rate = 2e-3
    warmup: settings.Fraction = 0.05
    weight_decay: settings.WeightDecay = 0.01
    ema: Annotated[float, settings.Range(0, 0.999999)] = 0.995
    precision: settings.Precision = "fp32"
    validation_fraction: settings.Part = 0.1
    evaluate_every: settings.CountOrNone = 0
    seed: settings.CountOrNone = 0

    def check_together(self) -> None:
        """Refuse settings that do not go together."""
        if self.denoiser.startswith("unet"):
            levels = f"at most {MOST_LEVELS} levels of a U-Net"
            self.expect(self.layers <= MOST_LEVELS, "layers", levels)
        else:
            multiple = f"a multiple of twice --heads ({self.heads})"
            self.expect(self.width % (2 * self.heads) == 0, "width", multiple)
            divides = STEPS % self.patch == 0 and self.width % self.patch == 0
            self.expect(divides, "patch", f"a divisor of {STEPS} and of --width ({self.width})")
        conditioned = self.denoiser != UNCONDITIONED or self.condition in ("auto", "none")
        without = "none with --denoiser unet, or --denoiser unet-condition"
        self.expect(conditioned, "condition", without)


MOST_LEVELS = 5
"""144 steps can be halved four times."""


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
resolve = functools.partial(settings.resolve_settings, PRESETS)
