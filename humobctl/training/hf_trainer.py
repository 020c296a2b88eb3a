"""What trainings by the transformers Trainer share: validation, checkpoints, messages.

The Trainer's are: optimiser, schedule, mixed precision, gradient accumulation, processes (DDP under
``torchrun``), checkpoints, early stopping. Ours are: the validation, the stop at a loss that is no
number, and the messages.
"""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.integrations import TensorBoardCallback

from humobctl.console import report
from humobctl.errors import HumobError
from humobctl.io.streams import clear_os_errors
from humobctl.ranks import is_main, world_size
from humobctl.training.distributed import Group

COMPLETE, METRICS, LOGS = "complete", "metrics.jsonl", "tensorboard"
LOG_EVERY = 10
_RUNTIME_KEYS = ("train_runtime", "train_samples_per_second", "train_steps_per_second")


@dataclass(frozen=True)
class Place:
    """Where a training runs.

    Attributes:
        work: folder of its checkpoints and logs.
        device: cpu or cuda.
        group: the processes that train together.
    """

    work: Path
    device: str = "cpu"
    group: Group = field(default_factory=Group)


@dataclass(frozen=True)
class Wording:
    """How a training speaks of itself.

    Attributes:
        unit: what a step takes, such as windows.
        of_step: how many of them.
        told: the scores of a validation, from the Trainer's log; None where it holds none.
        remedy: what may help when the loss becomes no number.
    """

    unit: str
    of_step: int
    told: Callable[[dict[str, Any]], str | None]
    remedy: str


def run(trainer: ValidatingTrainer, place: Place, every: int) -> list[dict[str, Any]]:
    """Train, from the newest whole checkpoint of ``place.work`` on, if there is one.

    Args:
        trainer: with its validation and its wording.
        place: where.
        every: steps from one validation and checkpoint to the next.

    Returns:
        One record a log: step, epoch, loss, learning rate; or the validation scores.

    Raises:
        HumobError: the loss became no number.
    """
    trainer.group = place.group
    trainer.add_callback(_Cadence(every))
    trainer.add_callback(_Progress(place.work, trainer.wording))
    trainer.remove_callback(PrinterCallback)
    newest = newest_checkpoint(place.work)
    if is_main():
        trainer.add_callback(_tensorboard(place.work, newest))
    with clear_os_errors(str(place.work)):
        trainer.train(resume_from_checkpoint=None if newest is None else str(newest))
    return records(trainer.state.log_history)


