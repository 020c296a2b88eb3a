"""The way from days to noise, which training learns to turn round, and the way back.

Schedules and samplers are those of diffusers: DDPM (Ho et al., 2020), DDIM (Song et al., 2021) and
DPM-Solver++ for the stochastic equation (Lu et al., 2022) on the cosine schedule of Nichol and
Dhariwal (2021), and Euler's method on the straight paths of flow matching (Lipman et al., 2023).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
    FlowMatchEulerDiscreteScheduler,
)
from torch import Tensor

from humobctl.errors import UsageError
from humobctl.generate.diffusion.config import DiffusionSettings
from humobctl.generate.diffusion.model import Conditioning, Denoiser
from humobctl.training.distributed import Share

LEVELS = 1000.0
"""Noise levels as the network gets them: 0 for none to this."""
_MOST_EVALUATIONS = int(LEVELS)
_MOST_SNR = 5.0
_PREDICTION = {"pred_v": "v_prediction", "pred_noise": "epsilon", "pred_x0": "sample"}
_SCHEDULERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "ddpm": (DDPMScheduler, {"clip_sample": False}),
    "ddim": (DDIMScheduler, {"clip_sample": False, "timestep_spacing": "trailing"}),
    # The cosine schedule ends in pure noise, where the solver's log-SNR has no end (diffusers).
    # The form for the stochastic equation: fresh noise makes up for errors of the steps before.
    "dpm": (
        DPMSolverMultistepScheduler,
        {"algorithm_type": "sde-dpmsolver++", "lambda_min_clipped": -5.1},
    ),
}
_CROWDED = 1.5
"""How much closer together the first evaluations of ``dpm`` are; 1 for the same distance.

