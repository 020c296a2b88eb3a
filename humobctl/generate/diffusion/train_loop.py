"""Training: steps, the moving average of the weights, scores, and states to go on from."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from humobctl.console import report
from humobctl.generate.diffusion.config import Settings
from humobctl.generate.diffusion.data import Series
from humobctl.generate.diffusion.model import Denoiser, Told
from humobctl.generate.diffusion.process import Process
from humobctl.io.streams import clear_os_errors
from humobctl.training import torch_loop
from humobctl.training.distributed import Group
from humobctl.training.torch_loop import METRICS, MOST_GRADIENT, SEED_STRIDE, STATE

_LOG_EVERY = 10


@dataclass(frozen=True)
class Batches:
    """Days on the device, drawn with replacement.

    Attributes:
        channels: (days, C, 144).
        told: their condition.
    """

    channels: Tensor
    told: Told | None

    @classmethod
    def of(cls, series: Series, device: torch.device) -> Batches:
        """The days of a series."""
        channels = torch.from_numpy(series.channels).to(device)
        if series.token is None:
            return cls(channels, None)
        token, event = (torch.from_numpy(one).to(device) for one in (series.token, series.event))
        return cls(channels, Told(token, event))

    def draw(self, size: int, source: torch.Generator) -> tuple[Tensor, Told | None]:
        """Days of a step."""
        rows = torch.randint(0, len(self.channels), (size,), generator=source)
        rows = rows.to(self.channels.device)
        if self.told is None:
            return self.channels[rows], None
        told = self.told[rows]
        return self.channels[rows], Told(told.token.long(), told.event.long())


def steps_of(settings: Settings, days: int, processes: int) -> int:
    """Optimiser steps of a training on so many days."""
    if not settings.epochs:
        return settings.steps
    return max(1, math.ceil(settings.epochs * days / (settings.batch_size * processes)))


class Training:
    """A training under way.

    What is drawn in a step follows from the seed and its number alone: a training that goes on is
    the same to the last bit.

    Args:
        network: what to train, on its device.
        process: of its settings.
        steps: how many.
        group: the processes that share the batches; None for this one alone.
    """

    def __init__(
        self, network: Denoiser, process: Process, steps: int, group: Group | None = None
    ) -> None:
        settings = process.settings
        self.group = group or Group()
        self.network, self.process, self.settings, self.steps = network, process, settings, steps
        decayed = get_ema_multi_avg_fn(settings.ema)  # type: ignore[no-untyped-call]
        self.average = AveragedModel(network, multi_avg_fn=decayed)
        self.optimizer = torch.optim.AdamW(
            network.parameters(),
            lr=settings.learning_rate,
            weight_decay=settings.weight_decay,
            fused=True,  # a sixth of a small network's step
        )
        self.stepped = self.group.wrap(network)
        self.step = 0

    @property
    def averaged(self) -> Denoiser:
        """The network of averaged weights."""
        return cast(Denoiser, self.average.module)

    def rate(self) -> float:
        """Learning rate of the next step."""
        return torch_loop.rate(self.step, self.steps, self.settings)

    def advance(self, batches: Batches) -> Tensor:
        """One step; this process's addend of its loss, which is the mean of them."""
        source = torch.Generator().manual_seed(self.settings.seed * SEED_STRIDE + self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        share = self.group.share
        x, told = batches.draw(self.settings.batch_size * share.size, source)
        bf16 = self.settings.precision == "bf16"
        with torch.autocast(x.device.type, torch.bfloat16, enabled=bf16):
            loss = self.process.loss(self.network, x, told, source, share, self.stepped)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), MOST_GRADIENT)
        self.optimizer.step()
        self.average.update_parameters(self.network)
        self.step += 1
        return loss.detach()

    def check(self, loss: float) -> None:
        """Refuse to go on with a loss that is no number.

        Raises:
            HumobError: it is none.
        """
        remedy = "a lower --learning-rate, a longer --warmup or --precision fp32"
        torch_loop.check_loss(loss, self.step, self.rate(), remedy)

    def save(self, path: Path) -> None:
        """Write all that is needed to go on, whole or not at all."""
        parts = {"network": self.network.state_dict(), "average": self.average.state_dict()}
        torch_loop.save_state(path, parts, self.optimizer, {"step": torch.tensor(self.step)})

    def restore(self, path: Path) -> None:
        """Go on from what ``save`` wrote."""
        device = next(self.network.parameters()).device
        parts, numbers = torch_loop.load_state(path, self.optimizer, device)
        self.step = int(numbers["step"])
        self.network.load_state_dict(parts["network"])
        self.average.load_state_dict(parts["average"])


def train(
    network: Denoiser,
    process: Process,
    series: Series,
    work: Path,
    validate: Callable[[Denoiser], dict[str, float]] | None,
    group: Group | None = None,
) -> tuple[Denoiser, list[dict[str, Any]]]:
    """Train a network, from the state in ``work`` if there is one.

    Args:
        network: what to train, on its device.
        process: of its settings.
        series: what to learn from.
        work: folder of the state and the log.
        validate: scores of a network; None to train without. The main process alone asks for
            them, and for None in another one.
        group: the processes that train together; None for this one alone.

    Returns:
        The network of averaged weights, and one record a log: step, loss, learning rate, scores.

    Raises:
        HumobError: the loss became no number.
    """
    settings = process.settings
    batches = Batches.of(series, next(network.parameters()).device)
    group = group or Group()
    steps = steps_of(settings, len(series), group.size)
    training = Training(network, process, steps, group)
    log = work / METRICS
    with clear_os_errors(str(work)):
        if (work / STATE).is_file():
            training.restore(work / STATE)
        records = torch_loop.records_until(log, training.step)
        _run(training, batches, work, records, validate)
    return training.averaged, records


def _run(
    training: Training,
    batches: Batches,
    work: Path,
    records: list[dict[str, Any]],
    validate: Callable[[Denoiser], dict[str, float]] | None,
) -> None:
    group = training.group
    every = training.settings.evaluate_every or max(1, training.steps // 10)
    losses: list[Tensor] = []
    begin = training.step
    with report.progress("training", training.steps - begin, "steps") as ticker:
        while training.step < training.steps:
            losses.append(training.advance(batches))
            step, last = training.step, training.step == training.steps
            pause = last or step % every == 0
            if not pause and step % _LOG_EVERY:
                continue
            loss = float(group.sums(torch.stack(losses).mean()) / group.size)
            losses = []
            training.check(loss)
            record: dict[str, Any] = {"step": step, "loss": loss, "learning_rate": training.rate()}
            if pause and not group.main:
                record |= group.hear()
            elif pause:
                record |= group.tell({} if validate is None else validate(training.averaged))
            records.append(record)
            ticker.move_to(step - begin)
            ticker.describe(_words(record, training.steps))
            if pause and group.main:
                torch_loop.write_records(work / METRICS, records)
                training.save(work / STATE)
                report.info(_words(record, training.steps))


def _words(record: dict[str, Any], steps: int) -> str:
    scored = ", ".join(
        f"{name.replace('_', ' ')} {value:.4f}"
        for name, value in record.items()
        if name not in ("step", "loss", "learning_rate")
    )
    return f"step {record['step']:,}/{steps:,} loss {record['loss']:.4f}" + (
        f", JSD of people not trained on: {scored}" if scored else ""
    )
