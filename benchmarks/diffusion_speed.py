"""Training steps and samples a second beside ``denoising-diffusion-pytorch``, at one network.

Both sides run that package's own ``Unet1D`` (widths 16, 32 and 64) on the days of Beijing without
a condition, 8 channels of 144 steps. Needs ``pip install --no-deps denoising-diffusion-pytorch
ema-pytorch einops``.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import tempfile
import types
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from benchmarks.diffusion import beijing
from benchmarks.harness import interleaved, markdown
from humobctl.generate.diffusion.config import STEPS, DiffusionSettings, small

PACKAGE = "denoising_diffusion_pytorch"
DIM, MULTIPLES = 16, (1, 2, 4)
CHANNELS = 8
STEPS_AT_ONCE = 10
SAMPLED, RUNS = 32, 3


def settings(batch_size: int = 64) -> DiffusionSettings:
    """Ours, for both."""
    return replace(small(), condition="none", learning_rate=1e-3, batch_size=batch_size)


def train_speed() -> str:
    """Steps of the package's ``Trainer1D`` and of ours: the same network, batches and data."""
    rows = []
    days = _days()
    for batch_size in (16, 64):
        chosen = settings(batch_size)
        training = _training(chosen, days)

        def ours(training: Any = training) -> None:
            for _ in range(STEPS_AT_ONCE):
                training.advance()

        with tempfile.TemporaryDirectory() as place:
            theirs = _their_trainer(days.series.channels, batch_size, Path(place))
            theirs()
            ours()
            slow, quick = interleaved(theirs, ours, runs=5)
        names = (f"{PACKAGE}, Trainer1D", "train diffusion")
        for name, seconds in zip(names, (slow, quick), strict=True):
            step = 1000 * seconds / STEPS_AT_ONCE
            rows.append([str(batch_size), name, f"{step:.0f}", f"{slow / seconds:.2f}"])
    return markdown(["batch", "trainer", "ms a step", "times as fast"], rows)


def sample_speed() -> str:
    """Samples a second of the package's ancestral sampler and of ours.

    Weights are random, which is all the same to the speed; ``diffusion-samplers`` shows that the
    scores are the same.
    """
    import torch  # noqa: PLC0415

    from humobctl.generate.diffusion.process import Process, sampling_of  # noqa: PLC0415
    from humobctl.generate.diffusion.sample import draw, sources_of  # noqa: PLC0415 - torch

    chosen = settings()
    network = _wrapped(chosen).eval()
    diffusion = _their_diffusion(network.net)
    days = np.arange(SAMPLED)
    process = Process(chosen)
    samplings = [sampling_of(chosen, None, evaluations) for evaluations in (None, 10)]

    def theirs() -> None:
        with torch.no_grad():
            diffusion.sample(SAMPLED)

    def ours(sampling: Any) -> Callable[[], object]:
        return lambda: draw(network, process, sampling, sources_of(0, days, days))

    slow, *quick = interleaved(theirs, *map(ours, samplings), runs=RUNS)
    names = [f"{PACKAGE}, ancestral", *(f"generate diffusion, {s.sampler}" for s in samplings)]
    evaluations = [chosen.diffusion_steps, *(s.evaluations for s in samplings)]
    rows = [
        [name, str(count), f"{SAMPLED / seconds:.1f}", f"{slow / seconds:.1f}"]
        for name, count, seconds in zip(names, evaluations, (slow, *quick), strict=True)
    ]
    return markdown(["sampler", "evaluations", "days/s", "times as many"], rows)


def _days() -> Any:
    from humobctl.generate.diffusion.train import read_days  # noqa: PLC0415 - torch

    return read_days(str(beijing().train), settings())


def _package() -> Any:
    """Its 1-D module; its front door would import torchvision, which that does not need."""
    os.environ["TQDM_DISABLE"] = "1"
    if PACKAGE not in sys.modules:
        found = importlib.util.find_spec(PACKAGE)
        if found is None:
            sys.exit(f"benchmarks: {PACKAGE} is not installed; see benchmarks/diffusion_speed.py")
        package = types.ModuleType(PACKAGE)
        package.__path__ = list(found.submodule_search_locations or ())
        sys.modules[PACKAGE] = package
    module = importlib.import_module(f"{PACKAGE}.{PACKAGE}_1d")
    module.tqdm = partial(tqdm, disable=True)  # type: ignore[attr-defined]
    return module


def _wrapped(chosen: DiffusionSettings) -> Any:
    """Its network as one of our denoisers."""
    import torch  # noqa: PLC0415

    from humobctl.generate.diffusion.model import Denoiser  # noqa: PLC0415 - torch

    class Theirs(Denoiser):
        def __init__(self) -> None:
            super().__init__(CHANNELS, 0)
            self.net = _package().Unet1D(dim=DIM, dim_mults=MULTIPLES, channels=CHANNELS)

        def forward(self, x: Any, level: Any, told: Any) -> Any:
            return self.net(x, level * chosen.diffusion_steps / 1000.0)

    torch.manual_seed(0)
    return Theirs()


def _training(chosen: DiffusionSettings, days: Any) -> Any:
    from humobctl.generate.diffusion.train import DiffusionRecipe  # noqa: PLC0415 - torch
    from humobctl.training.distributed import Group  # noqa: PLC0415

    class Theirs(DiffusionRecipe):
        """The package's network in our training."""

        def network(self, data: Any, device: Any) -> Any:
            return _wrapped(self.settings)

    return Theirs(chosen, "").start(days, "cpu", Group())


def _their_diffusion(net: Any) -> Any:
    chosen = settings()
    diffusion = _package().GaussianDiffusion1D(
        net,
        seq_length=STEPS,
        timesteps=chosen.diffusion_steps,
        objective=chosen.objective,
        auto_normalize=False,
    )
    diffusion.p_sample = partial(diffusion.p_sample, clip_denoised=False)
    return diffusion


def _their_trainer(channels: Any, batch_size: int, folder: Path) -> Callable[[], None]:
    import torch  # noqa: PLC0415

    package = _package()
    torch.manual_seed(0)
    net = package.Unet1D(dim=DIM, dim_mults=MULTIPLES, channels=CHANNELS)
    trainer = package.Trainer1D(
        _their_diffusion(net),
        dataset=package.Dataset1D(torch.from_numpy(channels)),
        train_batch_size=batch_size,
        train_num_steps=0,
        save_and_sample_every=1 << 30,
        results_folder=folder,
    )

    def steps() -> None:
        trainer.train_num_steps += STEPS_AT_ONCE
        trainer.train()

    return steps