Where a day goes is decided at high noise. At equal distances the solver jumps over that, and days
come out too near to home: a standard deviation of 0.72 where 100 ancestral steps have 0.84.
"""
USUAL_EVALUATIONS = {"dpm": 16, "ddim": 20, "euler": 20}
"""Evaluations of the network per day, by sampler; the ancestral one takes every step."""


@dataclass(frozen=True)
class Fixed:
    """Parts of days that are known, and are kept while the rest is sampled.

    Attributes:
        where: (B, C, T), bool.
        values: (B, C, T).
    """

    where: Tensor
    values: Tensor


@dataclass(frozen=True)
class Sampling:
    """How to sample.

    Attributes:
        sampler: ddpm, ddim, dpm or euler.
        evaluations: of the network for a day.
        guidance: weight of the condition; 1 for the condition as it was learnt, 0 for none.
    """

    sampler: str
    evaluations: int
    guidance: float = 1.0


def sampling_of(
    settings: DiffusionSettings, sampler: str | None, evaluations: int | None, guidance: float = 1.0
) -> Sampling:
    """Sampling that suits a model.

    Raises:
        UsageError: a sampler that does not go with the objective, too many evaluations, or guidance
            of a model that has not learnt to do without its condition.
    """
    if guidance != 1.0 and not settings.unconditioned:
        raise UsageError(
            f"--guidance: found {guidance:g}, expected 1 for a model trained with "
            "--unconditioned 0 (preset paper): guidance needs days learnt without their "
            "condition, too; train with --unconditioned 0.1"
        )
    flow = settings.objective == "flow"
    chosen = sampler or ("euler" if flow else "dpm")
    if flow != (chosen == "euler"):
        expected = "euler" if flow else "ddpm, ddim or dpm"
        raise UsageError(
            f"--sampler: found {chosen}, expected {expected} for a model trained with --objective "
            f"{settings.objective}"
        )
    most = _MOST_EVALUATIONS if flow else settings.diffusion_steps
    usual = min(USUAL_EVALUATIONS.get(chosen, most), most)
    found = usual if evaluations is None else evaluations
    if found > most:
        raise UsageError(
            f"--steps: found {found}, expected at most {most}, the steps of the model's schedule"
        )
    return Sampling(chosen, found, guidance)


def crowd_steps(steps: int, evaluations: int) -> list[int]:
    """Steps of the schedule at which ``dpm`` evaluates the network, falling from the last one.

    The i-th of N lies at 1 - (i / N) ** 1.5 of the schedule, and no two are the same.
    """
    times: list[int] = []
    for number in range(evaluations):
        wanted = round(steps * (1 - (number / evaluations) ** _CROWDED)) - 1
        below = times[-1] - 1 if times else steps - 1
        # As many steps as evaluations are to come have to be left.
        times.append(max(min(wanted, below), evaluations - 1 - number))
    return times


class Process:
    """Noise on days, and what a network is to learn of it.

    Args:
        settings: objective and steps.
    """

    def __init__(self, settings: DiffusionSettings) -> None:
        self.settings = settings
        self.flow = settings.objective == "flow"
        self.schedule = None if self.flow else self._scheduler("ddpm")

    def loss(
        self,
        network: Denoiser,
        x: Tensor,
        told: Conditioning | None,
        source: torch.Generator,
        share: Share | None = None,
    ) -> Tensor:
        """Mean squared error of days at random noise levels, weighted by level.

        Args:
            network: the denoiser.
            x: days, (B, C, T).
            told: their condition.
            source: of the noise; on the CPU, so that it is the same on every device.
            share: of the days; noise is drawn for all, so that it is the same however many
                processes share them. The sum over the processes is the loss of all days.
        """
        noise = torch.randn(x.shape, generator=source).to(x.device)
        noisy, level, target = self._question(x, noise, source)
        if told is not None and self.settings.unconditioned:
            drawn = torch.rand(len(x), generator=source).to(x.device)
            told = told.nothing(network.classes, drawn < self.settings.unconditioned)
        share = share or Share()
        mine = share.of(len(x))
        noisy, level, target = noisy[mine], level[mine], target[mine]
        told = None if told is None else told[mine]
        found = network(noisy, level, told)
        errors = (found.float() - target).square().mean(dim=(1, 2))
        loss: Tensor = (errors * self._weight(level)).mean()
        return loss * (len(level) / len(x))

    def _weight(self, level: Tensor) -> Tensor | float:
        """Weight of the error: clipped signal-to-noise for ``pred_x0`` (Hang et al., 2023)."""
        if self.schedule is None or self.settings.objective != "pred_x0":
            return 1.0
        steps = self.settings.diffusion_steps
        alphas = self.schedule.alphas_cumprod.to(level.device)
        kept = alphas[(level * steps / LEVELS).round().long()]
        weight: Tensor = (kept / (1 - kept)).clamp(max=_MOST_SNR)
        return weight

    def _question(
        self, x: Tensor, noise: Tensor, source: torch.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Noisy days, their levels as the network gets them, and the right answer."""
        if self.schedule is None:
            time = torch.rand(len(x), generator=source).to(x.device)
            mixed = torch.lerp(x, noise, time[:, None, None])
            return mixed, time * LEVELS, noise - x
        steps = self.settings.diffusion_steps
        time = torch.randint(0, steps, (len(x),), generator=source).to(x.device)
        noisy = self.schedule.add_noise(x, noise, time)
        target = {"pred_noise": noise, "pred_x0": x}.get(self.settings.objective)
        if target is None:
            target = self.schedule.get_velocity(x, noise, time)
        return noisy, time * (LEVELS / steps), target

    def _scheduler(self, sampler: str) -> Any:
        if sampler == "euler":
            return FlowMatchEulerDiscreteScheduler(num_train_timesteps=int(LEVELS))
        kind, options = _SCHEDULERS[sampler]
        return kind(
            num_train_timesteps=self.settings.diffusion_steps,
            beta_schedule="squaredcos_cap_v2",
            prediction_type=_PREDICTION[self.settings.objective],
            **options,
        )

    @torch.no_grad()
    def sample(
        self,
        network: Denoiser,
        sources: Sequence[torch.Generator],
        told: Conditioning | None,
        sampling: Sampling,
        fixed: Fixed | None = None,
    ) -> Tensor:
        """Days drawn from the model.

        Args:
            network: the denoiser.
            sources: one a day, so that a day does not depend on those beside it; on the CPU.
            told: the condition of each.
            sampling: how.
            fixed: what is known of the days; the rest is drawn to go with it, by noising what is
                known to the level of the rest at every step (Lugmayr et al., 2022).

        Returns:
            Shape (B, C, T).
        """
        scheduler = self._scheduler(sampling.sampler)
        device = next(network.parameters()).device
        if sampling.sampler == "dpm":
            times = crowd_steps(self.settings.diffusion_steps, sampling.evaluations)
            scheduler.set_timesteps(timesteps=times, device=device)
        else:
            scheduler.set_timesteps(sampling.evaluations, device=device)
        shape = (network.channels, 144)
        noise = torch.stack([torch.randn(shape, generator=one) for one in sources]).to(device)
        x = noise
        predict = self._predictor(network, told, sampling)
        times = scheduler.timesteps
        options = {} if sampling.sampler == "euler" else {"generator": list(sources)}
        for number, time in enumerate(times):
            x = scheduler.step(predict(x, time), time, x, **options).prev_sample
            if fixed is not None:
                later = None if number + 1 == len(times) else times[number + 1]
                x = torch.where(
                    fixed.where, self._add_noise(scheduler, fixed.values, noise, later), x
                )
        return x

    def _add_noise(
        self, scheduler: Any, values: Tensor, noise: Tensor, time: Tensor | None
    ) -> Tensor:
        """Known values at the noise level of a time; None for the end."""
        if time is None:
            return values
        if self.flow:
            return torch.lerp(values, noise, (time / LEVELS).to(values.dtype))
        noised: Tensor = scheduler.add_noise(values, noise, time.expand(len(values)))
        return noised

    def _predictor(
        self, network: Denoiser, told: Conditioning | None, sampling: Sampling
    ) -> Callable[[Tensor, Tensor], Tensor]:
        unit = 1.0 if self.flow else LEVELS / self.settings.diffusion_steps

        def predict(x: Tensor, time: Tensor) -> Tensor:
            level = (time.float() * unit).expand(len(x))
            if told is None or sampling.guidance == 1.0:
                found: Tensor = network(x, level, told)
                return found
            without: Tensor = network(x, level, told.nothing(network.classes))
            with_it: Tensor = network(x, level, told)
            return without + sampling.guidance * (with_it - without)

        return predict