def newest_checkpoint(work: Path) -> Path | None:
    """The newest whole checkpoint; later ones, which a kill cut short, are removed."""
    found = sorted(work.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    while found and not (found[-1] / COMPLETE).is_file():
        cut = found.pop()
        if is_main():
            shutil.rmtree(cut)
    return found[-1] if found else None


def arguments(place: Place, every: int, best: str | None, **more: Any) -> TrainingArguments:
    """Arguments of every training of ours.

    Args:
        place: where.
        every: steps from one validation and checkpoint to the next.
        best: the validation score whose best weights are kept, lower being better for ``loss``;
            None to train without validation.
        more: those of this model.
    """
    on_cpu = place.device == "cpu"
    return TrainingArguments(
        output_dir=str(place.work),
        optim="adamw_torch_fused",
        use_cpu=on_cpu,
        ddp_backend="gloo" if on_cpu and world_size() > 1 else None,
        ddp_find_unused_parameters=False,
        logging_steps=LOG_EVERY,
        logging_nan_inf_filter=False,
        eval_strategy="no" if best is None else "steps",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=2,
        load_best_model_at_end=best is not None,
        metric_for_best_model=best,
        greater_is_better=None if best is None else best != "loss",
        disable_tqdm=True,
        report_to=[],
        remove_unused_columns=False,
        dataloader_pin_memory=not on_cpu,
        label_names=["labels"],
        **more,
    )


class ValidatingTrainer(Trainer):
    """The library's, with a validation of our own.

    Attributes:
        validate: scores of the network in training; None to train without.
        wording: how it speaks of itself.
        group: the processes that train together.
    """

    validate: Callable[[Any], dict[str, float]] | None = None
    wording: Wording
    group: Group

    def training_step(
        self, model: nn.Module, inputs: Any, num_items_in_batch: Any = None
    ) -> Tensor:
        """The library's; a loss that is no number ends the training."""
        loss: Tensor = super().training_step(model, inputs, num_items_in_batch)
        # Reading a value from a GPU waits for it: not at every step there.
        look = loss.device.type == "cpu" or self.state.global_step % LOG_EVERY == 0
        if look and not torch.isfinite(loss):
            rate = self._get_learning_rate()
            raise HumobError(
                f"training: the loss became {loss.item():g} at step {self.state.global_step + 1} "
                f"(learning rate {rate:g}), expected a finite number; try {self.wording.remedy}"
            )
        return loss

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Scores of the validation, from the main process."""
        scores: dict[str, float]
        if self.group.main:
            assert self.validate is not None
            was_training = self.model.training
            found = self.validate(self.model)
            self.model.train(was_training)
            scores = self.group.tell({f"eval_{name}": value for name, value in found.items()})
        else:
            scores = self.group.hear()
        self.log(dict(scores))
        self.control: TrainerControl = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, scores
        )
        return scores


class _Cadence(TrainerCallback):
    """Logs with every checkpoint, and validates and saves after the last step."""

    def __init__(self, every: int) -> None:
        self.every = every

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        last = state.global_step >= state.max_steps
        if last or state.global_step % self.every == 0:
            # A checkpoint between two logs would lose the losses since the last one.
            control.should_log = control.should_save = True
            control.should_evaluate = args.eval_strategy != "no"


class _Progress(TrainerCallback):
    """The bar, the lines for people without one, metrics.jsonl, and marks on whole checkpoints."""

    def __init__(self, work: Path, wording: Wording) -> None:
        self.work, self.wording = work, wording
        self.loss = math.nan
        self.scores = ""
        self.started = time.monotonic()
        self.first_step = 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        self.started, self.first_step = time.monotonic(), state.global_step
        if not is_main():
            return
        lines = (json.dumps(record) + "\n" for record in records(state.log_history))
        (self.work / METRICS).write_text("".join(lines))
        self._context = report.progress("training", state.max_steps - self.first_step, "steps")
        self.ticker = self._context.__enter__()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if is_main():
            self.ticker.move_to(state.global_step - self.first_step)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        if not is_main() or not logs:
            return
        for record in records(state.log_history[-1:]):
            with (self.work / METRICS).open("a") as file:
                file.write(json.dumps(record) + "\n")
        self.loss = logs.get("loss", self.loss)
        told = self.wording.told(logs)
        if told is not None:
            self.scores = told
            report.info(f"{self._where(state)}{self._pace(state)}")
        self.ticker.describe(self._where(state))

    def _where(self, state: TrainerState) -> str:
        where = f"epoch {state.epoch or 0:.1f}/{state.num_train_epochs} step {state.global_step}"
        loss = "" if math.isnan(self.loss) else f" loss {self.loss:.3f}"
        return f"{where}{loss}" + (f" validation {self.scores}" if self.scores else "")

    def _pace(self, state: TrainerState) -> str:
        done = state.global_step - self.first_step
        if not done:
            return ""
        rate = done / (time.monotonic() - self.started)
        pace = rate * self.wording.of_step
        left = (state.max_steps - state.global_step) / rate
        return f", {pace:.1f} {self.wording.unit}/s, {left / 60:.1f} min left"

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if torch.distributed.is_initialized():
            torch.distributed.barrier()
        if is_main():
            (self.work / f"checkpoint-{state.global_step}" / COMPLETE).touch()

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        if is_main():
            self._context.__exit__(None, None, None)


def _tensorboard(work: Path, newest: Path | None) -> TensorBoardCallback:
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - two seconds to import

    step = None if newest is None else int(newest.name.split("-")[1]) + 1
    return TensorBoardCallback(SummaryWriter(str(work / LOGS), purge_step=step))


def records(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The log without what differs from run to run."""
    kept = [r for r in history if not any(key in r for key in _RUNTIME_KEYS)]
    # A training that goes on reads its log from a file that sorts the keys.
    return [
        {key: float(v) if isinstance(v, np.floating) else v for key, v in sorted(record.items())}
        for record in kept
    ]
